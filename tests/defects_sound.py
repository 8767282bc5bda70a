"""Sound that is made once: equal sources need not be padded and mixed in every test again."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from reflector_migrate.pipeline import audio


@dataclass(frozen=True)
class Sounds:
    """What the real padding and mixing wrote, by the content of their sources and the start.

    Equal sources give equal bytes, which other tests show; a defect that pads otherwise has
    other sources or another start, and so its own sound. Each side's sound is its own, and
    tests in several processes may share the folder.
    """

    folder: Path

    @contextmanager
    def reused(self, side: str) -> Iterator[None]:
        """Within the block, what this side made before is copied."""
        pad, mix = audio.pad_track, audio.mixdown

        def pad_once(source: audio.Source, out: Path, start_s: float, **more: Any) -> Any:
            key = (side, "pad", start_s, _content(source))
            return self._once(key, out, lambda: pad(source, out, start_s, **more))

        def mix_once(sources: list[audio.Source], out: Path, **more: Any) -> Any:
            key = (side, "mix", *map(_content, sources))
            return self._once(key, out, lambda: mix(sources, out, **more))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(audio, "pad_track", pad_once)
            patch.setattr(audio, "mixdown", mix_once)
            yield

    def _once(self, key: tuple[Any, ...], out: Path, make: Callable[[], Any]) -> Any:
        kept = self.folder / hashlib.sha256(repr(key).encode()).hexdigest()
        told = kept.with_suffix(".told")  # written last: who sees it finds the sound whole
        with kept.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not told.exists():
                result = make()
                shutil.copyfile(out, kept)
                told.write_bytes(pickle.dumps(result))
                return result
        shutil.copyfile(kept, out)
        return pickle.loads(told.read_bytes())


def _content(source: audio.Source) -> str:
    """A digest of what it holds; of what cannot be read, one that nothing else has."""
    if isinstance(source, Path):
        return hashlib.sha256(source.read_bytes()).hexdigest()
    answer = httpx.get(str(source), trust_env=False, timeout=30)
    if answer.status_code != httpx.codes.OK:
        return os.urandom(8).hex()
    return hashlib.sha256(answer.content).hexdigest()
