"""What every noun is made of: a value that stays as it was when it was validated."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


def _in_utc(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


Instant = Annotated[datetime, AfterValidator(_in_utc)]
"""A moment; one that names no time zone is UTC."""


class Frozen(BaseModel):
    """A fact: cannot be changed, tolerates fields it does not know; its numbers are numbers."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", allow_inf_nan=False, hide_input_in_errors=True
    )


class Document(Frozen):
    """A fact that is written to a file: its field `schema_` is called `schema` there."""

    model_config = ConfigDict(populate_by_name=True)
