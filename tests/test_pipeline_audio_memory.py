"""Memory does not grow with a meeting's length."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "bench" / "bench_audio.py"
LIMIT_BYTES = 400_000_000
GROWTH_BYTES = 16_000_000  # a minute of one track's decoded sound, kept by mistake, is 23 MB
FRAMES = 50  # a second of Opus
GROWTH_BYTES_PER_MINUTE = 250_000  # over four hours 60 MB; in half an hour 20,000 were seen
EARLY, LATE = 1, 6  # minutes
GROWTH_BYTES_PER_FRAME = 4  # 2 are known: PyAV loses 98 bytes at every empty pull, one a second

# Bytes in use, as the allocator itself counts them: what it holds back for later is not among
# them, and neither is noise. Counting begins when the demuxer's index of packets, 24 bytes each,
# has reached its own limit of 1 MiB: that is after 43,690 packets, a quarter of an hour.
FILTER_FOR_LONG = f"""
import ctypes, gc, pathlib, sys, tempfile
sys.path.insert(0, {str(BENCH.parent)!r})
from bench_audio import SPEECH, make_track
from reflector_migrate.pipeline.audio import graph, source

class Heap(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
        "fordblks", "keepcost")]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Heap

def in_use():
    gc.collect()
    heap = libc.mallinfo2()
    return heap.uordblks + heap.hblkhd

with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "long.webm"
    make_track(path, SPEECH[0], 30, 500)
    with source.opened(path) as track:
        first, frames = track.from_first()
        chain = graph.padding(first, 500, 48_000)
        for second in range(1790):
            chain.feed(0, (next(frames) for _ in range(BATCH)), "long")
            for _ in chain.drain():
                pass
            if second in (900, 1789):
                print(second * {FRAMES}, in_use(), flush=True)
"""

# A whole mix (decoders, amix, MP3), drawing and padding (Opus, WebM), each looked at whenever it
# tells of its progress; the least of a minute, because the encoder beside it holds a few frames.
# What the demuxers' indices take, of which the length of a recording is known, is left out.
WHOLE_FOR_LONG = (
    FILTER_FOR_LONG.partition("with tempfile")[0]
    + """
from reflector_migrate.pipeline import audio

class Watch:
    def __init__(self, kept_bytes=0):
        self.low, self.kept, self.kept_bytes = {}, [], kept_bytes

    def __call__(self, done_s):
        minute = int(done_s // 60)
        while len(self.kept) < minute * bool(self.kept_bytes):
            self.kept.append(bytes(self.kept_bytes))
        if minute in (EARLY, LATE):
            self.low[minute] = min(self.low.get(minute, 1 << 60), in_use())

    def tell(self, name, packets_a_minute):
        grown = (self.low[LATE] - self.low[EARLY]) / (LATE - EARLY)
        print(name, int(grown - 24 * packets_a_minute), flush=True)

def watched(name, packets_a_minute, work, **how):
    watch = Watch(**how)
    work(progress=watch, limits=audio.Limits(report_every_s=0))
    watch.tell(name, packets_a_minute)

with tempfile.TemporaryDirectory() as folder:
    path, mp3 = pathlib.Path(folder) / "long.webm", pathlib.Path(folder) / "long.mp3"
    make_track(path, SPEECH[0], LATE + 1, 500)
    watched("mix", 2 * 3000, lambda **how: audio.mixdown([path, path], mp3, **how))
    for name, kept_bytes in (("draw", 0), ("leak", 500_000)):
        work = lambda **how: audio.waveform(mp3, **how)
        watched(name, 2500, work, kept_bytes=kept_bytes)
    padded = pathlib.Path(folder) / "padded.webm"
    watched("pad", 3000, lambda **how: audio.pad_track(path, padded, 0.5, **how))
"""
)


@pytest.mark.heavy
def test_four_times_the_length_needs_the_same_memory():
    """Padding, mixing and drawing 6 minutes peaks where 1.5 minutes do, far below the limit."""
    command = [sys.executable, str(BENCH), "--memory-only", "--minutes", "6", "--tracks", "2"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=280)
    short, long = (int(n.replace(",", "")) for n in re.findall(r"([\d,]+) B$", done.stdout, re.M))
    assert long - short < GROWTH_BYTES
    assert long < LIMIT_BYTES


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("batch", "is_flat"),
    [
        pytest.param(FRAMES, True, id="a second at a time"),
        pytest.param(1, False, id="frame by frame the loss shows"),
    ],
)
def test_filtering_keeps_nothing_of_the_frames_it_has_passed_on(batch, is_flat):
    """Fifteen minutes of frames go through the graph, and memory stays where it was."""
    program = FILTER_FOR_LONG.replace("range(BATCH)", f"range({batch})")
    program = program.replace("range(1790)", f"range({1790 * FRAMES // batch})")
    program = program.replace("(900, 1789)", f"({900 * FRAMES // batch}, {1789 * FRAMES // batch})")
    program = program.replace(f"second * {FRAMES}", f"second * {batch}")
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        timeout=240,
        cwd=ROOT,
        env={**os.environ, "PYTHONMALLOC": "malloc"},
    )
    (few, early), (many, late) = (map(int, line.split()) for line in done.stdout.splitlines())
    grown = (late - early) / (many - few)
    assert (grown < GROWTH_BYTES_PER_FRAME) is is_flat, grown


@pytest.mark.heavy
def test_no_minute_of_sound_leaves_more_than_a_little_behind():
    """Mixing, drawing and padding, whole: what the seventh minute has, the second had too.

    Half a megabyte that is kept of each minute on purpose is found.
    """
    program = WHOLE_FOR_LONG.replace("EARLY", str(EARLY)).replace("LATE", str(LATE))
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        timeout=280,
        cwd=ROOT,
        env={**os.environ, "PYTHONMALLOC": "malloc", "MALLOC_ARENA_MAX": "1"},
    )
    grown = {name: int(count) for name, count in map(str.split, done.stdout.splitlines())}
    is_flat = {name: count < GROWTH_BYTES_PER_MINUTE for name, count in grown.items()}
    assert is_flat == {"mix": True, "draw": True, "leak": False, "pad": True}, grown
