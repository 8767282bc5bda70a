"""A transcript that is worked on again says so; one that is not after all is as it was."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest

from reflector_migrate.clients.conductor_http import NotFoundError, UnknownOutcomeError
from reflector_migrate.errors import RefusedError, ServerUnreachableError
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.context import build_context
from reflector_migrate.pipeline.contracts import Run
from reflector_migrate.pipeline.places import place_of_run
from reflector_migrate.pipeline.publish import keep_and_tell
from reflector_migrate.pipeline.rows import Rows, create_all
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.recover.reopen import taken_up
from reflector_migrate.store.base import url_of_run
from reflector_migrate.store.clock import now
from reflector_migrate.store.events import EventLog
from reflector_migrate.store.runs import RunRecord, Runs
from tests.answering import answering, at
from tests.new_stores import new_store

pytestmark = pytest.mark.heavy

ENDED = [
    {"event": "DURATION", "data": {"duration": 1.0}},
    {"event": "STATUS", "data": {"value": "ended"}},
]
FAILED = {"workflowId": "w", "status": "FAILED", "tasks": []}
RUN = RunRecord(
    run_id="r", claim="c", recording_id="rec", transcript_id="t", namespace="shadow", build="b",
    state="compared", reason=None, workflow_id="w", primary_task_id=None, request={},
    created_at=now(), updated_at=now(),
)  # fmt: skip


@pytest.fixture
def settings(tmp_path):
    """A candidate with one transcript that has ended; its bus is down, which must not matter."""
    urls = {name: f"sqlite:///{tmp_path / name}.db" for name in ("store", "rows")}
    new_store(urls["store"])
    own = url_of_run(urls["rows"], "r")
    create_all(own)
    made = {"id": "t", "recording_id": "rec", "user_id": "u", "status": "ended", "events": ENDED}
    Rows.at(own).insert_transcript(**made)
    candidate = {"database_url": urls["rows"], "bus_url": "redis://127.0.0.1:9/2"}
    Runs(urls["store"]).claim(RUN)
    made = Settings.model_validate({"store": {"url": urls["store"]}, "candidate": candidate})
    with answering(lambda *_: (200, FAILED)) as url:
        yield at(made, url)


def row_of(settings):
    """The transcript as it stands."""
    return Rows.at(place_of_run(settings, "r").database_url).get_transcript("t")


def told(settings):
    """Statuses in the order in which they were published, by channel."""
    events = [e for e in EventLog(settings.store_url).of("r") if e.event.endswith("STATUS")]
    return [(e.channel.removeprefix("shadow:r:"), e.data["value"]) for e in events]


def test_it_is_processing_while_it_is_worked_on(settings):
    """Column and both channels; the end that stood in the row has gone, and nothing else."""
    with taken_up(Harness.of(settings), RUN):
        assert row_of(settings).status == "processing"
        assert row_of(settings).events == ENDED[:1]
    assert row_of(settings).status == "processing"  # until finalize says otherwise
    assert told(settings) == [("ts:t", "processing"), ("user:u", "processing")]


def test_what_is_refused_leaves_it_as_it_was(settings):
    """Row and listeners have the earlier status again."""
    with pytest.raises(RefusedError), taken_up(Harness.of(settings), RUN):
        raise RefusedError("no")
    assert (row_of(settings).status, row_of(settings).events) == ("ended", ENDED)
    assert [value for channel, value in told(settings) if channel == "ts:t"] == [
        "processing",
        "ended",
    ]


def fail(settings, error, work):
    """Take the run up, and fail after some work."""

    def taken():
        with taken_up(Harness.of(settings), RUN):
            work()
            raise error

    with pytest.raises(type(error)):
        taken()


def state_of(settings):
    """Where the register has the run."""
    return Runs(settings.store_url).by_id("r").state


def tell(settings, status):
    """A step's end, as finalize writes and publishes it."""
    about = {"recording_id": "rec", "transcript_id": "t", "namespace": "shadow"}
    run = Run(run_id="r", bucket_name="b", workflow_id="w", **about)
    keep_and_tell(
        build_context(run, Harness.of(settings)), "STATUS", {"value": status}, status=status
    )


@pytest.mark.parametrize(
    "definite", [RefusedError("no"), NotFoundError("no"), ServerUnreachableError("not sent")]
)
def test_before_the_server_is_asked_the_run_is_started(settings, definite):
    """A process killed in between leaves it to the collector; refused, it is what it was."""
    seen = []
    fail(settings, definite, lambda: seen.append(state_of(settings)))
    assert seen == ["started"]
    assert (state_of(settings), row_of(settings).status) == ("compared", "ended")


@pytest.mark.parametrize("lost", [UnknownOutcomeError("sent"), KeyboardInterrupt()])
def test_what_may_have_begun_is_left_to_go_on(settings, lost):
    """The answer is lost: the workflow may run, its row is its own, the collector finds out."""
    with pytest.raises(type(lost)), taken_up(Harness.of(settings), RUN):
        raise lost
    assert (state_of(settings), row_of(settings).status) == ("started", "processing")
    assert [value for _, value in told(settings)] == ["processing"] * 2


def test_what_another_has_the_server_do_already_goes_on(settings):
    """Two retry at once: the second is refused, and the first one's run is really going."""
    running = answering(lambda *_: (200, {**FAILED, "status": "RUNNING"}))
    with running as url, pytest.raises(NotFoundError), taken_up(Harness.of(at(settings, url)), RUN):
        raise NotFoundError("not in a retryable state")
    assert (state_of(settings), row_of(settings).status) == ("started", "processing")


def test_what_was_written_meanwhile_is_not_overwritten(settings):
    """An end that came stays the end; of a row still `processing` only the STATUS goes back."""
    fail(settings, RefusedError("late"), lambda: tell(settings, "error"))
    assert row_of(settings).status == "error"
    assert told(settings)[-1][1] == "error"
    title = {"event": "FINAL_TITLE", "data": {"title": "New"}}
    rows = Rows.at(place_of_run(settings, "r").database_url)
    fail(settings, RefusedError("no"), lambda: rows.append_event("t", *title.values()))
    failed = {"event": "STATUS", "data": {"value": "error"}}
    assert (row_of(settings).status, row_of(settings).events) == (
        "error",
        [ENDED[0], failed, title],
    )


def meanwhile(monkeypatch, work):
    """Have this happen while it is waited, for certain."""
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _s: work())
    monkeypatch.setattr("reflector_migrate.shadow.recover.reopen.time", clock)


def test_a_second_failure_is_published_like_the_first(settings, monkeypatch):
    """The first one's `error` comes while it is waited for: it does not use up the second's."""
    rows = Rows.at(place_of_run(settings, "r").database_url)
    rows.update_transcript("t", status="processing", events=[])
    meanwhile(monkeypatch, lambda: tell(settings, "error"))
    with taken_up(Harness.of(settings), RUN):
        tell(settings, "error")
    values = [value for channel, value in told(settings) if channel == "ts:t"]
    assert values == ["error", "processing", "error"]


def test_a_failure_is_waited_for_until_listeners_have_it(settings, monkeypatch):
    """It stands in the row a moment before; published after the mark it would be the second's."""
    Rows.at(place_of_run(settings, "r").database_url).set_status("t", "error")
    meanwhile(monkeypatch, lambda: tell(settings, "error"))
    with taken_up(Harness.of(settings), RUN):
        values = [value for channel, value in told(settings) if channel == "ts:t"]
    assert values == ["error", "processing"]


def test_a_failure_that_is_being_published_is_waited_for(settings, monkeypatch):
    """`error` written after it was taken up would be of what has begun again."""
    rows = Rows.at(place_of_run(settings, "r").database_url)
    rows.update_transcript("t", status="processing", events=[])
    threading.Timer(0.5, tell, [settings, "error"]).start()
    began = time.monotonic()
    with taken_up(Harness.of(settings), RUN):
        assert time.monotonic() - began >= 0.4
        assert (row_of(settings).status, row_of(settings).events) == ("processing", [])
    monkeypatch.setattr("reflector_migrate.shadow.recover.reopen.TOLD_WITHIN_S", 0.1)
    with taken_up(Harness.of(settings), RUN):  # nobody ever told it: it is taken up all the same
        assert row_of(settings).status == "processing"
