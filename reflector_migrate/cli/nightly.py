"""`migrate nightly`: the night's work, now."""

from __future__ import annotations

import click

from reflector_migrate.cli.common import echo_json, envelope, harness_of, log_to_stderr, say
from reflector_migrate.model.plural import counted


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def nightly(ctx: click.Context, as_json: bool) -> None:
    """Do each night's work that is not done yet: lost recordings, page, erasing.

    Beat asks for it at 03:30 UTC. One process at a time does it. It is safe to repeat, and
    catches up on missed nights. Its last line has the audit log's head: `migrate audit verify
    --head` checks one that you kept.

    \b
    Examples:
      migrate nightly
      migrate nightly --json
    """
    from reflector_migrate.shadow.messages import make_app, sender
    from reflector_migrate.shadow.nightly.job import run_nights
    from reflector_migrate.shadow.process import Shadow

    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    with make_app(harness) as app:
        done = run_nights(Shadow(harness, sender(app)))
    head = harness.audit.head()
    if as_json:
        echo_json(envelope("nightly", nights=list(done), audit_head=str(head)))
        return
    for night in done:
        click.echo(night)
    what = f"{counted(len(done), 'night')} done" if done else "nothing to do, or another does it"
    say(f"{what}   audit head {head.short}")
