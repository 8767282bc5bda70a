"""`migrate serve`: reports on this machine's loopback, and the page to adjudicate."""

from __future__ import annotations

import os
import secrets
import socket

import click

from reflector_migrate.cli.common import harness_of, log_to_stderr, say
from reflector_migrate.errors import MigrateError

HOST = "127.0.0.1"


@click.command()
@click.option(
    "--port",
    default=8180,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port on 127.0.0.1 (0: pick a free one).",
)
@click.pass_context
def serve(ctx: click.Context, port: int) -> None:
    """Serve reports, health and metrics on loopback, and a page to choose the better text.

    That page shows words of transcripts, so its address has a token.
    The command prints that address at the start.

    \b
    Examples:
      migrate serve
      migrate serve --port 9000
    """
    import uvicorn

    from reflector_migrate.cli.adjudicate_page import PATH
    from reflector_migrate.cli.web import build

    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    with _listening(port) as listener:
        place, token = f"http://127.0.0.1:{listener.getsockname()[1]}", secrets.token_urlsafe()
        say(f"{place}/  (Ctrl-C stops)")
        say(f"adjudicate: {place}{PATH}?token={token}")
        config = uvicorn.Config(build(harness, token), log_level="warning", lifespan="off")
        uvicorn.Server(config).run(sockets=[listener])


def _listening(port: int) -> socket.socket:
    """A socket on loopback; a port that is taken is an error here, not uvicorn's exit code."""
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise MigrateError(
            f"cannot listen on {HOST}:{port}: {os.strerror(error.errno or 0)}",
            hint="choose another port, or --port 0 for any free one",
        ) from None
