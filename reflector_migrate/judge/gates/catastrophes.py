"""G2: outputs that are empty, truncated or looped on the candidate alone.

None in n recordings shows, at confidence 1 - alpha, a rate under p once
n >= ln(1/alpha) / -ln(1 - p). One is a FAIL, so the rule asks once and needs no correction for
being looked at often.
"""

from __future__ import annotations

import math
from collections import Counter

from reflector_migrate.judge.gates.answers import Bounds, GateAnswer, rounded_down, rounded_up
from reflector_migrate.judge.gates.question import Question, counted, decided_at, first_night
from reflector_migrate.model.vocabulary import GateVerdict


def recordings_needed(rate: float, alpha: float) -> int:
    """How many recordings without one show a rate under `rate`."""
    return math.ceil(math.log(1 / alpha) / -math.log1p(-rate))


def rate_at_most(found: int, n: int, alpha: float) -> float:
    """Upper bound of a rate, found so often in n (Clopper and Pearson 1934); 1 for n = 0."""
    from scipy.special import betaincinv

    return 1.0 if found >= n else float(betaincinv(found + 1, n - found, 1 - alpha))


def judge_catastrophes(question: Question) -> GateAnswer:
    """FAIL on the first one; PASS when there is none in enough recordings."""
    rule, alpha = question.rule, question.rules.alpha
    lines = [
        line
        for line in question.evidence.lines
        if line.catastrophe is not None
        and (question.stratum is None or question.stratum in line.facets)
    ]
    rate = (question.stratum and rule.stratum_limit) or rule.limit or 0.0
    enough = max(recordings_needed(rate, alpha), rule.require_n)
    if not lines:
        return question.unanswered(enough, limit=0, unit="catastrophes")
    steps = list(counted(lines))
    n = steps[-1][0]
    hit = {line.recording for line in lines if line.has_catastrophe}
    high = rounded_up(100 * rate_at_most(len(hit), n, alpha))
    bounds = Bounds(
        low=0, high=high, mean=rounded_down(100 * len(hit) / n), unit="%", confidence=1 - alpha
    )
    shared = {
        "value": len(hit), "limit": 0, "unit": "catastrophes", "n": n, "bounds": bounds,
        "margin": 100 * rate,
    }  # fmt: skip
    legacy = _of_legacy({line.recording: line.legacy_catastrophe for line in lines})
    if hit:
        at, line = next((at, line) for at, line in steps if line.has_catastrophe)
        kinds = Counter(str(line.catastrophe) for line in lines if line.has_catastrophe)
        named = ", ".join(f"{kind} {times}" for kind, times in sorted(kinds.items()))
        return question.answer(
            GateVerdict.FAIL, **shared, since=line.night, first_decided=decided_at(at, line),
            why=f"{named}{question.place}, first in {line.recording}; {legacy}",
        )  # fmt: skip
    if n < enough:
        why = f"none{question.place}, but a rate under {100 * rate:g} % takes {enough} recordings"
        return question.answer(
            GateVerdict.INCONCLUSIVE, **shared, why=f"{why}; {legacy}",
            since=first_night(line.night for line in lines), needs=question.needs(enough - n, n),
        )  # fmt: skip
    at, line = next((at, line) for at, line in steps if at == enough)
    return question.answer(
        GateVerdict.PASS, **shared, why=f"rate{question.place} under {high} %; {legacy}",
        since=line.night, first_decided=decided_at(at, line),
    )  # fmt: skip


def _of_legacy(known: dict[str, str | None]) -> str:
    """The primary's own rate, where its runs were looked at."""
    looked = [kind for kind in known.values() if kind is not None]
    if not looked:
        return "the primary's own rate is unknown"
    return f"the primary's own: {sum(bool(kind) for kind in looked)} in {len(looked)}"
