"""`migrate rerun --from` every step and `migrate retry`: real steps, real servers of both versions.

In the live namespace, so that what reaches Zulip, the webhook's receiver and the listeners is
what really would.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from reflector_migrate.clients.conductor import connected
from reflector_migrate.conductor.execution import read
from reflector_migrate.harness import Harness
from reflector_migrate.model import STEP_NAMES, spec_of
from reflector_migrate.shadow.observe.attempts import with_kept
from reflector_migrate.shadow.observe.failure import Outlook, failure_view, outlook
from reflector_migrate.shadow.recover.orphaned_failure import say_error
from reflector_migrate.store.clock import now
from reflector_migrate.store.runs import RunRecord, Runs
from tests.conductor_world import catch_up
from tests.restart_left import differences, left_by
from tests.restart_servers import VERSIONS, servers_of
from tests.restart_world import IN_TURN, Drama, dramas, environ_of, until

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

BEGINS = {
    "plan_padding": "pad_track",
    "merge_transcripts": "merge_transcripts",
    "cleanup_consent": "cleanup_consent",
}
ANEW = ("get_recording", "get_participants")


@pytest.fixture(scope="module", params=VERSIONS)
def ended(request, stage, tmp_path_factory):
    """A recording that ended well on a server of each version, known to our store."""
    folder = tmp_path_factory.mktemp("again")
    if request.param == VERSIONS[0]:
        with dramas(stage, folder) as make:
            yield played(make("live", scenario="good"))
        return
    with servers_of(request.param, folder / "servers") as servers, dramas(stage, folder) as make:
        yield played(make("live", scenario="good", servers=servers))


def played(it: Drama) -> Drama:
    """The drama, once it has ended."""
    it.begin()
    assert it.end().status == "completed", it.last
    register(it)
    return it


@pytest.mark.parametrize("step", STEP_NAMES)
def test_a_rerun_from_any_step_leaves_what_was_there(ended, step):
    """That step and all after it, no paid call again, effects once; `processing`, `ended`.

    The message stands under its number, and the event went out once under its id. What comes
    after the end leaves the status alone.
    """
    it = ended
    until(
        lambda: read(Harness.of(it.world.settings), it.workflow_id).status == "completed",
        "it is over",
    )
    before, ran = left_by(it.world), runs_of(it)
    assert (len(before["hook"]), len(before["zulip"])) == (1, 1)
    done = read(Harness.of(it.world.settings), it.workflow_id).step_runs
    said = migrate(it, "rerun", it.world.run.recording_id, "--from", step)
    is_anew = "new workflow" in said
    assert is_anew is (step in ANEW)
    if is_anew:
        it.forget(it.workflow_id)
        it.workflow_id = Runs(it.world.settings.store_url).by_id(it.world.run.run_id).workflow_id
    found = it.end()
    assert found.status == "completed", found.reason
    assert found.failed_steps == ()
    assert runs_of(it) - ran == expected_runs(step, len(it.world.tracks))
    after = left_by(it.world)
    statuses = (
        {} if spec_of(step).is_after_end else {"processing": 2, "ended": 2}
    )  # owner's channel too
    assert told_again(after, before) == statuses
    assert differences(after | {"told": []}, before | {"told": []}) == {}
    assert it.world.row.status == "ended"
    assert paid(it, found.step_runs) == pytest.approx(paid(it, done))


def paid(it, steps):
    """Seconds and questions of the whole run, what the server forgot since with it."""
    kept = with_kept(Harness.of(it.world.settings), it.world.run_id, steps)
    used = [(s.usage.gpu_seconds, s.usage.llm_calls) for s in kept]
    assert min(map(sum, zip(*used, strict=True))) > 0
    return [sum(kind) for kind in zip(*used, strict=True)]


def expected_runs(step: str, tracks: int) -> Counter[str]:
    """How often each step has to run from this one on."""
    reference = (
        "plan_padding" if step == "generate_dynamic_fork_tasks" else spec_of(step).rerun_from
    )
    begins = BEGINS[reference] if reference else step
    first = "get_recording" if step in ANEW else begins
    due = IN_TURN[IN_TURN.index(first) :]
    times = Counter({s: tracks if s in ("pad_track", "transcribe_track") else 1 for s in due})
    if "pad_track" in due:
        times["generate_dynamic_fork_tasks"] = 2
    return times


def test_one_that_a_person_terminates_says_error_and_a_retry_ends_it(ended, monkeypatch):
    """No failure workflow is started: the collector publishes it, once."""
    it = ended
    until(
        lambda: read(Harness.of(it.world.settings), it.workflow_id).status == "completed",
        "it is over",
    )
    before, told = left_by(it.world), len(statuses_of(it))
    it.hold("detect_topics")
    migrate(it, "rerun", it.world.run.recording_id, "--from", "merge_transcripts")
    it.wait_for("detect_topics")
    with connected(it.world.settings) as client:
        client.terminate(it.workflow_id, "by hand")
    it.let_go("detect_topics")
    assert read(Harness.of(it.world.settings), it.workflow_id).failure_workflow is None
    assert look(it) == "running"  # a step may still be at work
    assert it.world.row.status == "processing"
    monkeypatch.setattr(
        "reflector_migrate.shadow.observe.failure.FOR_STRAGGLERS", timedelta(seconds=3)
    )
    until(lambda: look(it) != "running", "it is told")
    assert [look(it) for _ in range(2)] == ["failed", "failed"]
    assert it.world.row.status == "error"
    migrate(it, "retry", it.world.run.recording_id)
    assert it.end().status == "completed"
    told = statuses_of(it)[told:]
    for event in ("STATUS", "TRANSCRIPT_STATUS"):
        values = [value for name, value in told if name == event]
        assert values == ["processing", "error", "processing", "ended"]
    assert differences(left_by(it.world) | {"told": []}, before | {"told": []}) == {}


def test_a_rerun_that_fails_says_error_and_a_retry_ends_it(ended):
    """Each is published on both channels, in order; the row keeps the last alone."""
    it = ended
    until(
        lambda: read(Harness.of(it.world.settings), it.workflow_id).status == "completed",
        "it is over",
    )
    before, told = left_by(it.world), len(statuses_of(it))
    lost = {"Bucket": "daily-tracks", "Key": it.world.tracks[0]["s3_key"]}
    sound = it.world.s3.get_object(**lost)["Body"].read()
    it.world.s3.delete_object(**lost)
    migrate(it, "rerun", it.world.run.recording_id, "--from", "pad_track")
    assert it.end().status == "failed"
    until(lambda: it.world.row.status == "error", "the failure is told")
    it.world.s3.put_object(**lost, Body=sound)
    migrate(it, "retry", it.world.run.recording_id)
    assert it.end().status == "completed"
    told = statuses_of(it)[told:]
    owners = [value for event, value in told if event == "TRANSCRIPT_STATUS"]
    assert owners == ["processing", "error", "processing", "ended"]
    assert [value for event, value in told if event == "STATUS"] == owners
    assert differences(left_by(it.world) | {"told": []}, before | {"told": []}) == {}


def test_what_the_server_refuses_leaves_the_status_as_it_was(ended):
    """Nothing failed: nothing is retried or published."""
    it = ended
    until(
        lambda: read(Harness.of(it.world.settings), it.workflow_id).status == "completed",
        "it is over",
    )
    before = left_by(it.world)
    done = command(it, "retry", it.world.run.recording_id)
    assert done.returncode == 2
    assert "has completed" in done.stderr
    assert differences(left_by(it.world), before) == {}


def look(it):
    """As the collector does."""
    settings = it.world.settings
    run = Runs(settings.store_url).by_id(it.world.run.run_id)
    execution = catch_up(settings, run.workflow_id)
    seen = failure_view(Harness.of(settings), run, execution)
    found = outlook(seen, now())
    if found is Outlook.OURS:
        say_error(Harness.of(settings), run, seen.again_at)
    return "running" if found is Outlook.COMING else execution.status


def told_again(left, before):
    """How often each status was published since; of anything else nothing may have been."""
    new = Counter(left["told"]) - Counter(before["told"])
    assert not Counter(before["told"]) - Counter(left["told"])
    assert all("STATUS" in message for message in new), new
    values = ("processing", "ended", "error")
    found = {v: sum(n for m, n in new.items() if f"'{v}'" in m) for v in values}
    return {value: count for value, count in found.items() if count}


def statuses_of(it):
    """Statuses in the order in which listeners heard them, by event."""
    told = [m for _, m in it.world.messages() if m["event"].endswith("STATUS")]
    return [(m["event"], m["data"]["value"]) for m in told]


def states_of(it, step):
    """What was published of a step, in order."""
    news = [m["data"] for _, m in it.world.messages() if m["event"] == "PIPELINE_PROGRESS"]
    return [one["step_status"] for one in news if one["current_step"] == step]


def runs_of(it):
    """How often each step ran so far."""
    return Counter((it.orders / "runs").read_text().split())


def register(it):
    """Make the run known to our store, as the dispatcher does."""
    run, at = it.world.run, now()
    record = RunRecord(
        run_id=run.run_id, claim="c", recording_id=run.recording_id,
        transcript_id=run.transcript_id, namespace=run.namespace, build="b", state="compared",
        reason=None, workflow_id=it.workflow_id, primary_task_id=None, request={},
        created_at=at, updated_at=at,
    )  # fmt: skip
    assert Runs(it.world.settings.store_url).claim(record)


def migrate(it, *words):
    """What the command says; it must succeed."""
    done = command(it, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def command(it, *words):
    """Run `migrate` as an operator would."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("migrate")), *words],
        env={**os.environ, **environ_of(it.world.settings)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
