"""Legacy against legacy: which runs have a secondary, and how far each pair lies apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from reflector_migrate.model import Role
from reflector_migrate.store.base import reading, writing
from reflector_migrate.store.canonical_json import sha256_of
from reflector_migrate.store.clock import now
from reflector_migrate.store.tables import legacy_pairs, secondaries
from reflector_migrate.store.upsert import insert_once


@dataclass(frozen=True, slots=True)
class SecondaryRun:
    """Two runs of the primary's engine, each by its root task; `came_first` was queued first."""

    root_id: str
    secondary_root_id: str
    recording_id: str
    came_first: Role


class Secondaries:
    """Which of the primary's runs has a secondary beside it; only ever added."""

    def __init__(self, url: str) -> None:
        """Keep the URL only; connections are made per process, when used."""
        self._url = url

    def add(self, run: SecondaryRun) -> bool:
        """Announce a secondary, before either run begins; False if that primary has one."""
        row = {name: getattr(run, name) for name in SecondaryRun.__slots__}
        with writing(self._url) as connection:
            return insert_once(connection, secondaries, **row, at=now())

    def of(self, root_id: str) -> SecondaryRun | None:
        """The secondary of the primary's run with this root task, or None."""
        query = select(secondaries).where(secondaries.c.root_id == root_id)
        with reading(self._url) as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            return None
        found = {name: row[name] for name in SecondaryRun.__slots__}
        return SecondaryRun(**{**found, "came_first": Role(row["came_first"])})


@dataclass(frozen=True, slots=True)
class LegacyPair:
    """Two legacy runs of one recording: divergence by measure, None where nothing was measured.

    `told` is everything a pair must share with another to be evidence beside it. `exchanged` has,
    by measure, the excess of either run taken for the candidate that `candidate_build` made.
    """

    run_id: str
    recording_id: str
    stratum: str
    came_first: str
    told: Mapping[str, Any]
    divergences: Mapping[str, float | None]
    candidate_build: str | None = None
    exchanged: Mapping[str, Sequence[float]] | None = None
    """None for a pair without a candidate, or older than this."""


class LegacyPairs:
    """Every A/A pair ever measured; only ever added."""

    def __init__(self, url: str) -> None:
        """Keep the URL only; connections are made per process, when used."""
        self._url = url

    def of(self, told: Mapping[str, Any], *, but: str = "") -> tuple[LegacyPair, ...]:
        """Pairs made under exactly these conditions, oldest first, without that of run `but`."""
        query = select(legacy_pairs).where(
            legacy_pairs.c.conditions == sha256_of(dict(told)), legacy_pairs.c.run_id != but
        )
        with reading(self._url) as connection:
            rows = connection.execute(query.order_by(legacy_pairs.c.at)).mappings().all()
        return tuple(LegacyPair(**{n: row[n] for n in LegacyPair.__slots__}) for row in rows)

    def add(self, pair: LegacyPair) -> bool:
        """Keep a pair that no candidate ran beside; False if that run's was there."""
        with writing(self._url) as connection:
            return add_pair(connection, pair)


def add_pair(connection: Connection, pair: LegacyPair) -> bool:
    """Keep a pair in the caller's transaction; False if that run's was there."""
    row = {name: getattr(pair, name) for name in LegacyPair.__slots__}
    row |= {"told": dict(pair.told), "divergences": dict(pair.divergences)}
    row |= {"exchanged": dict(pair.exchanged) if pair.exchanged is not None else None}
    conditions = sha256_of(dict(pair.told))
    return insert_once(connection, legacy_pairs, **row, conditions=conditions, at=now())
