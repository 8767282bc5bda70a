"""Reads waivers and known legacy defects from their files; says which field is wrong."""

from __future__ import annotations

import tomllib
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reflector_migrate.errors import InputError
from reflector_migrate.judge.waivers import Waiver

DEFECTS_FILE = "known_legacy_defects.toml"
FORMAT = "[[waiver]] path, reason, owner, expiry (a date), cap (optional)"

Text = Annotated[str, Field(min_length=1)]
Value = str | int | float | bool | None


class Entry(BaseModel):
    """A table of the file: no unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", str_strip_whitespace=True, hide_input_in_errors=True
    )


class GrantedWaiver(Entry):
    """[[waiver]]: nothing is waived without a reason, an owner and an end."""

    path: Text
    reason: Text
    owner: Text
    expiry: date
    cap: int | None = Field(None, ge=0)

    def waiver(self) -> Waiver:
        """As the judge has it."""
        return Waiver(self.path, self.reason, self.owner, self.expiry, self.cap)


class KnownDefect(Entry):
    """[[known_legacy_defect]]: what legacy does wrong, and the one thing a fix does instead."""

    path: Text
    reason: Text
    kind: Text | None = None
    legacy: Value = None
    fixed: Value = None

    def waiver(self) -> Waiver:
        """As the judge has it."""
        return Waiver(
            self.path, self.reason, kind=self.kind, legacy=self.legacy, fixed=self.fixed,
            is_improvement=True,
        )  # fmt: skip


class WaiversFile(Entry):
    """The whole file."""

    waiver: tuple[GrantedWaiver, ...] = ()
    known_legacy_defect: tuple[KnownDefect, ...] = ()


def waivers_in_force(path: Path | None) -> tuple[Waiver, ...]:
    """The file's waivers, if one is named, and the known legacy defects that ship with us."""
    granted = () if path is None else read_waivers(path)
    return (*granted, *known_legacy_defects())


def known_legacy_defects() -> tuple[Waiver, ...]:
    """Improvements by the shipped list: in the package, or in a checkout's fixtures."""
    shipped = resources.files("reflector_migrate.judge") / DEFECTS_FILE
    if shipped.is_file():
        return parse_waivers(tomllib.loads(shipped.read_text(encoding="utf-8")), DEFECTS_FILE)
    return read_waivers(Path(__file__).parents[2] / "fixtures" / DEFECTS_FILE)


def read_waivers(path: Path) -> tuple[Waiver, ...]:
    """Waivers of a TOML file; InputError names file and field."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", hint=FORMAT) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}", hint=FORMAT) from None
    return parse_waivers(data, str(path))


def parse_waivers(data: dict[str, Any], where: str) -> tuple[Waiver, ...]:
    """Waivers of parsed TOML, in the order of the file; InputError names the field."""
    try:
        found = WaiversFile.model_validate(data)
    except ValidationError as invalid:
        raise InputError(f"{where}: {_first(invalid)}", hint=FORMAT) from None
    granted = (entry.waiver() for entry in found.waiver)
    return (*granted, *(entry.waiver() for entry in found.known_legacy_defect))


def _first(invalid: ValidationError) -> str:
    """`waiver 2: expiry: Field required`; entries counted from 1, as people do."""
    error = invalid.errors(include_url=False)[0]
    parts = [part + 1 if isinstance(part, int) else part for part in error["loc"]]
    table, place, *field = [*parts, "", ""][: max(3, len(parts))]
    named = f"{table} {place}".strip() + "".join(f": {part}" for part in field if part)
    what = "unknown key" if error["type"] == "extra_forbidden" else error["msg"]
    return f"{named}: {what}"
