"""Facts that a side heard and wrote down otherwise: what no misheard word explains.

A figure or a date: the other side's text states it, this side heard it too, and states in
its place one that nobody said. A person: another one in their place (people are seldom
heard by name). A negation: heard, and the clause it stands in is written without it. An
attribution: one person is given what another said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from comparators.facts import is_stated
from comparators.key_facts import Stated, names_of, stated
from comparators.reader import Fact
from comparators.sentences import Clause, clauses
from reflector_migrate.model import Finding, Measure, Observation, Severity

MIN_REST, MOST = 2, 2 / 3
"""Words of a negated clause that must be there without the negation, and their share."""

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
    first, second = _by(theirs, mine, lost, made), _by(mine, theirs, made, lost)
    both = {group: first[group] + second[group] for group in first}
    wrong = _count(lost, "attributions") + _count(made, "attributions")
    people = min(_count(lost, "people"), _count(made, "people"))
    return both | {"people": people, "attributions": wrong}


def _by(
    text: Stated, other: Stated, lost: Mapping[Fact, bool], made: Mapping[Fact, bool]
) -> dict[str, int]:
    """What one side altered: `lost` it does not state, `made` it alone does (True: was said)."""
    heard = _heard(text, lost)
    kept = [fact for fact in lost if is_stated(fact, heard)]
    unsaid = [fact for fact, was_said in made.items() if not was_said]
    counts = {name: min(_count(kept, name), _count(unsaid, name)) for name in ("figures", "dates")}
    return counts | {"negations": _turned(kept, text, other)}


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


def _turned(kept: Iterable[Fact], text: Stated, other: Stated) -> int:
    """Negations of which the text holds the other's clause without them."""
    negated = {fact.value for fact in kept if fact.kind == "negation"}
    if not negated:
        return 0
    mine, theirs = (clauses(one.text, text.read_as, text.names) for one in (text, other))
    return sum(1 for value in negated if any(_is_turned(value, one, mine) for one in theirs))


def _is_turned(value: str, negated: Clause, written: Iterable[Clause]) -> bool:
    """Whether a clause that negates the word is written elsewhere without that: all or most of it.

    A single word is no clause: it may stand anywhere.
    """
    rest = negated.stems - {value}
    if value not in negated.negated or not rest:
        return False
    least = max(MIN_REST, MOST * len(rest))
    return any(
        one.stems | {value} == negated.stems or len(rest & one.stems) >= least
        for one in written
        if value in one.all_stems - one.negated
    )
