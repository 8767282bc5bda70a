"""Without a single recorded digest on the primary the blame is still right.

A real Reflector records no step's output; what its steps left in row and events is
all there is. The primary's digests are hidden here, and the defects switched on.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reflector_migrate.judge.agreement import Agreement
from reflector_migrate.judge.chain import chain
from reflector_migrate.judge.compare import compare
from reflector_migrate.model import (
    STEP_NAMES,
    Engine,
    Event,
    Observation,
    Outputs,
    Participant,
    Role,
    Topic,
    Verdict,
)
from reflector_migrate.pipeline.defects.registry import describe
from reflector_migrate.sandbox.recordings import load_recording
from reflector_migrate.shadow.observe.derived import with_derived
from tests.defects_world import RECORDINGS

REAL_RUN = Path(__file__).parent.parent / "fixtures" / "runs" / "good" / "rows.json"


def hidden(observation: Observation) -> Observation:
    """As a real deployment shows itself: no digest and no reference of any step."""
    recorded = {"input_digest": None, "output_digest": None, "input_ref": None, "output_ref": None}
    steps = tuple(step.model_copy(update=recorded) for step in observation.steps)
    return observation.model_copy(update={"steps": steps})


def _both(defects_world, recording, defects=()):
    primary, about, taken = defects_world.primary(load_recording(RECORDINGS, recording))
    return hidden(primary), defects_world.candidate(about, taken, defects)


MAIN = (
    "tracks_joined_in_string_order", "tracks_swapped", "speakers_numbered_from_one",
    "summary_number_altered", "title_not_stored", "waveform_of_256_values",
    "padding_not_applied", "last_span_lost", "participants_by_join_order",
    "target_language_hard_coded", "transcript_event_empty", "last_topic_dropped",
    "duration_in_seconds", "captions_rounded",
)  # fmt: skip


@pytest.mark.heavy
@pytest.mark.parametrize("name", MAIN)
def test_the_blame_is_right_from_what_the_steps_left(defects_world, name):
    """The step the defect is in, though the primary records nothing of its steps."""
    defect = describe(name)
    primary, candidate = _both(defects_world, defect.recordings[0], (name,))
    found = compare(primary, candidate, secondary=primary, is_repeatable=True)
    assert found.verdict is Verdict.DIVERGED
    assert found.first_divergent_step is not None
    assert found.first_divergent_step.step == defect.expected_step, found.first_divergent_step


@pytest.mark.heavy
def test_without_a_defect_every_derivable_step_agrees(defects_world):
    """And what cannot be derived is unknown, by name, not agreement."""
    primary, candidate = _both(defects_world, "three-voices")
    found = compare(primary, candidate, secondary=primary)
    assert found.verdict is Verdict.MATCHED
    links = chain(primary.steps, candidate.steps, found.checks)
    states = {name: {k.outputs for k in links if k.step == name} for name in STEP_NAMES}
    dark = {"generate_dynamic_fork_tasks", "pad_track"}
    assert {name for name, known in states.items() if known == {Agreement.UNKNOWN}} == dark
    assert all(known == {Agreement.AGREE} for name, known in states.items() if name not in dark)


@pytest.mark.heavy
def test_recorded_digests_and_references_stand_on_both_sides(defects_world):
    """Every step that an engine runs, on every track; inputs where there is anything to say."""
    recording = load_recording(RECORDINGS, "three-voices")
    primary, about, taken = defects_world.primary(recording)
    reads_rows = {"get_recording", "cleanup_consent", "post_zulip", "send_webhook"}
    for step in primary.steps:
        assert step.output_digest, step.name
        assert step.input_ref, step.name
        assert step.output_ref, step.name
        assert (step.input_digest is None) is (step.name in reads_rows), step.name
    expected = set(STEP_NAMES) - {"generate_dynamic_fork_tasks"}
    assert {step.name for step in primary.steps} == expected
    candidate = defects_world.candidate(about, taken, ())
    tracks = {"pad_track": 3, "transcribe_track": 3, "generate_dynamic_fork_tasks": 2}
    for name in STEP_NAMES:
        runs = [step for step in candidate.steps if step.name == name]
        assert len(runs) == tracks.get(name, 1), name
        assert all(run.output_digest for run in runs), name


# What a row of the real pipeline gives, without any server.


def _real_run() -> Observation:
    row = json.loads(REAL_RUN.read_text())["transcript"][0]
    topics = tuple(Topic.model_validate(topic) for topic in row["topics"])
    lists = ("topics", "events", "participants")
    return Observation(
        recording=row["recording_id"], role=Role.PRIMARY, engine=Engine.CELERY, status="completed",
        track_count=2,
        outputs=Outputs(
            participants=tuple(Participant.model_validate(p) for p in row["participants"]),
            duration_ms=row["duration"], topics=topics, title=row["title"],
            words=tuple(word for topic in topics for word in topic.words),
            short_summary=row["short_summary"], long_summary=row["long_summary"],
            webvtt=row["webvtt"], row={k: v for k, v in row.items() if k not in lists},
        ),
        events=tuple(Event(event=e["event"], data=e["data"]) for e in row["events"]),
    )  # fmt: skip


def test_a_real_row_gives_what_its_steps_left():
    """All but padded tracks and the side effects' own steps, each with the place to look."""
    steps = {(s.name, s.track_index): s for s in with_derived(_real_run()).steps}
    assert set(steps) == {
        ("get_recording", None), ("get_participants", None), ("mixdown_tracks", None),
        ("generate_waveform", None), ("transcribe_track", 0), ("transcribe_track", 1),
        ("merge_transcripts", None), ("detect_topics", None), ("generate_title", None),
        ("generate_summary", None), ("finalize", None),
    }  # fmt: skip
    assert set(steps["merge_transcripts", None].derived) == {"TRANSCRIPT", "words"}
    title = steps["generate_title", None]
    assert title.output_ref.endswith("/FINAL_TITLE,title")
    assert all(step.timed == "unknown" for step in steps.values())


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        pytest.param({"title": "Other"}, {"generate_title": {"title"}}, id="a column"),
        pytest.param({"long_summary": "x"}, {"generate_summary": {"long_summary"}}, id="a summary"),
        pytest.param({"duration_ms": 1.0}, {"mixdown_tracks": {"duration"}}, id="a number"),
        pytest.param({"webvtt": ""}, {"detect_topics": {"webvtt"}}, id="captions"),
    ],
)
def test_one_thing_changed_is_one_step_that_differs(changes, differs):
    """Each thing belongs to one step."""
    real = _real_run()
    other = real.model_copy(update={"outputs": real.outputs.model_copy(update=changes)})
    assert _differing(real, other) == differs


def test_a_dropped_topic_does_not_speak_against_the_words():
    """The words left in the topics are not all that were merged: of those nothing is derived."""
    real = _real_run()
    kept = real.outputs.topics[:-1]
    words = tuple(word for topic in kept for word in topic.words)
    outputs = real.outputs.model_copy(update={"topics": kept, "words": words})
    other = real.model_copy(update={"outputs": outputs})
    assert _differing(real, other) == {"detect_topics": {"topics"}}
    [merged] = [s for s in with_derived(other).steps if s.name == "merge_transcripts"]
    assert set(merged.derived) == {"TRANSCRIPT"}


def test_a_run_without_a_row_has_nothing_derived():
    """Unknown stays unknown."""
    missing = Observation(recording="r", role="primary", engine="celery", status="missing")
    assert with_derived(missing).steps == ()


def _differing(first: Observation, second: Observation) -> dict[str, set[str]]:
    mine, theirs = (
        {(s.name, s.track_index): s.derived for s in with_derived(side).steps}
        for side in (first, second)
    )
    found: dict[str, set[str]] = {}
    for key, left in mine.items():
        other = theirs.get(key, {})
        names = {n for n in set(left) & set(other) if left[n] != other[n]}
        if names:
            found[key[0]] = names
    return found
