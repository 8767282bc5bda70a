"""Whether the candidate's places are its own: asked before anything is made, and by every run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from reflector_migrate.settings import Settings
from reflector_migrate.store.identity import are_one_database, is_same_path


@dataclass(frozen=True, slots=True)
class SharedPlace:
    """Two settings that name one place."""

    ours: str
    theirs: str
    what: str

    def __str__(self) -> str:
        """Both settings, and what they share."""
        return f"{self.ours} and {self.theirs} name one {self.what}"


def shared_places(settings: Settings) -> tuple[SharedPlace, ...]:
    """What the settings alone show to be the primary's too; empty as it must be.

    No server is asked: a worker looks at each step, and may not reach the primary's.
    Our store is one of the places: its migrations would meet those of Reflector's own.
    """
    return tuple(_shared_by_name(settings))


def shared_on_servers(settings: Settings) -> tuple[SharedPlace, ...]:
    """What is the primary's too, however it is spelled: each server is asked who it is.

    Raises ServerUnreachableError when one does not answer.
    """
    return shared_places(settings) or tuple(_shared_by_server(settings))


def _shared_by_name(settings: Settings) -> Iterator[SharedPlace]:
    theirs, ours = settings.reflector, settings.candidate
    for ours_name, url in _databases(settings):
        if url == theirs.database_url:
            yield SharedPlace(ours_name, "reflector.database_url", "database")
    for ours_key in ("media_bucket", "tracks_bucket"):
        for theirs_key in ("media_bucket", "tracks_bucket"):
            if covers(getattr(ours, ours_key), getattr(theirs, theirs_key)):
                names = f"candidate.{ours_key}", f"reflector.{theirs_key}"
                yield SharedPlace(*names, "bucket or folder of a bucket")
    is_above = theirs.data_dir.resolve().is_relative_to(ours.data_dir.resolve())
    if is_above or is_same_path(ours.data_dir, theirs.data_dir):
        yield SharedPlace("candidate.data_dir", "reflector.data_dir", "folder")
    if not ours.channel_prefix and _address(ours.bus_url) == _address(theirs.bus_url):
        yield SharedPlace("candidate.channel_prefix", "reflector.bus_url", "Redis' channels")


def _shared_by_server(settings: Settings) -> Iterator[SharedPlace]:
    theirs, ours = settings.reflector, settings.candidate
    for ours_name, url in _databases(settings):
        if theirs.database_url and are_one_database(url, theirs.database_url):
            yield SharedPlace(ours_name, "reflector.database_url", "database")
    if not ours.channel_prefix and may_be_one_redis(ours.bus_url, theirs.bus_url):
        yield SharedPlace("candidate.channel_prefix", "reflector.bus_url", "Redis' channels")


def _databases(settings: Settings) -> Iterator[tuple[str, str]]:
    yield "store.url", settings.store_url
    if settings.candidate.database_url:
        yield "candidate.database_url", settings.candidate.database_url


def covers(ours: str, theirs: str) -> bool:
    """Whether the primary's folder is ours or lies in ours; ours may lie in the primary's."""
    mine, other = ([part for part in name.split("/") if part] for name in (ours, theirs))
    return other[: len(mine)] == mine


def _address(url: str) -> tuple[str, int | None]:
    """Where a Redis is: its channels are those of the whole server, whichever the database."""
    parts = urlsplit(url)
    return (parts.path, None) if parts.scheme == "unix" else (parts.hostname or "", parts.port)


def may_be_one_redis(first: str, second: str) -> bool:
    """Whether two addresses reach one process; yes, where a server does not say which it is."""
    from redis import RedisError

    from reflector_migrate.clients.connections import redis_at

    try:
        one, other = (redis_at(url).info("server").get("run_id") for url in (first, second))
    except RedisError:
        return True
    return one is None or one == other
