"""The filter graphs, with legacy's parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import av
from av.audio.frame import AudioFrame
from av.filter import Graph
from av.filter.context import FilterContext


@dataclass(frozen=True, slots=True)
class Chain:
    """A configured graph: where frames go in, and where they come out."""

    graph: Graph
    inputs: tuple[FilterContext, ...]
    sink: FilterContext

    def drain(self) -> Iterator[AudioFrame]:
        """Yield every frame that is ready now."""
        while True:
            try:
                frame = self.sink.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            if isinstance(frame, AudioFrame):
                yield frame


def _source(graph: Graph, sample_format: str, rate: int) -> FilterContext:
    return graph.add(
        "abuffer",
        args=f"time_base=1/{rate}:sample_rate={rate}:"
        f"sample_fmt={sample_format}:channel_layout=stereo",
    )


def padding(delay_ms: int, rate: int) -> Chain:
    """Delay by silence: abuffer(s16 stereo) -> aresample=async=1 -> adelay on all channels."""
    graph = Graph()
    source = _source(graph, "s16", rate)
    sink = graph.add("abuffersink")
    graph.link_nodes(
        source,
        graph.add("aresample", args="async=1"),
        graph.add("adelay", args=f"delays={delay_ms}|{delay_ms}:all=1"),
        sink,
    ).configure()
    return Chain(graph, (source,), sink)


def mixing(count: int, rate: int) -> Chain:
    """Add `count` inputs: abuffer(s32 stereo) each -> amix without normalising -> s32 stereo."""
    graph = Graph()
    inputs = tuple(_source(graph, "s32", rate) for _ in range(count))
    mix = graph.add("amix", args=f"inputs={count}:normalize=0")
    for index, source in enumerate(inputs):
        source.link_to(mix, 0, index)
    end = graph.add("aformat", args=f"sample_fmts=s32:channel_layouts=stereo:sample_rates={rate}")
    sink = graph.add("abuffersink")
    graph.link_nodes(mix, end, sink).configure()
    return Chain(graph, inputs, sink)
