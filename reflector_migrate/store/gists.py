"""The table of gists: columns beside each comparison, written with it and erased with it.

A gist that is missing (its comparison was stored by a build that knew none), of another
version, or of another run is hidden from its readers, and `fill_gists` rebuilds it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    and_,
    select,
)

from reflector_migrate.errors import UnreadableError
from reflector_migrate.model import Comparison, Gist, gist_of
from reflector_migrate.model.comparison_index import VERSION
from reflector_migrate.store.base import writing
from reflector_migrate.store.documents import OURS, comparison_of, parsed
from reflector_migrate.store.tables import comparisons, metadata
from reflector_migrate.store.upsert import replace

log = logging.getLogger(__name__)

AT_ONCE = 500
"""Documents read with one statement; a night of them is 300 MB."""


def _side(role: str) -> Iterator[Column[Any]]:
    yield Column(f"{role}_engine", String(16), nullable=False)
    yield Column(f"{role}_build", Text, nullable=False)
    yield Column(f"{role}_status", Text, nullable=False)
    yield Column(f"{role}_s", Float)
    yield Column(f"{role}_cost", BigInteger)


gists = Table(
    "gists",
    metadata,
    Column(
        "comparison_id", ForeignKey("comparisons.id", ondelete="CASCADE"), primary_key=True
    ),  # gone with the document it was made of
    Column("version", Integer, nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("recording", String(200), nullable=False),
    Column("title", Text, nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("language", Text),
    Column("duration_s", Float),
    Column("tracks", Integer),
    Column("step", Text, nullable=False),
    *_side("primary"),
    *_side("candidate"),
    Column("secondary_engine", String(16)),
    Column("secondary_build", Text),
    Column("checks", Text, nullable=False),
    Column("signs", Text, nullable=False),
    Column("against", Integer, nullable=False),
    Column("exact", Integer, nullable=False),
    Column("critical", Integer, nullable=False),
    Column("floorless", Integer, nullable=False),
    Column("words", Float),
    Column("speaker_words", Float),
    Column("graded", Text, nullable=False),
    Column("grades", LargeBinary, nullable=False),
    Column("used", LargeBinary, nullable=False),
    Column("told", Text, nullable=False),
)

BESIDE = comparisons.outerjoin(
    gists,
    and_(
        gists.c.comparison_id == comparisons.c.id,
        gists.c.run_id == comparisons.c.run_id,  # SQLite gives an id anew after its row is gone
        gists.c.version == VERSION,
    ),
)


def add_gist(connection: Connection, comparison: Comparison) -> None:
    """Keep the gist of a comparison that this transaction has stored."""
    stored = select(comparisons.c.id).where(comparisons.c.run_id == comparison.run_id)
    _keep(connection, connection.scalars(stored).one(), gist_of(comparison))


def fill_gists(url: str) -> int:
    """Make the gists that are missing or of another version; returns how many.

    Each portion is a separate transaction, so that no writer waits for long and what was cut
    short goes on the next time. A document that this build cannot read is left alone, and named.
    """
    number = last = 0
    while True:
        with writing(url) as connection:
            ids = _lacking(connection, last)
            for place, gist in made(connection, ids, log):
                _keep(connection, place, gist)
                number += 1
        if not ids:
            return number
        last = ids[-1]


def _lacking(connection: Connection, after: int) -> Sequence[int]:
    query = select(comparisons.c.id).select_from(BESIDE).where(gists.c.comparison_id.is_(None))
    query = query.where(comparisons.c.id > after).order_by(comparisons.c.id).limit(AT_ONCE)
    return connection.scalars(query).all()


def _keep(connection: Connection, comparison_id: int, gist: Gist) -> None:
    row = {"comparison_id": comparison_id, "version": VERSION, **gist._asdict()}
    replace(connection, gists, **row)


def portions(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """AT_ONCE of them at a time."""
    return (values[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE))


def made(
    connection: Connection, ids: Sequence[int], tell: logging.Logger | None = None
) -> Iterator[tuple[int, Gist]]:
    """Each comparison's gist, of its document; an unreadable one is reported, or is ERRORED."""
    for some in portions(ids):
        columns = (comparisons.c.id, comparisons.c.run_id, comparisons.c.recording_id)
        query = select(*columns, comparisons.c.body).where(comparisons.c.id.in_(some))
        for number, run_id, recording_id, body in connection.execute(query).all():
            if tell is None:
                yield number, gist_of(comparison_of(run_id, recording_id, body))
                continue
            try:
                yield number, gist_of(parsed(Comparison, body, OURS))
            except UnreadableError:
                tell.warning("comparison %s is none that this build can read", number)
