"""A second legacy run on a real deployment: Reflector's own worker in places of its own.

Its code and environment are the primary's. Everything it writes to is named in [secondary], and
`require_own_places` refuses what is also the primary's. Redis must be another server: channels
know no database, and Reflector's have no prefix.
"""

from __future__ import annotations

import logging
import os
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sqlalchemy import URL, make_url

from reflector_migrate.errors import ConfigurationError, MigrateError, RefusedError
from reflector_migrate.harness import Harness
from reflector_migrate.model import Role
from reflector_migrate.model.primary_task import PIPELINE_TASK
from reflector_migrate.pipeline.bridge.child import environment_of
from reflector_migrate.pipeline.namespace_guard import SharedPlace, covers, may_be_one_redis
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.routing import has_secondary
from reflector_migrate.shadow.snapshot import Snapshot
from reflector_migrate.store.aa_pairs import SecondaryRun
from reflector_migrate.store.identity import are_one_database, is_same_path

if TYPE_CHECKING:
    from reflector_migrate.shadow.announcement import Announcement
    from reflector_migrate.store.runs import RunRecord

log = logging.getLogger(__name__)

NAMES = uuid.UUID("3f0c1a52-0d57-4f5c-9c43-6b1c7f0b2f11")
COPY_TIMEOUT_S = 120.0
"""For the tables of a schema, without rows."""
SILENT_ROOM = {"webhook_url": None, "zulip_auto_post": False}
"""A room's own copy has no receivers."""


def require_own_places(settings: Settings) -> None:
    """Raise ConfigurationError if a place of the secondary is missing or is the primary's too.

    The servers are asked who they are: ServerUnreachableError when one does not answer.
    """
    mine = settings.secondary
    for key in ("database_url", "broker_url"):
        if not getattr(mine, key):
            raise ConfigurationError(
                f"setting secondary.{key}: not set", hint="name a separate server for the secondary"
            )
    if shared := next(_shared(settings), None):
        raise ConfigurationError(
            f"settings {shared}",
            hint=f"{shared.ours} must name a place that Reflector does not use",
        )


def _shared(settings: Settings) -> Iterator[SharedPlace]:
    mine, theirs, candidate = settings.secondary, settings.reflector, settings.candidate
    databases = {
        "reflector.database_url": theirs.database_url,
        "candidate.database_url": candidate.database_url,
        "store.url": settings.store_url,
    }
    for name, url in databases.items():
        if url and are_one_database(str(mine.database_url), url):
            yield SharedPlace("secondary.database_url", name, "database")
    for ours in ("bus_url", "broker_url"):
        for other in ("bus_url", "broker_url"):
            if may_be_one_redis(str(getattr(mine, ours)), getattr(theirs, other)):
                yield SharedPlace(f"secondary.{ours}", f"reflector.{other}", "Redis server")
    for ours in ("media_bucket", "tracks_bucket"):
        for other in ("media_bucket", "tracks_bucket"):
            pair = getattr(mine, ours), getattr(theirs, other)
            if covers(*pair) or covers(*reversed(pair)):
                yield SharedPlace(f"secondary.{ours}", f"reflector.{other}", "bucket or folder")
    folders = mine.data_dir.resolve(), theirs.data_dir.resolve()
    is_inside = folders[0].is_relative_to(folders[1]) or folders[1].is_relative_to(folders[0])
    if is_inside or is_same_path(*folders):
        yield SharedPlace("secondary.data_dir", "reflector.data_dir", "folder")


def environment(settings: Settings, plugin: Path) -> dict[str, str]:
    """Of its worker: Reflector's own file, with every place replaced and every sink silent."""
    mine, base = settings.secondary, environment_of(settings.pipeline)
    redis = urlsplit(mine.bus_url)
    path = [p for p in (str(plugin), base.get("PYTHONPATH", "")) if p]
    return base | {
        "PYTHONPATH": ":".join(path),
        "DATABASE_URL": _as_theirs(str(mine.database_url)),
        "CELERY_BROKER_URL": str(mine.broker_url),
        "CELERY_RESULT_BACKEND": str(mine.broker_url),
        "REDIS_HOST": redis.hostname or "127.0.0.1",
        "REDIS_PORT": str(redis.port or 6379),
        "TRANSCRIPT_STORAGE_AWS_BUCKET_NAME": mine.media_bucket,
        "DAILYCO_STORAGE_AWS_BUCKET_NAME": mine.tracks_bucket,
        "DATA_DIR": str(mine.data_dir.resolve()),
        "ZULIP_REALM": "",
        "ZULIP_API_KEY": "",
        "ZULIP_BOT_EMAIL": "",
        "MIGRATE_SHADOW": "true",
        "MIGRATE_SHADOW_ROLE": "secondary",
        "MIGRATE_SHADOW_BROKER": settings.reflector.broker_url,
        "MIGRATE_SHADOW_OBSERVE": settings.shadow.observe,
    }


def command(settings: Settings) -> list[str]:
    """The worker's argv: Reflector's interpreter and application, and the secondary's queue."""
    if settings.pipeline.reflector_python is None:
        raise ConfigurationError(
            "setting pipeline.reflector_python: not set",
            hint="name the interpreter of Reflector's virtual environment",
        )
    return [
        str(settings.pipeline.reflector_python), "-m", "celery", "-A", settings.reflector.app,
        "worker", "-Q", settings.secondary.queue, "-n", "secondary@%h", "-I", "reflector_shadow",
        "--loglevel=info",
    ]  # fmt: skip


def make_schema(settings: Settings) -> bool:
    """Give an empty database the primary's tables and our mark; False if it has both.

    Raises RefusedError when it holds rows without our mark, or the tables cannot be copied.
    """
    from sqlalchemy import inspect

    from reflector_migrate.pipeline.rows.mark import write_mark
    from reflector_migrate.store.base import engine_for

    mine, theirs = str(settings.secondary.database_url), str(settings.reflector.database_url)
    is_new = not inspect(engine_for(mine)).has_table("transcript")
    if is_new:
        if make_url(theirs).get_backend_name() != "postgresql":
            said = "secondary.database_url has no tables, and only PostgreSQL's are copied"
            raise RefusedError(said, hint="create Reflector's tables there first")
        taken = _run(["pg_dump", "-s", "--no-owner", "--no-privileges"], theirs, b"")
        _run(["psql", "-q", "-v", "ON_ERROR_STOP=1"], mine, taken)
    write_mark(mine, "stand-in")
    return is_new


def begin(
    harness: Harness,
    run: RunRecord,
    announcement: Announcement,
    taken: Snapshot,
    prior: Mapping[str, Any],
) -> bool:
    """Start legacy a second time for a run of the share; whether it was.

    Never for a replay, whose primary ran at another time. What fails is logged: the candidate's
    run goes on without a secondary.
    """
    is_wanted = has_secondary(harness.settings.shadow, run.recording_id or taken.recording_id)
    if harness.settings.is_sandbox or announcement.is_replayed or not is_wanted:
        return False
    store = harness.secondaries
    root = announcement.root_id or announcement.task_id or ""
    if not root or store.of(root) is not None:
        return False
    try:
        require_own_places(harness.settings)
        _copy(harness, announcement.bucket_name, taken, prior)
        task_id = _send(harness, run, taken)
    except MigrateError as error:
        log.warning("run %s: no secondary: %s", run.run_id, error.in_full)
        return False
    return store.add(SecondaryRun(root, task_id, taken.recording_id, Role.PRIMARY))


def _copy(harness: Harness, bucket: str, taken: Snapshot, prior: Mapping[str, Any]) -> None:
    from reflector_migrate.pipeline.meter import UsageMeter
    from reflector_migrate.pipeline.rows import Rows, restore
    from reflector_migrate.pipeline.services.storage import Storage, address

    mine = harness.settings.secondary.tracks_bucket
    storage = Storage(harness.connections.s3, UsageMeter(), writable=frozenset({mine}))
    for key in taken.track_keys:
        storage.copy(address(bucket, key), address(mine, key))
    rows = {
        **taken.rows,
        "recording": [{**row, "bucket_name": mine} for row in taken.rows["recording"]],
        "room": [{**row, **SILENT_ROOM} for row in taken.rows.get("room", ())],
    }
    restore(Rows.at(str(harness.settings.secondary.database_url)), rows, owner="stand-in", **prior)


def _send(harness: Harness, run: RunRecord, taken: Snapshot) -> str:
    from kombu.exceptions import OperationalError

    from reflector_migrate.errors import ServerUnreachableError

    settings = harness.settings
    task_id = str(uuid.uuid5(NAMES, run.run_id))  # sent twice, it is still one task
    message = {
        "transcript_id": taken.transcript_id,
        "bucket_name": settings.secondary.tracks_bucket,
        "track_keys": list(taken.track_keys),
    }
    try:
        with harness.broker(settings.secondary.broker_url) as app:
            app.send_task(
                PIPELINE_TASK, kwargs=message, task_id=task_id, queue=settings.secondary.queue,
                ignore_result=True, retry=False,
            )  # fmt: skip
    except OperationalError as error:
        raise ServerUnreachableError(f"secondary.broker_url does not answer: {error}") from None
    return task_id


def _run(argv: list[str], url: str, given: bytes) -> bytes:
    """Output of a program of PostgreSQL's; others can read its argv, so no password is there."""
    where = make_url(_plain(url))
    environ = {**os.environ, "PGPASSWORD": str(where.password or "")}
    shown = URL.create(
        where.drivername, where.username, None, where.host, where.port, where.database, where.query
    ).render_as_string()
    try:
        done = subprocess.run(
            [*argv, shown], input=given, check=True, capture_output=True, env=environ,
            timeout=COPY_TIMEOUT_S,
        )  # fmt: skip
    except FileNotFoundError:
        raise RefusedError(
            f"{argv[0]} is not on the PATH", hint="install PostgreSQL's client programs"
        ) from None
    except subprocess.TimeoutExpired:
        raise RefusedError(
            f"{argv[0]} took longer than {COPY_TIMEOUT_S:g} s", hint="does the server answer?"
        ) from None
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode("utf-8", "replace").strip().splitlines()
        raise RefusedError(f"{argv[0]}: {lines[-1] if lines else error.returncode}") from None
    return done.stdout


def _plain(url: str) -> str:
    """The URL as PostgreSQL's own programs read it."""
    scheme, _, rest = url.partition("://")
    return f"{scheme.partition('+')[0]}://{rest}"


def _as_theirs(url: str) -> str:
    """The URL as Reflector's settings have it, without our driver."""
    return _plain(url) if url.startswith("postgresql") else url
