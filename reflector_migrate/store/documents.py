"""Stored documents, read by their models; one that its model refuses is named, never hidden."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from reflector_migrate.errors import UnreadableError
from reflector_migrate.model import (
    UNREADABLE,
    Check,
    Comparison,
    Engine,
    Role,
    Side,
    Verdict,
)

M = TypeVar("M", bound=BaseModel)
OURS = "its stored comparison"


def parsed(model: type[M], body: str, what: str) -> M:
    """The document. Raises UnreadableError with `what` and the field, without a word of it."""
    try:
        return model.model_validate_json(body)
    except ValidationError as invalid:
        raise UnreadableError(f"{UNREADABLE}{what}: {field_of(invalid)}") from None


def comparison_of(run_id: str, recording_id: str, body: str) -> Comparison:
    """The stored comparison; of an unreadable one nothing but that it is ERRORED, and why."""
    try:
        return parsed(Comparison, body, OURS)
    except UnreadableError as error:
        check = Check(
            name="completion", verdict=Verdict.ERRORED, rule="unreadable", note=error.message
        )
        return Comparison(
            recording=recording_id,
            run_id=run_id,
            primary=Side(role=Role.PRIMARY, engine=Engine.CELERY),
            candidate=Side(role=Role.CANDIDATE, engine=Engine.CONDUCTOR),
            verdict=Verdict.ERRORED,
            checks=(check,),
        )


def is_unreadable(comparison: Comparison) -> bool:
    """Whether it stands for one that cannot be read."""
    return any(c.note.startswith(f"{UNREADABLE}{OURS}") for c in comparison.checks)


def field_of(invalid: ValidationError) -> str:
    """The first field that was refused, and why; never its value."""
    first = invalid.errors(include_input=False, include_context=False, include_url=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'all of it'}: {first['msg']}"
