"""Whether each recording that the candidate ran was one that it was to run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from reflector_migrate.cutover.handover import KIND, SERVED
from reflector_migrate.cutover.items import Answer, judged, pending
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.rows import Rows
from reflector_migrate.plugin.reflector_route_table import Table, decide, load, room_of
from reflector_migrate.store.clock import now

DAYS = 14
MAY_WAIT = timedelta(hours=1)
"""A start may wait so long: a table that was in force in that time may have sent it."""


class Served(NamedTuple):
    """A recording that Conductor served for real, and when its workflow was started."""

    recording: str
    transcript_id: str
    room: str
    at: datetime


def recordings_were_routed(harness: Harness) -> Answer:
    """Shadow runs are of rooms in `shadow.rooms`; live ones of what the routing table sent."""
    until, limit = now(), "0 astray"
    since = until - timedelta(days=DAYS)
    started = [run for run in harness.runs.claimed_between(since, until) if run.started_at]
    served = tuple(_served(harness, since, until))
    if not started and not served:
        return pending(f"no run was started in {DAYS} days", "0 runs", limit, 0)
    rooms = harness.settings.shadow.rooms
    found = [
        (run.recording_id, run.inputs.get("room_name") or "-")
        for run in started
        if rooms and run.inputs.get("room_name") not in rooms
    ]
    versions = [(e["at"], load(e["body"]["table"])) for e in harness.audit.all(KIND)]
    found += [(one.recording, one.room or "-") for one in astray(served, versions)]
    why = ", ".join(f"{recording} of {room}" for recording, room in found[:3])
    n, value = len(started) + len(served), f"{len(found)} astray"
    return judged(not found, value, limit, n, why, recordings=tuple(name for name, _ in found))


def astray(
    served: Sequence[Served], versions: Sequence[tuple[datetime, Table]]
) -> tuple[Served, ...]:
    """Those that no table in force around their start sent to Conductor. Pure.

    `versions` are the tables with when each came into force, oldest first.
    """
    return tuple(one for one in served if not _was_sent(one, versions))


def _was_sent(one: Served, versions: Sequence[tuple[datetime, Table]]) -> bool:
    earlier = [table for at, table in versions if at <= one.at - MAY_WAIT]
    around = [table for at, table in versions if one.at - MAY_WAIT < at <= one.at]
    return any(
        decide(table, one.transcript_id, one.room, is_back=False).is_for_conductor
        for table in (*earlier[-1:], *around)
    )


def _served(harness: Harness, since: datetime, until: datetime) -> Iterator[Served]:
    """Every live recording of that time; one whose row is gone cannot be asked."""
    found = harness.dispatches.between(since, until)
    live = [entry for entry in found if entry["reason"].startswith(SERVED)]
    if not live:
        return
    rows = Rows.at(harness.settings.reflector.database_url or "")
    for entry in live:
        row = rows.transcript_of(entry["recording_id"])
        recording = rows.get_recording(entry["recording_id"])
        if row is not None and recording is not None:
            room = room_of(list(recording.track_keys or ()))
            yield Served(entry["recording_id"], row.id, room, entry["at"])
