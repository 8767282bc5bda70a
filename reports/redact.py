"""Takes the words out of a night before anything is rendered: counts and times stay.

What stays is decided by the types of the model's fields: numbers, times, amounts, words of
closed lists (enums, literals, statuses), and text typed Public. Any other text goes, so a
field added to the model is withheld until its type says that it holds no words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from datetime import date, datetime
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from reflector_migrate.model import (
    Amount,
    Blame,
    Comparison,
    Finding,
    Gist,
    Measure,
    Side,
    StepRun,
    Turn,
    Unit,
)
from reflector_migrate.model.finding_groups import FindingGroup, groups_as_text, groups_from_text
from reflector_migrate.model.privacy import PublicMark
from reports.document import Night

WITHHELD = "withheld"

_Model = TypeVar("_Model", bound=BaseModel)

_PLAIN = (bool, int, float, datetime, date, type(None))


def redact(night: Night) -> Night:
    """The night without words, titles, summaries or names; unchanged unless it asks for it."""
    if not night.is_redacted:
        return night
    coverage = replace(
        night.coverage,
        skipped=_reasons(night.coverage.skipped),
        failed=_reasons(night.coverage.failed),
        unread=night.coverage.unread.partition(":")[0],
    )
    return replace(
        night,
        coverage=coverage,
        comparisons=tuple(map(hide, night.comparisons)),
        gists=tuple(map(_gist, night.gists)),
    )


def hide(value: _Model) -> _Model:
    """The model without any text that its fields' types do not call public."""
    fields = {}
    for name, how, fallback in _plan(type(value)):
        found = getattr(value, name)
        if how == "keep" or (how == "number" and isinstance(found, bool | int | float)):
            fields[name] = found
        elif how == "model":
            fields[name] = None if found is None else hide(found)
        elif how == "models":
            fields[name] = tuple([hide(item) for item in found])
        elif fallback is not None:
            fields[name] = fallback()
    for kind, instead in _INSTEAD.items():
        if isinstance(value, kind):
            fields |= instead(value)
    return type(value).model_construct(**fields)


@cache
def _plan(model: type[BaseModel]) -> tuple[tuple[str, str, Callable[[], Any] | None], ...]:
    """What becomes of each field, by its type; what is dropped is as if it were not given.

    Asking pydantic for each default of each object is most of the work on a large night.
    """
    return tuple((name, _how(info), _default_of(info)) for name, info in model.model_fields.items())


def _default_of(info: FieldInfo) -> Callable[[], Any] | None:
    if info.is_required():
        return None
    default = info.get_default(call_default_factory=True, validated_data={})
    return lambda: copy(default)


def _how(info: FieldInfo) -> str:
    annotation = info.annotation
    if any(isinstance(mark, PublicMark) for mark in info.metadata) or _is_public(annotation):
        return "keep"
    if annotation is Any:
        return "number"
    kinds = [kind for kind in (annotation, *get_args(annotation)) if _is_model(kind)]
    if not kinds:
        return "drop"
    return "models" if get_origin(annotation) is tuple else "model"


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _is_public(annotation: Any) -> bool:
    """Numbers, times, closed lists of words, public text, tuples and mappings of these."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return issubclass(annotation, (*_PLAIN, Enum))
    if any(isinstance(mark, PublicMark) for mark in getattr(annotation, "__metadata__", ())):
        return True
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return True
    if origin is tuple and inner[1:] == (Ellipsis,):
        return _is_public(inner[0])
    return origin in {Union, UnionType, Mapping} and all(map(_is_public, inner))


def _finding(finding: Finding) -> dict[str, Any]:
    return {"path": finding.public_path or bare_path(finding.path)}


def _measure(measure: Measure) -> dict[str, Any]:
    """Amounts in place of texts."""
    return {
        "reference_text": _amount(measure.reference_text, measure.reference_amount),
        "hypothesis_text": _amount(measure.hypothesis_text, measure.hypothesis_amount),
        "inconclusive": WITHHELD if measure.inconclusive else "",
    }


def _amount(text: str, amount: Amount | None) -> str:
    return amount.text if amount else WITHHELD if text else ""


def _failed(run: Side | StepRun) -> dict[str, Any]:
    """That there was an error; what it said is withheld."""
    return {"error": WITHHELD if run.error else None}


def _turn(turn: Turn) -> dict[str, Any]:
    """How many words of each mark."""
    return {"diff": tuple((mark, _how_many(text)) for mark, text in turn.diff)}


def _how_many(text: str) -> str:
    return Amount(unit=Unit.WORD, number=len(text.split())).text


def _comparison(comparison: Comparison) -> dict[str, Any]:
    notes = len(comparison.notes)
    return {"notes": (f"{notes} notes {WITHHELD}",) if notes else ()}


def _blame(_blame: Blame) -> dict[str, Any]:
    return {"why": ""}


_INSTEAD: Mapping[type[BaseModel], Callable[[Any], dict[str, Any]]] = {
    Finding: _finding,
    Measure: _measure,
    Side: _failed,
    StepRun: _failed,
    Turn: _turn,
    Comparison: _comparison,
    Blame: _blame,
}
"""What stands in place of private text, where something does."""


def _gist(gist: Gist) -> Gist:
    """That of the redacted comparison, which is not needed for it."""
    (groups,) = groups_from_text([gist.told])
    return gist._replace(title="", told=groups_as_text(map(_group, groups)))


def _group(group: FindingGroup) -> FindingGroup:
    sides = {"reference": _number(group.reference), "hypothesis": _number(group.hypothesis)}
    path = group.public_path or bare_path(group.path)
    return group._replace(path=path, message="", **sides)


def _number(value: Any) -> Any:
    return value if isinstance(value, bool | int | float) else None


def bare_path(path: str) -> str:
    """The measure's name alone: which of the other parts may be shown is not known."""
    first, *others = path.split("/")
    return "/".join([first, *["*"] * len(others)])


def _reasons(counts: Mapping[str, int]) -> dict[str, int]:
    """Reasons up to their colon: what an error went on to say is withheld."""
    short: dict[str, int] = {}
    for reason, number in counts.items():
        head = reason.partition(":")[0]
        short[head] = short.get(head, 0) + number
    return short
