"""What a recording's verdict notices, judged by its divergence and by its excess.

    python -m bench.bench_power [--quick] [--page docs/results/power.md]

Three runs of a meeting each have their own errors: words misheard, left out or put in. A meeting's
error rate is spread around the mean (lognormal), as in a stratum of easy and hard recordings. n
recordings with a secondary and an unaltered candidate are the floors. Then fresh recordings are
judged: unaltered, with more errors, with ten seconds lost, with two speakers' words exchanged.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from comparators.registry import MEASURES, Measures
from reflector_migrate.judge.compare import judge
from reflector_migrate.judge.noise import NoiseFloors, excesses_of, floors_of, stratum_of
from reflector_migrate.model import Event, Observation, Outputs, Participant, Role, Verdict, Word

SEED = 20261129
WORDS, SPEAKERS, WORD_S = 1500, 3, 0.35
SPREAD = 0.5
"""Standard deviation of the logarithm of a recording's error rate."""
RATES, PAIRS = (0.01, 0.03, 0.06), (20, 50, 200)
MORE_PP = (1, 2, 5, 10)
UNALTERED_TIMES = 4
MEASURED = Measures(tuple(s for s in MEASURES if s.name in ("words", "speaker_words")))
VOCABULARY = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("n", "r", "st", "l")]


@dataclass(frozen=True)
class Meeting:
    """What was said, by whom, and how often a run mishears it."""

    said: tuple[tuple[str, int], ...]
    rate: float

    @classmethod
    def drawn(cls, draw: random.Random, rate: float) -> Meeting:
        """Turns of 5 to 40 words, its own rate around the mean."""
        said: list[tuple[str, int]] = []
        while len(said) < WORDS:
            speaker = draw.randrange(SPEAKERS)
            said += [(draw.choice(VOCABULARY), speaker) for _ in range(draw.randint(5, 40))]
        own = min(0.3, rate * draw.lognormvariate(-(SPREAD**2) / 2, SPREAD))
        return cls(tuple(said[:WORDS]), own)

    def heard(self, draw: random.Random, more: float = 0.0) -> list[Word]:
        """One run's words."""
        rate = self.rate + more
        return list(self._heard(draw, rate))

    def _heard(self, draw: random.Random, rate: float) -> Iterator[Word]:
        for place, (text, speaker) in enumerate(self.said):
            at, chance = place * WORD_S, draw.random()
            wrong = chance < 0.5 * rate
            if not 0.5 * rate <= chance < 0.75 * rate:
                yield _word(draw.choice(VOCABULARY) if wrong else text, at, speaker)
            if 0.75 * rate <= chance < rate:
                yield _word(draw.choice(VOCABULARY), at + WORD_S / 2, speaker)


def _word(text: str, at: float, speaker: int) -> Word:
    return Word(text=f"{text} ", start=at, end=at + WORD_S / 2, speaker=speaker)


def observed(words: Sequence[Word], role: Role) -> Observation:
    """A completed run with these words."""
    people = tuple(Participant(id=f"p{n}", speaker=n, name=f"Name{n}") for n in range(SPEAKERS))
    return Observation(
        recording="bench", role=role, engine="celery", status="completed", language="en",
        track_count=SPEAKERS, events=(Event(event="STATUS", data={"value": "ended"}),),
        outputs=Outputs(words=tuple(words), participants=people, row={"id": "t"},
                        duration_ms=WORDS * WORD_S * 1000),
    )  # fmt: skip


def _lose(words: Sequence[Word], draw: random.Random) -> list[Word]:
    start = draw.uniform(10, WORDS * WORD_S - 20)
    return [word for word in words if not start <= word.start < start + 10]


def _swap(words: Sequence[Word], _draw: random.Random) -> list[Word]:
    other = {0: 1, 1: 0}
    return [
        word.model_copy(update={"speaker": other.get(word.speaker or 0, word.speaker)})
        for word in words
    ]


def trial(draw: random.Random, rate: float, what: str) -> tuple[Observation, ...]:
    """Primary, secondary and candidate of a fresh meeting."""
    meeting = Meeting.drawn(draw, rate)
    more = int(what[1:-3]) / 100 if what.startswith("+") else 0.0
    words = meeting.heard(draw, more)
    words = _lose(words, draw) if what == "10 s lost" else words
    words = _swap(words, draw) if what == "speakers exchanged" else words
    legacy = (observed(meeting.heard(draw), Role.PRIMARY) for _ in range(2))
    return (*legacy, observed(words, Role.CANDIDATE))


CHANGES = ("unaltered", *(f"+{pp} pp" for pp in MORE_PP), "10 s lost", "speakers exchanged")


def floors(draw: random.Random, rate: float, n: int) -> NoiseFloors:
    """Of n recordings with an unaltered candidate, as the collector keeps them."""
    pairs, exchanged = [], []
    for _ in range(n):
        first, second, candidate = trial(draw, rate, "unaltered")
        found = judge(first, candidate, secondary=second, measures=MEASURED)
        stratum = stratum_of(first)
        pairs.append((stratum, found.repeats.between_legacy))
        measures = [check.measure for check in found.comparison.checks if check.measure]
        exchanged.append((stratum, found.repeats.exchanged(measures)))
    return replace(floors_of(pairs), excesses=excesses_of(exchanged))


def flagged(sides: tuple[Observation, ...], known: NoiseFloors) -> tuple[bool, bool]:
    """Whether the recording is DIVERGED, by divergence and by excess."""
    first, second, candidate = sides
    by_distance = replace(known, excesses={})
    return tuple(  # type: ignore[return-value]
        judge(first, candidate, secondary=second, floors=each, measures=MEASURED).comparison.verdict
        is Verdict.DIVERGED
        for each in (by_distance, known)
    )


def table(trials: int) -> str:
    """Shares of recordings that are DIVERGED: by divergence, then by excess."""
    lines = [
        "| error rate | stored | " + " | ".join(CHANGES) + " |",
        "|--:|--:|" + "--:|" * len(CHANGES),
    ]
    for rate in RATES:
        for n in PAIRS:
            draw = random.Random(f"{SEED}:{rate}:{n}")
            known = floors(draw, rate, n)
            cells = []
            for what in CHANGES:
                times = UNALTERED_TIMES * trials if what == "unaltered" else trials
                seen = [flagged(trial(draw, rate, what), known) for _ in range(times)]
                before, after = (sum(each) / times for each in zip(*seen, strict=True))
                cells.append(f"{before:.1%} -> {after:.1%}")
            lines.append(f"| {rate:.0%} | {n} | " + " | ".join(cells) + " |")
            print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


def main() -> int:
    """Print the table; with --page, write it there too."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="2 recordings a cell, not 50")
    parser.add_argument("--page", type=Path)
    asked = parser.parse_args()
    trials = 2 if asked.quick else 50
    text = table(trials)
    if asked.page:
        head = (
            "# What one recording's verdict notices\n\n"
            "Share of recordings that are DIVERGED, judged by their divergence (before) and by\n"
            "their excess over their own A/A pair (now). Both have a secondary. *Stored* is the\n"
            f"number of recordings that the floors are made of. {WORDS} words, {SPEAKERS} speakers,"
            f" {trials}\nrecordings a cell, {UNALTERED_TIMES} times as many unaltered ones; the"
            " words' measures\nalone. Made by\n"
            "`python -m bench.bench_power --page docs/results/power.md`.\n\n"
        )
        asked.page.write_text(head + text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
