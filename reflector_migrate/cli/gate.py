"""`migrate gate`: what the evidence of many recordings decides."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import echo_json, harness_of, log_to_stderr, refuse_ignored
from reflector_migrate.model.plural import counted

if TYPE_CHECKING:
    from reflector_migrate.judge.gates.answers import Cohort, GateAnswer, GateRun

MARKS = {"PASS": "✓ pass", "FAIL": "✗ fail", "INCONCLUSIVE": "? pending"}
ORIGINS = ("deployment", "sandbox", "seeded-defect", "placebo")
FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(short_help="Run the gates on stored evidence or on a file.")
@click.option("--evidence", type=FILE, help="A file of evidence/1 lines (default: the store).")
@click.option(
    "--rules", type=FILE, help="Gates, margins and strata in TOML (default: judge.gates_file)."
)
@click.option("--origin", type=click.Choice(ORIGINS), help="Judge only evidence of this origin.")
@click.option("--print-rules", is_flag=True, help="Print the rules that ship, and exit.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def gate(
    ctx: click.Context,
    evidence: Path | None,
    rules: Path | None,
    origin: str | None,
    print_rules: bool,
    as_json: bool,
) -> None:
    """Judge every gate of every pair of builds: PASS, FAIL or INCONCLUSIVE, with its reason.

    You may run it as often as you like. Exit 1 if a gate fails, 3 if evidence is missing, 0 if all
    pass. Each pair of builds is judged separately. Evidence of the sandbox, of seeded defects and
    of a placebo never decides about a deployment. Stored evidence counts once `migrate placebo
    run` and `migrate defects run` have passed with this candidate build.

    \b
    Examples:
      migrate gate --evidence evidence.jsonl --json
      migrate gate --rules gates.toml
    """
    from reflector_migrate.entrance import loaded_settings
    from reflector_migrate.judge.gates.gate import judge
    from reflector_migrate.shadow import gate_rules
    from reflector_migrate.shadow.nightly import gating

    if print_rules:
        why = "--print-rules prints the rules that ship, and judges nothing"
        refuse_ignored(ctx, why, "evidence", "rules", "origin", "as_json")
        click.echo(gate_rules.shipped_rules(), nl=False)
        return
    if evidence is not None:
        file = rules or loaded_settings(ctx.find_root().obj["config"]).judge.gates_file
        found = judge(gating.evidence_file(evidence), gate_rules.rules_of(file), origin=origin)
    else:
        harness = harness_of(ctx)
        log_to_stderr(ctx, harness.settings)
        file = rules or harness.settings.judge.gates_file
        lines = gating.stored_evidence(harness)
        found = gating.gates_of(harness, lines, gate_rules.rules_of(file), origin=origin)
    if as_json:
        echo_json(found.model_dump(mode="json", by_alias=True))
    else:
        _print(found)
    ctx.exit(found.exit_code)


def _print(run: GateRun) -> None:
    """A table for each cohort, then the state of all; what holds every gate is said once."""
    from reports.text import printable

    answers, held = run.gates, _held(run)
    for place, cohort in enumerate(run.cohorts):
        click.echo(printable(_head(cohort)))
        click.echo(f"   {'gate':<22} {'stratum':<14} {'value':>12} {'limit':>9} {'n':>7}  state")
        for answer in answers:
            if answer.cohort == place:
                click.echo(printable(_row(answer, held)))
    for why, count in run.excluded.items():
        click.echo(f"left out: {count} lines ({why})")
    if held:
        click.echo(printable(held))
    counts = {
        state: sum(a.state == state and not a.is_report_only for a in answers) for state in MARKS
    }
    ready = "✓ READY" if run.ok else f"{'✗' if counts['FAIL'] else '?'} NOT READY"
    click.echo(
        f"{ready}   {counts['PASS']} pass, {counts['FAIL']} fail,"
        f" {counts['INCONCLUSIVE']} pending   rules {run.rules}"
    )


def _head(cohort: Cohort) -> str:
    builds = "   ".join(f"{role} {build}" for role, build in cohort.builds.items())
    size = f"{counted(cohort.recordings, 'recording')} in {counted(cohort.nights, 'night')}"
    return f"Gates   {builds or 'no evidence'}   {cohort.origin}   {size}"


def _held(run: GateRun) -> str:
    """Why no deciding gate counts, where one reason keeps them all from it; else ""."""
    reasons = {one.why.partition("; ")[0] for one in run.gates if not one.is_report_only}
    reason = reasons.pop() if len(reasons) == 1 else ""
    return reason if reason.startswith("not counted: ") else ""


def _row(answer: GateAnswer, held: str) -> str:
    """One gate: value against limit, state and why; a stratum's row names it."""
    value = "-" if answer.value is None else f"{answer.value:g} {_unit(answer)}".strip()
    limit = "-" if answer.limit is None else f"{answer.limit:g}"
    state = MARKS[answer.state.value] + (" (report only)" if answer.is_report_only else "")
    needs = answer.needs
    more = ""
    if needs and needs.nights and needs.date:
        more = f"; {counted(needs.nights, 'night')}, until {needs.date}"
    return (
        f"   {answer.gate:<22} {answer.stratum:<14} {value:>12} {limit:>9} {answer.n:>7}"
        f"  {state:<10} {answer.why.removeprefix(held).removeprefix('; ')}{more}".rstrip()
    )


def _unit(answer: GateAnswer) -> str:
    return answer.unit if answer.unit in ("W+", "W-") else ""
