"""Reads observation/1 files of any origin; says which field is missing."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from reflector_migrate.errors import InputError
from reflector_migrate.model import Observation


def read_observation(path: Path) -> Observation:
    """The observation in a file; InputError names file and field."""
    try:
        return Observation.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except ValidationError as invalid:
        first = invalid.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "document"
        hint = "migrate schema observation prints what is expected"
        raise InputError(f"{path}: {field}: {first['msg']}", hint=hint) from None
