"""The stand-ins as one ASGI application, and everything they remember."""

from __future__ import annotations

import asyncio
from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from reflector_migrate.sandbox.standins.control import build_control
from reflector_migrate.sandbox.standins.daily import build_daily
from reflector_migrate.sandbox.standins.exchange import RecordingMiddleware
from reflector_migrate.sandbox.standins.llm import build_llm
from reflector_migrate.sandbox.standins.replay import build_replay_recogniser
from reflector_migrate.sandbox.standins.state import World
from reflector_migrate.sandbox.standins.webhook import build_webhook
from reflector_migrate.sandbox.standins.zulip import build_zulip


def build_app(recordings_root: Path) -> ASGIApp:
    """All stand-ins, ready to serve; `recordings_root` is what the recogniser knows."""
    world = World()
    mounts: dict[str, ASGIApp] = {
        "/daily/v1": build_daily(world.daily, world.faults),
        "/recogniser": Recogniser(recordings_root, world),
        "/llm/v1": build_llm(world.faults, world.replay, world.occurrences, world.kept),
        "/zulip/api/v1": build_zulip(world.zulip, world.faults),
        "/webhook": build_webhook(world.webhooks, world.faults),
        "/control": build_control(world),
    }
    app = Starlette(routes=[Mount(path, app=mounted) for path, mounted in mounts.items()])
    return RecordingMiddleware(app, world.recorder)


class Recogniser:
    """The listening recogniser, or the replaying one while a replay is on.

    The first is built when it is first asked: it reads every known recording,
    which the other services need not wait for.
    """

    def __init__(self, recordings_root: Path, world: World) -> None:
        self._root = recordings_root
        self._world = world
        self._replaying = build_replay_recogniser(world.replay, world.faults)
        self._listening: ASGIApp | None = None
        self._lock = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve by whichever is in force."""
        if self._world.replay.has_recogniser:
            await self._replaying(scope, receive, send)
        else:
            await (await self._listener())(scope, receive, send)

    async def _listener(self) -> ASGIApp:
        async with self._lock:
            if self._listening is None:
                try:
                    self._listening = await asyncio.to_thread(self._build)
                except ImportError as missing:
                    reason = {"detail": f"the recogniser cannot be loaded: {missing}"}
                    return JSONResponse(reason, status_code=503)
        return self._listening

    def _build(self) -> ASGIApp:
        from reflector_migrate.sandbox.standins.recogniser import build_recogniser

        world = self._world
        return build_recogniser(self._root, world.faults, world.occurrences, world.kept)
