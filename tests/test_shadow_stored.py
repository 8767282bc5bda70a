"""Attached, `compare` shows what is stored: a run that has not ended says where it is, or waits."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from reflector_migrate.cli.main import cli
from reflector_migrate.conductor.progress import Progress
from reflector_migrate.cutover.infrastructure import rows_can_be_read
from reflector_migrate.errors import InputError, OutageError
from reflector_migrate.harness import Harness
from reflector_migrate.model import Comparison, Engine, Observation, Role, Side, Verdict
from reflector_migrate.pipeline.rows import Rows, create_all
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.advance import advance
from reflector_migrate.shadow.observe.lookup import stored_comparison
from reflector_migrate.shadow.process import Shadow
from reflector_migrate.store.base import writing
from reflector_migrate.store.clock import now
from reflector_migrate.store.evidence import Evidence, Spans
from reflector_migrate.store.runs import RunRecord, Runs
from tests.a_run import RUN
from tests.answering import answering, at
from tests.new_stores import new_store
from tests.run_states import brought

pytestmark = pytest.mark.heavy


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A run that started four minutes ago, of a transcript that is being processed."""
    urls = {name: f"sqlite:///{tmp_path}/{name}.db" for name in ("store", "reflector")}
    (tmp_path / "migrate.toml").write_text(
        f'[store]\nurl = "{urls["store"]}"\n[reflector]\ndatabase_url = "{urls["reflector"]}"\n'
    )
    made = Settings.model_validate(
        {"store": {"url": urls["store"]}, "reflector": {"database_url": urls["reflector"]}}
    )
    new_store(made.store_url)
    create_all(urls["reflector"])
    rows = Rows.at(urls["reflector"])
    rows.insert_recording(id="rec", bucket_name="b", object_key="k", recorded_at=now())
    rows.insert_transcript(
        id="t-1", recording_id="rec", status="processing", created_at=now(), source_kind="room"
    )
    began = now() - timedelta(minutes=4, seconds=12)
    run = RunRecord(
        run_id="run-1", claim="c", recording_id="rec", transcript_id="t-1", namespace="shadow",
        build="b", state="started", primary_task_id="task", workflow_id="wf-1",
        created_at=began, updated_at=began, started_at=began,
    )  # fmt: skip
    assert Runs(made.store_url).claim(run)
    return made


def _collect(settings: Settings) -> str:
    """Have a collector look once, however lately another did; the run's state then."""
    runs = Runs(settings.store_url)
    advance(Shadow(Harness.of(settings), lambda _run, _delay_s: None), "run-1")
    found = runs.by_id("run-1")
    assert found is not None
    return found.state


def _again(settings: Settings) -> None:
    """What `migrate retry` does to the run."""
    Progress(Harness.of(settings)).again("run-1", "wf-1")
    brought(Runs(settings.store_url), "run-1", "started")


def test_a_run_that_is_run_again_has_its_whole_time(settings: Settings) -> None:
    """An old run is not late the moment it is reopened; late, it frees its place and no more."""
    nowhere = {"conductor": {"server_url": "http://127.0.0.1:9/api"}, "shadow": {"timeout_s": 60.0}}
    settings = Settings.model_validate({**settings.model_dump(), **nowhere})
    Progress(Harness.of(settings)).again("run-1", "wf-1")
    assert _collect(settings) == "started"
    impatient = settings.model_copy(
        update={"shadow": settings.shadow.model_copy(update={"timeout_s": 0.01})}
    )
    assert _collect(impatient) == "settling"  # the server is away: nothing is concluded of that


def _observing(monkeypatch: pytest.MonkeyPatch, look: Callable[[Role], str]) -> None:
    """Have both sides observed with the status that `look` says."""

    def seen(role: Role) -> Observation:
        made = {"recording": "rec", "run_id": "run-1", "role": role}
        return Observation(engine=Engine.CELERY, status=look(role), **made)

    for name, role in (("primary", Role.PRIMARY), ("candidate", Role.CANDIDATE)):
        monkeypatch.setattr(
            f"reflector_migrate.shadow.collector.observe_{name}",
            lambda _settings, _run, role=role: seen(role),
        )


@pytest.mark.parametrize("is_retried", [True, False])
def test_a_run_retried_while_it_is_judged_is_judged_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, is_retried: bool
) -> None:
    """The failed result is not kept as its last, and the run stays with the collector."""

    def look(role: Role) -> str:
        if is_retried and role is Role.CANDIDATE:
            _again(settings)  # just now
        return "completed"

    _observing(monkeypatch, look)
    with _ended(settings) as there:
        assert _collect(there) == ("started" if is_retried else "compared")
    assert (Evidence(settings.store_url).comparison("run-1") is None) is is_retried


def test_a_run_retried_after_its_verdict_is_compared_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it stands now; until then nothing is said of it; the first verdict is named beside it."""
    status = {Role.CANDIDATE: "failed"}
    _observing(monkeypatch, lambda role: status.get(role, "completed"))
    monkeypatch.setattr("reflector_migrate.shadow.decision.ASKED_WITHIN_S", 0.0)
    with _ended(settings) as there:
        assert _collect(there) == "compared"
        assert Evidence(settings.store_url).comparison("run-1").verdict is Verdict.DIVERGED
        _again(settings)
        assert stored_comparison(Harness.of(there), "rec").verdict is Verdict.INCONCLUSIVE
        status[Role.CANDIDATE] = "completed"
        assert _collect(there) == "compared"
    anew = Evidence(settings.store_url).comparison("run-1")
    assert anew.verdict is not Verdict.DIVERGED
    assert anew.candidate.status == "completed"
    assert anew.notes[-1].startswith("run again manually: its night keeps the first verdict of ")
    assert anew.notes[-1].endswith(", DIVERGED")
    assert Evidence(settings.store_url).first("run-1").verdict is Verdict.DIVERGED


def test_the_end_before_a_retry_is_not_judged(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Marked to be run again: until the server was asked, its workflow has the old end."""
    seen: list[Role] = []

    def look(role: Role) -> str:
        seen.append(role)
        return "completed"

    _observing(monkeypatch, look)
    Progress(Harness.of(settings)).again("run-1", "wf-1")
    with _ended(settings) as there:
        assert _collect(there) == "started"
        assert Role.CANDIDATE not in seen
        monkeypatch.setattr("reflector_migrate.shadow.decision.ASKED_WITHIN_S", 0.0)
        assert _collect(there) == "compared"
    assert seen == [Role.PRIMARY, Role.CANDIDATE]


def test_a_waivers_file_with_a_fault_is_judged_again_once_it_is_right(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Both observations stay, the place is free, and nothing is observed a second time."""
    seen: list[Role] = []
    _observing(monkeypatch, lambda role: seen.append(role) or "completed")
    waivers = tmp_path / "waivers.toml"
    waivers.write_text("[[waiver]\n")
    judged = settings.judge.model_copy(update={"waivers_file": waivers})
    runs = Runs(settings.store_url)
    with _ended(settings.model_copy(update={"judge": judged})) as there:
        assert _collect(there) == "observed"
        assert runs.count_in_flight() == 0
        run = runs.by_id("run-1")
        assert run.reason
        assert run.next_at > now()
        waivers.write_text("")
        assert _collect(there) == "compared"
    assert seen == [Role.PRIMARY, Role.CANDIDATE]
    assert runs.by_id("run-1").reason is None


def test_a_foreign_error_says_its_class_and_place_alone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its text may hold a transcript's words; after some tries the run ends with the reason."""

    def look(_role: Role) -> str:
        raise KeyError("Ana will be dismissed")

    _observing(monkeypatch, look)
    with _ended(settings) as there:
        states = [_collect(there) for _ in range(10)]
    assert states == ["settling"] * 9 + ["failed"]
    run = Runs(settings.store_url).by_id("run-1")
    assert run.reason.startswith("KeyError at ")
    assert run.is_reopenable
    assert "dismissed" not in caplog.text + run.reason


@contextmanager
def _ended(settings: Settings) -> Iterator[Settings]:
    """Both sides have: a primary whose effects are not waited for, a workflow that failed."""
    Rows.at(settings.reflector.database_url or "").update_transcript("t-1", status="ended")
    given = {**RUN.model_dump(mode="json"), "run_id": "run-1", "transcript_id": "t-1"}
    failed = {"workflowId": "wf-1", "status": "FAILED", "tasks": [], "input": {"run": given}}
    shadow = settings.shadow.model_copy(update={"settle_s": 0.0, "chain_s": 0.0})

    def server(_method: str, path: str) -> tuple[int, object]:
        return 200, [] if "/correlated/" in path or "/running/" in path else failed

    with answering(server) as url:
        yield at(settings.model_copy(update={"shadow": shadow}), url)


def _compared(settings: Settings) -> None:
    sides = {
        "primary": Side(role=Role.PRIMARY, engine=Engine.CELERY),
        "candidate": Side(role=Role.CANDIDATE, engine=Engine.CONDUCTOR),
    }
    found = Comparison(recording="rec", run_id="run-1", verdict=Verdict.MATCHED, **sides)
    Evidence(settings.store_url).add([], found, now().date().isoformat())
    brought(Runs(settings.store_url), "run-1", "compared")


def _compare(tmp_path: Path, *more: str) -> Result:
    config = ["--config", str(tmp_path / "migrate.toml")]
    return CliRunner().invoke(cli, [*config, "compare", "rec", *more])


def test_a_run_that_has_not_ended_says_where_it_is(settings: Settings, tmp_path: Path) -> None:
    """INCONCLUSIVE, exit 3, with what either side is doing and for how long."""
    notes = stored_comparison(Harness.of(settings), "rec").notes
    assert notes[0] == "the candidate's run is started"
    assert any(note.startswith("primary    processing") for note in notes)
    assert notes[-1].startswith("4m1")
    shown = _compare(tmp_path)
    assert (shown.exit_code, "INCONCLUSIVE" in shown.stdout) == (3, True)
    told = json.loads(_compare(tmp_path, "--json").stdout)
    assert (told["verdict"], told["exit_code"], told["ok"]) == ("INCONCLUSIVE", 3, False)


def test_it_can_be_waited_for(settings: Settings, tmp_path: Path) -> None:
    """--wait gives the verdict as soon as there is one, and gives up after its time."""
    assert _compare(tmp_path, "--wait", "0.1s").exit_code == 3
    later = threading.Timer(0.7, _compared, [settings])
    later.start()
    shown = _compare(tmp_path, "--wait", "1m")
    later.join()
    assert (shown.exit_code, "MATCHED" in shown.stdout) == (0, True)


@pytest.mark.parametrize("text", ["soon", "-1s", "10y", ""])
def test_a_duration_is_a_number_with_a_unit(tmp_path: Path, text: str) -> None:
    """Anything else is a mistake of usage, before anything is looked up."""
    assert _compare(tmp_path, "--wait", text).exit_code == 2


def test_a_recording_that_has_not_begun_is_waited_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as was asked, where Reflector knows it; another one is given up at once.

    An outage of Reflector's database in between is waited for too.
    """
    rows = Rows.at(settings.reflector.database_url)
    rows.insert_recording(id="later", bucket_name="b", object_key="k", recorded_at=now())
    run = RunRecord(
        run_id="run-2", claim="d", recording_id="later", transcript_id="t-2", namespace="shadow",
        state="skipped", reason="not sampled", created_at=now(), updated_at=now(),
    )  # fmt: skip
    later = threading.Timer(0.7, Runs(settings.store_url).claim, [run])
    later.start()
    asked: list[str] = []

    def away_once(self: Rows, ids: list[str]) -> frozenset[str]:
        asked.extend(ids)
        if len(asked) == 1:
            raise OutageError("reflector.database_url does not answer")
        return known(self, ids)

    known = Rows.known_recordings
    monkeypatch.setattr(Rows, "known_recordings", away_once)
    found = stored_comparison(Harness.of(settings), "later", wait_s=60)
    later.join()
    assert found.notes[0] == "the candidate's run is skipped: not sampled"
    began = now()
    with pytest.raises(InputError, match="nothing is stored"):
        stored_comparison(Harness.of(settings), "another", wait_s=60)
    assert now() - began < timedelta(seconds=20)


@pytest.mark.parametrize(
    ("role", "verdict"), [(Role.PRIMARY, Verdict.ERRORED), (Role.CANDIDATE, Verdict.DIVERGED)]
)
@pytest.mark.parametrize(
    ("poison", "said"),
    [
        (
            {"topics": [{"id": "x", "title": "Ana is fired", "timestamp": 0.0}]},
            "topics.0.summary: ",
        ),
        ({"events": [{"event": "WAVEFORM", "data": {}}]}, "events.0.data.waveform: "),
        ({"participants": ["Ana"]}, "participants.0: "),
    ],
)
def test_a_row_that_our_models_refuse_ends_its_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, role: Role, verdict: Verdict,
    poison: dict[str, Any], said: str,
) -> None:  # fmt: skip
    """With the side and the field named, and no word of the row: no place waits for it."""
    from reflector_migrate.judge.compare import compare
    from reflector_migrate.shadow.observe import reader

    monkeypatch.setattr(reader, "effects_of", lambda *_about: ((), ()))
    Rows.at(settings.reflector.database_url).update_transcript("t-1", status="ended", **poison)
    seen = reader.observe(Harness.of(settings), reader.primary_of(settings), "rec", role=role)
    assert said in str(seen.error)
    assert "Ana" not in str(seen.error)
    whole = Observation(recording="rec", role=Role.PRIMARY, engine=Engine.CELERY,
                        status="completed")  # fmt: skip
    sides = (seen, whole) if role is Role.PRIMARY else (whole, seen)
    found = compare(*sides)
    assert (found.verdict, found.checks[0].rule) == (verdict, "unreadable")
    assert said in found.checks[0].note


@pytest.mark.parametrize("role", [Role.PRIMARY, Role.CANDIDATE])
def test_a_stored_account_that_cannot_be_read_ends_its_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    role: Role,
) -> None:  # fmt: skip
    """At the first try, with side and field; its place is free, and the log has no word of it."""
    _observing(monkeypatch, lambda _role: "completed")
    poison = Observation(recording="rec", run_id="run-1", role=role, engine=Engine.CELERY,
                         status="completed", error="Ana is out")  # fmt: skip
    Evidence(settings.store_url).keep(poison)
    _poison(settings.store_url, "observations", '"status":"completed"', '"state":"completed"')
    with _ended(settings) as there:
        assert _collect(there) == "failed"
    runs = Runs(settings.store_url)
    run = runs.by_id("run-1")
    assert run is not None
    assert run.reason == f"unreadable: the {role.value}'s stored account: status: Field required"
    assert (run.is_reopenable, runs.count_in_flight()) == (False, 0)
    assert "Ana" not in caplog.text
    said = rows_can_be_read(Harness.of(settings))
    assert (said.state, said.why) == ("fail", f"rec: {run.reason}")


def test_an_earlier_account_that_cannot_be_read_harms_no_other_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run of that recording is judged without it."""
    _observing(monkeypatch, lambda _role: "completed")
    earlier = Observation(recording="rec", run_id="run-0", role=Role.CANDIDATE,
                          engine=Engine.CELERY, status="completed")  # fmt: skip
    Evidence(settings.store_url).keep(earlier)
    _poison(settings.store_url, "observations", '"status":"completed"', '"state":"completed"')
    with _ended(settings) as there:
        assert _collect(there) == "compared"


def test_timings_that_cannot_be_read_end_their_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message of the plugin that came in by another door: side and field, and no place held."""
    _observing(monkeypatch, lambda _role: "completed")
    Spans(settings.store_url).add(
        {"task_id": "task", "transcript_id": "t-1", "root_id": "task", "task": 5}
    )
    with _ended(settings) as there:
        assert _collect(there) == "failed"
    run = Runs(settings.store_url).by_id("run-1")
    assert run is not None
    assert run.reason == ("unreadable: the primary's timings: task: Input should be a valid string")


def _poison(url: str, table: str, old: str, new: str) -> None:
    with writing(url) as connection:
        query = f"UPDATE {table} SET body = replace(body, :old, :new)"
        done = connection.execute(text(query), {"old": old, "new": new})
        assert done.rowcount


def test_nothing_at_all_is_not_a_comparison(settings: Settings) -> None:
    """An unknown recording is an error of input, not an empty match."""
    with pytest.raises(InputError, match="nothing is stored"):
        stored_comparison(Harness.of(settings), "another")
