"""`migrate shadow`: the flag, its limits, and the outcomes of recent recordings."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import (
    WHO_OR_USER,
    YES,
    ask,
    echo_json,
    envelope,
    harness_of,
    headline,
    log_to_stderr,
    say,
)
from reflector_migrate.errors import ConfigurationError, MigrateError

if TYPE_CHECKING:
    from reflector_migrate.harness import Harness
    from reflector_migrate.settings import Settings


@click.group()
def shadow() -> None:
    """Show, stop or resume what is dispatched to the candidate.

    \b
    Examples:
      migrate shadow status
      migrate shadow off
    """


@shadow.command(short_help="Show the flag, its limits and recent outcomes.")
@click.option(
    "--hours", type=click.IntRange(min=1), default=24, show_default=True,
    help="How far to look back.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def status(ctx: click.Context, hours: int, as_json: bool) -> None:
    """Show the flag, its limits and the outcomes of recent dispatches.

    \b
    Examples:
      migrate shadow status
      migrate shadow status --hours 168 --json
    """
    from reflector_migrate.store.clock import now

    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    until = now()
    found = harness.dispatches.between(until - timedelta(hours=hours), until)
    outcomes = Counter(f"{o['outcome']} {o['reason'] or ''}".strip() for o in found)
    bounds = harness.settings.shadow.model_dump(mode="json")
    in_flight = harness.runs.count_in_flight()
    if as_json:
        echo_json(envelope("shadow", settings=bounds, in_flight=in_flight, outcomes=dict(outcomes)))
        return
    click.echo(headline(harness.settings, f"shadow is {_state(harness.settings)}"))
    asked = harness.settings.shadow
    click.echo(f"rate {asked.rate}   rooms {list(asked.rooms) or 'all'}")
    click.echo(f"in flight {in_flight} of at most {asked.max_in_flight}")
    click.echo(f"outcomes of the last {hours} h")
    for outcome, number in outcomes.most_common():
        click.echo(f"  {number:>6}  {outcome}")
    if not outcomes:
        click.echo("       0  recordings announced")


@shadow.command()
@WHO_OR_USER
@click.pass_context
def off(ctx: click.Context, who: str | None) -> None:
    """Stop dispatching at once, with the kill switch.

    Creates the file that shadow.kill_switch_file names; every dispatch looks for it.
    What is in flight runs to its end. The primary notices nothing.

    \b
    Examples:
      migrate shadow off
      migrate shadow off && migrate shadow status
    """
    from reflector_migrate.store.atomic_write import write_aside

    harness = harness_of(ctx)
    path = _kill_switch(harness.settings)
    was_off = path.exists()
    write_aside(path, "dispatching is off: migrate shadow on\n")
    click.echo(f"dispatching is off (kill switch: {path})")
    try:
        _record(harness, who, was_off=was_off, is_off=True)
    except MigrateError as error:  # the switch works without a store
        say(f"not in the audit log: {error.message}")


@shadow.command(short_help="Remove the kill switch and resume dispatching.")
@WHO_OR_USER
@YES
@click.pass_context
def on(ctx: click.Context, who: str | None, yes: bool) -> None:
    """Remove the kill switch and resume dispatching, if shadow.enabled is true.

    \b
    Examples:
      migrate shadow on
      migrate shadow on --yes
    """
    harness = harness_of(ctx)
    path = _kill_switch(harness.settings)
    ask("dispatch recordings again?", yes=yes)
    was_off = path.exists()
    path.unlink(missing_ok=True)
    _record(harness, who, was_off=was_off, is_off=False)
    if harness.settings.shadow.enabled:
        click.echo("dispatching resumed (shadow.enabled = true)")
    else:
        click.echo("kill switch removed; still off: shadow.enabled = false")


def _record(harness: Harness, who: str | None, *, was_off: bool, is_off: bool) -> None:
    """Add the switch to the audit log: how it stood before, and how many runs were in flight."""
    from reflector_migrate.shadow.decisions import record, this_user

    seen = {"was_off": was_off, "in_flight": harness.runs.count_in_flight()}
    record(
        harness, "kill-switch", {"is_off": is_off, **seen}, who=who or this_user(), evidence=seen
    )


def _state(settings: Settings) -> str:
    switch = settings.shadow.kill_switch_file
    if switch is not None and switch.exists():
        return f"off (kill switch: {switch}; to remove it: migrate shadow on)"
    return "on" if settings.shadow.enabled else "off (shadow.enabled = false)"


def _kill_switch(settings: Settings) -> Path:
    if settings.shadow.kill_switch_file is None:
        raise ConfigurationError(
            "shadow.kill_switch_file is not set",
            hint="set it in migrate.toml; or MIGRATE_SHADOW=false and restart Reflector's worker",
        )
    return settings.shadow.kill_switch_file


@shadow.command(short_help="Copy the plugin's files for the primary's worker.")
@click.argument("folder", type=click.Path(file_okay=False))
def plugin(folder: str) -> None:
    """Copy the plugin's files into a folder for the primary worker's PYTHONPATH.

    `-I reflector_shadow` announces and times. `-I reflector_route` routes as well.

    \b
    Examples:
      migrate shadow plugin /opt/reflector-shadow
      celery -A reflector.worker.app worker -I reflector_shadow
    """
    from reflector_migrate.plugin import copy_to

    for copied in copy_to(Path(folder)):
        click.echo(copied)
