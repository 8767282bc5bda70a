"""The filter graphs, with legacy's parameters.

Asking the library for a frame that is not there yet raises, and every such error costs about a
hundred bytes that never come back (PyAV 14 and 15). So frames go in by the batch, conversion is
part of the graph, and frames come out a second long: per hour that is kilobytes, not megabytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import av
from av.audio.frame import AudioFrame
from av.filter import Graph
from av.filter.context import FilterContext

from reflector_migrate.pipeline.audio.errors import HopelessAudioError

OUTPUT_S = 1


@dataclass(frozen=True, slots=True)
class Chain:
    """A configured graph: where frames go in, and where they come out."""

    graph: Graph
    inputs: tuple[FilterContext, ...]
    sink: FilterContext

    def feed(self, index: int, frames: Iterable[AudioFrame], name: str) -> int:
        """Push frames of the source `name` into an input; return how many samples that were."""
        samples = 0
        for frame in frames:
            try:
                self.inputs[index].push(frame)
            except av.error.FFmpegError:
                raise HopelessAudioError("changes its format midway", source=name) from None
            samples += frame.samples
        return samples

    def end(self, index: int) -> None:
        """Tell an input that nothing follows."""
        self.inputs[index].push(None)  # type: ignore[arg-type]  # how the library spells the end

    def drain(self) -> Iterator[AudioFrame]:
        """Yield every frame that is ready now."""
        while True:
            try:
                frame = self.sink.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            if isinstance(frame, AudioFrame):
                yield frame


def _source(graph: Graph, first: AudioFrame) -> FilterContext:
    base = first.time_base or f"1/{first.sample_rate}"
    return graph.add(
        "abuffer",
        args=f"time_base={base}:sample_rate={first.sample_rate}:"
        f"sample_fmt={first.format.name}:channel_layout={first.layout.name}",
    )


def _stereo(graph: Graph, sample_format: str, rate: int) -> FilterContext:
    args = f"sample_fmts={sample_format}:channel_layouts=stereo:sample_rates={rate}"
    return graph.add("aformat", args=args)


def _seconds(graph: Graph, rate: int) -> FilterContext:
    return graph.add("asetnsamples", args=f"n={OUTPUT_S * rate}:p=0")


def padding(first: AudioFrame, delay_ms: int, rate: int) -> Chain:
    """Delay by silence: s16 stereo -> aresample=async=1 -> adelay on all channels."""
    graph = Graph()
    source, sink = _source(graph, first), graph.add("abuffersink")
    graph.link_nodes(
        source,
        _stereo(graph, "s16", rate),
        graph.add("aresample", args="async=1"),
        graph.add("adelay", args=f"delays={delay_ms}|{delay_ms}:all=1"),
        _seconds(graph, rate),
        sink,
    ).configure()
    return Chain(graph, (source,), sink)


def mixing(firsts: Sequence[AudioFrame], rate: int) -> Chain:
    """Add one input for each first frame: s32 stereo -> amix without normalising -> s32 stereo."""
    graph = Graph()
    inputs = tuple(_source(graph, first) for first in firsts)
    mix = graph.add("amix", args=f"inputs={len(inputs)}:normalize=0")
    for index, source in enumerate(inputs):
        converted = _stereo(graph, "s32", rate)
        source.link_to(converted)
        converted.link_to(mix, 0, index)
    sink = graph.add("abuffersink")
    graph.link_nodes(mix, _stereo(graph, "s32", rate), _seconds(graph, rate), sink).configure()
    return Chain(graph, inputs, sink)
