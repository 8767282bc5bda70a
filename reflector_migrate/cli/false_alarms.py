"""`migrate defects false-alarms`: how often an unchanged candidate is flagged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import echo_json, envelope, harness_of, log_to_stderr, say
from reflector_migrate.model.plural import counted

if TYPE_CHECKING:
    from reflector_migrate.experiments.false_alarms import FalseAlarms, Plan
    from reflector_migrate.harness import Harness

FOLDER = Path(".sandbox/false-alarms")  # a fixed place, so that the next run cleans after a kill
SHARE = click.FloatRange(0, 1)
EXIT_CODES = {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 3}


@click.command("false-alarms", short_help="Measure the false-alarm rate.")
@click.option("--pairs", default=60, show_default=True, help="Trials: legacy twice and candidate.")
@click.option("--calibration", default=60, show_default=True, help="Legacy pairs for the floors.")
@click.option("--quiet", default=12, show_default=True, help="Trials without noise.")
@click.option(
    "--noise", "seed", default=7, show_default=True, metavar="SEED", help="Seed of the noise."
)
@click.option("--wer", type=SHARE, default=0.02, show_default=True, help="Share of words misheard.")
@click.option(
    "--rate", type=SHARE, default=0.3, show_default=True, help="Chance of another wording."
)
@click.option("--recording", "recordings", multiple=True, help="Instead of the six short ones.")
@click.option(
    "--defect", "defects", multiple=True, help="Inject a defect, to see the command fail."
)
@click.option("--jobs", default=2, show_default=True, help="Recordings at a time.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
@click.pass_context
def false_alarms(
    ctx: click.Context,
    pairs: int,
    calibration: int,
    quiet: int,
    seed: int,
    wer: float,
    rate: float,
    recordings: tuple[str, ...],
    defects: tuple[str, ...],
    jobs: int,
    as_json: bool,
) -> None:
    """Measure how often an unchanged candidate is flagged, compared with legacy itself.

    With noise on, primary, secondary and candidate run on real servers; secondary and
    candidate are judged against the primary by the same floors. Exit 1 when the
    candidate is flagged more often than the secondary (exact test, 5 %), or when
    anything differs with noise off. Takes half an hour.

    \b
    Examples:
      migrate defects false-alarms --pairs 60 --json
      migrate defects false-alarms --pairs 12 --defect last_span_lost
    """
    from reflector_migrate.experiments.false_alarms import RECORDINGS, Plan
    from reflector_migrate.experiments.noise import Noise

    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    plan = Plan(
        pairs, calibration, quiet, Noise(seed, wer, rate), recordings or RECORDINGS, jobs,
        defects=defects,
    )  # fmt: skip
    found = _in_sandbox(harness, plan)
    code = EXIT_CODES[found.verdict.value]
    if as_json:
        echo_json(envelope("false-alarms", code, **found.model_dump(mode="json")))
    else:
        _show(found)
    ctx.exit(code)


def _in_sandbox(harness: Harness, plan: Plan) -> FalseAlarms:
    from reflector_migrate.experiments.false_alarms import measure
    from reflector_migrate.sandbox.borrowed import own_or_running

    own = FOLDER.resolve()
    with own_or_running(harness.settings, own, say=say, defects=plan.defects) as sandbox:
        return measure(sandbox.harness, plan, say)


def _show(found: FalseAlarms) -> None:
    noisy, quiet = found.noisy, found.quiet
    click.echo(f"{found.verdict.value}  {'; '.join(found.why)}")
    recordings = counted(len(found.recordings), "recording")
    click.echo(f"floors     {found.calibration_pairs} legacy pairs, {recordings}")
    for side, share in (("legacy", found.legacy_share), ("candidate", found.candidate_share)):
        flagged = noisy.legacy_flagged if side == "legacy" else noisy.candidate_flagged
        value, low, high = (f"{one:.1%}" for one in share)
        told = ", ".join(f"{n} {verdict}" for verdict, n in sorted(noisy.verdicts[side].items()))
        click.echo(
            f"{side:<10} {flagged} of {noisy.trials} flagged: {value} ({low} to {high})  {told}"
        )
    alone = f"candidate {noisy.only_candidate}, legacy {noisy.only_legacy}"
    click.echo(f"alone      {alone}; p = {found.p_value:.3g} (exact binomial, one-sided)")
    flagged = quiet.legacy_flagged + quiet.candidate_flagged
    click.echo(f"noise off  {quiet.trials} trials, {flagged} flagged")
    for alarm in (*noisy.alarms, *quiet.alarms):
        limit = "" if alarm.limit is None else f" > {alarm.limit:.4f} (n {alarm.n})"
        value = "" if alarm.value is None else f" {alarm.value:.4f}"
        click.echo(
            f"  {alarm.side:<9} {alarm.recording:<16} {alarm.check}{value}{limit}  {alarm.why}"
        )
