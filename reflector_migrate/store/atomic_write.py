"""Files that a reader finds whole: as they were before, or as they are now."""

from __future__ import annotations

import os
from pathlib import Path

PRIVATE = 0o600


def write_aside(path: Path, content: str | bytes, mode: int = 0o666) -> None:
    """Write a sibling, flush it to the disk and rename it; nothing is left of one that failed.

    Text becomes UTF-8. `mode` is that of a new file, less the umask. OSError where it cannot be
    written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - for its mode
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:  # said of the file that was meant, not of its sibling
        raise type(error)(error.errno, error.strerror, str(path)) from None
    finally:
        aside.unlink(missing_ok=True)
