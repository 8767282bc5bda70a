"""Two runs of one recording never meet: each has its own rows, keys, folder and channels."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from reflector_migrate.errors import ConfigurationError, RefusedError
from reflector_migrate.harness import Harness
from reflector_migrate.model import Engine, Observation, Role
from reflector_migrate.pipeline.places import place_of_run
from reflector_migrate.pipeline.rows import (
    Rows,
    create_all,
    drop_run_tables,
    fill_run_tables,
    find_run_tables,
    snapshot,
    write_mark,
)
from reflector_migrate.shadow.observe.reader import candidate_of, observe
from reflector_migrate.store.base import url_of_run
from tests.pipeline_world import ORDER, World, make_world, put_rows
from tests.recorded_world import fill, recorded_rows, rows_before

pytestmark = pytest.mark.heavy

RECORDED = recorded_rows("good")
RECORDING, TRANSCRIPT = RECORDED["recording"][0]["id"], RECORDED["transcript"][0]["id"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.heavy)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The candidate's database, marked and empty."""
    is_postgres = request.param == "postgresql"
    made = f"sqlite:///{tmp_path / 'c.db'}"
    made = request.getfixturevalue("postgres_url") if is_postgres else made
    write_mark(made)
    return made


@pytest.fixture
def taken(tmp_path: Path) -> dict:
    """The primary's rows of a recording."""
    primary = f"sqlite:///{tmp_path / 'p.db'}"
    create_all(primary)
    fill(Rows.at(primary), RECORDED, "http://hook")
    return snapshot(Rows.at(primary), RECORDING)


def test_runs_of_one_recording_have_rows_of_their_own(url: str, taken: dict) -> None:
    """The same ids in both; what one writes the other never reads."""
    one, other = (fill_run_tables(url, run_id, taken, status="idle") for run_id in ("a", "b"))
    one.set_title(TRANSCRIPT, "One")
    one.set_status(TRANSCRIPT, "ended")
    assert other.get_transcript(TRANSCRIPT).title is None
    assert other.get_transcript(TRANSCRIPT).status == "idle"
    assert Rows.at(url_of_run(url, "a")).get_transcript(TRANSCRIPT).title == "One"


def test_one_connection_reads_the_rows_of_many_runs(url: str, taken: dict) -> None:
    """However often a statement was repeated before: no plan of one run is used for another."""
    runs = [fill_run_tables(url, run_id, taken) for run_id in ("a", "b", "c")]
    states = ("processing", "ended", "error")
    for number in range(9):
        for place, rows in enumerate(runs):
            rows.set_status(TRANSCRIPT, states[(place + number) % 3])
        for place, rows in enumerate(runs):
            assert rows.get_transcript(TRANSCRIPT).status == states[(place + number) % 3]


def test_rows_of_a_run_are_put_in_place_of_those_it_had(url: str, taken: dict) -> None:
    """Names that are unique in the primary's database change hands there: ours follow."""
    room = taken["room"][0]
    second = {**room, "id": "second", "name": "second"}
    fill_run_tables(url, "a", {**taken, "room": [room, second]})
    swapped = [{**room, "name": "second"}, {**second, "name": room["name"]}]
    rows = fill_run_tables(url, "a", {**taken, "room": swapped})
    assert rows.get_room("second").name == room["name"]
    again = {**room, "id": "remade"}
    meeting = [{**one, "room_id": "remade"} for one in taken["meeting"]]
    rows = fill_run_tables(url, "a", {**taken, "room": [again], "meeting": meeting})
    assert rows.room_named(room["name"]).id == "remade"
    assert rows.get_room(room["id"]) is None


def test_a_run_is_dropped_alone(url: str, taken: dict) -> None:
    """Its rows go, twice without harm; another run's stay."""
    assert not find_run_tables(url, "a")
    fill_run_tables(url, "a", taken)
    assert find_run_tables(url, "a")
    kept = fill_run_tables(url, "b", taken)
    for _ in range(2):
        drop_run_tables(url, "a")
        assert not find_run_tables(url, "a")
    assert kept.find_transcript(TRANSCRIPT) is not None
    assert fill_run_tables(url, "a", {}).find_transcript(TRANSCRIPT) is None


def test_no_run_is_given_a_place_in_a_database_without_our_mark(
    tmp_path: Path, taken: dict
) -> None:
    """Neither made nor dropped."""
    url = f"sqlite:///{tmp_path / 'unmarked.db'}"
    create_all(url)
    for act in (lambda: fill_run_tables(url, "a", taken), lambda: drop_run_tables(url, "a")):
        with pytest.raises(RefusedError, match="mark"):
            act()
    assert not (tmp_path / "unmarked.runs").exists()


@pytest.mark.parametrize("run_id", ["", "..", "a/b", 'a"; drop schema x', "x" * 57])
def test_a_run_id_that_is_not_a_plain_name_has_no_place(tmp_path: Path, run_id: str) -> None:
    """It would become part of a path, a key and the name of a schema."""
    with pytest.raises(ConfigurationError, match="run id"):
        fill_run_tables(f"sqlite:///{tmp_path / 'c.db'}", run_id, {})


@dataclass
class Pair:
    """One recording in two runs of the candidate's."""

    one: World
    other: World


@pytest.fixture
def pair(tmp_path: Path, s3_url: str, control) -> Pair:
    """Two runs of one recording, neither begun, in one store."""
    one = make_world(tmp_path, s3_url, control, is_brief=True)
    other = replace(one, run_id="run-2", outputs={}, usage={})
    put_rows(other, rows_before("good", control.url("webhook")))
    for key in one.scenario["keys"]:
        copied = {"Bucket": "shadow-tracks", "Key": f"{one.run_id}/{key}"}
        one.s3.copy_object(Bucket="shadow-tracks", Key=f"run-2/{key}", CopySource=copied)
    return Pair(one, other)


def test_two_runs_step_by_step_side_by_side_leave_each_its_own(pair: Pair) -> None:
    """Interleaved, each ends as if it had been alone, and none of their places is shared."""
    for name in ORDER:
        before = _left(pair.other)
        pair.one.do(name)
        assert _left(pair.other) == before, name
        pair.other.do(name)
    one, other = pair.one, pair.other
    for world in (one, other):
        assert world.row.status == "ended"
        assert (world.row.id, world.row.recording_id) == (TRANSCRIPT, RECORDING)
    assert one.keys("shadow-media") == other.keys("shadow-media") != []
    assert [e.key for e in one.effects()] == [e.key for e in other.effects()]
    channels = [{channel for channel, _ in world.messages()} for world in (one, other)]
    assert channels[0].isdisjoint(channels[1])
    assert all(channel.startswith("shadow:run-1:") for channel in channels[0])
    places = [place_of_run(world.settings, world.run_id) for world in (one, other)]
    for name in ("database_url", "tracks_bucket", "media_bucket", "channel_prefix", "data_dir"):
        assert getattr(places[0], name) != getattr(places[1], name), name
    assert sorted(_files(one)) == sorted(_files(other)) != []
    accounts = [_account(world) for world in (one, other)]
    outputs = [account.outputs.model_dump() for account in accounts]
    ids = [one["row"].pop("zulip_message_id") for one in outputs]  # made of the run id
    ids += [topic.pop("id") for one in outputs for topic in one["topics"]]
    assert len(set(ids)) == len(ids)
    assert outputs[0] == outputs[1]
    assert accounts[0].effects == accounts[1].effects


def _left(world: World) -> object:
    row = copy.deepcopy(world.row)
    return row, world.keys("shadow-media"), _files(world), world.messages()


def _files(world: World) -> list[str]:
    folder = place_of_run(world.settings, world.run_id).data_dir
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


def _account(world: World) -> Observation:
    place = candidate_of(world.settings, world.run_id)
    known = {"role": Role.CANDIDATE, "engine": Engine.CONDUCTOR}
    return observe(Harness.of(world.settings), place, RECORDING, **known)
