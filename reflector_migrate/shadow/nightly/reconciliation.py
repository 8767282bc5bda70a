"""Accounts for every recording that the primary took up: compared, skipped, failed, or lost.

The primary's own rows say what was eligible, so that a recording whose
announcement was lost, or never sent, is missed instead of forgotten. Rows are
read with one query of short columns, on a schedule, never in the primary's path.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from reflector_migrate.errors import MigrateError
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.rows.begun import Begun
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.routing import why_skipped
from reflector_migrate.store.clock import now
from reflector_migrate.store.runs import RunRecord

GRACE = timedelta(minutes=5)  # a younger row's announcement may still be on its way

Json = Mapping[str, Any]


class Fate(StrEnum):
    """What became of a recording; LOST has no announcement, OPEN has one and no end yet."""

    COMPARED = "compared"
    SKIPPED = "skipped"
    FAILED = "failed"
    OPEN = "open"
    LOST = "lost"


ENDS = {"skipped": Fate.SKIPPED, "failed": Fate.FAILED, "superseded": Fate.FAILED}


@dataclass(frozen=True, slots=True)
class Entry:
    """One run of the primary, and what became of it."""

    recording_id: str
    fate: Fate
    reason: str = ""
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Ledger:
    """Every run of the primary in a window; `unread` says why its rows could not be read."""

    entries: tuple[Entry, ...]
    unread: str = ""

    def count(self, fate: Fate) -> int:
        """How many came to this."""
        return sum(entry.fate is fate for entry in self.entries)

    def reasons(self, fate: Fate) -> dict[str, int]:
        """How many came to this, by reason."""
        return dict(Counter(entry.reason for entry in self.entries if entry.fate is fate))

    @property
    def lost(self) -> tuple[str, ...]:
        """Recordings that the primary took up and that were never announced."""
        return tuple(entry.recording_id for entry in self.entries if entry.fate is Fate.LOST)

    @property
    def wanted(self) -> int:
        """All but those skipped on purpose."""
        return len(self.entries) - self.count(Fate.SKIPPED)


def reconcile(
    harness: Harness, since: datetime, until: datetime, grace: timedelta = GRACE
) -> Ledger:
    """Announced or taken up by the primary in [since, until), each with its fate."""
    announced = _announced(harness, since, until)
    try:
        unknown = _never_announced(harness, since, min(until, now() - grace))
    except MigrateError as error:
        return Ledger(tuple(announced), unread=error.message)
    return Ledger((*announced, *(_unannounced(harness.settings, one) for one in unknown)))


def lost_between(
    harness: Harness, since: datetime, until: datetime, grace: timedelta = GRACE
) -> tuple[Begun, ...]:
    """What the primary took up in [since, until), `grace` ago or longer, and was never announced.

    Raises MigrateError where its rows cannot be read.
    """
    unknown = _never_announced(harness, since, min(until, now() - grace))
    return tuple(one for one in unknown if _unannounced(harness.settings, one).fate is Fate.LOST)


def _never_announced(harness: Harness, since: datetime, until: datetime) -> list[Begun]:
    runs = harness.runs
    recordings = runs.recordings() | harness.dispatches.recordings()
    transcripts = runs.transcripts()  # a run has one before its recording is read
    return [
        one
        for one in _begun(harness.settings, since, until)
        if one.recording_id not in recordings and one.transcript_id not in transcripts
    ]


def _announced(harness: Harness, since: datetime, until: datetime) -> list[Entry]:
    """By the state of each run; by the last outcome where the register has no run."""
    compared = harness.evidence.compared_runs()
    outcomes = harness.dispatches.between(since, until)
    runs = harness.runs
    known = {run.run_id: run for run in runs.claimed_between(since, until)}
    entries = []
    for outcome in _latest(outcomes):
        run = known.pop(outcome["run_id"], None) or runs.by_id(str(outcome["run_id"] or ""))
        entry = _fate_of_run(run, compared) if run else _fate_of(outcome, compared)
        entries.append(entry)
    return entries + [_fate_of_run(run, compared) for run in known.values()]


def _latest(outcomes: Iterable[Json]) -> Iterable[Json]:
    """The last outcome of each run; that an announcement came twice is none of its own."""
    last: dict[str, Json] = {}
    for outcome in outcomes:
        key = str(outcome["run_id"] or outcome["recording_id"])
        if outcome["outcome"] != "duplicate" or key not in last:
            last[key] = outcome
    return last.values()


def _fate_of(outcome: Json, compared: frozenset[str]) -> Entry:
    run_id, reason = outcome["run_id"], str(outcome["reason"] or "")
    fate = Fate.COMPARED if run_id in compared else ENDS.get(outcome["outcome"], Fate.OPEN)
    return Entry(str(outcome["recording_id"]), fate, reason, run_id)


def _fate_of_run(run: RunRecord, compared: frozenset[str]) -> Entry:
    is_compared = run.run_id in compared
    fate = Fate.COMPARED if is_compared else ENDS.get(run.state, Fate.OPEN)
    reason = "" if fate in (Fate.OPEN, Fate.COMPARED) else str(run.reason or "")
    return Entry(run.recording_id or run.transcript_id, fate, reason, run.run_id)


def _begun(settings: Settings, since: datetime, until: datetime) -> tuple[Begun, ...]:
    from reflector_migrate.errors import ConfigurationError
    from reflector_migrate.pipeline.rows import Rows
    from reflector_migrate.pipeline.rows.begun import begun_between

    url = settings.reflector.database_url
    if url is None:
        hint = "set it in migrate.toml, or run migrate attach"
        raise ConfigurationError("reflector.database_url is not set", hint=hint)
    return begun_between(Rows.at(url), since, until)


def _unannounced(settings: Settings, one: Begun) -> Entry:
    """Lost, unless rooms or sampling would have left it out had it been announced.

    Whether the flag was on in the primary's worker cannot be known here: off by
    accident looks the same as a lost message, and must.
    """
    bounds = settings.shadow.model_copy(update={"enabled": True})
    reason = why_skipped(bounds, one.recording_id, one.room_name, is_killed=False)
    if reason is not None:
        return Entry(one.recording_id, Fate.SKIPPED, reason)
    return Entry(one.recording_id, Fate.LOST)
