"""`migrate shadow`: the flag, its bounds, and what became of recent recordings."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import click

from reflector_migrate.cli.common import echo_json, log_to_stderr, settings_of


@click.group()
def shadow() -> None:
    """Show the shadow flag and what it has dispatched."""


@shadow.command()
@click.option("--hours", default=24, show_default=True, help="How far to look back.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def status(ctx: click.Context, hours: int, as_json: bool) -> None:
    """Show the flag, its bounds and the outcomes of recent dispatches.

    \b
    Examples:
      migrate shadow status
      migrate shadow status --hours 168 --json
    """
    from reflector_migrate.store.clock import now
    from reflector_migrate.store.runs import Dispatches, Runs

    settings = settings_of(ctx)
    log_to_stderr(ctx, settings)
    until = now()
    found = Dispatches(settings.store_url).between(until - timedelta(hours=hours), until)
    outcomes = Counter(f"{o['outcome']} {o['reason'] or ''}".strip() for o in found)
    bounds = settings.shadow.model_dump(mode="json")
    in_flight = Runs(settings.store_url).count_started()
    if as_json:
        head = {"schema": "migrate.shadow/1", "ok": True, "exit_code": 0, "settings": bounds}
        echo_json({**head, "in_flight": in_flight, "outcomes": dict(outcomes)})
        return
    click.echo(f"shadow is {'on' if settings.shadow.enabled else 'off'}")
    click.echo(f"rate {settings.shadow.rate}   rooms {list(settings.shadow.rooms) or 'all'}")
    click.echo(f"in flight {in_flight} of at most {settings.shadow.max_in_flight}")
    for outcome, number in outcomes.most_common():
        click.echo(f"  {number:>6}  {outcome}")


@shadow.command()
@click.argument("folder", type=click.Path(file_okay=False))
def plugin(folder: str) -> None:
    """Copy the plugin's one file into a folder for the primary worker's PYTHONPATH.

    \b
    Examples:
      migrate shadow plugin /opt/reflector-shadow
      celery -A reflector.worker.app worker -I reflector_shadow
    """
    import shutil
    from pathlib import Path

    from reflector_migrate.legacy.plugin import FOLDER

    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    click.echo(shutil.copy(FOLDER / "reflector_shadow.py", target))
