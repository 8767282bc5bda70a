"""Title, short and long summary as surfaces: chrF++, ROUGE-1 and ROUGE-L, length ratio.

errors / length = 1 - chrF++ / 100, the mean of both directions so that swapping
the sides changes nothing; a text on one side only is wholly different.
"""

from __future__ import annotations

from comparators.alignment.distance import alike_until
from comparators.alignment.text_overlap import chrf_both_ways, rouge_1, rouge_l
from comparators.alignment.transcript_pair import language_of
from comparators.amounts import sides
from comparators.language.normalise import NORMALISER, normalise
from reflector_migrate.model import Finding, Measure, Observation, Severity, Unit

STEPS = {
    "title": "generate_title",
    "short_summary": "generate_summary",
    "long_summary": "generate_summary",
}


def compare_title(reference: Observation, hypothesis: Observation) -> Measure:
    """The meeting's title."""
    return _compare("title", reference, hypothesis)


def compare_short_summary(reference: Observation, hypothesis: Observation) -> Measure:
    """The recap paragraph."""
    return _compare("short_summary", reference, hypothesis)


def compare_long_summary(reference: Observation, hypothesis: Observation) -> Measure:
    """The Markdown summary."""
    return _compare("long_summary", reference, hypothesis)


def _compare(name: str, reference: Observation, hypothesis: Observation) -> Measure:
    """One text of both sides."""
    mine = getattr(reference.outputs, name) or ""
    theirs = getattr(hypothesis.outputs, name) or ""
    language = language_of(reference) or language_of(hypothesis)
    tokens = normalise(mine, language), normalise(theirs, language)
    errors = 0.0 if mine == theirs else 1 - similarity(mine, theirs)
    return Measure(
        name=name,
        kind="graded",
        errors=errors,
        length=1 if mine or theirs else 0,
        counts={
            "reference_characters": len(mine),
            "hypothesis_characters": len(theirs),
            "texts": 1 if mine or theirs else 0,
            "equal_texts": 1 if mine and mine == theirs else 0,
        },
        stats={
            "chrf_plus_plus": 100 * (1 - errors),
            "rouge_1": rouge_1(*tokens),
            "rouge_l": rouge_l(*tokens),
            "length_ratio": len(theirs) / len(mine) if mine else 0.0,
        },
        **sides(len(tokens[0]), len(tokens[1]), Unit.WORD),
        step=STEPS[name],
        normaliser=NORMALISER,
        findings=(_finding(name, mine, theirs),) if mine != theirs else (),
    )


def similarity(reference: str, hypothesis: str) -> float:
    """chrF++ in [0, 1], the mean of both directions; at most just below 1 for unequal texts."""
    return min(chrf_both_ways(reference, hypothesis) / 100, 1 - 1e-6)


def _finding(name: str, reference: str, hypothesis: str) -> Finding:
    kind = "changed" if reference and hypothesis else "missing" if reference else "extra"
    return Finding(
        path=f"{name}/text",
        step=STEPS[name],
        severity=Severity.MINOR if kind == "changed" else Severity.MAJOR,
        kind=kind,
        reference=reference or None,
        hypothesis=hypothesis or None,
        position=alike_until(reference, hypothesis),
        message=f"{name.replace('_', ' ')} {kind}",
    )
