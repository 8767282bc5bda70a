"""What a command takes before it does anything: `migrate --help` against a bare Python.

    python bench/bench_start.py

Both are started in turn, from this environment and with compiled modules kept, as an
installed command has them; the processor time of the children counts. Smaller is better.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROUNDS = 15
BARE = (sys.executable, "-c", "pass")
REACH = 5
KEEPING = {name: v for name, v in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
MIGRATE = str(Path(sys.executable).parent / "migrate")


def children_s() -> float:
    """Processor time of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def took_s(command: Sequence[str]) -> float:
    """Processor time of one command."""
    before = children_s()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=KEEPING)
    return children_s() - before


def main() -> None:
    """Both in turn; the ratio last."""
    ours = (MIGRATE, "--help")
    took_s(ours)  # the first one compiles
    times = [(took_s(BARE), took_s(ours)) for _ in range(ROUNDS)]
    bare, median = (statistics.median(side) * 1000 for side in zip(*times, strict=True))
    print(f"migrate --help   ours {median:.1f} ms   python -c pass {bare:.1f} ms   "
          f"reach {REACH}   ratio {median / bare:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
