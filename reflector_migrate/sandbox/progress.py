"""How a download shows on stderr: a bar on a terminal, elsewhere a line every ten seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

_LINE_EVERY_S = 10.0
Advance = Callable[[int], None]


def download_progress(filename: str, size_bytes: int) -> AbstractContextManager[Advance]:
    """A context that yields `advance(bytes)`; the form jgo asks for."""
    is_terminal = sys.stderr.isatty()
    return _bar(filename, size_bytes) if is_terminal else _lines(filename, size_bytes)


@contextmanager
def _bar(filename: str, size_bytes: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    console = Console(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task(f"fetching {filename}", total=size_bytes)
        yield lambda count: progress.advance(task, count)


@contextmanager
def _lines(filename: str, size_bytes: int) -> Iterator[Advance]:
    done, last = 0, time.monotonic()
    sys.stderr.write(f"fetching {filename}, {size_bytes / 1e6:.0f} MB\n")

    def advance(count: int) -> None:
        nonlocal done, last
        done += count
        if time.monotonic() - last >= _LINE_EVERY_S:
            last = time.monotonic()
            sys.stderr.write(f"fetching {filename}: {done / size_bytes:.0%}\n")

    yield advance
