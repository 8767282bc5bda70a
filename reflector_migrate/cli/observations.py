"""Reads observation/1 files of any origin; names every field that is missing or not a number."""

from __future__ import annotations

import codecs
import json
import os
import re
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reflector_migrate.errors import InputError
from reflector_migrate.model import Observation

HINT = "run `migrate schema observation` to see the expected format"
MAX_NAMED = 8
MAX_BYTES = 512 << 20
_MOST = {"words": 1_000_000, "topics": 10_000}
_NUMBERS = ("start", "end", "speaker", "timestamp", "duration")
_OTHER_FORMS = (
    (b"\x1f\x8b", "gzip, not JSON", "unpack it first"),
    (codecs.BOM_UTF16_LE, "UTF-16, not UTF-8", "write it as UTF-8"),
    (codecs.BOM_UTF16_BE, "UTF-16, not UTF-8", "write it as UTF-8"),
)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def read_observation(path: Path) -> Observation:
    """The observation in a file; InputError names the file and every field that is wrong."""
    data = _text_of(path)
    try:
        observation = _parsed(data)
    except (ValidationError, ValueError, RecursionError) as invalid:
        raise InputError(f"{path}: {_why(invalid)}", hint=HINT) from None
    wrong = next(_no_numbers(observation), None)
    if wrong:
        why = "NaN, infinity and numbers too large for a double are not JSON numbers"
        raise InputError(f"{path}: {wrong}: {why}", hint=HINT)
    return observation


def _text_of(path: Path) -> bytes:
    """A regular file's bytes in UTF-8, without a byte order mark; InputError says what else it is.

    It is opened without waiting: a pipe without a writer would block for ever.
    """
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise InputError(f"{path}: not a regular file", hint="write it to a file first")
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise InputError(f"{path}: over {MAX_BYTES >> 20} MB", hint="give one recording's run")
    for start, kind, hint in _OTHER_FORMS:
        if data.startswith(start):
            raise InputError(f"{path}: {kind}", hint=hint)
    return data.removeprefix(codecs.BOM_UTF8)


def _require_distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; ValueError for a key that stands in it twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return found


def _parsed(data: bytes) -> Observation:
    """Strict JSON as it is; text that is not Unicode (a lone surrogate) by its escape, noted."""
    try:
        observation = Observation.model_validate_json(data)
    except ValidationError as invalid:
        if not _is_json_error(invalid) or b"\\u" not in data:
            raise
        observation = Observation.model_validate(_escaped(json.loads(data)))
        note = f"{observation.engine}: text that is not Unicode is shown by its escape"
        observation = observation.model_copy(update={"notes": (*observation.notes, note)})
    _require_numbers(json.loads(data, object_pairs_hook=_require_distinct))
    return observation


def _require_numbers(document: Any) -> None:
    """ValueError for a number written as text, and for more words or topics than a day has."""
    outputs = document.get("outputs") if isinstance(document, dict) else None
    for name, most in _MOST.items():
        entries = outputs.get(name) if isinstance(outputs, dict) else None
        if not isinstance(entries, list):
            continue
        if len(entries) > most:
            raise ValueError(f"outputs.{name}: {len(entries)}, over {most}")
        for index, entry in enumerate(entries):
            for field in _NUMBERS if isinstance(entry, dict) else ():
                if isinstance(entry.get(field), str):
                    raise ValueError(f"outputs.{name}.{index}.{field}: text, not a number")
    if isinstance(outputs, dict) and isinstance(outputs.get("duration_ms"), str):
        raise ValueError("outputs.duration_ms: text, not a number")


def _is_json_error(invalid: ValidationError) -> bool:
    return invalid.errors(include_url=False)[0]["type"] == "json_invalid"


def _escaped(value: Any) -> Any:
    """Lone surrogates written out, so that two different ones stay different."""
    if isinstance(value, str):
        return _LONE_SURROGATE.sub(lambda m: f"\\u{ord(m.group()):04x}", value)
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    if isinstance(value, dict):
        return {_escaped(key): _escaped(item) for key, item in value.items()}
    return value


def _why(invalid: Exception) -> str:
    """`recording: Field required; outputs.words.0.text: Field required`."""
    if not isinstance(invalid, ValidationError):
        return f"document: {invalid}"
    errors = invalid.errors(include_url=False)
    named = [f"{_field(error['loc'])}: {error['msg']}" for error in errors[:MAX_NAMED]]
    more = [f"and {len(errors) - MAX_NAMED} more"] if len(errors) > MAX_NAMED else []
    return "; ".join([*named, *more])


def _field(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "document"


def _no_numbers(observation: Observation) -> Iterator[str]:
    """Where free-form fields hold NaN or infinity; typed ones have been checked, but for size."""
    for index, step in enumerate(observation.steps):
        yield from _non_finite(f"steps.{index}.usage", dict(step.usage))
    yield from _non_finite("outputs.row", observation.outputs.row)
    for index, event in enumerate(observation.events):
        yield from _non_finite(f"events.{index}.data", event.data)
    for index, effect in enumerate(observation.effects):
        sizes = {"size_bytes": effect.size_bytes, "count": effect.count}
        yield from _non_finite(f"effects.{index}", {**sizes, "payload": effect.payload})


def _non_finite(path: str, value: Any) -> Iterator[str]:
    if isinstance(value, int | float) and not abs(value) <= sys.float_info.max:
        yield path
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _non_finite(f"{path}.{key}", item)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _non_finite(f"{path}.{index}", item)
