"""Audio at speed: our padding, mixdown and waveform against the ffmpeg command line.

First the peak memory of ours for a short and a four times longer meeting, each in a process of its
own that pads one track, mixes all and draws the mix, with the time each took. Then both sides work
on the same files with the same filters and encoders, one after the other in one loop; the last line
is the ratio of their times. Without an ffmpeg (on the PATH, or named by BENCH_FFMPEG) ours still
runs, and the last line says loudly that nothing was compared.

    python bench/bench_audio.py                # 2 minutes, 4 tracks: about a minute
    python bench/bench_audio.py --minutes 60   # the meeting that the requirement names
    python bench/bench_audio.py --minutes 240 --tracks 8 --memory-only
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from reflector_migrate.pipeline import audio  # noqa: E402  # runs from a bare checkout

SPEECH = sorted((ROOT / "fixtures/runs/tracks").glob("*-cam-audio.webm"))
PACKET_MS = 20
MILLISECOND = Fraction(1, 1000)  # the unit of time in WebM
STAGES = ("pad", "mix", "waveform")
NO_PEER = "NOT COMPARED: no ffmpeg here. Install it (apt-get install ffmpeg) or set BENCH_FFMPEG."
FFMPEG = os.environ.get("BENCH_FFMPEG") or shutil.which("ffmpeg")


def make_track(path: Path, speech: Path, minutes: float, start_ms: int) -> None:
    """Repeat a recorded track's packets until the wanted length, without encoding anything."""
    with av.open(str(speech)) as source, av.open(str(path), "w", format="webm") as out:
        stream = source.streams.audio[0]
        packets = [bytes(packet) for packet in source.demux(stream) if packet.size]
        target = out.add_stream_from_template(stream)
        for index in range(int(minutes * 60_000 / PACKET_MS)):
            packet = av.Packet(packets[index % len(packets)])
            packet.stream, packet.time_base = target, MILLISECOND
            packet.pts = packet.dts = start_ms + PACKET_MS * index
            packet.duration = PACKET_MS
            out.mux(packet)


def make_meeting(folder: Path, minutes: float, tracks: int) -> list[Path]:
    """Write the source tracks of a meeting; each joins three seconds after the one before."""
    paths = [folder / f"in{index}.webm" for index in range(tracks)]
    for index, path in enumerate(paths):
        make_track(path, SPEECH[index % len(SPEECH)], minutes, 500 + 3000 * index)
    return paths


def ffmpeg(*arguments: str) -> None:
    """Run the command line, quietly."""
    assert FFMPEG
    subprocess.run([FFMPEG, "-v", "error", "-nostdin", "-y", *arguments], check=True)


def ffmpeg_pad(inputs: list[Path], folder: Path) -> None:
    """Pad every track as `pad_track` does."""
    for index, path in enumerate(inputs):
        delay = audio.delay_ms(audio.track_start_s(path))
        chain = (
            "aformat=sample_fmts=s16:channel_layouts=stereo:sample_rates=48000,"
            f"aresample=async=1,adelay=delays={delay}|{delay}:all=1"
        )
        coder = ("-c:a", "libopus", "-b:a", "128k")
        ffmpeg("-i", str(path), "-af", chain, *coder, str(folder / f"peer{index}.webm"))


def ffmpeg_mix(count: int, folder: Path) -> None:
    """Mix the padded tracks as `mixdown` does."""
    one = "aformat=sample_fmts=s32:channel_layouts=stereo"
    parts = [f"[{index}:a]{one}[a{index}];" for index in range(count)]
    labels = "".join(f"[a{index}]" for index in range(count))
    end = f"amix=inputs={count}:normalize=0,{one}:sample_rates=48000"
    files = [word for index in range(count) for word in ("-i", str(folder / f"peer{index}.webm"))]
    graph = "".join(parts) + labels + end
    ffmpeg(*files, "-filter_complex", graph, "-c:a", "libmp3lame", str(folder / "peer.mp3"))


def ffmpeg_waveform(folder: Path) -> None:
    """Only decode the mixdown: less than `waveform` does, so the comparison is against us."""
    ffmpeg("-i", str(folder / "peer.mp3"), "-f", "null", "-")


def our_pad(inputs: list[Path], folder: Path) -> None:
    """Pad every track."""
    for index, path in enumerate(inputs):
        audio.pad_track(path, folder / f"ours{index}.webm", audio.track_start_s(path))


def our_mix(count: int, folder: Path) -> None:
    """Mix the padded tracks."""
    audio.mixdown([folder / f"ours{index}.webm" for index in range(count)], folder / "ours.mp3")


def our_waveform(folder: Path) -> None:
    """Draw the mixdown."""
    audio.waveform(folder / "ours.mp3")


def timed(work: Callable[[], None]) -> float:
    """Return how long `work` took, in seconds."""
    start_s = time.perf_counter()
    work()
    return time.perf_counter() - start_s


def race(inputs: list[Path], folder: Path, repeats: int) -> dict[str, tuple[float, float]]:
    """Return per stage the best time of the command line and of ours, taken alternately."""
    count = len(inputs)
    pairs: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
        "pad": (lambda: ffmpeg_pad(inputs, folder), lambda: our_pad(inputs, folder)),
        "mix": (lambda: ffmpeg_mix(count, folder), lambda: our_mix(count, folder)),
        "waveform": (lambda: ffmpeg_waveform(folder), lambda: our_waveform(folder)),
    }
    best = {stage: (float("inf"), float("inf")) for stage in STAGES}
    for _ in range(repeats):
        for stage in STAGES:
            peer, ours = pairs[stage]
            peer_s = timed(peer) if FFMPEG else float("nan")
            best[stage] = (min(best[stage][0], peer_s), min(best[stage][1], timed(ours)))
    return best


def measured(minutes: float, tracks: int) -> dict[str, float]:
    """Return `child`'s account from a process of its own."""
    command = [sys.executable, __file__, "--child"]
    command += ["--minutes", str(minutes), "--tracks", str(tracks)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def child(minutes: float, tracks: int) -> None:
    """Do the work once; print the seconds of each stage and this process's peak memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inputs = make_meeting(folder, minutes, tracks)
        told = {"pad": timed(lambda: our_pad(inputs[:1], folder))}
        padded = [folder / "ours0.webm", *inputs[1:]]
        told["mix"] = timed(lambda: audio.mixdown(padded, folder / "ours.mp3") and None)
        told["waveform"] = timed(lambda: our_waveform(folder))
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(told | {"peak_bytes": peak_bytes}))


def report_memory(minutes: float, tracks: int) -> None:
    """Print times and peak memory for a quarter of the duration and for all of it."""
    for length in (minutes / 4, minutes):
        found = measured(length, tracks)
        times = ", ".join(f"{stage} {found[stage]:.1f} s" for stage in STAGES)
        print(
            f"{tracks} tracks of {length:g} min ({times}; padding is of one track): "
            f"peak memory {int(found['peak_bytes']):,} B",
            flush=True,
        )


def report_race(minutes: float, tracks: int, repeats: int) -> None:
    """Print both sides' times per stage, and last the ratio of the sums."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        best = race(make_meeting(folder, minutes, tracks), folder, repeats)
    best["all"] = (sum(peer for peer, _ in best.values()), sum(ours for _, ours in best.values()))
    for stage, (peer_s, ours_s) in best.items():
        against = f"ffmpeg {peer_s:8.2f} s   {ours_s / peer_s:5.2f}x" if FFMPEG else "no peer"
        print(f"{stage:<9} ours {ours_s:8.2f} s   {against}")
    peer_s, ours_s = best["all"]
    print(f"ratio {ours_s / peer_s:.2f} (reach 1.30 or less)" if FFMPEG else NO_PEER)


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=2.0, help="length of the meeting")
    parser.add_argument("--tracks", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=1, help="take the best of so many rounds")
    parser.add_argument("--memory-only", action="store_true", help="do not race")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        child(chosen.minutes, chosen.tracks)
        return
    report_memory(chosen.minutes, chosen.tracks)
    if not chosen.memory_only:
        report_race(chosen.minutes, chosen.tracks, chosen.repeats)


if __name__ == "__main__":
    main()
