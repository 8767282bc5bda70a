"""Whether two sides' outputs of a step agree, and what noise excuses; per track where it can."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from comparators.registry import MEASURES, Measures
from reflector_migrate.judge.step_graph import HEARING
from reflector_migrate.model import TRACK_STEPS, Check, Finding, Verdict

Key = tuple[str, int | None]

FINE = frozenset({Verdict.MATCHED, Verdict.WITHIN_NOISE, Verdict.WAIVED})


class Agreement(StrEnum):
    """Of two sides, about one step's input or output."""

    AGREE = "agree"
    WITHIN_NOISE = "within noise"
    DIFFER = "differ"
    UNKNOWN = "unknown"


def against_noise(
    key: Key, why: str, checks: Sequence[Check], measures: Measures = MEASURES
) -> tuple[Agreement, str]:
    """Within noise where every measure of the output is; of a track, where no finding is its."""
    own = _own(key[0], checks, measures)
    if key[0] in HEARING and is_published_alike(key[0], checks, measures):
        return Agreement.WITHIN_NOISE, f"{why}; by TRANSCRIPT its words are: the row holds others"
    if is_within_noise(key[0], checks, measures):
        judged = ", ".join(f"{check.name} {check.verdict.value}" for check in own)
        return Agreement.WITHIN_NOISE, f"{why}; {judged}"
    weights = weight_by_track(own) if key[0] in TRACK_STEPS else {}
    if weights and not weights.get(key[1] or 0):
        return Agreement.WITHIN_NOISE, f"{why}; what diverged lies on other tracks"
    if own and all(check.verdict is not Verdict.DIVERGED for check in own):
        return Agreement.DIFFER, f"{why}; no floor shows whether it is beyond noise"
    return Agreement.DIFFER, why


def is_within_noise(step: str, checks: Sequence[Check], measures: Measures = MEASURES) -> bool:
    """Every measure of the step's output is there, and fine; a step without any never is.

    Where TRANSCRIPT published other words than the row has, the row's say nothing of the
    steps that recognised them, but of the one that stored them.
    """
    words = measures.of_words()
    if words and step in {*HEARING, words.stored_by}:
        is_alike = is_published_alike(step, checks, measures)
        if is_alike:
            return step in HEARING
    own = _own(step, checks, measures)
    is_whole = {check.name for check in own} == measures.names_of_step(step)
    return bool(own) and is_whole and all(check.verdict in FINE for check in own)


def is_published_alike(step: str, checks: Sequence[Check], measures: Measures = MEASURES) -> bool:
    """Whether the words that were published agree within noise, and those in the topics do not.

    Then the steps that recognised them are cleared. Never of what TRANSCRIPT cannot show of
    the step's work: times, and speakers and capitals that are off by more than these words.
    """
    spec = measures.of_words()
    words = next((c for c in checks if spec and c.name == spec.name), None)
    if words is None or spec is None or words.measure is None or words.verdict in FINE:
        return False
    published = words.measure.stats.get(spec.published_stat)
    if published is None or published > (words.limit or 0.0):
        return False
    errors, own = words.measure.errors, _own(step, checks, measures)
    return not any(_is_beside_words(check, errors, measures) for check in own)


def _is_beside_words(check: Check, words: float, measures: Measures) -> bool:
    """Whether it diverged, and not because that many words are others."""
    spec = measures.of(check.name)
    if check.verdict is not Verdict.DIVERGED or check.measure is None or spec is None:
        return False
    more = check.measure.errors - words
    is_more = more > (check.limit or 0.0) * check.measure.length
    return spec.words == "beside" or (spec.words == "follows" and is_more)


def is_doubtful(step: str, checks: Sequence[Check], measures: Measures = MEASURES) -> bool:
    """Its measures lie beyond the floor of the pairs there are, but not far enough to be sure."""
    own = _own(step, checks, measures)
    unsure = any(check.verdict is Verdict.INCONCLUSIVE and check.n for check in own)
    return unsure and all(check.verdict is not Verdict.DIVERGED for check in own)


def _own(step: str, checks: Sequence[Check], measures: Measures) -> list[Check]:
    names = measures.names_of_step(step)
    return [check for check in checks if check.name in names]


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
