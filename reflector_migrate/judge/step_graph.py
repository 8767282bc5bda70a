"""What each step works on, and which steps can make a measure diverge."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from comparators.registry import MeasureSpec
from reflector_migrate.model import STEP_SPECS

INPUTS: Mapping[str, tuple[str, ...]] = {spec.name: spec.inputs for spec in STEP_SPECS}
"""Step -> steps whose work it works on, through its input or through the row."""

FROM_ROW: Mapping[str, tuple[str, ...]] = {spec.name: spec.row_inputs for spec in STEP_SPECS}
"""Step -> of these, the ones that its input does not show."""

FREE = frozenset(spec.name for spec in STEP_SPECS if spec.reads_model)
"""Steps that ask a model: the same input need not give the same output."""

HEARING = frozenset(spec.name for spec in STEP_SPECS if spec.is_heard)
"""Steps whose words are published before they are stored."""

SPEECH = tuple(spec.name for spec in STEP_SPECS if spec.is_speech)


@cache
def before(step: str) -> frozenset[str]:
    """Every step whose work reaches this one."""
    direct = INPUTS.get(step, ())
    return frozenset(direct).union(*(before(parent) for parent in direct))


def causes_of(measure: MeasureSpec | None) -> frozenset[str] | None:
    """Steps that can make a measure of content diverge; None for all other measures.

    A title may also be that of other topics, and a summary of other words: any step that
    works on the other one's output.
    """
    if measure is None or not measure.caused_by:
        return None
    last = measure.caused_by
    return before(last).union({last}, measure.also_by)
