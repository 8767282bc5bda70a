"""What became of every eligible recording, in an operator's words, with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from reflector_migrate.harness import Harness
from reflector_migrate.model import UNREADABLE, Comparison
from reflector_migrate.model.run_life import LIFE_OF, RunState
from reflector_migrate.shadow.budget import why_no_place
from reflector_migrate.shadow.messages import DISPATCHED
from reflector_migrate.shadow.nightly.reconciliation import Entry, Fate, reconcile
from reflector_migrate.store.clock import now
from reflector_migrate.store.runs import RunRecord

WORDS = (
    "compared", "waiting", "over budget", "running", "sampled out", "kept out", "failed",
    "unreadable", "lost",
)  # fmt: skip
"""What there is; `lost` was never announced to us."""

NOT_SAMPLED = "not sampled"


@dataclass(frozen=True, slots=True)
class Account:
    """One run of the primary: what became of it, why, and what bounds it while it is open."""

    recording_id: str
    what: str
    why: str = ""
    bound: str = ""


@dataclass(frozen=True, slots=True)
class Accounts:
    """Every run of a window; `unread` says why the primary's rows could not be read."""

    entries: tuple[Account, ...]
    unread: str = ""

    def count(self, what: str) -> int:
        """How many came to this."""
        return sum(entry.what == what for entry in self.entries)


def accounts(harness: Harness, since: datetime, until: datetime) -> Accounts:
    """Of each recording that the primary took up in [since, until). Raises MigrateError."""
    ledger = reconcile(harness, since, until)
    over = why_no_place(harness, now())
    return Accounts(tuple(_accounts(harness, ledger.entries, over)), ledger.unread)


def _accounts(harness: Harness, entries: tuple[Entry, ...], over: str | None) -> Iterator[Account]:
    runs, evidence = harness.runs, harness.evidence
    for entry in entries:
        run = runs.by_id(entry.run_id) if entry.run_id else None
        if entry.fate is Fate.COMPARED:
            found = evidence.first(entry.run_id or "")
            what, why = _of_comparison(found) if found else ("compared", "")
            yield Account(entry.recording_id, what, why)
        elif entry.fate is Fate.OPEN and run is not None:
            yield _of_open(entry, run, over)
        else:
            yield Account(entry.recording_id, _word(entry), entry.reason)


def _word(entry: Entry) -> str:
    if entry.fate is Fate.SKIPPED:
        return "sampled out" if entry.reason == NOT_SAMPLED else "kept out"
    if entry.fate is Fate.FAILED and entry.reason.startswith(UNREADABLE):
        return "unreadable"
    return {Fate.FAILED: "failed", Fate.LOST: "lost"}.get(entry.fate, "waiting")


def _of_comparison(found: Comparison) -> tuple[str, str]:
    """Compared, with its verdict; or which side could not be read or failed."""
    completion = next((check for check in found.checks if check.name == "completion"), None)
    note = completion.note if completion else ""
    if UNREADABLE in note:
        return "unreadable", note
    failed = [
        side.role.value for side in (found.primary, found.candidate) if side.status == "failed"
    ]
    if failed:
        return "failed", f"{' and '.join(failed)}: {note or found.verdict}"
    return "compared", found.verdict.value


def _of_open(entry: Entry, run: RunRecord, over: str | None) -> Account:
    row = LIFE_OF[RunState(run.state)]
    bound = f"shadow.{row.bound}, then {row.then}" if row.bound else ""
    why = run.reason or row.meaning
    if run.state == RunState.WAITING and over:
        return Account(entry.recording_id, "over budget", over, bound)
    what = "waiting" if run.state in DISPATCHED | {RunState.WAITING} else "running"
    return Account(entry.recording_id, what, why, bound)
