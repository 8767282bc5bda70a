"""Attempts on real servers of both versions: tried again, timed out, given up, manual.

Over steps that only answer.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from itertools import pairwise

import pytest

from reflector_migrate.clients.conductor import connected
from reflector_migrate.conductor.execution import retry, terminate
from reflector_migrate.conductor.runtime.task_client import TaskClient
from reflector_migrate.conductor.server_version import server_version
from reflector_migrate.conductor.start import start_request, start_workflow
from reflector_migrate.conductor.task_domain import identity, parse_worker_id
from reflector_migrate.conductor.workflows.load import PIPELINE, workflow_definition
from reflector_migrate.harness import Harness
from reflector_migrate.store.events import EventLog
from tests.conductor_world import a_run, attempts, ended, tracks, until

pytestmark = [pytest.mark.live, pytest.mark.timeout(400)]


def test_a_passing_failure_is_tried_again_and_says_which_attempt(ordered):
    """Twice it fails, the third time it does not; each attempt is there to be read."""
    settings, order = ordered
    passing = ("merge_transcripts", "pad_track", "transcribe_track")
    order(fail={step: ["transient", 2] for step in passing})
    found = ended(settings, start_workflow(Harness.of(settings), a_run(), tracks(2)))
    assert found.status == "completed", found.reason
    merges = [s for s in found.step_runs if s.name == "merge_transcripts"]
    assert [s.status for s in merges] == ["failed", "failed", "completed"]
    assert [s.attempt for s in merges] == [1, 2, 3]
    assert merges[1].error == "attempt 2 of 4: merge_transcripts is transient"
    assert_backed_off(found)
    for step in ("pad_track", "transcribe_track"):
        counts = Counter(attempts(found, step))
        assert counts["completed"] == 2
        # a JOIN that cut the workflow short over one failure has cancelled what else was failing
        assert counts["failed"] >= 1
        assert counts["failed"] + counts["cancelled"] >= 2
        assert set(counts) <= {"failed", "completed", "cancelled"}
    assert merges[0].usage.external_calls == 0
    assert merges[2].usage.external_calls == 1


def assert_backed_off(found):
    """Each attempt began a scaled backoff after the one before: 1 s, then 2 s."""
    merges = [s for s in found.step_runs if s.name == "merge_transcripts"]
    assert [
        (later.started - earlier.ended).total_seconds() > 0.9 * earlier.attempt
        for earlier, later in pairwise(merges)
    ] == [True, True]


def test_a_hopeless_failure_is_not_tried_again_and_sets_the_status(ordered):
    """One attempt; then the failure workflow finalizes with outcome error."""
    settings, order = ordered
    host = order(fail={"detect_topics": ["terminal", 99]})
    run = a_run()
    workflow_id = start_workflow(Harness.of(settings), run, tracks(1))
    found = ended(settings, workflow_id)
    assert found.status == "failed"
    assert attempts(found, "detect_topics") == ["failed"]
    assert "attempt 1 of 4" in found.reason
    until(lambda: len(host.called("finalize")) == 1, "the failure workflow finalizes")
    news = [e.data for e in EventLog(settings.store_url).of(run.run_id)]
    failed = [d["current_step"] for d in news if d["step_status"] == "failed"]
    assert failed == ["detect_topics"]
    assert {d["step_status"] for d in news if d["current_step"] == "finalize"} == {"pending"}
    assert {d["workflow_id"] for d in news} == {workflow_id}


def test_a_workflow_that_times_out_as_a_whole_sets_the_status_too(ordered):
    """The failure workflow is started by either server, and finalizes once."""
    settings, order = ordered
    host = order(sleep={"get_participants": [4.0, False, 1]})
    knows = server_version(settings).knows_join_mode
    ours = workflow_definition(PIPELINE, settings, knows_join_mode=knows)
    impatient = ours | {"timeoutSeconds": 2}
    with connected(settings) as client:
        request = start_request(settings, a_run(), tracks(1))
        workflow_id = client.start(request | {"workflowDef": impatient})
        until(lambda: decided(client, workflow_id) == "TIMED_OUT", "it is timed out")
    until(lambda: len(host.called("finalize")) == 1, "the failure workflow finalizes")


def decided(client, workflow_id):
    """Its status, once the server has looked at it."""
    client.decide(workflow_id)
    return client.workflow(workflow_id, with_tasks=False)["status"]


def test_zulip_and_consent_cannot_fail_the_transcript(ordered):
    """The workflow completes, the webhook is still sent, and the failure is not hidden."""
    settings, order = ordered
    host = order(fail={"post_zulip": ["terminal", 99], "cleanup_consent": ["terminal", 99]})
    found = ended(settings, start_workflow(Harness.of(settings), a_run(), tracks(1)))
    assert found.status == "completed", found.reason
    assert set(found.failed_steps) == {"post_zulip", "cleanup_consent"}
    assert len(host.called("send_webhook")) == 1


def test_a_killed_workers_task_comes_back(ordered):
    """SIGKILL during a step: its parent reports it, a new process does that step alone again."""
    settings, order = ordered
    host = order(sleep={"merge_transcripts": [60.0, False, 1]})
    workflow_id = start_workflow(Harness.of(settings), a_run(), tracks(2))
    until(lambda: host.called("merge_transcripts"), "merging begins")
    first = host.called("merge_transcripts")[0]
    os.kill(first, signal.SIGKILL)
    found = ended(settings, workflow_id)
    assert found.status == "completed", found.reason
    assert attempts(found, "merge_transcripts") == ["failed", "completed"]
    killed = next(s for s in found.step_runs if s.name == "merge_transcripts")
    assert killed.error == f"attempt 1 of 4: worker process {first} was killed by signal 9"
    assert parse_worker_id(killed.worker)[1] == str(first)
    assert host.called("merge_transcripts")[1] != first
    assert len(host.called("transcribe_track")) == 2


def test_signs_of_life_renew_a_lease_and_a_hung_step_is_timed_out_alone(ordered):
    """Silent for longer than 6 s: timed out, tried again. Alive for 9 s: one attempt."""
    settings, order = ordered
    order(sleep={"get_participants": [45.0, False, 1], "merge_transcripts": [9.0, True, 9]})
    found = ended(settings, start_workflow(Harness.of(settings), a_run(), tracks(1)))
    assert found.status == "completed", found.reason
    assert attempts(found, "get_participants") == ["timed_out", "completed"]
    assert attempts(found, "get_recording") == ["completed"]
    assert attempts(found, "merge_transcripts") == ["completed"]


def test_an_attempt_that_the_server_gave_up_stops(ordered):
    """Alive, but over its 12 s in all: another attempt has begun, and the first works no more."""
    settings, order = ordered
    host = order(sleep={"merge_transcripts": [170.0, True, 1]})
    found = ended(settings, start_workflow(Harness.of(settings), a_run(), tracks(1)))
    assert found.status == "completed", found.reason
    assert attempts(found, "merge_transcripts") == ["timed_out", "completed"]
    until(lambda: len(host.worked("merge_transcripts")) == 2, "both attempts are over")
    longest = max(end - begin for begin, end in host.worked("merge_transcripts"))
    assert 12.0 < longest < 150.0


def test_a_retry_runs_only_what_failed(ordered):
    """By hand: the failed step and what follows, nothing before."""
    settings, order = ordered
    host = order(fail={"generate_title": ["terminal", 1]})
    workflow_id = start_workflow(Harness.of(settings), a_run(), tracks(2))
    assert ended(settings, workflow_id).status == "failed"
    until(lambda: len(host.called("finalize")) == 1, "the failure workflow finalizes")
    retry(Harness.of(settings), workflow_id)
    found = ended(settings, workflow_id)
    assert found.status == "completed", found.reason
    assert len(host.called("generate_title")) == 2
    assert len(host.called("transcribe_track")) == 2
    assert len(host.called("merge_transcripts")) == 1


@pytest.mark.parametrize("skew_s", [-600, 600])
def test_a_backoff_is_the_servers_whatever_our_clock_says(domain, monkeypatch, skew_s):
    """A failed step that is limited comes back after its delay, not before and not much later."""
    workflow_id = start_workflow(Harness.of(domain), a_run(), tracks(1))
    clock = time.time
    monkeypatch.setattr("time.time", lambda: clock() + skew_s)
    client = TaskClient(Harness.of(domain), server_version(domain), identity())
    first = client.take("get_recording") or client.take("get_recording")
    result = client._in_progress(first)
    result.status = "FAILED"
    failed_s = time.monotonic()
    client.hand_in(result)
    second = None
    while second is None and time.monotonic() - failed_s < 20:
        second = client.take("get_recording")
    assert second is not None
    waited_s = time.monotonic() - failed_s
    assert second.start_delay_in_seconds - 0.1 <= waited_s < second.start_delay_in_seconds + 10
    terminate(Harness.of(domain), workflow_id, "test")
