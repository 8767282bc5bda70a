"""Every test: the live ones, and beside them those without servers.

Run by `make test`. The tests without servers have the lowest priority: beside tests of equal rank,
live ones run out of waits. What fails amid that load has one second chance, shown in the summary: a
live test at once, another test when the live ones have ended.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

PYTEST = (sys.executable, "-m", "pytest", "-q")
SIDE_BY_SIDE = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
LOGS = Path(".pytest_cache")
FAILED = 1
"""What pytest answers where tests failed."""
INTERRUPTED = 130


def main() -> int:
    """Run them all; 0 when each of them passed."""
    LOGS.mkdir(exist_ok=True)
    started: list[subprocess.Popen[bytes]] = []
    signal.signal(signal.SIGTERM, lambda *_: [run.send_signal(signal.SIGINT) for run in started])
    try:
        for name, argv in _runs().items():
            _say(f"{name}: {LOGS / name}.log, shown at its end")
            with (LOGS / f"{name}.log").open("wb") as log:
                started.append(subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT))
        codes = {}
        for name, run in zip(_runs(), started, strict=True):
            codes[name] = run.wait()
            _show(name)
        if codes["others"] == FAILED:
            _say("what failed beside the live tests, once more")
            started.append(subprocess.Popen((*_others(), "--last-failed")))
            codes["others"] = started[-1].wait()
    except KeyboardInterrupt:  # the terminal interrupts its whole group: so are they
        for run in started:
            run.wait()
        return INTERRUPTED
    return int(any(codes.values()))


def _runs() -> dict[str, tuple[str, ...]]:
    cache = ("-o", f"cache_dir={LOGS}/live")
    live = (*PYTEST, "-m", "live", "--durations=25", "--reruns=1", *cache)
    return {"live": live, "others": ("nice", "-n", "19", *_others())}


def _others() -> tuple[str, ...]:
    cache = ("-o", f"cache_dir={LOGS}/others")
    return (*PYTEST, "-m", "not live", "--durations=15", *SIDE_BY_SIDE, *cache)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _show(name: str) -> None:
    sys.stdout.buffer.write((LOGS / f"{name}.log").read_bytes())
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
