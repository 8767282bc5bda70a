"""Coverage: the share of eligible recordings that were compared.

A shortfall is missing evidence, not evidence against the candidate: it holds the phase
until the missing recordings are replayed, and never fails a build.
"""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

from reflector_migrate.judge.gates.answers import GateAnswer, rounded_down
from reflector_migrate.judge.gates.question import Question, first_night
from reflector_migrate.model.vocabulary import GateVerdict

SHOWN = 3


def judge_coverage(question: Question) -> GateAnswer:
    """PASS when the share is reached, to the last recording: rounding does not help.

    A recording's last line counts, but one that was compared stays compared.
    """
    fates: dict[str, str] = {}
    nights = []
    for line in question.evidence.of(question.measure, question.stratum):
        if line.coverage is not None:
            nights.append(line.night)
            if fates.get(line.recording) != "compared":
                fates[line.recording] = line.coverage
    limit = question.rule.at_least or 1.0
    if not fates:
        return question.unanswered(question.rule.require_n, limit=limit, unit="share")
    n, counts = len(fates), Counter(fates.values())
    share = Fraction(counts["compared"], n)
    lacking = math.ceil(Fraction(str(limit)) * n) - counts["compared"]
    shared = {
        "value": rounded_down(float(share), 4), "limit": limit, "unit": "share", "n": n,
        "since": first_night(nights),
    }  # fmt: skip
    missing = sorted(name for name, fate in fates.items() if fate != "compared")
    said = [f"{counts[fate]} {fate}" for fate in ("failed", "open", "lost") if counts[fate]]
    said += [f"first {', '.join(missing[:SHOWN])}"] if missing else []
    why = "; ".join([f"{counts['compared']} of {n} compared", *said])
    enough = question.rule.require_n
    if lacking <= 0 and n >= enough:
        return question.answer(GateVerdict.PASS, **shared, why=why)
    if lacking <= 0:
        why = f"{why}; {enough} eligible recordings are needed"
    return question.answer(
        GateVerdict.INCONCLUSIVE, **shared, why=why,
        needs=question.needs(max(lacking, enough - n), n),
    )  # fmt: skip
