"""Drills: run against the deployment's own processes, their results kept with build and date."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta

from reflector_migrate.cutover.items import Answer, failed, passed, pending
from reflector_migrate.errors import ConfigurationError, RefusedError
from reflector_migrate.harness import Harness
from reflector_migrate.shadow.announcement import Announcement, parse
from reflector_migrate.shadow.decisions import record, this_user
from reflector_migrate.store.atomic_write import write_aside
from reflector_migrate.store.clock import now
from reflector_migrate.store.runs import RunRecord, claim_of, run_id_of

WITHIN_DAYS = 14
KNOWN_SINCE = timedelta(days=90)
LOOK_S = 0.2
ENDED = frozenset({"skipped", "failed", "compared", "superseded"})

Announce = Callable[[Harness, Announcement], None]


@dataclass(frozen=True, slots=True)
class Drilled:
    """How a drill ended: whether as it must, what was seen, and how long that took."""

    name: str
    is_passed: bool
    seen: str
    recording: str
    duration_s: float


def drill_kill_switch(
    harness: Harness, announce: Announce, timeout_s: float = 60.0, *, who: str = ""
) -> Drilled:
    """Switch dispatching off, announce a known recording, and see the dispatcher hold it back.

    The newest started run is announced again, under the drill's own task.
    Meanwhile real recordings are held back too, and stay so. Whatever happens the switch is
    taken back. The result is added to the audit log.
    """
    switch = harness.settings.shadow.kill_switch_file
    if switch is None:
        raise ConfigurationError("shadow.kill_switch_file is not set", hint="name a file for it")
    if switch.exists():
        raise RefusedError("dispatching is off already", hint="migrate shadow on")
    known = _newest_started(harness)
    if known is None:
        raise RefusedError(
            f"no recording was shadowed in {KNOWN_SINCE.days} days, so none can be announced again",
            hint="shadow one recording first: migrate shadow status",
        )
    said = parse(dict(known.request)).model_copy(
        update={"task_id": f"drill-{uuid.uuid4()}", "root_id": None, "published_at": now()}
    )
    begun = time.monotonic()
    write_aside(switch, "dispatching is off: a drill\n")
    try:
        announce(harness, said)
        ended = _ended(harness, run_id_of(claim_of(said.transcript_id, said.task_id)), timeout_s)
    finally:
        switch.unlink(missing_ok=True)
    is_passed = ended is not None and (ended.state, ended.reason) == ("skipped", "kill switch")
    found = Drilled(
        "kill-switch", is_passed, _said(ended, timeout_s), known.recording_id,
        round(time.monotonic() - begun, 1),
    )  # fmt: skip
    record_drill(harness, found, who or this_user())
    return found


def record_drill(harness: Harness, found: Drilled, who: str) -> None:
    """Add a drill's result to the audit log, with this build; what was seen is its evidence."""
    from reflector_migrate.conductor.build import build_hash

    seen = asdict(found)
    record(harness, f"drill:{found.name}", {"build": build_hash(), **seen}, who=who, evidence=seen)


def drilled(name: str) -> Callable[[Harness], Answer]:
    """An item that passes while the newest drill of that name passed, young, with this build."""

    def answer(harness: Harness) -> Answer:
        from reflector_migrate.conductor.build import build_hash

        limit, command = f"≤ {WITHIN_DAYS} d", f"migrate drill {name}"
        entry = harness.audit.last(f"drill:{name}")
        if entry is None:
            return pending(f"no drill is on record: {command}", limit=limit)
        body, age = entry["body"], now() - entry["at"]
        day, of = f"{entry['at']:%m-%d}", (str(body["recording"]),)
        if not body["is_passed"]:
            return failed(day, limit, why=str(body["seen"]), recordings=of)
        if body["build"] != build_hash():
            return pending(f"of build {body['build']}: {command}", day, limit, recordings=of)
        if age > timedelta(days=WITHIN_DAYS):
            return failed(day, limit, why=f"{age.days} days old: {command}", recordings=of)
        return passed(day, limit, why=str(body["seen"]), recordings=of)

    return answer


def _newest_started(harness: Harness) -> RunRecord | None:
    until = now()
    found = harness.runs.claimed_between(until - KNOWN_SINCE, until)
    return max(
        (run for run in found if run.started_at is not None),
        key=lambda run: run.created_at,
        default=None,
    )


def _ended(harness: Harness, run_id: str, timeout_s: float) -> RunRecord | None:
    """The run as it was decided, or as it stands when the time is up."""
    deadline = time.monotonic() + timeout_s
    while True:
        run = harness.runs.by_id(run_id)
        is_decided = run is not None and (run.state in ENDED or run.started_at is not None)
        if is_decided or time.monotonic() > deadline:
            return run
        time.sleep(LOOK_S)


def _said(run: RunRecord | None, timeout_s: float) -> str:
    if run is None:
        return f"no dispatcher took the announcement up within {timeout_s:.0f} s"
    return f"the recording's run is {run.state}" + (f": {run.reason}" if run.reason else "")
