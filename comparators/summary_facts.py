"""Exact: titles, summaries and topics state the same facts; each side's are sought in its words.

Whom a summary gives whose words is a fact as well, where it gives them to the wrong one.

Languages without a lexicon are inconclusive by name, unless the texts are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from comparators.alignment.transcript_pair import Transcripts, language_of
from comparators.amounts import sides
from comparators.facts.facts import LANGUAGES, is_stated, without_counterpart
from comparators.facts.minimal_pairs import SAME, Alteration, alterations
from comparators.facts.speaker_attribution import KIND as ATTRIBUTION
from comparators.facts.stated import Stated
from comparators.facts.substituted_facts import ALTERED, altered_in_place, stated_facts
from comparators.facts.tokens import Fact
from comparators.language.figures import figures_of, unread
from comparators.language.normalise import NORMALISER, base_language
from comparators.output_language import detect
from reflector_migrate.model import Finding, Measure, Observation, Severity, StatedFact, Unit

TITLE, SUMMARY, TOPICS = "title_facts", "summary_facts", "topic_facts"
SOUGHT = (
    "no altered figure, date, unit, name, role, negation, opposite, obligation, tense,"
    " quantity or clause found"
)
"""What a check that finds nothing looked for: texts may differ in what no list knows."""
SOUGHT_IN_FIGURES = "no altered figure, date, name or negation found"
_FIGURES = frozenset({"number", "percent", "money", "duration"})
"""Kinds of facts of which a number in words may state one, too."""


def compare_title_facts(
    reference: Observation, hypothesis: Observation, transcripts: Transcripts
) -> Measure:
    """Facts of the title."""
    texts = [side.outputs.title or "" for side in (reference, hypothesis)]
    sides = _stated((reference, hypothesis), texts, transcripts)
    return _compare(TITLE, "generate_title", *sides)


def compare_summary_facts(
    reference: Observation, hypothesis: Observation, transcripts: Transcripts
) -> Measure:
    """Facts of the short and the long summary together."""
    outputs = [side.outputs for side in (reference, hypothesis)]
    texts = [f"{o.short_summary or ''}\n{o.long_summary or ''}".strip() for o in outputs]
    sides = _stated((reference, hypothesis), texts, transcripts)
    return _compare(SUMMARY, "generate_summary", *sides)


def compare_topic_facts(
    reference: Observation, hypothesis: Observation, transcripts: Transcripts
) -> Measure:
    """Facts of all topics' titles and summaries."""
    texts = [
        "\n".join(f"{topic.title}\n{topic.summary}" for topic in side.outputs.topics)
        for side in (reference, hypothesis)
    ]
    return _compare(TOPICS, "detect_topics", *_stated((reference, hypothesis), texts, transcripts))


def _stated(
    sides: Sequence[Observation], texts: Sequence[str], transcripts: Transcripts
) -> list[Stated]:
    """Both texts; in each, everybody is sought whom either side knows.

    A wrong person is one that the other side names.
    """
    names = frozenset(p.name for side in sides for p in side.outputs.participants)
    return [
        Stated(
            text,
            written_language(side, text),
            transcripts.of(side),
            side.outputs.participants,
            names,
        )
        for side, text in zip(sides, texts, strict=True)
    ]


def written_language(observation: Observation, text: str) -> str | None:
    """The language of generated text: as detected, else the language the run was started with."""
    target = observation.outputs.row.get("target_language")
    asked_for = target if isinstance(target, str) else language_of(observation)
    return detect(text) or base_language(asked_for)


def _compare(name: str, step: str, reference: Stated, hypothesis: Stated) -> Measure:
    """Agreement of both sets, and for each difference whether its own transcript supports it."""
    unknown = {side.language for side in (reference, hypothesis)} - LANGUAGES
    if unknown and reference.text != hypothesis.text:
        named = ", ".join(sorted(str(language or "unknown") for language in unknown))
        why = f"key facts are known for {', '.join(sorted(LANGUAGES))}; this is {named}"
        return Measure(name=name, kind="exact", step=step, inconclusive=why)
    facts = reference.facts(), hypothesis.facts()
    if name != TITLE and reference.text != hypothesis.text:
        facts = facts[0] | reference.attributions(), facts[1] | hypothesis.attributions()
    in_place = alterations(reference, hypothesis)
    same = {one.fact for one in in_place if one.kind == SAME}
    missing, extra = (
        [fact for fact in without_counterpart(*both) if fact not in same]
        for both in (facts, reversed(facts))
    )
    lost, made = (
        _differences(missing, reference, hypothesis),
        _differences(extra, hypothesis, reference),
    )
    altered = altered_in_place(in_place, reference, hypothesis, lost)
    n_altered = sum(one.fact not in {*missing, *extra} for one in altered)  # each counts once
    differing = len(missing) + len(extra) + n_altered
    kinds = {fact.kind for fact in (*missing, *extra)}
    if n_altered == 0 and kinds <= _FIGURES and (why := _unread(reference, hypothesis)):
        return Measure(name=name, kind="exact", step=step, inconclusive=why)
    agreed = len(facts[0]) - len(missing)
    return Measure(
        name=name,
        kind="exact",
        errors=differing,
        length=agreed + differing,
        counts={
            "agreed": agreed,
            "missing": len(missing),
            "extra": len(extra),
            "altered": n_altered,
            "unsupported": sum(not fact.is_said for fact in (*lost, *made)),
        },
        **sides(len(facts[0]), len(facts[1]), Unit.FACT),
        note="" if differing else _sought(reference, hypothesis),
        step=step,
        normaliser=NORMALISER,
        findings=(
            *(_finding(name, step, "missing", fact) for fact in lost),
            *(_finding(name, step, "extra", fact) for fact in made),
            *(_alteration(name, step, one) for one in altered),
        ),
    )


def _unread(reference: Stated, hypothesis: Stated) -> str:
    """Why figures cannot be compared: numbers in words that one text alone has."""
    sides = [(side, figures_of(side.read_as)) for side in (reference, hypothesis)]
    found = [unread(side.text, side.read_as) for side, _ in sides]
    if found[0] == found[1]:
        return ""
    words = ", ".join(sorted((found[0] - found[1]) + (found[1] - found[0]))[:3])
    languages = dict.fromkeys(figures.name for _, figures in sides if figures)
    return f"numbers in words are not read in {' and '.join(languages)}: {words}"


def _sought(reference: Stated, hypothesis: Stated) -> str:
    """What a check that found nothing looked for in this language."""
    names = dict.fromkeys(
        figures.name for side in (reference, hypothesis) if (figures := figures_of(side.read_as))
    )
    return (
        f"{SOUGHT_IN_FIGURES}; nothing else is read in {' and '.join(names)}" if names else SOUGHT
    )


def _alteration(name: str, step: str, one: Alteration) -> Finding:
    """Two sentences side by side, and what of them differs."""
    change = f"{one.before or 'nothing'!r} became {one.after or 'nothing'!r}"
    return Finding(
        path=f"{name}/{one.kind}/{ALTERED}",
        step=step,
        severity=Severity.CRITICAL,
        kind=ALTERED,
        reference=one.reference or None,
        hypothesis=one.hypothesis or None,
        message=f"{one.kind}: {change}",
        fact=StatedFact(kind=one.kind, value=f"{one.before} > {one.after}", is_said=True),
    )


def _differences(facts: Sequence[Fact], text: Stated, other: Stated) -> list[StatedFact]:
    """Facts of one text only, and whether its transcript says so.

    What is given to the wrong person was said: it is not an invention.
    """
    if not facts:
        return []
    is_said = is_stated_in(text.spoken_facts())
    said = {fact: fact.kind == ATTRIBUTION or is_said(fact) for fact in facts}
    return list(stated_facts(said, text, other).values())


def is_stated_in(spoken: frozenset[Fact]) -> Callable[[Fact], bool]:
    """Whether a fact was said: as one of these, or as a date's day or year without the rest."""
    parts = {part for fact in spoken if fact.kind == "date" for part in fact.value.split("-")}
    of_dates = {str(int(part)) for part in parts if part.isdecimal() and len(part) <= 4}
    return lambda fact: (
        is_stated(fact, spoken) or (fact.kind in {"number", "date"} and fact.value in of_dates)
    )


def _finding(name: str, step: str, kind: str, fact: StatedFact) -> Finding:
    stated = f"{fact.kind} {fact.value}"
    is_bearable = fact.is_said and fact.kind != ATTRIBUTION
    return Finding(
        path=f"{name}/{fact.kind}/{kind}",
        step=step,
        severity=Severity.MAJOR if is_bearable else Severity.CRITICAL,
        kind=kind,
        reference=stated if kind == "missing" else None,
        hypothesis=stated if kind == "extra" else None,
        message=f"{stated} is {kind}" + ("" if fact.is_said else ", and was never said"),
        fact=fact,
    )
