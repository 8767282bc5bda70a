"""What every noun is made of: a value that stays as it was when it was validated."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A fact: cannot be changed, tolerates fields it does not know; its numbers are numbers."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", allow_inf_nan=False, hide_input_in_errors=True
    )


class Document(Frozen):
    """A fact that is written to a file: its field `schema_` is called `schema` there."""

    model_config = ConfigDict(populate_by_name=True)
