"""What contracts are made of: strict frozen values, semantic fields, references, the run."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

Namespace = Literal["shadow", "live"]


class Contract(BaseModel):
    """A frozen, JSON-safe value; an unknown field is an error, so typos cannot hide."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", ser_json_inf_nan="constants", hide_input_in_errors=True
    )


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


class StepContract(NamedTuple):
    """The two models of a step."""

    input: type[StepInput]
    output: type[Contract]


class EventData(BaseModel):
    """Data of an event; `event` is its name on the channel."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    event: ClassVar[str]
