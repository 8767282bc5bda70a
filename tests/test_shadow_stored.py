"""Attached, `compare` shows what is stored: a run that has not ended says where it is, or waits."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reflector_migrate.cli.main import cli
from reflector_migrate.conductor.progress import Progress
from reflector_migrate.errors import InputError, MigrateError
from reflector_migrate.model import Comparison, Engine, Observation, Role, Side, Verdict
from reflector_migrate.pipeline.rows import Rows, create_all
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.collector import collect
from reflector_migrate.shadow.observe.lookup import stored_comparison
from reflector_migrate.store.clock import now
from reflector_migrate.store.evidence import Evidence
from reflector_migrate.store.migrate import upgrade
from reflector_migrate.store.runs import RunRecord, Runs
from tests.a_run import RUN
from tests.answering import answering, at


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
    upgrade(made.store_url)
    create_all(urls["reflector"])
    Rows.at(urls["reflector"]).insert_transcript(
        id="t-1", recording_id="rec", status="processing", created_at=now(), source_kind="room"
    )
    began = now() - timedelta(minutes=4, seconds=12)
    values = dict.fromkeys(RunRecord.__slots__, None) | {
        "run_id": "run-1", "claim": "c", "recording_id": "rec", "transcript_id": "t-1",
        "namespace": "shadow", "build": "b", "state": "started", "request": {},
        "created_at": began, "updated_at": began,
    }  # fmt: skip
    Runs(made.store_url).claim(RunRecord(**values))
    return made


def test_a_run_that_is_run_again_has_its_time_anew(settings: Settings) -> None:
    """An old run is not late the moment it is reopened, nor judged before it has ended."""
    nowhere = {"conductor": {"server_url": "http://127.0.0.1:9/api"}, "shadow": {"timeout_s": 60.0}}
    settings = Settings.model_validate({**settings.model_dump(), **nowhere})
    runs, progress = Runs(settings.store_url), Progress(settings)
    runs.update("run-1", "started", workflow_id="wf-1")
    progress.again("run-1", "wf-1")
    assert collect(settings, "run-1") is False
    assert runs.by_id("run-1").state == "started"
    impatient = settings.model_copy(
        update={"shadow": settings.shadow.model_copy(update={"timeout_s": 0.01})}
    )
    assert collect(impatient, "run-1") is True
    assert runs.by_id("run-1").state == "failed"


@pytest.mark.parametrize("is_retried", [True, False])
def test_a_run_retried_while_it_is_judged_is_judged_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, is_retried: bool
) -> None:
    """The failed result is not kept as its last, and the run stays with the collector."""
    runs = Runs(settings.store_url)
    runs.update("run-1", "started", workflow_id="wf-1")

    def observed(_settings: Settings, run: RunRecord, role: Role = Role.PRIMARY) -> Observation:
        if is_retried and role is Role.PRIMARY:
            runs.update(run.run_id, "started")  # what `migrate retry` does, just now
        made = {"recording": "rec", "run_id": run.run_id, "status": "completed", "role": role}
        return Observation(engine=Engine.CELERY, **made)

    monkeypatch.setattr("reflector_migrate.shadow.collector.observe_primary", observed)
    monkeypatch.setattr(
        "reflector_migrate.shadow.collector.observe_candidate",
        lambda settings, run: observed(settings, run, Role.CANDIDATE),
    )
    with _ended(settings) as there:
        assert collect(there, "run-1") is not is_retried
    assert runs.by_id("run-1").state == ("started" if is_retried else "compared")
    assert (Evidence(settings.store_url).comparison("run-1") is None) is is_retried


def test_a_run_retried_after_its_verdict_is_compared_anew(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it stands now; until then nothing is said of it; the first verdict is told beside it."""
    status = {"candidate": "failed"}

    def observed(_settings: Settings, run: RunRecord, role: Role = Role.PRIMARY) -> Observation:
        made = {"recording": "rec", "run_id": run.run_id, "role": role}
        return Observation(engine=Engine.CELERY, status=status.get(role, "completed"), **made)

    monkeypatch.setattr("reflector_migrate.shadow.collector.observe_primary", observed)
    monkeypatch.setattr(
        "reflector_migrate.shadow.collector.observe_candidate",
        lambda settings, run: observed(settings, run, Role.CANDIDATE),
    )
    runs, recording = Runs(settings.store_url), Runs(settings.store_url).by_id("run-1").recording_id
    runs.update("run-1", "started", workflow_id="wf-1")
    with _ended(settings) as there:
        assert collect(there, "run-1") is True
        assert Evidence(settings.store_url).comparison("run-1").verdict is Verdict.DIVERGED
        runs.update("run-1", "started")  # by `migrate retry`
        assert stored_comparison(there, recording).verdict is Verdict.INCONCLUSIVE
        status["candidate"] = "completed"
        assert collect(there, "run-1") is True
    anew = Evidence(settings.store_url).comparison("run-1")
    assert anew.verdict is not Verdict.DIVERGED
    assert anew.candidate.status == "completed"
    assert anew.notes[-1].startswith("run again by hand: the first verdict of ")
    assert ", DIVERGED, " in anew.notes[-1]
    assert Evidence(settings.store_url).first("run-1").verdict is Verdict.DIVERGED


def test_the_end_before_a_retry_is_not_judged(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Marked to be run again: until the server was asked, its workflow has the old end."""
    seen: list[str] = []
    monkeypatch.setattr(
        "reflector_migrate.shadow.collector.observe_primary",
        lambda _settings, run: seen.append(run.run_id),
    )
    monkeypatch.setattr(
        "reflector_migrate.shadow.collector.observe_candidate",
        lambda _settings, _run: (_ for _ in ()).throw(MigrateError("no further")),
    )
    runs = Runs(settings.store_url)
    runs.update("run-1", "started", workflow_id="wf-1")
    Progress(settings).again("run-1", "wf-1")
    with _ended(settings) as there:
        assert collect(there, "run-1") is False
        assert seen == []
        monkeypatch.setattr("reflector_migrate.shadow.collector.ASKED_WITHIN_S", 0.0)
        assert collect(there, "run-1") is False
    assert seen == ["run-1"]


@contextmanager
def _ended(settings: Settings) -> Iterator[Settings]:
    """Both sides have: a primary whose effects are not waited for, a workflow that failed."""
    Rows.at(settings.reflector.database_url or "").update_transcript("t-1", status="ended")
    given = {**RUN.model_dump(mode="json"), "run_id": "run-1", "transcript_id": "t-1"}
    failed = {"workflowId": "wf-1", "status": "FAILED", "tasks": [], "input": {"run": given}}
    shadow = settings.shadow.model_copy(update={"settle_s": 0.0, "chain_s": 0.0})
    with answering(lambda *_: (200, failed)) as url:
        yield at(settings.model_copy(update={"shadow": shadow}), url)


def _compared(settings: Settings) -> None:
    sides = {
        "primary": Side(role=Role.PRIMARY, engine=Engine.CELERY),
        "candidate": Side(role=Role.CANDIDATE, engine=Engine.CONDUCTOR),
    }
    found = Comparison(recording="rec", run_id="run-1", verdict=Verdict.MATCHED, **sides)
    Evidence(settings.store_url).add([], found, now().date().isoformat())
    Runs(settings.store_url).update("run-1", "compared")


def _compare(tmp_path: Path, *more: str) -> Result:
    config = ["--config", str(tmp_path / "migrate.toml")]
    return CliRunner().invoke(cli, [*config, "compare", "rec", *more])


def test_a_run_that_has_not_ended_says_where_it_is(settings: Settings, tmp_path: Path) -> None:
    """INCONCLUSIVE, exit 3, with what either side is doing and for how long."""
    notes = stored_comparison(settings, "rec").notes
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


@pytest.mark.parametrize("text", ["soon", "-1s", "10d", ""])
def test_a_duration_is_a_number_with_a_unit(tmp_path: Path, text: str) -> None:
    """Anything else is a mistake of usage, before anything is looked up."""
    assert _compare(tmp_path, "--wait", text).exit_code == 2


def test_nothing_at_all_is_no_comparison(settings: Settings) -> None:
    """An unknown recording is an error of input, not an empty match."""
    with pytest.raises(InputError, match="nothing is stored"):
        stored_comparison(settings, "another")
