"""Who serves a recording: the routing table, and the decision it makes. Pure.

The plugin decides with this file in Reflector's worker, and the harness shows the same
decision with it. It needs the standard library only.

A table goes one way: `share` of the recordings take `route`, all others take `otherwise`.
A room can have a route and a share of its own. `deny` and `allow` name transcripts.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CELERY, CELERY_SHADOW = "celery", "celery+shadow"
CONDUCTOR_FALLBACK, CONDUCTOR = "conductor+fallback", "conductor"
LEGACY_ROUTES = (CELERY, CELERY_SHADOW)
ROUTES = (*LEGACY_ROUTES, CONDUCTOR_FALLBACK, CONDUCTOR)
SCHEMA = "migrate.routes/1"
KEY = "migrate:routes"
"""Where the broker's Redis holds the published table."""

_TIME_OF_MEETING = re.compile(r"-[^-]*$")


class UnreadableError(ValueError):
    """A text that is not a routing table; names the field."""


@dataclass(frozen=True, slots=True)
class Room:
    """What one room does instead of the rest of the table."""

    route: str
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Table:
    """One version of the routes. Shares are fractions of 1."""

    version: int
    route: str = CELERY
    share: float = 1.0
    otherwise: str = CELERY
    rooms: Mapping[str, Room] = field(default_factory=dict)
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """A route, why, and the version of the table that says so; None: no table did."""

    route: str
    reason: str
    version: int | None = None

    @property
    def is_for_conductor(self) -> bool:
        """The workflow is to serve the recording."""
        return self.route not in LEGACY_ROUTES

    @property
    def needs_announcement(self) -> bool:
        """The shadow is to hear of it: by its route, or as always where no table decided."""
        return self.route == CELERY_SHADOW or self.version is None


def decide(table: Table | None, transcript_id: str, room: str, *, is_back: bool) -> Decision:
    """The first that speaks: the local way back, no table, deny, allow, the room, the share.

    A transcript stands for its recording: Reflector keeps one for each, also when it is
    processed again, and a worker is given no other id.
    """
    if is_back:
        return Decision(CELERY, "the local file sends everything back")
    if table is None:
        return Decision(CELERY, "no readable table")
    if transcript_id in table.deny:
        return Decision(table.otherwise, "on the deny list", table.version)
    if transcript_id in table.allow:
        return Decision(table.route, "on the allow list", table.version)
    found = table.rooms.get(room)
    route, share = (found.route, found.share) if found else (table.route, table.share)
    where = f"room {room}: " if found else ""
    if point_of(transcript_id) < share:
        return Decision(route, f"{where}in the share of {share:g}", table.version)
    return Decision(table.otherwise, f"{where}outside the share of {share:g}", table.version)


def point_of(transcript_id: str) -> float:
    """A recording's stable place in [0, 1): a recording in a share is in every larger one."""
    return int.from_bytes(hashlib.sha256(transcript_id.encode()).digest()[:8], "big") / 2**64


def room_of(track_keys: object) -> str:
    """The room that a track's key names, as `FOLDER/ROOM-TIME/TRACK`; empty if there is none."""
    keys = track_keys if isinstance(track_keys, list | tuple) else ()
    parts = str(keys[0]).split("/") if keys else []
    return _TIME_OF_MEETING.sub("", parts[-2]) if len(parts) > 1 else ""


def dump(table: Table) -> str:
    """The table as it is published."""
    rooms = {name: {"route": r.route, "share": r.share} for name, r in table.rooms.items()}
    body = {
        "schema": SCHEMA, "version": table.version, "route": table.route, "share": table.share,
        "otherwise": table.otherwise, "rooms": rooms,
        "allow": list(table.allow), "deny": list(table.deny),
    }  # fmt: skip
    return json.dumps(body, sort_keys=True)


def load(text: str | bytes) -> Table:
    """The table that was published; UnreadableError for anything else, however near to one."""
    try:
        body = json.loads(text)
    except ValueError:
        raise UnreadableError("routing table: not JSON") from None
    known = {"schema", "version", "route", "share", "otherwise", "rooms", "allow", "deny"}
    if not isinstance(body, dict) or set(body) != known or body["schema"] != SCHEMA:
        raise UnreadableError(f"routing table: not {SCHEMA}")
    version, rooms = body["version"], body["rooms"]
    if type(version) is not int or version < 1:
        raise UnreadableError("routing table: version: not a positive number")
    if not isinstance(rooms, dict):
        raise UnreadableError("routing table: rooms: not a table")
    if body["otherwise"] not in LEGACY_ROUTES:
        raise UnreadableError("routing table: otherwise: not celery or celery+shadow")
    return Table(
        version,
        _route(body["route"], "route"),
        _share(body["share"], "share"),
        body["otherwise"],
        {name: _room(name, value) for name, value in rooms.items()},
        _ids(body["allow"], "allow"),
        _ids(body["deny"], "deny"),
    )


def _room(name: str, value: Any) -> Room:
    if not isinstance(value, dict) or set(value) != {"route", "share"}:
        raise UnreadableError(f"routing table: rooms.{name}: not a route and a share")
    where = f"rooms.{name}"
    return Room(_route(value["route"], f"{where}.route"), _share(value["share"], f"{where}.share"))


def _route(value: Any, where: str) -> str:
    if value not in ROUTES:
        raise UnreadableError(f"routing table: {where}: not one of {', '.join(ROUTES)}")
    return str(value)


def _share(value: Any, where: str) -> float:
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise UnreadableError(f"routing table: {where}: not between 0 and 1")
    return float(value)


def _ids(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise UnreadableError(f"routing table: {where}: not a list of transcripts")
    return tuple(value)
