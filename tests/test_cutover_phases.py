"""Phases are entered in their order, with evidence; what ran was routed; rules stand first."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from reflector_migrate.cutover import checklist
from reflector_migrate.cutover.handover import KIND, SERVED
from reflector_migrate.cutover.items import Answer, Item, Line, State, passed, pending
from reflector_migrate.cutover.phases import digest_of, enter, present, require_allowed
from reflector_migrate.cutover.routing_audit import (
    MAY_WAIT,
    Served,
    astray,
    recordings_were_routed,
)
from reflector_migrate.errors import InputError, RefusedError
from reflector_migrate.harness import Harness
from reflector_migrate.model import Phase
from reflector_migrate.pipeline.rows import Rows, create_all
from reflector_migrate.plugin.reflector_route_table import CONDUCTOR, Room, Table, dump
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.nightly.gating import RULES_NOTED, note_rules
from reflector_migrate.store.audit import Audit
from reflector_migrate.store.clock import now
from reflector_migrate.store.runs import Dispatches
from tests.new_stores import new_store

P = Phase


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An empty store, and a primary without recordings."""
    primary = f"sqlite:///{tmp_path}/reflector.db"
    made = Settings.model_validate(
        {
            "state_dir": tmp_path,
            "store": {"url": f"sqlite:///{tmp_path}/s.db"},
            "reflector": {"database_url": primary},
        }
    )
    new_store(made.store_url)
    create_all(primary)
    return made


@pytest.mark.parametrize(
    ("before", "after", "is_allowed"),
    [
        pytest.param(P.INFRASTRUCTURE, P.PARALLEL, True, id="one on"),
        pytest.param(P.CUTOVER, P.CLEANUP, True, id="the last one"),
        pytest.param(P.CUTOVER, P.SHADOW, True, id="one back"),
        pytest.param(P.CLEANUP, P.INFRASTRUCTURE, True, id="back to the beginning"),
        pytest.param(P.INFRASTRUCTURE, P.SHADOW, False, id="one left out"),
        pytest.param(P.PARALLEL, P.CLEANUP, False, id="straight to the end"),
        pytest.param(P.SHADOW, P.SHADOW, False, id="where it is"),
    ],
)
def test_which_steps_are_allowed(before: Phase, after: Phase, is_allowed: bool) -> None:
    """On by one, back by any."""
    if is_allowed:
        require_allowed(before, after)
    else:
        with pytest.raises(InputError):
            require_allowed(before, after)


def _answers(monkeypatch: pytest.MonkeyPatch, *answers: Answer) -> None:
    """Every phase's items answer so."""
    lines = tuple(
        Line(n, Item(P.SHADOW, f"item {n}", "", "", "", lambda _settings, a=a: a), a)  # type: ignore[misc]
        for n, a in enumerate(answers, start=1)
    )
    monkeypatch.setattr(checklist, "run", lambda _settings, _phase: lines)


def test_a_phase_is_entered_with_its_evidence(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who, why, both phases, and digests of answers, build and rules; the chain holds."""
    assert present(Harness.of(settings)) is P.INFRASTRUCTURE
    _answers(monkeypatch, passed("1 of 1"))
    enter(Harness.of(settings), P.PARALLEL, "ana", "servers are up")
    assert present(Harness.of(settings)) is P.PARALLEL
    [entry] = Audit(settings.store_url).all("phase")
    body = entry["body"]
    assert (body["from"], body["to"], body["who"]) == ("infrastructure", "parallel", "ana")
    assert len(body["evidence"]) == len(body["rules"]) == 64
    assert Audit(settings.store_url).fault() == ""


def test_a_phase_that_is_not_done_is_not_left_forwards(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The open items are named and nothing is recorded; the way back needs none of them."""
    _answers(monkeypatch, passed("ok"))
    enter(Harness.of(settings), P.PARALLEL, "ana", "up")
    _answers(monkeypatch, passed("ok"), pending("no evidence"))
    with pytest.raises(RefusedError, match="phase parallel is not done: item 2"):
        enter(Harness.of(settings), P.SHADOW, "ana", "impatient")
    assert present(Harness.of(settings)) is P.PARALLEL
    enter(Harness.of(settings), P.INFRASTRUCTURE, "ben", "a server was replaced")
    assert present(Harness.of(settings)) is P.INFRASTRUCTURE


def test_the_evidence_digest_follows_the_answers() -> None:
    """Other numbers are other evidence."""

    def line(value: str) -> Line:
        return Line(
            1, Item(P.SHADOW, "x", "", "", "", lambda _settings: passed(value)), passed(value)
        )

    assert digest_of([line("1")]) == digest_of([line("1")]) != digest_of([line("2")])


# -- the routing audit

AT = now()
ALL = Table(1, CONDUCTOR, 1.0)
BOARD = Table(2, CONDUCTOR, 0.0, rooms={"board": Room(CONDUCTOR)})
NONE = Table(3)


def served(room: str = "board") -> Served:
    """A recording that Conductor served at AT."""
    return Served("rec", "t", room, AT)


@pytest.mark.parametrize(
    ("room", "versions", "is_astray"),
    [
        pytest.param("board", [], True, id="there was no table"),
        pytest.param("board", [(-9, ALL)], False, id="the table sent all"),
        pytest.param("board", [(-9, BOARD)], False, id="the table sent its room"),
        pytest.param("private", [(-9, BOARD)], True, id="the table sent another room"),
        pytest.param("board", [(-9, ALL), (-3, NONE)], True, id="it was sent back hours before"),
        pytest.param("board", [(-9, ALL), (-0.5, NONE)], False, id="sent back while it waited"),
        pytest.param("board", [(1, ALL)], True, id="the table came later"),
    ],
)
def test_what_conductor_served_was_sent_by_a_table(
    room: str, versions: list[tuple[float, Table]], is_astray: bool
) -> None:
    """Hours are from its start; a start may wait for an hour."""
    assert timedelta(hours=0.5) < MAY_WAIT < timedelta(hours=3)
    tables = [(AT + timedelta(hours=hours), table) for hours, table in versions]
    assert bool(astray([served(room)], tables)) is is_astray


@pytest.mark.parametrize(
    ("table", "state"),
    [
        pytest.param(BOARD, State.PASS, id="routed"),
        pytest.param(Table(2), State.FAIL, id="an or for an and: its room was not in"),
    ],
)
def test_the_audit_reads_the_routing_table(settings: Settings, table: Table, state: State) -> None:
    """From the log of tables, the register of what was served, and the primary's rows."""
    assert recordings_were_routed(Harness.of(settings)).state is State.PENDING
    body = {"version": table.version, "table": dump(table), "who": "ana", "why": "x"}
    Audit(settings.store_url).append(KIND, body)
    rows = Rows.at(settings.reflector.database_url or "")
    rows.insert_recording(
        id="rec", bucket_name="b", object_key="o", recorded_at=now(),
        track_keys=["daily/board-20260301/track-0"],
    )  # fmt: skip
    rows.insert_transcript(id="t", recording_id="rec", status="ended", created_at=now())
    Dispatches(settings.store_url).add("rec", "skipped", run_id="w", reason=f"{SERVED}abc")
    answer = recordings_were_routed(Harness.of(settings))
    assert (answer.state, answer.n) == (state, 1)
    assert answer.recordings == (() if state is State.PASS else ("rec",))


# -- rules before the data


def test_the_rules_are_noted_once_for_each_build(settings: Settings) -> None:
    """Before the first comparison; a later one, or another margin, changes no earlier note."""
    for build in ("one", "one", "two", "one"):
        note_rules(Harness.of(settings), build)
    entries = Audit(settings.store_url).all(RULES_NOTED)
    assert [entry["body"]["build"] for entry in entries] == ["one", "two"]
