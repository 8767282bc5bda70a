"""The candidate's sound, made once: a defect elsewhere need not have it padded and mixed again."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from reflector_migrate.pipeline import audio


@dataclass
class Sounds:
    """What the real padding and mixing wrote, by the content of their sources and the start.

    Equal sources give equal bytes, which other tests show; a defect that pads otherwise has
    other sources or another start, and so its own sound.
    """

    folder: Path
    made: dict[tuple[Any, ...], tuple[Path, Any]] = field(default_factory=dict)

    @contextmanager
    def reused(self) -> Iterator[None]:
        """Within the block, what was made before is copied."""
        pad, mix = audio.pad_track, audio.mixdown

        def pad_once(source: audio.Source, out: Path, start_s: float, **more: Any) -> Any:
            key = ("pad", start_s, _content(source))
            return self._once(key, out, lambda: pad(source, out, start_s, **more))

        def mix_once(sources: list[audio.Source], out: Path, **more: Any) -> Any:
            key = ("mix", *map(_content, sources))
            return self._once(key, out, lambda: mix(sources, out, **more))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(audio, "pad_track", pad_once)
            patch.setattr(audio, "mixdown", mix_once)
            yield

    def _once(self, key: tuple[Any, ...], out: Path, make: Callable[[], Any]) -> Any:
        if key not in self.made:
            result = make()
            kept = self.folder / f"sound-{len(self.made)}"
            shutil.copyfile(out, kept)
            self.made[key] = kept, result
            return result
        kept, result = self.made[key]
        shutil.copyfile(kept, out)
        return result


def _content(source: audio.Source) -> str:
    """A digest of what it holds; of what cannot be read, one that nothing else has."""
    if isinstance(source, Path):
        return hashlib.sha256(source.read_bytes()).hexdigest()
    answer = httpx.get(str(source), trust_env=False, timeout=30)
    if answer.status_code != httpx.codes.OK:
        return os.urandom(8).hex()
    return hashlib.sha256(answer.content).hexdigest()
