"""What a side does not show: effects that nothing saw, and those of steps that failed on it.

Not seen is not absent, and a step that failed on the reference cannot be a standard. Neither is
compared: the measure concludes nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from reflector_migrate.model import (
    STEP_SPECS,
    UNSEEN_FILES,
    UNSEEN_WEBHOOK,
    UNSEEN_ZULIP,
    Engine,
    Observation,
)

ZULIP = next(spec for spec in STEP_SPECS if spec.name == "post_zulip")
KINDS: Mapping[str, tuple[str, ...]] = {
    UNSEEN_FILES: ("local_put",),
    UNSEEN_ZULIP: ZULIP.effects,
    UNSEEN_WEBHOOK: ("webhook",),
}
"""An observation's note -> the kinds of effects of which it then shows nothing."""

AFTER_END = tuple(spec for spec in STEP_SPECS if spec.is_after_end)
FAILED = frozenset({"failed", "timed_out"})


def kinds_unseen(reference: Observation, hypothesis: Observation) -> dict[str, str]:
    """Why a kind of effect is not compared, by kind."""
    why = {
        kind: note
        for side in (reference, hypothesis)
        for note, kinds in KINDS.items()
        if note in side.notes
        for kind in kinds
    }
    shown = {effect.kind for effect in reference.effects}
    for step, reason in steps_left_undone(reference).items():
        for spec in AFTER_END:
            if spec.name == step and not shown.intersection(spec.effects):
                why |= dict.fromkeys(spec.effects, reason)
    return why


def columns_unseen(reference: Observation) -> dict[str, str]:
    """Why a column of the row is not compared, by column."""
    undone = steps_left_undone(reference)
    why = {column: undone[s.name] for s in AFTER_END if s.name in undone for column in s.columns}
    if UNSEEN_ZULIP in reference.notes:
        why |= dict.fromkeys(ZULIP.columns, UNSEEN_ZULIP)
    return why


def steps_left_undone(reference: Observation) -> dict[str, str]:
    """Steps after the transcript's end that failed on it for good, and those never reached then.

    The legacy chain is serial: behind a step that failed, nothing runs.
    """
    last = {step.name: step.status for step in sorted(reference.steps, key=lambda s: s.attempt)}
    undone: dict[str, str] = {}
    for spec in AFTER_END:
        if last.get(spec.name) in FAILED:
            undone[spec.name] = f"{spec.name} failed on the primary"
        elif undone and spec.name not in last and reference.engine is Engine.CELERY:
            first = next(iter(undone))
            undone[spec.name] = f"{spec.name} never ran on the primary, since {first} failed"
    return undone
