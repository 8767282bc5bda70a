"""Listeners hear of each state once and in order, however many processes publish."""

from __future__ import annotations

import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
import redis

from reflector_migrate.conductor.progress import Progress, percent_of
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.contracts import Track
from reflector_migrate.pipeline.services.events import Bus
from tests.a_run import RAW, RUN
from tests.new_stores import new_store
from tests.progress_world import next_on, settings_of, states, told


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_processes_that_publish_at_once_publish_one_story(
    kind, tmp_path, request, monkeypatch, redis_server
):
    """All publish all tracks: each state once, in order, and the percentage never falls.

    On the bus as in the store. Threads stand for processes: what orders them within one is
    taken away.
    """
    monkeypatch.setattr("reflector_migrate.conductor.progress.turns_of", nullcontext)
    monkeypatch.setattr("reflector_migrate.conductor.progress.percent_of", slowly)
    monkeypatch.setattr("reflector_migrate.conductor.progress.Bus", SlowBus)
    settings = settings_of(tmp_path, f"{redis_server}/2")
    ear = redis.Redis.from_url(f"{redis_server}/2", socket_timeout=5).pubsub()
    ear.psubscribe("*ts:tr-1")
    next_on(ear)
    if kind == "postgresql":
        url = request.getfixturevalue("postgres_url")
        new_store(url)
        store = settings.store.model_copy(update={"url": url})
        settings = settings.model_copy(update={"store": store})
    tracks = [Track(track_index=i, s3_key=f"k{i}") for i in range(8)]
    Progress(Harness.of(settings)).planned(RUN, tracks)
    with ThreadPoolExecutor(4) as pool:
        for n in (0, 2, 4, 6):
            pool.submit(tell_all, settings, [*range(n, 8), *range(n)])
    for index in range(8):
        assert states(settings, "pad_track", index) == ["pending", "in_progress", "completed"]
    percents = [d["percent"] for d in told(settings)]
    assert percents == sorted(percents)
    assert percents[-1] == 7
    heard = [json.loads(next_on(ear)["data"])["data"]["id"] for _ in percents]
    assert heard == [d["id"] for d in told(settings)]
    ear.close()


class SlowBus(Bus):
    """Others may overtake on the way to the bus, if anything lets them."""

    def publish(self, channel, message):
        """After a moment."""
        time.sleep(random.random() / 50)
        return super().publish(channel, message)


def slowly(states, track_total):
    """Draw the conclusion while others publish."""
    found = percent_of(states, track_total)
    time.sleep(random.random() / 50)
    return found


def tell_all(settings, indexes):
    """What a process publishes that pads these tracks."""
    for index in indexes:
        Progress(Harness.of(settings)).started("pad_track", {**RAW, "track_index": index})
        Progress(Harness.of(settings)).completed("pad_track", {**RAW, "track_index": index})


def test_listeners_hear_it_on_the_candidates_own_channel(tmp_path, redis_server):
    """In shadow the primary's channel stays silent; each message comes once, with an id."""
    settings = settings_of(tmp_path, f"{redis_server}/2")
    ear = redis.Redis.from_url(f"{redis_server}/2", socket_timeout=5).pubsub()
    ear.psubscribe("*ts:tr-1")
    next_on(ear)
    for _ in range(2):
        Progress(Harness.of(settings)).completed("finalize", RAW)
    Progress(Harness.of(settings)).completed("post_zulip", RAW)
    heard = [next_on(ear), next_on(ear)]
    assert [m["channel"].decode() for m in heard] == [f"shadow:{RAW['run']['run_id']}:ts:tr-1"] * 2
    data = [json.loads(m["data"]) for m in heard]
    assert [d["event"] for d in data] == ["PIPELINE_PROGRESS"] * 2
    assert [d["data"]["current_step"] for d in data] == ["finalize", "post_zulip"]
    assert data[0]["data"]["id"] != data[1]["data"]["id"]
