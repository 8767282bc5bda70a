"""A measure held against the floor, whole and in parts; the worst of them counts.

What legacy does most makes the floor of the whole wide. What it never does has a
floor of its own: an altered figure among facts left out, a track that is late as a
whole among words aligned amiss.
"""

from __future__ import annotations

from dataclasses import replace

from comparators.alignment.transcript_pair import word_pair
from comparators.facts.speaker_attribution import KIND as ATTRIBUTION
from comparators.tcpwer import COLLAR_S
from reflector_migrate.judge.context import Grounds
from reflector_migrate.judge.cross_run import FACTS, INVENTED, parts_of
from reflector_migrate.judge.threshold import Held, hold
from reflector_migrate.model import Finding, Measure, Severity, Verdict


def hold_all(measure: Measure, grounds: Grounds) -> Held:
    """The worst of the whole and its parts, told by what says most of it."""
    whole = hold(measure.name, measure.divergence or 0.0, measure.errors, grounds)
    shares = parts_of(measure, grounds.reference, grounds.hypothesis)
    if measure.name in FACTS and not any(map(_is_invented, measure.findings)):
        shares[measure.name + INVENTED] = 0.0
    parts = [_part(name, share, measure, grounds) for name, share in shares.items() if share]
    worst = Verdict.worst([whole.verdict, *(held.verdict for held in parts)])
    told = [*parts, whole] if worst is Verdict.DIVERGED else [whole, *parts]
    return next(held for held in told if held.verdict is worst)


def _part(name: str, share: float, measure: Measure, grounds: Grounds) -> Held:
    """One part, its note beginning with what it is and how much of it there is."""
    what, counted = name.partition("/")[2], share * measure.length
    if measure.name in FACTS:
        why, edits = f"{what}: {counted:.0f} of {measure.length:.0f}", counted
    else:
        why, edits = f"{what}: {share * COLLAR_S:.2f} s", measure.counts.get("moved", 0)
    held = hold(name, share, edits, grounds)
    return replace(held, note="; ".join(filter(None, [why, held.note])))


def hold_facts(measure: Measure, grounds: Grounds) -> Held:
    """Facts follow words and answers: exact where both agree, else held against what legacy does.

    All of them, those altered, by what they are, and those that nobody said.
    """
    if _is_determined(measure, grounds):
        return Held(Verdict.DIVERGED, "exact")
    return hold_all(measure, grounds)


def _is_determined(measure: Measure, grounds: Grounds) -> bool:
    """Whether words agree exactly, and the model's answers by replay or as recorded."""
    return not _words_differ(grounds) and (
        grounds.is_repeatable or _answers_agree(measure.step, grounds)
    )


def _answers_agree(step: str | None, grounds: Grounds) -> bool:
    """Whether the step was seen to give the same on both sides, whatever was stored of it."""
    sides = grounds.reference.steps, grounds.hypothesis.steps
    given = [{s.name: s.output_digest for s in steps}.get(step or "") for steps in sides]
    return given[0] is not None and given[0] == given[1]


def _is_invented(finding: Finding) -> bool:
    is_attribution = finding.path.split("/")[1:2] == [ATTRIBUTION]
    is_unsaid = finding.severity is Severity.CRITICAL and not is_attribution
    return finding.kind == "extra" and is_unsaid and not finding.waiver


def _words_differ(grounds: Grounds) -> bool:
    """Whether any word was heard otherwise: then a fact may have been, too.

    A blank or a comma is no word, and changes no fact.
    """
    pair = word_pair(grounds.reference, grounds.hypothesis)
    return pair.reference.tokens != pair.hypothesis.tokens
