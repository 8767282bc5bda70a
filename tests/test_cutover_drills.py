"""Drills: the dispatcher's own decision is what is seen, and the switch never stays on."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from reflector_migrate.cutover.drills import drill_kill_switch, drilled
from reflector_migrate.cutover.items import State
from reflector_migrate.errors import ConfigurationError, MigrateError, RefusedError
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.rows import Rows, create_all
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.announcement import Announcement
from reflector_migrate.shadow.dispatcher import claim, prepare
from reflector_migrate.shadow.process import Shadow
from reflector_migrate.store.audit import Audit
from reflector_migrate.store.base import writing
from reflector_migrate.store.clock import now
from reflector_migrate.store.runs import RunRecord, Runs
from reflector_migrate.store.tables import audit
from tests.new_stores import new_store
from tests.run_states import brought

SWITCH = "kill"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A deployment with the shadow on, in which one recording was shadowed."""
    primary = f"sqlite:///{tmp_path}/reflector.db"
    made = Settings.model_validate(
        {
            "state_dir": tmp_path,
            "store": {"url": f"sqlite:///{tmp_path}/s.db"},
            "reflector": {"database_url": primary},
            "shadow": {"enabled": True, "kill_switch_file": tmp_path / SWITCH},
        }
    )
    new_store(made.store_url)
    create_all(primary)
    rows = Rows.at(primary)
    rows.insert_recording(id="rec", bucket_name="b", object_key="o", recorded_at=now())
    rows.insert_transcript(id="t", recording_id="rec", status="ended", created_at=now())
    said = Announcement(transcript_id="t", bucket_name="b", track_keys=("k",), task_id="first")
    found = claim(_shadow(Harness.of(made)), said)
    assert found is not None
    brought(
        Runs(made.store_url), found.run_id, "started",
        started_at=now(), workflow_id="w", recording_id="rec",
    )  # fmt: skip
    return made


def _shadow(harness: Harness) -> Shadow:
    return Shadow(harness, lambda _run, _delay_s: None)


def dispatching(harness: Harness, said: Announcement) -> None:
    """What a dispatcher does with an announcement."""
    shadow = _shadow(harness)
    run = claim(shadow, said)
    assert run is not None
    taken = shadow.runs.take(run.run_id, None, 60)
    assert taken is not None
    prepare(shadow, taken)


def deaf(_harness: Harness, _said: Announcement) -> None:
    """A queue without a listener."""


def blind(harness: Harness, said: Announcement) -> None:
    """A dispatcher that looks at another switch, and starts the run."""
    other = harness.settings.shadow.model_copy(update={"kill_switch_file": None})
    there = harness.under(harness.settings.model_copy(update={"shadow": other}))
    run = claim(_shadow(there), said)
    assert run is not None
    brought(harness.runs, run.run_id, "started", started_at=now())


@pytest.mark.parametrize(
    ("announce", "is_passed", "says", "state"),
    [
        pytest.param(dispatching, True, "skipped: kill switch", State.PASS, id="held back"),
        pytest.param(deaf, False, "no dispatcher took", State.FAIL, id="nobody listens"),
        pytest.param(blind, False, "run is started", State.FAIL, id="the switch did not hold"),
    ],
)
def test_the_drill_sees_what_the_dispatcher_does(
    settings: Settings, announce: object, is_passed: bool, says: str, state: State
) -> None:
    """Only a recording that the switch held back passes; the result is kept for the checklist."""
    assert drilled("kill-switch")(Harness.of(settings)).state is State.PENDING
    found = drill_kill_switch(Harness.of(settings), announce, timeout_s=0.3)  # type: ignore[arg-type]
    assert (found.is_passed, found.recording) == (is_passed, "rec")
    assert says in found.seen
    assert not (settings.state_dir / SWITCH).exists()
    answer = drilled("kill-switch")(Harness.of(settings))
    assert (answer.state, answer.recordings) == (state, ("rec",))


def test_the_switch_is_taken_back_whatever_happens(settings: Settings) -> None:
    """A broker that is away ends the drill, and dispatching goes on; nothing is recorded."""

    def broken(_harness: Harness, _said: Announcement) -> None:
        assert (settings.state_dir / SWITCH).exists()
        raise MigrateError("the broker is away")

    with pytest.raises(MigrateError, match="away"):
        drill_kill_switch(Harness.of(settings), broken)
    assert not (settings.state_dir / SWITCH).exists()
    assert Audit(settings.store_url).last("drill:kill-switch") is None


def test_a_switch_that_is_on_stays_on(settings: Settings) -> None:
    """A drill takes no other switch back."""
    (settings.state_dir / SWITCH).touch()
    with pytest.raises(RefusedError, match="off already"):
        drill_kill_switch(Harness.of(settings), deaf)
    assert (settings.state_dir / SWITCH).exists()


def test_what_a_drill_needs_is_named(settings: Settings) -> None:
    """A switch to throw, and a recording to announce."""
    bare = settings.model_copy(
        update={"shadow": settings.shadow.model_copy(update={"kill_switch_file": None})}
    )
    with pytest.raises(ConfigurationError, match="kill_switch_file"):
        drill_kill_switch(Harness.of(bare), deaf)
    fresh = settings.model_copy(
        update={
            "store": settings.store.model_copy(
                update={"url": f"sqlite:///{settings.state_dir}/new.db"}
            )
        }
    )
    new_store(fresh.store_url)
    with pytest.raises(RefusedError, match="no recording was shadowed"):
        drill_kill_switch(Harness.of(fresh), deaf)


@pytest.mark.parametrize(
    ("days", "build", "state"),
    [
        pytest.param(13, None, State.PASS, id="young"),
        pytest.param(15, None, State.FAIL, id="stale"),
        pytest.param(0, "another", State.PENDING, id="of another build"),
    ],
)
def test_a_drill_grows_stale(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    days: int,
    build: str | None,
    state: State,
) -> None:
    """It holds for fourteen days, and for the build it was run with."""
    drill_kill_switch(Harness.of(settings), dispatching, timeout_s=0.3)
    with writing(settings.store_url) as connection:
        connection.execute(update(audit).values(at=now() - timedelta(days=days)))
    if build:
        monkeypatch.setattr("reflector_migrate.conductor.build.build_hash", lambda: build)
    assert drilled("kill-switch")(Harness.of(settings)).state is state


def test_a_drills_run_is_a_run_of_its_own(settings: Settings) -> None:
    """The recording's real run is as it was."""
    before = Runs(settings.store_url).claimed_between(now() - timedelta(days=1), now())
    drill_kill_switch(Harness.of(settings), dispatching, timeout_s=0.3)
    after: tuple[RunRecord, ...] = Runs(settings.store_url).claimed_between(
        now() - timedelta(days=1), now()
    )
    assert [run.run_id for run in before] == [run.run_id for run in after if run.state == "started"]
    assert len(after) == 2
