"""`migrate serve`: reports on this machine's loopback, read only."""

from __future__ import annotations

import click

from reflector_migrate.cli.common import log_to_stderr, say, settings_of


@click.command()
@click.option("--port", default=8180, show_default=True, help="On 127.0.0.1, and nowhere else.")
@click.pass_context
def serve(ctx: click.Context, port: int) -> None:
    """Serve reports, health and metrics on loopback; GET only.

    \b
    Examples:
      migrate serve
      migrate serve --port 9000
    """
    import uvicorn

    from reflector_migrate.shadow.serving import build

    settings = settings_of(ctx)
    log_to_stderr(ctx, settings)
    say(f"http://127.0.0.1:{port}/")
    uvicorn.run(build(settings), host="127.0.0.1", port=port, log_level="warning")
