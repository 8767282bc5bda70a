"""`migrate checklist`: what a phase of the cutover still lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import (
    WHO,
    YES,
    ask,
    echo_json,
    envelope,
    harness_of,
    headline,
    log_to_stderr,
    say,
)
from reflector_migrate.model.plural import counted

if TYPE_CHECKING:
    from reflector_migrate.cutover.items import Line

PHASES = ("infrastructure", "parallel", "shadow", "cutover", "cleanup")
SHOWN = 20
MARKS = {"pass": "✓", "fail": "✗", "pending": "?"}


PHASE = click.Choice(PHASES)


@click.group()
def checklist() -> None:
    """Show what a phase of the migration still needs before the next one.

    Phases: infrastructure, parallel, shadow, cutover, cleanup.

    \b
    Examples:
      migrate checklist run shadow
      migrate checklist explain shadow 1
    """


@checklist.command(short_help="Answer every item of a phase.")
@click.argument("phase", type=PHASE, metavar="PHASE")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def run(ctx: click.Context, phase: str, as_json: bool) -> None:
    """Answer every item of a phase.

    Exit 1 if one fails, 4 if a server does not answer, 3 if some are pending, 0 if all pass.

    \b
    Examples:
      migrate checklist run infrastructure
      migrate checklist run shadow --json
    """
    from reflector_migrate.cutover.checklist import exit_code
    from reflector_migrate.cutover.checklist import run as answer
    from reflector_migrate.model import Phase

    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    lines = answer(harness, Phase(phase))
    code = int(exit_code(lines))
    if as_json:
        items = [_as_json(line) for line in lines]
        echo_json(envelope("checklist", code, phase=phase, items=items))
    else:
        _print(phase, lines, code, is_sandbox=harness.settings.is_sandbox)
    ctx.exit(code)


@checklist.command(short_help="Explain one item: when it passes, what it found.")
@click.argument("phase", type=PHASE, metavar="PHASE")
@click.argument("number", type=int)
@click.pass_context
def explain(ctx: click.Context, phase: str, number: int) -> None:
    """Explain what one item looks at, when it passes, what it found and in which recordings.

    \b
    Examples:
      migrate checklist explain shadow 1
      migrate checklist explain infrastructure 2
    """
    from reflector_migrate.cutover.checklist import run as answer
    from reflector_migrate.errors import InputError
    from reflector_migrate.model import Phase

    lines = answer(harness_of(ctx), Phase(phase))
    if not 1 <= number <= len(lines):
        raise InputError(f"phase {phase} has items 1 to {len(lines)}, not {number}")
    _explain(lines[number - 1])


@checklist.command(short_help="Show how far each phase is.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Run every phase, and count the items that pass, fail and are pending.

    The exit code is that of the first phase that is not ready. The command also shows the phase
    that a person entered last.

    \b
    Examples:
      migrate checklist status
      migrate checklist status --json
    """
    from reflector_migrate.cutover.checklist import exit_code
    from reflector_migrate.cutover.checklist import run as answer
    from reflector_migrate.cutover.phases import present
    from reflector_migrate.model import Phase

    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    found = {phase: answer(harness, Phase(phase)) for phase in PHASES}
    codes = {phase: int(exit_code(lines)) for phase, lines in found.items()}
    current = next((phase for phase, code in codes.items() if code), "")
    code = codes.get(current, 0)
    counts = {phase: _counts(lines) for phase, lines in found.items()}
    entered = present(harness).value
    if as_json:
        echo_json(
            envelope("checklist-status", code, current=current, entered=entered, phases=counts)
        )
        ctx.exit(code)
    click.echo(headline(harness.settings, "Cutover checklist"))
    for phase, of in counts.items():
        mark = MARKS[{0: "pass", 1: "fail"}.get(codes[phase], "pending")]
        said = f"{of['pass']} pass, {of['fail']} fail, {of['pending']} pending"
        here = "   here" if phase == current else ""
        click.echo(f"{mark} {phase:<16} {said}{here}")
    click.echo(f"phase {entered}, as entered")
    if current:
        click.echo(f"next  migrate checklist run {current}")
    ctx.exit(code)


@checklist.command(short_help="Step to a phase; the audit log records who and why.")
@click.argument("phase", type=click.Choice(PHASES))
@WHO
@click.option("--reason", required=True, help="Why, for later readers of the log.")
@YES
@click.pass_context
def enter(ctx: click.Context, phase: str, who: str, reason: str, yes: bool) -> None:
    """Step to the next phase when every item of the current one passes, or back to an earlier one.

    It moves no traffic. The log's entry has a digest of the items' answers.

    \b
    Examples:
      migrate checklist enter parallel --who ana --reason "servers are up"
      migrate checklist enter shadow --who ben --reason "back: a recogniser was replaced"
    """
    from reflector_migrate.cutover.phases import enter as step
    from reflector_migrate.model import Phase

    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    ask(f"enter phase {phase}, as {who}?", yes=yes)
    digest = step(harness, Phase(phase), who, reason)
    click.echo(f"entered phase {phase}, by {who}  {digest[:12]}")


@checklist.command()
@click.argument("item")
@WHO
@click.option("--reason", required=True, help="Why you sign, for later readers of the log.")
@click.option("--revoke", is_flag=True, help="Take your signature back.")
@YES
@click.pass_context
def sign(ctx: click.Context, item: str, who: str, reason: str, revoke: bool, yes: bool) -> None:
    """Record a dated, named signature, or take one back.

    `margins` and `cutover` can be signed. A signature holds for one build under one set of
    rules and margins. If one of these changes, the signature lapses. Sign margins before the
    build's first comparison: after it they need two people, and stay marked as late.

    \b
    Examples:
      migrate checklist sign margins --who ana --reason "agreed with the product team"
      migrate checklist sign cutover --who ben --reason "incident last night" --revoke
    """
    from reflector_migrate.cutover.people import comparisons_so_far
    from reflector_migrate.cutover.people import sign as record

    harness = harness_of(ctx)
    verb = "revoke" if revoke else "record"
    ask(f"{verb} {item}, signed by {who}?", yes=yes)
    digest = record(harness, item, who, reason, is_revoked=revoke)
    click.echo(f"{verb.removesuffix('e')}ed {item}, signed by {who}  {digest[:12]}")
    if item == "margins" and not revoke and (stored := comparisons_so_far(harness)):
        of = counted(stored, "comparison")
        say(f"late: {of} of this build stored before. See the item: migrate checklist run parallel")


def _print(phase: str, lines: tuple[Line, ...], code: int, *, is_sandbox: bool) -> None:
    from reflector_migrate.conductor.build import build_hash

    where = "sandbox   " if is_sandbox else ""
    click.echo(f"Cutover checklist   {where}{phase}   build {build_hash()}")
    click.echo(f" #  {'gate':<30} {'value':<20} {'limit':<18} {'n':<8} state")
    for line in lines:
        answer = line.answer
        mark = f"{MARKS[answer.state.value]} {answer.state.value:<8}"
        if not answer.could_run:
            mark = f"! {'not run':<8}"
        click.echo(
            f"{line.number:>2}  {line.item.name:<30} {answer.value:<20} {answer.limit:<18}"
            f" {_n(line):<8} {mark} {answer.why}".rstrip()
        )
    counts = _counts(lines)
    ready = "✓ READY" if code == 0 else f"{ {3: '?', 4: '!'}.get(code, '✗') } NOT READY"
    lost = sum(not line.answer.could_run for line in lines)
    click.echo(
        f"{ready}   {counts['pass']} pass, {counts['fail'] - lost} fail,"
        f" {counts['pending']} pending" + (f", {lost} could not run" if lost else "")
    )
    first = next((line for line in lines if line.answer.state.value != "pass"), None)
    if first is not None:
        click.echo(f"next  migrate checklist explain {phase} {first.number}")


def _counts(lines: tuple[Line, ...]) -> dict[str, int]:
    return {s: sum(line.answer.state.value == s for line in lines) for s in MARKS}


def _explain(line: Line) -> None:
    item, answer = line.item, line.answer
    state = answer.state.value if answer.could_run else "not run"
    click.echo(f"{line.number}  {item.name}: {state}")
    click.echo(f"asks     {item.asks}")
    click.echo(f"formula  {line.formula}")
    click.echo(f"found    {answer.value} (limit {answer.limit}, n {_n(line)})")
    if answer.why:
        click.echo(f"why      {answer.why}")
    for number in answer.numbers:
        click.echo(f"         {number}")
    if answer.recordings:
        click.echo(f"of       {counted(len(answer.recordings), 'recording')}")
        for recording in answer.recordings[:SHOWN]:
            click.echo(f"         migrate explain {recording}")
    click.echo(f"shown by {item.shown_by}")


def _n(line: Line) -> str:
    return "-" if line.answer.n is None else str(line.answer.n)


def _as_json(line: Line) -> dict[str, object]:
    answer = line.answer
    return {
        "number": line.number, "name": line.item.name, "asks": line.item.asks,
        "state": answer.state.value, "value": answer.value, "limit": answer.limit,
        "n": answer.n, "why": answer.why, "formula": line.formula,
        "shown_by": line.item.shown_by,
    }  # fmt: skip
