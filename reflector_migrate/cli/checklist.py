"""`migrate checklist`: what a phase of the cutover still lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import ask, echo_json, envelope, log_to_stderr, settings_of

if TYPE_CHECKING:
    from reflector_migrate.cutover.items import Line

PHASES = ("infrastructure", "parallel", "shadow", "cutover", "cleanup")
MARKS = {"pass": "✓", "fail": "✗", "pending": "?"}


@click.group()
def checklist() -> None:
    """Run the cutover checklist of a phase.

    \b
    Examples:
      migrate checklist run shadow
      migrate checklist explain shadow 1
    """


@checklist.command(short_help="Answer every item of a phase.")
@click.argument("phase", type=click.Choice(PHASES))
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def run(ctx: click.Context, phase: str, as_json: bool) -> None:
    """Answer every item of a phase; exit 1 if one fails, 3 if some are pending.

    \b
    Examples:
      migrate checklist run infrastructure
      migrate checklist run shadow --json
    """
    from reflector_migrate.cutover.checklist import exit_code
    from reflector_migrate.cutover.checklist import run as answer
    from reflector_migrate.model import Phase

    settings = settings_of(ctx)
    log_to_stderr(ctx, settings)
    lines = answer(settings, Phase(phase))
    code = int(exit_code(lines))
    if as_json:
        items = [_as_json(line) for line in lines]
        echo_json(envelope("checklist", code, phase=phase, items=items))
    else:
        _print(phase, lines, code)
    ctx.exit(code)


@checklist.command()
@click.argument("phase", type=click.Choice(PHASES))
@click.argument("number", type=int)
@click.pass_context
def explain(ctx: click.Context, phase: str, number: int) -> None:
    """Say what one item looks at and what it found.

    \b
    Examples:
      migrate checklist explain shadow 1
      migrate checklist explain infrastructure 2
    """
    from reflector_migrate.cutover.checklist import run as answer
    from reflector_migrate.errors import InputError
    from reflector_migrate.model import Phase

    lines = answer(settings_of(ctx), Phase(phase))
    if not 1 <= number <= len(lines):
        raise InputError(f"phase {phase} has items 1 to {len(lines)}, not {number}")
    line = lines[number - 1]
    click.echo(f"{line.number}  {line.item.name}: {line.answer.state.value}")
    click.echo(f"asks   {line.item.asks}")
    click.echo(f"found  {line.answer.value} (limit {line.answer.limit}, n {_n(line)})")
    if line.answer.why:
        click.echo(f"why    {line.answer.why}")


@checklist.command()
@click.argument("what")
@click.option("--who", required=True, help="Your name, as it will stand in the audit log.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def sign(ctx: click.Context, what: str, who: str, yes: bool) -> None:
    """Put a dated, named signature or drill on record.

    \b
    Examples:
      migrate checklist sign margins --who ana
      migrate checklist sign drill:rollback --who ben --yes
    """
    from reflector_migrate.cutover.audit import Audit

    kind = what if what.startswith("drill:") else f"sign:{what}"
    ask(f"record {kind} by {who}?", yes=yes)
    digest = Audit(settings_of(ctx).store_url).append(kind, {"who": who})
    click.echo(f"recorded {kind} by {who}  {digest[:12]}")


def _print(phase: str, lines: tuple[Line, ...], code: int) -> None:
    from reflector_migrate.conductor.build import build_hash

    click.echo(f"Cutover checklist   {phase}   build {build_hash()}")
    click.echo(f" #  {'gate':<30} {'value':<20} {'limit':<18} {'n':<8} state")
    for line in lines:
        answer = line.answer
        mark = f"{MARKS[answer.state.value]} {answer.state.value:<8}"
        click.echo(
            f"{line.number:>2}  {line.item.name:<30} {answer.value:<20} {answer.limit:<18}"
            f" {_n(line):<8} {mark} {answer.why}".rstrip()
        )
    counts = {s: sum(line.answer.state.value == s for line in lines) for s in MARKS}
    ready = "✓ READY" if code == 0 else "✗ NOT READY"
    click.echo(
        f"{ready}   {counts['pass']} pass, {counts['fail']} fail, {counts['pending']} pending"
    )
    first = next((line for line in lines if line.answer.state.value != "pass"), None)
    if first is not None:
        click.echo(f"next  migrate checklist explain {phase} {first.number}")


def _n(line: Line) -> str:
    return "-" if line.answer.n is None else str(line.answer.n)


def _as_json(line: Line) -> dict[str, object]:
    answer = line.answer
    return {
        "number": line.number, "name": line.item.name, "asks": line.item.asks,
        "state": answer.state.value, "value": answer.value, "limit": answer.limit,
        "n": answer.n, "why": answer.why,
    }  # fmt: skip
