"""`migrate replay`: dispatch recordings that were never announced, or past ones."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import (
    DURATION,
    YES,
    ask,
    echo_json,
    envelope,
    harness_of,
    log_to_stderr,
    refuse_ignored,
)
from reflector_migrate.model.plural import counted

if TYPE_CHECKING:
    from reflector_migrate.harness import Harness
    from reflector_migrate.shadow.recover.past import Estimate


@click.command()
@click.option(
    "--since", "since_s", default="24h", show_default=True, type=DURATION,
    help="How far to look back.",
)  # fmt: skip
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help="Instead, run this many past recordings through the candidate, newest first.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    help="With --limit: recordings per hour.",
)
@click.option("--failed", is_flag=True, help="Open failed runs again instead.")
@click.option("--dry-run", is_flag=True, help="Only list them.")
@YES
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def replay(
    ctx: click.Context, since_s: float, limit: int | None, rate: float | None, failed: bool,
    dry_run: bool, yes: bool, as_json: bool,
) -> None:  # fmt: skip
    """Dispatch recordings that the primary processed but that were never announced.

    It finds these recordings in Reflector's database, and skips those of the last five minutes.
    Nothing runs on the primary. The candidate is started within the limits of [shadow], and
    compared with the primary's rows. The command refuses while announcements still wait for a
    dispatcher, since these recordings are not lost.

    With --limit, past recordings run through the candidate as it is now, and are compared with
    what legacy left. This takes recordings that ended well and whose tracks still exist. Time
    and cost are printed beforehand. After an interrupt, the same command continues.

    With --failed, failed runs continue from what they left: their observations,
    their copied inputs, or their announcement.

    \b
    Examples:
      migrate replay --since 30d --limit 200 --rate 25
      migrate replay --failed --dry-run
    """
    from reflector_migrate.shadow.recover.replay import (
        announce,
        announcements,
        require_empty_queue,
    )
    from reflector_migrate.store.clock import now

    if failed:
        refuse_ignored(ctx, "--failed opens every failed run at once", "limit", "rate")
    if limit is None:
        refuse_ignored(ctx, "for past recordings: give --limit too", "rate")
    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    if failed:
        names = _open_again(harness, since_s, dry_run=dry_run, yes=yes)
        _show(names, "opened again", dry_run=dry_run, as_json=as_json)
        return
    if limit is not None:
        names = _run_past(harness, since_s, limit, rate, dry_run=dry_run, yes=yes)
        _show(names, "announced", dry_run=dry_run, as_json=as_json)
        return
    if not dry_run:
        require_empty_queue(harness)
    found = list(announcements(harness, now() - timedelta(seconds=since_s), now()))
    if found and not dry_run:
        ask(f"announce {counted(len(found), 'recording')}?", yes=yes)
        for one in found:
            announce(harness, one)
    names = [one.recording_id or one.transcript_id for one in found]
    _show(names, "announced", dry_run=dry_run, as_json=as_json)


def _run_past(
    harness: Harness, since_s: float, limit: int, rate: float | None, *, dry_run: bool, yes: bool
) -> list[str]:
    from reflector_migrate.shadow.recover.past import chosen, estimate
    from reflector_migrate.shadow.recover.replay import announce
    from reflector_migrate.store.clock import now

    found = list(chosen(harness, now() - timedelta(seconds=since_s), now(), limit))
    names = [one.recording_id or one.transcript_id for one in found]
    click.echo(_told(estimate(harness, len(found), rate)), err=True)
    if found and not dry_run:
        ask(f"run {len(found)} past recordings through the candidate?", yes=yes)
        for number, one in enumerate(found):
            if number and rate:
                time.sleep(3600 / rate)
            announce(harness, one)
    return names


def _told(expected: Estimate) -> str:
    from reports.figures import dollars, span

    many = counted(expected.recordings, "recording")
    if expected.duration_s is None:
        return f"{many}; time and cost unknown: nothing is compared yet"
    runs = counted(expected.measured_on, "run")
    return (
        f"{many}; about {span(expected.duration_s)} and "
        f"{dollars(expected.cost_microdollars)}, by the median of {runs}"
    )


def _open_again(harness: Harness, since_s: float, *, dry_run: bool, yes: bool) -> list[str]:
    from reflector_migrate.shadow.messages import make_app, sender
    from reflector_migrate.shadow.recover.replay import reopen_failed
    from reflector_migrate.store.clock import now

    since, until = now() - timedelta(seconds=since_s), now()
    failed = reopen_failed(harness, since, until)
    if failed and not dry_run:
        ask(f"open {len(failed)} failed runs again?", yes=yes)
        with make_app(harness) as app:
            failed = reopen_failed(harness, since, until, sender(app))
    return [run.recording_id or run.transcript_id for run in failed]


def _show(names: list[str], done: str, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        echo_json(envelope("replay", is_dry_run=dry_run, recordings=names))
        return
    for name in names:
        click.echo(name)
    click.echo(f"{len(names)} {'would be ' if dry_run else ''}{done}", err=True)
