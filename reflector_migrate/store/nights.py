"""What a night is counted from: gists in columns, written and erased with their comparisons.

A comparison whose gist is missing (stored by a build that knew none) or of another version
is read whole, and its gist made of it: no night is ever short of one.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Connection, and_, select

from reflector_migrate.model import Comparison, Gist, gist_of
from reflector_migrate.model.gist import VERSION
from reflector_migrate.store.base import reading, writing
from reflector_migrate.store.tables import comparisons, gists
from reflector_migrate.store.upsert import replace

log = logging.getLogger(__name__)

AT_ONCE = 500
"""Documents read with one statement; a night of them is 300 MB."""

_COLUMNS = [gists.c[name] for name in Gist._fields]
_BESIDE = comparisons.outerjoin(
    gists,
    and_(
        gists.c.comparison_id == comparisons.c.id,
        gists.c.run_id == comparisons.c.run_id,  # SQLite gives an id anew after its row is gone
        gists.c.version == VERSION,
    ),
)


class Nights:
    """Nights as they are counted, and the documents behind."""

    def __init__(self, url: str) -> None:
        """Keep the URL only; connections are made per process, when used."""
        self._url = url

    def of(self, night: str) -> tuple[Gist, ...]:
        """A night's gists, oldest first."""
        return self._gists(comparisons.c.night == night)

    def all(self) -> tuple[Gist, ...]:
        """The gists of all nights, oldest first."""
        return self._gists(comparisons.c.id.is_not(None))

    def documents(self, run_ids: Sequence[str]) -> tuple[Comparison, ...]:
        """The comparisons of these runs, in the order given; KeyError where one is gone."""
        found: dict[str, str] = {}
        with reading(self._url) as connection:
            for some in portions(run_ids):
                query = select(comparisons.c.run_id, comparisons.c.body)
                rows = connection.execute(query.where(comparisons.c.run_id.in_(some)))
                found.update((run_id, body) for run_id, body in rows)
        return tuple(Comparison.model_validate_json(found[run_id]) for run_id in run_ids)

    def _gists(self, condition: ColumnElement[bool]) -> tuple[Gist, ...]:
        query = select(*_COLUMNS).select_from(_BESIDE).where(condition).order_by(comparisons.c.id)
        with reading(self._url) as connection, uncollected():
            found = tuple(map(Gist._make, connection.execute(query)))
            if all(gist.run_id is not None for gist in found):
                return found
            ids = connection.scalars(query.with_only_columns(comparisons.c.id)).all()
            kept = dict(zip(ids, found, strict=True))
            lacking = [place for place, gist in kept.items() if gist.run_id is None]
            return tuple((kept | dict(_made(connection, lacking))).values())


def add_gist(connection: Connection, comparison: Comparison) -> None:
    """Keep the gist of a comparison that this transaction has stored."""
    stored = select(comparisons.c.id).where(comparisons.c.run_id == comparison.run_id)
    _keep(connection, connection.scalars(stored).one(), gist_of(comparison))


def fill_gists(url: str) -> int:
    """Make the gists that are missing or of another version; returns how many.

    Each portion is a transaction of its own, so that nobody waits for long and what was cut
    short goes on the next time. A document that this build cannot read is left alone, and named.
    """
    number = last = 0
    while True:
        with writing(url) as connection:
            ids = _lacking(connection, last)
            for place, gist in _made(connection, ids, log):
                _keep(connection, place, gist)
                number += 1
        if not ids:
            return number
        last = ids[-1]


def _lacking(connection: Connection, after: int) -> Sequence[int]:
    query = select(comparisons.c.id).select_from(_BESIDE).where(gists.c.comparison_id.is_(None))
    query = query.where(comparisons.c.id > after).order_by(comparisons.c.id).limit(AT_ONCE)
    return connection.scalars(query).all()


def _keep(connection: Connection, comparison_id: int, gist: Gist) -> None:
    row = {"comparison_id": comparison_id, "version": VERSION, **gist._asdict()}
    replace(connection, gists, **row)


def portions(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """AT_ONCE of them at a time."""
    return (values[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE))


def _made(
    connection: Connection, ids: Sequence[int], tell: logging.Logger | None = None
) -> Iterator[tuple[int, Gist]]:
    """Each comparison's gist, of its document; one that cannot be read is told, or raises."""
    for some in portions(ids):
        query = select(comparisons.c.id, comparisons.c.body).where(comparisons.c.id.in_(some))
        for number, body in connection.execute(query).all():
            try:
                yield number, gist_of(Comparison.model_validate_json(body))
            except ValidationError:
                if tell is None:
                    raise
                tell.warning("comparison %s is none that this build can read", number)


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage is looked for meanwhile; afterwards as before, whatever happens."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
