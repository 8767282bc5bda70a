"""Steps by Reflector's own code, in a child process of Reflector's own environment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reflector_migrate.cli.doctor import _processors
from reflector_migrate.errors import ConfigurationError, TerminalStepError, TransientStepError
from reflector_migrate.harness import Harness
from reflector_migrate.model import Observation, StepRun
from reflector_migrate.pipeline.bridge.child import Child, failure
from reflector_migrate.pipeline.bridge.children import children
from reflector_migrate.shadow.noise_floors import conditions
from reflector_migrate.store.artifacts import Artifacts
from tests.bridge_world import (
    as_legacy,
    language_model,
    make_bridge_world,
    make_environment,
    put_words,
    texts,
)
from tests.pipeline_world import put_rows
from tests.recorded_world import rows_before

pytestmark = pytest.mark.heavy

WORDS = 900  # three topics of 300


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of their virtual environment."""
    return make_environment(tmp_path_factory.mktemp("theirs") / "venv")


@pytest.fixture
def model():
    """The language model, and the bodies it was sent."""
    with language_model() as found:
        yield found


@pytest.fixture
def world(tmp_path, s3_url, control, python, model):
    """A run with merged words; its children are ended afterwards."""
    made = make_bridge_world(tmp_path, s3_url, control, python, model[0])
    yield made
    children(made.settings.pipeline).end()


def plain(bodies, session):
    """Request bodies without the one value that may differ."""
    return [body.replace(session.encode(), b"SESSION") for body in bodies]


def misbehave(world, how):
    """Have the child do this at its next topic, once."""
    (world.settings.state_dir / "misbehave").write_text(how)


def test_requests_are_those_of_the_legacy_worker(world, python, model):
    """Byte for byte and in the same order, but for the session's id."""
    words, ref = put_words(world, WORDS)
    texts(world, ref)
    ours = plain(model[1], world.run_id)
    model[1].clear()
    as_legacy(python, world, words)
    assert ours == plain(model[1], "legacy-task")
    assert len(ours) == 3 + 1 + 2


def test_what_reflector_wrote_stands_in_the_row(world):
    """Topics in their order with all words, title and both summaries, and their events."""
    _words, ref = put_words(world, WORDS)
    texts(world, ref)
    row = world.row
    assert [len(topic["words"]) for topic in row.topics] == [300, 300, 300]
    assert all(topic["title"].startswith("About ") for topic in row.topics)
    assert row.title.startswith("About ")
    assert row.short_summary.startswith("About ")
    assert row.long_summary not in (None, row.short_summary)
    kinds = [event["event"] for event in row.events]
    assert kinds == ["TOPIC"] * 3 + ["FINAL_TITLE", "FINAL_SHORT_SUMMARY", "FINAL_LONG_SUMMARY"]


def test_usage_and_build_come_with_the_step(world, model):
    """Each call's tokens are counted as the model reports them; the step names the build."""
    _words, ref = put_words(world, WORDS)
    done = world.step("detect_topics", words=ref)
    assert done.usage.llm_calls == done.usage.external_calls == 3
    assert done.usage.llm_tokens_in == sum(map(len, model[1]))
    assert done.usage.llm_tokens_per_call == tuple((len(body), 7) for body in model[1])
    assert done.processors == children(world.settings.pipeline).hello(lambda: None).build


def test_an_answer_is_remembered(world, model):
    """The same steps of another run of the same recording repeat no question."""
    _words, ref = put_words(world, WORDS)
    texts(world, ref)
    asked = len(model[1])
    first = [topic["title"] for topic in world.row.topics]
    world.run_id = "run-2"
    _words, again = put_words_again(world)
    texts(world, again)
    assert len(model[1]) == asked
    assert [topic["title"] for topic in world.row.topics] == first
    assert world.usage["detect_topics"].cache_hits == 1


def put_words_again(world):
    """Rows and words for the run's second place."""
    put_rows(world, rows_before("good", world.control.url("webhook")))
    row = {"participants": [{"id": "a", "speaker": 0, "name": "Ana", "user_id": None}]}
    world.rows.update_transcript(world.run.transcript_id, topics=[], events=[], title=None, **row)
    return put_words(world, WORDS)


def test_a_retry_goes_on_after_the_last_topic(world, model):
    """Killed in its third topic, the step's next attempt asks about the rest alone."""
    _words, ref = put_words(world, WORDS)
    misbehave(world, "after one topic")
    with pytest.raises(TransientStepError, match="ended with 9"):
        world.step("detect_topics", words=ref)
    asked = len(model[1])
    assert 0 < asked < 3
    world.step("detect_topics", words=ref)
    assert len(model[1]) == 3
    assert [topic["words"][0]["text"] for topic in world.row.topics] == [
        "word0 ", "word300 ", "word600 ",
    ]  # fmt: skip
    assert [event["event"] for event in world.row.events] == ["TOPIC"] * 3


@pytest.mark.parametrize(
    ("how", "said"),
    [
        pytest.param("hang", "silent for 1 s", id="a hung child"),
        pytest.param("die", "ended with 9", id="a dead child"),
        pytest.param("eat", "MemoryError", id="a child that eats memory"),
        pytest.param("fail", "RuntimeError", id="a processor that raises"),
    ],
)
def test_a_broken_child_costs_one_attempt(how, said, tmp_path, s3_url, control, python, model):
    """The attempt fails within its bound, says nothing of what was said, and the next succeeds."""
    silence_s = 1 if how == "hang" else 20
    world = make_bridge_world(
        tmp_path, s3_url, control, python, model[0], child_silence_s=silence_s
    )
    _words, ref = put_words(world, 10)
    misbehave(world, how)
    since = time.monotonic()
    with pytest.raises(TransientStepError, match=said) as failed:
        world.step("detect_topics", words=ref)
    assert time.monotonic() - since < 60
    assert "nobody may read" not in str(failed.value)
    patient = world.settings.pipeline.model_copy(update={"child_silence_s": 20})
    children(world.settings.pipeline).end()
    world.settings = world.settings.model_copy(update={"pipeline": patient})
    world.step("detect_topics", words=ref)
    assert len(world.row.topics) == 1
    children(world.settings.pipeline).end()


def test_a_killed_idle_child_is_replaced(world):
    """One that died between two steps costs nothing at all."""
    _words, ref = put_words(world, 10)
    world.step("detect_topics", words=ref)
    with children(world.settings.pipeline).child(lambda: None) as child:
        pid = child._process.pid
    os.kill(pid, signal.SIGKILL)
    child._process.wait(5)
    world.step("generate_title", topics=world.outputs["detect_topics"]["topics"])
    assert world.row.title


def test_a_refusal_is_hopeless(world):
    """A language model that refuses with 403 is not asked again by the engine."""
    words = [{"text": "REFUSE ", "start": 0.0, "end": 1.0, "speaker": 0}]
    stored = Artifacts(world.settings.store_url).put(world.run_id, "merge", "words", words)
    with pytest.raises(TerminalStepError, match="HTTP 403"):
        world.step("detect_topics", words=stored._asdict())


def test_a_heartbeat_that_ends_the_step_ends_the_child(world):
    """A worker that lost its task leaves no child at work."""
    pipeline = world.settings.pipeline
    misbehave(world, "hang")
    child = Child.start(pipeline, lambda: None)

    def lost():
        raise TransientStepError("lease lost")

    word = {"text": "a ", "start": 0.0, "end": 1.0, "speaker": 0}
    question = {"words": [word], "target_language": "en", "session_id": "s"}
    with pytest.raises(TransientStepError, match="lease lost"):
        list(child.ask("detect_topics", question, lost, 60))
    assert not child.is_alive


def test_a_release_that_lacks_something_is_named(tmp_path, s3_url, control, python, model):
    """The step is hopeless, and its error names the function that is missing."""
    theirs = tmp_path / "checkout"
    (theirs / "reflector" / "pipelines").mkdir(parents=True)
    for folder in ("reflector", "reflector/pipelines"):
        (theirs / folder / "__init__.py").write_text("")
    (theirs / "reflector" / "pipelines" / "topic_processing.py").write_text("EmptyPipeline = 1\n")
    world = make_bridge_world(tmp_path, s3_url, control, python, model[0], reflector_dir=theirs)
    _words, ref = put_words(world, 10)
    with pytest.raises(TerminalStepError, match=r"reflector\.llm cannot be imported"):
        world.step("detect_topics", words=ref)


def test_a_worker_that_dies_leaves_no_child(world, python):
    """The child ends when its questions' pipe does, even in the middle of one."""
    program = (
        "import sys, os\n"
        "from reflector_migrate.pipeline.bridge.child import Child\n"
        "from reflector_migrate.settings import PipelineSettings\n"
        "settings = PipelineSettings.model_validate_json(sys.argv[1])\n"
        "child = Child.start(settings, lambda: None)\n"
        "print(child._process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    given = world.settings.pipeline.model_dump_json()
    done = subprocess.run(
        [sys.executable, "-c", program, given], capture_output=True, text=True, check=False
    )
    pid = int(done.stdout)
    until = time.monotonic() + 5
    while is_running(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_running(pid)


def is_running(pid):
    """Whether there is such a process, zombies aside."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii")
        return stat.rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_an_interpreter_that_is_not_there_names_its_setting(world, tmp_path):
    """The error names the key."""
    pipeline = world.settings.pipeline.model_copy(update={"reflector_python": tmp_path / "none"})
    with pytest.raises(ConfigurationError, match=r"pipeline\.reflector_python"):
        Child.start(pipeline, lambda: None)


def test_the_doctor_names_what_a_release_lacks(world, tmp_path):
    """It asks a child; a healthy one is shown with its build."""
    found = _processors(Harness.of(world.settings))
    assert found.state.value == "pass"
    assert "build" in found.value
    (tmp_path / "reflector").mkdir()
    (tmp_path / "reflector" / "__init__.py").write_text("")
    bare = world.settings.pipeline.model_copy(update={"reflector_dir": tmp_path})
    found = _processors(Harness.of(world.settings.model_copy(update={"pipeline": bare})))
    assert found.state.value == "fail"
    assert "generate_title: reflector.pipelines.topic_processing cannot be imported" in found.why


def test_reflectors_build_is_part_of_the_floors_conditions(world):
    """A pair under another build, or under our own prompts, is not evidence beside it."""
    _words, ref = put_words(world, 10)
    build = world.step("detect_topics", words=ref).processors
    step = StepRun(name="detect_topics", processors=build)
    accounts = [
        Observation(
            recording="r", role="candidate", engine="conductor", status="completed", steps=s
        )
        for s in ((step,), ())
    ]
    theirs, ours = (conditions(world.settings, accounts[1], account) for account in accounts)
    assert theirs == {**ours, "processors": build}


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        pytest.param({"kinds": ["A"], "status": 429, "lacks": None}, TransientStepError, id="429"),
        pytest.param({"kinds": ["A"], "status": 401, "lacks": None}, TerminalStepError, id="401"),
        pytest.param({"kinds": ["A"], "status": 503, "lacks": None}, TransientStepError, id="503"),
        pytest.param({"kinds": ["A"], "status": None, "lacks": "x"}, TerminalStepError, id="lacks"),
    ],
)
def test_failures_are_hopeless_or_worth_a_retry(told, kind):
    """As for any of our services."""
    assert type(failure("detect_topics", told)) is kind
