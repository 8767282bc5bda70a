"""`migrate replay`: announce again what was lost on the way."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import (
    DURATION,
    ask,
    echo_json,
    envelope,
    log_to_stderr,
    settings_of,
)

if TYPE_CHECKING:
    from reflector_migrate.settings import Settings


@click.command()
@click.option(
    "--since", "since_s", default="24h", show_default=True, type=DURATION,
    help="How far to look back.",
)  # fmt: skip
@click.option("--failed", is_flag=True, help="Open failed runs again instead.")
@click.option("--dry-run", is_flag=True, help="Only say which they are.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def replay(
    ctx: click.Context, since_s: float, failed: bool, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Announce recordings that the primary took up and that never reached us.

    Its own rows say which; younger than five minutes they may still be on their way.
    Nothing is run on the primary: the candidate is started, within the bounds of
    [shadow], and compared with what stands in the primary's rows. Refused while the
    primary's messages still wait for a dispatcher: those are not lost.

    With --failed, runs that failed go on from what is left of them: their observations,
    their copied inputs, or their announcement.

    \b
    Examples:
      migrate replay --since 2h --yes
      migrate replay --failed --dry-run
    """
    from reflector_migrate.shadow.recover.replay import (
        announce,
        announcements,
        require_empty_queue,
    )
    from reflector_migrate.store.clock import now

    settings = settings_of(ctx)
    log_to_stderr(ctx, settings)
    if failed:
        names = _open_again(settings, since_s, dry_run=dry_run, yes=yes)
        _show(names, "opened again", dry_run=dry_run, as_json=as_json)
        return
    if not dry_run:
        require_empty_queue(settings)
    found = list(announcements(settings, now() - timedelta(seconds=since_s), now()))
    if found and not dry_run:
        ask(f"announce {len(found)} recordings?", yes=yes)
        for one in found:
            announce(settings, one)
    names = [one.recording_id or one.transcript_id for one in found]
    _show(names, "announced", dry_run=dry_run, as_json=as_json)


def _open_again(settings: Settings, since_s: float, *, dry_run: bool, yes: bool) -> list[str]:
    from reflector_migrate.shadow.messages import make_app, sender
    from reflector_migrate.shadow.recover.replay import reopen_failed
    from reflector_migrate.store.clock import now

    since, until = now() - timedelta(seconds=since_s), now()
    failed = reopen_failed(settings, since, until)
    if failed and not dry_run:
        ask(f"open {len(failed)} failed runs again?", yes=yes)
        with make_app(settings) as app:
            failed = reopen_failed(settings, since, until, sender(app))
    return [run.recording_id or run.transcript_id for run in failed]


def _show(names: list[str], done: str, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        echo_json(envelope("replay", is_dry_run=dry_run, recordings=names))
        return
    for name in names:
        click.echo(name)
    click.echo(f"{len(names)} {'would be ' if dry_run else ''}{done}", err=True)
