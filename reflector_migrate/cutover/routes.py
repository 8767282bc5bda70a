"""The routing table: its versions in the audit log, the one in force in the broker's Redis.

Reflector's workers read only the published one, and at most 5 s late. The log holds who
changed it and why. Without a published table every recording stays with Celery.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from reflector_migrate.cutover.handover import KIND
from reflector_migrate.errors import (
    ConfigurationError,
    InputError,
    MigrateError,
    RefusedError,
    ServerUnreachableError,
)
from reflector_migrate.harness import Harness
from reflector_migrate.plugin.reflector_route_table import (
    CELERY,
    KEY,
    Decision,
    Table,
    UnreadableError,
    decide,
    dump,
    load,
)
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.decisions import record
from reflector_migrate.store.atomic_write import write_aside

if TYPE_CHECKING:
    import redis

T = TypeVar("T")

_PUBLISH = """
local held = redis.call('GET', KEYS[1])
if held then
  local is_read, body = pcall(cjson.decode, held)
  local version = is_read and type(body) == 'table' and tonumber(body.version)
  if version and version >= tonumber(ARGV[1]) then return version end
end
redis.call('SET', KEYS[1], ARGV[2])
return 0
"""


@dataclass(frozen=True, slots=True)
class Published:
    """What workers read; `fault` says why they find no table there."""

    table: Table | None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class SentBack:
    """Each place that a way back was written to, and what was wrong with the others."""

    done: tuple[str, ...]
    faults: tuple[str, ...]

    @property
    def is_in_force(self) -> bool:
        """Workers hear of it: the file is there, or the broker has the table."""
        return any(line.startswith(("file", "published")) for line in self.done)


def in_force(harness: Harness) -> Table:
    """The newest version of log and broker, to be changed; all on Celery before the first."""
    logged, held = in_log(harness), published(harness).table
    return max((t for t in (logged, held) if t), key=_version, default=Table(0))


def in_log(harness: Harness) -> Table | None:
    """The newest version in the audit log; None before the first."""
    entry = harness.audit.last(KIND)
    return load(entry["body"]["table"]) if entry else None


def published(harness: Harness) -> Published:
    """The table that workers read, or why there is none. ServerUnreachableError without Redis."""
    with _broker(harness) as client:
        text: Any = client.get(KEY)
    if text is None:
        return Published(None, "no table is published")
    try:
        return Published(load(text))
    except UnreadableError as error:
        return Published(None, str(error))


def advance(
    harness: Harness, table: Table, who: str, why: str, *, needs_evidence: bool = True
) -> Table:
    """Change the routes, where that sends more to Conductor only with the cutover's evidence.

    Raises RefusedError that names what is missing, and what `change` raises.
    """
    from reflector_migrate.cutover.widening import require_evidence, widens

    before = in_force(harness)
    _refuse_unreadable(replace(table, version=before.version + 1))
    if not widens(before, table):
        grounds = "none needed: nothing more goes to Conductor"
    elif needs_evidence:
        grounds = require_evidence(harness)
    else:
        grounds = "none: changed without it"
    return change(harness, table, who, why, grounds)


def change(harness: Harness, table: Table, who: str, why: str, grounds: str = "") -> Table:
    """Log the next version of the routes, then publish it; returns it with its number.

    Raises InputError for a table that workers would not read, ServerUnreachableError when
    the store or the broker does not answer. The log comes first: a change that could not be
    published stands there, and the next one publishes it too.
    """
    numbered = replace(table, version=in_force(harness).version + 1)
    _refuse_unreadable(numbered)
    _log(harness, numbered, who, why, grounds)
    _publish(harness, numbered)
    return numbered


def kill(harness: Harness, who: str, why: str) -> SentBack:
    """As `send_back`, and every workflow that has sent nothing yet loses its transcript too."""
    from reflector_migrate.cutover.takeover import take_over_all

    attempts = _Attempts([], [])
    sent = send_back(harness, who, f"kill: {why}")
    attempts.make(
        "recordings whose workflow runs",
        lambda: take_over_all(harness, f"killed by {who}: {why}"),
    )
    return SentBack(
        (*sent.done, *attempts.done), tuple(dict.fromkeys((*sent.faults, *attempts.faults)))
    )


def send_back(harness: Harness, who: str, why: str) -> SentBack:
    """Send every recording back to the primary: by file, broker and log, each on its own.

    What one of them cannot do, because its server is down, the others still do. It needs no
    evidence. Rooms and lists are emptied, and what is left of the shadow stays.
    """
    from reflector_migrate.cutover.handover import resend_waiting

    attempts = _Attempts([], [])
    attempts.make(
        f"file {harness.settings.route.back_file}",
        lambda: _write_back_file(harness.settings, who, why),
    )
    logged = attempts.make("", lambda: in_log(harness))
    held = attempts.make("", lambda: published(harness).table)
    table = _all_back(logged, held)
    attempts.make(f"published version {table.version}", lambda: _publish(harness, table))
    attempts.make(f"audit log version {table.version}", lambda: _log(harness, table, who, why))
    attempts.make("recordings that wait for their workflow", lambda: resend_waiting(harness))
    return SentBack(tuple(attempts.done), tuple(dict.fromkeys(attempts.faults)))


def allow_again(harness: Harness, who: str, why: str) -> bool:
    """Remove the local file, so that the table decides again; False if there was none."""
    path = harness.settings.route.back_file
    if path is None or not path.exists():
        return False
    record(
        harness,
        "route-allow",
        {"why": why},
        who=who,
        evidence=path.read_text("utf-8", errors="replace"),
    )
    path.unlink(missing_ok=True)
    return True


def decision_for(harness: Harness, transcript_id: str, room: str) -> Decision:
    """What a worker of this host decides for a transcript now, by the published table."""
    path = harness.settings.route.back_file
    is_back = path is not None and path.exists()
    return decide(published(harness).table, transcript_id, room, is_back=is_back)


@dataclass(frozen=True, slots=True)
class _Attempts:
    done: list[str]
    faults: list[str]

    def make(self, what: str, action: Callable[[], T]) -> T | None:
        try:
            made = action()
        except (MigrateError, UnreadableError, OSError) as error:
            self.faults.append(str(error))
            return None
        if what:
            self.done.append(what)
        return made


def _write_back_file(settings: Settings, who: str, why: str) -> None:
    path = settings.route.back_file
    if path is None:
        hint = "name the file that Reflector's worker has as MIGRATE_ROUTE_BACK_FILE"
        raise ConfigurationError("route.back_file is not set", hint=hint)
    write_aside(path, f"sent back by {who}: {why}\n")


def _all_back(*known: Table | None) -> Table:
    tables = [table for table in known if table]
    youngest = max(tables, key=_version, default=None)
    left = youngest.otherwise if youngest else CELERY
    return Table(_version(youngest) + 1, left, 1.0, left)


def _version(table: Table | None) -> int:
    return table.version if table else 0


def _refuse_unreadable(table: Table) -> None:
    """InputError names the field that workers would stumble over."""
    try:
        load(dump(table))
    except UnreadableError as error:
        raise InputError(str(error)) from None


def _log(harness: Harness, table: Table, who: str, why: str, grounds: str = "") -> None:
    body = {"version": table.version, "table": dump(table), "why": why, "grounds": grounds}
    record(harness, KIND, body, who=who, evidence=grounds)


def _publish(harness: Harness, table: Table) -> None:
    with _broker(harness) as client:
        held: Any = client.eval(_PUBLISH, 1, KEY, str(table.version), dump(table))
    if int(held):
        said = f"version {held} is published already: another change was faster"
        raise RefusedError(said, hint="look at `migrate route show`, then change it again")


@contextmanager
def _broker(harness: Harness) -> Iterator[redis.Redis]:
    import redis

    url, timeout_s = harness.settings.reflector.broker_url, harness.settings.route.publish_timeout_s
    if not url.startswith(("redis://", "rediss://", "unix://")):
        hint = "routes are published to the broker, where Reflector's worker can read them"
        raise ConfigurationError("reflector.broker_url is not a Redis", hint=hint)
    try:
        yield harness.redis(url, timeout_s)
    except redis.RedisError as error:
        said = f"the broker does not answer: {type(error).__name__}"
        hint = "`migrate doctor` asks each server; `migrate route back` needs none"
        raise ServerUnreachableError(said, hint=hint) from error
