"""How a process that serves reports this to the one that started it."""

from __future__ import annotations

import os
from pathlib import Path


def ready_file() -> Path | None:
    """The file by which the parent wants to hear that this process serves."""
    path = os.environ.get("MIGRATE_READY_FILE")
    return Path(path) if path else None


def mark_ready() -> None:
    """Report to the parent, through the file it named, that this process serves."""
    if path := ready_file():
        path.write_text(str(os.getpid()), encoding="ascii")
