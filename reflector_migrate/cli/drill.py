"""`migrate drill`: try a safeguard on the running deployment, and keep how it went."""

from __future__ import annotations

import click

from reflector_migrate.cli.common import (
    WHO_OR_USER,
    YES,
    ask,
    echo_json,
    envelope,
    harness_of,
    log_to_stderr,
)

DRILLS = ("kill-switch", "rollback", "failover")


@click.command(short_help="Drill a safeguard on the running deployment.")
@click.argument("name", type=click.Choice(DRILLS))
@click.option("--timeout", "timeout_s", default=60.0, show_default=True, help="Seconds to wait.")
@WHO_OR_USER
@YES
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def drill(
    ctx: click.Context, name: str, timeout_s: float, who: str | None, yes: bool, as_json: bool
) -> None:
    """Drill a safeguard; exit 1 if it did not hold. The audit log keeps build, date and result.

    kill-switch: switches dispatching off, announces the newest shadowed recording again, and
    waits until the dispatcher holds it back. Then it removes the switch. Recordings that begin
    meanwhile are not shadowed; the primary notices nothing.

    rollback: sends every recording back. It checks that the back file alone is enough, and that
    the table alone is enough. Then it restores the routes. Recordings that begin meanwhile are
    served by legacy.

    failover: claims a transcript that does not exist. It checks that the starter refuses it, and
    that its claim goes to legacy. No recording is touched.

    \b
    Examples:
      migrate drill kill-switch --yes
      migrate drill kill-switch --timeout 120 --json
    """
    from dataclasses import asdict

    from reflector_migrate.cutover import route_drills
    from reflector_migrate.cutover.drills import drill_kill_switch
    from reflector_migrate.shadow.recover.replay import announce

    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    ask("hold recordings back for some seconds?", yes=yes)
    by = who or ""
    drills = {
        "kill-switch": lambda: drill_kill_switch(harness, announce, timeout_s, who=by),
        "rollback": lambda: route_drills.drill_rollback(harness, who=by),
        "failover": lambda: route_drills.drill_failover(
            harness, route_drills.send_start, timeout_s, who=by
        ),
    }
    found = drills[name]()
    code = 0 if found.is_passed else 1
    if as_json:
        echo_json(envelope("drill", code, **asdict(found)))
    else:
        mark = "✓ held" if found.is_passed else "✗ did not hold"
        click.echo(f"{mark}  {name}  {found.duration_s} s  {found.recording}: {found.seen}")
    ctx.exit(code)
