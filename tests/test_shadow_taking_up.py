"""A transcript that is worked on again says so; one that is not after all is as it was."""

from __future__ import annotations

import threading
import time

import pytest

from reflector_migrate.errors import RefusedError
from reflector_migrate.pipeline.rows import Rows, create_all
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.taking_up import taken_up
from reflector_migrate.store.clock import now
from reflector_migrate.store.events import EventLog
from reflector_migrate.store.migrate import upgrade
from reflector_migrate.store.runs import RunRecord

ENDED = [
    {"event": "DURATION", "data": {"duration": 1.0}},
    {"event": "STATUS", "data": {"value": "ended"}},
]
RUN = RunRecord(
    run_id="r", claim="c", recording_id="rec", transcript_id="t", namespace="shadow", build="b",
    state="compared", reason=None, workflow_id="w", primary_task_id=None, request={},
    created_at=now(), updated_at=now(),
)  # fmt: skip


@pytest.fixture
def settings(tmp_path):
    """A candidate with one transcript that has ended; its bus is down, which must not matter."""
    urls = {name: f"sqlite:///{tmp_path / name}.db" for name in ("store", "rows")}
    upgrade(urls["store"])
    create_all(urls["rows"])
    made = {"id": "t", "recording_id": "rec", "user_id": "u", "status": "ended", "events": ENDED}
    Rows.at(urls["rows"]).insert_transcript(**made)
    candidate = {"database_url": urls["rows"], "bus_url": "redis://127.0.0.1:9/2"}
    return Settings.model_validate({"store": {"url": urls["store"]}, "candidate": candidate})


def row_of(settings):
    """The transcript as it stands."""
    return Rows.at(settings.candidate.database_url).get_transcript("t")


def told(settings):
    """Statuses in the order in which they were told, by channel."""
    events = EventLog(settings.store_url).of("r")
    return [(e.channel.removeprefix("shadow:"), e.data["value"]) for e in events]


def test_it_is_processing_while_it_is_worked_on(settings):
    """Column and both channels; the end that stood in the row has gone, and nothing else."""
    with taken_up(settings, RUN):
        assert row_of(settings).status == "processing"
        assert row_of(settings).events == ENDED[:1]
    assert row_of(settings).status == "processing"  # until finalize says otherwise
    assert told(settings) == [("ts:t", "processing"), ("user:u", "processing")]


def test_what_is_refused_leaves_it_as_it_was(settings):
    """Row and listeners have the earlier status again."""
    with pytest.raises(RefusedError), taken_up(settings, RUN):
        raise RefusedError("no")
    assert (row_of(settings).status, row_of(settings).events) == ("ended", ENDED)
    assert [value for channel, value in told(settings) if channel == "ts:t"] == [
        "processing",
        "ended",
    ]


def test_a_failure_that_is_being_told_is_waited_for(settings, monkeypatch):
    """`error` written after it was taken up would be of what has begun again."""
    rows = Rows.at(settings.candidate.database_url)
    rows.update_transcript("t", status="processing", events=[])
    threading.Timer(0.5, lambda: rows.set_status("t", "error")).start()
    began = time.monotonic()
    with taken_up(settings, RUN):
        assert time.monotonic() - began >= 0.4
        assert (row_of(settings).status, row_of(settings).events) == ("processing", [])
    monkeypatch.setattr("reflector_migrate.shadow.taking_up.TOLD_WITHIN_S", 0.1)
    with taken_up(settings, RUN):  # nobody ever told it: it is taken up all the same
        assert row_of(settings).status == "processing"
