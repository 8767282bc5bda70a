"""Whole runs on real servers of both versions: started once, in parallel, within limits.

Over steps that only answer.
"""

from __future__ import annotations

import contextlib
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest

from reflector_migrate.clients.conductor import connected
from reflector_migrate.conductor.execution import terminate
from reflector_migrate.conductor.register import register_all
from reflector_migrate.conductor.start import start_request, start_workflow
from reflector_migrate.conductor.task_domain import parse_worker_id
from reflector_migrate.conductor.workflows.load import PIPELINE, VERSION
from reflector_migrate.harness import Harness
from reflector_migrate.model import STEP_NAMES, VISIBLE_STEPS
from reflector_migrate.pipeline.contracts import contract_hash
from reflector_migrate.store.events import EventLog
from tests.conductor_world import a_run, assert_small, catch_up, end_all, ended, tracks

pytestmark = [pytest.mark.live, pytest.mark.timeout(400)]


def test_a_recording_runs_through_all_fifteen_steps(ordered):
    """Twelve tracks: every step completes, by known workers, tracks in parallel and in order."""
    settings, _ = ordered
    run = a_run()
    workflow_id = start_workflow(Harness.of(settings), run, tracks(12))
    found = ended(settings, workflow_id)
    assert found.status == "completed", found.reason
    assert {s.name for s in found.step_runs} == set(STEP_NAMES)
    done = [s for s in found.step_runs if s.status == "completed"]
    assert {parse_worker_id(s.worker)[2] for s in done} == {s.build for s in done}
    assert all(s.queued <= s.started <= s.ended for s in found.step_runs)
    padded = {s.track_index for s in found.step_runs if s.name == "pad_track"}
    assert padded == set(range(12))
    with connected(settings) as client:
        executed = client.workflow(workflow_id)
    assert executed["output"]["word_count"] == 12
    assert executed["correlationId"] == run.recording_id
    types = {t["taskType"] for t in executed["tasks"]}
    assert types >= {*STEP_NAMES, "FORK", "JOIN"}
    assert_small(executed)
    _assert_told(settings, run, 12)


def _assert_told(settings, run, track_count):
    news = [e.data for e in EventLog(settings.store_url).of(run.run_id)]
    by_step = {}
    for data in news:
        key = (data["current_step"], data.get("track_index"))
        by_step.setdefault(key, []).append(data["step_status"])
    assert len(by_step) == len(VISIBLE_STEPS) - 2 + 2 * track_count
    assert set(map(tuple, by_step.values())) == {("pending", "in_progress", "completed")}
    assert news[-1]["percent"] == 100
    assert catch_up(settings, news[0]["workflow_id"]).status == "completed"
    assert len(EventLog(settings.store_url).of(run.run_id)) == len(news)


def test_a_run_is_started_once(domain):
    """Asked again, the same workflow is answered; another run of the recording is another."""
    run = a_run()
    first = start_workflow(Harness.of(domain), run, tracks(1))
    assert start_workflow(Harness.of(domain), run, tracks(1)) == first
    other = run.model_copy(update={"run_id": uuid.uuid4().hex})
    assert start_workflow(Harness.of(domain), other, tracks(1)) != first
    with connected(domain) as client:
        assert client.workflow(first)["taskToDomain"]["finalize"] == domain.conductor.domain
    terminate(Harness.of(domain), first, "test")


def test_the_domain_says_the_contract(server):
    """Without a setting, tasks go to workers of the same contract only."""
    request = start_request(server, a_run(), tracks(1))
    assert request["taskToDomain"] == dict.fromkeys(STEP_NAMES, f"shadow-{contract_hash()}")


def test_a_lost_answer_starts_nothing_twice(domain):
    """The server carries the start out, the answer is lost: the workflow is found, not repeated."""
    run = a_run()
    with _losing_answers(domain) as through:
        workflow_id = start_workflow(Harness.of(through), run, tracks(1))
    with connected(domain) as client:
        running = [client.workflow(i, with_tasks=False) for i in client.running(PIPELINE, VERSION)]
    mine = [w["workflowId"] for w in running if w["input"]["run"]["run_id"] == run.run_id]
    assert mine == [workflow_id]
    terminate(Harness.of(domain), workflow_id, "test")


@contextlib.contextmanager
def _losing_answers(settings):
    base = settings.conductor.server_url

    class Proxy(BaseHTTPRequestHandler):
        """Passes requests on; hangs up instead of answering a start."""

        def do_GET(self):
            """Pass on."""
            self._pass("GET")

        def do_POST(self):
            """Pass on, and say nothing."""
            self._pass("POST")

        def _pass(self, method):
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            path = self.path.removeprefix("/api")
            kind = {"content-type": "application/json"}
            answer = httpx.request(method, base + path, content=body, headers=kind, timeout=20)
            if method == "POST":
                self.close_connection = True
                return
            self.send_response(answer.status_code)
            self.send_header("content-type", answer.headers.get("content-type", ""))
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_about):
            """Keep quiet."""

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    Thread(target=proxy.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{proxy.server_port}/api"
    conductor = settings.conductor.model_copy(update={"server_url": url})
    try:
        yield settings.model_copy(update={"conductor": conductor})
    finally:
        proxy.shutdown()
        proxy.server_close()


def at_once(spans):
    """How many of these were under way at the same time, at most."""
    return max(sum(1 for b, e in spans if b <= begin < e) for begin, _ in spans)


def test_tracks_run_in_parallel_up_to_the_workers_limits(ordered):
    """Nine tracks: two processes pad two at once, and three slots transcribe three at once."""
    settings, order = ordered
    slow = {"pad_track": [1.0, False, 99], "transcribe_track": [1.2, False, 99]}
    host = order(sleep=slow)
    found = ended(settings, start_workflow(Harness.of(settings), a_run(), tracks(9)))
    assert found.status == "completed", found.reason
    assert at_once(host.worked("pad_track")) == 2
    assert at_once(host.worked("transcribe_track")) == 3


def test_a_services_budget_binds_all_workers_together(domain, workers):
    """The recogniser takes two at once: of two hosts' six slots, two ever work."""
    budgets = domain.budgets.model_copy(update={"recogniser": 2})
    tight = domain.model_copy(update={"budgets": budgets})
    slow = {"transcribe_track": [1.0, False, 99]}
    hosts = [workers(sleep=slow), workers(sleep=slow)]
    end_all(domain)
    assert register_all(Harness.of(tight), force=True).replaced == ("transcribe_track",)
    try:
        found = ended(tight, start_workflow(Harness.of(tight), a_run(), tracks(6)))
        assert found.status == "completed", found.reason
        assert at_once([span for host in hosts for span in host.worked("transcribe_track")]) == 2
    finally:
        end_all(domain)
        register_all(Harness.of(domain), force=True)


@pytest.mark.parametrize("server", ["3.15.0"], indirect=True)
def test_what_follows_a_join_comes_soon_however_long_that_waited(ordered):
    """By its own settings 3.15.0 looks after 2, 4, 8, 16 s: seen here, 16 and 46 s late."""
    settings, order = ordered
    order(sleep={"transcribe_track": [16.0, True, 99]})
    found = ended(settings, start_workflow(Harness.of(settings), a_run(), tracks(2)))
    assert found.status == "completed", found.reason
    heard = max(s.ended for s in found.step_runs if s.name == "transcribe_track")
    (merge,) = [s for s in found.step_runs if s.name == "merge_transcripts"]
    assert (merge.queued - heard).total_seconds() < 10
