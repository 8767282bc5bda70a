"""What shadow adds to the primary's path, against one celery apply_async (1.00).

Real Redis, both in one process, interleaved. `handler` is everything the plugin
does inside the task's path: the prerun handler that announces a recording of four
tracks, and its postrun handler. `raw LPUSH` is what a publish in the path would
have cost. The last line is the ratio we claim: handler / apply_async, median.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROUNDS = 2_000
WARM_UP = 100
KEYS = [f"rig/room-20251215120000/1765800000000-{i:036d}-cam-audio-1765800008339" for i in range(4)]


def main() -> None:
    """Measure and print."""
    from reflector_migrate.sandbox.stack import Sandbox
    from reflector_migrate.settings import Settings

    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox(Settings(), Path(folder), with_=("redis",)) as sandbox,
    ):
        report(measure(sandbox.settings.reflector.broker_url))


def measure(url: str) -> dict[str, list[float]]:
    """Seconds of each round, by what was done."""
    import redis
    from celery import Celery

    sys.path.insert(0, str(Path(__file__).parents[1] / "reflector_migrate/plugin"))
    os.environ["MIGRATE_LEGACY_PIPELINE"] = "types:SimpleNamespace"
    import reflector_shadow as plugin

    app = Celery("bench", broker=url)
    client = redis.Redis.from_url(url)
    client.config_set("appendonly", "no")  # as brokers run: no fsync to flatter our ratio
    announced = {"transcript_id": "t", "bucket_name": "b", "track_keys": KEYS}
    request = SimpleNamespace(root_id="r", parent_id="p", hostname="h", retries=0)
    task = SimpleNamespace(name=plugin.DEFAULT_TASK, app=app, request=request)
    raw = plugin.encode(plugin.DISPATCH, announced, "bench")
    doings = {
        "apply_async": lambda: app.send_task(plugin.DEFAULT_TASK, kwargs=announced),
        "raw LPUSH": lambda: client.lpush("bench", raw),
        "handler": lambda: handle(plugin, task, announced),
    }
    taken: dict[str, list[float]] = {name: [] for name in doings}
    for number in range(WARM_UP + ROUNDS):
        for name, do in doings.items():
            since = time.perf_counter()
            do()
            took_s = time.perf_counter() - since
            if number >= WARM_UP:
                taken[name].append(took_s)
        plugin._sender.flush(1.0)  # outside of what is timed: a worker has seconds between two
        if number % 200 == 0:
            client.delete("celery", "bench", "shadow")
    assert plugin.counts["published"] >= ROUNDS, dict(plugin.counts)
    return taken


def handle(plugin: Any, task: Any, kwargs: dict[str, Any]) -> None:
    """What a task's path sees of the plugin."""
    plugin.on_prerun(task_id="x", task=task, kwargs=kwargs)
    plugin.on_postrun(task_id="x", task=task, args=(), kwargs=kwargs, state="SUCCESS")


def report(taken: dict[str, list[float]]) -> None:
    """Medians and 99th percentiles, absolute and as a part of apply_async's median."""
    base = statistics.median(taken["apply_async"])
    for name, times in taken.items():
        median, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
        print(
            f"{name:12} median {median * 1e6:8.1f} us ({median / base:.3f})"
            f"   p99 {p99 * 1e6:8.1f} us ({p99 / base:.3f})"
        )
    print(f"ratio {statistics.median(taken['handler']) / base:.3f}")


if __name__ == "__main__":
    main()
