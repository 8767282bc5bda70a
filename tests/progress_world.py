"""A store in which progress is kept, and ways to publish and to read it."""

from __future__ import annotations

import time

import pytest

from reflector_migrate.model import STEP_NAMES, TRACK_STEPS
from reflector_migrate.pipeline.contracts import Track
from reflector_migrate.settings import Settings
from reflector_migrate.store.events import EventLog
from tests.a_run import RAW, RUN
from tests.new_stores import new_store

TRACKS = [Track(track_index=i, s3_key=f"k{i}") for i in (2, 0, 1)]
FAR = "redis://127.0.0.1:9/2"


def settings_of(tmp_path, bus_url=FAR):
    """A store of its own, and a candidate that shares nothing."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    new_store(url)
    return Settings.model_validate({"store": {"url": url}, "candidate": {"bus_url": bus_url}})


@pytest.fixture
def settings(tmp_path):
    """With a bus that is down: telling must not mind."""
    return settings_of(tmp_path)


def told(settings):
    """Everything published, in order."""
    kept = EventLog(settings.store_url).of(RUN.run_id)
    return [e.data for e in kept if e.event == "PIPELINE_PROGRESS"]


def states(settings, step, index=None):
    """The states of one step, in order."""
    return [
        d["step_status"]
        for d in told(settings)
        if d["current_step"] == step and d.get("track_index") == index
    ]


def whole(progress, steps=STEP_NAMES):
    """Tell of every step, and of each track's part of it."""
    for step in steps:
        for index in (0, 1, 2) if step in TRACK_STEPS else (None,):
            raw = RAW if index is None else {**RAW, "track_index": index}
            progress.started(step, raw)
            progress.completed(step, raw)


def next_on(ear):
    """The next message that is heard."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if message := ear.get_message(timeout=0.2):
            return message
    raise AssertionError("nothing was published")
