"""Steps that ran once too often, or that are not defined; a retry is neither."""

from __future__ import annotations

import json
from collections import Counter
from importlib import resources

import pytest

from comparators.row import compare_status
from reflector_migrate.judge.compare import compare
from reflector_migrate.model import (
    STEP_NAMES,
    STEP_SPECS,
    TRACK_STEPS,
    Engine,
    Observation,
    Outputs,
    Role,
    StepRun,
    Verdict,
)

TRACKS = 3


def run(name: str, status: str = "completed", **changes) -> StepRun:
    """One attempt of a step."""
    return StepRun.model_validate({"name": name, "status": status, **changes})


WHOLE = tuple(
    run(spec.name, track_index=track)
    for spec in STEP_SPECS
    for track in (range(TRACKS) if spec.is_per_track else [None])
    for _ in range(spec.runs)
)


def account(role: Role, *more: StepRun, steps=WHOLE) -> Observation:
    """A side that ran every step, and these besides."""
    engine = Engine.CELERY if role is Role.PRIMARY else Engine.CONDUCTOR
    return Observation(
        recording="r", role=role, engine=engine, status="completed", track_count=TRACKS,
        outputs=Outputs(row={"status": "ended"}, duration_ms=1.0), steps=(*steps, *more),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("more", "said"),
    [
        pytest.param((), [], id="each once"),
        pytest.param((run("detect_topics", "failed", attempt=0),), [], id="a retry"),
        pytest.param((run("pad_track", "timed_out", track_index=1, attempt=0),), [],
                     id="a lost worker"),
        pytest.param((run("detect_topics", "cancelled"),), [], id="a cancelled attempt"),
        pytest.param((run("detect_topics", attempt=2),),
                     ["detect_topics ran to its end 2 times, not 1"], id="twice"),
        pytest.param((run("pad_track", track_index=1),),
                     ["pad_track 1 ran to its end 2 times, not 1"], id="a track twice"),
        pytest.param((run("generate_dynamic_fork_tasks"),),
                     ["generate_dynamic_fork_tasks ran to its end 3 times, not 2"],
                     id="a third fork"),
        pytest.param((run("transcribe_track", track_index=3),),
                     ["transcribe_track 3 ran, of 3 tracks"], id="a track that is none"),
        pytest.param((run("translate"),), ["translate is not a step of the pipeline"],
                     id="a step that nobody defined"),
        pytest.param((run("pad_track"),), [], id="of which track is not told"),
    ],
)  # fmt: skip
def test_what_ran_too_often_is_a_difference_of_structure(more, said):
    """Named by its step, whatever came of it; the verdict is against the candidate."""
    primary, candidate = account(Role.PRIMARY, steps=()), account(Role.CANDIDATE, *more)
    for reference in (primary, account(Role.PRIMARY)):
        measure = compare_status(reference, candidate)
        assert [finding.message for finding in measure.findings] == said
        assert measure.errors == len(said)
    found = compare(primary, candidate)
    assert (found.verdict is Verdict.DIVERGED) is bool(said)
    if said:
        assert found.first_divergent_step.step == said[0].split()[0]


def test_what_legacy_does_twice_the_candidate_may():
    """Both sides had it twice: no difference."""
    twice = run("send_webhook")
    measure = compare_status(account(Role.PRIMARY, twice), account(Role.CANDIDATE, twice))
    assert measure.errors == 0


def test_the_table_is_the_workflows():
    """How often the definition has each step; a fork's branches are known by their tracks."""
    path = resources.files("reflector_migrate.conductor") / "workflows/diarization_pipeline.json"
    found: Counter[str] = Counter()

    def walk(tasks):
        for task in tasks:
            found[task["name"]] += task["type"] == "SIMPLE"
            for branch in task.get("forkTasks", ()):
                walk(branch)

    walk(json.loads(path.read_text(encoding="utf-8"))["tasks"])
    steps = {name: times for name, times in found.items() if times}
    assert steps == {spec.name: spec.runs for spec in STEP_SPECS if not spec.is_per_track}
    assert set(STEP_NAMES) - set(steps) == TRACK_STEPS
