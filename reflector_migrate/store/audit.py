"""The audit log: append-only, each entry carrying the digest of the one before.

The chain shows an entry that was edited, removed or moved. It cannot show that its end was cut
off: for that, the head is exported with each nightly report, and a check holds the log to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from reflector_migrate.errors import InputError
from reflector_migrate.store.base import reading, writing
from reflector_migrate.store.canonical_json import sha256_of
from reflector_migrate.store.clock import in_utc, now
from reflector_migrate.store.tables import audit

GENESIS = "0" * 64
SHORT = 16
"""Digits of a digest that people are sent and may check: no other log is made to fit 64 bits."""

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry of the log at some time: its number (0 for an empty log) and its digest.

    A head that a person kept may have the first 16 digits alone.
    """

    seq: int
    digest: str

    def __str__(self) -> str:
        """`12:ab…`, as nightly reports and `migrate audit verify` print it."""
        return f"{self.seq}:{self.digest}"

    @property
    def short(self) -> str:
        """`12:ab…` with 16 digits, as notices have it."""
        return f"{self.seq}:{self.digest[:SHORT]}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """Raises InputError for anything but a number, a colon and 16 to 64 hex digits."""
        found = re.fullmatch(r"(\d+):([0-9a-f]{16,64})", text.strip())
        if found is None:
            said = f"audit head {text.strip()!r} is not NUMBER:DIGEST"
            raise InputError(
                said, hint="nightly reports, notices and `migrate audit verify` print one"
            )
        return cls(int(found[1]), found[2])


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

    def all(self, kind: str | None = None) -> tuple[Entry, ...]:
        """Entries of a kind, or of every kind, oldest first."""
        query = select(audit).order_by(audit.c.seq)
        if kind is not None:
            query = query.where(audit.c.kind == kind)
        with reading(self._url) as connection:
            rows = connection.execute(query).mappings().all()
        return tuple({**row, "at": in_utc(row["at"])} for row in rows)

    def last(self, kind: str) -> Entry | None:
        """The newest entry of a kind, or None."""
        found = self.all(kind)
        return found[-1] if found else None

    def head(self) -> Head:
        """The end of the log."""
        query = select(audit.c.seq, audit.c.digest).order_by(audit.c.seq.desc()).limit(1)
        with reading(self._url) as connection:
            row = connection.execute(query).first()
        return Head(row.seq, row.digest) if row else Head(0, GENESIS)

    def fault(self, heads: Iterable[Head] = ()) -> str:
        """What is wrong with the chain, or with the log beside heads exported earlier; else ""."""
        digests = {0: GENESIS}
        for seq, row in enumerate(self.all(), start=1):
            at, previous = row["at"], digests[seq - 1]
            digest = _digest(seq, row["kind"], row["body"], previous, at.isoformat() if at else "")
            if row["seq"] != seq:
                return f"entry {seq} is missing: entry {row['seq']} follows entry {seq - 1}"
            if (row["digest"], row["previous"]) != (digest, previous):
                return f"entry {seq} ({row['kind']}) does not fit its digest: it was changed"
            digests[seq] = digest
        for head in sorted(heads, key=lambda head: head.seq):
            if head.seq not in digests:
                last = len(digests) - 1
                return f"the log ends at entry {last}; entry {head.seq} was exported and is gone"
            if not digests[head.seq].startswith(head.digest):
                return f"entry {head.seq} is not the one that was exported: the log was rewritten"
        return ""


def _digest(seq: int, kind: str, body: Mapping[str, Any], previous: str, at: str) -> str:
    return sha256_of([seq, kind, dict(body), previous, at])
