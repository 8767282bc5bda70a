"""The workers: the legacy Celery worker, the Conductor workers, the shadow's Celery worker."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import replace
from pathlib import Path

from reflector_migrate.model import Role
from reflector_migrate.sandbox.probe import celery_answers, exists, log_says
from reflector_migrate.sandbox.servers.base import Folders, Server
from reflector_migrate.settings import Settings

_PLUGIN = Path(__file__).parents[2] / "plugin"
_PIPELINE = "reflector_migrate.sandbox.legacy.monolith:PipelineMainMultitrack"
_CELERY_READY = b" ready."  # the last word of `celery@host ready.`, said once it consumes


def legacy(folders: Folders, settings: Settings) -> Server:
    """The Celery worker with the legacy stand-in; with the plugins that are asked for."""
    broker_url, is_shadow = settings.reflector.broker_url, settings.shadow.enabled
    made = _legacy("legacy", (), folders, broker_url, shadow=is_shadow)
    if not settings.sandbox.routes:
        return made
    path = os.pathsep.join(filter(None, (str(_PLUGIN), os.environ.get("PYTHONPATH"))))
    env = {"PYTHONPATH": path, "MIGRATE_ROUTING": "true", **made.env}
    back = {"MIGRATE_ROUTE_BACK_FILE": str(settings.route.back_file or "")}
    env |= {"MIGRATE_ROUTE_WAIT_S": "10"}  # a small machine starts a workflow slowly
    return replace(made, argv=(*made.argv, "-I", "reflector_route"), env=env | back)


def starter(folders: Folders, broker_url: str) -> Server:
    """The Celery worker that starts live workflows."""
    app = "reflector_migrate.cutover.route_app:app"
    return _celery("starter", app, ("-Q", "route"), folders, broker_url, {})


def live_workers(folders: Folders) -> Server:
    """The host of the fifteen Conductor workers for recordings that Conductor serves."""
    return _host("live", folders, {"MIGRATE_CANDIDATE__NAMESPACE": "live"})


def secondary(folders: Folders, settings: Settings) -> Server:
    """A second such worker, with a separate queue and separate places; it announces no run."""
    queue = ("-Q", settings.secondary.queue)
    broker_url, is_shadow = settings.reflector.broker_url, settings.shadow.enabled
    made = _legacy("secondary", queue, folders, broker_url, shadow=is_shadow)
    return replace(made, env={**made.env, **_places(settings.as_secondary())})


def _places(secondary: Settings) -> dict[str, str]:
    """What the worker reads instead of the sandbox's migrate.toml, where the two differ."""
    mine = secondary.reflector.model_dump(
        mode="json", include=set(type(secondary.secondary).model_fields)
    )
    env = {f"MIGRATE_REFLECTOR__{key.upper()}": str(value) for key, value in mine.items()}
    bot = secondary.services.zulip_bot_email or ""
    role = {"MIGRATE_SHADOW_ROLE": Role.SECONDARY.value}
    return env | role | {"MIGRATE_SERVICES__ZULIP_BOT_EMAIL": bot}


def _legacy(
    name: str, options: tuple[str, ...], folders: Folders, broker_url: str, *, shadow: bool
) -> Server:
    plugin = ("-I", "reflector_shadow") if shadow else ()
    path = os.pathsep.join(filter(None, (str(_PLUGIN), os.environ.get("PYTHONPATH"))))
    spans = {"MIGRATE_LEGACY_PIPELINE": _PIPELINE, "MIGRATE_SHADOW": "true"}
    env = {"PYTHONPATH": path, **spans} if shadow else {}
    app, extra = "reflector_migrate.sandbox.legacy.app:app", (*options, *plugin)
    return _celery(name, app, extra, folders, broker_url, env)


def shadow(folders: Folders, broker_url: str) -> Server:
    """The Celery worker of the harness itself: dispatcher and collector."""
    queues = ("-Q", "shadow,collect")
    return _celery("shadow", "reflector_migrate.shadow.app:app", queues, folders, broker_url, {})


def workers(folders: Folders) -> Server:
    """The host of the fifteen Conductor workers; it writes a file once all of them poll."""
    return _host("workers", folders, {})


def _host(name: str, folders: Folders, env: dict[str, str]) -> Server:
    ready = folders.ready_file(name)
    return Server(
        name=name,
        argv=(sys.executable, "-m", "reflector_migrate.conductor.runtime.run"),
        cwd=folders.data("work"),
        is_ready=exists(ready),
        env={"MIGRATE_READY_FILE": str(ready), **env},
        needs=("redis",),  # they wait for a Conductor that still boots, importing meanwhile
        is_worker=True,
    )


def _celery(
    name: str,
    app: str,
    extra: tuple[str, ...],
    folders: Folders,
    broker_url: str,
    env: dict[str, str],
) -> Server:
    # A lone node has no use for mingle and gossip, and is ready a second earlier without
    node = ("-n", f"{name}@%h", "--without-mingle", "--without-gossip")
    command = (sys.executable, "-m", "celery", "-A", app, "worker", "--loglevel=info", "-c", "2")
    return Server(
        name=name,
        argv=(*command, *node, *extra),
        cwd=folders.data("work"),
        is_ready=log_says(folders.log(name), _CELERY_READY),
        env=env,
        needs=("redis",),
        is_worker=True,
        is_healthy=celery_answers(broker_url, f"{name}@{socket.gethostname()}"),
    )
