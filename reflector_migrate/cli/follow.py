"""Live progress of both sides: redrawn on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reflector_migrate.cli.common import say

if TYPE_CHECKING:
    from reflector_migrate.harness import Harness
    from reflector_migrate.store.runs import RunRecord

LINE_EVERY_S = 10.0

Progress = Callable[["RunRecord | None", str], None]


@contextmanager
def follow(harness: Harness) -> Iterator[Progress]:
    """Give a function to call often; it shows what both sides are doing."""
    from reflector_migrate.shadow.observe.live_lines import both_sides

    if not sys.stderr.isatty():
        yield _lines(harness)
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    begun = time.monotonic()
    with Live(Text(""), console=Console(stderr=True), refresh_per_second=5, transient=True) as live:
        yield lambda run, _words: live.update(
            Text("\n".join((_elapsed(begun), *both_sides(harness, run))))
        )


def _lines(harness: Harness) -> Progress:
    from reflector_migrate.shadow.observe.live_lines import both_sides

    begun = time.monotonic()
    last = [begun]

    def progress(run: RunRecord | None, _words: str) -> None:
        if time.monotonic() - last[0] >= LINE_EVERY_S:
            last[0] = time.monotonic()
            say("   ".join((_elapsed(begun), *both_sides(harness, run))))

    return progress


def _elapsed(begun: float) -> str:
    from reports.figures import span

    return f"{span(time.monotonic() - begun):>5}"
