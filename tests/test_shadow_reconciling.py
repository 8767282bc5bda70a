"""Reconciliation: what the primary took up is eligible, announced or not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from reflector_migrate.cli.main import cli
from reflector_migrate.cutover.gated import ByGates
from reflector_migrate.cutover.items import State
from reflector_migrate.harness import Harness
from reflector_migrate.model import Check, Comparison, Engine, Role, Side, Verdict
from reflector_migrate.model.run_life import LIFE, OPEN
from reflector_migrate.pipeline.rows import Rows, create_all
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.nightly.accounts import accounts
from reflector_migrate.shadow.nightly.night import gather
from reflector_migrate.shadow.nightly.reconciliation import Fate, reconcile
from reflector_migrate.shadow.recover.replay import announcements
from reflector_migrate.store.clock import now
from reflector_migrate.store.evidence import Evidence
from reflector_migrate.store.runs import Dispatches, RunRecord, Runs
from reports.page import render_page
from tests.new_stores import new_store
from tests.run_states import brought

KEY = (
    "room-20261123100000/1763892000000-11111111-2222-3333-4444-555555555555-cam-audio-1763892001000"
)
HOUR_AGO = timedelta(hours=1)
COVERAGE = ByGates(layers=frozenset({"coverage"}))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An empty store and an empty database of the primary's."""
    return _settings(tmp_path, f"sqlite:///{tmp_path}/s.db", f"sqlite:///{tmp_path}/reflector.db")


def _settings(tmp_path: Path, *urls: str) -> Settings:
    made = Settings.model_validate(
        {"state_dir": tmp_path, "store": {"url": urls[0]}, "reflector": {"database_url": urls[1]}}
    )
    new_store(urls[0])
    create_all(urls[1])
    return made


def _ran(settings: Settings, name: str, *, ago: timedelta = HOUR_AGO, status: str = "ended",
         keys: list[str] | None = [KEY], room: str = "board") -> None:  # fmt: skip  # noqa: B006
    rows = Rows.at(settings.reflector.database_url or "")
    if rows.room_named(room) is None:
        rows.insert_room(id=room, name=room, user_id="u", created_at=now(), platform="daily")
    rows.insert_recording(id=name, bucket_name="b", object_key="o", recorded_at=now() - ago,
                          track_keys=keys)  # fmt: skip
    rows.insert_transcript(id=f"t-{name}", recording_id=name, status=status, room_id=room,
                           created_at=now() - ago, source_kind="room")  # fmt: skip


def _announced(settings: Settings, name: str, outcome: str = "started", reason: str = "") -> None:
    Dispatches(settings.store_url).add(name, outcome, run_id=f"run-{name}", reason=reason)


def _compared(settings: Settings, name: str, *, note: str = "", primary: str = "completed") -> None:
    sides = {
        "primary": Side(role=Role.PRIMARY, engine=Engine.CELERY, status=primary),
        "candidate": Side(role=Role.CANDIDATE, engine=Engine.CONDUCTOR, status="completed"),
    }
    checks = (Check(name="completion", verdict=Verdict.MATCHED, rule="completion", note=note),)
    found = Comparison(recording=name, run_id=f"run-{name}", verdict=Verdict.MATCHED,
                       checks=checks if note else (), **sides)  # fmt: skip
    Evidence(settings.store_url).add([], found, now().date().isoformat())


def _fates(settings: Settings) -> dict[str, Fate]:
    ledger = reconcile(Harness.of(settings), now() - timedelta(days=1), now() + timedelta(days=1))
    return {entry.recording_id: entry.fate for entry in ledger.entries}


def test_each_recording_has_its_fate(settings: Settings) -> None:
    """Compared, failed, skipped and open come from announcements; lost from the rows alone."""
    _check_fates(settings)


@pytest.mark.live
def test_each_recording_has_its_fate_on_postgresql(postgres_server, tmp_path: Path) -> None:
    """The same on the database that a real deployment has."""
    _check_fates(_settings(tmp_path, *(postgres_server.create_database() for _ in range(2))))


def _check_fates(settings: Settings) -> None:
    for name in ("good", "broken", "unsampled", "running", "silent"):
        _ran(settings, name)
    for name, outcome in (("good", "started"), ("broken", "failed"), ("unsampled", "skipped"),
                          ("running", "started")):  # fmt: skip
        _announced(settings, name, outcome)
    _compared(settings, "good")
    assert _fates(settings) == {
        "good": Fate.COMPARED, "broken": Fate.FAILED, "unsampled": Fate.SKIPPED,
        "running": Fate.OPEN, "silent": Fate.LOST,
    }  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"keys": None}, id="a single file"),
        pytest.param({"keys": []}, id="no audio"),
        pytest.param({"keys": ["r/1-x-screen-audio-2"]}, id="no cam-audio track"),
        pytest.param({"status": "idle"}, id="the pipeline has not begun"),
        pytest.param({"ago": timedelta(minutes=1)}, id="may still be on its way"),
        pytest.param({"ago": timedelta(days=3)}, id="another night"),
    ],
)
def test_what_the_pipeline_never_took_up_is_not_eligible(settings: Settings, changes) -> None:
    """Only multitrack recordings of the window that have begun."""
    _ran(settings, "one", **changes)
    assert _fates(settings) == {}


def test_a_claimed_run_that_waits_for_a_place_is_not_lost(settings: Settings) -> None:
    """It has no outcome yet, but it was announced."""
    _ran(settings, "one")
    _claimed(settings, "one", "waiting")
    assert _fates(settings) == {"one": Fate.OPEN}


def _claimed(settings: Settings, name: str, state: str, recording_id: str | None = None) -> None:
    run = RunRecord(
        run_id=f"run-{name}", claim=name, transcript_id=f"t-{name}", namespace="shadow",
        recording_id=name if recording_id is None else recording_id, primary_task_id="task",
    )  # fmt: skip
    assert Runs(settings.store_url).claim(run)
    if state != "claimed":
        brought(Runs(settings.store_url), run.run_id, state)


def test_the_state_of_a_run_is_believed_before_the_register(settings: Settings) -> None:
    """A register that missed a line does not keep a compared run open for ever."""
    _ran(settings, "one")
    _claimed(settings, "one", "compared")
    _announced(settings, "one", "started")
    assert _fates(settings) == {"one": Fate.OPEN}  # no comparison is stored of it
    _compared(settings, "one")
    assert _fates(settings) == {"one": Fate.COMPARED}
    _ran(settings, "two")
    _claimed(settings, "two", "failed")
    _announced(settings, "two", "started")
    assert _fates(settings)["two"] is Fate.FAILED


def test_a_run_whose_recording_was_not_read_yet_is_not_lost_besides(settings: Settings) -> None:
    """It is known by its transcript: one recording is one entry."""
    _ran(settings, "one")
    _claimed(settings, "one", "failed", recording_id="")
    ledger = reconcile(Harness.of(settings), now() - timedelta(days=1), now() + timedelta(days=1))
    assert [(e.recording_id, e.fate) for e in ledger.entries] == [("t-one", Fate.FAILED)]


def test_a_room_left_out_is_skipped_not_lost(settings: Settings) -> None:
    """Who would not have been shadowed anyway is not missed, even without an announcement."""
    _ran(settings, "in", room="board")
    _ran(settings, "out", room="kitchen")
    bounds = settings.shadow.model_copy(update={"rooms": ("board",)})
    assert _fates(settings.model_copy(update={"shadow": bounds})) == {
        "in": Fate.LOST, "out": Fate.SKIPPED,
    }  # fmt: skip


def test_an_announcement_that_comes_twice_changes_nothing(settings: Settings) -> None:
    """A failed run stays failed when its message is delivered again."""
    _ran(settings, "one")
    _announced(settings, "one", "failed", "track is gone")
    _announced(settings, "one", "duplicate", "run is failed")
    assert _fates(settings) == {"one": Fate.FAILED}


def test_the_page_and_the_checklist_name_what_was_lost(settings: Settings) -> None:
    """98 compared and two never announced: the item is held, and both are named."""
    night = now().date().isoformat()
    ago = min(HOUR_AGO, now() - datetime.now(UTC).replace(hour=0, minute=0, second=0))
    for number in range(98):
        _announced(settings, f"r{number}")
        _compared(settings, f"r{number}")
    _make_first_announcement_older(settings)
    for number in range(2):
        _ran(settings, f"lost-{number}", ago=max(ago, timedelta(minutes=6)))
    answer = COVERAGE(Harness.of(settings))
    assert (answer.state, answer.n) == (State.PENDING, 100)
    assert "98 of 100 compared; 2 lost; first lost-0, lost-1" in answer.why
    told = gather(Harness.of(settings), night)
    if told.coverage.lost:  # not in the first minutes after midnight
        assert (told.coverage.eligible, told.coverage.missing) == (100, 2)
        assert told.verdict is Verdict.INCONCLUSIVE
        page = render_page(told)
        assert "2 recordings ran on the primary but were never announced: lost-0, lost-1" in page
        assert "2 (2 never announced)" in page


def test_without_the_primarys_rows_nothing_passes(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Announcements alone cannot show that none was lost: pending, and the page says why."""
    _announced(settings, "one")
    _compared(settings, "one")
    gone = settings.reflector.model_copy(update={"database_url": f"sqlite:///{tmp_path}/no/x.db"})
    blind = settings.model_copy(update={"reflector": gone})
    answer = COVERAGE(Harness.of(blind))
    assert (answer.state, answer.n) == (State.PENDING, 0)
    assert "rows cannot be read" in caplog.text
    told = gather(Harness.of(blind), now().date().isoformat())
    assert told.verdict is Verdict.INCONCLUSIVE
    assert "so lost recordings are unknown" in render_page(told)


def test_what_was_lost_is_announced_as_the_plugin_would_have(settings: Settings) -> None:
    """Its own tracks only, at the time its row was made; under the task's id where spans came."""
    from reflector_migrate.store.evidence import Spans

    _ran(settings, "lost", keys=[KEY, "r/1-x-screen-audio-2"])
    _ran(settings, "known")
    _announced(settings, "known")
    found = list(announcements(Harness.of(settings), now() - timedelta(days=1), now()))
    assert [(one.recording_id, one.transcript_id) for one in found] == [("lost", "t-lost")]
    assert (found[0].bucket_name, found[0].track_keys) == ("b", (KEY,))
    assert found[0].task_id is None
    assert found[0].published_at is not None
    assert abs(now() - HOUR_AGO - found[0].published_at) < timedelta(minutes=1)
    span = {"transcript_id": "t-lost", "task_id": "task-7", "root_id": "root-7"}
    Spans(settings.store_url).add({**span, "task": "x.task_pipeline_multitrack_process"})
    (again,) = announcements(Harness.of(settings), now() - timedelta(days=1), now())
    assert (again.task_id, again.root_id) == ("task-7", "root-7")


@pytest.mark.parametrize(
    ("keys", "field"), [(5, "track_keys: "), ([f"../{KEY}"], "track_keys.0: ")]
)
def test_a_recording_that_cannot_be_announced_hinders_no_other(
    settings: Settings, caplog: pytest.LogCaptureFixture, keys: list[str], field: str
) -> None:
    """It stays lost, by name, and the log says which field of its row is refused."""
    _ran(settings, "poisoned", keys=keys)
    _ran(settings, "lost")
    found = list(announcements(Harness.of(settings), now() - timedelta(days=1), now()))
    assert [one.recording_id for one in found] == ["lost"]
    assert _fates(settings) == {"poisoned": Fate.LOST, "lost": Fate.LOST}
    assert f"recording poisoned cannot be announced: shadow message: {field}" in caplog.text


def _make_first_announcement_older(settings: Settings) -> None:
    from sqlalchemy import update

    from reflector_migrate.store.base import writing
    from reflector_migrate.store.tables import dispatches

    with writing(settings.store_url) as connection:
        connection.execute(
            update(dispatches).where(dispatches.c.recording_id == "r0")
            .values(at=now() - timedelta(hours=2))
        )  # fmt: skip


def _accounted(settings: Settings) -> dict[str, tuple[str, str]]:
    found = accounts(Harness.of(settings), now() - timedelta(days=1), now() + timedelta(days=1))
    return {entry.recording_id: (entry.what, entry.why) for entry in found.entries}


def test_every_recording_is_accounted_for(settings: Settings) -> None:
    """Each in one word and with its reason; what is open names what bounds it."""
    for name in ("good", "gone", "unreadable", "primary-failed", "unsampled", "waits", "runs"):
        _ran(settings, name)
    _ran(settings, "silent")
    for name, state in (("good", "compared"), ("waits", "waiting"), ("runs", "started"),
                        ("unreadable", "compared"), ("primary-failed", "compared")):  # fmt: skip
        _claimed(settings, name, state)
    _compared(settings, "good")
    _compared(settings, "unreadable", note="primary (celery): unreadable: its row: Topic: title")
    _compared(settings, "primary-failed", note="both failed", primary="failed")
    _announced(settings, "gone", "failed", "a track is gone")
    _announced(settings, "unsampled", "skipped", "not sampled")
    found = _accounted(settings)
    assert found.pop("waits")[0] == "waiting"
    assert found.pop("runs")[0] == "running"
    assert found == {
        "good": ("compared", "MATCHED"),
        "gone": ("failed", "a track is gone"),
        "unreadable": ("unreadable", "primary (celery): unreadable: its row: Topic: title"),
        "primary-failed": ("failed", "primary: both failed"),
        "unsampled": ("sampled out", "not sampled"),
        "silent": ("lost", ""),
    }
    bounds = {
        e.bound for e in accounts(Harness.of(settings), now() - timedelta(days=1), now()).entries
    }
    assert "shadow.place_wait_s, then failed" in bounds
    assert all(row.bound for row in LIFE if row.to and row.state in OPEN)


def test_what_waits_for_tomorrow_says_so(settings: Settings) -> None:
    """A run that waits for its place while a day's budget is used up."""
    _ran(settings, "one")
    _claimed(settings, "one", "waiting")
    _claimed(settings, "other", "started")
    tight = settings.shadow.model_copy(update={"budget_gpu_seconds_per_day": 1.0})
    found = _accounted(settings.model_copy(update={"shadow": tight}))
    assert found["one"][0] == "over budget"


def test_the_command_lists_what_is_not_settled(settings: Settings, tmp_path: Path) -> None:
    """Exit 1 while a recording is lost; 0 once each is compared or was not wanted."""
    path = tmp_path / "migrate.toml"
    path.write_text(
        f'[store]\nurl = "{settings.store_url}"\n'
        f'[reflector]\ndatabase_url = "{settings.reflector.database_url}"\n',
        encoding="utf-8",
    )
    _ran(settings, "good")
    _ran(settings, "silent")
    _claimed(settings, "good", "compared")
    _compared(settings, "good")

    def told(*more: str) -> tuple[int, str]:
        argv = ["--config", str(path), "reconcile", "--since", "24h", *more]
        said = CliRunner().invoke(cli, argv, catch_exceptions=False)
        return said.exit_code, said.stdout

    code, text = told()
    assert (code, "1  compared" in text, "lost         silent" in text) == (1, True, True)
    code, text = told("--json")
    assert [one["what"] for one in json.loads(text)["recordings"]] == ["compared", "lost"]
    _claimed(settings, "silent", "compared")
    _compared(settings, "silent")
    assert told()[0] == 0
