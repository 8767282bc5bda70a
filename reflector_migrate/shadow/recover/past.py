"""Past recordings through the candidate as it is now, against what legacy left of them.

A recording is replayed once for each build. Whatever was announced before, by whom, is no
hindrance: this is another run. So a replay that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import TYPE_CHECKING

from reflector_migrate.errors import InputError
from reflector_migrate.harness import Harness
from reflector_migrate.shadow.announcement import Announcement, of_recording
from reflector_migrate.shadow.recover.replay import task_of
from reflector_migrate.shadow.routing import why_skipped

if TYPE_CHECKING:
    from reflector_migrate.model import Gist
    from reflector_migrate.pipeline.services.storage import Storage

PREFIX = "replay-"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a replay of so many recordings takes; None where nothing comparable is stored."""

    recordings: int
    duration_s: float | None
    cost_microdollars: int | None
    measured_on: int


def chosen(
    harness: Harness, since: datetime, until: datetime, limit: int
) -> Iterator[Announcement]:
    """At most `limit` recordings, newest first, that ended well and whose tracks exist.

    Left out: rooms that are not shadowed, and what this build has replayed. Raises MigrateError
    when the primary's database or S3 cannot be read.
    """
    from reflector_migrate.conductor.build import build_hash
    from reflector_migrate.pipeline.rows import Rows
    from reflector_migrate.pipeline.rows.begun import begun_between
    from reflector_migrate.store.runs import claim_of, run_id_of

    rows, runs = Rows.at(harness.settings.reflector.database_url or ""), harness.runs
    storage, task_id = _storage(harness), f"{PREFIX}{build_hash()}"
    bounds = harness.settings.shadow.model_copy(update={"enabled": True, "rate": 1.0})
    found = 0
    for one in reversed(begun_between(rows, since, until)):
        if found == limit:
            return
        is_done = runs.by_id(run_id_of(claim_of(one.transcript_id, task_id)))
        skipped = why_skipped(bounds, one.recording_id, one.room_name, is_killed=False)
        recording = rows.get_recording(one.recording_id)
        if is_done or skipped or one.status != "ended" or recording is None:
            continue
        _task, root_id = task_of(harness, one.transcript_id)
        known = {"task_id": task_id, "root_id": root_id, "published_at": one.created_at}
        try:
            announcement = of_recording(recording, one.transcript_id, is_chosen=True, **known)
        except InputError as error:
            log.error("recording %s cannot be replayed: %s", one.recording_id, error.in_full)
            continue
        if _are_there(storage, recording.bucket_name, recording.track_keys or ()):
            found += 1
            yield announcement


def estimate(harness: Harness, recordings: int, rate: float | None) -> Estimate:
    """From the median of the candidate's stored runs, `shadow.max_in_flight` at once.

    `rate` is a bound of recordings an hour.
    """
    return estimated(harness.nights.all(), recordings, harness.settings.shadow.max_in_flight, rate)


def estimated(known: Sequence[Gist], recordings: int, at_once: int, rate: float | None) -> Estimate:
    """As above, from these gists."""
    took = [gist.candidate_s for gist in known if gist.candidate_s is not None]
    costs = [gist.candidate_cost for gist in known if gist.candidate_cost is not None]
    paced_s = recordings * 3600 / rate if rate else 0.0
    rounds = math.ceil(recordings / at_once)
    return Estimate(
        recordings,
        max(rounds * median(took), paced_s) if took else None,
        round(recordings * median(costs)) if costs else None,
        len(took),
    )


def _storage(harness: Harness) -> Storage:
    from reflector_migrate.pipeline.meter import UsageMeter
    from reflector_migrate.pipeline.services.storage import Storage

    return Storage(harness.connections.s3, UsageMeter(), writable=frozenset())


def _are_there(storage: Storage, bucket: str, keys: Sequence[str]) -> bool:
    from reflector_migrate.pipeline.services.storage import address

    wanted = [address(bucket, key) for key in keys]
    return all(any(found.address == one for found in storage.list(one)) for one in wanted)
