"""Fifty recordings on `conductor+fallback`, with Conductor killed in the middle of them.

    python -m bench.bench_failover [--recordings 50] [--switches 2] [--conductor 3.15.0]

All must end right, none twice and none lost; the time to recover is printed. Exit 1 otherwise.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path

from reflector_migrate.cutover.routes import change
from reflector_migrate.experiments.failover import copies, run_stream
from reflector_migrate.harness import Harness
from reflector_migrate.plugin.reflector_route_table import Table
from reflector_migrate.sandbox.layout import ROUTES
from reflector_migrate.sandbox.recordings import load_recording
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.settings import Settings

PARTS = ("conductor", "redis", "s3", "standins", "legacy", *ROUTES)
CHANGES = {"route": {"fallback_after_start": "before_first_effect", "stall_s": 90}}
AWAY_S = 20.0
FOLLOW_S = 5.5
WHO, WHY = "bench", "a failover"


def main(argv: list[str] | None = None) -> int:
    """Run it in a sandbox of its own."""
    asked = _options(argv)
    base = Settings.model_validate({"sandbox": {"start_timeout_s": 300.0}})
    with tempfile.TemporaryDirectory() as folder, Sandbox(
        base, Path(folder) / "failover", with_=PARTS, changes=CHANGES,
        conductor_version=asked.conductor, say=print,
    ) as sandbox:  # fmt: skip
        settings = sandbox.settings
        solo = load_recording(settings.sandbox.recordings, "solo")
        (like,) = copies(solo, 1, "like")
        change(Harness.of(settings), Table(0, "celery"), WHO, WHY)
        run_stream(Harness.of(settings), [like], lambda _number: None, like=like, timeout_s=300)
        change(Harness.of(settings), Table(0, "conductor+fallback"), WHO, WHY)
        time.sleep(FOLLOW_S)
        disturb = Disturbance(sandbox, asked.recordings, asked.switches)
        streamed = run_stream(
            Harness.of(settings), copies(solo, asked.recordings, "stream"), disturb, like=like,
            timeout_s=120.0 + 30 * asked.recordings,
        )  # fmt: skip
        disturb.end()
        print(streamed)
        return 0 if streamed.is_right else 1


class Disturbance:
    """Kills Conductor after half of the recordings, and switches the route back and forth."""

    def __init__(self, sandbox: Sandbox, number: int, switches: int) -> None:
        """Conductor comes back after a while, by itself."""
        self._sandbox, self._half = sandbox, number // 2
        self._at = {self._half + 1 + n: ("celery", "conductor+fallback")[n % 2]
                    for n in range(2 * switches)}  # fmt: skip
        self._rebirth = threading.Thread(target=self._revive)

    def __call__(self, number: int) -> None:
        """Recording `number` has been announced."""
        if number == self._half:
            self._sandbox.kill("conductor")
            self._rebirth.start()
            print(f"Conductor was killed after {number + 1} recordings", flush=True)
        elif route := self._at.get(number):
            change(Harness.of(self._sandbox.settings), Table(0, route), WHO, WHY)
            print(f"after {number + 1} recordings: {route}", flush=True)
            time.sleep(FOLLOW_S)

    def end(self) -> None:
        """Wait until Conductor is back."""
        self._rebirth.join()

    def _revive(self) -> None:
        time.sleep(AWAY_S)
        self._sandbox.restart("conductor")


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=int, default=50)
    parser.add_argument("--switches", type=int, default=2)
    parser.add_argument("--conductor", default=None)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
