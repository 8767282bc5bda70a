"""Daily's REST API: recordings, participants of a meeting, presence of a room."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reflector_migrate.sandbox.standins.faults import Faults

Handler = Callable[[Request], Awaitable[Response]]
PAGE = 100


class DailyAnswers:
    """What Daily knows, as a test set it."""

    def __init__(self) -> None:
        self.recordings: dict[str, dict[str, Any]] = {}
        self.participants: dict[str, list[dict[str, Any]]] = {}
        self.presence: dict[str, list[dict[str, Any]]] = {}

    def put(self, recording: dict[str, Any], participants: list[dict[str, Any]] | None) -> None:
        """Know a recording and, by its mtgSessionId, who was in the meeting."""
        self.recordings.pop(recording["id"], None)  # the latest put is listed first
        self.recordings[recording["id"]] = recording
        if participants is not None and recording.get("mtgSessionId"):
            self.participants[recording["mtgSessionId"]] = participants

    def reset(self) -> None:
        """Know nothing again."""
        self.recordings.clear()
        self.participants.clear()
        self.presence.clear()


def build_daily(answers: DailyAnswers, faults: Faults) -> Starlette:
    """The application to mount at `/daily/v1`."""

    async def one_recording(request: Request) -> Response:
        found = answers.recordings.get(request.path_params["id"])
        return _not_found("recording") if found is None else JSONResponse(found)

    async def list_recordings(request: Request) -> Response:
        room = request.query_params.get("room_name")
        newest = list(reversed(answers.recordings.values()))
        chosen = [r for r in newest if room is None or r.get("room_name") == room]
        try:
            limit = min(int(request.query_params.get("limit", PAGE)), PAGE)
        except ValueError:
            return _error(400, "invalid-request-error", "limit is not a number")
        return JSONResponse({"total_count": len(chosen), "data": chosen[:limit]})

    async def participants(request: Request) -> Response:
        found = answers.participants.get(request.path_params["id"])
        return _not_found("meeting") if found is None else JSONResponse({"data": found})

    async def presence(request: Request) -> Response:
        found = answers.presence.get(request.path_params["name"], [])
        return JSONResponse({"total_count": len(found), "data": found})

    table = {
        "/recordings": list_recordings,
        "/recordings/{id}": one_recording,
        "/meetings/{id}/participants": participants,
        "/rooms/{name}/presence": presence,
    }
    return Starlette(routes=[Route(p, _guarded(h, faults)) for p, h in table.items()])


def _guarded(handler: Handler, faults: Faults) -> Handler:
    async def guarded(request: Request) -> Response:
        fault = await faults.apply("daily", request)
        if fault is not None:
            return fault
        if not request.headers.get("authorization", "").startswith("Bearer "):
            return _error(401, "authentication-error", "a Bearer key is needed")
        return await handler(request)

    return guarded


def _not_found(what: str) -> Response:
    return _error(404, "not-found", f"{what} not found")


def _error(status: int, error: str, info: str) -> Response:
    return JSONResponse({"error": error, "info": info}, status_code=status)
