"""`migrate route`: which engine serves a recording; show it, change it, send all back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from reflector_migrate.cli.common import (
    WHO,
    YES,
    ask,
    echo_json,
    envelope,
    harness_of,
    refuse_ignored,
    say,
)

if TYPE_CHECKING:
    from reflector_migrate.plugin.reflector_route_table import Room

ROUTES = ("celery", "celery+shadow", "conductor+fallback", "conductor")
WHY = click.option("--why", required=True, help="Why, for later readers of the log.")


@click.group()
def route() -> None:
    """Show and change which engine serves a recording.

    \b
    Examples:
      migrate route show
      migrate route back --who ana --why "webhooks arrive twice"
    """


@route.command(short_help="Show the table in force, or what it decides for a transcript.")
@click.argument("transcript", required=False)
@click.option("--room", default="", help="The transcript's room.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def show(ctx: click.Context, transcript: str | None, room: str, as_json: bool) -> None:
    """Show the published table, or the route of one transcript and the reason.

    \b
    Examples:
      migrate route show
      migrate route show 7f3c --room standup --json
    """
    from reflector_migrate.cutover.handover import serving
    from reflector_migrate.cutover.routes import decision_for, published
    from reflector_migrate.plugin.reflector_route_table import dump

    if not transcript:
        refuse_ignored(ctx, "name the transcript that is in this room", "room")
    harness = harness_of(ctx)
    if transcript:
        found = decision_for(harness, transcript, room)
        claim = serving(harness, transcript)
        held = {"engine": claim.engine, "state": claim.state, "by": str(claim)} if claim else None
        body: dict[str, Any] = {
            "route": found.route, "why": found.reason, "version": found.version, "served": held,
        }  # fmt: skip
        line = f"{found.route}  {found.reason}"
        line += f"\n{claim.state}  {claim}  {claim.reason or claim.refused}" if claim else ""
    else:
        known = published(harness)
        table = json.loads(dump(known.table)) if known.table else None
        path = harness.settings.route.back_file
        is_back = path is not None and path.exists()
        body = {"table": table, "fault": known.fault, "is_back": is_back}
        line = json.dumps(table, indent=2) if table else f"all on celery: {known.fault}"
        if is_back:
            say(f"all on celery: {path} sends every recording back")
    echo_json(envelope("route", **body)) if as_json else click.echo(line.rstrip())


@route.command("set", short_help="Change the table: route, share, rooms, lists.")
@click.option("--route", "to", type=click.Choice(ROUTES), help="Route of the share.")
@click.option("--share", type=click.FloatRange(0, 1), help="Share of all recordings, such as 0.1.")
@click.option("--otherwise", type=click.Choice(ROUTES[:2]), help="Route of all others.")
@click.option(
    "--room", "rooms", multiple=True, metavar="NAME=ROUTE[:SHARE]",
    help="Route of a room; replaces all rooms of the table.",
)  # fmt: skip
@click.option("--allow", multiple=True, metavar="TRANSCRIPT", help="Replaces the allow list.")
@click.option("--deny", multiple=True, metavar="TRANSCRIPT", help="Replaces the deny list.")
@click.option("--without-evidence", is_flag=True, help="Override the refusal.")
@WHO
@WHY
@YES
@click.pass_context
def set_(
    ctx: click.Context,
    to: str | None,
    share: float | None,
    otherwise: str | None,
    rooms: tuple[str, ...],
    allow: tuple[str, ...],
    deny: tuple[str, ...],
    without_evidence: bool,
    who: str,
    why: str,
    yes: bool,
) -> None:
    """Publish the next version of the table; what is not named stays as it is.

    A change that sends more to Conductor is refused until every item of the cutover passes
    (`migrate checklist run cutover`). Workers follow within 5 s. While route.back_file exists,
    it still sends everything to legacy; `migrate route allow` removes it.

    \b
    Examples:
      migrate route set --route conductor+fallback --share 0.01 --who ana --why "first canary"
      migrate route set --room standup=conductor:0.5 --who ana --why "a quiet room"
    """
    from dataclasses import replace

    from reflector_migrate.cutover.routes import advance, in_force

    harness = harness_of(ctx)
    named = {
        "route": to, "share": share, "otherwise": otherwise, "rooms": dict(map(_room, rooms)),
        "allow": allow, "deny": deny,
    }  # fmt: skip
    changes: dict[str, Any] = {k: v for k, v in named.items() if v not in (None, (), {})}
    if not changes:
        raise click.UsageError("nothing to change: name a route, a share, a room or a list")
    ask("change who serves recordings?", yes=yes)
    wanted = replace(in_force(harness), **changes)
    table = advance(harness, wanted, who, why, needs_evidence=not without_evidence)
    click.echo(f"published version {table.version}: {table.route}, share {table.share:g}")


@route.command(short_help="Send every recording back to legacy at once.")
@WHO
@WHY
@click.pass_context
def back(ctx: click.Context, who: str, why: str) -> None:
    """Send every recording back to legacy; this needs no evidence and no server.

    It writes route.back_file, publishes a table without Conductor, and logs both. Each of the
    three is tried even if another fails. Exit 4 if neither file nor table could be written.

    \b
    Examples:
      migrate route back --who ana --why "webhooks arrive twice"
      migrate route back --who ana --why drill && migrate route show
    """
    from reflector_migrate.cutover.routes import send_back

    sent = send_back(harness_of(ctx), who, why)
    for line in sent.done:
        click.echo(f"✓ {line}")
    for fault in sent.faults:
        say(f"! {fault}")
    ctx.exit(0 if sent.is_in_force else 4)


@route.command(short_help="Remove the local file that sends everything back.")
@WHO
@WHY
@YES
@click.pass_context
def allow(ctx: click.Context, who: str, why: str, yes: bool) -> None:
    """Remove route.back_file, so that the published table decides again.

    \b
    Examples:
      migrate route allow --who ana --why "the fix is deployed"
      migrate route allow --who ana --why "drill is over" --yes
    """
    from reflector_migrate.cutover.routes import allow_again

    ask("let the table decide again?", yes=yes)
    was_there = allow_again(harness_of(ctx), who, why)
    click.echo("the table decides again" if was_there else "there was no file: the table decides")


def _room(text: str) -> tuple[str, Room]:
    from reflector_migrate.plugin.reflector_route_table import Room

    name, equals, rest = text.rpartition("=")
    to, _, share = rest.partition(":")
    if not name or not equals or to not in ROUTES:
        raise click.UsageError(
            f"--room {text}: not NAME=ROUTE[:SHARE] with one of {', '.join(ROUTES)}"
        )
    try:
        return name, Room(to, float(share or 1))
    except ValueError:
        raise click.UsageError(f"--room {text}: the share is not a number") from None
