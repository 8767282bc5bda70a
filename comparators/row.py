"""Exact: participants, duration, waveform, status and the stored row, field by field.

Texts and lists that have measures of their own are left to those.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comparators.exact_measure import as_finding, exact
from comparators.language.lexicon import word_set
from comparators.payload.fields import DURATION_TOLERANCE_MS, WAVEFORM_TOLERANCE
from comparators.payload.masking import ROW_VOLATILE, mark
from comparators.payload.records import Difference, differences, keyed
from comparators.step_completeness import missing_steps, repeated_steps
from comparators.topic_fields import topic_differences
from comparators.unseen import columns_unseen
from reflector_migrate.model import (
    STEP_SPECS,
    Amount,
    Finding,
    Measure,
    Observation,
    Unit,
)

ELSEWHERE = word_set(
    "topics events participants webvtt title short_summary long_summary words waveform"
)
"""Row fields that other measures compare."""

ROW_STEPS: Mapping[str, str] = {
    column: spec.name for spec in STEP_SPECS for column in (*spec.columns, *spec.reports_columns)
}
"""Column -> the step that answers for it."""


def compare_participants(reference: Observation, hypothesis: Observation) -> Measure:
    """People by their id (else by track): name, track and account."""
    mine, theirs = _people(reference), _people(hypothesis)
    found = differences(mine, theirs)
    return exact(
        "participants",
        "get_participants",
        len({*mine, *theirs}),
        [as_finding("participants", d, "get_participants") for d in found],
        reference_text=f"{len(mine)} people",
        hypothesis_text=f"{len(theirs)} people",
        reference_amount=Amount(unit=Unit.PERSON, number=len(mine)),
        hypothesis_amount=Amount(unit=Unit.PERSON, number=len(theirs)),
    )


def _people(observation: Observation) -> dict[str, Any]:
    people = [person.model_dump() for person in observation.outputs.participants]
    named = [{**p, "key": p["id"] or f"track {p['speaker']}"} for p in people]
    return {
        key: {field: value for field, value in record.items() if field != "key"}
        for key, record in keyed(named, "key").items()
    }


def compare_duration(reference: Observation, hypothesis: Observation) -> Measure:
    """Milliseconds of the mixed audio, within one MP3 frame."""
    values = reference.outputs.duration_ms, hypothesis.outputs.duration_ms
    return _scalar("duration", "mixdown_tracks", values, DURATION_TOLERANCE_MS, "ms")


def compare_status(reference: Observation, hypothesis: Observation) -> Measure:
    """The stored row's status, and which steps were left undone, or done twice.

    An optional step (consent, Zulip, webhook) fails no workflow, and what it left undone
    may show nowhere else; so a step that failed on the hypothesis only, was skipped or
    never ran is a difference. Only a workflow engine names every step: of legacy, a step
    less is none, and a step of the pipeline more against it neither. One that completed
    twice is, and one that the pipeline does not have.
    """
    values = reference.outputs.row.get("status"), hypothesis.outputs.row.get("status")
    measure = _scalar("status", "finalize", values, 0, "")
    left = missing_steps(reference, hypothesis) if hypothesis.status == "completed" else []
    left += repeated_steps(reference, hypothesis)
    return measure.model_copy(
        update={
            "errors": measure.errors + len(left),
            "length": measure.length + len(left),
            "findings": (*measure.findings, *left),
        }
    )


def _scalar(name: str, step: str, values: tuple[Any, Any], tolerance: float, unit: str) -> Measure:
    """One value of both sides; None on both is nothing to compare."""
    record = differences({name: values[0]}, {name: values[1]}, {name: tolerance})
    shown = [f"{value} {unit}".strip() if value is not None else "none" for value in values]
    return exact(
        name,
        step,
        0 if values == (None, None) else 1,
        [_named(d, name, step) for d in record],
        reference_text=shown[0],
        hypothesis_text=shown[1],
        reference_amount=_amount(values[0]),
        hypothesis_amount=_amount(values[1]),
    )


def _amount(value: Any) -> Amount:
    """Milliseconds, or a state."""
    if isinstance(value, int | float):
        return Amount(unit=Unit.MILLISECOND, number=value)
    if value is None:
        return Amount(unit=Unit.NONE)
    states = {"ended": Unit.ENDED, "error": Unit.ERROR}
    return Amount(unit=states.get(str(value), Unit.OTHER_STATE))


def _named(difference: Difference, name: str, step: str) -> Finding:
    """A scalar's finding, as missing, extra or changed."""
    kind = "changed"
    if difference.hypothesis is None:
        kind = "missing"
    elif difference.reference is None:
        kind = "extra"
    return as_finding(name, difference._replace(path="", kind=kind), step)


def compare_waveform(reference: Observation, hypothesis: Observation) -> Measure:
    """Number of points, and each within the tolerance."""
    mine, theirs = reference.outputs.waveform or (), hypothesis.outputs.waveform or ()
    findings = []
    if len(mine) != len(theirs):
        findings.append(_waveform_finding("length", len(mine), len(theirs)))
    else:
        far = [i for i, pair in enumerate(zip(mine, theirs, strict=True)) if _far(*pair)]
        if far:
            worst = max(far, key=lambda i: abs(mine[i] - theirs[i]))
            findings.append(
                _waveform_finding(
                    "values", mine[worst], theirs[worst], f"{len(far)} points differ"
                ).model_copy(update={"position": worst, "at_s": _at_s(reference, worst)})
            )
    return exact(
        "waveform",
        "generate_waveform",
        max(len(mine), len(theirs)),
        findings,
        reference_text=f"{len(mine)} points",
        hypothesis_text=f"{len(theirs)} points",
        reference_amount=Amount(unit=Unit.POINT, number=len(mine)),
        hypothesis_amount=Amount(unit=Unit.POINT, number=len(theirs)),
    )


def _at_s(observation: Observation, point: int) -> float | None:
    """When a point of the waveform sounds."""
    duration_ms, points = observation.outputs.duration_ms, observation.outputs.waveform or ()
    return round(duration_ms / 1000 * point / len(points), 3) if duration_ms else None


def _far(first: float, second: float) -> bool:
    return abs(first - second) > WAVEFORM_TOLERANCE + 1e-9


def _waveform_finding(what: str, reference: Any, hypothesis: Any, message: str = "") -> Finding:
    return Finding(
        path=f"waveform/{what}",
        step="generate_waveform",
        reference=reference,
        hypothesis=hypothesis,
        message=message or f"{reference} points against {hypothesis}",
    )


def compare_row(reference: Observation, hypothesis: Observation) -> Measure:
    """The stored row's own fields; ids and clocks by presence; its topics against their words."""
    mine, theirs = _row(reference), _row(hypothesis)
    found = differences(mine, theirs, {"duration": DURATION_TOLERANCE_MS})
    found += _nulls(reference, hypothesis)
    why = columns_unseen(reference)
    unseen = [why[d.path] for d in found if d.path in why]
    found = [d for d in found if d.path not in why]
    topics = topic_differences(reference, hypothesis)
    if not topics and not (mine and theirs):
        missing = "row not collected" if mine or theirs else ""
        return Measure(name="row", kind="exact", step="finalize", inconclusive=missing)
    measure = exact(
        "row",
        "finalize",
        len({*mine, *theirs}),
        [as_finding("row", d, ROW_STEPS.get(d.path.split("/")[0], "finalize")) for d in found]
        + topics,
        reference_text=f"{len(mine)} fields",
        hypothesis_text=f"{len(theirs)} fields",
        reference_amount=Amount(unit=Unit.FIELD, number=len(mine)),
        hypothesis_amount=Amount(unit=Unit.FIELD, number=len(theirs)),
    )
    if measure.findings or not unseen:
        return measure
    return measure.model_copy(update={"inconclusive": "; ".join(dict.fromkeys(unseen))})


NULLABLE = ("title", "short_summary", "long_summary", "webvtt")


def _nulls(reference: Observation, hypothesis: Observation) -> list[Difference]:
    """Texts that are null on one side and empty on the other: a reader of the row may break."""
    sides = [
        (name, getattr(reference.outputs, name), getattr(hypothesis.outputs, name))
        for name in NULLABLE
    ]
    return [
        Difference(name, "changed", one, other)
        for name, one, other in sides
        if {one, other} == {None, ""}
    ]


def _row(observation: Observation) -> dict[str, Any]:
    return {
        key: mark(key, value) if key in ROW_VOLATILE else value
        for key, value in observation.outputs.row.items()
        if key not in ELSEWHERE and key not in {"search_vector_en", "workflow_id"}
    }
