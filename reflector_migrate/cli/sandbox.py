"""`migrate sandbox`: real servers on this machine, started and stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import echo_json, log_to_stderr, say

if TYPE_CHECKING:
    from reflector_migrate.settings import Settings


@click.group()
def sandbox() -> None:
    """Start, stop and inspect real servers on this machine."""


@sandbox.command()
@click.option("--conductor", "version", default=None, help="3.32.3 (default) or 3.15.0.")
@click.option("--shadow/--no-shadow", default=True, show_default=True, help="The shadow flag.")
@click.option("--defect", "defects", multiple=True, help="Seeded defect in the candidate.")
@click.pass_context
def up(ctx: click.Context, version: str | None, shadow: bool, defects: tuple[str, ...]) -> None:
    """Start all servers and workers, and wait for them.

    Redis, Conductor, S3, the stand-ins of outside services, and every worker.

    \b
    Examples:
      migrate sandbox up
      migrate sandbox up --conductor 3.15.0
    """
    from reflector_migrate.pipeline.defects import describe
    from reflector_migrate.sandbox.stack import Sandbox

    for name in defects:
        describe(name)  # an unknown one is said before anything starts
    settings = _base(ctx)
    made = Sandbox(
        settings, shadow=shadow, defects=defects, conductor_version=version, detached=True, say=say
    )
    was_down = made.up()
    click.echo(f"sandbox {'up' if was_down else 'is already up'} in {made.folders.root}")
    click.echo(f"conductor  {made.settings.conductor.server_url}")
    click.echo("next       migrate compare three-voices")


@sandbox.command()
@click.pass_context
def down(ctx: click.Context) -> None:
    """Stop everything that `up` started.

    Data and logs of the last run stay in its folder.

    \b
    Examples:
      migrate sandbox down
      migrate sandbox down && migrate sandbox up
    """
    from reflector_migrate.sandbox.stack import Sandbox

    made = Sandbox(_base(ctx), detached=True)
    stubborn = made.down()
    killed = f" (killed: {', '.join(stubborn)})" if stubborn else ""
    click.echo(f"sandbox down{killed}")


@sandbox.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """List every server with its health.

    Each with pid, port and log; exit 1 unless all are healthy.

    \b
    Examples:
      migrate sandbox status
      migrate sandbox status --json
    """
    from dataclasses import asdict

    from reflector_migrate.sandbox.stack import Sandbox

    found = Sandbox(_base(ctx), detached=True).status()
    is_healthy = bool(found) and all(one.health == "healthy" for one in found)
    if as_json:
        head = {"schema": "migrate.sandbox/1", "ok": is_healthy, "exit_code": int(not is_healthy)}
        echo_json({**head, "servers": [asdict(one) for one in found]})
    else:
        for one in found:
            where = f"pid {one.pid:<8} port {one.port or '-':<6} {one.log}"
            click.echo(f"{one.name:<12} {one.health:<10} {where}")
        if not found:
            click.echo("no sandbox runs here; start one with `migrate sandbox up`")
    ctx.exit(int(not is_healthy))


def _base(ctx: click.Context) -> Settings:
    from reflector_migrate.settings import load_settings

    settings = load_settings(ctx.find_root().obj["config"])
    log_to_stderr(ctx, settings)
    return settings
