"""Which code this is: a hash over the installed sources."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import reflector_migrate

SOURCES = (".py", ".json")
HEX_DIGITS = 12


@lru_cache(maxsize=1)
def build_hash() -> str:
    """Twelve hex digits that change when any of our installed sources does."""
    return hash_of(Path(reflector_migrate.__file__).parent)


def hash_of(folder: Path) -> str:
    """Hash of names and contents of the sources under `folder`, in a fixed order."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.suffix in SOURCES):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:HEX_DIGITS]
