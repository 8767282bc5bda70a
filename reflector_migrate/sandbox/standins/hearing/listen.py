"""Explains a sound by known utterances: probes vote, the best explanation claims its frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reflector_migrate.sandbox.recordings import FixtureUtterance
from reflector_migrate.sandbox.standins.hearing.corpus import Corpus, Print
from reflector_migrate.sandbox.standins.hearing.levels import (
    FLOOR_DB,
    FRAME_S,
    PATCH,
    Levels,
    Mask,
    active,
    descriptors,
    levels_of,
)
from reflector_migrate.sandbox.standins.hearing.sound import RATE, Samples

PROBE_EVERY = 8  # frames
PROBE_ACTIVE = 12  # frames of a patch in which something must sound
BATCH = 256
ALIKE = 0.8
SHIFTS = range(-4, 5)
SAME_DB = 5.0  # how far a frame may lie from its print, root mean square over the bands
MOST_GAIN_DB = 30.0
WORD_SHARE = 0.5
SURE_SHARE = 0.95  # of an utterance: no other one can explain that much of it
LEAST_FRAMES = 20
LEAST_SHARE = 0.6
UNKNOWN_FRAMES = 10
UNKNOWN_SHARE = 0.5  # a chance word in a stretch of garbage does not make it speech


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A word and when it sounds, seconds of the given audio."""

    word: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class HeardUtterance:
    """An utterance that was found, whole or in part."""

    utterance: FixtureUtterance
    onset_s: float
    words: tuple[HeardWord, ...]


@dataclass(frozen=True, slots=True)
class Hearing:
    """Everything found in a sound, in order of onset."""

    utterances: tuple[HeardUtterance, ...]
    audio_s: float
    unknown_s: float
    is_unknown: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """How well a print explains the frames from `at` on."""

    owner: int
    at: int
    matched: Mask
    distance: npt.NDArray[np.float32]

    @property
    def score(self) -> int:
        return int(self.matched.sum())


def listen(samples: Samples, corpus: Corpus) -> Hearing:
    """Find every known utterance; sound that is mostly none of them is_unknown."""
    levels = levels_of(samples)
    sounding = active(levels)
    ear = _Ear(corpus, levels)
    fits = list(ear.explain(_candidates(levels, sounding, corpus)))
    heard = sorted((ear.heard(fit) for fit in fits), key=lambda h: h.onset_s)
    unknown = int((sounding & ~ear.claimed).sum())
    return Hearing(
        utterances=tuple(heard),
        audio_s=len(samples) / RATE,
        unknown_s=unknown * FRAME_S,
        is_unknown=unknown >= UNKNOWN_FRAMES and unknown > UNKNOWN_SHARE * int(sounding.sum()),
    )


def _candidates(levels: Levels, sounding: Mask, corpus: Corpus) -> Counter[tuple[int, int]]:
    """Votes for (utterance, frame at which its print would begin)."""
    padded = np.pad(levels, ((0, PATCH), (0, 0)), constant_values=FLOOR_DB)
    busy = np.convolve(sounding, np.ones(PATCH, dtype=np.int32))[PATCH - 1 :]
    starts = np.arange(0, len(levels), PROBE_EVERY)
    starts = starts[busy[starts] >= PROBE_ACTIVE]
    votes: Counter[tuple[int, int]] = Counter()
    if not corpus.prints:
        return votes
    for at in range(0, len(starts), BATCH):
        batch = starts[at : at + BATCH]
        alike = descriptors(padded, batch) @ corpus.vectors.T
        best = alike.argmax(axis=1)
        for row in np.flatnonzero(alike[np.arange(len(batch)), best] > ALIKE):
            owner, place = corpus.owners[best[row]], corpus.places[best[row]]
            votes[int(owner), int(batch[row] - place)] += 1
    return votes


class _Ear:
    """A sound under examination: which frames are explained already."""

    def __init__(self, corpus: Corpus, levels: Levels) -> None:
        self._corpus = corpus
        self._levels = levels
        self._open = active(levels)
        self.claimed: Mask = np.zeros(len(levels), dtype=np.bool_)

    def explain(self, votes: Counter[tuple[int, int]]) -> Iterator[_Fit]:
        """The fits that explain most, best first; none explains what another did."""
        doubtful: list[_Fit] = []
        for owner, at in _bundled(votes):
            if self._is_open(owner, at):
                fit = self._fit(owner, at)
                if fit.score >= SURE_SHARE * self._whole(owner):
                    self._claim(fit)
                    yield fit
                else:
                    doubtful.append(fit)
        yield from self._settle(doubtful)

    def _settle(self, fits: list[_Fit]) -> Iterator[_Fit]:
        """Take partial fits by what they explain that nothing better did."""
        while fits:
            fits = [fit for fit in map(self._unclaimed, fits) if self._is_enough(fit)]
            if fits:
                best = max(fits, key=lambda fit: fit.score)
                fits = [fit for fit in fits if fit is not best]
                self._claim(best)
                yield best

    def heard(self, fit: _Fit) -> HeardUtterance:
        """The words of a fit whose own frames were found."""
        known = self._corpus.prints[fit.owner]
        onset_s = fit.at * FRAME_S + known.onset_s
        utterance = known.utterance
        words = (
            HeardWord(
                w.word, onset_s + w.start - utterance.start, onset_s + w.end - utterance.start
            )
            for place, w in enumerate(utterance.words)
            if _is_heard(fit, known, place)
        )
        return HeardUtterance(utterance, onset_s, tuple(words))

    def _fit(self, owner: int, at: int) -> _Fit:
        fits = (self._fit_at(owner, at + shift) for shift in SHIFTS)
        return max(fits, key=lambda fit: (fit.score, -float(fit.distance.mean())))

    def _fit_at(self, owner: int, at: int) -> _Fit:
        known = self._corpus.prints[owner].levels
        sound = self._window(at, len(known))
        reference = np.maximum(known, FLOOR_DB)
        both = (known > FLOOR_DB + 10) & (sound > FLOOR_DB)
        gain = float(np.median((known - sound)[both])) if both.any() else 0.0
        sound = np.maximum(sound + np.clip(gain, -MOST_GAIN_DB, MOST_GAIN_DB), FLOOR_DB)
        distance = np.sqrt(np.mean((sound - reference) ** 2, axis=1))
        return _Fit(owner, at, active(known) & (distance < SAME_DB), distance)

    def _window(self, at: int, frames: int) -> Levels:
        begin, end = max(at, 0), max(0, min(at + frames, len(self._levels)))
        before = min(frames, begin - at)
        inside = self._levels[begin : max(begin, end)]
        after = frames - before - len(inside)
        return np.pad(inside, ((before, after), (0, 0)), constant_values=FLOOR_DB)

    def _claims(self, fit: _Fit) -> npt.NDArray[np.int64]:
        frames = np.flatnonzero(fit.matched) + fit.at
        return frames[(frames >= 0) & (frames < len(self.claimed))]

    def _is_open(self, owner: int, at: int) -> bool:
        """Whether there is still something to explain where the print would lie."""
        span = slice(max(at, 0), max(at + len(self._corpus.prints[owner].levels), 0))
        return int(self._open[span].sum()) >= UNKNOWN_FRAMES

    def _whole(self, owner: int) -> int:
        return int(active(self._corpus.prints[owner].levels).sum())

    def _unclaimed(self, fit: _Fit) -> _Fit:
        frames = np.arange(len(fit.matched)) + fit.at
        inside = (frames >= 0) & (frames < len(self.claimed))
        taken = np.zeros(len(frames), dtype=np.bool_)
        taken[inside] = self.claimed[frames[inside]]
        if not (fit.matched & taken).any():
            return fit
        return _Fit(fit.owner, fit.at, fit.matched & ~taken, fit.distance)

    def _is_enough(self, fit: _Fit) -> bool:
        whole = self._whole(fit.owner)
        known = self._corpus.prints[fit.owner]
        words = range(len(known.utterance.words))
        is_long = fit.score >= min(LEAST_FRAMES, LEAST_SHARE * whole)
        return is_long and any(_is_heard(fit, known, place) for place in words)

    def _claim(self, fit: _Fit) -> None:
        frames = self._claims(fit)
        for near in range(-3, 4):
            self.claimed[np.clip(frames + near, 0, len(self.claimed) - 1)] = True
        self._open &= ~self.claimed


def _bundled(votes: Counter[tuple[int, int]]) -> list[tuple[int, int]]:
    """One candidate for each bundle of neighbouring votes, the most voted first."""
    bundles: Counter[tuple[int, int]] = Counter()
    for (owner, at), count in sorted(votes.items(), key=lambda item: (-item[1], item[0])):
        near = ((owner, at + shift) for shift in SHIFTS)
        bundles[next((one for one in near if one in bundles), (owner, at))] += count
    return [one for one, _ in bundles.most_common()]


def _is_heard(fit: _Fit, known: Print, place: int) -> bool:
    words = known.utterance.words
    begin_s = words[place].start - known.utterance.start + known.onset_s
    is_last = place + 1 == len(words)
    until = known.utterance.end if is_last else words[place + 1].start
    end_s = until - known.utterance.start + known.onset_s
    begin = int(begin_s / FRAME_S)
    span = slice(begin, max(begin + 3, int(end_s / FRAME_S)))
    audible = int(active(known.levels[span]).sum())
    return audible > 0 and int(fit.matched[span].sum()) >= WORD_SHARE * audible
