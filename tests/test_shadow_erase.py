"""A run is erased from the candidate's places whatever state it reached; nothing else is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reflector_migrate.errors import ConfigurationError, RefusedError
from reflector_migrate.harness import Harness
from reflector_migrate.model.run_life import ENDS, OPEN, RunState
from reflector_migrate.pipeline.places import candidate_url, place_of_run
from reflector_migrate.pipeline.rows import Rows, fill_run_tables, find_run_tables, write_mark
from reflector_migrate.shadow.confirm.sandbox_namespace import clear_abandoned
from reflector_migrate.shadow.erase import erase_ended, erase_now, erase_run, is_kept
from reflector_migrate.shadow.leftovers import leftovers
from reflector_migrate.shadow.process import Shadow
from reflector_migrate.shadow.recover.replay import reopen_failed
from reflector_migrate.shadow.recover.rerun import retry
from reflector_migrate.store.artifacts import Artifacts
from reflector_migrate.store.clock import now
from reflector_migrate.store.runs import RunRecord, Runs
from tests.answering import answering, at
from tests.pipeline_world import make_world
from tests.run_states import brought

pytestmark = pytest.mark.heavy


@pytest.fixture
def world(tmp_path, s3_url, control):
    """A run that stopped after its mix, as one that failed or was terminated."""
    made = make_world(tmp_path, s3_url, control, is_brief=True)
    made.whole(until="mixdown_tracks")
    return made


def test_a_run_that_stopped_midway_leaves_no_sound_and_no_row(world) -> None:
    """Tracks, padded tracks, mix, files and rows go, twice without harm; another run's stay."""
    url = candidate_url(world.settings)
    write_mark(url)
    fill_run_tables(url, "run-2", {})
    for bucket in ("shadow-tracks", "shadow-media"):
        assert world.keys(bucket) != []
        world.s3.put_object(Bucket=bucket, Key="run-2/kept", Body=b"")
    folder = place_of_run(world.settings, world.run_id).data_dir
    assert folder.is_dir()
    theirs = world.keys("daily-tracks")
    for _ in range(2):
        erase_run(Harness.of(world.settings), world.run_id)
    for bucket in ("shadow-tracks", "shadow-media"):
        assert world.keys(bucket) == []
        assert world.s3.head_object(Bucket=bucket, Key="run-2/kept")
    assert not folder.exists()
    rows = fill_run_tables(url, world.run_id, {})
    assert rows.find_transcript(world.run.transcript_id) is None
    assert world.keys("daily-tracks") == theirs


def test_nothing_is_erased_where_our_mark_is_missing_or_a_place_is_the_primarys(world) -> None:
    """Neither objects nor files nor rows."""
    before = world.keys("shadow-media"), world.row
    with pytest.raises(RefusedError, match="mark"):
        erase_run(Harness.of(world.settings), world.run_id)
    candidate = world.settings.candidate.model_copy(update={"media_bucket": "reflector-media"})
    with pytest.raises(ConfigurationError, match=r"candidate\.media_bucket"):
        erase_run(
            Harness.of(world.settings.model_copy(update={"candidate": candidate})), world.run_id
        )
    assert (world.keys("shadow-media"), world.row) == before


def _shadow(settings) -> Shadow:
    return Shadow(Harness.of(settings), lambda _run, _delay_s: None)


def _stored(world, state: str, **values: object) -> RunRecord:
    """The world's run in the register, in that state, its tracks copied."""
    write_mark(candidate_url(world.settings))
    runs, known = Runs(world.settings.store_url), world.run
    made = RunRecord(known.run_id, "c", known.recording_id, known.transcript_id, "shadow")
    assert runs.claim(replace(made, inputs={"track_keys": []}))
    return brought(runs, known.run_id, state, **values)


def _is_left(world) -> tuple[bool, bool, bool]:
    """Whether objects, folder and rows of the run are still there."""
    place = place_of_run(world.settings, world.run_id)
    rows = find_run_tables(candidate_url(world.settings), world.run_id)
    objects = world.keys("shadow-tracks") + world.keys("shadow-media")
    return bool(objects), place.data_dir.is_dir(), rows is not None


def _delete_audio(world) -> None:
    """The primary deletes its audio, as its consent step or a person does."""
    theirs = Rows.at(str(world.settings.reflector.database_url))
    theirs.update_transcript(world.run.transcript_id, audio_deleted=True)


@pytest.mark.parametrize(
    ("state", "values", "kept_with_audio"),
    [
        ("compared", {"workflow_id": "w"}, True),
        ("failed", {"is_reopenable": True}, True),
        ("failed", {"workflow_id": "w"}, True),
        ("failed", {}, False),
        ("skipped", {}, False),
        ("superseded", {"workflow_id": "w"}, False),
    ],
    ids=["compared: rerun", "failed: replay", "failed: retry", "failed for good", "skipped",
         "superseded"],
)  # fmt: skip
def test_what_keeps_an_ended_run(state: str, values: dict, kept_with_audio: bool) -> None:
    """A person who may have it go on; and nothing once the primary's audio was deleted."""
    run = RunRecord("r", "c", "rec", "t", "shadow", state=state, **values)
    assert is_kept(run, may_be_kept=True) is kept_with_audio
    assert not is_kept(run, may_be_kept=False)
    assert not is_kept(replace(run, erase_at=now()), may_be_kept=True)
    assert is_kept(replace(run, erased_at=now()), may_be_kept=False)


@pytest.mark.parametrize("state", sorted(OPEN))
def test_an_open_run_is_kept_whatever_the_primary_deleted(state: str) -> None:
    """Its inputs were copied so that it can still run then."""
    assert is_kept(RunRecord("r", "c", "rec", "t", "shadow", state=state), may_be_kept=False)


def test_a_compared_run_is_erased_once_the_primary_has_deleted_its_audio(world) -> None:
    """Not before: it can be run again until then; afterwards it says why it cannot."""
    run = _stored(world, "compared", workflow_id="w")
    removed: list[str] = []

    def server(method: str, path: str, *_more: object) -> tuple[int, object]:
        if removed:
            return 404, {"message": "no such workflow"}
        if method == "DELETE":
            removed.append(path)
        return 200, {"workflowId": "w", "status": "COMPLETED", "tasks": []}

    with answering(server) as url:
        shadow = _shadow(at(world.settings, url))
        assert erase_ended(shadow) == 0
        assert _is_left(world) == (True, True, True)
        _delete_audio(world)
        Artifacts(world.settings.store_url).put(run.run_id, "merge_transcripts", "words", ["hi"])
        before = leftovers(shadow.harness, run)
        assert "words: 1 rows of artifacts" in before
        assert "workflow w on Conductor, with its inputs and outputs" in before
        assert erase_ended(shadow) == 1
        assert _is_left(world) == (False, False, False)
        assert removed == ["/workflow/w/remove"]
        assert leftovers(shadow.harness, run) == ()
        assert erase_ended(shadow) == 0
        erased = shadow.runs.by_id(run.run_id)
        with pytest.raises(RefusedError, match="was erased"):
            retry(Harness.of(shadow.settings), erased, shadow.send)
    with pytest.raises(RefusedError, match="was erased"):
        shadow.runs.move(erased, RunState.STARTED)


def test_a_row_that_is_gone_counts_as_deleted_and_another_database_does_not(world) -> None:
    """A person deleted the transcript; an empty database is only the wrong one."""
    theirs = Rows.at(str(world.settings.reflector.database_url))
    assert theirs.may_not_be_kept([world.run.transcript_id, "x"]) == {"x"}
    empty = Rows.at(str(_nothing(world)))
    assert empty.may_not_be_kept([world.run.transcript_id]) == frozenset()


def _nothing(world) -> str:
    """The address of a database with Reflector's tables and no row."""
    write_mark(candidate_url(world.settings))
    return str(fill_run_tables(candidate_url(world.settings), "empty", {}).engine.url)


def test_a_running_workflow_is_stopped_before_its_files_are_erased(world) -> None:
    """A superseded run's step may still write: its places go at the next look."""
    _stored(world, "superseded", workflow_id="w")
    asked, status = [], ["RUNNING"]

    def server(method: str, path: str, *_more: object) -> tuple[int, object]:
        if method == "DELETE":
            asked.append(path)
            status[0] = "TERMINATED"
        return 200, {"workflowId": "w", "status": status[0], "tasks": []}

    with answering(server) as url:
        shadow = _shadow(at(world.settings, url))
        assert erase_ended(shadow) == 0
        assert asked == ["/workflow/w"]
        assert _is_left(world) == (True, True, True)
        assert erase_ended(shadow) == 1
    assert asked == ["/workflow/w", "/workflow/w/remove"]
    assert _is_left(world) == (False, False, False)


def test_what_could_not_be_erased_is_erased_later_and_never_opened_meanwhile(world) -> None:
    """The server that is asked for the workflow is away: the decision stands."""
    run = _stored(world, "failed", workflow_id="w", is_reopenable=True)
    _delete_audio(world)
    away = world.settings.model_copy(
        update={
            "conductor": world.settings.conductor.model_copy(
                update={"server_url": "http://127.0.0.1:9/api"}
            )
        }
    )
    shadow = _shadow(away)
    assert erase_ended(shadow) == 0
    since, until = now() - timedelta(days=1), now() + timedelta(days=1)
    assert reopen_failed(Harness.of(away), since, until) == ()
    assert reopen_failed(Harness.of(away), since, until, shadow.send) == ()
    with answering(lambda *_: (404, {"message": "no such workflow"})) as url:
        assert erase_ended(_shadow(at(world.settings, url))) == 1
    assert _is_left(world) == (False, False, False)
    assert shadow.runs.by_id(run.run_id).state in ENDS


def test_a_sandbox_may_keep_what_refused_consent_left(world) -> None:
    """To look at it: there was no speech. Elsewhere the setting keeps nothing."""
    _stored(world, "compared")
    _delete_audio(world)
    sandbox = world.settings.sandbox.model_copy(update={"keeps_refused": True})
    kept = world.settings.model_copy(update={"sandbox": sandbox, "is_sandbox": True})
    assert erase_ended(_shadow(kept)) == 0
    assert all(_is_left(world))
    assert erase_ended(_shadow(kept.model_copy(update={"is_sandbox": False}))) == 1


def test_a_run_is_erased_after_its_days_and_what_is_left_is_listed(world) -> None:
    """A compared run is kept for `candidate.keep_days`; then a sweep finds no sound of it."""
    run = _stored(world, "compared", workflow_id=None)
    shadow = _shadow(world.settings)
    assert erase_ended(shadow) == 0
    before = leftovers(Harness.of(world.settings), run)
    assert any(line.startswith("object s3://") for line in before)
    assert any(line.startswith("folder ") for line in before)
    then = replace(shadow.harness, now=lambda: now() + timedelta(days=31))
    assert erase_ended(replace(shadow, harness=then)) == 1
    assert leftovers(Harness.of(world.settings), run) == ()
    assert [one.run_id for one in Runs(world.settings.store_url).erased()] == [run.run_id]


def test_what_a_killed_confirmation_left_is_cleared(world) -> None:
    """Sound of a step's input may be in it; one that runs keeps its own."""
    shadow, at = _shadow(world.settings), now()
    seconds = [int((at - timedelta(hours=hours)).timestamp()) for hours in (1, 25)]
    for name in (f"confirm-{seconds[0]}-a", f"confirm-{seconds[1]}-b", "confirm-0123456789ab"):
        world.s3.put_object(Bucket="shadow-media", Key=f"{name}/audio.mp3", Body=b"")
    assert clear_abandoned(shadow.harness) == 2
    left = world.s3.list_objects_v2(Bucket="shadow-media", Prefix="confirm-")["Contents"]
    assert [one["Key"] for one in left] == [f"confirm-{seconds[0]}-a/audio.mp3"]


def test_withdrawn_consent_erases_at_once(world) -> None:
    """Whatever would keep the run; another recording's stays."""
    run = _stored(world, "failed", is_reopenable=True)
    assert erase_ended(_shadow(world.settings)) == 0
    assert erase_now(_shadow(world.settings), (run,)) == 1
    assert _is_left(world) == (False, False, False)
    assert list(leftovers(Harness.of(world.settings), run)) == []
