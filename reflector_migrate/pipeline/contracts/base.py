"""What contracts are made of: a strict frozen value, semantic fields, references, the run."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Namespace = Literal["shadow", "live"]


class Contract(BaseModel):
    """A frozen, JSON-safe value; an unknown field is an error, so typos cannot hide."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


def semantic(default: Any = ...) -> Any:
    """Declare a field that enters the step's digest."""
    return Field(default, json_schema_extra={"semantic": True})


class Ref(Contract):
    """Where a large value is stored, what its content hashes to (ids aside), how many items."""

    ref: str
    sha256: str = semantic()
    count: int = semantic()


class Run(Contract):
    """Whose recording this is and in which namespace it may write; the same for all steps."""

    run_id: str
    recording_id: str
    transcript_id: str
    namespace: Namespace
    bucket_name: str
    room_id: str | None = None
    workflow_id: str | None = None


class StepInput(Contract):
    """What every step receives."""

    run: Run
