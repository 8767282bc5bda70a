"""A day's budget holds: what would exceed it waits for tomorrow, with its reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reflector_migrate.errors import UnreadableError
from reflector_migrate.harness import Harness
from reflector_migrate.model import Comparison, Engine, Role, Side, StepRun, Usage, Verdict
from reflector_migrate.model.run_life import RunState
from reflector_migrate.settings import Price, Settings, ShadowSettings
from reflector_migrate.shadow.budget import Spending, spending_of, why_no_place, why_over
from reflector_migrate.shadow.dispatcher import give_places
from reflector_migrate.shadow.observe import attempts
from reflector_migrate.shadow.process import Shadow
from reflector_migrate.store.runs import RunRecord, Runs
from reflector_migrate.store.words import forget_words
from reports.redact import hide
from tests.new_stores import new_store
from tests.run_states import brought

PRICE = Price(since="2026-01-01", gpu_second=1_000_000)
USED = Usage(gpu_seconds=2.0)
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def _spent(finished: int = 0, running: int = 0, known: int = 1) -> Spending:
    return Spending((USED,) * finished, (Usage(),) * running, (USED,) * known)


@pytest.mark.parametrize(
    ("bounds", "spending", "price", "why"),
    [
        pytest.param({}, _spent(99), None, None, id="no budget"),
        pytest.param({"budget_usd_per_day": 10}, _spent(4), PRICE, None, id="just within"),
        pytest.param({"budget_usd_per_day": 10}, _spent(5), PRICE, "usd_per_day = 10, 10 used",
                     id="it would exceed"),
        pytest.param({"budget_usd_per_day": 10}, _spent(3, 2), PRICE, "10 used today",
                     id="running ones count as an average one"),
        pytest.param({"budget_usd_per_day": 10}, _spent(), None, "needs [[prices]]",
                     id="a price is missing"),
        pytest.param({"budget_gpu_seconds_per_day": 3}, _spent(1), None, "gpu_seconds", id="GPU"),
        pytest.param({"budget_llm_tokens_per_day": 9}, _spent(5), None, None, id="no token used"),
        pytest.param({"budget_usd_per_day": 10}, _spent(0, 1, 0), PRICE, "not known",
                     id="the first ones one at a time"),
        pytest.param({"budget_usd_per_day": 10}, _spent(0, 0, 0), PRICE, None, id="the very first"),
    ],
)  # fmt: skip
def test_what_would_exceed_the_budget(
    bounds: dict[str, Any], spending: Spending, price: Price | None, why: str | None
) -> None:
    """By what finished and running runs used, and what another is expected to."""
    found = why_over(ShadowSettings.model_validate(bounds), spending, price)
    assert (found is None) if why is None else (why in str(found))


def _waiting(number: int) -> RunRecord:
    return RunRecord(
        run_id=f"run-{number}", claim=f"c-{number}", recording_id=f"rec-{number}",
        transcript_id=f"t-{number}", namespace="shadow", state=RunState.WAITING,
        primary_task_id="task", created_at=NOON, updated_at=NOON, waiting_since=NOON,
        inputs={"room_name": "board", "track_keys": []},
    )  # fmt: skip


def test_attempts_that_cannot_be_read_keep_no_run_from_a_place(tmp_path: Path):
    """What they used does not count, and the run they are of is named."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    new_store(url)
    harness = Harness.of(
        Settings.model_validate({"store": {"url": url}, "shadow": {"budget_llm_tokens_per_day": 9}})
    )
    at = NOON
    run = RunRecord(
        run_id="run-1", claim="c", recording_id="rec", transcript_id="t-1", namespace="shadow",
        state="compared", started_at=at, created_at=at, updated_at=at,
    )  # fmt: skip
    assert harness.runs.claim(run)
    harness.artifacts.put("run-1", attempts.PLACE, "0", [{"status": "Ana"}])
    assert why_no_place(harness, at) is None
    with pytest.raises(UnreadableError, match="the candidate's stored attempts: name: "):
        attempts.with_kept(harness, "run-1", ())


def test_what_a_run_used_counts_on_the_day_of_its_steps(tmp_path: Path):
    """One that began before midnight, and one whose words were erased at its end, count too."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    new_store(url)
    harness = Harness.of(Settings.model_validate({"store": {"url": url}}))
    midnight = NOON.replace(hour=0)
    for number in (1, 2):
        began = midnight + timedelta(minutes=1 if number == 1 else -9)
        run = replace(_waiting(number), started_at=began)
        assert Runs(url, lambda: NOON).claim(run)
        steps = [
            StepRun(name="transcribe_track", usage=USED, ended=midnight + timedelta(minutes=after))
            for after in (-5 if number == 2 else 2, 5)
        ]
        attempts.keep(harness, run.run_id, steps)
        side = {"candidate": Side(role=Role.CANDIDATE, engine=Engine.CONDUCTOR, steps=steps)}
        found = Comparison(
            recording=run.recording_id, run_id=run.run_id, verdict=Verdict.MATCHED,
            primary=Side(role=Role.PRIMARY, engine=Engine.CELERY), **side,
        )  # fmt: skip
        harness.evidence.add([], found, "2026-11-28")
    brought(Runs(url, lambda: NOON), "run-1", "compared", erase_at=NOON)
    brought(Runs(url, lambda: NOON), "run-2", "compared")
    forget_words(url, "run-1", hide)
    assert [used.gpu_seconds for used in spending_of(harness, NOON).finished] == [4.0, 2.0]
    assert [used.gpu_seconds for used in spending_of(harness, NOON).known] == [4.0, 4.0]
    tomorrow = NOON + timedelta(days=1)
    assert spending_of(harness, tomorrow).finished == ()


def test_the_rest_waits_for_tomorrow(tmp_path: Path):
    """Two runs of 2 USD each fit a budget of 5; the third is started after midnight UTC."""
    clock = [NOON]
    url = f"sqlite:///{tmp_path}/store.db"
    settings = Settings.model_validate({
        "store": {"url": url}, "prices": [PRICE.model_dump()],
        "shadow": {"enabled": True, "max_in_flight": 9, "budget_usd_per_day": 5.0},
    })  # fmt: skip
    new_store(url)
    runs = Runs(url, lambda: clock[0])
    for number in range(3):
        assert runs.claim(_waiting(number))
    shadow = Shadow(Harness.of(settings, lambda: clock[0]), lambda _run, _delay_s: None)

    def states() -> list[str]:
        return [str(run.state) for run in runs.claimed_between(NOON, NOON + timedelta(days=9))]

    def end(number: int) -> None:
        run = runs.by_id(f"run-{number}")
        assert run is not None
        for state in (RunState.STARTED, RunState.SETTLING, RunState.FAILED):
            moved = runs.move(run, state, started_at=clock[0])
            assert moved is not None
            run = moved
        step = StepRun(name="transcribe_track", track_index=0, usage=USED)
        attempts.keep(Harness.of(settings), run.run_id, [step])

    give_places(shadow)
    assert states() == ["starting", "waiting", "waiting"]  # what one costs is not known yet
    end(0)
    give_places(shadow)
    assert states() == ["failed", "starting", "waiting"]
    end(1)
    give_places(shadow)
    assert states() == ["failed", "failed", "waiting"]
    clock[0] = NOON + timedelta(hours=13)
    give_places(shadow)
    assert states() == ["failed", "failed", "starting"]
