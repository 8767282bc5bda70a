"""Who serves a recording: every combination of what speaks, and every fault of a table."""

from __future__ import annotations

import itertools
import json

import pytest

from reflector_migrate.model import Route
from reflector_migrate.plugin import reflector_route_table as routes
from reflector_migrate.plugin.reflector_route_table import Room, Table, decide, point_of
from reflector_migrate.shadow.routing import sample_point

INSIDE = next(f"t-{n}" for n in range(99) if point_of(f"t-{n}") < 0.1)
OUTSIDE = next(f"t-{n}" for n in range(99) if point_of(f"t-{n}") >= 0.1)


def expected(route, otherwise, room, place, listed, *, is_back, is_readable):
    """The order in which they apply, written again as plain sentences."""
    if is_back or not is_readable:
        return "celery"
    if listed == "deny":
        return otherwise
    if listed == "allow":
        return route
    mine = route if room is None else room
    return mine if place == "inside" else otherwise


ALL = [
    pytest.param(
        *row,
        id=f"{'sent back by the file' if row[0] else 'no file'}, "
        f"{'table readable' if row[1] else 'table missing'}, {row[2] or 'on no list'}, "
        f"{row[3]} the share, {'a room of its own' if row[4] else 'no room of its own'}",
    )
    for row in itertools.product(
        (False, True),
        (True, False),
        ("", "allow", "deny", "allow and deny"),
        ("inside", "outside"),
        (False, True),
    )
]


@pytest.mark.parametrize(("is_back", "is_readable", "listed", "place", "has_room"), ALL)
def test_every_combination(is_back, is_readable, listed, place, has_room):
    """Back before all else, then no table, deny, allow, the room, the share; of all routes."""
    transcript_id = INSIDE if place == "inside" else OUTSIDE
    rooms = routes.ROUTES if has_room else (None,)
    for route, otherwise, room in itertools.product(routes.ROUTES, routes.LEGACY_ROUTES, rooms):
        table = Table(
            3, route, 0.1, otherwise,
            {"standup": Room(room, 0.1)} if room else {},
            (transcript_id,) if "allow" in listed else (),
            (transcript_id,) if "deny" in listed else (),
        )  # fmt: skip
        found = decide(table if is_readable else None, transcript_id, "standup", is_back=is_back)
        first = "deny" if "deny" in listed else listed
        assert found.route == expected(
            route, otherwise, room, place, first, is_back=is_back, is_readable=is_readable
        )
        assert found.version == (3 if is_readable and not is_back else None)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 1.0])
def test_a_share_is_that_large_and_stays_within_each_larger_one(share):
    """Of ten thousand recordings about so many, and raising it sends no recording back."""
    table = Table(1, "conductor", share)
    taken = {
        f"t-{n}"
        for n in range(10_000)
        if decide(table, f"t-{n}", "", is_back=False).is_for_conductor
    }
    larger = Table(2, "conductor", min(1.0, share * 2))
    assert len(taken) == pytest.approx(10_000 * share, abs=150)
    assert all(decide(larger, one, "", is_back=False).is_for_conductor for one in taken)


def test_the_place_of_a_recording_is_the_one_that_shadowing_samples_by():
    """The same formula on both sides of the broker."""
    assert point_of("t-1") == sample_point("t-1")


def test_the_routes_are_those_of_the_model():
    """The file that lives in Reflector's worker cannot import our words, so a test compares."""
    assert tuple(Route) == routes.ROUTES


def test_a_table_comes_back_as_it_was_published():
    """Nothing is lost between the store and the worker."""
    table = Table(
        7, "conductor+fallback", 0.25, "celery+shadow", {"a b": Room("celery", 0.5)}, ("x",), ("y",)
    )
    assert routes.load(routes.dump(table)) == table


def changed(**fields):
    """A good table's text with these fields instead."""
    return json.dumps(json.loads(routes.dump(Table(1, "conductor"))) | fields)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "not JSON", id="nothing"),
        pytest.param("{", "not JSON", id="cut off"),
        pytest.param(b"\xff\xfe", "not JSON", id="bytes of something else"),
        pytest.param("[]", "not migrate.routes/1", id="a list"),
        pytest.param("{}", "not migrate.routes/1", id="no fields"),
        pytest.param(changed(schema="migrate.routes/2"), "not migrate.routes/1", id="newer"),
        pytest.param(changed(shares=1), "not migrate.routes/1", id="a misspelled field"),
        pytest.param(changed(version="1"), "version", id="a version that is text"),
        pytest.param(changed(version=True), "version", id="a version that is true"),
        pytest.param(changed(route="conducter"), "route: not one of", id="an unknown route"),
        pytest.param(changed(route=["celery"]), "route: not one of", id="a list of routes"),
        pytest.param(changed(otherwise="conductor"), "otherwise", id="others on Conductor too"),
        pytest.param(changed(share=1.5), "share", id="more than all"),
        pytest.param(changed(share=-0.1), "share", id="less than none"),
        pytest.param(changed(share="1"), "share", id="a share that is text"),
        pytest.param(changed(share=True), "share", id="a share that is true"),
        pytest.param(changed(share=float("nan")), "share", id="a share that is not a number"),
        pytest.param(changed(rooms=[]), "rooms", id="a list of rooms"),
        pytest.param(changed(rooms={"a": "celery"}), "rooms.a", id="a room without a share"),
        pytest.param(
            changed(rooms={"a": {"route": "x", "share": 1}}), "rooms.a.route", id="a room's route"
        ),
        pytest.param(
            changed(rooms={"a": {"route": "celery", "share": 2}}), "rooms.a.share", id="its share"
        ),
        pytest.param(changed(allow="t-1"), "allow", id="an allow list that is text"),
        pytest.param(changed(deny=[1]), "deny", id="a deny list of numbers"),
    ],
)
def test_a_table_with_a_fault_is_unreadable_and_names_the_field(text, says):
    """Nothing is guessed: the worker then answers celery."""
    with pytest.raises(routes.UnreadableError, match=says):
        routes.load(text)


@pytest.mark.parametrize(
    ("keys", "room"),
    [
        pytest.param(["daily/standup-20261129031500/1-a-cam-audio-2"], "standup", id="a room"),
        pytest.param(["d/e/my-room-20261129031500/1-a"], "my-room", id="a hyphen in its name"),
        pytest.param(["room/1-a"], "room", id="no time"),
        pytest.param(["1-a"], "", id="no folder"),
        pytest.param([], "", id="no tracks"),
        pytest.param(None, "", id="nothing"),
        pytest.param("abc/def", "", id="a text instead of a list"),
    ],
)
def test_the_room_stands_in_the_keys_of_the_tracks(keys, room):
    """The name of Daily's room without its last part, as Reflector reads it."""
    assert routes.room_of(keys) == room
