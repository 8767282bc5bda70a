"""Announces again what was lost on the way: reconciliation's findings, put on our own queue.

A transcript that was made for the lost run had nothing in it before, so its candidate
starts from an empty row whenever it starts. Tracks that consent has deleted by then
are gone: such a run fails with that reason, and stays in the denominator.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from reflector_migrate.settings import Settings
from reflector_migrate.shadow.announcement import Announcement
from reflector_migrate.shadow.nightly.reconciliation import GRACE, lost_between

PIPELINE = "task_pipeline_multitrack_process"


def announcements(
    settings: Settings, since: datetime, until: datetime, grace: timedelta = GRACE
) -> Iterator[Announcement]:
    """One for each lost recording of the window, as the plugin would have sent it."""
    from reflector_migrate.pipeline.rows import Rows

    lost = lost_between(settings, since, until, grace)
    rows = Rows.at(settings.reflector.database_url or "")
    for one in lost:
        recording = rows.get_recording(one.recording_id)
        if recording is None:
            continue
        task_id, root_id = _task_of(settings, one.transcript_id)
        yield Announcement(
            transcript_id=one.transcript_id,
            bucket_name=recording.bucket_name,
            track_keys=tuple(k for k in recording.track_keys or () if "cam-audio" in k),
            task_id=task_id,
            root_id=root_id,
            recording_id=one.recording_id,
            published_at=one.created_at,
        )


def announce(settings: Settings, announcement: Announcement) -> None:
    """Put it on the dispatcher's queue; announced twice it is still one run."""
    from reflector_migrate.shadow.app import DISPATCH, make_app

    with make_app(settings) as app:
        app.send_task(DISPATCH, args=[announcement.model_dump(mode="json")])


def _task_of(settings: Settings, transcript_id: str) -> tuple[str, str | None]:
    """The primary's task by its spans, where these arrived; else a name of our own."""
    from reflector_migrate.store.evidence import Spans

    spans: list[Mapping[str, Any]] = [
        span
        for span in Spans(settings.store_url).of(transcript_id)
        if str(span["task"]).endswith(PIPELINE)
    ]
    if not spans:
        return f"replayed-{transcript_id}", None
    return str(spans[-1]["task_id"]), spans[-1].get("root_id")
