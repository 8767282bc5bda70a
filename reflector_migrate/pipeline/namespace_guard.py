"""Whether the candidate's places are its own: asked before anything is made, and by every run."""

from __future__ import annotations

from urllib.parse import urlsplit

from reflector_migrate.settings import Settings


def shared_places(settings: Settings) -> tuple[str, ...]:
    """The settings that name a place which is also the primary's; empty as it must be.

    Our store is one of them: its migrations would meet those of Reflector's own.
    """
    theirs, ours = settings.reflector, settings.candidate
    is_shared = {
        "store.url": settings.store_url == theirs.database_url,
        "candidate.database_url": ours.database_url and ours.database_url == theirs.database_url,
        "candidate.media_bucket": ours.media_bucket == theirs.media_bucket,
        "candidate.tracks_bucket": ours.tracks_bucket == theirs.tracks_bucket,
        "candidate.data_dir": ours.data_dir.resolve() == theirs.data_dir.resolve(),
        "candidate.channel_prefix": not ours.channel_prefix
        and _server_of(ours.bus_url) == _server_of(theirs.bus_url),
    }
    return tuple(name for name, is_so in is_shared.items() if is_so)


def _server_of(url: str) -> tuple[str, int | None]:
    """Where a Redis is: its channels are those of the whole server, whichever the database."""
    parts = urlsplit(url)
    return (parts.path, None) if parts.scheme == "unix" else (parts.hostname or "", parts.port)
