"""Exact: title and summaries state the same facts; each side's facts are sought in its words.

Whom a summary gives whose words is a fact as well, where it gives them to the wrong one.

Languages without a lexicon are inconclusive by name, unless the texts are equal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from comparators.alignment.transcript_pair import language_of
from comparators.facts.facts import LANGUAGES, extract, is_stated, without_counterpart
from comparators.facts.speaker_attribution import KIND as ATTRIBUTION
from comparators.facts.speaker_attribution import attributions
from comparators.facts.token_reader import Fact
from comparators.facts.transcript_facts import spoken_facts
from comparators.language.normalise import NORMALISER, base_language
from comparators.language.plural import counted
from comparators.output_language import detect
from reflector_migrate.model import Finding, Measure, Observation, Severity

TITLE, SUMMARY = "title_facts", "summary_facts"
ANY = "en"
"""Equal texts state equal facts in whatever language they are read."""


class Stated(NamedTuple):
    """A text, who wrote it (None: cannot be told) and the words it was written from."""

    text: str
    language: str | None
    observation: Observation
    names: frozenset[str]

    @property
    def read_as(self) -> str:
        """The language whose lexicon it is read by."""
        return self.language if self.language in LANGUAGES and self.language else ANY

    def facts(self) -> frozenset[Fact]:
        """Facts of the text."""
        return extract(self.text, self.read_as, self.names)

    def attributions(self) -> frozenset[Fact]:
        """Whose words it gives to somebody else."""
        return attributions(self.text, self.read_as, self.observation, self.names)

    def spoken_facts(self) -> frozenset[Fact]:
        """Facts of the run's own transcript."""
        return spoken_facts(self.observation.outputs.words, self.read_as, self.names)


def stated(name: str, observation: Observation, names: frozenset[str] = frozenset()) -> Stated:
    """What the measure of facts of that name reads, and the people it seeks."""
    outputs = observation.outputs
    summaries = f"{outputs.short_summary or ''}\n{outputs.long_summary or ''}".strip()
    text = outputs.title or "" if name == TITLE else summaries
    return Stated(text, written_language(observation, text), observation, names)


def compare_title_facts(reference: Observation, hypothesis: Observation) -> Measure:
    """Facts of the title."""
    return _of(TITLE, "generate_title", reference, hypothesis)


def compare_summary_facts(reference: Observation, hypothesis: Observation) -> Measure:
    """Facts of the short and the long summary together."""
    return _of(SUMMARY, "generate_summary", reference, hypothesis)


def _of(name: str, step: str, reference: Observation, hypothesis: Observation) -> Measure:
    names = names_of(reference, hypothesis)
    return _compare(name, step, stated(name, reference, names), stated(name, hypothesis, names))


def names_of(*sides: Observation) -> frozenset[str]:
    """Everybody either side knows: a wrong person is one the other side names."""
    return frozenset(p.name for side in sides for p in side.outputs.participants)


def written_language(observation: Observation, text: str) -> str | None:
    """The language of generated text: as detected, else as the run was told."""
    target = observation.outputs.row.get("target_language")
    told = target if isinstance(target, str) else language_of(observation)
    return detect(text) or base_language(told)


def _compare(name: str, step: str, mine: Stated, theirs: Stated) -> Measure:
    """Agreement of both sets, and for each difference whether its own transcript supports it."""
    unknown = {side.language for side in (mine, theirs)} - LANGUAGES
    if unknown and mine.text != theirs.text:
        named = ", ".join(sorted(str(language or "unknown") for language in unknown))
        why = f"key facts are known for {', '.join(sorted(LANGUAGES))}; this is {named}"
        return Measure(name=name, kind="exact", step=step, inconclusive=why)
    facts = mine.facts(), theirs.facts()
    if name == SUMMARY and mine.text != theirs.text:
        facts = facts[0] | mine.attributions(), facts[1] | theirs.attributions()
    missing, extra = without_counterpart(*facts), without_counterpart(facts[1], facts[0])
    differences = [*_differences("missing", missing, mine), *_differences("extra", extra, theirs)]
    agreed = len(facts[0]) - len(missing)
    return Measure(
        name=name,
        kind="exact",
        errors=len(differences),
        length=agreed + len(differences),
        counts={
            "agreed": agreed,
            "missing": len(missing),
            "extra": len(extra),
            "unsupported": sum(1 for difference in differences if not difference.is_supported),
        },
        reference_text=counted(len(facts[0]), "fact"),
        hypothesis_text=counted(len(facts[1]), "fact"),
        step=step,
        normaliser=NORMALISER,
        findings=tuple(_finding(name, step, difference) for difference in differences),
    )


class _Difference(NamedTuple):
    kind: str
    fact: Fact
    is_supported: bool


def _differences(kind: str, facts: list[Fact], side: Stated) -> list[_Difference]:
    """Facts of one side only, and whether anybody said so in its transcript.

    What is given to the wrong person was said: it is invented by nobody.
    """
    if not facts:
        return []
    spoken = side.spoken_facts()
    known = is_stated_in(spoken)
    return [_Difference(kind, fact, fact.kind == ATTRIBUTION or known(fact)) for fact in facts]


def is_stated_in(spoken: frozenset[Fact]) -> Callable[[Fact], bool]:
    """Whether a fact was said: as one of these, or as a date's day or year without the rest."""
    parts = {part for fact in spoken if fact.kind == "date" for part in fact.value.split("-")}
    of_dates = {str(int(part)) for part in parts if part.isdecimal() and len(part) <= 4}
    return lambda fact: (
        is_stated(fact, spoken) or (fact.kind in {"number", "date"} and fact.value in of_dates)
    )


def _finding(name: str, step: str, difference: _Difference) -> Finding:
    kind, fact, is_supported = difference
    stated = f"{fact.kind} {fact.value}"
    is_bearable = is_supported and fact.kind != ATTRIBUTION
    return Finding(
        path=f"{name}/{fact.kind}/{kind}",
        step=step,
        severity=Severity.MAJOR if is_bearable else Severity.CRITICAL,
        kind=kind,
        reference=stated if kind == "missing" else None,
        hypothesis=stated if kind == "extra" else None,
        message=f"{stated} is {kind}" + ("" if is_supported else ", and nobody said so"),
    )
