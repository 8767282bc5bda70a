"""`migrate cleanup`: what of the legacy pipeline is still in use; nothing is removed."""

from __future__ import annotations

import click

from reflector_migrate.cli.common import echo_json, envelope, harness_of
from reflector_migrate.model.plural import counted

MARKS = {"unused": "✓", "used": "✗", "unknown": "?"}


@click.group()
def cleanup() -> None:
    """Find the parts of the legacy pipeline that can be removed after a cutover.

    \b
    Examples:
      migrate cleanup plan
      migrate cleanup plan --nights 30
    """


@cleanup.command(short_help="List tasks, steps and schedules by use.")
@click.option(
    "--nights",
    default=14,
    show_default=True,
    type=click.IntRange(1),
    help="How many nights without a call.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def plan(ctx: click.Context, nights: int, as_json: bool) -> None:
    """List the parts that were not called for some nights, and those still in use. Removes nothing.

    Exit 0 if no part is in use, 3 if a part is in use, or if this cannot be determined.

    \b
    Examples:
      migrate cleanup plan
      migrate cleanup plan --nights 30 --json
    """
    from reflector_migrate.cutover.cleanup import plan_now

    found = plan_now(harness_of(ctx), nights)
    code = 0 if found and all(part.use == "unused" for part in found) else 3
    if as_json:
        parts = [{"kind": p.kind, "name": p.name, "use": p.use.value, "why": p.why} for p in found]
        echo_json(envelope("cleanup", code, nights=nights, parts=parts))
        ctx.exit(code)
    for part in found:
        click.echo(f"{MARKS[part.use]} {part.use:<8} {part.kind:<9} {part.name}  {part.why}")
    number = sum(part.use == "unused" for part in found)
    unused = f"{number} of {len(found)} unused for {counted(nights, 'night')}"
    click.echo(f"{unused}; nothing was removed")
    ctx.exit(code)
