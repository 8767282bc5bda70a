"""The plugin in a real worker on a real broker: what it sends, and that it never harms."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from celery import Celery

from reflector_migrate.plugin import FOLDER
from tests.answering import answering

TASK = "reflector.pipelines.main_multitrack_pipeline.task_pipeline_multitrack_process"
KEYS = ["r/room-1/1-a-cam-audio-2", "r/room-1/1-b-cam-audio-3"]
THEIR_APP = """
import asyncio, os
from celery import Celery

app = Celery("theirs", broker=os.environ["BROKER"], backend=os.environ["BROKER"])


class Base:
    async def set_status(self, transcript_id, status):
        return status


class PipelineMainMultitrack(Base):
    async def pad_track_for_transcription(self, key):
        await asyncio.sleep(0.01)
        if "CALLED" in os.environ:
            import httpx
            async with httpx.AsyncClient() as client:
                await client.post(os.environ["CALLED"] + "/v1/chat/completions", json={"key": key})

    async def process(self, bucket_name, track_keys):
        await self.set_status("t", "processing")
        for key in track_keys:
            await self.pad_track_for_transcription(key)
        if bucket_name == "broken":
            raise RuntimeError("broken")
        return hasattr(type(self).process, "__wrapped__")


@app.task(name=os.environ["TASK"])
def process(*, transcript_id, bucket_name, track_keys):
    return asyncio.run(PipelineMainMultitrack().process(bucket_name, track_keys))


@app.task(name="unrelated")
def unrelated():
    return 1


@app.task(name="migrate.shadow.dispatch")
def dispatch(message):
    app.backend.client.rpush("got", "dispatch " + message["transcript_id"])


@app.task(name="migrate.shadow.spans")
def spans(message):
    app.backend.client.rpush("got", "spans " + message["transcript_id"])
"""
BREAKER = """
import reflector_shadow

def boom(*args, **kwargs):
    raise RuntimeError("inside the plugin")

reflector_shadow._announcement = boom
reflector_shadow.Buffer.add = boom
reflector_shadow.encode = boom
"""
ELSEWHERE = """
import os, reflector_shadow

reflector_shadow.Sender._redis_url = lambda self: os.environ["ELSEWHERE"]
"""


@pytest.fixture
def broker(redis_server):
    """An empty database of a real Redis."""
    url = f"{redis_server}/7"
    redis.Redis.from_url(url).flushdb()
    return url


@contextmanager
def worker(folder: Path, broker: str, *more: str, **environ: str):
    """A real worker of their app; the function that sends it the pipeline's task."""
    (folder / "theirs.py").write_text(THEIR_APP)
    (folder / "breaker.py").write_text(BREAKER)
    (folder / "elsewhere.py").write_text(ELSEWHERE)
    env = {k: v for k, v in os.environ.items() if not k.startswith("MIGRATE_")} | environ
    env |= {
        "PYTHONPATH": f"{folder}:{FOLDER}",
        "BROKER": broker,
        "TASK": TASK,
    }
    env |= {"MIGRATE_LEGACY_PIPELINE": environ.get("PIPELINE", "theirs:PipelineMainMultitrack")}
    argv = [sys.executable, "-m", "celery", "-A", "theirs", "worker", "-c", "1", "-l", "info",
            "-I", "reflector_shadow", "--without-mingle", "--without-gossip", *more]  # fmt: skip
    log = (folder / "log").open("wb")
    running = subprocess.Popen(argv, env=env, cwd=folder, stdout=log, stderr=log)
    try:
        with Celery(broker=broker, backend=broker) as app:
            yield lambda **kwargs: send(app, **kwargs)
    finally:
        stop(running)
        log.close()


def stop(running: subprocess.Popen) -> None:
    """Ask it to leave, then make it."""
    running.terminate()
    try:
        running.wait(20)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait(20)


def send(app: Celery, *, name: str = TASK, bucket: str = "b", timeout_s: float = 30.0):
    """The task's result; raises what it raised."""
    kwargs = {"transcript_id": "t-1", "bucket_name": bucket, "track_keys": KEYS}
    sent = app.send_task(name, kwargs=kwargs if name == TASK else {})
    return sent.get(timeout=timeout_s)


def queued(broker: str, count: int) -> list[tuple[str, dict]]:
    """Waits for `count` messages on the harness's queue: (task, message), oldest first."""
    import base64

    client, deadline = redis.Redis.from_url(broker), time.monotonic() + 10
    while client.llen("shadow") < count and time.monotonic() < deadline:
        time.sleep(0.02)
    entries = [json.loads(raw) for raw in client.lrange("shadow", 0, -1)][::-1]
    bodies = [json.loads(base64.b64decode(entry["body"])) for entry in entries]
    return [(e["headers"]["task"], b[1]["message"]) for e, b in zip(entries, bodies, strict=True)]


@pytest.mark.live
def test_with_the_flag_off_nothing_changes(tmp_path, broker):
    """No message, no wrapped class, no second look at any task."""
    with worker(tmp_path, broker) as run:
        assert run() is False
        time.sleep(0.3)
        assert redis.Redis.from_url(broker).exists("shadow") == 0


@pytest.mark.live
def test_one_message_per_recording_and_its_spans_after_it(tmp_path, broker):
    """Small, with ids and keys; then the times of the inner steps, tracks counted."""
    with worker(tmp_path, broker, MIGRATE_SHADOW="true") as run:
        assert run() is True
        assert run(name="unrelated") == 1
        (first, announced), (second, spans) = queued(broker, 2)
    assert (first, second) == ("migrate.shadow.dispatch", "migrate.shadow.spans")
    assert (announced["transcript_id"], announced["bucket_name"], announced["track_keys"]) == (
        "t-1", "b", KEYS,
    )  # fmt: skip
    assert len(json.dumps(announced)) < 4096
    assert [(s["name"], s["n"]) for s in spans["spans"]] == [
        ("set_status", 0), ("pad_track_for_transcription", 0), ("pad_track_for_transcription", 1),
        ("process", 0),
    ]  # fmt: skip
    assert spans["spans"][0]["value"] == "processing"
    assert spans["spans"][1]["duration_s"] >= 0.01
    assert spans["spans"][2]["started"] >= spans["spans"][1]["started"] + 0.01
    assert (spans["state"], spans["task_id"]) == ("SUCCESS", announced["task_id"])
    assert spans["errors"] == 0
    assert 0 < spans["own_s"] < spans["duration_s"] + 1


@pytest.mark.live
def test_outside_calls_come_with_the_spans(tmp_path, broker):
    """With service, step, number and tokens; what was asked only where bodies are to be seen."""
    usage = {"usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    with answering(lambda _method, _path: (200, usage)) as url:
        called = url.removesuffix("/api")
        for folder, mode in ((tmp_path / "1", "usage"), (tmp_path / "2", "bodies")):
            folder.mkdir()
            redis.Redis.from_url(broker).flushdb()
            environ = {"MIGRATE_SHADOW": "true", "CALLED": called, "MIGRATE_SHADOW_OBSERVE": mode}
            with worker(folder, broker, **environ) as run:
                run()
                spans = queued(broker, 2)[1][1]
            calls = spans["calls"]
            assert [(c["service"], c["inside"], c["n"], c["tokens_in"]) for c in calls] == [
                ("llm", "pad_track_for_transcription", 0, 3),
                ("llm", "pad_track_for_transcription", 1, 3),
            ]
            assert all(("asked" in call) is (mode == "bodies") for call in calls)
            assert spans["observed"] == mode


@pytest.mark.live
def test_a_secondary_is_timed_and_never_announced(tmp_path, broker):
    """Its spans are the first and only message: no candidate starts for it."""
    with worker(tmp_path, broker, MIGRATE_SHADOW="true", MIGRATE_SHADOW_ROLE="secondary") as run:
        run()
        ((task, message),) = queued(broker, 1)
    assert task == "migrate.shadow.spans"
    assert message["spans"]


@pytest.mark.live
def test_a_celery_worker_understands_both_messages(tmp_path, broker):
    """They are tasks like any other to a consumer of the queue."""
    with worker(tmp_path, broker, "-Q", "celery,shadow", MIGRATE_SHADOW="true") as run:
        run()
        client, deadline = redis.Redis.from_url(broker), time.monotonic() + 10
        while client.llen("got") < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert client.lrange("got", 0, -1) == [b"dispatch t-1", b"spans t-1"]


@pytest.mark.live
def test_a_failing_pipeline_fails_as_before_and_is_reported(tmp_path, broker):
    """The exception passes through unchanged; the spans say which step it was."""
    with worker(tmp_path, broker, MIGRATE_SHADOW="true") as run:
        with pytest.raises(Exception, match="broken"):
            run(bucket="broken")
        spans = queued(broker, 2)[1][1]
    assert spans["state"] == "FAILURE"
    assert [span["ok"] for span in spans["spans"]] == [True, True, True, False]


@pytest.mark.live
@pytest.mark.parametrize("kind", ["hung", "refusing", "nonsense"])
def test_a_broker_that_fails_for_the_shadow_delays_no_task(tmp_path, broker, kind):
    """Five tasks, none of which waits for the other end, whatever that does."""
    more = ("-I", "reflector_shadow,elsewhere")
    with (
        bad_server(kind) as url,
        worker(tmp_path, broker, *more, MIGRATE_SHADOW="true", ELSEWHERE=url) as run,
    ):
        run()  # the first one waits for the worker to start
        since = time.monotonic()
        for _ in range(5):
            assert run() is True
        assert time.monotonic() - since < 8.0  # waiting for each message would take 10 s
    assert b"shadow failed_sends" in (tmp_path / "log").read_bytes()


@pytest.mark.live
@pytest.mark.parametrize(
    ("more", "environ"),
    [
        pytest.param(("-I", "reflector_shadow,breaker"), {}, id="everything raises"),
        pytest.param((), {"PIPELINE": "no.such.module:Nothing"}, id="no such pipeline"),
        pytest.param(("-P", "threads"), {}, id="another pool"),
    ],
)
def test_whatever_happens_inside_the_plugin_the_task_succeeds(tmp_path, broker, more, environ):
    """Its own errors are counted and kept to itself."""
    with worker(tmp_path, broker, *more, MIGRATE_SHADOW="true", **environ) as run:
        assert run() in (True, False)
        assert run(name="unrelated") == 1


@pytest.mark.live
def test_a_queue_that_is_never_emptied_stops_growing(tmp_path, broker):
    """Beyond its bound, messages are dropped."""
    client = redis.Redis.from_url(broker)
    client.rpush("shadow", *["x"] * 10_000)
    with worker(tmp_path, broker, MIGRATE_SHADOW="true") as run:
        assert run() is True
        time.sleep(0.5)
    assert client.llen("shadow") == 10_000


@pytest.mark.live
def test_a_process_that_leaves_still_sends_its_last_messages(tmp_path, broker):
    """A worker that recycles its process after each task loses nothing."""
    more = ("--max-tasks-per-child", "1")
    with worker(tmp_path, broker, *more, MIGRATE_SHADOW="true") as run:
        run()
        run()
        assert len(queued(broker, 4)) == 4


@pytest.fixture
def plugin(monkeypatch):
    """The plugin's module, loaded with the flag off."""
    monkeypatch.delenv("MIGRATE_SHADOW", raising=False)
    spec = importlib.util.spec_from_file_location("plugin", FOLDER / "reflector_shadow.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("environ", "toml", "is_on"),
    [
        pytest.param({}, None, False, id="off unless asked for"),
        pytest.param({"MIGRATE_SHADOW": "true"}, None, True, id="true"),
        pytest.param({"MIGRATE_SHADOW": " Yes "}, None, True, id="yes"),
        pytest.param({"MIGRATE_SHADOW": "maybe"}, None, False, id="nonsense is off"),
        pytest.param({}, "[shadow]\nenabled = true", True, id="by file"),
        pytest.param({"MIGRATE_SHADOW": "0"}, "[shadow]\nenabled = true", False, id="env wins"),
        pytest.param({}, "[shadow\n", False, id="a broken file is off"),
        pytest.param({}, "", False, id="an empty file is off"),
    ],
)
def test_the_flag(plugin, monkeypatch, tmp_path, environ, toml, is_on):
    """Environment before file before off."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    if toml is not None:
        (tmp_path / "migrate.toml").write_text(toml)
        monkeypatch.setenv("MIGRATE_CONFIG", str(tmp_path / "migrate.toml"))
    assert plugin.is_enabled() is is_on


def test_the_flag_may_name_a_file_that_is_not_there(plugin, monkeypatch, tmp_path):
    """A missing file is off."""
    monkeypatch.setenv("MIGRATE_CONFIG", str(tmp_path / "none.toml"))
    assert plugin.is_enabled() is False


@pytest.mark.parametrize("path", sorted(FOLDER.glob("reflector_*.py")), ids=lambda p: p.stem)
def test_it_needs_celery_and_the_standard_library_only(path):
    """Neither our packages nor anything else is imported at its top."""
    tops = {
        line.split()[1].split(".")[0]
        for line in path.read_text().splitlines()
        if line.startswith(("import ", "from "))
    }
    assert tops - set(sys.stdlib_module_names) <= {"celery"}


@contextmanager
def bad_server(kind: str):
    """The URL of a Redis that refuses, never answers, or answers nonsense."""
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"redis://127.0.0.1:{listening.getsockname()[1]}/0"
    held = []

    def serve():
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            held.append(client)
            if kind == "nonsense":
                client.sendall(b"!!!\r\n" * 10)

    if kind == "refusing":
        listening.close()
    else:
        threading.Thread(target=serve, daemon=True).start()
    yield url
    listening.close()
    for client in held:
        client.close()
