"""Where a run keeps its things: the primary's deployment, or a namespace of the run's own.

Two runs of one recording share nothing: each has tables, a folder in each bucket, a data
folder and a prefix of its channels, named by its run id. Ids and keys stay those of the
primary, so both sides can be compared key by key.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from reflector_migrate.errors import TerminalStepError
from reflector_migrate.settings import Settings
from reflector_migrate.store.base import url_of_run


class Place(NamedTuple):
    """Where a namespace keeps its things."""

    database_url: str
    tracks_bucket: str
    media_bucket: str
    bus_url: str
    channel_prefix: str
    data_dir: Path


def place_of_run(settings: Settings, run_id: str) -> Place:
    """The candidate's places of this one run."""
    ours, name = settings.candidate, plain(run_id)
    return Place(
        url_of_run(candidate_url(settings), name),
        f"{ours.tracks_bucket.strip('/')}/{name}",
        f"{ours.media_bucket.strip('/')}/{name}",
        ours.bus_url,
        f"{ours.channel_prefix}{name}:",
        ours.data_dir / name,
    )


def place_of_primary(settings: Settings) -> Place:
    """The primary's places; raises TerminalStepError when its database is not configured."""
    theirs = settings.reflector
    if theirs.database_url is None:
        raise TerminalStepError("reflector.database_url is not set", hint="migrate attach")
    return Place(
        theirs.database_url, theirs.tracks_bucket, theirs.media_bucket,
        theirs.bus_url, "", theirs.data_dir,
    )  # fmt: skip


def candidate_url(settings: Settings) -> str:
    """The database in which each run has its own tables."""
    return settings.candidate.database_url or f"sqlite:///{settings.state_dir / 'candidate.db'}"


def plain(name: str) -> str:
    """A name that is safe as one part of a path; TerminalStepError for any other."""
    if not name or name in {".", ".."} or any(char in name for char in "/\\\x00"):
        raise TerminalStepError(f"an id or file name is not a plain name: {name[:80]!r}")
    return name
