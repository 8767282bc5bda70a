"""What our models refuse ends its run with side and field, holds no place, and is shown.

With one place in flight: a run that held it would keep every later recording from its verdict.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from reflector_migrate.cutover.checklist import run as run_checklist
from reflector_migrate.cutover.infrastructure import rows_can_be_read
from reflector_migrate.experiments.compare import start_primary
from reflector_migrate.experiments.load_recording import set_stage
from reflector_migrate.harness import Harness
from reflector_migrate.model import Phase, Verdict
from reflector_migrate.model.run_life import ENDS, RunState
from reflector_migrate.sandbox.config import change_config
from reflector_migrate.sandbox.recordings import load_recording
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.sandbox.standins.client import StandinControl
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.messages import DISPATCH, SPANS
from reflector_migrate.shadow.nightly.accounts import accounts
from reflector_migrate.shadow.nightly.night import write_report
from reflector_migrate.store.base import run_file
from reflector_migrate.store.clock import now
from reflector_migrate.store.runs import RunRecord
from tests.restart_servers import timed

pytestmark = [pytest.mark.live, pytest.mark.timeout(400)]

T = TypeVar("T")
WAIT_S = 240
PRIMARY, CANDIDATE, HEARD, STORED = "zero-start", "silent-track", "solo", "no-words"
"""The recording whose row, answer or stored account is poisoned, by what it is.

The comparison of the one whose answer was poisoned is poisoned at the end.
"""

FIELD = "events.0.data.waveform: not a list"
POISON = """ UPDATE transcript SET events = '[{"event": "WAVEFORM", "data": {}}]'
             WHERE id = NEW.id; """


def test_each_poison_ends_its_run_and_the_next_is_compared(stack: Sandbox, tmp_path: Path) -> None:
    """Rows of both sides, a stored account, an answer, two messages, and a comparison."""
    settings, began = stack.settings, now()
    harness = Harness.of(settings)
    ids = {n: _recording(settings, n) for n in (PRIMARY, CANDIDATE, HEARD, STORED)}
    with _one_place(stack), StandinControl(settings.sandbox.control_url or "") as control:
        with _poisoned(stack, ids):
            _start(settings, PRIMARY)  # has the place while the others are poisoned
            runs = {PRIMARY: _run(harness, ids[PRIMARY], began)}
            for name in (HEARD, CANDIDATE, STORED):
                _start(settings, name)
                runs[name] = _run(harness, ids[name], began)
                if name == CANDIDATE:
                    _poison_row(settings, runs[name])
                elif name == HEARD:
                    control.set_fault("recogniser", "malformed_body", match=runs[name].run_id)
            _send_poison(harness)
            ended = {name: _ended(harness, run) for name, run in runs.items()}
        control.clear_faults()
        again = now()
        _start(settings, STORED)
        following = _ended(harness, _run(harness, ids[STORED], again))
    assert following.state == RunState.COMPARED, following.reason
    assert _verdict(harness, following)[0] is Verdict.MATCHED
    assert harness.runs.count_in_flight() == 0
    said = {name: _verdict(harness, run) for name, run in ended.items() if name != STORED}
    assert said[PRIMARY] == (
        Verdict.ERRORED, "unreadable", f"primary (celery): unreadable: its row: {FIELD}",
    )  # fmt: skip
    assert said[CANDIDATE] == (
        Verdict.DIVERGED, "unreadable", f"candidate (conductor): unreadable: its row: {FIELD}",
    )  # fmt: skip
    assert said[HEARD][:2] == (Verdict.DIVERGED, "hypothesis-failed")
    assert "recogniser answered something that is not JSON" in said[HEARD][2]
    stored = ended[STORED]
    why = "unreadable: the primary's stored account: recording: Field required"
    assert (stored.state, stored.reason, stored.is_reopenable) == ("failed", why, False)
    why = "unreadable: its stored comparison: recording: Field required"
    with _poisoned_comparison(stack, ended[HEARD].run_id):
        assert _verdict(harness, ended[HEARD]) == (Verdict.ERRORED, "unreadable", why)
        _is_shown(harness, ids, began, tmp_path)


def _is_shown(harness: Harness, ids: dict[str, str], began: Any, folder: Path) -> None:
    """In doctor, in reconcile, on the page and in the checklist; and both messages by field."""
    doctor = rows_can_be_read(harness)
    known = accounts(harness, began, now() + timedelta(seconds=1)).entries
    refused = [d["reason"] for d in harness.dispatches.between(began, now()) if not d["run_id"]]
    page = write_report(harness, began.date().isoformat(), folder / "page.html").read_text()
    answers = {line.item.name: line.answer for line in run_checklist(harness, Phase.SHADOW)}
    assert doctor.state == "fail"
    for name in (PRIMARY, CANDIDATE, STORED):
        assert ids[name] in doctor.why
    assert {e.recording_id for e in known if e.what == "unreadable"} == {*ids.values()}
    assert any("track_keys" in reason for reason in refused), refused
    assert not any(span["task_id"] == "poison" for span in harness.spans.between(began, now()))
    assert "ERRORED" in page
    assert "unreadable" in page  # the rule; what is redacted has no note
    assert "unnamed" in answers["pairs compared / eligible"].recordings


def _send_poison(harness: Harness) -> None:
    """An announcement and timings with fields that are none."""
    with harness.broker() as app:
        for task, message in (
            (DISPATCH, {"transcript_id": "t", "bucket_name": "b", "track_keys": 5, "task_id": "x"}),
            (SPANS, {"transcript_id": "t", "task_id": "poison", "task": ["Ana"]}),
        ):
            app.send_task(task, kwargs={"message": message}, queue="shadow")


@contextmanager
def _one_place(stack: Sandbox) -> Iterator[None]:
    """A place for one candidate at a time; what is refused is asked for again a second later."""
    usual = stack.settings.shadow.max_in_flight
    with ExitStack() as ends:
        ends.enter_context(timed(stack, "transcribe_track", retryDelaySeconds=1))
        change_config(stack.folders, {"shadow": {"max_in_flight": 1}})
        ends.callback(change_config, stack.folders, {"shadow": {"max_in_flight": usual}})
        yield


@contextmanager
def _poisoned(stack: Sandbox, ids: dict[str, str]) -> Iterator[None]:
    """The primary's row of one recording as it ends, and what we store of another's sides."""
    row = f"NEW.status = 'ended' AND NEW.recording_id = '{ids[PRIMARY]}'"
    account = f"""CREATE TRIGGER poison AFTER INSERT ON observations
        WHEN NEW.recording_id = '{ids[STORED]}'
        BEGIN UPDATE observations SET body = '{{}}' WHERE id = NEW.id; END"""
    store = stack.folders.root / "store.db"
    primary = stack.folders.root / "reflector.db"
    _execute(primary, _as_it_ends(row))
    _execute(store, account)
    try:
        yield
    finally:
        for path in (primary, store):
            _execute(path, "DROP TRIGGER poison")


@contextmanager
def _poisoned_comparison(stack: Sandbox, run_id: str) -> Iterator[None]:
    """What is stored of one run's verdict; other tests find it as it was."""
    store = stack.folders.root / "store.db"
    kept = f"(SELECT body FROM comparisons WHERE run_id = '{run_id}') AS body"
    _execute(store, f"CREATE TABLE unpoisoned AS SELECT {kept}")
    _execute(store, f"UPDATE comparisons SET body = '{{}}' WHERE run_id = '{run_id}'")
    try:
        yield
    finally:
        body = "(SELECT body FROM unpoisoned)"
        _execute(store, f"UPDATE comparisons SET body = {body} WHERE run_id = '{run_id}'")
        _execute(store, "DROP TABLE unpoisoned")


def _as_it_ends(condition: str) -> str:
    return f"""CREATE TRIGGER poison AFTER UPDATE OF status ON transcript
        WHEN {condition} BEGIN {POISON} END"""


def _poison_row(settings: Settings, run: RunRecord) -> None:
    """The candidate's, in the run's own tables."""
    path = run_file(settings.candidate.database_url or "", run.run_id)
    _execute(path, _as_it_ends("NEW.status = 'ended'"))


def _execute(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path, timeout=20)
    try:
        with connection:
            connection.execute(statement)
    finally:
        connection.close()


def _recording(settings: Settings, name: str) -> str:
    return load_recording(settings.sandbox.recordings, name).recording_id


def _start(settings: Settings, name: str) -> None:
    recording = load_recording(settings.sandbox.recordings, name)
    set_stage(Harness.of(settings), recording)
    start_primary(settings, recording)


def _run(harness: Harness, recording_id: str, since: Any) -> RunRecord:
    """The recording's newest run, once its inputs were copied."""

    def found() -> RunRecord | None:
        run = harness.runs.latest(recording_id)
        is_new = run is not None and run.created_at >= since
        early = (RunState.CLAIMED, RunState.SNAPSHOTTING)
        return run if is_new and run is not None and run.state not in early else None

    return _eventually(found)


def _ended(harness: Harness, run: RunRecord) -> RunRecord:
    def found() -> RunRecord | None:
        now_there = harness.runs.by_id(run.run_id)
        return now_there if now_there is not None and now_there.state in ENDS else None

    return _eventually(found)


def _verdict(harness: Harness, run: RunRecord) -> tuple[Verdict, str, str]:
    """Verdict, with rule and note of what says whether both sides ended."""
    assert run.state == RunState.COMPARED, run.reason
    found = harness.evidence.first(run.run_id)
    assert found is not None
    completion = next(check for check in found.checks if check.name == "completion")
    return found.verdict, completion.rule, completion.note


def _eventually(look: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {WAIT_S} s")
