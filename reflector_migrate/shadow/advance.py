"""Takes a run up, has its state's worker move it on, and is the door for every error.

What passes is tried again after growing pauses, within the bound of the state. What does not
pass ends the run with its reason. Foreign errors are logged by class and place alone: their
texts may hold a transcript's words.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping
from datetime import timedelta

from reflector_migrate.errors import (
    InputError,
    MigrateError,
    TerminalStepError,
    UnreadableError,
)
from reflector_migrate.model.run_life import ENDS, LIFE_OF, RunState
from reflector_migrate.shadow import collector, dispatcher
from reflector_migrate.shadow.erase import erase_ended
from reflector_migrate.shadow.process import Shadow
from reflector_migrate.store.runs import Outcome, RunRecord

log = logging.getLogger(__name__)

LONGEST_PAUSE_S = 300.0
FOREIGN_TRIES = 8
"""How often a foreign error, or the death of a worker, is met before the run ends."""

OVERDUE_S = 60.0
"""How long a message may be overdue before the sweep sends another."""

AGE_SHARE = 8
"""A run whose messages stay unanswered gets another after an eighth of its age, at least."""

Work = Callable[[Shadow, RunRecord], None]

WORK: Mapping[str, Work] = {
    RunState.CLAIMED: dispatcher.prepare,
    RunState.SNAPSHOTTING: dispatcher.prepare,
    RunState.WAITING: collector.look,
    RunState.STARTING: dispatcher.start,
    RunState.STARTED: collector.look,
    RunState.SETTLING: collector.look,
    RunState.OBSERVED: collector.judge,
}


def advance(shadow: Shadow, run_id: str, ticket: str | None = None) -> None:
    """Move a run on as far as it goes now; nothing if it has ended or is another's.

    Raises MigrateError only when our own store is away: then the sweep comes back to the run.
    """
    run = shadow.runs.take(run_id, ticket, shadow.settings.shadow.lease_s)
    if run is None:
        return
    if run.tries > FOREIGN_TRIES and run.failing_since is None:
        _end(shadow, run, f"gave up in state {run.state}: {run.tries - 1} workers died at it")
        return
    try:
        WORK[run.state](shadow, run)
    except MigrateError as error:
        _after(shadow, run, error, error.message)
    except Exception as error:  # foreign: its text is never shown
        _after(shadow, run, error, place_of(error))
    _erase_if_ended(shadow, run_id)


def _erase_if_ended(shadow: Shadow, run_id: str) -> None:
    """At a run's end, unless something keeps it; what fails here beat's own task does."""
    try:
        run = shadow.runs.by_id(run_id)
        if run is not None and run.state in ENDS:
            erase_ended(shadow, [run])
    except MigrateError as error:
        log.warning("run %s: not erased yet: %s", run_id, error.in_full)
    except Exception as error:  # foreign: its text is never shown
        log.error("run %s: not erased yet: %s", run_id, place_of(error))


def sweep(shadow: Shadow) -> None:
    """Send for runs whose message or worker was lost, and give free places away."""
    for run in shadow.runs.due(OVERDUE_S):
        at = shadow.now()
        pause = min((at - run.created_at) / AGE_SHARE, timedelta(hours=1))
        if handed := shadow.runs.move(run, run.state, until=at + pause):
            shadow.send(handed, 0)
    dispatcher.give_places(shadow)


def place_of(error: BaseException) -> str:
    """The class of an error and where it was raised, without a word of its text."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "reflector_migrate" in f.filename or "comparators" in f.filename]
    last = (ours or list(frames))[-1]
    return f"{type(error).__name__} at {last.filename.rsplit('/', 1)[-1]}:{last.lineno}"


def pause_s(tries: int, poll_s: float) -> float:
    """Doubled with each try, up to five minutes."""
    return float(min(poll_s * 2 ** min(tries, 20), LONGEST_PAUSE_S))


def _after(shadow: Shadow, taken: RunRecord, error: Exception, reason: str) -> None:
    """Wait, or end the run; nothing if another has it by now."""
    run = shadow.runs.by_id(taken.run_id)
    if run is None or run.owner != taken.owner or run.lease_until is None:
        return
    log.warning("run %s is %s: %s", run.run_id, run.state, reason)
    if is_hopeless(run, error) or _is_over_time(shadow, run):
        is_reopenable = not isinstance(error, (InputError, TerminalStepError, UnreadableError))
        _end(shadow, run, reason, is_reopenable=is_reopenable)
        return
    pause = pause_s(run.tries, shadow.settings.shadow.poll_s)
    since = run.failing_since or shadow.now()
    until = shadow.now() + timedelta(seconds=pause)
    if handed := shadow.runs.move(run, run.state, until=until, failing_since=since, reason=reason):
        shadow.send(handed, pause)


def is_hopeless(run: RunRecord, error: Exception) -> bool:
    """Whether no further try can help: inputs that are gone, rows that cannot be read, our code."""
    if not isinstance(error, MigrateError):
        return run.tries > FOREIGN_TRIES
    if isinstance(error, UnreadableError):
        return True
    is_early = run.state in (RunState.CLAIMED, RunState.SNAPSHOTTING)
    return is_early and isinstance(error, (InputError, TerminalStepError))


def _is_over_time(shadow: Shadow, run: RunRecord) -> bool:
    row = LIFE_OF[RunState(run.state)]
    if row.then is not RunState.FAILED:
        return False
    bounds = shadow.settings.shadow
    bound_s = {
        "dispatch_wait_s": bounds.dispatch_wait_s,
        "place_wait_s": bounds.place_wait_s,
        "evidence_wait_s": bounds.evidence_wait_s,
    }[row.bound]
    since = getattr(run, row.clock) or shadow.now()
    return bool(shadow.now() - since >= timedelta(seconds=bound_s))


def _end(shadow: Shadow, run: RunRecord, reason: str, *, is_reopenable: bool = True) -> None:
    ended = Outcome("failed", reason)
    if shadow.runs.move(run, RunState.FAILED, outcome=ended, is_reopenable=is_reopenable):
        dispatcher.give_places(shadow)
