"""`migrate sandbox`: real servers on this machine, started and stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import (
    echo_json,
    envelope,
    harness_of,
    log_to_stderr,
    refuse_ignored,
    say,
)
from reflector_migrate.experiments.noise import RATE, WER, Noise

if TYPE_CHECKING:
    from reflector_migrate.harness import Harness
    from reflector_migrate.settings import Settings


SHARE = click.FloatRange(0, 1)


@click.group()
def sandbox() -> None:
    """Start, stop and inspect real servers on this machine.

    \b
    Examples:
      migrate sandbox up
      migrate sandbox status
    """


@sandbox.command(short_help="Start all servers and workers, and wait for them.")
@click.option("--conductor", "version", default=None, help="3.32.3 (default) or 3.15.0.")
@click.option(
    "--shadow/--no-shadow",
    default=True,
    show_default=True,
    help="Whether recordings are dispatched.",
)
@click.option("--defect", "defects", multiple=True, help="Seeded defect in the candidate.")
@click.option(
    "--noise", "seed", type=int, metavar="SEED", help="Random errors from the fake services."
)
@click.option("--secondary", is_flag=True, help="Start the second legacy worker now.")
@click.option("--routes", is_flag=True, help="Recordings can be routed to Conductor.")
@click.pass_context
def up(
    ctx: click.Context,
    version: str | None,
    shadow: bool,
    defects: tuple[str, ...],
    seed: int | None,
    secondary: bool,
    routes: bool,
) -> None:
    """Start all servers and workers, and wait for them (up to 90 s on a quiet machine).

    It starts Redis, Conductor, S3, the stand-ins of outside services, and every worker.

    \b
    Examples:
      migrate sandbox up --conductor 3.15.0
      migrate sandbox up --noise 7
    """
    from reflector_migrate.pipeline.defects.registry import describe
    from reflector_migrate.sandbox.layout import ALL, ROUTES
    from reflector_migrate.sandbox.stack import Sandbox

    for name in defects:
        describe(name)  # an unknown one is said before anything starts
    settings = _base(ctx)
    parts = (*ALL, *ROUTES) if routes else ALL
    made = Sandbox(
        settings,
        with_=parts,
        shadow=shadow,
        defects=defects,
        conductor_version=version,
        detached=True,
        say=say,
    )
    was_down = made.up()
    running = made.settings.conductor.version
    if not was_down and version not in (None, running):
        raise click.UsageError(
            f"the sandbox is up with Conductor {running}, not {version}: migrate sandbox down"
        )
    if not was_down:
        why = "not as in the sandbox that is up: migrate sandbox down"
        if not made.settings.sandbox.routes:
            refuse_ignored(ctx, why, "routes")
        if made.settings.workers.defects != defects:
            refuse_ignored(ctx, why, "defects")
        if made.settings.shadow.enabled is not shadow:
            refuse_ignored(ctx, why, "shadow")
    if secondary:
        made.ensure_secondary()
    if seed is not None:
        _switch(made.harness, Noise(seed=seed))
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

    Shows pid, port and log; exit 1 unless all are healthy.

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
        servers = [asdict(one) for one in found]
        echo_json(envelope("sandbox", int(not is_healthy), servers=servers))
    else:
        if found:
            click.echo(f"{'server':<12} {'health':<10} {'process':<12} {'port':<11} log")
        for one in found:
            where = f"pid {one.pid:<8} port {one.port or '-':<6} {one.log}"
            click.echo(f"{one.name:<12} {one.health:<10} {where}")
        if not found:
            click.echo("no sandbox runs here; to start one: migrate sandbox up")
    ctx.exit(int(not is_healthy))


@sandbox.command(short_help="Switch random errors on or off, or show them.")
@click.argument("seed", required=False, metavar="[SEED|off]")
@click.option("--wer", default=WER, type=SHARE, show_default=True, help="Share of words misheard.")
@click.option(
    "--rate", default=RATE, type=SHARE, show_default=True, help="Chance of another wording."
)
@click.option("--facts", is_flag=True, help="The model breaks figures, dates and negations.")
@click.pass_context
def noise(ctx: click.Context, seed: str | None, wer: float, rate: float, facts: bool) -> None:
    """Switch random errors of the fake recogniser and language model on or off.

    Each call makes its own errors, so two runs of one engine differ. Without an argument the
    command shows what is on. See docs/how-verdicts-work.md.

    \b
    Examples:
      migrate sandbox noise 7
      migrate sandbox noise off
    """
    from reflector_migrate.experiments.noise import noises_in

    if seed is None or seed == "off":
        refuse_ignored(ctx, "give a seed, to switch noise on", "wer", "rate", "facts")
    harness = harness_of(ctx)
    if seed is not None:
        if not (seed == "off" or seed.isdigit()):
            raise click.UsageError(f"{seed!r}: a seed is a whole number, or `off`")
        is_on = seed != "off"
        _switch(harness, Noise(int(seed), wer, rate, facts) if is_on else None)
    for service, said in noises_in(harness.settings).items():
        click.echo(f"{service:<12} {said}")


def _switch(harness: Harness, noise: Noise | None) -> None:
    from reflector_migrate.experiments.noise import set_noise

    set_noise(harness, noise)


def _base(ctx: click.Context) -> Settings:
    from reflector_migrate.entrance import loaded_settings

    settings = loaded_settings(ctx.find_root().obj["config"])
    log_to_stderr(ctx, settings)
    return settings
