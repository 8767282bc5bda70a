"""Facts that a side heard and wrote down otherwise: what no misheard word explains.

A figure or a date: the other side's text states it, this side heard it too, and states in
its place one that nobody said. A person: another one in their place (people are seldom
heard by name). A negation: heard, and what it negates is written without it. An
attribution: one person is given what another said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from comparators.facts import is_stated
from comparators.key_facts import Stated, stated
from comparators.normalise import normalise
from comparators.reader import Fact
from comparators.stems import stem
from reflector_migrate.model import Finding, Measure, Observation, Severity

GROUPS: Mapping[str, frozenset[str]] = {
    "figures": frozenset({"number", "percent", "money", "duration"}),
    "dates": frozenset({"date", "time"}),
    "people": frozenset({"participant"}),
    "negations": frozenset({"negation"}),
    "attributions": frozenset({"attribution"}),
}


def altered(measure: Measure, reference: Observation, hypothesis: Observation) -> dict[str, int]:
    """How many facts of each group either side altered, by a measure of facts of these two."""
    lost, made = _facts(measure, "missing"), _facts(measure, "extra")
    first, second = _by(hypothesis, measure, lost, made), _by(reference, measure, made, lost)
    both = {group: first[group] + second[group] for group in first}
    wrong = _count(lost, "attributions") + _count(made, "attributions")
    people = min(_count(lost, "people"), _count(made, "people"))
    return both | {"people": people, "attributions": wrong}


def _by(
    writer: Observation, measure: Measure, lost: Mapping[Fact, bool], made: Mapping[Fact, bool]
) -> dict[str, int]:
    """What one side altered: `lost` it does not state, `made` it alone does (True: was said)."""
    text = stated(measure.name, writer)
    heard = _heard(text, lost)
    kept = [fact for fact in lost if is_stated(fact, heard)]
    unsaid = [fact for fact, was_said in made.items() if not was_said]
    counts = {name: min(_count(kept, name), _count(unsaid, name)) for name in ("figures", "dates")}
    return counts | {"negations": _turned(kept, text)}


def _facts(measure: Measure, kind: str) -> dict[Fact, bool]:
    """Facts of one side only that no waiver covers, and whether it was said on that side."""
    return {
        _fact(finding): finding.severity is not Severity.CRITICAL
        for finding in measure.findings
        if finding.kind == kind and not finding.waiver
    }


def _fact(finding: Finding) -> Fact:
    stated = str(finding.reference if finding.kind == "missing" else finding.hypothesis)
    return Fact(*stated.split(" ", 1))


def _count(facts: Iterable[Fact], group: str) -> int:
    return sum(1 for fact in facts if fact.kind in GROUPS[group])


def _heard(text: Stated, facts: Iterable[Fact]) -> frozenset[Fact]:
    """Facts of the transcript; people are not sought."""
    if all(fact.kind == "participant" for fact in facts):
        return frozenset()
    return text.spoken_facts()


def _turned(kept: Iterable[Fact], text: Stated) -> int:
    """Negations of which the text says the rest."""
    negated = [fact.value for fact in kept if fact.kind == "negation"]
    if not negated:
        return 0
    written = {stem(token, text.read_as) for token in normalise(text.text, text.read_as)}
    return sum(1 for value in negated if value in written)
