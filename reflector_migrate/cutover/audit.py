"""The audit log: append-only, each entry carrying the digest of the one before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select

from reflector_migrate.store.base import reading, writing
from reflector_migrate.store.canonical_json import sha256_of
from reflector_migrate.store.clock import in_utc, now
from reflector_migrate.store.tables import audit

GENESIS = "0" * 64

Entry = Mapping[str, Any]


class Audit:
    """What was decided, by whom and when; a changed entry breaks the chain after it."""

    def __init__(self, url: str) -> None:
        """Keep the URL only; connections are made per process, when used."""
        self._url = url

    def append(self, kind: str, body: Mapping[str, Any]) -> str:
        """Add an entry; returns its digest."""
        at = now()
        with writing(self._url) as connection:
            last = connection.execute(
                select(audit.c.seq, audit.c.digest).order_by(audit.c.seq.desc()).limit(1)
            ).first()
            seq, previous = (last.seq + 1, last.digest) if last else (1, GENESIS)
            digest = _digest(seq, kind, dict(body), previous, at.isoformat())
            row = {"seq": seq, "kind": kind, "body": dict(body), "previous": previous}
            connection.execute(audit.insert().values(**row, digest=digest, at=at))
        return digest

    def all(self, kind: str) -> tuple[Entry, ...]:
        """Entries of a kind, oldest first."""
        query = select(audit).where(audit.c.kind == kind).order_by(audit.c.seq)
        with reading(self._url) as connection:
            rows = connection.execute(query).mappings().all()
        return tuple({**row, "at": in_utc(row["at"])} for row in rows)

    def last(self, kind: str) -> Entry | None:
        """The youngest entry of a kind, or None."""
        found = self.all(kind)
        return found[-1] if found else None

    def first_broken(self) -> int | None:
        """The number of the first entry that does not fit its digest; None if all do."""
        previous = GENESIS
        with reading(self._url) as connection:
            rows = connection.execute(select(audit).order_by(audit.c.seq)).mappings().all()
            count = connection.scalar(select(func.count()).select_from(audit)) or 0
        for seq, row in enumerate(rows, start=1):
            at = in_utc(row["at"])
            digest = _digest(seq, row["kind"], row["body"], previous, at.isoformat() if at else "")
            if row["seq"] != seq or row["digest"] != digest or row["previous"] != previous:
                return seq
            previous = digest
        return None if count == len(rows) else len(rows) + 1


def _digest(seq: int, kind: str, body: Mapping[str, Any], previous: str, at: str) -> str:
    return sha256_of([seq, kind, dict(body), previous, at])
