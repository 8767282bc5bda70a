"""Exact: title and summaries state the same facts; each side's facts are sought in its words.

Languages without a lexicon are inconclusive by name, unless the texts are equal.
"""

from __future__ import annotations

from collections.abc import Callable

from comparators.columns import language_of
from comparators.facts import LANGUAGES, Fact, extract
from comparators.language import detect
from comparators.normalise import base_language
from reflector_migrate.model import Finding, Measure, Observation, Severity

Texts = Callable[[Observation], str]


def _title(observation: Observation) -> str:
    return observation.outputs.title or ""


def _summaries(observation: Observation) -> str:
    outputs = observation.outputs
    return f"{outputs.short_summary or ''}\n{outputs.long_summary or ''}".strip()


def compare_title_facts(reference: Observation, hypothesis: Observation) -> Measure:
    """Facts of the title."""
    return _compare("title_facts", "generate_title", _title, reference, hypothesis)


def compare_summary_facts(reference: Observation, hypothesis: Observation) -> Measure:
    """Facts of the short and the long summary together."""
    return _compare("summary_facts", "generate_summary", _summaries, reference, hypothesis)


def written_language(observation: Observation, text: str) -> str | None:
    """The language of generated text: as detected, else as the run was told."""
    target = observation.outputs.row.get("target_language")
    told = target if isinstance(target, str) else language_of(observation)
    return detect(text) or base_language(told)


def _compare(
    name: str, step: str, texts: Texts, reference: Observation, hypothesis: Observation
) -> Measure:
    """Facts of one kind of text on both sides."""
    mine, theirs = texts(reference), texts(hypothesis)
    languages = {written_language(reference, mine), written_language(hypothesis, theirs)}
    if mine == theirs and not languages <= LANGUAGES:
        languages = {"en"}  # equal texts state equal facts in any language
    if not languages <= LANGUAGES:
        named = ", ".join(sorted(str(language) for language in languages - LANGUAGES))
        why = f"key facts are known for {', '.join(sorted(LANGUAGES))}; this is {named}"
        return Measure(name=name, kind="exact", step=step, inconclusive=why)
    names = {p.name for side in (reference, hypothesis) for p in side.outputs.participants}
    return _measure(name, step, (reference, mine), (hypothesis, theirs), names)


def _safe_language(observation: Observation, text: str) -> str:
    """A language with a lexicon: for equal texts in others any one serves alike."""
    language = written_language(observation, text)
    return language if language in LANGUAGES and language else "en"


def _measure(
    name: str,
    step: str,
    reference: tuple[Observation, str],
    hypothesis: tuple[Observation, str],
    names: set[str],
) -> Measure:
    """Agreement of both sets, and for each difference whether its own transcript supports it."""
    mine = extract(reference[1], _safe_language(*reference), names)
    theirs = extract(hypothesis[1], _safe_language(*hypothesis), names)
    findings = [
        *_findings(name, step, "missing", sorted(mine - theirs), reference, names),
        *_findings(name, step, "extra", sorted(theirs - mine), hypothesis, names),
    ]
    return Measure(
        name=name,
        kind="exact",
        errors=len(findings),
        length=len(mine | theirs),
        counts={
            "agreed": len(mine & theirs),
            "missing": len(mine - theirs),
            "extra": len(theirs - mine),
            "unsupported": sum(1 for f in findings if f.severity is Severity.CRITICAL),
        },
        reference_text=f"{len(mine)} facts",
        hypothesis_text=f"{len(theirs)} facts",
        step=step,
        findings=tuple(findings),
    )


def _findings(
    name: str,
    step: str,
    kind: str,
    facts: list[Fact],
    side: tuple[Observation, str],
    names: set[str],
) -> list[Finding]:
    """Differences of one side; a fact its own transcript does not hold is critical."""
    if not facts:
        return []
    observation, text = side
    spoken = " ".join(word.text for word in observation.outputs.words)
    held = extract(spoken, _safe_language(observation, text), names)
    return [_finding(name, step, kind, fact, fact in held) for fact in facts]


def _finding(name: str, step: str, kind: str, fact: Fact, supported: bool) -> Finding:
    stated = f"{fact.kind} {fact.value}"
    return Finding(
        path=f"{name}/{fact.kind}/{kind}",
        step=step,
        severity=Severity.MAJOR if supported else Severity.CRITICAL,
        kind=kind,
        reference=stated if kind == "missing" else None,
        hypothesis=stated if kind == "extra" else None,
        message=f"{stated} is {kind}" + ("" if supported else ", and nobody said so"),
    )
