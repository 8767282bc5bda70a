"""Past recordings through the candidate: which, how long it takes, and once for each build."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from reflector_migrate.cli.replay import replay
from reflector_migrate.conductor import build
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.rows import Rows, create_all
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.dispatcher import _why_skipped, claim
from reflector_migrate.shadow.process import Shadow
from reflector_migrate.shadow.recover import past
from reflector_migrate.shadow.recover.past import chosen, estimated
from reflector_migrate.store.clock import now
from tests.new_stores import new_store
from tests.sources_world import s3_client

BUCKET = "daily-tracks"


@pytest.fixture
def settings(tmp_path, s3_url):
    """An empty store, the primary's database, and its tracks' bucket."""
    urls = [f"sqlite:///{tmp_path}/{name}.db" for name in ("store", "reflector")]
    new_store(urls[0])
    create_all(urls[1])
    return Settings.model_validate({
        "state_dir": tmp_path, "store": {"url": urls[0]}, "reflector": {"database_url": urls[1]},
        "s3": {"endpoint_url": s3_url, "access_key_id": "test", "secret_access_key": "test"},
        "shadow": {"enabled": True, "rate": 0.0},
    })  # fmt: skip


def took_place(settings, name, *, ago_h=1, status="ended", has_track=True, room="board"):
    """One recording of the primary's."""
    rows, key = Rows.at(settings.reflector.database_url), f"{name}/1-a-cam-audio-2"
    if rows.room_named(room) is None:
        rows.insert_room(id=room, name=room, user_id="u", created_at=now(), platform="daily")
    at = now() - timedelta(hours=ago_h)
    rows.insert_recording(id=name, bucket_name=BUCKET, object_key="o", recorded_at=at,
                          track_keys=[key])  # fmt: skip
    rows.insert_transcript(id=f"t-{name}", recording_id=name, status=status, room_id=room,
                           created_at=at, source_kind="room")  # fmt: skip
    if has_track:
        s3_client(settings.s3.endpoint_url).put_object(Bucket=BUCKET, Key=key, Body=b"sound")


def found(settings, limit=10):
    """Which recordings are chosen of the last day."""
    return [
        one.recording_id
        for one in chosen(Harness.of(settings), now() - timedelta(days=1), now(), limit)
    ]


def test_what_can_be_replayed_is_chosen_newest_first(settings):
    """It ended well, its tracks are there, its room is shadowed; the sample does not matter."""
    took_place(settings, "old", ago_h=3)
    took_place(settings, "young")
    took_place(settings, "older", ago_h=30)
    took_place(settings, "failed", status="error")
    took_place(settings, "erased", has_track=False)
    assert found(settings) == ["young", "old"]
    assert found(settings, 1) == ["young"]
    rooms = settings.shadow.model_copy(update={"rooms": ("other",)})
    assert found(settings.model_copy(update={"shadow": rooms})) == []


def test_each_build_replays_a_recording_once(settings, monkeypatch):
    """So an interrupted replay goes on with the rest, and a new build begins again."""
    took_place(settings, "a")
    took_place(settings, "b", ago_h=2)
    first, _ = chosen(Harness.of(settings), now() - timedelta(days=1), now(), 2)
    shadow = Shadow(Harness.of(settings), lambda _run, _wait_s: None)
    assert claim(shadow, first) is not None
    assert claim(shadow, first) is None
    assert found(settings) == ["b"]
    monkeypatch.setattr(build, "build_hash", lambda: "another")
    assert found(settings) == ["a", "b"]


def test_a_chosen_recording_is_left_out_by_anything_but_the_sample(settings, tmp_path):
    """Flag, rooms and kill switch hold for it as for any other."""
    run = SimpleNamespace(request={"is_chosen": True})
    assert _why_skipped(settings, run, "r", "board") is None
    assert _why_skipped(settings, SimpleNamespace(request={}), "r", "board") == "not sampled"
    off = settings.shadow.model_copy(update={"enabled": False})
    off = settings.model_copy(update={"shadow": off})
    assert _why_skipped(off, run, "r", "board") == "shadow is off"


@pytest.mark.parametrize(
    ("known", "rate", "duration_s", "cost"),
    [
        pytest.param([], None, None, None, id="nothing stored: unknown, not zero"),
        pytest.param([(60, 4), (90, 6), (300, 8)], None, 50 * 90, 1200, id="median, four at once"),
        pytest.param([(60, 4)], 20, 200 * 180, 800, id="the rate binds"),
        pytest.param([(60, None)], None, 50 * 60, None, id="cost unknown"),
    ],
)
def test_time_and_cost_are_printed_beforehand(known, rate, duration_s, cost):
    """Of 200 recordings."""
    gists = [SimpleNamespace(candidate_s=s, candidate_cost=c) for s, c in known]
    expected = estimated(gists, 200, 4, rate)
    assert (expected.duration_s, expected.cost_microdollars) == (duration_s, cost)


def test_the_command_announces_at_the_rate_and_says_what_it_takes(settings, monkeypatch):
    """A pause between two, none before the first; a dry run announces nothing."""
    took_place(settings, "a")
    took_place(settings, "b", ago_h=2)
    announced, pauses = [], []
    monkeypatch.setattr(
        "reflector_migrate.shadow.recover.replay.announce",
        lambda _settings, one: announced.append(one.recording_id),
    )
    monkeypatch.setattr(
        "reflector_migrate.cli.replay.harness_of", lambda _ctx: Harness.of(settings)
    )
    monkeypatch.setattr("reflector_migrate.cli.replay.log_to_stderr", lambda *_: None)
    monkeypatch.setattr("reflector_migrate.cli.replay.time.sleep", pauses.append)
    given = ["--since", "1d", "--limit", "5", "--rate", "60"]
    dry = CliRunner().invoke(
        replay, [*given, "--dry-run"], obj={"verbose": 0}, catch_exceptions=False
    )
    assert (dry.exit_code, announced) == (0, [])
    assert "2 recordings; time and cost unknown" in dry.output
    done = CliRunner().invoke(replay, [*given, "--yes"], obj={"verbose": 0}, catch_exceptions=False)
    assert (done.exit_code, announced, pauses) == (0, ["a", "b"], [60])
    assert past.PREFIX == "replay-"
