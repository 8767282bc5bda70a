"""Coverage: the share of eligible recordings that were compared.

A shortfall is missing evidence, not evidence against the candidate: it holds the phase
until the missing recordings are replayed, and never fails a build.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from reflector_migrate.judge.gates.answers import Decided, GateAnswer, rounded_down
from reflector_migrate.judge.gates.evidence import EvidenceLine
from reflector_migrate.judge.gates.question import Question
from reflector_migrate.model.vocabulary import GateVerdict

SHOWN = 3


class NightEnd(NamedTuple):
    """How many recordings were eligible by the end of a night, and how many lacked then."""

    night: str
    n: int
    lacking: int


def judge_coverage(question: Question) -> GateAnswer:
    """PASS when the share is reached, to the last recording: rounding does not help.

    A recording's last line counts, but one that was compared stays compared. Each night's end is
    looked at: since is the night from which the state has stood, and where it is PASS, that of
    the decision.
    """
    found = question.evidence.of(question.measure, question.stratum)
    lines = sorted((line for line in found if line.coverage is not None), key=attrgetter("night"))
    limit, enough = question.rule.at_least or 1.0, question.rule.require_n
    if not lines:
        return question.unanswered(enough, limit=limit, unit="share")
    fates: dict[str, str] = {}
    done: set[str] = set()
    nights = groupby(lines, attrgetter("night"))
    ends = [_end_of(night, of, fates, done, limit) for night, of in nights]
    n, counts = len(fates), Counter(fates.values())
    missing = sorted(name for name, fate in fates.items() if fate != "compared")
    said = [f"{counts[fate]} {fate}" for fate in ("failed", "open", "lost") if counts[fate]]
    said += [f"first {', '.join(missing[:SHOWN])}"] if missing else []
    why = "; ".join([f"{counts['compared']} of {n} compared", *said])
    first, is_reached = _standing(ends, enough)
    share = rounded_down(float(Fraction(counts["compared"], n)), 4)
    shared = {"value": share, "limit": limit, "unit": "share", "n": n, "since": first.night}
    if is_reached:
        decided = Decided(n=first.n, night=first.night)
        return question.answer(GateVerdict.PASS, **shared, why=why, first_decided=decided)
    lacking = ends[-1].lacking
    if lacking <= 0:
        why = f"{why}; {enough} eligible recordings are needed"
    return question.answer(
        GateVerdict.INCONCLUSIVE, **shared, why=why,
        needs=question.needs(max(lacking, enough - n), n),
    )  # fmt: skip


def _end_of(
    night: str, lines: Iterable[EvidenceLine], fates: dict[str, str], done: set[str], limit: float
) -> NightEnd:
    """Add a night's lines to what became of each recording, and to those compared; count."""
    for line in lines:
        if line.recording not in done:
            fates[line.recording] = str(line.coverage)
        if line.coverage == "compared":
            done.add(line.recording)
    return NightEnd(night, len(fates), math.ceil(Fraction(str(limit)) * len(fates)) - len(done))


def _standing(ends: Sequence[NightEnd], enough: int) -> tuple[NightEnd, bool]:
    """The night's end from which the share has been reached, or not, without a break."""
    reached = [end.lacking <= 0 and end.n >= enough for end in ends]
    first = len(ends) - 1
    while first and reached[first - 1] == reached[-1]:
        first -= 1
    return ends[first], reached[-1]
