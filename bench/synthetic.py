"""Synthetic meetings, and races between two ways of measuring them."""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from reflector_migrate.model import (
    Event,
    Observation,
    Outputs,
    Participant,
    StepRun,
    Topic,
    Word,
)

_ENDS = [
    f"{a}{b}" for a in "bdglmnprst" for b in ("er", "a", "ing", "on", "y", "le", "o", "us", "ic")
]
VOCABULARY = [f"{a}{b}{c}" for a in "bdfghklmnp" for b in ("ea", "ou", "i", "o") for c in _ENDS]
"""Three thousand six hundred words that are none."""


def race(
    name: str,
    ours: Callable[[], Any],
    peer: Callable[[], Any],
    *,
    rounds: int,
    reach: float,
    times: int = 1,
) -> float:
    """Run both in turn, `times` times a round; print the medians and, last, the ratio.

    Results must be equal. Neither side pays for the other's garbage.
    """
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        answers = []
        for side, run in enumerate((ours, peer)):
            gc.collect()
            begin = time.process_time()
            answers.append([run() for _ in range(times)][-1])
            taken[side].append((time.process_time() - begin) / times)
        assert answers[0] == answers[1], f"{name}: {answers}"
    medians = [statistics.median(side) * 1000 for side in taken]
    ratio = medians[0] / medians[1]
    print(f"{name:<48} ours {medians[0]:9.3f} ms   peer {medians[1]:9.2f} ms   "
          f"reach {reach:.4f}   ratio {ratio:.4f}", flush=True)  # fmt: skip
    return ratio


def transcript(rng: random.Random, n: int) -> list[str]:
    """n words of a vocabulary of four thousand."""
    return rng.choices(VOCABULARY, k=n)


def noisy(rng: random.Random, words: Sequence[str], rate: float = 0.03) -> list[str]:
    """A third of the edits each: lost, replaced, inserted."""
    out: list[str] = []
    for word in words:
        draw = rng.random()
        if draw < rate / 3:
            continue
        out.append(rng.choice(VOCABULARY) if draw < 2 * rate / 3 else word)
        if 2 * rate / 3 <= draw < rate:
            out.append(rng.choice(VOCABULARY))
    return out


def words_of(texts: Sequence[str], speakers: int) -> tuple[Word, ...]:
    """Speakers take turns of twenty words, three words a second."""
    return tuple(
        Word(text=f"{t} ", start=round(n / 3, 2), end=round(n / 3 + 0.3, 2),
             speaker=(n // 20) % speakers)
        for n, t in enumerate(texts)
    )  # fmt: skip


def misheard(rng: random.Random, words: Sequence[Word], rate: float = 0.03) -> tuple[Word, ...]:
    """The same speech recognised again: words lost, replaced, inserted; times and speakers kept."""
    out: list[Word] = []
    for word in words:
        heard = noisy(rng, [word.text], rate)
        out += [word.model_copy(update={"text": f"{text.strip()} "}) for text in heard]
    return tuple(out)


def meeting(rng: random.Random, words: tuple[Word, ...], tracks: int, topics: int) -> Observation:
    """A finished run over these words, with 500 events."""
    size = len(words) // topics
    chapters = tuple(
        Topic(title=" ".join(transcript(rng, 5)), summary=" ".join(transcript(rng, 30)),
              timestamp=words[n * size].start, duration=0, words=words[n * size : (n + 1) * size])
        for n in range(topics)
    )  # fmt: skip
    summary = f"{' '.join(transcript(rng, 400))} costs {rng.randint(100, 999)} euro."
    outputs = Outputs(
        participants=tuple(Participant(id=f"p{n}", speaker=n, name=f"N{n}") for n in range(tracks)),
        duration_ms=len(words) / 3 * 1000,
        waveform=tuple(rng.random() for _ in range(254)),
        words=words,
        topics=chapters,
        title="A title",
        short_summary=summary[:600],
        long_summary=summary,
        webvtt="WEBVTT\n",
        row={"id": "transcript-1", "status": "ended"},
    )
    events = tuple(Event(event="TOPIC", data={"title": c.title}) for c in chapters)
    filler = tuple(Event(event="PIPELINE_PROGRESS") for _ in range(500 - len(events)))
    return Observation(recording="r", role="primary", engine="celery", status="completed",
                       language="en", outputs=outputs, events=events + filler,
                       steps=(StepRun(name="finalize"),))  # fmt: skip
