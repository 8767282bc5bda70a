"""`migrate erase`: what runs of a recording left, or what is still there of erased ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import (
    YES,
    ask,
    echo_json,
    envelope,
    harness_of,
    log_to_stderr,
    say,
)
from reflector_migrate.errors import InputError, RefusedError
from reflector_migrate.model.plural import counted

if TYPE_CHECKING:
    from reflector_migrate.harness import Harness
    from reflector_migrate.store.runs import RunRecord

ELSEWHERE = "folders on other worker hosts; each host removes its own within five minutes"


@click.command()
@click.argument("recording", required=False)
@click.option("--check", is_flag=True, help="List what is still there of erased runs.")
@YES
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def erase(ctx: click.Context, recording: str | None, check: bool, yes: bool, as_json: bool) -> None:
    """Erase what every run of a recording left, for instance after consent was withdrawn.

    It erases tracks, media, folders, tables and stored words; verdicts and counts stay. Beat
    starts the same for runs older than candidate.keep_days, and for runs whose recording the
    primary deleted or whose meeting refused consent. --check looks where erased runs were
    stored: exit 1 while something is left. It does not look at folders of other worker hosts:
    each host removes its own within five minutes.

    \b
    Examples:
      migrate erase 2026-11-23-board --yes
      migrate erase --check
    """
    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    if check == (recording is not None):
        raise click.UsageError("name a recording, or --check those that were erased")
    runs = _erased_runs(harness) if recording is None else _runs_of(harness, recording)
    if recording is not None:
        ask(f"erase what {counted(len(runs), 'run')} of {recording} left?", yes=yes)
        _erase(harness, runs)
    left = _left(harness, runs)
    code = int(any(left.values()))
    if as_json:
        echo_json(envelope("erase", code, runs=len(runs), left=left, not_looked_at=[ELSEWHERE]))
    else:
        for run_id, lines in left.items():
            for line in lines:
                click.echo(f"✗ run {run_id}: {line}")
        some = sum(map(bool, left.values()))
        say(f"{counted(len(runs), 'run')} looked at, something is left of {some}")
        say(f"not looked at: {ELSEWHERE}")
    ctx.exit(code)


def _runs_of(harness: Harness, recording: str) -> tuple[RunRecord, ...]:
    from reflector_migrate.model.run_life import OPEN

    found = harness.runs.of_recording(recording)
    if not found:
        raise InputError(f"no run of recording {recording} is known")
    if open_ones := [run.run_id for run in found if run.state in OPEN]:
        hint = "wait for its end: migrate compare RECORDING --wait 1h"
        raise RefusedError(f"run {open_ones[0]} is still open", hint=hint)
    return found


def _erased_runs(harness: Harness) -> tuple[RunRecord, ...]:
    return harness.runs.erased()


def _erase(harness: Harness, runs: tuple[RunRecord, ...]) -> None:
    from reflector_migrate.shadow.erase import erase_now
    from reflector_migrate.shadow.process import Shadow

    erase_now(Shadow(harness, lambda _run, _delay_s: None), runs)


def _left(harness: Harness, runs: tuple[RunRecord, ...]) -> dict[str, list[str]]:
    from reflector_migrate.shadow.leftovers import leftovers

    return {run.run_id: list(leftovers(harness, run)) for run in runs}
