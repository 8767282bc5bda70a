"""Which engine serves a transcript: one claim in the broker's Redis, changed by scripts alone.

A claim is a fencing token. A process that wants to serve a transcript swaps it in one atomic
step, and every later step of another run finds that the token is not its own. So it is never
both engines, and never neither: the claim for Conductor and the message that has the
workflow started are written together.

    asked     the message is in the queue: for Conductor, until its first step begins, or for
              legacy, after a workflow was taken over; may be taken back
    running   the first step of the workflow took it, or the legacy body runs
    ended     kept for a week, so that a late start finds that it is not its turn

The file needs the standard library only. Reflector's worker and ours both use it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

CONDUCTOR, LEGACY = "conductor", "celery"
ASKED, RUNNING, ENDED = "asked", "running", "ended"
QUEUE = "route"
START, CHECK = "migrate.route.start", "migrate.route.check"
KEPT = "migrate.route.kept"
BREAKER_OPEN = "Conductor did not start the last workflows"  # why legacy serves meanwhile
MAX_QUEUE = 10_000
"""Unfetched messages; beyond them, those that only inform are dropped."""
LEASE_S = 60
"""Of a legacy body, renewed while it runs: a killed worker holds a transcript no longer."""
RUN_S = 8 * 3600
"""Of a workflow, renewed by each step: longer than it may take."""
KEPT_S = 7 * 86400

_ASK = """
local token, state, task, engine = unpack(redis.call('HMGET', KEYS[1],
  'token', 'state', 'task', 'engine'))
local is_ours = task == ARGV[2] and state == 'asked' and engine == 'conductor'
if token and state ~= 'ended' and not is_ours then return redis.call('HGETALL', KEYS[1]) end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'task', ARGV[2], 'engine', 'conductor',
  'state', 'asked', 'route', ARGV[3], 'at', ARGV[4], 'given', ARGV[7])
redis.call('EXPIRE', KEYS[1], ARGV[5])
if ARGV[6] ~= '' then redis.call('LPUSH', KEYS[2], ARGV[6]) end
return {}
"""
_LEGACY = """
local token, state, engine = unpack(redis.call('HMGET', KEYS[1], 'token', 'state', 'engine'))
local is_running = engine == 'conductor' and state == 'running'
local is_other = ARGV[6] ~= '' and token and token ~= ARGV[6]
if is_running or is_other then return redis.call('HGETALL', KEYS[1]) end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'task', ARGV[2], 'engine', 'celery',
  'state', 'running', 'reason', ARGV[3], 'at', ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[5])
return {}
"""
_TAKE_OVER = """
local token, state, engine, task, given = unpack(redis.call('HMGET', KEYS[1],
  'token', 'state', 'engine', 'task', 'given'))
if token ~= ARGV[1] or engine ~= 'conductor' or state == 'ended' then return 0 end
if not given or given == '' then return 0 end
local call = cjson.decode(given)
if not call.again then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'token', ARGV[2], 'task', task, 'engine', 'celery',
  'state', 'asked', 'reason', ARGV[3], 'at', ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('LPUSH', call.queue, call.again)
return 1
"""
_NOTE = """
local token, engine = unpack(redis.call('HMGET', KEYS[1], 'token', 'engine'))
if token ~= ARGV[1] or engine ~= 'conductor' then return 0 end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
return 1
"""
_HOLD = """
local token, engine = unpack(redis.call('HMGET', KEYS[1], 'token', 'engine'))
if token and (token ~= ARGV[1] or engine ~= 'conductor') then return 0 end
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'engine', 'conductor', 'workflow_id', ARGV[2])
if not token or ARGV[3] == 'running' then
  redis.call('HSET', KEYS[1], 'state', ARGV[3])
end
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
"""
_RENEW = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
return redis.call('EXPIRE', KEYS[1], ARGV[2])
"""
_END = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'state', 'ended')
return redis.call('EXPIRE', KEYS[1], ARGV[2])
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who serves a transcript, as it was read. Empty texts where nothing is known."""

    token: str
    engine: str
    state: str
    task_id: str = ""
    workflow_id: str = ""
    reason: str = ""
    refused: str = ""
    route: str = ""
    at: float = 0.0
    given: str = ""
    sent_back: str = ""

    def __str__(self) -> str:
        """Which run it is, for the second announcer."""
        if self.engine == LEGACY:
            return f"task {self.task_id}"
        return f"workflow {self.workflow_id}" if self.workflow_id else f"the start of {self.token}"


@dataclass(frozen=True, slots=True)
class Begun:
    """A transcript that Conductor is to serve; `idle_s` since its last step began."""

    transcript_id: str
    claim: Claim
    idle_s: float


class Claims:
    """The claims in one Redis; every change is one script, so no two callers both succeed.

    A method that answers a claim answers that of another: None means that it was done.
    """

    def __init__(self, client: Any) -> None:
        """`client` is redis-py's, of the broker's database."""
        self._client = client

    def look(self, transcript_id: str) -> Claim | None:
        """The claim on a transcript; None if there is none."""
        return _claim(self._client.hgetall(key_of(transcript_id)))

    def ask(
        self,
        transcript_id: str,
        token: str,
        *,
        task_id: str,
        route: str,
        at: float,
        queue: str,
        message: bytes,
        given: str = "",
    ) -> Claim | None:
        """Claim it for Conductor and queue the message that starts the workflow, both or neither.

        Only a drill has no message.

        A task that asked before, and was delivered again, asks again with another token.
        `given` is what the claim keeps of the task, so that it can be sent again.
        """
        keys = [key_of(transcript_id), queue]
        facts = [token, task_id, route, repr(at), KEPT_S, message, given]
        return _claim(self._client.eval(_ASK, len(keys), *keys, *facts))

    def send(self, queue: str, message: bytes) -> None:
        """Put what the harness may miss into one of its queues, unless that is never emptied."""
        if self._client.llen(queue) < MAX_QUEUE:
            self._client.lpush(queue, message)

    def asked(self) -> Iterator[Claim]:
        """Every claim for Conductor whose workflow has not begun."""
        for key in self._client.scan_iter(match=key_of("*"), count=1000):
            found = _claim(self._client.hgetall(key))
            if found is not None and (found.engine, found.state) == (CONDUCTOR, ASKED):
                yield found

    def take_for_legacy(
        self, transcript_id: str, token: str, *, task_id: str, reason: str, at: float, of: str = ""
    ) -> Claim | None:
        """Let the legacy body serve it, unless a workflow has begun.

        With `of`, only the claim of that token is taken: another's is left alone.
        """
        given = [token, task_id, reason, repr(at), LEASE_S, of]
        return _claim(self._client.eval(_LEGACY, 1, key_of(transcript_id), *given))

    def take_over(
        self, transcript_id: str, token: str, *, new_token: str, reason: str, at: float
    ) -> bool:
        """Give a workflow's transcript to legacy, and announce its task again, both or neither.

        Every later step of the workflow finds another token. False, and nothing is done, after
        finalize (its effects may be out), out of turn, or if the claim does not hold its task.
        """
        facts = [token, new_token, reason, repr(at), RUN_S]
        return bool(self._client.eval(_TAKE_OVER, 1, key_of(transcript_id), *facts))

    def begun(self, now: float) -> Iterator[Begun]:
        """Every claim of a workflow that has not ended, and since when no step has begun."""
        for key in self._client.scan_iter(match=key_of("*"), count=1000):
            found, left_s = _claim(self._client.hgetall(key)), self._client.ttl(key)
            if found is None or found.engine != CONDUCTOR or found.state == ENDED:
                continue
            idle_s = RUN_S - left_s if found.state == RUNNING else now - found.at
            yield Begun(_text(key).removeprefix(key_of("")), found, idle_s)

    def note(self, transcript_id: str, token: str, **facts: str) -> bool:
        """Add what became of a start (`workflow_id`, `refused`); False: it is not its turn."""
        key = key_of(transcript_id)
        return all(self._client.eval(_NOTE, 1, key, token, k, v) for k, v in facts.items())

    def hold(self, transcript_id: str, token: str, workflow_id: str, *, is_end: bool) -> bool:
        """A step of the workflow begins; False: another serves the transcript, so it must not.

        With `is_end` it is one of those after finalize, and the claim's state stays as it is.
        A claim that a Redis lost is made again by the first who asks for it.
        """
        given = [token, workflow_id, *((ENDED, KEPT_S) if is_end else (RUNNING, RUN_S))]
        return bool(self._client.eval(_HOLD, 1, key_of(transcript_id), *given))

    def remove(self, transcript_id: str) -> None:
        """Leave no claim, as of a transcript that never was: for drills."""
        self._client.delete(key_of(transcript_id))

    def renew(self, transcript_id: str, token: str) -> bool:
        """Keep a legacy body's claim for another while; False if it is no longer its own."""
        return bool(self._client.eval(_RENEW, 1, key_of(transcript_id), token, LEASE_S))

    def end(self, transcript_id: str, token: str) -> bool:
        """The run is over: the next announcement may claim it."""
        return bool(self._client.eval(_END, 1, key_of(transcript_id), token, KEPT_S))


def key_of(transcript_id: str) -> str:
    """Where the claim on a transcript stands."""
    return f"migrate:claim:{transcript_id}"


def _claim(found: Mapping[Any, Any] | list[Any]) -> Claim | None:
    pairs = found.items() if isinstance(found, Mapping) else zip(*[iter(found)] * 2, strict=True)
    known = {_text(name): _text(value) for name, value in pairs}
    if not known:
        return None
    return Claim(
        known["token"],
        known.get("engine", ""),
        known.get("state", ""),
        known.get("task", ""),
        known.get("workflow_id", ""),
        known.get("reason", ""),
        known.get("refused", ""),
        known.get("route", ""),
        float(known.get("at") or 0),
        known.get("given", ""),
        known.get("sent_back", ""),
    )


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
