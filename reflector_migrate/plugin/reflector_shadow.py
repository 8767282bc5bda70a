"""Tells the harness, from inside a Celery worker, which recordings run and how long steps take.

Load it with `celery -A APP worker -I reflector_shadow`, this file's folder on
PYTHONPATH. It needs celery and the standard library, and does nothing at all
unless MIGRATE_SHADOW is true. It is one file on purpose, however long: it is copied.

The task's own path gains one append to a bounded queue in memory. A daemon thread
sends it to the broker with a short timeout, with growing pauses while the broker
does not answer, and gives a message up after a few tries. Nothing here ever raises
into a task, makes one wait, or logs what was said. A message that is lost is found
by reconciliation; one that is sent twice is recognised by its task's id.

Environment
  MIGRATE_SHADOW            true | false (default)
  MIGRATE_CONFIG            a migrate.toml: its [shadow] enabled counts unless MIGRATE_SHADOW is set
  MIGRATE_SHADOW_ROLE       primary (default) | secondary: a secondary is timed, never announced
  MIGRATE_SHADOW_QUEUE      the harness's queue (default `shadow`)
  MIGRATE_SHADOW_BROKER     the Redis that has this queue, where it is not this worker's broker
  MIGRATE_LEGACY_TASK       the registered name of the pipeline's task
  MIGRATE_LEGACY_PIPELINE   module:Class whose coroutine methods are timed
  MIGRATE_SHADOW_OBSERVE    which outside calls are sent with the spans: see reflector_observe
"""

from __future__ import annotations

import base64
import functools
import importlib
import inspect
import json
import logging
import os
import queue
import socket
import sys
import threading
import time
import tomllib
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from celery import shared_task, signals

VERSION = "1"
DISPATCH, SPANS = "migrate.shadow.dispatch", "migrate.shadow.spans"
DEFAULT_TASK = "reflector.pipelines.main_multitrack_pipeline.task_pipeline_multitrack_process"
DEFAULT_PIPELINE = "reflector.pipelines.main_multitrack_pipeline:PipelineMainMultitrack"
TIMEOUT_S = 1.0  # of the sending thread, for connecting and for each answer
TRIES, PAUSE_S = 5, 0.5  # of one message; the pause doubles: 8 s in all
FLUSH_S = 0.5  # at most this long may a leaving process wait for its last messages
MAX_QUEUE = 10_000  # messages that no dispatcher fetched; beyond them, more are dropped
MAX_QUEUE_BYTES = 64 << 20  # of announcements and timings together, in the primary's own Redis
FOR_ANNOUNCEMENTS = 0.5  # this share of both limits is kept for them: timings stop before
SAMPLED = 16  # messages whose sizes stand for all of the queue's
MAX_WAITING, MAX_SPANS = 1_000, 2_000  # in this process's memory
MAX_CLASSES = 50  # named in one message
METHODS = (
    "process", "set_status", "update_participants_from_daily", "pad_track_for_transcription",
    "mixdown_tracks", "on_duration", "on_waveform", "transcribe_file", "on_transcript",
    "detect_topics", "on_topic", "generate_title", "on_title", "generate_summaries",
    "on_short_summary", "on_long_summary",
)  # fmt: skip
STATUSES = {"idle", "uploaded", "recording", "processing", "error", "ended"}
OTHER_TASKS = {
    "reflector.worker.process.process_multitrack_recording",
    "reflector.pipelines.main_live_pipeline.task_cleanup_consent",
    "reflector.pipelines.main_live_pipeline.task_pipeline_post_to_zulip",
    "reflector.pipelines.main_file_pipeline.task_send_webhook_if_needed",
    "reflector.worker.webhook.send_transcript_webhook",
}
KNOWN_CLASSES = {
    "reflector.db.transcripts": {
        "SourceKind", "AudioWaveform", "TranscriptText", "TranscriptSegmentTopic",
        "TranscriptTopic", "TranscriptFinalShortSummary", "TranscriptFinalLongSummary",
        "TranscriptFinalTitle", "TranscriptDuration", "TranscriptWaveform", "TranscriptEvent",
        "TranscriptParticipant", "Transcript", "TranscriptController",
    },
    "reflector.processors.types": {
        "AudioFile", "AudioDiarizationInput", "DiarizationSegment", "Word", "Transcript",
        "TranscriptSegment", "TitleSummary", "FinalLongSummary", "FinalShortSummary",
        "FinalTitle", "TranslationLanguages",
    },
}  # fmt: skip
"""Modules whose classes say what a run leaves, and the classes that were there when this was
written: any other is of a newer Reflector, and nothing of it is compared."""

log = logging.getLogger("reflector_shadow")
counts: Counter[str] = Counter()  # published, dropped_*, errors; travels with every spans message


def setting(name: str, default: str) -> str:
    """The environment's value, where it says anything."""
    return os.environ.get(name) or default


def is_enabled() -> bool:
    """The shadow flag: MIGRATE_SHADOW, else [shadow] enabled in MIGRATE_CONFIG, else off."""
    said = os.environ.get("MIGRATE_SHADOW") or os.environ.get("MIGRATE_SHADOW__ENABLED")
    if said is not None:
        return said.strip().lower() in {"1", "true", "yes", "on", "t", "y"}
    path = os.environ.get("MIGRATE_CONFIG")
    try:
        section = tomllib.loads(Path(path).read_text("utf-8")).get("shadow", {}) if path else {}
        return section.get("enabled") is True
    except Exception as error:
        note("config", error)
        return False


def may_announce(task_id: str, kwargs: Mapping[str, Any]) -> bool:
    """The shadow is to hear of this task; reflector_route asks its table instead."""
    del task_id, kwargs
    return True


# what a task's path sees


def _harmless(handler: Callable[..., None]) -> Callable[..., None]:
    """Whatever `handler` raises is counted and logged by its type alone."""

    @functools.wraps(handler)
    def guarded(*args: Any, **kwargs: Any) -> None:
        try:
            handler(*args, **kwargs)
        except Exception as error:  # the task this runs in is somebody's meeting
            note("errors", error)

    return guarded


def note(what: str, error: BaseException) -> None:
    """Count what went wrong, and log the 1st, 2nd, 4th, 8th, ... by its type alone."""
    counts[what] += 1
    if counts[what] & (counts[what] - 1) == 0:
        log.warning("shadow %s: %s (%d so far)", what, type(error).__name__, counts[what])


class Buffer:
    """The spans of one task, until it has ended."""

    def __init__(self) -> None:
        self.started, self.clock = time.time(), time.monotonic()
        self.spans: list[dict[str, Any]] = []
        self.calls: Counter[str] = Counter()
        self.own_s = 0.0
        self.errors_before = counts["errors"]

    def add(self, name: str, number: int, since: float, is_ok: bool, value: str | None) -> None:
        """Keep one span: what ran, its call number, when and how long."""
        if len(self.spans) >= MAX_SPANS:
            counts["dropped_spans"] += 1
            return
        took_s = time.monotonic() - since
        span = {"name": name, "n": number, "started": self.started + (since - self.clock),
                "duration_s": round(took_s, 6), "ok": is_ok}  # fmt: skip
        self.spans.append(span | ({"value": value} if value else {}))


_buffers: dict[str, Buffer] = {}
_current: ContextVar[Buffer | None] = ContextVar("reflector_shadow", default=None)


@_harmless
def on_prerun(
    task_id: str = "", task: Any = None, kwargs: Mapping[str, Any] | None = None, **_: Any
) -> None:
    """A task starts: remember when; announce it if it is the pipeline's."""
    name = task.name
    is_pipeline = name == setting("MIGRATE_LEGACY_TASK", DEFAULT_TASK)
    if not is_pipeline and name not in OTHER_TASKS:
        return
    _buffers[task_id] = buffer = Buffer()
    _current.set(buffer)
    begin_observing(task_id)
    if is_pipeline:
        wrap_pipeline()
        is_primary = setting("MIGRATE_SHADOW_ROLE", "primary") == "primary"
        if is_primary and may_announce(task_id, kwargs or {}):
            _sender_for(task.app).put(DISPATCH, _announcement(task_id, task, kwargs or {}))
    buffer.own_s = time.monotonic() - buffer.clock


@_harmless
def on_postrun(
    task_id: str = "",
    task: Any = None,
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
    state: str | None = None,
    **_: Any,
) -> None:
    """A task has ended: hand its spans to the sender."""
    buffer, since = _buffers.pop(task_id, None), time.monotonic()
    if buffer is None:
        return
    _current.set(None)
    given = kwargs or {}
    transcript_id = given.get("transcript_id") or (args[0] if args else None)
    facts = {
        "transcript_id": transcript_id,
        "recording_id": given.get("recording_id"),
        "task": task.name,
        "state": state,
        "retries": task.request.retries,
        "started": buffer.started,
        "duration_s": round(time.monotonic() - buffer.clock, 6),
        "spans": buffer.spans,
        "counts": dict(counts),
        "errors": counts["errors"] - buffer.errors_before,
    }
    if facts["task"] == setting("MIGRATE_LEGACY_TASK", DEFAULT_TASK):
        facts["classes"] = unknown_classes()
    seen = end_observing(task_id)
    if seen is not None:
        facts["observed"] = seen.mode
        facts["calls"], facts["calls_left_out"] = seen.calls, seen.left_out
    own_s = buffer.own_s + (seen.own_s if seen else 0.0) + time.monotonic() - since
    facts["own_s"] = round(own_s, 6)
    _sender_for(task.app).put(SPANS, _origin(task_id, task) | facts)


@functools.lru_cache(maxsize=1)
def _observer() -> Any:
    """The file beside this one; None where only this one was copied."""
    try:
        return importlib.import_module("reflector_observe")
    except Exception as error:  # whatever is wrong with it, the timings are not
        note("observe", error)
        return None


@_harmless
def begin_observing(task_id: str) -> None:
    """Have the task's outside calls seen."""
    if _observer() is not None:
        _observer().begin(task_id)


def observing(name: str, number: int) -> Any:
    """In it, calls belong to that inner step."""
    try:
        return _observer().inside(name, number) if _observer() else nullcontext()
    except Exception as error:
        note("observe", error)
        return nullcontext()


def end_observing(task_id: str) -> Any:
    """What was seen of them; None where nothing was."""
    try:
        return _observer() and _observer().end(task_id)
    except Exception as error:
        note("observe", error)
        return None


def unknown_classes() -> list[str]:
    """Classes of what a run leaves that a newer Reflector has; only modules that it has loaded."""
    found = []
    for module, known in KNOWN_CLASSES.items():
        for name, value in vars(sys.modules.get(module, object)).items():
            is_own = inspect.isclass(value) and value.__module__ == module
            if is_own and name not in known:
                found.append(f"{module}.{name}")
    return sorted(found)[:MAX_CLASSES]


def _announcement(task_id: str, task: Any, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    wanted = ("transcript_id", "bucket_name", "track_keys")
    named = {name: kwargs.get(name) for name in wanted}
    return _origin(task_id, task) | named | {"ui_base_url": ui_base_url()}


def ui_base_url() -> str | None:
    """Where Reflector's own links lead, by its settings or its environment; None if unknown."""
    settings = getattr(sys.modules.get("reflector.settings"), "settings", None)
    found = getattr(settings, "UI_BASE_URL", None) or os.environ.get("UI_BASE_URL")
    return found[:500] if isinstance(found, str) else None


def _origin(task_id: str, task: Any) -> dict[str, Any]:
    request = task.request
    return {"plugin": VERSION, "task_id": task_id, "root_id": request.root_id,
            "parent_id": request.parent_id, "worker": request.hostname,
            "published_at": time.time()}  # fmt: skip


# the inner steps

_wrapped: set[str] = set()  # tried once each, whatever came of it


@_harmless
def wrap_pipeline(**_: Any) -> None:
    """Time the pipeline class's coroutine methods; once, and only those that exist."""
    path = setting("MIGRATE_LEGACY_PIPELINE", DEFAULT_PIPELINE)
    if path in _wrapped:
        return
    _wrapped.add(path)
    pipeline = getattr(importlib.import_module(path.partition(":")[0]), path.partition(":")[2])
    for method in METHODS:
        original = getattr(pipeline, method, None)
        if inspect.iscoroutinefunction(original):
            setattr(pipeline, method, _timed(method, original))


def _timed(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def timed(*args: Any, **kwargs: Any) -> Any:
        buffer = _current.get()
        if buffer is None:
            return await original(*args, **kwargs)
        number, is_ok = buffer.calls[name], False
        buffer.calls[name] += 1
        since = time.monotonic()
        try:
            with observing(name, number):
                answer = await original(*args, **kwargs)
            is_ok = True
            return answer
        finally:
            _keep_span(buffer, name, number, since, is_ok, _status_in(name, args, kwargs))

    return timed


@_harmless
def _keep_span(buffer: Buffer, *facts: Any) -> None:
    buffer.add(*facts)


def _status_in(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
    given = [*args, *kwargs.values()] if name == "set_status" else []
    return next((v for v in given if isinstance(v, str) and v in STATUSES), None)


# the way to the broker: a thread of its own


class Sender:
    """Publishes what it is given, in the order given, from a daemon thread of this process."""

    def __init__(self, app: Any) -> None:
        self.app, self.pid = app, os.getpid()
        self.queue_name = setting("MIGRATE_SHADOW_QUEUE", "shadow")
        self.waiting: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue(MAX_WAITING)
        self.redis: Any = None
        threading.Thread(target=self._run, name="reflector-shadow", daemon=True).start()

    def put(self, task: str, message: dict[str, Any]) -> None:
        """Never waits: a full queue drops the message and counts it."""
        try:
            self.waiting.put_nowait((task, message))
        except queue.Full:
            counts["dropped_waiting"] += 1

    def flush(self, timeout_s: float) -> None:
        """Wait, at most so long, until everything was sent or given up."""
        until = time.monotonic() + timeout_s
        while self.waiting.unfinished_tasks and time.monotonic() < until:
            time.sleep(0.005)

    def _run(self) -> None:
        while True:
            task, message = self.waiting.get()
            try:
                self._send(encode(task, message, self.queue_name), task, message)
            except Exception as error:  # this thread must live: the next message may be fine
                note("errors", error)
            finally:
                self.waiting.task_done()

    def _send(self, raw: bytes, task: str, message: dict[str, Any]) -> None:
        for number in range(TRIES):
            try:
                is_taken = self._publish(raw, task, message)
            except Exception as error:  # a broker can fail in any way
                self.redis = None
                note("failed_sends", error)
                time.sleep(PAUSE_S * 2**number if number < TRIES - 1 else 0)
            else:
                counts["published" if is_taken else "dropped_full"] += 1
                return
        counts["dropped_error"] += 1

    def _publish(self, raw: bytes, task: str, message: dict[str, Any]) -> bool:
        url = self._redis_url()
        if url is None:
            return self._publish_by_celery(task, message)
        if self.redis is None:
            self.redis = redis_client(url)
        options = self.app.conf.broker_transport_options or {}
        key = options.get("global_keyprefix", "") + self.queue_name
        if not self._has_room(key, len(raw), 1.0 if task == DISPATCH else FOR_ANNOUNCEMENTS):
            return False
        self.redis.lpush(key, raw)
        return True

    def _has_room(self, key: str, size: int, share: float) -> bool:
        """Whether number and bytes of what waits leave room; bytes as Redis estimates them."""
        number = self.redis.llen(key)
        if number >= MAX_QUEUE * share:
            return False
        if not number:
            return True
        try:
            waiting = int(self.redis.memory_usage(key, samples=SAMPLED) or 0)
        except Exception as error:  # a hosted Redis may not answer that: the number binds
            note("unsized", error)
            waiting = 0
        return waiting + size <= MAX_QUEUE_BYTES * share

    def _redis_url(self) -> str | None:
        return setting("MIGRATE_SHADOW_BROKER", "") or redis_url(self.app)

    def _publish_by_celery(self, task: str, message: dict[str, Any]) -> bool:
        with self.app.connection_for_write(connect_timeout=TIMEOUT_S) as connection:
            self.app.send_task(task, kwargs={"message": message}, queue=self.queue_name,
                               connection=connection, retry=False, ignore_result=True)  # fmt: skip
        return True


def redis_url(app: Any) -> str | None:
    """The broker's URL as redis-py reads it; None where the broker is something else."""
    url: str = app.connection_for_write().as_uri(include_password=True)
    if url.startswith("redis+socket://"):
        return "unix://" + url.removeprefix("redis+socket://")
    return url if url.startswith(("redis://", "rediss://")) else None


def redis_client(url: str) -> Any:
    """A client that waits a second at most and tries nothing again."""
    redis = importlib.import_module("redis")
    no_retry = importlib.import_module("redis.retry").Retry(
        importlib.import_module("redis.backoff").NoBackoff(), 0
    )
    return redis.Redis.from_url(
        url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=no_retry
    )


def encode(task: str, message: Mapping[str, Any], queue_name: str) -> bytes:
    """A message for a task of the harness."""
    return encode_call(task, {"message": message}, queue_name, str(uuid.uuid4()))


def encode_call(task: str, kwargs: Mapping[str, Any], queue_name: str, identity: str) -> bytes:
    """A call as kombu's Redis transport keeps it: Celery's task protocol, version 2."""
    embed = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    body = json.dumps([[], kwargs, embed], separators=(",", ":")).encode()
    headers = {
        "lang": "py", "task": task, "id": identity, "root_id": identity, "parent_id": None,
        "group": None, "shadow": None, "eta": None, "expires": None, "retries": 0,
        "timelimit": [None, None], "argsrepr": "()", "kwargsrepr": "{...}",
        "origin": f"reflector_shadow@{socket.gethostname()}", "ignore_result": True,
    }  # fmt: skip
    envelope = {
        "body": base64.b64encode(body).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": headers,
        "properties": {
            "correlation_id": identity, "reply_to": "", "delivery_mode": 2, "priority": 0,
            "delivery_info": {"exchange": "", "routing_key": queue_name},
            "body_encoding": "base64", "delivery_tag": str(uuid.uuid4()),
        },
    }  # fmt: skip
    return json.dumps(envelope, separators=(",", ":")).encode()


_sender: Sender | None = None
_making = threading.Lock()


def _sender_for(app: Any) -> Sender:
    global _sender  # noqa: PLW0603 - one per process: threads do not survive a fork
    with _making:
        if _sender is None or _sender.pid != os.getpid():
            _sender = Sender(app)
        return _sender


@_harmless
def on_shutdown(**_: Any) -> None:
    """The process leaves: give its last messages a moment."""
    if _sender is not None and _sender.pid == os.getpid():
        _sender.flush(FLUSH_S)


def install() -> None:
    """Connect to Celery's signals; until then this module has changed nothing."""
    signals.worker_process_init.connect(wrap_pipeline, weak=False)
    signals.task_prerun.connect(on_prerun, weak=False)
    signals.task_postrun.connect(on_postrun, weak=False)
    signals.worker_process_shutdown.connect(on_shutdown, weak=False)
    signals.worker_shutdown.connect(on_shutdown, weak=False)


def is_loaded() -> None:
    """Its name among a worker's registered tasks says that this plugin is at work there."""


if is_enabled():
    install()
    shared_task(name=f"migrate.shadow.plugin.{VERSION}", ignore_result=True)(is_loaded)
