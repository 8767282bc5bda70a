"""The control endpoint: faults, noise, replay, what is known and what was received.

Loopback only: it decides what the services answer.
"""

from __future__ import annotations

import ipaddress
import json
import platform
from collections.abc import Awaitable, Callable
from typing import Any

import starlette
import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reflector_migrate.sandbox.standins.answer_tape import AnswerSet
from reflector_migrate.sandbox.standins.exchange import SERVICES
from reflector_migrate.sandbox.standins.faults import Fault
from reflector_migrate.sandbox.standins.replay import ReplaySet
from reflector_migrate.sandbox.standins.state import PARTS, World

Handler = Callable[[Request], Awaitable[Any]]


def build_control(world: World) -> Starlette:
    """The application to mount at `/control`."""
    table: dict[tuple[str, str], Handler] = {
        **_fault_table(world),
        **_noise_table(world),
        **_daily_table(world),
        **_record_table(world),
        **_replay_table(world),
        **_answers_table(world),
    }
    return Starlette(
        routes=[Route(path, _guarded(h), methods=[method]) for (method, path), h in table.items()]
    )


def _fault_table(world: World) -> dict[tuple[str, str], Handler]:
    async def put(request: Request) -> Any:
        body = await _json(request)
        faults = [Fault.model_validate(one) for one in (body if isinstance(body, list) else [body])]
        if isinstance(body, list):
            world.faults.clear()
        for fault in faults:
            world.faults.put(fault)
        return world.faults.rules()

    async def get(_request: Request) -> Any:
        return world.faults.rules()

    async def delete(request: Request) -> Any:
        world.faults.clear(request.query_params.get("service", ""))
        return world.faults.rules()

    return {("PUT", "/faults"): put, ("GET", "/faults"): get, ("DELETE", "/faults"): delete}


def _noise_table(world: World) -> dict[tuple[str, str], Handler]:
    async def put(request: Request) -> Any:
        body = dict(await _json(request))
        service = body.pop("service", "")
        if service not in SERVICES:
            raise ValueError(f"service must be one of {', '.join(SERVICES)}")
        world.faults.set_noise(service, body)
        return world.faults.noises()

    async def get(_request: Request) -> Any:
        return world.faults.noises()

    async def delete(request: Request) -> Any:
        world.faults.clear_noise(request.query_params.get("service", ""))
        return world.faults.noises()

    return {("PUT", "/noise"): put, ("GET", "/noise"): get, ("DELETE", "/noise"): delete}


def _daily_table(world: World) -> dict[tuple[str, str], Handler]:
    async def put_recordings(request: Request) -> Any:
        body = await _json(request)
        for one in body if isinstance(body, list) else [body]:
            world.daily.put(dict(one["recording"]), one.get("participants"))
        return {"recordings": list(world.daily.recordings)}

    async def get_recordings(_request: Request) -> Any:
        return {"recordings": list(world.daily.recordings)}

    async def put_presence(request: Request) -> Any:
        body = await _json(request)
        world.daily.presence[str(body["room"])] = list(body["data"])
        return {"rooms": list(world.daily.presence)}

    return {
        ("PUT", "/daily/recordings"): put_recordings,
        ("GET", "/daily/recordings"): get_recordings,
        ("PUT", "/daily/presence"): put_presence,
    }


def _record_table(world: World) -> dict[tuple[str, str], Handler]:
    async def requests(request: Request) -> Any:
        asked = request.query_params
        entries = world.recorder.entries(asked.get("service", ""), int(asked.get("since", 0)))
        return [entry.as_json() for entry in entries]

    async def zulip(_request: Request) -> Any:
        return list(world.zulip.messages.values())

    async def webhooks(_request: Request) -> Any:
        return list(world.webhooks.deliveries)

    async def set_webhook(request: Request) -> Any:
        body = await _json(request)
        world.webhooks.set_status(str(body["path"]), int(body["status"]), body.get("times"))
        return body

    async def reset(request: Request) -> Any:
        keep = [part for part in request.query_params.get("keep", "").split(",") if part]
        if unknown := set(keep) - set(PARTS):
            raise ValueError(f"unknown part {sorted(unknown)[0]}; known: {', '.join(PARTS)}")
        world.reset(keep)
        return {"kept": keep}

    return {
        ("GET", "/requests"): requests,
        ("GET", "/zulip"): zulip,
        ("GET", "/webhooks"): webhooks,
        ("PUT", "/webhooks"): set_webhook,
        ("POST", "/reset"): reset,
    }


def _replay_table(world: World) -> dict[tuple[str, str], Handler]:
    async def put(request: Request) -> Any:
        world.replay.put(ReplaySet.model_validate(await _json(request)))
        return world.replay.status()

    async def get(_request: Request) -> Any:
        return world.replay.status()

    async def delete(_request: Request) -> Any:
        world.replay.put(ReplaySet())
        return world.replay.status()

    async def health(_request: Request) -> Any:
        versions = {"starlette": starlette.__version__, "uvicorn": uvicorn.__version__}
        versions["python"] = platform.python_version()
        return {"status": "ok", "versions": versions, "services": list(SERVICES)}

    return {
        ("PUT", "/replay"): put,
        ("GET", "/replay"): get,
        ("DELETE", "/replay"): delete,
        ("GET", "/health"): health,
    }


def _answers_table(world: World) -> dict[tuple[str, str], Handler]:
    async def put(request: Request) -> Any:
        world.kept.put(AnswerSet.model_validate(await _json(request)))
        return world.kept.status()

    async def get(_request: Request) -> Any:
        return world.kept.status()

    async def kept(_request: Request) -> Any:
        return world.kept.as_json()

    return {
        ("PUT", "/answers"): put,
        ("GET", "/answers"): get,
        ("GET", "/answers/kept"): kept,
    }


def _guarded(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def guarded(request: Request) -> Response:
        if request.client is None or not _is_loopback(request.client.host):
            return JSONResponse({"error": "the control endpoint is local"}, status_code=403)
        try:
            return JSONResponse(await handler(request))
        except KeyError as missing:
            return JSONResponse({"error": f"{missing.args[0]} is missing"}, status_code=422)
        except ValidationError as invalid:
            problems = json.loads(invalid.json(include_url=False, include_context=False))
            return JSONResponse({"error": problems}, status_code=422)
        except (ValueError, TypeError, AttributeError) as invalid:
            return JSONResponse({"error": str(invalid)}, status_code=422)

    return guarded


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _json(request: Request) -> Any:
    return json.loads(await request.body())
