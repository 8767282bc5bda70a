"""What progress would be without its lock and without its log: why the two exist.

python -m bench.bench_progress            prints the figures as JSON

The store of the first part accepts connections and never answers. The second part plays one
run in which each step is attempted twice, because its first worker is believed lost, and that
worker's reports arrive after all: once with the log, and once as plain messages on a bus.
"""

from __future__ import annotations

import json
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

from reflector_migrate.conductor import progress
from reflector_migrate.conductor.progress import Progress
from reflector_migrate.harness import Harness
from reflector_migrate.model import TRACK_STEPS, VISIBLE_STEPS
from reflector_migrate.pipeline.contracts import Track
from reflector_migrate.settings import Settings
from reflector_migrate.store.migrate import upgrade
from tests.a_run import RAW, RUN

THREADS, STEPS_PER_THREAD, TRACKS = 8, 2, 3
ORDER = ("pending", "in_progress", "completed")


def main() -> None:
    """Measure both and print."""
    print(json.dumps({"lock": lock(), "log": log()}, indent=2))


def lock() -> dict[str, Any]:
    """How long publishing holds up each thread of a worker whose store never answers."""
    with silent_server() as url:
        settings = Settings.model_validate({"store": {"url": url}})
        with_lock = sorted(held_up_s(settings))
        with patch.object(progress, "turns_of", lambda _url: nullcontext()):
            without = sorted(held_up_s(settings))
    return {
        name: {"fastest_s": round(times[0], 1), "slowest_s": round(times[-1], 1)}
        for name, times in (("with", with_lock), ("without", without))
    }


@contextmanager
def silent_server() -> Iterator[str]:
    """A PostgreSQL address that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"postgresql+psycopg://u:p@127.0.0.1:{server.getsockname()[1]}/d"


def held_up_s(settings: Settings) -> list[float]:
    """Seconds that each thread spent on publishing the start and end of its steps."""
    spent = [0.0] * THREADS

    def publish(place: int) -> None:
        told = Progress(Harness.of(settings))
        begun = time.monotonic()
        for step in VISIBLE_STEPS[:STEPS_PER_THREAD]:
            told.started(step, RAW)
            told.completed(step, RAW)
        spent[place] = time.monotonic() - begun

    threads = [threading.Thread(target=publish, args=(place,)) for place in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return spent


def log() -> dict[str, Any]:
    """What a listener hears of one run with lost workers, with the log and without."""
    heard: list[tuple[str, int | None, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'store.db'}"
        upgrade(url)
        settings = Settings.model_validate(
            {"store": {"url": url}, "candidate": {"bus_url": "redis://127.0.0.1:1/0"}}
        )
        with patch.object(progress, "Bus", lambda _url: Recorder(heard)):
            told = Progress(Harness.of(settings))
            told.planned(RUN, [Track(track_index=i, s3_key=f"k{i}") for i in range(TRACKS)])
            play(told.started, told.completed)
    plain = [
        (step, index, "pending")
        for step in VISIBLE_STEPS
        for index in (range(TRACKS) if step in TRACK_STEPS else (None,))
    ]

    def publish(state: str) -> Callable[[str, dict[str, Any]], None]:
        return lambda step, raw: plain.append((step, raw.get("track_index"), state))

    play(publish("in_progress"), publish("completed"))
    return {"with": faults(heard), "without": faults(plain)}


class Recorder:
    """A bus that only remembers what is published."""

    def __init__(self, heard: list[tuple[str, int | None, str]]) -> None:
        """Append to `heard`."""
        self.heard = heard

    def publish(self, _channel: str, message: dict[str, Any]) -> None:
        """Remember step, track and state."""
        data = message["data"]
        self.heard.append((data["current_step"], data.get("track_index"), data["step_status"]))


def play(
    started: Callable[[str, dict[str, Any]], None], completed: Callable[[str, dict[str, Any]], None]
) -> None:
    """Two attempts at each step; the second completes, then the first one's reports arrive."""
    for step in VISIBLE_STEPS:
        for index in range(TRACKS) if step in TRACK_STEPS else (None,):
            raw = {**RAW, "track_index": index}
            started(step, raw)
            started(step, raw)
            completed(step, raw)
            started(step, raw)
            completed(step, raw)


def faults(heard: list[tuple[str, int | None, str]]) -> dict[str, int]:
    """Messages, those that repeat a state, and those that go back behind a later state."""
    reached: dict[tuple[str, int | None], int] = {}
    backwards = 0
    for step, index, state in heard:
        rank = ORDER.index(state)
        backwards += rank < reached.get((step, index), 0)
        reached[step, index] = max(rank, reached.get((step, index), 0))
    return {
        "messages": len(heard),
        "repeated": len(heard) - len(set(heard)),
        "backwards": backwards,
    }


if __name__ == "__main__":
    main()
