"""`migrate watch`: both sides of a recording, live, until both have ended."""

from __future__ import annotations

import time

import click

from reflector_migrate.cli.common import DURATION, log_to_stderr, say, settings_of
from reflector_migrate.cli.lookup import run_of


@click.command()
@click.argument("recording")
@click.option(
    "--timeout", "timeout_s", default="1h", show_default=True, type=DURATION,
    help="How long to follow.",
)  # fmt: skip
@click.pass_context
def watch(ctx: click.Context, recording: str, timeout_s: float) -> None:
    """Follow the steps of both sides live; a server that restarts is waited for.

    \b
    Examples:
      migrate watch three-voices
      migrate watch three-voices --timeout 5m
    """
    from reflector_migrate.errors import ServerUnreachableError
    from reflector_migrate.shadow.progress import both_sides

    settings = settings_of(ctx)
    log_to_stderr(ctx, settings)
    deadline, last = time.monotonic() + timeout_s, ("", "")
    while time.monotonic() < deadline:
        try:
            run = run_of(settings, recording)
            lines = both_sides(settings, run)
        except ServerUnreachableError as error:
            say(f"waiting: {error.message}")
            time.sleep(2)
            continue
        if lines != last:
            click.echo("\n".join(lines))
            last = lines
        if run.state in ("compared", "failed", "skipped"):
            click.echo(f"{run.state}   next  migrate explain {recording}")
            return
        time.sleep(0.5)
    say(f"still running after {timeout_s:.0f} s")
    ctx.exit(3)
