"""`migrate cost`: what each step of a recording used and cost, on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from reflector_migrate.cli.common import echo_json, log_to_stderr, settings_of
from reflector_migrate.cli.lookup import comparison_of

if TYPE_CHECKING:
    from reflector_migrate.model import Side
    from reflector_migrate.settings import Settings


@click.command()
@click.argument("recording")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def cost(ctx: click.Context, recording: str, as_json: bool) -> None:
    """Break a recording's cost down by step and side.

    Prices come from [[prices]] in the configuration, the entry in force on the
    day of the run; what has no price shows as unknown, never as zero.

    \b
    Examples:
      migrate cost three-voices
      migrate cost three-voices --json
    """
    settings = settings_of(ctx)
    log_to_stderr(ctx, settings)
    found = comparison_of(settings, recording)
    sides = {side.role.value: _rows(settings, side) for side in (found.primary, found.candidate)}
    if as_json:
        echo_json({"schema": "migrate.cost/1", "ok": True, "exit_code": 0, "sides": sides})
        return
    for role, rows in sides.items():
        click.echo(f"{role}")
        titles = ("GPU s", 8), ("tokens in", 10), ("out", 8), ("S3 bytes", 12), ("cost", 12)
        click.echo(f"  {'step':<28}" + "".join(f" {title:>{width}}" for title, width in titles))
        for row in rows:
            click.echo(_line(row))


def _rows(settings: Settings, side: Side) -> list[dict[str, Any]]:
    from reflector_migrate.judge.pricing import cost_of, price_on
    from reflector_migrate.model import STEP_NAMES, Usage
    from reflector_migrate.store.clock import now

    price = price_on(settings.prices, (side.started or now()).date())
    by_step = {
        name: sum((s.usage for s in side.steps if s.name == name), start=Usage())
        for name in STEP_NAMES
        if any(s.name == name for s in side.steps)
    }
    by_step["total"] = sum(by_step.values(), start=Usage())
    return [
        {"step": name, "usage": usage.model_dump(), "microdollars": cost_of(usage, price).total}
        for name, usage in by_step.items()
    ]


def _line(row: dict[str, Any]) -> str:
    from reports.figures import dollars

    used = row["usage"]
    about = "~" if used["gpu_seconds_estimated"] else ""
    return (
        f"  {row['step']:<28} {about + format(used['gpu_seconds'], '.2f'):>8}"
        f" {used['llm_tokens_in']:>10} {used['llm_tokens_out']:>8} {used['s3_bytes']:>12}"
        f" {dollars(row['microdollars']):>12}"
    )
