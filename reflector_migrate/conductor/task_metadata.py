"""What a worker adds to a task's output beside the step's own fields, under `_meta`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from reflector_migrate.conductor.task_domain import Identity
from reflector_migrate.model import Usage, spec_of

META = "_meta"


def meta_of(who: Identity, attempt: int, step: str, usage: Usage) -> dict[str, Any]:
    """Identity, attempt n of m, and what the attempt used (zeros left out)."""
    return {
        **who._asdict(),
        "attempt": attempt,
        "attempts": spec_of(step).attempts,
        "usage": usage.model_dump(mode="json", exclude_defaults=True),
    }


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
