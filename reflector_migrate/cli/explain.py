"""`migrate explain`: the chain of evidence behind a recording's verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import echo_json, log_to_stderr, settings_of
from reflector_migrate.cli.lookup import comparison_of
from reflector_migrate.cli.text import printable
from reflector_migrate.errors import InputError

if TYPE_CHECKING:
    from reflector_migrate.model import Check, Comparison, Finding


@click.command()
@click.argument("recording")
@click.argument("check", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def explain(ctx: click.Context, recording: str, check: str | None, as_json: bool) -> None:
    """Show the evidence behind a recording's verdict, or behind one check of it.

    \b
    Examples:
      migrate explain three-voices
      migrate explain twelve-tracks speaker_words
    """
    settings = settings_of(ctx)
    log_to_stderr(ctx, settings)
    found = comparison_of(settings, recording)
    chosen = _chosen(found, check)
    if as_json:
        checks = [one.model_dump(mode="json") for one in chosen]
        head = {"schema": "migrate.explain/1", "ok": True, "exit_code": 0}
        echo_json({**head, "recording": recording, "checks": checks})
        return
    _print_blame(found)
    for one in chosen:
        _print_check(one)


def _chosen(comparison: Comparison, name: str | None) -> list[Check]:
    if name is None:
        against = [c for c in comparison.checks if c.verdict is comparison.verdict]
        return against or list(comparison.checks)
    chosen = [c for c in comparison.checks if c.name == name.replace(" ", "_")]
    if not chosen:
        names = ", ".join(c.name for c in comparison.checks)
        raise InputError(f"no check is named {name!r}", hint=f"checks: {names}")
    return chosen


def _print_blame(comparison: Comparison) -> None:
    click.echo(f"{comparison.recording}  {comparison.verdict.value}")
    if (blame := comparison.first_divergent_step) is not None:
        click.echo(printable(f"first divergent step  {blame.step}: {blame.why}"))


def _print_check(check: Check) -> None:
    click.echo(f"\n{check.name}  {check.verdict.value}  rule {check.rule}  n {check.n}")
    if check.value is not None or check.limit is not None:
        click.echo(f"  value {check.value}  floor {check.floor}  limit {check.limit}")
    if check.note:
        click.echo(printable(f"  {check.note}"))
    if check.traceback:
        click.echo(printable(check.traceback))
    measure = check.measure
    if measure is None:
        return
    counts = ", ".join(f"{key} {value:g}" for key, value in measure.counts.items())
    click.echo(f"  counts  {counts}" if counts else "  counts  none")
    for finding in measure.findings:
        click.echo(printable(f"  {_finding(finding)}"))
    if measure.findings_truncated:
        click.echo(f"  and {measure.findings_truncated} more findings")


def _finding(finding: Finding) -> str:
    at = "" if finding.at_s is None else f" at {finding.at_s:.2f}s"
    values = f"{finding.reference!r} -> {finding.hypothesis!r}"
    said = f"  {finding.message}" if finding.message else ""
    return f"{finding.severity.value:<8} {finding.kind:<9} {finding.path}{at}: {values}{said}"
