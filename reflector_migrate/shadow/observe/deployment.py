"""Where a deployment keeps what its pipeline produced; both sides are such a place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reflector_migrate.errors import InputError
from reflector_migrate.pipeline.places import place_of_run
from reflector_migrate.settings import Settings


@dataclass(frozen=True, slots=True)
class Deployment:
    """A database, two buckets and a data folder, only ever read.

    `is_recorded`: its deletions and messages stand in our own log, and what is gone
    from its buckets must not be counted again. `shared_dir` holds the folders of all runs,
    where the data folder is that of one.
    """

    database_url: str
    media_bucket: str
    tracks_bucket: str
    data_dir: Path
    is_recorded: bool = False
    shared_dir: Path | None = None

    @property
    def has_files_here(self) -> bool:
        """Whether this host sees the data folder; a run's own part of it may not be made yet."""
        return (self.shared_dir or self.data_dir).is_dir()


def primary_of(settings: Settings) -> Deployment:
    """The deployment under test; raises InputError when its database is not configured."""
    place = settings.reflector
    if not place.database_url:
        hint = "set it in migrate.toml, or run migrate attach"
        raise InputError("reflector.database_url is not set", hint=hint)
    return Deployment(place.database_url, place.media_bucket, place.tracks_bucket, place.data_dir)


def candidate_of(settings: Settings, run_id: str) -> Deployment:
    """The namespace of one run of the candidate's."""
    place = place_of_run(settings, run_id)
    return Deployment(
        place.database_url,
        place.media_bucket,
        place.tracks_bucket,
        place.data_dir,
        is_recorded=True,
        shared_dir=settings.candidate.data_dir,
    )
