"""`migrate baseline`: the primary's run times before anything was shadowed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import WHO_OR_USER, echo_json, envelope, harness_of, log_to_stderr
from reflector_migrate.model.plural import counted

if TYPE_CHECKING:
    from reflector_migrate.shadow.nightly.baseline import Baseline


@click.group()
def baseline() -> None:
    """Record the primary's run times before the shadow, to see later whether they got worse.

    \b
    Examples:
      migrate baseline record
      migrate baseline show
    """


@baseline.command(short_help="Record the baseline from the plugin's timings.")
@click.option("--since", type=click.DateTime(), help="In UTC (default: 90 days before --until).")
@click.option(
    "--until", type=click.DateTime(), help="In UTC (default: when the first candidate began)."
)
@WHO_OR_USER
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def record(
    ctx: click.Context,
    since: datetime | None,
    until: datetime | None,
    who: str | None,
    as_json: bool,
) -> None:
    """Take the baseline from a time in which the plugin was loaded and the shadow was off.

    The command refuses a time in which a candidate ran, or in which fewer than 30 recordings ran.

    \b
    Examples:
      migrate baseline record
      migrate baseline record --since 2026-11-01 --until 2026-11-15
    """
    from reflector_migrate.shadow.nightly.baseline import record as take

    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    bounds = [at and at.replace(tzinfo=UTC) for at in (since, until)]
    _show(take(harness, *bounds, who=who or ""), as_json=as_json)


@baseline.command(short_help="Show the latest baseline.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def show(ctx: click.Context, as_json: bool) -> None:
    """Show the window of the last baseline, and how many recordings of each size it has.

    \b
    Examples:
      migrate baseline show
      migrate baseline show --json
    """
    from reflector_migrate.errors import InputError
    from reflector_migrate.shadow.nightly.baseline import newest

    found = newest(harness_of(ctx))
    if found is None:
        raise InputError("no baseline is recorded", hint="migrate baseline record")
    _show(found, as_json=as_json)


def _show(found: Baseline, *, as_json: bool) -> None:
    window = f"{found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M}"
    if as_json:
        body = {"since": found.since.isoformat(), "until": found.until.isoformat()}
        n = len(found.recordings)
        echo_json(envelope("baseline", 0, recordings=n, sizes=found.sizes, **body))
        return
    click.echo(f"{counted(len(found.recordings), 'recording')}   {window} UTC")
    for size, count in found.sizes.items():
        click.echo(f"{count:>5}  {size}")
