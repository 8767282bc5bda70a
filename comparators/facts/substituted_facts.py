"""Facts that a side heard and wrote down otherwise: what no misheard word explains.

A figure or a date: the other side's text states it, this side heard it too, and states in
its place one that was never said. A person: another one in their place (people are seldom
heard by name). A negation: the clause it stands in is written without it, unless each side
writes what it heard. An attribution: one person is given what another said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from comparators.facts.facts import is_stated
from comparators.facts.minimal_pairs import KINDS, SAME, Alteration
from comparators.facts.negated_clauses import Text, turned
from comparators.facts.stated import Stated
from comparators.facts.tokens import Fact
from reflector_migrate.model import Finding, Measure, StatedFact

INVENTED = "invented"
GROUPS: Mapping[str, frozenset[str]] = {
    "figures": frozenset({"number", "percent", "money", "duration"}),
    "dates": frozenset({"date", "time"}),
    "people": frozenset({"participant"}),
    "negations": frozenset({"negation"}),
    "attributions": frozenset({"attribution"}),
}
ALTERED = "altered"
"""A finding's kind: sentences of both texts that are alike but for what makes them differ."""
IN_PLACE: Mapping[str, str] = {
    "figure": "figures in place", "date": "dates in place", "unit": "units",
    "person": "people in place", "role": "roles", "negation": "negations in place",
    "opposite": "opposites", "modality": "modality", "tense": "tenses",
    "quantity": "quantities", "clause": "clauses",
}  # fmt: skip
"""The name of the part by the kind of alteration: each has a noise floor of its own."""
_HEARD = GROUPS["figures"] | GROUPS["dates"]


def stated_facts(said: Mapping[Fact, bool], text: Stated, other: Stated) -> dict[Fact, StatedFact]:
    """Facts that `text` alone states, with what transcripts and the other text know of each.

    `said`: whether the text's own transcript says so.
    """
    negated = {fact for fact in said if fact.kind == "negation"}
    sought = {fact for fact in said if fact.kind in _HEARD}
    heard = other.spoken_facts() if negated or sought else frozenset()
    doubted = {fact.value for fact in negated if not said[fact] or fact in heard}
    sides = [Text(side.text, side.read_as, side.names) for side in (text, other)]
    without = turned(doubted, *sides) if doubted else frozenset()
    return {
        fact: StatedFact(
            kind=fact.kind,
            value=fact.value,
            is_said=is_said,
            is_heard=fact in sought and is_stated(fact, heard),
            is_turned=fact in negated and fact.value in without,
        )
        for fact, is_said in said.items()
    }


def altered_in_place(
    found: Sequence[Alteration],
    reference: Stated,
    hypothesis: Stated,
    lost: Iterable[StatedFact],
) -> list[Alteration]:
    """Those alterations that no difference of the sets of facts shows.

    A figure, a date or a negation counts where the hypothesis's run heard otherwise: its
    summary may be true to misheard words. A negation that is lost though both runs heard it,
    or neither, has not that excuse.
    """
    shown = {Fact(fact.kind, fact.value) for fact in lost if fact.is_heard}
    return [
        one
        for one in found
        if one.kind != SAME
        and one.fact not in shown
        and _is_against_hearing(one, reference, hypothesis)
    ]


def _is_against_hearing(one: Alteration, reference: Stated, hypothesis: Stated) -> bool:
    """Whether the run's own words have what its sentence has lost, or lack what it has made."""
    fact = one.fact
    if fact is None or fact.kind not in _HEARD | GROUPS["negations"]:
        return True
    is_said = is_stated(fact, hypothesis.spoken_facts())
    if fact.kind != "negation":
        return is_said
    if fact in hypothesis._replace(text=one.hypothesis).facts():
        return not is_said
    return is_said or not is_stated(fact, reference.spoken_facts())


def substituted(measure: Measure) -> dict[str, int]:
    """How many facts of each group either side altered, by the unwaived findings."""
    lost, made = _standing(measure, "missing"), _standing(measure, "extra")
    both_ways = {
        group: _exchanged(lost, made, GROUPS[group]) + _exchanged(made, lost, GROUPS[group])
        for group in ("figures", "dates")
    }
    in_place = {
        IN_PLACE[kind]: sum(f.fact.kind == kind for f in _altered(measure) if f.fact)
        for kind in KINDS
    }
    return (
        both_ways
        | in_place
        | {
            "people": min(_count(lost, "people"), _count(made, "people")),
            "negations": sum(fact.is_turned for fact in (*lost, *made)),
            "attributions": _count(lost, "attributions") + _count(made, "attributions"),
        }
    )


def contradicted(measure: Measure, between_legacy: Measure) -> str:
    """What both legacy runs state and the hypothesis replaces by what was never said; or empty.

    `between_legacy` is the same measure of the reference and the second legacy run.
    """
    not_of_both = {(f.kind, f.value) for f in _standing(between_legacy, "missing")}
    lost = [f for f in _standing(measure, "missing") if (f.kind, f.value) not in not_of_both]
    made = [fact for fact in _standing(measure, "extra") if not fact.is_said]
    for group in ("figures", "dates"):
        before = [fact.value for fact in lost if fact.kind in GROUPS[group]]
        after = [fact.value for fact in made if fact.kind in GROUPS[group]]
        if before and after:
            return f"both legacy runs state {before[0]}, the candidate {after[0]}, never said"
    return ""


def parts(measure: Measure) -> tuple[Measure, ...]:
    """Of all facts, those altered, by group, and those that were never said.

    An invention convicts only where one of the hypothesis's own stands.
    """
    invented = measure.counts.get("unsupported", 0)
    own = sum(_is_invention(fact) for fact in _standing(measure, "extra"))
    altered = {f"altered {group}": (n, n) for group, n in substituted(measure).items()}
    counted = altered | {INVENTED: (invented, own)}
    return tuple(
        Measure(
            name=f"{measure.name}/{what}",
            kind="graded",
            errors=n,
            length=measure.length,
            counts={"edits": n, "standing": standing},
            note=f"{what}: {n:.0f} of {measure.length:.0f}",
        )
        for what, (n, standing) in counted.items()
    )


def _altered(measure: Measure) -> list[Finding]:
    """Sentences of both that say another thing, as far as no waiver covers it."""
    return [f for f in measure.findings if f.kind == ALTERED and not f.waiver]


def _standing(measure: Measure, kind: str) -> list[StatedFact]:
    """Facts of one side only that no waiver covers."""
    return [f.fact for f in measure.findings if f.fact and f.kind == kind and not f.waiver]


def _exchanged(
    lost: Iterable[StatedFact], made: Iterable[StatedFact], kinds: Collection[str]
) -> int:
    """What one side heard and does not state, as far as it states others that were never said."""
    heard = sum(fact.is_heard for fact in lost if fact.kind in kinds)
    return min(heard, sum(not fact.is_said for fact in made if fact.kind in kinds))


def _count(facts: Iterable[StatedFact], group: str) -> int:
    return sum(fact.kind in GROUPS[group] for fact in facts)


def _is_invention(fact: StatedFact) -> bool:
    return not fact.is_said and fact.kind not in GROUPS["attributions"]
