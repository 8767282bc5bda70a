"""`migrate placebo`: legacy in the candidate's place, which no gate may fail."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import WHO_OR_USER, echo_json, harness_of, log_to_stderr, say
from reflector_migrate.model.plural import counted

if TYPE_CHECKING:
    from reflector_migrate.experiments.placebo import PlaceboRun
    from reflector_migrate.harness import Harness

FOLDER = Path(".sandbox/placebo")  # a fixed place, so that the next run cleans after a kill


@click.group()
def placebo() -> None:
    """Put a third legacy run in the candidate's place, and check that no gate fails it.

    \b
    Examples:
      migrate placebo run
      migrate placebo run solo zero-start --json
    """


@placebo.command(short_help="Run legacy in the candidate's place through every gate.")
@click.argument("names", nargs=-1)
@click.option(
    "--jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Recordings at a time."
)
@click.option("--timeout", "timeout_s", default=300.0, show_default=True, help="Seconds for each.")
@WHO_OR_USER
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
@click.pass_context
def run(
    ctx: click.Context,
    names: tuple[str, ...],
    jobs: int,
    timeout_s: float,
    who: str | None,
    as_json: bool,
) -> None:
    """Run recordings (all that legacy completes, or those named) four times on legacy.

    Exit 1 if a gate fails them.

    Uses the sandbox that runs here and leaves it as it was, or starts a temporary one. The audit
    log of the settings in force records the result with its build. Without it no gate counts. The
    evidence is stored too: read it with `migrate gate --evidence FILE --origin placebo`.

    \b
    Examples:
      migrate placebo run
      migrate placebo run solo zero-start --json
    """
    from reflector_migrate.shadow.decisions import this_user

    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    found = _run(harness, names, jobs, timeout_s)
    file = _keep(harness, found, who or this_user())
    if as_json:
        echo_json(found.model_dump(mode="json", by_alias=True))
    else:
        _show(found)
        click.echo(f"evidence  {file}")
    ctx.exit(found.exit_code)


def _run(harness: Harness, names: tuple[str, ...], jobs: int, timeout_s: float) -> PlaceboRun:
    from reflector_migrate.conductor.build import build_hash
    from reflector_migrate.experiments.placebo import run_placebo
    from reflector_migrate.sandbox.borrowed import own_or_running
    from reflector_migrate.sandbox.recordings import load_recording
    from reflector_migrate.shadow.gate_rules import rules_in_force

    folder, rules = harness.settings.sandbox.recordings, rules_in_force(harness.settings)
    known = tuple(sorted(file.parent.name for file in folder.glob("*/recording.json")))
    found = [load_recording(folder, name) for name in names or known]
    asked = [one.name for one in found if names or one.expect.status == "ended"]
    with own_or_running(harness.settings, FOLDER.resolve(), say=say) as sandbox:
        return run_placebo(
            sandbox.harness, asked, rules, build_hash(), jobs=jobs, timeout_s=timeout_s, say=say
        )


def _keep(harness: Harness, found: PlaceboRun, who: str) -> Path:
    """Write the evidence, and record the run in the audit log with the evidence's digest."""
    from reflector_migrate.judge.gates.spread import spreads
    from reflector_migrate.shadow.nightly.proofs import keep_evidence, record_placebo

    text = "".join(f"{line.model_dump_json(by_alias=True)}\n" for line in found.evidence)
    kept = keep_evidence(harness.settings, f"placebo-{found.build}", "jsonl", text)
    digest = record_placebo(
        harness,
        build=found.build,
        recordings=found.recordings,
        failed=found.failed,
        evidence=kept.digest,
        rules=found.rules,
        who=who,
        spread=spreads(found.evidence),
    )
    say(f"recorded in the audit log  {digest[:12]}")
    return kept.path


def _show(found: PlaceboRun) -> None:
    mark = "✗ failed" if found.failed else "✓ not failed" if found.ok else "! could not run"
    lost = f", {len(found.lost)} lost: {', '.join(found.lost)}" if found.lost else ""
    click.echo(f"{mark}  {counted(len(found.recordings), 'recording')}{lost}   build {found.build}")
    for gate in found.failed:
        click.echo(f"  {gate}")
    if found.spread_pp:
        said = ", ".join(f"{name} {sd:g}" for name, sd in sorted(found.spread_pp.items()))
        click.echo(f"sd of the excess, pp: {said}")
