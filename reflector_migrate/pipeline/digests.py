"""Digests of what is semantic in a step's input or output."""

from __future__ import annotations

from typing import Any

from reflector_migrate.pipeline.contracts import Contract
from reflector_migrate.store.canonical_json import sha256_of


def digest(value: Contract) -> str:
    """Hex SHA-256 over the canonical JSON of the semantic fields, however deep they lie."""
    return sha256_of(semantic_fields(value))


def input_digest(value: Contract) -> str | None:
    """The digest of a step's input; None where it says nothing but where to look.

    Steps that read the row (consent, Zulip, webhook) have such inputs: two of them
    always look alike, and that must not read as agreement.
    """
    return digest(value) if semantic_fields(value) else None


def semantic_fields(value: Contract) -> dict[str, Any]:
    """Fields marked semantic, and of other nested models what is semantic in them."""
    kept: dict[str, Any] = {}
    for name, field in type(value).model_fields.items():
        extra = field.json_schema_extra
        is_marked = isinstance(extra, dict) and bool(extra.get("semantic"))
        projected = _projected(getattr(value, name), is_marked)
        if is_marked or projected:
            kept[name] = projected
    return kept


def _projected(value: Any, is_marked: bool) -> Any:
    if isinstance(value, Contract):
        return semantic_fields(value)
    if isinstance(value, tuple):
        items = [_projected(item, is_marked) for item in value]
        return items if is_marked else [item for item in items if item]
    return value if is_marked else None
