"""`migrate explain`: the chain of evidence behind a recording's verdict."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import echo_json, harness_of, headline, log_to_stderr
from reflector_migrate.cli.completing import checks, recordings
from reflector_migrate.cli.lookup import comparison_of
from reflector_migrate.errors import InputError
from reports.figures import count, percent
from reports.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reflector_migrate.harness import Harness
    from reflector_migrate.judge.chain import End, Link
    from reflector_migrate.judge.explanation import Confirmation, Explanation
    from reflector_migrate.judge.word_rates import WordRates
    from reflector_migrate.model import Check, Comparison, Finding, Turn

CODES = {"confirmed": 0, "not reproduced": 1, "cannot tell": 3}
DIGITS = 12


@click.command()
@click.argument("recording", shell_complete=recordings)
@click.argument("check", required=False, shell_complete=checks)
@click.option(
    "--confirm", is_flag=True,
    help="Run the first divergent step again, on the primary's input.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def explain(
    ctx: click.Context, recording: str, check: str | None, confirm: bool, as_json: bool
) -> None:
    """Show the evidence behind a recording's verdict, or behind one check of it.

    It first shows the failed checks, or the one you name, with what they found. Then it shows
    for each step, in order, whether inputs and outputs agree, and where both are stored. Checks
    of words have the published error rates (WER, MER, WIL) and the worst turns.

    --confirm runs the first divergent step again, in isolation: the candidate's code on the
    primary's recorded input. Exit 0 if the difference is confirmed, 1 if it is not
    reproduced, 3 if it cannot be determined.

    \b
    Examples:
      migrate explain twelve-tracks speaker_words
      migrate explain twelve-tracks --confirm
    """
    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    found = comparison_of(harness, recording)
    told = _explanation(harness, found, recording, check, confirm)
    if as_json:
        echo_json(told.model_dump(mode="json", by_alias=True))
    else:
        head = printable(f"{told.recording}  {told.verdict.value}")
        click.echo(headline(harness.settings, head))
        _print(told)
    ctx.exit(told.exit_code)


def _explanation(
    harness: Harness, found: Comparison, recording: str, check: str | None, confirm: bool
) -> Explanation:
    from reflector_migrate.judge.explanation import explanation_of

    told = explanation_of(found, recording, tuple(_chosen(found, check)))
    if not confirm:
        return told
    confirmation = _confirmed(harness, found)
    code = CODES[confirmation.outcome]
    changes = {"confirmation": confirmation, "exit_code": code, "ok": code == 0}
    return told.model_copy(update=changes)


def _confirmed(harness: Harness, found: Comparison) -> Confirmation:
    from reflector_migrate.shadow.confirm.confirmation import confirm, primary_of_run

    if found.first_divergent_step is None:
        raise InputError(f"nothing to confirm: no step of {found.recording} differs")
    seen = primary_of_run(harness, found.run_id)
    told = confirm(harness, seen, found.first_divergent_step)
    if told.build == found.candidate.build:
        return told
    builds = f"build {told.build}, where the run's was {found.candidate.build}"
    return told.model_copy(update={"why": f"{told.why}; {builds}"})


def _print(told: Explanation) -> None:
    if (blame := told.first_divergent_step) is not None:
        track = "" if blame.track_index is None else f" {blame.track_index}"
        click.echo(printable(f"first divergent step  {blame.step}{track}: {blame.why}"))
    for one in told.checks:
        _print_check(one)
        if (rates := told.word_rates.get(one.name)) is not None:
            click.echo(f"  {_rates(rates)}")
    for line in _turn_lines(told.turns):
        click.echo(printable(line))
    click.echo(f"\n{'step':<30} {'inputs':<14}{'outputs':<14}output digests, failed checks")
    for line in _chain_lines(told.chain):
        click.echo(printable(line))
    if not told.chain:
        click.echo("neither side recorded its steps")
    if told.confirmation is not None:
        click.echo(printable(f"\n{told.confirmation.outcome}: {told.confirmation.why}"))


def _chain_lines(links: Iterable[Link]) -> Iterator[str]:
    """A line a link; tracks that agree alike are one line; the reasons where not all agrees."""
    for _, group in groupby(links, key=_alike):
        first, *others = group
        name = first.step if first.track_index is None else f"{first.step} {first.track_index}"
        if others:
            name += f" to {others[-1].track_index}"
        states = f"{first.inputs.value:<14}{first.outputs.value:<14}"
        checks = "  " + ", ".join(first.checks) if first.checks else ""
        digests = f"{len(others) + 1} tracks" if others else _digests(first)
        yield f"{name:<30} {states}{digests}{checks}".rstrip()
        if {first.inputs.value, first.outputs.value} != {"agree"}:
            yield f"    inputs: {first.inputs_why}; outputs: {first.outputs_why}"
        if first.outputs.value == "differ":
            yield from _references(first)


def _alike(link: Link) -> tuple[object, ...]:
    """Links with the same key share a line: tracks of one step about which all is the same."""
    is_own = link.track_index is None or link.outputs.value == "differ"
    told = (link.inputs, link.inputs_why, link.outputs, link.outputs_why, link.checks)
    return (link.step, link.track_index if is_own else None, *told)


def _digests(link: Link) -> str:
    mine, theirs = (_short(end) for end in (link.reference, link.hypothesis))
    return mine if mine == theirs else f"{mine} -> {theirs}"


def _short(end: End | None) -> str:
    return (end.output_digest or "?" * DIGITS)[:DIGITS] if end else "-" * DIGITS


def _references(link: Link) -> Iterator[str]:
    for role, end in (("primary", link.reference), ("candidate", link.hypothesis)):
        if end is not None:
            kept = end.input_ref or "unknown", end.output_ref or "unknown"
            yield f"    {role:<10} in {kept[0]}  out {kept[1]}"


def _chosen(comparison: Comparison, name: str | None) -> list[Check]:
    if name is None:
        against = [c for c in comparison.checks if c.verdict is comparison.verdict]
        return against or list(comparison.checks)
    chosen = [c for c in comparison.checks if c.name == name.replace(" ", "_")]
    if not chosen:
        names = ", ".join(c.name for c in comparison.checks)
        raise InputError(f"no check is named {name!r}", hint=f"checks: {names}")
    return chosen


def _print_check(check: Check) -> None:
    click.echo(f"\n{check.name}  {check.verdict.value}  rule {check.rule}  n {check.n}")
    numbers = (("difference", check.value), ("floor", check.floor), ("limit", check.limit))
    if shown := [f"{name} {percent(number)}" for name, number in numbers if number is not None]:
        click.echo(f"  {'  '.join(shown)}")
    if check.note:
        click.echo(printable(f"  {check.note}"))
    if check.traceback:
        click.echo(printable(check.traceback))
    measure = check.measure
    if measure is None:
        return
    counts = ", ".join(
        f"{_sided(key)} {count(value) if value == int(value) else f'{value:.4g}'}"
        for key, value in measure.counts.items()
    )
    click.echo(f"  counts  {counts}" if counts else "  counts  none")
    for finding in measure.findings:
        click.echo(printable(f"  {_finding(finding)}"))
    if measure.findings_truncated:
        click.echo(f"  and {measure.findings_truncated} more findings")


def _sided(key: str) -> str:
    """A count's name, with the sides as a reader knows them."""
    shown = key.replace("reference", "primary").replace("hypothesis", "candidate")
    return shown.replace("_", " ")


def _rates(rates: WordRates) -> str:
    named = {"WER": rates.wer, "WER reversed": rates.wer_reversed, "MER": rates.mer}
    named["WIL"] = rates.wil
    shown = (f"{name} {'unknown' if r is None else f'{r:.4f}'}" for name, r in named.items())
    return f"rates   {', '.join(shown)}"


def _turn_lines(turns: Iterable[Turn]) -> Iterator[str]:
    """The stretches with most changed words, both sides' words under each other."""
    from reports.alignment import aligned

    for turn in turns:
        name = turn.speaker_name or f"speaker {turn.speaker}"
        yield from ("", f"{name} at {turn.at_s:.2f}s", *(f"  {line}" for line in aligned(turn)))


def _finding(finding: Finding) -> str:
    at = "" if finding.at_s is None else f" at {finding.at_s:.2f}s"
    values = f"{_value(finding.reference)} -> {_value(finding.hypothesis)}"
    said = f"  {finding.message}" if finding.message else ""
    said += f"  [{finding.waiver}]" if finding.waiver else ""
    return f"{finding.severity.value:<8} {finding.kind:<9} {finding.path}{at}: {values}{said}"


def _value(value: object) -> str:
    """A value as JSON has it; `nothing` where a side has none."""
    if value is None:
        return "nothing"
    return f"{value:g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
