"""What no retry can help is refused for good, and what is wrong is named."""

from __future__ import annotations

import pytest

from reflector_migrate.conductor.task_metadata import without_meta
from reflector_migrate.errors import TerminalStepError, TransientStepError
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.rows import Rows
from reflector_migrate.pipeline.runner import run_step
from tests.impatient_world import sounding, track, world

pytestmark = pytest.mark.heavy

__all__ = ["sounding", "world"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"run": None}, "run"),
        ({"track_index": "x"}, "track_index"),
        ({"audio_url": None}, "audio_url"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_input_off_the_contract_is_hopeless_and_named(world, change, field):
    """The field is named, its value is not."""
    raw = {"run": world.run.model_dump(), **track(world)} | change
    with pytest.raises(TerminalStepError, match=f"transcribe_track: input: {field}"):
        run_step("transcribe_track", raw, Harness.of(world.settings))


@pytest.mark.parametrize(
    "joined", [{"a": None}, {"a": {"track_index": 0}, "b": {"track_index": "1"}}, 7]
)
def test_a_join_that_is_not_a_join_is_hopeless(world, joined):
    """A branch without output never raises anything but a terminal error."""
    with pytest.raises(TerminalStepError, match="merge_transcripts: input"):
        world.step("merge_transcripts", transcripts=joined)


@pytest.mark.parametrize("kept", [(), (0,), (1,)])
@pytest.mark.parametrize("step", ["mixdown_tracks", "plan", "merge_transcripts"])
def test_a_join_that_lost_a_branch_is_tried_again(world, step, kept):
    """Never fewer speakers, and never no words at all, in a run that ends well."""
    tracks = [{"track_index": index, "s3_key": f"k{index}"} for index in (0, 1)]
    words = {"ref": "artifact:x", "sha256": "0" * 64, "count": 1}
    padded = {"padded_url": "s3://b/k", "size": 1, "padded": False, "start_s": 0.0}
    name, field, output = {
        "mixdown_tracks": (step, "padded_urls", padded),
        "plan": ("generate_dynamic_fork_tasks", "padded", padded),
        "merge_transcripts": (step, "transcripts", {"words": words}),
    }[step]
    joined = {f"t_{index}": {"track_index": index, **output} for index in kept}
    more = {"task_type": "transcribe_track"} if step == "plan" else {}
    with pytest.raises(TransientStepError, match="no fork output for track"):
        world.step(name, **{field: joined, "expected": tracks, **more})
    for nothing in ({}, {"t_0": {}, "t_1": {}}):
        with pytest.raises(TransientStepError, match="no fork output for track 0, 1"):
            world.step(name, **{field: nothing, "expected": tracks, **more})
    unready = {**joined, **{f"t_{i}": {"_meta": {}} for i in {0, 1} - set(kept)}}
    with pytest.raises(TransientStepError, match="no fork output for track"):
        world.step(name, **{field: without_meta(unready), "expected": tracks, **more})
    with pytest.raises(TerminalStepError, match="no tracks"):
        world.step(name, **{field: {}, "expected": [], **more})


@pytest.mark.parametrize("transcript_id", ["../b", "a/b", "..", "", "a\x00b"])
def test_an_id_that_is_a_path_is_hopeless(world, transcript_id):
    """Ids name files and objects; none may leave its folder."""
    run = world.run.model_dump() | {"transcript_id": transcript_id}
    with pytest.raises(TerminalStepError, match="not a plain name"):
        run_step("get_recording", {"run": run, "recording_id": "r"}, Harness.of(world.settings))


def test_an_unknown_step_or_transcript_is_hopeless(world):
    """Both say what is unknown."""
    with pytest.raises(TerminalStepError, match="unknown step 'nonsense'"):
        run_step("nonsense", {}, Harness.of(world.settings))
    run = world.run.model_dump() | {"transcript_id": "nobody"}
    with pytest.raises(TerminalStepError, match="nobody does not exist"):
        run_step("get_recording", {"run": run, "recording_id": "r"}, Harness.of(world.settings))


def test_a_worker_of_another_namespace_refuses(world):
    """A shadow worker never touches a live run, and says why."""
    run = world.run.model_dump() | {"namespace": "live"}
    with pytest.raises(TerminalStepError, match="live, but this worker serves shadow"):
        run_step("finalize", {"run": run, "recording_id": "r"}, Harness.of(world.settings))


@pytest.mark.parametrize("what", ["database_url", "media_bucket", "tracks_bucket", "data_dir"])
def test_a_shadow_that_shares_with_the_primary_never_starts(world, what):
    """Nothing is written where the primary keeps its own."""
    theirs = getattr(world.settings.reflector, what)
    shared = world.settings.candidate.model_copy(update={what: theirs})
    world.settings = world.settings.model_copy(update={"candidate": shared})
    before = Rows.at(world.settings.reflector.database_url).get_transcript(world.run.transcript_id)
    with pytest.raises(TerminalStepError, match=f"candidate.{what}"):
        world.do("get_recording")
    url = world.settings.reflector.database_url
    assert Rows.at(url).get_transcript(world.run.transcript_id) == before


def test_a_track_that_is_gone_is_hopeless_and_named(sounding):
    """The object is named, no retry is asked for."""
    key = sounding.tracks[0]["s3_key"]
    sounding.s3.delete_object(Bucket="shadow-tracks", Key=f"run-1/{key}")
    with pytest.raises(TerminalStepError, match=rf"s3://shadow-tracks/run-1/{key}.*404"):
        sounding.step("pad_track", track_index=0, s3_key=key, bucket_name="shadow-tracks/run-1")


def test_a_mix_of_what_is_left_never_takes_the_recordings_place(sounding):
    """Padded tracks are deleted once heard: mixed again, the step ends and the audio stays."""
    sounding.whole(until="mixdown_tracks")
    key, row = sounding.outputs["mixdown_tracks"]["audio_key"], sounding.row
    before = sounding.s3.head_object(Bucket="shadow-media", Key=f"run-1/{key}")["ETag"]
    gone = next(iter(sounding.outputs["pad"].values()))["padded_url"]
    sounding.s3.delete_object(Bucket="shadow-media", Key=gone.removeprefix("s3://shadow-media/"))
    with pytest.raises(TerminalStepError, match=r"padded_\d.webm: cannot be opened.*404"):
        sounding.do("mixdown_tracks")
    assert sounding.s3.head_object(Bucket="shadow-media", Key=f"run-1/{key}")["ETag"] == before
    assert sounding.row == row


def test_a_track_that_is_not_audio_is_hopeless_and_named(sounding):
    """The message names the object in S3, not a temporary file."""
    key = sounding.tracks[0]["s3_key"]
    sounding.s3.put_object(Bucket="shadow-tracks", Key=f"run-1/{key}", Body=b"not audio")
    named = rf"^s3://shadow-tracks/run-1/{key}: cannot be opened"
    with pytest.raises(TerminalStepError, match=named):
        sounding.step("pad_track", track_index=0, s3_key=key, bucket_name="shadow-tracks/run-1")


def test_text_that_no_database_holds_is_refused_at_the_door(world):
    """The word's number is named, not its text."""
    words = [{"word": "nul\x00", "start": 0, "end": 1}]
    world.control.replay(recogniser=[{"match": ["track"], "words": words}])
    with pytest.raises(TerminalStepError, match="word 0 cannot be stored as text"):
        world.step("transcribe_track", **track(world))


def test_defects_are_for_the_sandbox_only(world):
    """A worker anywhere else refuses to run broken on purpose."""
    workers = world.settings.workers.model_copy(
        update={"defects": ("tracks_joined_in_string_order",)}
    )
    world.settings = world.settings.model_copy(update={"workers": workers, "is_sandbox": False})
    with pytest.raises(TerminalStepError, match="sandbox only"):
        world.do("get_recording")
