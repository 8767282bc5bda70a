"""`migrate adjudicate`: readers choose the better text, without its side; and what they chose."""

from __future__ import annotations

import secrets
import sys
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
from reflector_migrate.model.plural import counted

if TYPE_CHECKING:
    from reflector_migrate.cutover.adjudication import Desk
    from reflector_migrate.judge.adjudication import Blind, Key, Pieces
    from reflector_migrate.judge.preference import Preference

KEYS: dict[str, Key] = {"1": "first", "2": "second", "s": "same"}
CODES = {"candidate": 0, "primary": 1, "undecided": 3}


@click.command(short_help="Choose the better text, with the sides hidden.")
@click.argument("gate", default="words")
@click.option("--who", help="Your name, for the audit log.")
@click.option("--result", is_flag=True, help="Show what was chosen so far, and ask nothing.")
@click.option("--json", "as_json", is_flag=True, help="The result as one JSON document.")
@click.pass_context
def adjudicate(ctx: click.Context, gate: str, who: str | None, result: bool, as_json: bool) -> None:
    """Read what differs without knowing which side is which, and choose the better text.

    GATE is a gate such as words, topic_content, title or long_summary. One difference of each
    recording is shown, in random order. Keys: 1 or 2 is better, s the same, k skips, q ends. The
    result is shown at the end only, as an interval that is valid at every look. Exit 0 if the
    candidate is better, 1 if the primary is better, 3 while the answers do not decide.

    `migrate serve` shows the same as a page.

    \b
    Examples:
      migrate adjudicate words --who ana
      migrate adjudicate words --result --json
    """
    from reflector_migrate.cutover.adjudication import Desk, reader, text_for

    if result or as_json:
        refuse_ignored(ctx, "--result and --json ask nothing, so nobody reads", "who")
    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    desk = Desk(harness, text_for(gate))
    if not (result or as_json):
        if who is None:
            raise click.UsageError("missing a reader: pass --who NAME, or --result")
        if not sys.stdin.isatty():
            raise click.UsageError("stdin is not a terminal: pass --result, or use `migrate serve`")
        _ask(desk, reader(who))
    found = desk.outcome()
    code = CODES[found.better]
    if as_json:
        echo_json(envelope("adjudicate", code, **_as_json(desk, found)))
    else:
        for line in result_lines(desk, found):
            click.echo(line)
    ctx.exit(code)


def result_lines(desk: Desk, found: Preference) -> tuple[str, ...]:
    """What was chosen, and what that shows, for a person."""
    n = found.candidate + found.primary
    answers = f"{found.candidate} candidate, {found.primary} primary, {found.same} the same"
    between = (
        f"the candidate is preferred in {100 * found.low:.0f} to {100 * found.high:.0f} %"
        f" (at any look, {100 * found.confidence:.0f} %)"
    )
    shown = {
        "candidate": "the candidate is better",
        "primary": "the primary is better",
        "undecided": "neither is shown to be better yet",
    }[found.better]
    return (
        f"{desk.text}   {answers}   of {counted(len(desk.hunks), 'recording')} with a difference",
        f"{shown}: {between}" if n else "nothing was chosen yet",
    )


def _ask(desk: Desk, who: str) -> None:
    """One hunk after the other until all are read, or the reader ends it."""
    from reflector_migrate.judge.adjudication import blinded

    secret = secrets.token_bytes(16)
    hunks = desk.open_to(who)
    if not hunks:
        say(f"nothing to read: {who} has read all of {counted(len(desk.hunks), 'recording')}")
    for number, hunk in enumerate(hunks, start=1):
        blind = blinded(hunk, secret, who)
        _show(blind, number, len(hunks))
        key = _key()
        if key == "q":
            return
        if key != "k":
            desk.record(hunk, who, blind.choice(KEYS[key]))


def _show(blind: Blind, number: int, of: int) -> None:
    from reports.text import printable

    click.echo(printable(f"\n{number} of {of}   {blind.hunk.head}"))
    for name, pieces in zip("12", blind.texts, strict=True):
        click.echo(printable(f"  {name}  {_line(pieces)}"))


def _line(pieces: Pieces) -> str:
    """The text, with what the other side has not in brackets."""
    return " ".join(f"[{p.text}]" if p.is_changed else p.text for p in pieces) or "(nothing)"


def _key() -> str:
    click.echo("  better? 1, 2, s(ame), k(skip), q(uit) ", nl=False)
    while True:
        key = click.getchar().lower()
        if key in {*KEYS, "k", "q"}:
            click.echo(key)
            return key


def _as_json(desk: Desk, found: Preference) -> dict[str, object]:
    return {
        "text": desk.text, "builds": dict(desk.builds), "recordings": len(desk.hunks),
        "candidate": found.candidate, "primary": found.primary, "same": found.same,
        "low": found.low, "high": found.high, "confidence": found.confidence,
        "better": found.better,
    }  # fmt: skip
