"""Whether two sides' outputs of a step agree, and what noise excuses; per track where it can."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from comparators.transcript_event import AS_TOLD
from reflector_migrate.judge.step_graph import HEARING, OWN_MEASURES, PER_TRACK, STORED_BY
from reflector_migrate.model import Check, Finding, Verdict

Key = tuple[str, int | None]

FINE = frozenset({Verdict.MATCHED, Verdict.WITHIN_NOISE, Verdict.WAIVED})

UNTOLD = frozenset({"word_times", "speaker_mapping"})
"""Measures of what TRANSCRIPT does not tell, and no lost or doubled word makes diverge."""
FOLLOWING = frozenset({"words_raw", "speaker_words"})
"""Measures that such a word makes diverge, by as much as there are words."""


class Agreement(StrEnum):
    """Of two sides, about one step's input or output."""

    AGREE = "agree"
    WITHIN_NOISE = "within noise"
    DIFFER = "differ"
    UNKNOWN = "unknown"


def against_noise(key: Key, why: str, checks: Sequence[Check]) -> tuple[Agreement, str]:
    """Within noise where every measure of the output is; of a track, where no finding is its."""
    own = _own(key[0], checks)
    if key[0] in HEARING and is_told_alike(key[0], checks):
        return Agreement.WITHIN_NOISE, f"{why}; by TRANSCRIPT its words are: the row holds others"
    if is_within_noise(key[0], checks):
        judged = ", ".join(f"{check.name} {check.verdict.value}" for check in own)
        return Agreement.WITHIN_NOISE, f"{why}; {judged}"
    weights = weight_by_track(own) if key[0] in PER_TRACK else {}
    if weights and not weights.get(key[1] or 0):
        return Agreement.WITHIN_NOISE, f"{why}; what diverged lies on other tracks"
    if own and all(check.verdict is not Verdict.DIVERGED for check in own):
        return Agreement.DIFFER, f"{why}; no floor tells whether beyond noise"
    return Agreement.DIFFER, why


def is_within_noise(step: str, checks: Sequence[Check]) -> bool:
    """Every measure of the step's output is there, and fine; a step without any never is.

    The row's words say nothing of who heard them where TRANSCRIPT told others, but of who
    stored them.
    """
    if step in HEARING and is_told_alike(step, checks):
        return True
    if step == STORED_BY["words"] and is_told_alike(step, checks):
        return False
    own = _own(step, checks)
    is_whole = {check.name for check in own} == set(OWN_MEASURES.get(step, ()))
    return bool(own) and is_whole and all(check.verdict in FINE for check in own)


def is_told_alike(step: str, checks: Sequence[Check]) -> bool:
    """Whether the words that were told agree within noise, and those in the topics do not.

    Then whoever heard is cleared. Never of what TRANSCRIPT cannot show of the step's work:
    times, and speakers and capitals that are off by more than these words.
    """
    words = next((c for c in checks if c.name == "words" and c.verdict not in FINE), None)
    if words is None or words.measure is None or AS_TOLD not in words.measure.stats:
        return False
    is_told = words.measure.stats[AS_TOLD] <= (words.limit or 0.0)
    errors = words.measure.errors
    return is_told and not any(_is_untold(check, errors) for check in _own(step, checks))


def _is_untold(check: Check, words: float) -> bool:
    """Whether it diverged, and not because that many words are others."""
    if check.verdict is not Verdict.DIVERGED or check.measure is None:
        return False
    more = check.measure.errors - words
    is_more = more > (check.limit or 0.0) * check.measure.length
    return check.name in UNTOLD or (check.name in FOLLOWING and is_more)


def is_doubtful(step: str, checks: Sequence[Check]) -> bool:
    """Its measures lie beyond the floor of the pairs there are, but not far enough to be sure."""
    own = _own(step, checks)
    unsure = any(check.verdict is Verdict.INCONCLUSIVE and check.n for check in own)
    return unsure and all(check.verdict is not Verdict.DIVERGED for check in own)


def _own(step: str, checks: Sequence[Check]) -> list[Check]:
    return [check for check in checks if check.name in OWN_MEASURES.get(step, ())]


def weight_by_track(checks: Sequence[Check]) -> dict[int, int]:
    """How many words' worth of standing findings lie on each track.

    Empty when one names no track, or when some were cut off: then nothing is known.
    """
    against = [c.measure for c in checks if c.measure and c.verdict not in FINE]
    standing = [f for measure in against for f in measure.findings if not f.waiver]
    is_cut = any(measure.findings_truncated or not measure.findings for measure in against)
    if is_cut or any(finding.speaker is None for finding in standing):
        return {}
    weights: Counter[int] = Counter()
    for finding in standing:
        weights[finding.speaker or 0] += _size(finding)
    return dict(weights)


def _size(finding: Finding) -> int:
    texts = (finding.reference, finding.hypothesis)
    return max(1, *(len(text.split()) for text in texts if isinstance(text, str)), 1)
