"""`migrate cutover`: give Conductor more recordings step by step, and take them back at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import (
    WHO,
    YES,
    ask,
    echo_json,
    envelope,
    harness_of,
    headline,
    log_to_stderr,
    say,
)

if TYPE_CHECKING:
    from reflector_migrate.cutover.routes import SentBack

REASON = click.option("--reason", required=True, help="Why, for later readers of the log.")


@click.group()
def cutover() -> None:
    """Move recordings to Conductor in steps of 1, 10, 50 and 100 percent, and back.

    \b
    Examples:
      migrate cutover status
      migrate cutover rollback --who ana --reason "webhooks arrive twice"
    """


@cutover.command(short_help="Show the step, and what the next one lacks.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Show how far the cutover is; exit 0 if the next step is open, 3 if it lacks something.

    \b
    Examples:
      migrate cutover status
      migrate cutover status --json
    """
    from reflector_migrate.cutover.canary import missing_now, position, told

    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    at = position(harness)
    missing = missing_now(harness, at)
    code = 3 if missing else 0
    if as_json:
        served = {"ended": at.served.ended, "failed": list(at.served.failed),
                  "open": at.served.open, "fell_back": at.served.fell_back}  # fmt: skip
        body = {"share": at.share, "next_share": at.next_share, "version": at.table.version,
                "route": at.table.route, "served": served, "missing": list(missing)}  # fmt: skip
        echo_json(envelope("cutover", code, **body))
        ctx.exit(code)
    since = f" since {at.since:%Y-%m-%d %H:%M} UTC" if at.since else ""
    said = f"Conductor serves {at.share:.0%} of the recordings{since}: {told(at.served)}"
    click.echo(headline(harness.settings, said))
    for line in missing:
        click.echo(f"? {line}")
    step = "the last step is taken" if at.next_share is None else f"next step: {at.next_share:.0%}"
    is_open = not missing and at.next_share is not None
    click.echo(f"{step}, open: migrate cutover advance" if is_open else step)
    ctx.exit(code)


@cutover.command(short_help="Take the next step, if the evidence allows it.")
@WHO
@REASON
@YES
@click.pass_context
def advance(ctx: click.Context, who: str, reason: str, yes: bool) -> None:
    """Give Conductor the next share: 1, 10, 50, then 100 percent; refused without evidence.

    \b
    Examples:
      migrate cutover advance --who ana --reason "first canary"
      migrate cutover advance --who ana --reason "a quiet week" --yes
    """
    from reflector_migrate.cutover.canary import advance as take

    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    ask("send more recordings to Conductor?", yes=yes)
    table = take(harness, who, reason)
    click.echo(f"published version {table.version}: {table.route}, share {table.share:g}")


@cutover.command(short_help="Send new recordings back; running ones finish.")
@WHO
@REASON
@click.pass_context
def rollback(ctx: click.Context, who: str, reason: str) -> None:
    """Send every new recording back to legacy; workflows that run finish.

    It needs no evidence. It tries file, table and log separately, so it works while Conductor,
    the store or Redis is down. Exit 4 if neither file nor table could be written.

    \b
    Examples:
      migrate cutover rollback --who ana --reason "webhooks arrive twice"
      migrate cutover rollback --who ana --reason drill
    """
    from reflector_migrate.cutover.routes import send_back

    _show(ctx, send_back(harness_of(ctx), who, reason))


@cutover.command(short_help="Send everything back, running workflows too.")
@WHO
@REASON
@click.pass_context
def kill(ctx: click.Context, who: str, reason: str) -> None:
    """Send every recording back to legacy, even if its workflow runs and has sent nothing yet.

    It does what rollback does. Then legacy takes over the recording of each running workflow.
    A workflow that has passed finalize may have sent its message or webhook, or deleted tracks.
    So it keeps its recording and finishes.

    \b
    Examples:
      migrate cutover kill --who ana --reason "transcripts are empty"
      migrate cutover kill --who ana --reason drill
    """
    from reflector_migrate.cutover.routes import kill as send_all_back

    _show(ctx, send_all_back(harness_of(ctx), who, reason))


def _show(ctx: click.Context, sent: SentBack) -> None:
    for line in sent.done:
        click.echo(f"✓ {line}")
    for fault in sent.faults:
        say(f"! {fault}")
    ctx.exit(0 if sent.is_in_force else 4)
