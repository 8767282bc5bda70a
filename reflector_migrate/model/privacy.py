"""Which texts of a document are public: what is not typed Public is private."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from reflector_migrate.model.frozen import Frozen


class PublicMark:
    """Marks text that comes from this project's own vocabulary, or from an operator."""


Public = Annotated[str, PublicMark()]
"""Names of measures, steps, rules and engines, ids, dates: never a word of a meeting, or a name."""


class Unit(StrEnum):
    """What an amount counts; a state, where there is no number."""

    WORD = "word"
    SPEAKER = "speaker"
    TOPIC = "topic"
    FACT = "fact"
    CUE = "cue"
    EVENT = "event"
    FIELD = "field"
    PERSON = "person"
    POINT = "point"
    EFFECT = "effect"
    MILLISECOND = "ms"
    SECOND = "s"
    GPU_SECOND = "GPU s"
    ENDED = "ended"
    ERROR = "error"
    OTHER_STATE = "another state"
    NONE = "none"
    SAME = "same"
    UNKNOWN = "unknown"


_PLAIN = frozenset({Unit.MILLISECOND, Unit.SECOND, Unit.GPU_SECOND})


class Amount(Frozen):
    """A number and what it counts, or a state: by its type it holds no word of a meeting."""

    unit: Unit
    number: int | float | None = None

    @property
    def text(self) -> str:
        """`1 topic`, `12 ms`, `ended`."""
        if self.number is None:
            return self.unit.value
        is_one = self.number == 1 or self.unit in _PLAIN
        noun = "people" if self.unit is Unit.PERSON and not is_one else self.unit.value
        plural = "" if is_one or noun == "people" else "s"
        return f"{self.number} {noun}{plural}"
