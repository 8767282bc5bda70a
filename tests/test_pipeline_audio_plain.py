"""Our streaming graphs give the bytes of the plain ones, written here frame by frame.

On any processor: both sides use the encoder that is here.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.audio.resampler import AudioResampler
from av.filter import Graph

from reflector_migrate.pipeline import audio
from tests.audio_world import TRACKS

pytestmark = pytest.mark.heavy

RATE = 48_000
CAMERAS = sorted(TRACKS.glob("*-cam-audio.webm"))


def pull(sink):
    """Every frame that is ready."""
    while True:
        try:
            yield sink.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def buffer(graph, sample_format):
    """An input of stereo samples in a format."""
    about = f"time_base=1/{RATE}:sample_rate={RATE}:sample_fmt={sample_format}"
    return graph.add("abuffer", args=f"{about}:channel_layout=stereo")


def converted(path, sample_format):
    """A track's frames, resampled one by one; None at the end."""
    resampler = AudioResampler(format=sample_format, layout="stereo", rate=RATE)
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            for one in resampler.resample(frame):
                one.time_base = Fraction(1, RATE)
                yield one
    yield None


def plain_padding(path, out, delay):
    """s16 stereo -> aresample=async=1 -> adelay -> libopus 128 kbit/s in WebM."""
    graph = Graph()
    source, sink = buffer(graph, "s16"), graph.add("abuffersink")
    delayed = graph.add("adelay", args=f"delays={delay}|{delay}:all=1")
    graph.link_nodes(source, graph.add("aresample", args="async=1"), delayed, sink).configure()
    with av.open(str(out), "w", format="webm") as container:
        stream = container.add_stream("libopus", rate=RATE)
        stream.bit_rate = 128_000
        for frame in converted(path, "s16"):
            source.push(frame)
            for made in pull(sink):
                container.mux(stream.encode(made))
        container.mux(stream.encode(None))


def plain_mix(paths, out):
    """s32 stereo each -> amix without normalising -> libmp3lame as it comes."""
    graph = Graph()
    sources = [buffer(graph, "s32") for _ in paths]
    mix = graph.add("amix", args=f"inputs={len(paths)}:normalize=0")
    for place, source in enumerate(sources):
        source.link_to(mix, 0, place)
    form = graph.add("aformat", args=f"sample_fmts=s32:channel_layouts=stereo:sample_rates={RATE}")
    sink = graph.add("abuffersink")
    graph.link_nodes(mix, form, sink).configure()
    tracks = [converted(path, "s32") for path in paths]
    with av.open(str(out), "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=RATE)
        active = list(range(len(paths)))
        while active:
            for place in tuple(active):
                frame = next(tracks[place])
                sources[place].push(frame)
                if frame is None:
                    active.remove(place)
            for made in pull(sink):
                container.mux(stream.encode(made))
        container.mux(stream.encode(None))


def packets(path):
    """What a file holds: each packet's time and bytes."""
    with av.open(str(path)) as container:
        return [(p.pts, bytes(p)) for p in container.demux(audio=0) if p.size]


@pytest.fixture(scope="module")
def padded(tmp_path_factory):
    """Both recorded tracks, padded by us and plainly: (ours, plain)."""
    folder = tmp_path_factory.mktemp("plain")
    pairs = []
    for index, track in enumerate(CAMERAS):
        pair = (folder / f"ours{index}.webm", folder / f"plain{index}.webm")
        start_s = audio.track_start_s(track)
        audio.pad_track(track, pair[0], start_s)
        plain_padding(track, pair[1], audio.delay_ms(start_s))
        pairs.append(pair)
    return pairs


def test_padding_gives_the_plain_graphs_bytes(padded):
    """Packet by packet: batches, long frames and a thread for the encoder change nothing."""
    assert len(CAMERAS) == 2
    for ours, plain in padded:
        assert packets(ours) == packets(plain)


def test_mixing_gives_the_plain_graphs_bytes(padded, tmp_path: Path):
    """The whole file."""
    sources = [ours for ours, _ in padded]
    audio.mixdown(sources, tmp_path / "ours.mp3")
    plain_mix(sources, tmp_path / "plain.mp3")
    assert (tmp_path / "ours.mp3").read_bytes() == (tmp_path / "plain.mp3").read_bytes()
