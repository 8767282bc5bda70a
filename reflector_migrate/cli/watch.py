"""`migrate watch`: both sides of a recording, live, until both have ended."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from reflector_migrate.cli.common import DURATION, harness_of, log_to_stderr, say
from reflector_migrate.cli.completing import recordings
from reflector_migrate.cli.lookup import is_known, run_of

if TYPE_CHECKING:
    from reflector_migrate.harness import Harness
    from reflector_migrate.shadow.observe.live_status import StepLine
    from reflector_migrate.store.runs import RunRecord

LOOK_S = 0.5
WAIT_S = 2.0
FIRST_S = 60.0

Show = Callable[[Sequence["StepLine"]], None]


@click.command()
@click.argument("recording", shell_complete=recordings)
@click.option(
    "--timeout", "timeout_s", default="1h", show_default=True, type=DURATION,
    help="How long to follow.",
)  # fmt: skip
@click.pass_context
def watch(ctx: click.Context, recording: str, timeout_s: float) -> None:
    """Follow the steps of both sides live. Keeps waiting while a server restarts.

    \b
    Examples:
      migrate watch three-voices
      migrate watch three-voices --timeout 5m
    """
    from reflector_migrate.errors import InputError, OutageError, ServerUnreachableError
    from reflector_migrate.model.run_life import ENDS
    from reflector_migrate.shadow.observe.live_status import board

    harness = harness_of(ctx)
    log_to_stderr(ctx, harness.settings)
    begun, said = time.monotonic(), ""
    with _shown() as show:
        while (elapsed_s := time.monotonic() - begun) < timeout_s:
            try:
                run = run_of(harness, recording)
                show(board(harness, run))
            except (OutageError, ServerUnreachableError) as error:
                if error.message != said:
                    said = error.message
                    say(f"waiting: {said}; Ctrl-C stops watching")
                time.sleep(WAIT_S)
                continue
            except InputError as error:
                # right after `compare` has queued the primary there is no run of the candidate yet
                if not is_known(harness.settings, recording) or elapsed_s > FIRST_S:
                    raise
                if error.message != said:
                    said = error.message
                    say(f"waiting: {said}")
                time.sleep(LOOK_S)
                continue
            if run.state in ENDS:
                click.echo(f"{_ended(harness, run)}   next  migrate explain {recording}")
                return
            time.sleep(LOOK_S)
    say(f"still running after {timeout_s:.0f} s: stopped watching, and the run continues")
    ctx.exit(3)


def _ended(harness: Harness, run: RunRecord) -> str:
    """The verdict of a run that was compared; else its state and the reason."""
    found = harness.evidence.comparison(run.run_id)
    if found is not None:
        return found.verdict.value
    return f"{run.state}: {run.reason}" if run.reason else str(run.state)


@contextmanager
def _shown() -> Iterator[Show]:
    """All steps, redrawn, on a terminal; elsewhere a line for each change."""
    if not sys.stdout.isatty():
        yield _changes()
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(Text(""), console=Console(), refresh_per_second=5) as live:
        yield lambda lines: live.update(Text("\n".join(table(lines))))


def table(lines: Sequence[StepLine]) -> list[str]:
    """The board as lines of text."""
    head = f"{'step':<20} {'primary':<14} candidate"
    return [head, *(f"{one.step:<20} {one.primary:<14} {one.candidate}" for one in lines)]


def _changes() -> Show:
    seen: set[tuple[str, str, str]] = set()

    def show(lines: Sequence[StepLine]) -> None:
        for line in lines:
            for side in ("primary", "candidate"):
                state = getattr(line, side)
                if state and (side, line.step, state) not in seen:
                    seen.add((side, line.step, state))
                    click.echo(f"{side:<10} {line.step:<20} {state}")

    return show
