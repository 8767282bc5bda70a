"""A namespace for one run of one step: a database, a store, a folder and a prefix, then gone.

The primary's rows are copied in, as the step found them; neither side's are touched.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from reflector_migrate.harness import Harness
from reflector_migrate.model import Observation, spec_of
from reflector_migrate.pipeline.contracts import Run
from reflector_migrate.pipeline.places import candidate_url
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.snapshot import read_rows
from reflector_migrate.temporary import temporary_folder

MARK = "confirm-"
MARKED = re.compile(rf"/{MARK}(\d+)-")
"""What a namespace's objects begin with, and when it was made."""

ABANDONED = timedelta(days=1)
"""A confirmation takes minutes."""


@contextmanager
def scratch(harness: Harness, seen: Observation, step: str) -> Iterator[tuple[Harness, Run]]:
    """A run in a fresh namespace that holds the primary's rows; nothing of it stays."""
    from reflector_migrate.pipeline.rows import fill_run_tables, write_mark
    from reflector_migrate.store.migrate import upgrade

    rows = read_rows(harness.settings, str(seen.outputs.row["id"]), ()).rows
    with temporary_folder("migrate-confirm-") as folder:
        ours = harness.under(_settings(harness.settings, folder))
        upgrade(ours.settings.store_url)
        write_mark(ours.settings.candidate.database_url or "")
        run = scratch_run(ours.settings, seen)
        before = _before(seen, step, rows)
        made = fill_run_tables(candidate_url(ours.settings), run.run_id, rows, **before)
        try:
            yield ours, run
        finally:
            made.engine.dispose()
            _clear(ours)


def clear_abandoned(harness: Harness) -> int:
    """Delete the objects of namespaces whose process was killed; how many there were."""
    from reflector_migrate.pipeline.meter import UsageMeter
    from reflector_migrate.pipeline.services.storage import Storage, address

    mine = harness.settings.candidate.media_bucket.strip("/")
    storage = Storage(harness.connections.s3, UsageMeter(), frozenset({mine}))
    before = (harness.now() - ABANDONED).timestamp()
    found = (one.address for one in storage.list(address(mine, MARK)))
    old = [one for one in found if not (made := MARKED.search(one)) or int(made[1]) < before]
    for one in old:
        storage.delete(one)
    return len(old)


def _settings(settings: Settings, folder: Path) -> Settings:
    mark = f"{MARK}{int(time.time())}-{uuid.uuid4().hex[:12]}"
    candidate = settings.candidate.model_copy(
        update={
            "namespace": "shadow",
            "database_url": f"sqlite:///{folder / 'rows.db'}",
            "media_bucket": f"{settings.candidate.media_bucket.strip('/')}/{mark}",
            "channel_prefix": f"{mark}:",
            "data_dir": folder / "data",
        }
    )
    store = settings.store.model_copy(update={"url": f"sqlite:///{folder / 'store.db'}"})
    return settings.model_copy(update={"candidate": candidate, "store": store})


def _before(
    seen: Observation, step: str, rows: Mapping[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    """The columns as the step found them: without what it wrote, a kept title and post left."""
    spec, row = spec_of(step), rows["transcript"][0]
    events = [event for event in row.get("events") or () if event["event"] not in spec.events]
    kept: set[str] = set()
    titles = {e.data.get("title") for e in seen.events if e.event == "FINAL_TITLE"}
    if step == "generate_title" and row["title"] not in titles:
        kept = {"title"}  # of an earlier run: it is never written again
    if any(effect.kind == "zulip_update" for effect in seen.effects):
        kept |= {"zulip_message_id"}
    return {**{k: v for k, v in spec.columns.items() if k not in kept}, "events": events}


def scratch_run(ours: Settings, seen: Observation) -> Run:
    """A run of its own there, of the same recording: seeded defects may ask for that."""
    return Run(
        run_id=f"confirm-{uuid.uuid4().hex[:12]}",
        recording_id=seen.recording,
        transcript_id=str(seen.outputs.row["id"]),
        namespace="shadow",
        bucket_name=ours.candidate.tracks_bucket,
        room_id=seen.outputs.row.get("room_id"),
    )


def put_values(harness: Harness, values: Mapping[str, Any]) -> None:
    """Copy stored values to the same references here."""
    artifacts = harness.artifacts
    for ref, value in values.items():
        run_id, step, key = ref.removeprefix("artifact:").split("/", 2)
        artifacts.put(run_id, step, key, value)


def _clear(ours: Harness) -> None:
    """Delete what the step put below our prefix."""
    from reflector_migrate.pipeline.meter import UsageMeter
    from reflector_migrate.pipeline.services.storage import Storage, address
    from reflector_migrate.store.base import engine_for

    mine = ours.settings.candidate.media_bucket
    storage = Storage(ours.connections.s3, UsageMeter(), frozenset({mine}))
    for found in storage.list(address(mine, "")):
        storage.delete(found.address)
    for url in (
        ours.settings.store_url,
        ours.settings.candidate.database_url or "",
    ):
        engine_for(url).dispose()
