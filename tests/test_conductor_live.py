"""The candidate's machinery on real servers of both versions, over steps that only answer."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread

import httpx
import psutil
import pytest

from reflector_migrate.conductor.catching_up import catch_up
from reflector_migrate.conductor.client import connected
from reflector_migrate.conductor.compat import server_version
from reflector_migrate.conductor.content import differences
from reflector_migrate.conductor.domain import identity, parse_worker_id
from reflector_migrate.conductor.execution import read, retry, task_queue_pollers, terminate
from reflector_migrate.conductor.health import health
from reflector_migrate.conductor.register import register_all
from reflector_migrate.conductor.rerunning import rerun
from reflector_migrate.conductor.start import start_request, start_workflow
from reflector_migrate.conductor.workers.desk import Desk
from reflector_migrate.conductor.workers.meta import spent_before
from reflector_migrate.conductor.workflows.load import (
    FAILED,
    PIPELINE,
    VERSION,
    workflow_definition,
)
from reflector_migrate.errors import RefusedError
from reflector_migrate.model import STEP_NAMES, VISIBLE_STEPS
from reflector_migrate.pipeline.contracts import Run, Track, contract_hash
from reflector_migrate.pipeline.runner import validated_input
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.settings import Settings
from reflector_migrate.store.events import EventLog
from reflector_migrate.store.migrate import upgrade

pytestmark = [pytest.mark.live, pytest.mark.timeout(400)]

SCALE = 0.2  # most steps: 12 s in all, 6 s without a sign of life
PATIENCE_S = 180.0  # two cores may be shared by many
DOUBLE = Path(__file__).parent / "conductor_double.py"
VERSIONS = ("3.32.3", "3.15.0")


@pytest.fixture(scope="module", params=VERSIONS)
def server(request, tmp_path_factory):
    """A real server of each version with our definitions; settings with a store of their own."""
    folder = tmp_path_factory.mktemp("conductor")
    parts = ("conductor", "redis")
    with Sandbox(
        Settings(), folder, conductor_version=request.param, with_=parts, time_scale=SCALE
    ) as sandbox:
        url = f"sqlite:///{folder / 'store.db'}"
        upgrade(url)
        store = sandbox.settings.store.model_copy(update={"url": url})
        yield sandbox.settings.model_copy(update={"store": store, "is_sandbox": False})


@pytest.fixture
def domain(server):
    """The same server with a task domain of this test's own: nothing is left over from others."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    conductor = server.conductor.model_copy(update={"domain": name})
    return server.model_copy(update={"conductor": conductor})


class Workers:
    """A worker host over the doubles, in processes of its own."""

    def __init__(self, settings, folder, group="all", drain_s=3.0, **orders):
        self.folder = folder
        folder.mkdir()
        self.calls, self.spans = folder / "calls", folder / "calls.spans"
        self.order(**orders)
        self.ready = folder / "ready"
        log = (folder / "log").open("w")
        self.process = subprocess.Popen(
            [sys.executable, str(DOUBLE), "--group", group],
            env={**os.environ, **_environ(settings, folder, drain_s)},
            stdout=log,
            stderr=log,
        )

    def order(self, **orders):
        """Have the steps fail or take their time from now on; the count of calls begins anew."""
        for path in (self.calls, self.spans):
            path.write_text("")
        text = json.dumps({"calls": str(self.calls), **orders})
        (self.folder / "next").write_text(text)
        (self.folder / "next").rename(self.folder / "orders")

    def wait_until_ready(self):
        """Return when every process polls."""
        _until(self.ready.exists, f"workers poll; see {self.folder / 'log'}")

    def family(self):
        """The host and every process below it."""
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def called(self, step):
        """Pids that executed a step, in order."""
        lines = [line.split() for line in self.calls.read_text().splitlines()]
        return [int(pid) for name, pid in lines if name == step]

    def worked(self, step):
        """When each call of a step began and ended."""
        lines = [line.split() for line in self.spans.read_text().splitlines()]
        return [(float(began), float(ended)) for name, began, ended in lines if name == step]

    def stop(self):
        """SIGTERM; the seconds until every process had ended."""
        family, began = self.family(), time.monotonic()
        self.process.terminate()
        _, alive = psutil.wait_procs(family, timeout=15)
        assert not alive, f"still there: {alive}"
        return time.monotonic() - began


def _environ(settings, folder, drain_s):
    conductor = settings.conductor
    return {
        "CONDUCTOR_DOUBLE": str(folder / "orders"),
        "MIGRATE_READY_FILE": str(folder / "ready"),
        "MIGRATE_CONDUCTOR__SERVER_URL": conductor.server_url,
        "MIGRATE_CONDUCTOR__DOMAIN": conductor.domain or "",
        "MIGRATE_STORE__URL": settings.store_url,
        "MIGRATE_CANDIDATE__BUS_URL": settings.candidate.bus_url,
        "MIGRATE_WORKERS__DRAIN_S": str(drain_s),
        "MIGRATE_WORKERS__AUDIO": "2",
        "MIGRATE_WORKERS__TRANSCRIBE": "3",
    }


def _end(host):
    if host.process.poll() is None:
        family = host.family()
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=5)


@pytest.fixture
def workers(domain, tmp_path):
    """Starts worker hosts of the test's own, and ends what is left of them."""
    made = []

    def start(**options):
        host = Workers(domain, tmp_path / f"host{len(made)}", **options)
        made.append(host)
        host.wait_until_ready()
        return host

    yield start
    for host in made:
        _end(host)


@pytest.fixture(scope="module")
def shared(server, tmp_path_factory):
    """One host of all groups for the tests that need no other, and the settings that lead to it."""
    conductor = server.conductor.model_copy(update={"domain": f"test-{uuid.uuid4().hex[:8]}"})
    settings = server.model_copy(update={"conductor": conductor})
    host = Workers(settings, tmp_path_factory.mktemp("shared") / "host")
    try:
        host.wait_until_ready()
        yield settings, host
        assert host.stop() < 10.0
    finally:
        _end(host)


@pytest.fixture
def ordered(shared):
    """The shared host's settings, and a way to give it orders for this test."""
    settings, host = shared

    def order(**orders):
        host.order(**orders)
        return host

    order()
    return settings, order


def a_run():
    """A run of its own."""
    unique = uuid.uuid4().hex
    return Run(
        run_id=unique,
        recording_id=f"rec-{unique[:8]}",
        transcript_id=f"tr-{unique[:8]}",
        namespace="shadow",
        bucket_name="tracks",
    )


def tracks(count):
    """Tracks with indexes whose string order is not their number order from eleven on."""
    return [Track(track_index=i, s3_key=f"k{i}") for i in range(count)]


def _until(is_so, what, patience_s=PATIENCE_S):
    deadline = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.1)


def ended(settings, workflow_id):
    """The execution, once it has ended; looked after as the collector does."""
    _until(lambda: catch_up(settings, workflow_id).status != "running", f"{workflow_id} ends")
    return read(settings, workflow_id)


def attempts(execution, step):
    """Status of each attempt of a step, in order."""
    return [s.status for s in execution.step_runs if s.name == step]


def test_a_recording_runs_through_all_fifteen_steps(ordered):
    """Twelve tracks: every step completes, by known workers, tracks in parallel and in order."""
    settings, _ = ordered
    run = a_run()
    workflow_id = start_workflow(settings, run, tracks(12))
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
    _assert_small(executed)
    _assert_told(settings, run, 12)


def _assert_small(executed):
    sizes = [
        len(json.dumps(task[part]))
        for task in executed["tasks"]
        for part in ("inputData", "outputData")
    ]
    assert max(sizes) <= 64 * 1024
    assert len(json.dumps(executed)) <= 1024 * 1024


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
    first = start_workflow(domain, run, tracks(1))
    assert start_workflow(domain, run, tracks(1)) == first
    other = run.model_copy(update={"run_id": uuid.uuid4().hex})
    assert start_workflow(domain, other, tracks(1)) != first
    with connected(domain) as client:
        assert client.workflow(first)["taskToDomain"]["finalize"] == domain.conductor.domain
    terminate(domain, first, "test")


def test_the_domain_says_the_contract(server):
    """Without a setting, tasks go to workers of the same contract only."""
    request = start_request(server, a_run(), tracks(1))
    assert request["taskToDomain"] == dict.fromkeys(STEP_NAMES, f"shadow-{contract_hash()}")


def test_a_lost_answer_starts_nothing_twice(domain):
    """The server carries the start out, the answer is lost: the workflow is found, not repeated."""
    run = a_run()
    with _losing_answers(domain) as through:
        workflow_id = start_workflow(through, run, tracks(1))
    with connected(domain) as client:
        running = [client.workflow(i, with_tasks=False) for i in client.running(PIPELINE, VERSION)]
    mine = [w["workflowId"] for w in running if w["input"]["run"]["run_id"] == run.run_id]
    assert mine == [workflow_id]
    terminate(domain, workflow_id, "test")


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


def test_registering_again_changes_nothing(server):
    """Idempotent, also where the server adds fields of its own."""
    again = register_all(server)
    assert (again.created, again.replaced) == ((), ())
    assert set(again.unchanged) == {*STEP_NAMES, PIPELINE, FAILED}
    assert str(again.server) == server.conductor.version
    assert health(server) == (True, server.conductor.version, "")


def test_a_different_task_definition_needs_force_and_no_running_workflow(domain):
    """Refused without force, refused while something runs, replaced otherwise, then as it was."""
    slower = domain.conductor.model_copy(update={"time_scale": 2 * SCALE})
    changed = domain.model_copy(update={"conductor": slower})
    with pytest.raises(RefusedError, match="timeoutSeconds"):
        register_all(changed)
    workflow_id = start_workflow(domain, a_run(), tracks(1))
    with pytest.raises(RefusedError, match="running"):
        register_all(changed, force=True)
    _end_all(domain)
    assert read(domain, workflow_id).status == "failed"
    try:
        assert set(register_all(changed, force=True).replaced) == set(STEP_NAMES)
    finally:
        assert register_all(domain, force=True).replaced
    assert register_all(domain).replaced == ()


def _end_all(settings):
    """End every running workflow, those that ending one starts too."""

    def is_quiet():
        with connected(settings) as client:
            running = [i for name in (PIPELINE, FAILED) for i in client.running(name, VERSION)]
            for workflow_id in running:
                with contextlib.suppress(RefusedError):
                    client.terminate(workflow_id, "test")
        return not running

    _until(is_quiet, "nothing runs")


def test_a_different_workflow_of_the_same_version_is_refused(server):
    """The version must be bumped; nothing is overwritten, not even by force."""
    knows = server_version(server).knows_join_mode
    ours = workflow_definition(PIPELINE, server, knows_join_mode=knows)
    with connected(server) as client:
        client.put_workflow_def({**ours, "timeoutSeconds": 99})
        try:
            with pytest.raises(RefusedError, match="timeoutSeconds") as refused:
                register_all(server, force=True)
            assert "bump" in refused.value.hint
            assert client.workflow_def(PIPELINE, VERSION)["timeoutSeconds"] == 99
        finally:
            client.put_workflow_def(ours)
        assert differences(ours, client.workflow_def(PIPELINE, VERSION)) == []


@pytest.mark.parametrize("count", [0, 1, 3, 12, 40])
def test_the_definition_joins_any_number_of_tracks(server, count):
    """With mocked outputs the server itself walks the whole definition; tracks keep their order.

    That none at all is refused is the mixdown's business, which is mocked here.
    """
    request = {
        "name": PIPELINE,
        "version": VERSION,
        "workflowDef": workflow_definition(PIPELINE, server),
        "input": start_request(server, a_run(), tracks(count))["input"],
        "taskRefToMockOutput": _mocks(count),
    }
    with connected(server) as client:
        executed = client.test_workflow(request)
    assert executed["status"] == "COMPLETED", executed.get("reasonForIncompletion")
    done = {t["referenceTaskName"]: t for t in executed["tasks"]}
    assert len(done["join_padding"]["outputData"]) == count
    for name, field in (("mixdown_tracks", "padded_urls"), ("merge_transcripts", "transcripts")):
        given = validated_input(name, done[name]["inputData"])  # as the worker has it
        assert [branch.track_index for branch in getattr(given, field)] == [*range(count)]
    _assert_small(executed)


def _mocks(count):
    ref = {"ref": "artifact:x", "sha256": "0" * 64, "count": 3}
    outputs = {
        "get_recording": {"id": "r", "source_language": "en", "target_language": "en"},
        "get_participants": {"participants": []},
        "plan_padding": _plan("pad_track", "pad", count),
        "plan_transcription": _plan("transcribe_track", "t", count),
        "mixdown_tracks": {"audio_key": "a", "duration": 1.0, "size": 1},
        "generate_waveform": {"waveform": [0.5] * 280},
        "merge_transcripts": {"all_words": ref, "word_count": 3},
        "detect_topics": {"topics": ref},
        "generate_title": {"title": "t"},
        "generate_summary": {"summary": "s", "short_summary": "s"},
        "finalize": {"status": "COMPLETED", "transcript_status": "ended"},
        "cleanup_consent": {"audio_deleted": False, "reason": ""},
        "post_zulip": {"posted": False},
        "send_webhook": {"sent": False},
    }
    for index in range(count):
        padded = {"padded_url": "s3://b/k", "size": 1, "padded": True, "start_s": 1.0}
        outputs[f"pad_{index}"] = {"track_index": index, **padded}
        outputs[f"t_{index}"] = {"track_index": index, "words": ref}
    return {name: [{"status": "COMPLETED", "output": out}] for name, out in outputs.items()}


def _plan(step, prefix, count):
    names = [f"{prefix}_{index}" for index in range(count)]
    return {
        "tasks": [{"name": step, "taskReferenceName": n, "type": "SIMPLE"} for n in names],
        "inputs": {n: {"track_index": i} for i, n in enumerate(names)},
    }


def test_a_passing_failure_is_tried_again_and_says_which_attempt(ordered):
    """Twice it fails, the third time it does not; each attempt is there to be read."""
    settings, order = ordered
    passing = ("merge_transcripts", "pad_track", "transcribe_track")
    order(fail={step: ["transient", 2] for step in passing})
    found = ended(settings, start_workflow(settings, a_run(), tracks(2)))
    assert found.status == "completed", found.reason
    merges = [s for s in found.step_runs if s.name == "merge_transcripts"]
    assert [s.status for s in merges] == ["failed", "failed", "completed"]
    assert [s.attempt for s in merges] == [1, 2, 3]
    assert merges[1].error == "attempt 2 of 4: merge_transcripts is transient"
    assert_backed_off(found)
    for step in ("pad_track", "transcribe_track"):  # if a JOIN cut it short, it went on
        counts = Counter(attempts(found, step))
        assert (counts["failed"], counts["completed"]) == (2, 2)
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
    workflow_id = start_workflow(settings, run, tracks(1))
    found = ended(settings, workflow_id)
    assert found.status == "failed"
    assert attempts(found, "detect_topics") == ["failed"]
    assert "attempt 1 of 4" in found.reason
    _until(lambda: len(host.called("finalize")) == 1, "the failure workflow finalizes")
    news = [e.data for e in EventLog(settings.store_url).of(run.run_id)]
    failed = [d["current_step"] for d in news if d["step_status"] == "failed"]
    assert failed == ["detect_topics"]
    assert {d["workflow_id"] for d in news} == {workflow_id}


def test_zulip_and_consent_cannot_fail_the_transcript(ordered):
    """The workflow completes, the webhook is still sent, and the failure is not hidden."""
    settings, order = ordered
    host = order(fail={"post_zulip": ["terminal", 99], "cleanup_consent": ["terminal", 99]})
    found = ended(settings, start_workflow(settings, a_run(), tracks(1)))
    assert found.status == "completed", found.reason
    assert set(found.failed_steps) == {"post_zulip", "cleanup_consent"}
    assert len(host.called("send_webhook")) == 1


def test_a_killed_workers_task_comes_back(ordered):
    """SIGKILL amid a step: its parent reports it, a new process does it, and nothing else again."""
    settings, order = ordered
    host = order(sleep={"merge_transcripts": [60.0, False, 1]})
    workflow_id = start_workflow(settings, a_run(), tracks(2))
    _until(lambda: host.called("merge_transcripts"), "merging begins")
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
    found = ended(settings, start_workflow(settings, a_run(), tracks(1)))
    assert found.status == "completed", found.reason
    assert attempts(found, "get_participants") == ["timed_out", "completed"]
    assert attempts(found, "get_recording") == ["completed"]
    assert attempts(found, "merge_transcripts") == ["completed"]


def test_an_attempt_that_the_server_gave_up_stops(ordered):
    """Alive, but over its 12 s in all: another attempt has begun, and the first works no more."""
    settings, order = ordered
    host = order(sleep={"merge_transcripts": [170.0, True, 1]})
    found = ended(settings, start_workflow(settings, a_run(), tracks(1)))
    assert found.status == "completed", found.reason
    assert attempts(found, "merge_transcripts") == ["timed_out", "completed"]
    _until(lambda: len(host.worked("merge_transcripts")) == 2, "both attempts are over")
    longest = max(end - begin for begin, end in host.worked("merge_transcripts"))
    assert 12.0 < longest < 150.0


def at_once(spans):
    """How many of these were under way at the same time, at most."""
    return max(sum(1 for b, e in spans if b <= begin < e) for begin, _ in spans)


def test_tracks_run_in_parallel_up_to_the_workers_limits(ordered):
    """Nine tracks: two processes pad two at once, and three slots transcribe three at once."""
    settings, order = ordered
    slow = {"pad_track": [0.5, False, 99], "transcribe_track": [0.7, False, 99]}
    host = order(sleep=slow)
    found = ended(settings, start_workflow(settings, a_run(), tracks(9)))
    assert found.status == "completed", found.reason
    assert at_once(host.worked("pad_track")) == 2
    assert at_once(host.worked("transcribe_track")) == 3


def test_a_services_budget_binds_all_workers_together(domain, workers):
    """The recogniser takes two at once: of two hosts' six slots, two ever work."""
    budgets = domain.budgets.model_copy(update={"recogniser": 2})
    tight = domain.model_copy(update={"budgets": budgets})
    slow = {"transcribe_track": [1.0, False, 99]}
    hosts = [workers(sleep=slow), workers(sleep=slow)]
    _end_all(domain)
    assert register_all(tight, force=True).replaced == ("transcribe_track",)
    try:
        found = ended(tight, start_workflow(tight, a_run(), tracks(6)))
        assert found.status == "completed", found.reason
        assert at_once([span for host in hosts for span in host.worked("transcribe_track")]) == 2
    finally:
        _end_all(domain)
        register_all(domain, force=True)


def test_a_retry_runs_only_what_failed(ordered):
    """By hand: the failed step and what follows, nothing before."""
    settings, order = ordered
    host = order(fail={"generate_title": ["terminal", 1]})
    workflow_id = start_workflow(settings, a_run(), tracks(2))
    assert ended(settings, workflow_id).status == "failed"
    _until(lambda: len(host.called("finalize")) == 1, "the failure workflow finalizes")
    retry(settings, workflow_id)
    found = ended(settings, workflow_id)
    assert found.status == "completed", found.reason
    assert len(host.called("generate_title")) == 2
    assert len(host.called("transcribe_track")) == 2
    assert len(host.called("merge_transcripts")) == 1


@pytest.mark.parametrize(
    ("step", "done", "paddings"),
    [
        ("merge_transcripts", 2, 2),
        ("mixdown_tracks", 2, 4),
        ("transcribe_track", 4, 4),
        ("generate_waveform", 2, 4),
        ("generate_title", 2, 2),
    ],
)
def test_a_rerun_starts_at_a_step(ordered, step, done, paddings):
    """The step and everything after it is done again, everything before it is not.

    What reads padded tracks is preceded by the padding, as these are deleted once heard, and
    a fork's branch, or a step whose runs are limited, by what comes before.
    """
    settings, order = ordered
    host = order()
    workflow_id = start_workflow(settings, a_run(), tracks(2))
    assert ended(settings, workflow_id).status == "completed"
    rerun(settings, workflow_id, step)
    _until(lambda: len(host.called("send_webhook")) == 2, "the end is reached again")
    found = ended(settings, workflow_id)
    assert found.status == "completed", found.reason
    assert len(host.called(step)) == done
    assert len(host.called("pad_track")) == paddings
    assert len(host.called("get_participants")) == 1
    assert len(host.called("detect_topics")) == 2


def test_pollers_are_listed_and_strangers_flagged(ordered, monkeypatch):
    """Ours poll every queue with our build; somebody else's worker in our domain is seen."""
    settings, order = ordered
    pids = {str(process.pid) for process in order().family()[1:]}
    found = task_queue_pollers(settings, recent_s=20)
    assert {p.task for p in found} == set(STEP_NAMES)
    build = next(p.build for p in found if p.domain)  # sources may have changed since it started
    monkeypatch.setattr("reflector_migrate.conductor.pollers.build_hash", lambda: build)
    mine = [p for p in task_queue_pollers(settings, recent_s=20) if p.domain]
    assert {p.worker_id.split(":")[1] for p in mine} & pids
    assert not any(p.is_stranger for p in mine)
    with _a_ghost(settings, "finalize"):
        deadline, strangers = time.monotonic() + 30, set()
        while not strangers and time.monotonic() < deadline:
            seen = task_queue_pollers(settings, recent_s=20)
            strangers = {(p.task, p.worker_id) for p in seen if p.is_stranger and p.domain}
        ghosts = []
        while not ghosts and time.monotonic() < deadline + 60:  # it may hide behind a busier one
            told = _worker_list(settings)
            ghosts = [w for w in told["workers"] if w["worker_id"] == "old-container"]
    assert strangers == {("finalize", "old-container")}
    assert [(w["task"], w["is_stranger"]) for w in ghosts] == [("finalize", True)]
    assert (told["ok"], told["exit_code"]) == (False, 1)


@contextlib.contextmanager
def _a_ghost(settings, step):
    """Somebody else's worker that polls a step's queue in our domain all the time."""
    url = f"{settings.conductor.server_url}/tasks/poll/batch/{step}"
    who = {"workerid": "old-container", "domain": settings.conductor.domain, "count": 1}
    is_over = Event()

    def poll():
        while not is_over.wait(0.05):
            httpx.get(url, params={**who, "timeout": 0}, timeout=30)

    ghost = Thread(target=poll)
    ghost.start()
    try:
        yield
    finally:
        is_over.set()
        ghost.join()


def _worker_list(settings):
    """What `migrate worker list` says."""
    command = [str(Path(sys.executable).with_name("migrate")), "worker", "list", "--json"]
    environ = {**os.environ, **_environ(settings, Path(), 3.0)}
    done = subprocess.run(command, env=environ, capture_output=True, timeout=60, check=False)
    told = json.loads(done.stdout)
    assert told["exit_code"] == done.returncode, done.stderr
    return told


def test_a_dead_worker_process_is_replaced(ordered):
    """All members of the family die; the host starts them again and the run completes."""
    settings, order = ordered
    for victim in order().family()[1:]:
        victim.kill()
    found = ended(settings, start_workflow(settings, a_run(), tracks(1)))
    assert found.status == "completed", found.reason


def test_sigterm_hands_work_over_and_leaves_no_process(domain, workers):
    """A step that outlives the drain goes back into its queue at once, for the next worker."""
    host = workers(group="light", sleep={"get_recording": [60.0, False, 1]})
    workflow_id = start_workflow(domain, a_run(), tracks(1))
    _until(lambda: host.called("get_recording"), "the slow step begins")
    assert host.stop() < 10.0
    desk = Desk(domain, server_version(domain), identity())
    task = desk.take("get_recording") or desk.take("get_recording")
    assert task is not None
    assert task.workflow_instance_id == workflow_id
    assert spent_before(task.output_data).is_partial  # what it had used goes with it
    assert attempts(read(domain, workflow_id), "get_recording")[-1] == "running"
    terminate(domain, workflow_id, "test")


def test_sigterm_lets_a_short_step_finish(domain, workers):
    """What ends within the drain is handed in, not done again."""
    host = workers(group="light", drain_s=6.0, sleep={"get_recording": [1.0, False, 1]})
    workflow_id = start_workflow(domain, a_run(), tracks(1))
    _until(lambda: host.called("get_recording"), "the step begins")
    host.stop()
    found = read(domain, workflow_id)
    assert attempts(found, "get_recording") == ["completed"]
    assert len(host.called("get_recording")) == 1
    terminate(domain, workflow_id, "test")


@pytest.mark.parametrize("skew_s", [-600, 600])
def test_a_backoff_is_the_servers_whatever_our_clock_says(domain, monkeypatch, skew_s):
    """A failed step that is limited comes back after its delay, not before and not much later."""
    workflow_id = start_workflow(domain, a_run(), tracks(1))
    clock = time.time
    monkeypatch.setattr("time.time", lambda: clock() + skew_s)
    desk = Desk(domain, server_version(domain), identity())
    first = desk.take("get_recording") or desk.take("get_recording")
    result = desk._in_progress(first)
    result.status = "FAILED"
    failed_s = time.monotonic()
    desk.hand_in(result)
    second = None
    while second is None and time.monotonic() - failed_s < 20:
        second = desk.take("get_recording")
    assert second is not None
    waited_s = time.monotonic() - failed_s
    assert second.start_delay_in_seconds - 0.1 <= waited_s < second.start_delay_in_seconds + 10
    terminate(domain, workflow_id, "test")


def test_when_the_host_is_killed_its_processes_end_too(workers):
    """A SIGKILL of the parent leaves nobody polling."""
    host = workers(group="audio")
    family = host.family()
    assert len(family) == 3
    os.kill(host.process.pid, signal.SIGKILL)
    host.process.wait(5)
    _, alive = psutil.wait_procs(family[1:], timeout=10)
    assert not alive
