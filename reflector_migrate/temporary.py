"""Temporary folders that a killed process does not leave for ever: the next one removes them."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir, mkdtemp

OWNER = ".owner"
"""Locked for as long as the folder's process lives; the kernel lets go of it, however that ends."""


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A new folder, gone at the end of the block; first, those go whose processes were killed.

    `prefix` names what the folders are for: only those are looked at.
    """
    _remove_abandoned(prefix)
    folder = Path(mkdtemp(prefix=prefix))
    owner = os.open(folder / ".new", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(owner, fcntl.LOCK_EX)
        (folder / ".new").rename(folder / OWNER)  # under this name it is locked from the beginning
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(owner)


def _remove_abandoned(prefix: str) -> None:
    for mark in Path(gettempdir()).glob(f"{prefix}*/{OWNER}"):
        try:
            owner = os.open(mark, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:  # another user's, or gone by now
            continue
        try:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(mark.parent, ignore_errors=True)
        except BlockingIOError:  # its process lives
            pass
        finally:
            os.close(owner)
