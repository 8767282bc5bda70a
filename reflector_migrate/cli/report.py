"""`migrate report`: the nightly page, from what is stored or from a file of comparisons."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import (
    echo_json,
    envelope,
    harness_of,
    log_to_stderr,
    refuse_ignored,
    say,
)
from reflector_migrate.model import Verdict

if TYPE_CHECKING:
    from reflector_migrate.harness import Harness
    from reflector_migrate.model import Comparison
    from reflector_migrate.settings import Settings
    from reports.document import Night


@click.command()
@click.option("--night", default=None, help="YYYY-MM-DD in UTC (default: today).")
@click.option(
    "-o",
    "outputs",
    multiple=True,
    metavar="FORMAT:PATH",
    help="Where to write it, such as html:night.html; - is stdout.",
)
@click.option(
    "--comparisons", type=click.Path(path_type=Path), metavar="FILE",
    help="Read comparison/1 lines from FILE instead of the store.",
)  # fmt: skip
@click.option("--unredacted", is_flag=True, help="Include transcript words and summaries.")
@click.option("--dry-run", is_flag=True, help="Write nothing; the exit code is the same.")
@click.option(
    "--fail-on", type=click.Choice(["inconclusive", "diverged", "never"]), default="inconclusive",
    show_default=True, help="Exit non-zero for this verdict or worse.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--notify", is_flag=True, help="Send notices as the nightly job does.")
@click.pass_context
def report(
    ctx: click.Context,
    night: str | None,
    outputs: tuple[str, ...],
    comparisons: Path | None,
    unredacted: bool,
    dry_run: bool,
    fail_on: str,
    as_json: bool,
    notify: bool,
) -> None:
    """Write the nightly page: one file that opens offline.

    The path goes to stdout, the verdict in words to stderr. Exit 0 if everything matched, 1 if
    something diverged, 3 if the night is inconclusive.

    \b
    Examples:
      migrate report
      migrate report --comparisons all.jsonl -o html:page.html
    """
    from reflector_migrate.cli.outputs import (
        failing,
        night_of,
        places,
        refuse_two_answers,
        write_outputs,
    )

    wanted = places(outputs)
    refuse_two_answers(wanted, as_json=as_json)
    if dry_run:
        refuse_ignored(ctx, "--dry-run calls nobody", "notify")
    if comparisons is not None:
        why = "the night of the store; --comparisons reads a file instead"
        refuse_ignored(ctx, why, "night", "notify")
        if not outputs:
            raise click.UsageError("missing output: pass -o html:PATH")
        read = _read(comparisons)
        found = night_of(read, is_redacted=not unredacted)
        if not dry_run:
            write_outputs(read, outputs, 0, is_redacted=not unredacted)
    else:
        harness = harness_of(ctx)
        log_to_stderr(ctx, harness.settings)
        night = _past(night)
        if unredacted:
            _refuse_served(harness.settings, wanted)
        found = _gathered(harness, night, wanted, is_redacted=not unredacted)
        if not dry_run:
            _write(harness.settings, found, wanted, is_quiet=as_json)
            if notify:
                _notify(harness, found)
    code = failing(found.verdict, fail_on)
    _show(found, code, as_json=as_json)
    ctx.exit(code)


def _past(night: str | None) -> str:
    """The night asked for, today without one; InputError for one that has not begun."""
    from reflector_migrate.errors import InputError
    from reflector_migrate.shadow.nightly.night import day_of

    today = datetime.now(UTC).date().isoformat()
    night = night or today
    day_of(night)
    if night > today:
        raise InputError(f"night {night} has not begun: today is {today} (UTC)")
    return night


def _refuse_served(settings: Settings, wanted: list[tuple[str, Path]]) -> None:
    """Refuse to write words where `migrate serve` would publish them."""
    if not wanted:
        raise click.UsageError("--unredacted needs an output: pass -o html:PATH")
    served = (settings.state_dir / "reports").resolve()
    for _form, path in wanted:
        if path.resolve().is_relative_to(served):
            said = f"--unredacted: {path} is in the folder that `migrate serve` publishes"
            raise click.UsageError(said)


def _gathered(
    harness: Harness, night: str, wanted: list[tuple[str, Path]], *, is_redacted: bool
) -> Night:
    """The night from the store, whole where more than pages is asked for."""
    from reflector_migrate.shadow.nightly.night import gather

    is_whole = any(form != "html" for form, _ in wanted)
    return gather(harness, night, is_redacted=is_redacted, is_whole=is_whole)


def _write(
    settings: Settings, found: Night, wanted: list[tuple[str, Path]], *, is_quiet: bool
) -> None:
    """Write the night's page, and what else was asked for; a page's path goes to stdout."""
    from reflector_migrate.cli.outputs import STDOUT, write_outputs
    from reflector_migrate.shadow.nightly.night import write_page
    from reports.page import render_page
    from reports.redact import redact

    pages = [path for form, path in wanted if form == "html"]
    mode = 0o666 if found.is_redacted else 0o600
    for path in pages if wanted else [None]:
        if path is not None and str(path) == STDOUT:
            click.echo(render_page(found), nl=False)
            continue
        written = write_page(settings, found, path, mode=mode)
        click.echo(written, err=is_quiet)
    others = tuple(f"{form}:{path}" for form, path in wanted if form != "html")
    write_outputs(list(redact(found).comparisons), others, 0)


def _notify(harness: Harness, found: Night) -> None:
    """Call people where due; a channel that does not answer is named on stderr."""
    from reflector_migrate.shadow.nightly.news import news_of
    from reflector_migrate.shadow.notices import send

    for fault in send(harness, news_of(found)):
        say(f"not notified: {fault}")


def _show(found: Night, code: int, *, as_json: bool) -> None:
    """The verdict and its sentences; on stderr, or as one document on stdout."""
    from reports.redact import redact
    from reports.rows import check_names, rows
    from reports.sentences import headline, sentences

    found = redact(found)
    names = check_names(found.gists)
    said = sentences(found, rows(found.gists, names), names)
    state, glyph, words = headline(found)
    if as_json:
        tally = Counter(gist.verdict for gist in found.gists)
        counts = {verdict.value: tally[verdict.value] for verdict in Verdict}
        body = {"night": found.night, "verdict": state, "counts": counts, "sentences": said}
        echo_json(envelope("report", code, is_sandbox=found.is_sandbox, **body))
        return
    where = "sandbox  " if found.is_sandbox else ""
    say(f"{glyph} {words}  {where}{' '.join(said[:3])}")


def _read(path: Path) -> list[Comparison]:
    from pydantic import ValidationError

    from reflector_migrate.errors import InputError
    from reflector_migrate.model import Comparison

    found = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    for number, line in enumerate(lines, start=1):
        try:
            found.append(Comparison.model_validate_json(line))
        except ValidationError as invalid:
            first = invalid.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or "document"
            said = f"{path}:{number}: {field}: {first['msg']}"
            raise InputError(
                said, hint="run `migrate schema comparison` to see the format of a line"
            ) from None
    return found
