"""Exact: which events, how often, in an order that the pipeline's dependencies allow.

Order is a set of precedences, not one sequence: title and summaries race. TOPIC
events are counted against the run's own topics, and texts against its own
outputs, because two language models need not find as many topics.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from comparators.alignment.distance import distance, encode
from comparators.exact_measure import exact
from comparators.payload.broadcasts import is_title_unsure, payload_differences, stored
from comparators.payload.fields import public_event
from comparators.payload.listeners import broadcast, broadcast_differences, label
from reflector_migrate.model import STEP_SPECS, Amount, Event, Finding, Measure, Observation, Unit

STEPS: Mapping[str, str] = {event: spec.name for spec in STEP_SPECS for event in spec.events}
"""Event -> the last step that publishes it."""

PRECEDENCE: tuple[tuple[str, str], ...] = (
    ("DURATION", "WAVEFORM"),
    ("DURATION", "TRANSCRIPT"),
    ("TRANSCRIPT", "TOPIC"),
    ("TOPIC", "FINAL_TITLE"),
    ("TOPIC", "FINAL_SHORT_SUMMARY"),
    ("FINAL_SHORT_SUMMARY", "FINAL_LONG_SUMMARY"),
    *((name, "STATUS:ended") for name in STEPS if name != "STATUS"),
    *((name, "STATUS:error") for name in STEPS if name != "STATUS"),
)
"""(earlier, later): every earlier one comes before the first later one."""

UNCOMPARED: Mapping[str, str] = {
    "PIPELINE_PROGRESS": "only the workflow engine reports progress",
    "STATUS:processing": "written, then wiped by the legacy reset: in the stored row of neither",
    "STATUS:uploaded": "set before the pipeline",
    "STATUS:idle": "set before the pipeline",
}
"""Of stored events, and why."""

UNHEARD = frozenset(UNCOMPARED) - {"STATUS:processing"}
"""Of broadcast events."""


def compare_events(reference: Observation, hypothesis: Observation) -> Measure:
    """Stored events of both sides; broadcast ones too, and one side's alone conclude nothing."""
    hypothesis_names = {event.event for event in hypothesis.events}
    newer = {e.event for e in reference.events if e.event not in STEPS} - hypothesis_names
    reference = _without(reference, newer - {name.partition(":")[0] for name in UNCOMPARED})
    findings = _compare("stored", stored(reference), stored(hypothesis), reference, hypothesis)
    sent = broadcast(reference), broadcast(hypothesis)
    if all(sent):
        findings += _compare("broadcast", *sent, reference, hypothesis)
        findings += broadcast_differences(reference, hypothesis, _step)
    findings += payload_differences(reference, hypothesis, _step, UNCOMPARED)
    mine, theirs = _labels(stored(reference)), _labels(stored(hypothesis))
    codes = encode(mine, theirs)
    measure = exact(
        "events",
        findings[0].step or "finalize" if findings else "finalize",
        max(len(mine), len(theirs)),
        findings,
        reference_text=f"{len(mine)} events",
        hypothesis_text=f"{len(theirs)} events",
        reference_amount=Amount(unit=Unit.EVENT, number=len(mine)),
        hypothesis_amount=Amount(unit=Unit.EVENT, number=len(theirs)),
        counts={"edit_distance": distance(codes[0], codes[1])},
    )
    why = "" if findings else _unsure(reference, hypothesis)
    return measure.model_copy(update={"inconclusive": why}) if why else measure


def _without(observation: Observation, names: Collection[str]) -> Observation:
    """The same without events that only a newer Reflector publishes."""
    if not names:
        return observation
    kept = tuple(event for event in observation.events if event.event not in names)
    return observation.model_copy(update={"events": kept})


def _unsure(reference: Observation, hypothesis: Observation) -> str:
    """What cannot be known of events that show no difference."""
    heard = [bool(broadcast(side)) for side in (reference, hypothesis)]
    reasons = (
        ("broadcasts were heard on one side only", heard[0] != heard[1]),
        ("another title was published than both rows hold: they may keep an earlier one",
         is_title_unsure(reference, hypothesis)),
    )  # fmt: skip
    return "; ".join(why for why, holds in reasons if holds)


def _labels(events: Sequence[Event], scope: str = "stored") -> list[str]:
    """What is compared: listeners hear of the beginning, which no row keeps."""
    left_out = UNCOMPARED if scope == "stored" else UNHEARD
    return [name for name in map(label, events) if name.removeprefix("user ") not in left_out]


def _compare(
    scope: str,
    reference: list[Event],
    hypothesis: list[Event],
    mine: Observation,
    theirs: Observation,
) -> list[Finding]:
    """Counts by type, then precedences only the hypothesis breaks."""
    labels = _labels(reference, scope), _labels(hypothesis, scope)
    counts = (
        _counted(labels[0], len(mine.outputs.topics)),
        _counted(labels[1], len(theirs.outputs.topics)),
    )
    found = [
        _placed(_count_finding(scope, name, counts[0][name], counts[1][name]), name, *labels)
        for name in sorted({*counts[0], *counts[1]})
        if counts[0][name] != counts[1][name]
    ]
    broken = violations(labels[1]) - violations(labels[0])
    moved = Counter(name for pair in broken for name in pair)
    return found + [
        _placed(_order_finding(scope, *pair, moved), pair[1], *labels) for pair in sorted(broken)
    ]


def _placed(finding: Finding, name: str, reference: list[str], hypothesis: list[str]) -> Finding:
    """The finding with the place of the last such event on the side that has it."""
    side = reference if finding.kind == "missing" else hypothesis
    places = [place for place, other in enumerate(side) if other == name]
    return finding.model_copy(update={"position": places[-1] if places else None})


def _counted(labels: list[str], topics: int) -> Counter[str]:
    """Events by type; of TOPIC only how many more than the run's own topics."""
    counts = Counter(labels)
    for name in ("TOPIC", "user TOPIC"):
        if name in counts or name == "TOPIC":
            counts[name] -= topics
    return counts


def violations(labels: Sequence[str]) -> set[tuple[str, str]]:
    """Precedences that do not hold in this order."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for position, name in enumerate(labels):
        first.setdefault(name, position)
        last[name] = position
    return {
        (earlier, later)
        for earlier, later in PRECEDENCE
        if earlier in last and later in first and last[earlier] > first[later]
    }


def _step(name: str) -> str:
    return STEPS.get(name.removeprefix("user ").removeprefix("FINAL_").split(":")[0]) or STEPS.get(
        name.removeprefix("user ").split(":")[0], "finalize"
    )


def _count_finding(scope: str, name: str, reference: int, hypothesis: int) -> Finding:
    kind = "missing" if hypothesis < reference else "extra"
    what = "against its own topics" if name.endswith("TOPIC") else "times"
    return Finding(
        path=f"events/{scope}/{name}",
        public_path=f"events/{scope}/{public_event(name)}",
        step=_step(name),
        kind=kind,
        reference=reference,
        hypothesis=hypothesis,
        message=f"{name} is {kind}: {reference} and {hypothesis} {what}",
    )


def _order_finding(scope: str, earlier: str, later: str, moved: Counter[str]) -> Finding:
    """The event out of its place: the one with more such findings, else the early one."""
    is_late = moved[earlier] > moved[later]
    return Finding(
        path=f"events/{scope}/order/{later}",
        public_path=f"events/{scope}/order/{public_event(later)}",
        step=_step(earlier if is_late else later),
        kind="reordered",
        reference=f"{earlier} before {later}",
        hypothesis=f"{later} before {earlier}",
        message=f"{later} came before {earlier}",
    )
