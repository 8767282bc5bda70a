"""The primary's time against the time before the shadow: recorded once, compared pair by pair."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from sqlalchemy import update

from reflector_migrate.cli.main import cli
from reflector_migrate.errors import RefusedError
from reflector_migrate.harness import Harness
from reflector_migrate.judge.gates.baseline import PACE, Timed, against_baseline, timed
from reflector_migrate.judge.gates.evidence import EvidenceLine
from reflector_migrate.judge.gates.gate import judge
from reflector_migrate.judge.gates.recorded import evidence_of
from reflector_migrate.model import Comparison, Engine, Role, Side, Verdict
from reflector_migrate.model.primary_task import PIPELINE
from reflector_migrate.pipeline.rows import Rows, create_all
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.announcement import Announcement
from reflector_migrate.shadow.dispatcher import claim
from reflector_migrate.shadow.nightly.baseline import baseline_for, newest, record
from reflector_migrate.shadow.nightly.gating import stored_evidence
from reflector_migrate.shadow.observe.timings import pipeline_run_s
from reflector_migrate.shadow.process import Shadow
from reflector_migrate.store.audit import Audit
from reflector_migrate.store.base import writing
from reflector_migrate.store.clock import now
from reflector_migrate.store.evidence import Evidence, Spans
from reflector_migrate.store.runs import Runs
from reflector_migrate.store.tables import audit
from tests.gates_world import RULES, gate, line
from tests.new_stores import new_store
from tests.run_states import brought

SIZE = "tracks:2-4 length:short"
TASK = f"reflector.pipelines.{PIPELINE}"


def pace(index: int, log_pace: float, stratum: str = SIZE, **said: Any) -> EvidenceLine:
    """What a shadowed recording's comparison says of the primary's time."""
    return line(index, PACE, log_ratio=log_pace, stratum=f"{stratum} language:en", **said)


def before(n: int, log_pace: float = 0.0, stratum: str = SIZE) -> list[Timed]:
    """Recordings of the baseline, all of one pace."""
    return [Timed(f"old-{i}", stratum, log_pace) for i in range(n)]


def ratios(lines: list[EvidenceLine], baseline: list[Timed]) -> dict[str, float | None]:
    """Recording -> its ratio."""
    found = against_baseline(lines, baseline)
    return {one.recording: one.log_ratio for one in found if one.measure == "primary_time"}


def test_a_recording_is_held_against_one_of_its_size() -> None:
    """The difference of two paces; another size's recordings are not partners."""
    assert ratios([pace(0, 0.3)], before(1, 0.1)) == {"rec-0000": pytest.approx(0.2)}
    assert ratios([pace(0, 0.3)], before(5, 0.1, "tracks:5+ length:short")) == {}
    assert ratios([pace(0, 0.3)], []) == {}


def test_a_partner_serves_once_and_a_recording_counts_once() -> None:
    """Two partners for three recordings: the third says nothing, and a rerun does not either."""
    lines = [pace(0, 0.0), pace(0, 5.0), pace(1, 0.0), pace(2, 0.0)]
    assert sorted(ratios(lines, before(2))) == ["rec-0000", "rec-0001"]


def test_more_evidence_changes_no_earlier_ratio() -> None:
    """Partners are given in the order of arrival, whatever comes later."""
    lines = [pace(i, float(i)) for i in range(40)]
    baseline = [Timed(f"old-{i}", SIZE, i / 100) for i in range(40)]
    early, late = ratios(lines[:10], baseline), ratios(lines, baseline[::-1])
    assert early == {name: late[name] for name in early}


def test_cohorts_do_not_use_up_each_others_partners() -> None:
    """A run with a seeded defect takes none from the deployment."""
    lines = [pace(0, 0.0, defects=("x",)), pace(1, 0.0)]
    assert sorted(ratios(lines, before(1))) == ["rec-0000", "rec-0001"]


@pytest.mark.parametrize(
    ("slower", "state"),
    [
        pytest.param(0.0, "PASS", id="a primary as before passes"),
        pytest.param(0.3, "FAIL", id="a primary a third slower fails"),
    ],
)
def test_the_gate_decides_from_pairs(slower: float, state: str) -> None:
    """400 recordings before and 400 with the shadow, each with a spread of 8 %."""
    draw = np.random.default_rng(3)
    old = [Timed(f"old-{i}", SIZE, float(x)) for i, x in enumerate(draw.normal(0, 0.08, 400))]
    lines = [pace(i, float(x)) for i, x in enumerate(draw.normal(slower, 0.08, 400))]
    found = gate(judge(list(against_baseline(lines, old)), RULES), "primary_time")
    assert found.state.value == state


def test_without_a_baseline_the_gate_names_the_command() -> None:
    """Pending, and how to end that."""
    found = gate(judge(list(against_baseline([pace(0, 0.0)], [])), RULES), "primary_time")
    assert (found.state.value, "migrate baseline record" in found.why) == ("INCONCLUSIVE", True)


@pytest.mark.parametrize(
    ("spans", "said"),
    [
        pytest.param([], None, id="no span came"),
        pytest.param([("SUCCESS", 9.0)], 9.0, id="one try"),
        pytest.param([("FAILURE", 9.0)], None, id="it failed"),
        pytest.param([("FAILURE", 2.0), ("SUCCESS", 9.0)], None, id="it took two tries"),
    ],
)
def test_the_run_time_is_of_one_try(spans: list[tuple[str, float]], said: float | None) -> None:
    """The pipeline's own task; what follows it does not count."""
    found = [{"task": TASK, "state": state, "duration_s": s} for state, s in spans]
    found += [{"task": "x.task_send_webhook", "state": "SUCCESS", "duration_s": 99.0}]
    assert pipeline_run_s(found) == said


# -- over a store


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A deployment whose plugin timed forty recordings, before any candidate ran."""
    primary = f"sqlite:///{tmp_path}/reflector.db"
    made = Settings.model_validate(
        {
            "state_dir": tmp_path,
            "store": {"url": f"sqlite:///{tmp_path}/s.db"},
            "reflector": {"database_url": primary},
        }
    )
    new_store(made.store_url)
    create_all(primary)
    for number in range(40):
        _timed(made, number)
    return made


def _timed(settings: Settings, number: int, **said: Any) -> None:
    rows = Rows.at(settings.reflector.database_url or "")
    rows.insert_recording(
        id=f"old-{number}", bucket_name="b", object_key="o", recorded_at=now(),
        track_keys=["a", "b"],
    )  # fmt: skip
    rows.insert_transcript(
        id=f"t-{number}", recording_id=f"old-{number}", status="ended", created_at=now(),
        duration=300_000.0,
    )  # fmt: skip
    Spans(settings.store_url).add(
        {"task_id": f"c-{number}", "transcript_id": f"t-{number}", "task": TASK, "retries": 0,
         "state": "SUCCESS", "duration_s": 60.0, "spans": [], **said}
    )  # fmt: skip


def _compared(settings: Settings, run_s: float | None) -> None:
    comparison = Comparison(
        recording="rec-1",
        run_id="run-1",
        verdict=Verdict.MATCHED,
        primary=Side(role=Role.PRIMARY, engine=Engine.CELERY, status="completed"),
        candidate=Side(role=Role.CANDIDATE, engine=Engine.CONDUCTOR, status="completed"),
        duration_s=300.0,
        track_count=2,
        primary_run_s=run_s,
    )
    Evidence(settings.store_url).add([], comparison, now().date().isoformat())
    assert all(one.measure != PACE for one in evidence_of(comparison, "2026-11-23"))


def test_the_baseline_is_recorded_and_held_against(settings: Settings) -> None:
    """60 s for 5 minutes of two tracks before, 66 s now: ten per cent more."""
    found = record(Harness.of(settings), None, None)
    assert found.sizes == {"tracks:2-4 length:short": 40}
    assert found.recordings[0] == timed("old-0", 60.0, 300.0, 2)
    _compared(settings, 66.0)
    [said] = [one for one in stored_evidence(Harness.of(settings)) if one.measure == "primary_time"]
    assert said.log_ratio == pytest.approx(math.log(1.1))
    assert Audit(settings.store_url).fault() == ""


def test_without_one_nothing_is_said_of_the_primarys_time(settings: Settings) -> None:
    """A pace alone is not evidence, and no gate ever sees it."""
    _compared(settings, 66.0)
    assert not {one.measure for one in stored_evidence(Harness.of(settings))} & {
        PACE,
        "primary_time",
    }


def test_a_time_in_which_a_candidate_ran_is_refused(settings: Settings) -> None:
    """Then the primary was not alone; by itself the window ends before."""
    shadow = Shadow(Harness.of(settings), lambda _run, _delay_s: None)
    said = Announcement(transcript_id="t-0", bucket_name="b", track_keys=("a",), task_id="c")
    run = claim(shadow, said)
    assert run is not None
    brought(Runs(settings.store_url), run.run_id, "started", started_at=now())
    with pytest.raises(RefusedError, match="a candidate ran in that time"):
        record(Harness.of(settings), None, now() + timedelta(hours=1))
    assert len(record(Harness.of(settings), None, None).recordings) == 40


def test_too_few_recordings_are_refused(settings: Settings) -> None:
    """Of a window without them: nothing is recorded."""
    with pytest.raises(RefusedError, match="0 recordings were timed, 30 are needed"):
        record(Harness.of(settings), now() - timedelta(days=2), now() - timedelta(days=1))
    assert newest(Harness.of(settings)) is None


def test_a_later_baseline_changes_no_evidence_of_before(settings: Settings) -> None:
    """A build keeps the baseline that was there when its first night began."""
    record(Harness.of(settings), None, None)
    for number in range(40, 80):
        _timed(settings, number)
    record(Harness.of(settings), None, None)
    old = now() - timedelta(days=9)
    with writing(settings.store_url) as connection:
        connection.execute(update(audit).where(audit.c.seq == 1).values(at=old))
    by_night = [
        len(found.recordings)
        for days in (20, 9, 5, -1)
        if (
            found := baseline_for(
                Harness.of(settings), (now() - timedelta(days=days)).date().isoformat()
            )
        )
    ]
    assert by_night == [40, 40, 40, 80]


def test_the_command_shows_window_and_sizes(settings: Settings) -> None:
    """`record` once, `show` whenever; without one it names the command."""
    config = settings.state_dir / "migrate.toml"
    config.write_text(
        f'[store]\nurl = "{settings.store_url}"\n'
        f'[reflector]\ndatabase_url = "{settings.reflector.database_url}"\n'
    )

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(cli, ["--config", str(config), "baseline", *arguments])

    assert "no baseline is recorded" in str(run("show").exception)
    assert run("record").output.startswith("40 recordings   ")
    body = json.loads(run("show", "--json").output)
    assert (body["recordings"], body["sizes"]) == (40, {"tracks:2-4 length:short": 40})
