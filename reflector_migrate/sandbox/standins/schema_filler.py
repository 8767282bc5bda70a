"""Fills a JSON schema from an `Answers`: by a field's name first, by its type else.

Honoured: type, properties, items, $ref, anyOf/oneOf/allOf, enum, const, bounds of
strings, numbers and arrays. Not honoured: `pattern`, `format`, `not`, `if`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from reflector_migrate.sandbox.standins.answers import Answers

Json = Any
Schema = Mapping[str, Any]
DEEPEST = 12
TITLES = {"title", "name", "heading", "label", "subject", "topic"}
DETAILS = {"detail", "details", "reasoning", "evidence", "quotes"}
PARAGRAPHS = {"paragraph", "text", "content", "answer"}
RECAPS = {"recap", "short_summary", "overview"}
PEOPLE = {"participants", "speakers", "names", "attendees", "people"}


def fill(schema: Schema, answers: Answers) -> Json:
    """A value that the schema accepts, said in the words of the text."""
    return _Filler(schema, answers).value(schema, "", 0)


class _Filler:
    def __init__(self, root: Schema, answers: Answers) -> None:
        self._root = root
        self._answers = answers

    def value(self, schema: Schema, name: str, depth: int) -> Json:
        """The value of one field."""
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._chosen(schema["enum"])
        of_kind: dict[str, Callable[[], Json]] = {
            "object": lambda: self._object(schema, depth),
            "array": lambda: self._array(schema, name, depth),
            "integer": lambda: int(self._number(schema, name)),
            "number": lambda: self._number(schema, name),
            "boolean": lambda: self._answers.labelled(name).lower() in {"true", "yes"},
            "null": lambda: None,
        }
        kind = "null" if depth > DEEPEST else _type_of(schema)
        return of_kind.get(kind, lambda: _bounded(self._string(name), schema))()

    def _resolved(self, schema: Schema) -> Schema:
        if "$ref" in schema:
            target: Any = self._root
            for part in schema["$ref"].lstrip("#/").split("/"):
                target = target[part]
            return self._resolved({**target, **{k: v for k, v in schema.items() if k != "$ref"}})
        for word in ("anyOf", "oneOf"):
            options = [s for s in schema.get(word, []) if s.get("type") != "null"]
            if options:
                return self._resolved(options[0])
        merged: dict[str, Any] = {k: v for k, v in schema.items() if k != "allOf"}
        for part in schema.get("allOf", []):
            merged = {**merged, **self._resolved(part)}
        return merged

    def _object(self, schema: Schema, depth: int) -> dict[str, Json]:
        fields = schema.get("properties", {})
        missing = [name for name in schema.get("required", []) if name not in fields]
        filled = {name: self.value(inner, name, depth + 1) for name, inner in fields.items()}
        return filled | {name: self._string(name) for name in missing}

    def _array(self, schema: Schema, name: str, depth: int) -> list[Json]:
        items = self._items(name)
        least, most = schema.get("minItems", 0), schema.get("maxItems", len(items))
        items = (items + [f"item {n + 1}" for n in range(len(items), least)])[: max(most, least)]
        inner = self._resolved(schema.get("items", {}))
        return [self._item(inner, text, depth) for text in items]

    def _items(self, name: str) -> list[str]:
        if "mention" in name:  # people who are spoken of, not those who speak
            return []
        return self._answers.participants if name in PEOPLE else self._answers.subjects

    def _item(self, inner: Schema, text: str, depth: int) -> Json:
        if _is_free_text(inner):
            return _bounded(text, inner)
        value = self.value(inner, "", depth + 1)
        fields = inner.get("properties", {}) if isinstance(value, dict) else {}
        named = next((name for name in fields if name in TITLES), "")
        if named and _is_free_text(self._resolved(fields[named])):
            value[named] = _bounded(text, self._resolved(fields[named]))
        return value

    def _number(self, schema: Schema, name: str) -> float:
        is_people = any(word in name for word in ("speaker", "participant", "people"))
        found = re.search(r"-?\d+(?:\.\d+)?", self._answers.labelled(name))
        number = float(len(self._answers.participants)) if is_people else 0.0
        number = float(found[0]) if found else number
        number = max(number, schema.get("minimum", number))
        if "exclusiveMinimum" in schema:
            number = max(number, schema["exclusiveMinimum"] + 1)
        return float(min(number, schema.get("maximum", number)))

    def _string(self, name: str) -> str:
        answers = self._answers
        labelled = answers.labelled(name)
        if labelled:
            return labelled
        if name in TITLES:
            return answers.title
        if name in RECAPS:
            return answers.recap
        if name in DETAILS:
            return answers.detail
        return answers.paragraph if name in PARAGRAPHS else answers.summary

    def _chosen(self, options: list[Json]) -> Json:
        said = self._answers.summary.lower()
        return next((o for o in options if isinstance(o, str) and o.lower() in said), options[0])


def _type_of(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), "null")
    if kind is None:
        kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(kind)


def _is_free_text(schema: Schema) -> bool:
    return _type_of(schema) == "string" and not {"enum", "const"} & set(schema)


def _bounded(text: str, schema: Schema) -> str:
    text = text[: schema.get("maxLength", len(text))]
    return text.ljust(schema.get("minLength", 0), ".")
