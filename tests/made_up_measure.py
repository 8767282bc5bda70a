"""A measure that the product does not have: how many action items a run's row lists."""

from __future__ import annotations

from reflector_migrate.model import Finding, Measure, Observation


def compare_action_items(reference: Observation, hypothesis: Observation) -> Measure:
    """Exact: as many action items."""
    numbers = [len(side.outputs.row.get("action_items") or ()) for side in (reference, hypothesis)]
    errors = abs(numbers[0] - numbers[1])
    found = Finding(
        path="action_item_count/number",
        step="generate_title",
        kind="missing",
        reference=numbers[0],
        hypothesis=numbers[1],
        message=f"{errors} action items fewer",
    )
    return Measure(
        name="action_item_count",
        kind="exact",
        errors=errors,
        length=max(numbers),
        step="generate_title",
        findings=(found,) if errors else (),
    )
