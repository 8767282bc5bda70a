"""Which language the written outputs are in: by script, else by function words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from comparators.language.lexicon import word_set
from reflector_migrate.model import Finding, Measure, Observation, Severity

MIN_HITS = 4
_FUNCTION_WORDS: Mapping[str, frozenset[str]] = {
    "en": word_set(
        "the and of to in is was that for with on are will they this be has have not by"
    ),
    "de": word_set(
        "der die das und ist nicht ein eine den mit von zu auf für sich werden wird im dem des "
        "auch sind haben über"
    ),
    "fr": word_set("le la les et des est une dans pour que qui pas sur au avec du en ont"),
    "es": word_set("el los las y que una por con para del se es al lo como fue son su"),
    "pt": word_set(
        "uma não em dos das ao mais foi são pelo pela na os ou seu também isso está ser"
    ),
    "pl": word_set("się że jest nie na dla oraz przez są być który która od ale już będzie został"),
    "it": word_set("il gli che di una per con del della sono è non si dei nel alla ha"),
    "nl": word_set("de het een en van is dat op te zijn met voor niet aan ook er bij wordt"),
}
_SCRIPTS = {
    "ja": "[\u3040-\u30ff]",
    "zh": "[\u4e00-\u9fff]",
    "ko": "[\uac00-\ud7af]",
    "ru": "[\u0400-\u04ff]",
    "ar": "[\u0600-\u06ff]",
    "th": "[\u0e00-\u0e7f]",
    "el": "[\u0370-\u03ff]",
}


class Detected(NamedTuple):
    """A text's language, its words, and how many of them speak for each language.

    The language is None where the text is too short or undecided to say.
    """

    code: str | None
    words: int
    hits: Mapping[str, int]

    def expects(self, other: Detected) -> float:
        """How many words of this text's language the other would have, were it in it too."""
        return self.hits.get(self.code or "", 0) / max(self.words, 1) * other.words


def detect(text: str) -> str | None:
    """The language's code; None when the text is too short or undecided to say."""
    return _detected(text).code


def _detected(text: str) -> Detected:
    """By script, where letters count for words; else by function words."""
    for code, script in _SCRIPTS.items():
        found = len(re.findall(script, text))
        if found > len(text) / 5:
            return Detected(code, len(text), {code: found})
    words = re.findall(r"[^\W\d_]+", text.casefold())
    counts = Counter(words)
    hits = {
        code: sum(counts[word] for word in known if word in counts)
        for code, known in _FUNCTION_WORDS.items()
    }
    first, second = sorted(hits, key=lambda code: hits[code], reverse=True)[:2]
    is_sure = hits[first] >= MIN_HITS and hits[first] > 1.5 * hits[second]
    return Detected(first if is_sure else None, len(words), hits)


def _is_one_sided(reference: Detected, hypothesis: Detected) -> bool:
    """One side's language is known, and the other, long enough, has not half the words of it."""
    if (reference.code is None) == (hypothesis.code is None):
        return False
    known, unknown = (reference, hypothesis) if reference.code else (hypothesis, reference)
    expected = known.expects(unknown)
    return expected >= 2 * MIN_HITS and unknown.hits.get(str(known.code), 0) < expected / 2


def _written(observation: Observation) -> dict[str, str]:
    """The generated texts long enough to have a language, by the step that wrote them."""
    outputs = observation.outputs
    topics = " ".join(f"{topic.title}. {topic.summary}" for topic in outputs.topics[:40])
    summaries = f"{outputs.short_summary or ''} {outputs.long_summary or ''}"
    return {"detect_topics": topics, "generate_summary": summaries}


def compare_language(reference: Observation, hypothesis: Observation) -> Measure:
    """Exact: topics and summaries are in the same language where both are known.

    Where only one can, although the other is long enough, nothing is concluded.
    """
    mine, theirs = _written(reference), _written(hypothesis)
    read = {step: (_detected(mine[step]), _detected(theirs[step])) for step in mine}
    found = {step: (pair[0].code, pair[1].code) for step, pair in read.items()}
    known = {step: pair for step, pair in found.items() if None not in pair}
    unsure = [step for step, pair in read.items() if _is_one_sided(*pair)]
    different = {step: pair for step, pair in known.items() if pair[0] != pair[1]}
    return Measure(
        name="language",
        kind="exact",
        errors=len(different),
        length=len(known),
        counts={"told": len(known), "different": len(different)},
        reference_text=", ".join(sorted({str(r) for r, _ in known.values()})),
        hypothesis_text=", ".join(sorted({str(h) for _, h in known.values()})),
        step="generate_summary",
        inconclusive=f"{unsure[0]}: language known of one side only"
        if unsure and not different
        else "",
        findings=tuple(
            Finding(
                path=f"language/{step}",
                step=step,
                severity=Severity.CRITICAL,
                reference=r,
                hypothesis=h,
                message=f"written in {h}, not in {r}",
            )
            for step, (r, h) in different.items()
        ),
    )
