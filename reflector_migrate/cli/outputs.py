"""Writes results where `-o FORMAT:PATH` says, each file whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reflector_migrate.cli.common import envelope, say
from reflector_migrate.errors import ExitCode, InputError
from reflector_migrate.model import Comparison, Verdict
from reflector_migrate.store.atomic_write import write_aside

if TYPE_CHECKING:
    from reports.document import Night

STDOUT = "-"
FORMATS = ("html", "json", "jsonl", "md", "junit")
CHECK_KEYS = ("name", "verdict", "rule", "value", "floor", "limit", "waived", "improved")
EXIT_CODES = {
    Verdict.DIVERGED: ExitCode.AGAINST,
    Verdict.ERRORED: ExitCode.COULD_NOT_RUN,
    Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
    Verdict.WAIVED: ExitCode.OK,
    Verdict.WITHIN_NOISE: ExitCode.OK,
    Verdict.MATCHED: ExitCode.OK,
}


def exit_code_of(verdict: Verdict) -> int:
    """0 match, 1 diverged, 3 inconclusive, 4 a comparator broke."""
    return int(EXIT_CODES[verdict])


def failing(verdict: Verdict, fail_on: str) -> int:
    """The exit code of a verdict, 0 for one milder than `fail_on`; 4 stays."""
    code = exit_code_of(verdict)
    if fail_on == "never" or (fail_on == "diverged" and code != 1):
        return code if code == int(ExitCode.COULD_NOT_RUN) else 0
    return code


def answer_of(comparison: Comparison, code: int) -> dict[str, Any]:
    """migrate.compare/1: verdict and checks on top, the whole comparison below."""
    body = comparison.model_dump(mode="json", by_alias=True)
    checks = [{key: check[key] for key in CHECK_KEYS} for check in body["checks"]]
    return envelope(
        "compare", code, verdict=comparison.verdict.value, checks=checks, comparison=body
    )


def places(outputs: tuple[str, ...]) -> list[tuple[str, Path]]:
    """(format, path) of every `FORMAT:PATH`; InputError names the first that is neither."""
    found = []
    for output in outputs:
        form, _, where = output.partition(":")
        if form not in FORMATS or not where:
            said = f"unknown format {form!r}" if where else "not FORMAT:PATH"
            raise InputError(f"-o {output}: {said}", hint=f"formats: {', '.join(FORMATS)}")
        if where != STDOUT and Path(where).is_dir():
            raise InputError(f"-o {output}: {where} is a folder", hint="name a file in it")
        if not Path(where).parent.is_dir():
            raise InputError(f"-o {output}: there is no folder {Path(where).parent}")
        found.append((form, Path(where)))
    return found


def refuse_two_answers(wanted: list[tuple[str, Path]], *, as_json: bool) -> None:
    """UsageError where more than one document would go to stdout."""
    to_stdout = [f"-o {form}:{STDOUT}" for form, path in wanted if str(path) == STDOUT]
    answers = ["--json"] * as_json + to_stdout
    if len(answers) > 1:
        raise click.UsageError(f"{' and '.join(answers)} both write to stdout: give one of them")


def write_outputs(
    comparisons: list[Comparison],
    outputs: tuple[str, ...],
    code: int,
    *,
    is_redacted: bool = False,
) -> None:
    """Render and write every `FORMAT:PATH`; `-` is stdout."""
    for form, path in places(outputs):
        text = _rendered(form, comparisons, code, is_redacted)
        if str(path) == STDOUT:
            click.echo(text, nl=False)
            continue
        write_aside(path, text)
        say(f"written {path}")


def _rendered(form: str, comparisons: list[Comparison], code: int, is_redacted: bool) -> str:
    if form == "json":
        return json.dumps([answer_of(c, code) for c in comparisons], allow_nan=False) + "\n"
    if form == "jsonl":
        return "".join(c.model_dump_json(by_alias=True) + "\n" for c in comparisons)
    if form == "html":
        return page_of(comparisons, is_redacted=is_redacted)
    if form == "md":
        from reports.markdown import render as as_markdown

        return as_markdown(comparisons)
    from reports.junit import render as as_junit

    return as_junit(comparisons)


def page_of(comparisons: list[Comparison], *, is_redacted: bool = False) -> str:
    """A page of these comparisons alone, as if they were all there was."""
    from reports.page import render_page

    return render_page(night_of(comparisons, is_redacted=is_redacted))


def night_of(comparisons: list[Comparison], *, is_redacted: bool = False) -> Night:
    """The document of these comparisons alone."""
    from reports.document import Coverage, Night

    at = max((c.compared_at for c in comparisons if c.compared_at), default=None)
    return Night(
        night=at.date().isoformat() if at else "",
        generated_at=at.isoformat(timespec="seconds") if at else "",
        coverage=Coverage(eligible=len(comparisons), compared=len(comparisons)),
        comparisons=tuple(comparisons),
        is_redacted=is_redacted,
        is_sandbox=any(comparison.origin == "sandbox" for comparison in comparisons),
    )
