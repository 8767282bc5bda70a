"""The prints of every known utterance, kept beside the recordings.

`prints.npz` holds one recording's band levels, half a decibel a step. It names the
hash of the tracks and words it was made from; one that does not fit any more is
rebuilt and kept in the user's cache folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import platformdirs

from reflector_migrate.sandbox.recordings import (
    FixtureRecording,
    FixtureUtterance,
    load_recordings,
)
from reflector_migrate.sandbox.standins.hearing.levels import (
    FLOOR_DB,
    FRAME_S,
    PATCH,
    TERMS,
    Levels,
    descriptors,
    levels_of,
)
from reflector_migrate.sandbox.standins.hearing.sound import decode

FILE = "prints.npz"
VERSION = "1"
STEP_DB, LOWEST_DB = 0.5, -90.0
MARGIN = PATCH // 2  # frames of silence around an utterance, so that its edges can be recognised

Quantised = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Print:
    """One utterance's levels; its first sound is `onset_s` after the first frame."""

    utterance: FixtureUtterance
    levels: Levels
    onset_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """Every known utterance, and a descriptor for each of its places."""

    prints: tuple[Print, ...]
    vectors: npt.NDArray[np.float32]
    owners: npt.NDArray[np.int32]
    places: npt.NDArray[np.int32]
    languages: frozenset[str]


def load_corpus(root: Path) -> Corpus:
    """The prints of all recordings below `root`; raises InputError for broken ones."""
    recordings: Mapping[str, FixtureRecording] = load_recordings(root)
    prints = [p for recording in recordings.values() for p in _prints(recording)]
    languages = frozenset(recording.languages.source for recording in recordings.values())
    return _indexed(tuple(prints), languages)


def write_prints(recording: FixtureRecording) -> None:
    """Make the prints of a recording and keep them in its folder."""
    _write(recording.folder / FILE, digest_of(recording), _measure(recording))


def digest_of(recording: FixtureRecording) -> str:
    """What the prints depend on: the tracks' bytes, the utterances, this code's version."""
    digest = hashlib.sha256(VERSION.encode())
    for track in recording.tracks:
        digest.update(hashlib.sha256(recording.path(track).read_bytes()).digest())
        digest.update(f"{track.start_s}".encode())
    for utterance in recording.utterances:
        digest.update(f"{utterance.track} {utterance.start} {utterance.end}\n".encode())
    return digest.hexdigest()


def _prints(recording: FixtureRecording) -> Iterable[Print]:
    digest = digest_of(recording)
    kept = Path(platformdirs.user_cache_dir("reflector-migrate")) / "hearing" / f"{digest}.npz"
    found = _read(recording.folder / FILE, digest)
    if found is None:
        found = _read(kept, digest)
    if found is None:
        found = _measure(recording)
        with contextlib.suppress(OSError):  # a cache that cannot be written is no cache
            kept.parent.mkdir(parents=True, exist_ok=True)
            _write(kept, digest, found)
    levels = found.astype(np.float32) * STEP_DB + LOWEST_DB
    first = 0
    for utterance in recording.utterances:
        begin, end = _span(recording, utterance)
        onset_s = utterance.start - _start_s(recording, utterance) - begin * FRAME_S
        yield Print(utterance, levels[first : first + end - begin], onset_s)
        first += end - begin


def _start_s(recording: FixtureRecording, utterance: FixtureUtterance) -> float:
    return max(0.0, recording.tracks[utterance.track].start_s)


def _span(recording: FixtureRecording, utterance: FixtureUtterance) -> tuple[int, int]:
    """The frames of its track's own sound that an utterance touches."""
    start_s = _start_s(recording, utterance)
    begin = int((utterance.start - start_s) / FRAME_S) - 2
    return max(0, begin), int((utterance.end - start_s) / FRAME_S) + 1


def _measure(recording: FixtureRecording) -> Quantised:
    blocks: list[Levels] = []
    whole: dict[int, Levels] = {}
    for utterance in recording.utterances:
        if utterance.track not in whole:
            samples = decode(recording.path(recording.tracks[utterance.track]))
            whole[utterance.track] = levels_of(samples)
        begin, end = _span(recording, utterance)
        blocks.append(_exactly(whole[utterance.track][begin:end], end - begin))
    levels = np.concatenate(blocks) if blocks else np.zeros((0, 1), dtype=np.float32)
    steps: Quantised = np.clip(np.rint((levels - LOWEST_DB) / STEP_DB), 0, 255).astype(np.uint8)
    return steps


def _exactly(levels: Levels, frames: int) -> Levels:
    missing = frames - len(levels)
    return np.pad(levels, ((0, missing), (0, 0)), constant_values=LOWEST_DB) if missing else levels


def _read(file: Path, digest: str) -> Quantised | None:
    try:
        with np.load(file, allow_pickle=False) as kept:
            if str(kept["digest"]) != digest:
                return None
            levels: Quantised = np.asarray(kept["levels"], dtype=np.uint8)
            return levels
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None


def _write(file: Path, digest: str, levels: Quantised) -> None:
    """Appear whole or not at all: several stand-ins may start at once."""
    partial = file.with_name(f".{file.stem}.{os.getpid()}.npz")
    np.savez_compressed(partial, digest=np.array(digest), levels=levels)
    partial.replace(file)


def _indexed(prints: tuple[Print, ...], languages: frozenset[str]) -> Corpus:
    vectors = [np.zeros((0, TERMS), dtype=np.float32)]
    owners = [np.zeros(0, dtype=np.int32)]
    places = [np.zeros(0, dtype=np.int32)]
    for owner, one in enumerate(prints):
        padded = np.pad(one.levels, ((MARGIN, MARGIN), (0, 0)), constant_values=FLOOR_DB)
        starts = np.arange(0, len(padded) - PATCH + 1, 2)
        vectors.append(descriptors(padded, starts))
        owners.append(np.full(len(starts), owner, dtype=np.int32))
        places.append((starts - MARGIN).astype(np.int32))
    index = (np.concatenate(vectors), np.concatenate(owners), np.concatenate(places))
    return Corpus(prints, *index, languages=languages)
