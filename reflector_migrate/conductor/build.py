"""Which code this is: a hash over the installed sources that can change an output.

Comments, docstrings and layout are not hashed, and rooms that only show, drive or decide are left
out: a corrected help text is the same build, so that evidence and signatures stay.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import reflector_migrate

SOURCES = (".py", ".json", ".toml")
HEX_DIGITS = 12
SILENT = ("cli", "cutover", "experiments", "frames.py", "judge/gates", "sandbox", "shadow/nightly")
"""Rooms that change no output and no comparison. A new room counts until it is named here."""
WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@lru_cache(maxsize=1)
def build_hash() -> str:
    """Twelve hex digits that change when an output or a comparison may.

    Parsing takes a second of processor time, so the answer is kept in the user's cache folder,
    by what the files hold.
    """
    package = Path(reflector_migrate.__file__).parent
    sources = {**_sources(package, SILENT), **_sources(package.parent / "comparators")}
    kept = _cache_folder() / f"build-{_hash_of_bytes(sources)}"
    with contextlib.suppress(OSError):
        if len(found := kept.read_text("ascii")) == HEX_DIGITS:
            return found
    made = _hash_of_code(sources)
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        aside = kept.with_name(f"{kept.name}.{os.getpid()}")
        aside.write_text(made, "ascii")
        aside.replace(kept)
    return made


def hash_of(folder: Path, without: Iterable[str] = ()) -> str:
    """Hash of names and code of the sources under `folder`, less those rooms, in a fixed order."""
    return _hash_of_code(_sources(folder, without))


def _sources(folder: Path, without: Iterable[str] = ()) -> dict[str, bytes]:
    """Name -> content, names beginning with the folder's own."""
    left_out = tuple(folder / name for name in without)
    return {
        path.relative_to(folder.parent).as_posix(): path.read_bytes()
        for path in sorted(p for p in folder.rglob("*") if p.suffix in SOURCES)
        if not any(path == room or room in path.parents for room in left_out)
    }


def _hash_of_bytes(sources: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for name, content in sources.items():
        digest.update(name.encode())
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def _hash_of_code(sources: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sources.items():
        digest.update(name.encode())
        code = "\n".join(_code(ast.parse(content))).encode() if name.endswith(".py") else content
        digest.update(hashlib.sha256(code).digest())
    return digest.hexdigest()[:HEX_DIGITS]


def _code(node: object) -> Iterator[str]:
    """A syntax tree as text, alike in every Python: no positions, no docstring, nothing empty."""
    if isinstance(node, ast.AST):
        yield type(node).__name__
        if isinstance(node, WITH_DOCSTRING) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
        for name, value in ast.iter_fields(node):
            if value is not None and value != []:
                yield name
                yield from _code(value)
    elif isinstance(node, list):
        for part in node:
            yield from _code(part)
    else:
        yield repr(node)


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "reflector-migrate"
