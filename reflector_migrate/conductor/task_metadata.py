"""What a worker adds to a task's output beside the step's own fields, under `_meta`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic import ValidationError

from reflector_migrate.conductor.task_domain import Identity
from reflector_migrate.model import Usage, spec_of

META = "_meta"

Cause = Literal["outage", "passing"]
"""As in `model.StepRun`."""


def meta_of(
    who: Identity, attempt: int, step: str, usage: Usage, cause: Cause | None = None
) -> dict[str, Any]:
    """Identity, attempt n of m, what it used (zeros left out), and why it failed or waits."""
    return {
        **({"cause": cause} if cause else {}),
        **who._asdict(),
        "attempt": attempt,
        "attempts": spec_of(step).attempts,
        "usage": usage.model_dump(mode="json", exclude_defaults=True),
    }


def cause_of(output: Any, attempt: int) -> Cause | None:
    """Why that very attempt failed or waited; 3.15.0 shows its predecessor's output as well."""
    meta = output.get(META) if isinstance(output, Mapping) else None
    if not isinstance(meta, Mapping) or meta.get("attempt") != attempt:
        return None
    return next((cause for cause in get_args(Cause) if cause == meta.get("cause")), None)


def spent_before(output: Any, attempt: int) -> Usage:
    """What an attempt that was put back into its queue had used, by the output it left there.

    3.15.0 gives each attempt its predecessor's output, which is counted already.
    """
    meta = output.get(META) if isinstance(output, Mapping) else None
    if not isinstance(meta, Mapping) or meta.get("attempt") != attempt:
        return Usage()
    try:
        return Usage.model_validate(meta.get("usage") or {})
    except ValidationError:
        return Usage()


def without_meta(value: Any) -> Any:
    """A copy without any `_meta`: a JOIN's output carries one per branch."""
    if isinstance(value, Mapping):
        return {k: without_meta(v) for k, v in value.items() if k != META}
    if isinstance(value, list):
        return [without_meta(item) for item in value]
    return value
