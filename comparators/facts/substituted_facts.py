"""Facts that a side heard and wrote down otherwise: what no misheard word explains.

A figure or a date: the other side's text states it, this side heard it too, and states in
its place one that nobody said. A person: another one in their place (people are seldom
heard by name). A negation: the clause it stands in is written without it, unless each side
writes what it heard. An attribution: one person is given what another said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from comparators.facts.facts import is_stated
from comparators.facts.negated_clauses import Text, turned
from comparators.facts.token_reader import Fact
from comparators.summary_facts import Stated, names_of, stated
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
    names = names_of(reference, hypothesis)
    mine, theirs = (stated(measure.name, side, names) for side in (reference, hypothesis))
    first, second = _by(theirs, lost, made), _by(mine, made, lost)
    both = {group: first[group] + second[group] for group in first}
    wrong = _count(lost, "attributions") + _count(made, "attributions")
    people = min(_count(lost, "people"), _count(made, "people"))
    negations = _turned(lost, mine, theirs) + _turned(made, theirs, mine)
    return both | {"people": people, "negations": negations, "attributions": wrong}


def _by(text: Stated, lost: Mapping[Fact, bool], made: Mapping[Fact, bool]) -> dict[str, int]:
    """What one side altered: `lost` it does not state, `made` it alone does (True: was said)."""
    heard = _heard(text, lost)
    kept = [fact for fact in lost if is_stated(fact, heard)]
    unsaid = [fact for fact, was_said in made.items() if not was_said]
    return {name: min(_count(kept, name), _count(unsaid, name)) for name in ("figures", "dates")}


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


def _turned(alone: Mapping[Fact, bool], text: Stated, other: Stated) -> int:
    """Negations that the text alone states, and of which the other holds the clause without them.

    Where the text's own transcript has it and the other's has not, both write what they heard.
    """
    negated = {fact: was_said for fact, was_said in alone.items() if fact.kind == "negation"}
    if not negated:
        return 0
    heard = _heard(other, negated)
    values = {fact.value for fact, was_said in negated.items() if not was_said or fact in heard}
    sides = [Text(one.text, one.read_as, one.names) for one in (text, other)]
    return len(turned(values, *sides))
