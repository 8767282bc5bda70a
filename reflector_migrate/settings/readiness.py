"""How a process that serves tells whoever started it that it does."""

from __future__ import annotations

import os
from pathlib import Path


def ready_file() -> Path | None:
    """The file by which whoever started this process wants to hear that it serves."""
    path = os.environ.get("MIGRATE_READY_FILE")
    return Path(path) if path else None


def mark_ready() -> None:
    """Tell whoever started this process, through the file it named, that it is serving."""
    if path := ready_file():
        path.write_text(str(os.getpid()), encoding="ascii")
