"""Memory does not grow with a meeting's length."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "bench" / "bench_audio.py"
LIMIT_BYTES = 400_000_000
GROWTH_BYTES = 16_000_000
GROWTH_BYTES_PER_FRAME = 48  # half of the leak that this looks for; the rest is the allocator

FILTER_FOR_LONG = f"""
import sys, tempfile, pathlib, psutil
sys.path.insert(0, {str(BENCH.parent)!r})
from bench_audio import SPEECH, make_track
from reflector_migrate.pipeline.audio import graph, source
with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "long.webm"
    make_track(path, SPEECH[0], 20, 500)
    with source.opened(path) as track:
        first, frames = track.from_first()
        chain = graph.padding(first, 500, 48_000)
        for batch in range(1200):
            chain.feed(0, (next(frames) for _ in range(source.BATCH)), "long")
            for _ in chain.drain():
                pass
            if batch in (200, 1190):
                print(batch * source.BATCH, psutil.Process().memory_info().rss, flush=True)
"""


@pytest.mark.live
def test_four_times_the_length_needs_the_same_memory():
    """Padding, mixing and drawing 6 minutes peaks where 1.5 minutes do, far below the limit."""
    command = [sys.executable, str(BENCH), "--memory-only", "--minutes", "6", "--tracks", "2"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=280)
    short, long = (int(n.replace(",", "")) for n in re.findall(r"([\d,]+) B$", done.stdout, re.M))
    assert long - short < GROWTH_BYTES
    assert long < LIMIT_BYTES


@pytest.mark.live
def test_filtering_keeps_nothing_of_the_frames_it_has_passed_on():
    """Twenty minutes of frames go through the graph, and memory stays where it was."""
    command = [sys.executable, "-c", FILTER_FOR_LONG]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=120, cwd=ROOT
    )
    (few, early), (many, late) = (map(int, line.split()) for line in done.stdout.splitlines())
    assert (late - early) / (many - few) < GROWTH_BYTES_PER_FRAME
