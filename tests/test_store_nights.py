"""Gists say what their documents say, are written and erased with them, and never go short."""

from __future__ import annotations

import pytest
from alembic import command
from sqlalchemy import delete, func, insert, select, update

from fixtures.reports.nights import awkward, night
from reflector_migrate.model import Comparison, Gist, Verdict, gist_of
from reflector_migrate.model.comparison_index import VERSION
from reflector_migrate.store.base import writing
from reflector_migrate.store.clock import now
from reflector_migrate.store.evidence import Evidence
from reflector_migrate.store.gists import gists
from reflector_migrate.store.migrate import _config, upgrade
from reflector_migrate.store.nights import Nights
from reflector_migrate.store.tables import comparisons

pytestmark = pytest.mark.heavy

NIGHT = "2026-11-23"
AT_ONCE = 150


@pytest.fixture
def url(any_store: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty store brought to the newest schema, on each database; small portions."""
    monkeypatch.setattr("reflector_migrate.store.gists.AT_ONCE", AT_ONCE)
    return any_store


TOLD = (*night(80).comparisons, awkward())


def _stored(url: str) -> None:
    for comparison in TOLD:
        Evidence(url).add([], comparison, NIGHT)


def _without_gists(url: str) -> None:
    """As a build that knows none writes them, two portions and a half."""
    rows = [
        {"run_id": f"{c.run_id}-{n}", "recording_id": c.recording, "night": NIGHT, "at": now(),
         "verdict": c.verdict.value, "body": _named(c, n).model_dump_json(by_alias=True)}
        for n in range(5) for c in TOLD
    ]  # fmt: skip
    assert len(rows) > 2 * AT_ONCE
    with writing(url) as connection:
        connection.execute(insert(comparisons), rows)


def _named(comparison: Comparison, number: int) -> Comparison:
    return comparison.model_copy(update={"run_id": f"{comparison.run_id}-{number}"})


def _kept(url: str) -> int:
    with writing(url) as connection:
        return connection.scalar(select(func.count()).select_from(gists)) or 0


def _same(found: tuple[Gist, ...], documents: tuple[Comparison, ...]) -> bool:
    return found == tuple(map(gist_of, documents))


def test_columns_say_what_the_documents_say(url: str) -> None:
    """Of every comparison, as it was given and as it is read again; in the order of writing."""
    _stored(url)
    found = Nights(url).of(NIGHT)
    run_ids = [gist.run_id for gist in found]
    assert run_ids == [comparison.run_id for comparison in TOLD]
    assert _same(found, TOLD)
    assert _same(found, Nights(url).documents(run_ids))
    assert Nights(url).documents(run_ids[::-20]) == tuple(
        Comparison.model_validate_json(c.model_dump_json(by_alias=True)) for c in TOLD[::-20]
    )
    assert _kept(url) == len(TOLD)
    assert (Nights(url).all(), Nights(url).of("2026-11-24")) == (found, ())


def test_a_second_comparison_of_a_run_changes_neither(url: str) -> None:
    """What was written first stays, in the document and in the columns."""
    first = TOLD[0]
    other = first.model_copy(update={"verdict": Verdict.ERRORED, "title": "another"})
    assert Evidence(url).add([], first, NIGHT)
    assert not Evidence(url).add([], other, NIGHT)
    assert Nights(url).all() == (gist_of(first),)


def test_nothing_is_left_where_the_gist_cannot_be_made(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One transaction: the comparison is not there either."""
    monkeypatch.setattr(
        "reflector_migrate.store.gists.gist_of", lambda _: (_ for _ in ()).throw(ValueError("no"))
    )
    with pytest.raises(ValueError, match="no"):
        Evidence(url).add([], TOLD[0], NIGHT)
    assert Evidence(url).comparison(TOLD[0].run_id) is None


def test_an_erased_comparison_leaves_no_column(url: str) -> None:
    """Erasing the document erases its gist: the database sees to it."""
    _stored(url)
    with writing(url) as connection:
        connection.execute(delete(comparisons).where(comparisons.c.run_id != "awkward"))
    assert Nights(url).all() == (gist_of(awkward()),)
    assert _kept(url) == 1


def test_upgrading_fills_what_is_lacking(url: str) -> None:
    """A store of schema 0003 with comparisons in it has their gists afterwards."""
    with writing(url) as connection:
        command.downgrade(_config(connection), "0003")
    _without_gists(url)
    upgrade(url)
    assert _kept(url) == 5 * len(TOLD)
    found = Nights(url).of(NIGHT)
    assert _same(found, tuple(_named(c, n) for n in range(5) for c in TOLD))


def test_a_night_is_whole_without_any_gist(url: str) -> None:
    """An older build may go on writing beside this one."""
    _without_gists(url)
    assert _kept(url) == 0
    assert _same(Nights(url).of(NIGHT), tuple(_named(c, n) for n in range(5) for c in TOLD))


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"version": 0, "verdict": "MATCHED", "title": "old"}, id="another version"),
        pytest.param({"run_id": "gone", "title": "left over"}, id="another run's, of the same id"),
    ],
)
def test_a_stale_gist_is_rebuilt(url: str, values: dict[str, object]) -> None:
    """By the reader at once, and for good by the next upgrade."""
    _stored(url)
    with writing(url) as connection:
        connection.execute(update(gists).values(values))
    assert _same(Nights(url).all(), TOLD)
    upgrade(url)
    assert _same(Nights(url).all(), TOLD)
    with writing(url) as connection:
        assert set(connection.execute(select(gists.c.version)).scalars()) == {VERSION}
        assert connection.scalar(select(gists.c.run_id).where(gists.c.run_id == "gone")) is None


def test_a_document_that_cannot_be_read_stops_no_upgrade(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is named, without its text; the others have their gists."""
    _without_gists(url)
    with writing(url) as connection:
        connection.execute(
            update(comparisons)
            .where(comparisons.c.run_id == "awkward-0")
            .values(body='{"secret": 1}')
        )
    with caplog.at_level("WARNING"):
        upgrade(url)
    assert _kept(url) == 5 * len(TOLD) - 1
    assert "is none that this build can read" in caplog.text
    assert "secret" not in caplog.text


def test_columns_are_the_gist_s_fields() -> None:
    """In their order, which the store's reader goes by."""
    assert [c.name for c in gists.columns] == ["comparison_id", "version", *Gist._fields]
