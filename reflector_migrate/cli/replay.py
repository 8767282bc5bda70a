"""`migrate replay`: announce again what was lost on the way."""

from __future__ import annotations

from datetime import timedelta

import click

from reflector_migrate.cli.common import (
    DURATION,
    ask,
    echo_json,
    envelope,
    log_to_stderr,
    settings_of,
)


@click.command()
@click.option(
    "--since", "since_s", default="24h", show_default=True, type=DURATION,
    help="How far to look back.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only say which they are.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def replay(ctx: click.Context, since_s: float, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Announce recordings that the primary took up and that never reached us.

    Its own rows say which; younger than five minutes they may still be on their way.
    Nothing is run on the primary: the candidate is started, within the bounds of
    [shadow], and compared with what stands in the primary's rows.

    \b
    Examples:
      migrate replay --dry-run
      migrate replay --since 2h --yes
    """
    from reflector_migrate.shadow.recover.replay import announce, announcements
    from reflector_migrate.store.clock import now

    settings = settings_of(ctx)
    log_to_stderr(ctx, settings)
    found = list(announcements(settings, now() - timedelta(seconds=since_s), now()))
    if found and not dry_run:
        ask(f"announce {len(found)} recordings?", yes=yes)
        for one in found:
            announce(settings, one)
    names = [one.recording_id for one in found]
    if as_json:
        echo_json(envelope("replay", is_dry_run=dry_run, recordings=names))
        return
    for name in names:
        click.echo(name)
    done = "would be announced" if dry_run else "announced"
    click.echo(f"{len(names)} {done}", err=True)
