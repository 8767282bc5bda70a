"""What a service does wrong has its class: hopeless, worth a retry, or done without."""

from __future__ import annotations

import pytest

from reflector_migrate.errors import OutageError, TerminalStepError, TransientStepError
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.runner import run_step
from tests.impatient_world import said, task_for, track, world

pytestmark = pytest.mark.heavy

__all__ = ["said", "world"]


@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        ("http_500", None, TransientStepError),
        ("http_4xx", 429, TransientStepError),
        ("http_4xx", 408, TransientStepError),
        ("http_4xx", 400, TerminalStepError),
        ("http_4xx", 422, TerminalStepError),
        ("timeout", None, TransientStepError),
        ("connection_reset", None, TransientStepError),
        ("malformed_body", None, TransientStepError),
        ("malformed_json", None, TransientStepError),
    ],
)
def test_the_recognisers_failures_have_their_class(world, kind, status, error):
    """4xx is hopeless, all else may pass; one request each, and no words in the message."""
    world.control.set_fault("recogniser", kind, status=status)
    with pytest.raises(error, match=r"^recogniser") as failure:
        world.step("transcribe_track", **track(world))
    assert "http://" not in str(failure.value)
    assert len(world.control.requests("recogniser")) == 1


@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        ("http_500", None, TransientStepError),
        ("http_4xx", 429, TransientStepError),
        ("http_4xx", 401, TerminalStepError),
        ("timeout", None, TransientStepError),
        ("malformed_body", None, TransientStepError),
        ("empty", None, TransientStepError),
    ],
)
@pytest.mark.parametrize("step", ["detect_topics", "generate_title", "generate_summary"])
def test_the_language_models_failures_have_their_class(world, said, step, kind, status, error):
    """Whatever step asks: 4xx is hopeless, an empty or broken answer may be better next time."""
    world.control.set_fault("llm", kind, status=status)
    with pytest.raises(error, match="language model"):
        world.step(step, **task_for(step, said))


@pytest.mark.parametrize("kind", ["http_500", "http_4xx", "timeout", "malformed_body", "empty"])
def test_daily_may_fail_and_the_recording_goes_on_without_names(world, kind):
    """As with legacy: speakers are numbered, and nothing fails."""
    world.control.set_fault("daily", kind)
    world.do("get_recording")
    world.do("get_participants")
    assert [p["name"] for p in world.row.participants] == ["Speaker 0", "Speaker 1"]
    assert world.outputs["get_recording"]["mtg_session_id"] is None


def test_a_passing_failure_of_daily_costs_no_names(world):
    """The client asks a second time before it gives up."""
    world.control.set_fault("daily", "http_500", times=1)
    world.do("get_recording")
    world.do("get_participants")
    assert [p["name"] for p in world.row.participants] == ["Alice Archer", "Bob Brown"]
    assert world.usage["get_recording"].retries == 1


@pytest.mark.parametrize("broken", [3, 4])
def test_an_answer_in_bad_json_is_asked_for_four_times_at_most(world, said, broken):
    """One analysis, then one formatting and three more, as legacy; then the step fails."""
    world.control.set_fault("llm", "malformed_json", times=broken, match="json")
    if broken == 4:
        with pytest.raises(TransientStepError, match="no usable topic"):
            world.step("detect_topics", words=said["words"])
    else:
        world.step("detect_topics", words=said["words"])
    assert len(world.control.requests("llm")) == 1 + 4


def test_subjects_that_cannot_be_had_leave_a_recap(world, said):
    """As with legacy: the summary is the recap alone."""
    world.control.set_fault("llm", "malformed_json", match="subjects")
    done = world.step("generate_summary", **said)
    assert done.output["summary"] == f"# Quick recap\n\n{done.output['short_summary']}\n"


@pytest.mark.parametrize("kind", ["http_500", "empty"])
def test_what_no_attempt_cured_is_done_without(world, said, kind):
    """Legacy goes on without subjects at once; an engine does at its last attempt."""
    world.control.set_fault("llm", kind, match="subjects")
    with pytest.raises(TransientStepError, match="language model"):
        world.step("generate_summary", **said)
    done = world.step("generate_summary", **said, is_last_attempt=True)
    assert done.output["summary"] == f"# Quick recap\n\n{done.output['short_summary']}\n"


def test_an_s3_that_is_down_is_worth_a_retry(world):
    """No connection is a passing failure."""
    down = world.settings.s3.model_copy(update={"endpoint_url": "http://127.0.0.1:1"})
    world.settings = world.settings.model_copy(update={"s3": down})
    with pytest.raises(TransientStepError, match="EndpointConnectionError"):
        world.step("pad_track", **world.tracks[0], bucket_name="shadow-tracks/run-1")


def test_a_database_that_is_down_is_worth_a_retry(world):
    """Rows and store alike."""
    gone = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    candidate = world.settings.candidate.model_copy(update={"database_url": gone})
    world.settings = world.settings.model_copy(update={"candidate": candidate})
    with pytest.raises(OutageError, match="database"):
        world.do("finalize")


def test_a_slow_model_is_waited_for_with_signs_of_life(world, said):
    """While an answer takes its time the engine hears from the step; what it raises ends it."""
    world.control.set_fault("llm", "slow", latency_s=1.6)
    world.settings = world.settings.model_copy(
        update={"services": world.settings.services.model_copy(update={"llm_timeout_s": 5.0})}
    )
    raw = {"run": world.run.model_dump(), "topics": said["topics"]}
    beats = []
    run_step("generate_title", raw, Harness.of(world.settings), lambda: beats.append(1))
    assert len(beats) >= 2

    def cancelled():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_step(
            "detect_topics",
            {"run": raw["run"], "words": said["words"]},
            Harness.of(world.settings),
            cancelled,
        )
