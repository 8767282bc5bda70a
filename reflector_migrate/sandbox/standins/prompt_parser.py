"""What a chat request asks for: its purpose, its JSON schema, and the text it is about."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PURPOSES = (
    "topic",
    "title",
    "participants",
    "subjects",
    "subject_detail",
    "subject_paragraph",
    "recap",
)
# first match wins; the more special wording stands first
WORDING = (
    (
        "participants",
        r"\bparticipants?\b.*\b(list|identify|who|names?)\b|\bidentify\b.*\bspeakers\b",
    ),
    ("recap", r"\brecap\b"),
    ("title", r"\btitle\b.*\btopic titles\b|\btopic titles\b.*\btitle\b|\bmeeting title\b"),
    ("title", r"\btitle\b.{0,40}\bmeeting\b"),
    ("topic", r"\btitle\b.*\bsummary\b|\btwo sentences\b"),
    ("subject_paragraph", r"\b(one|1|single|a)\b.{0,20}\bparagraph\b"),
    ("subject_detail", r"\b(information|details?|everything|facts)\b.{0,40}\b(about|on)\b"),
    ("subjects", r"\bsubjects?\b|\bmain topics?\b|\bhigh[- ]level topics?\b"),
    ("title", r"\btitle\b"),
)
TAGGED = re.compile(r"<([a-z_]+)>\s*\n?(.*?)\n?\s*</\1>", re.DOTALL | re.IGNORECASE)
RULED = re.compile(r"^-{5,}\s*$\n(.*?)^-{5,}\s*$", re.DOTALL | re.MULTILINE)
FENCED = re.compile(
    r"^(?:```|\"\"\")[a-z]*\s*$\n(.*?)^(?:```|\"\"\")\s*$", re.DOTALL | re.MULTILINE
)
SUBJECT = re.compile(
    r"[\"“«](.+?)[\"”»]|^\s*(?:subject|topic):\s*(.+)$", re.MULTILINE | re.IGNORECASE
)
NAME_TAGS = {"participants", "speakers", "subject", "instructions", "schema"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, understood."""

    purpose: str
    source: str
    instruction: str
    subject: str = ""
    schema: Mapping[str, Any] | None = None
    is_json: bool = False
    everything: str = field(default="", repr=False)

    @property
    def kind(self) -> str:
        """The name that recorded runs give to such a call: `topic_json`, `recap`, ..."""
        if self.purpose in {"topic", "subjects", "participants"}:
            return f"{self.purpose}_{'json' if self.is_json else 'analysis'}"
        return self.purpose


def read_request(body: Mapping[str, Any], hint: str = "") -> Asked:
    """Understand a chat-completions body; `hint` is the purpose header, if any."""
    user = "\n\n".join(_texts(body, {"user"}))
    everything = "\n\n".join(_texts(body, {"system", "developer", "user", "assistant"}))
    schema, rest = _schema(body, user)
    source, instruction = split_source(rest)
    is_json = schema is not None or _response_type(body) == "json_object"
    purpose = hint if hint in PURPOSES else guess_purpose(schema, instruction)
    return Asked(
        purpose=purpose,
        source=source,
        instruction=instruction,
        subject=_subject(rest, instruction),
        schema=schema,
        is_json=is_json,
        everything=everything,
    )


def guess_purpose(schema: Mapping[str, Any] | None, instruction: str) -> str:
    """The purpose by the schema's fields, else by the wording; `recap` when neither shows it."""
    fields = set((schema or {}).get("properties", {}))
    if {"title", "summary"} <= fields:
        return "topic"
    named = [p for p in ("participants", "subjects", "title", "recap") if p in fields]
    if named:
        return named[0]
    flat = " ".join(instruction.lower().split())
    return next((p for p, wording in WORDING if re.search(wording, flat)), "recap")


def split_source(user: str) -> tuple[str, str]:
    """The text that is asked about and what is asked, separated by tags, rules or fences."""
    tagged = [m for m in TAGGED.finditer(user) if m[1].lower() not in NAME_TAGS]
    found = tagged or list(RULED.finditer(user)) or list(FENCED.finditer(user))
    if not found:
        return _without_instruction(user), user
    group = 2 if tagged else 1
    source = "\n".join(match[group].strip() for match in found)
    instruction = user
    for match in found:
        instruction = instruction.replace(match[0], "\n")
    return source, instruction


def find_schema(text: str) -> tuple[dict[str, Any] | None, str]:
    """The first JSON schema inside a text (braces may be doubled), and the text without it."""
    if '"properties"' not in text:
        return None, text
    for start in (m.start() for m in re.finditer(r"\{", text)):
        for candidate in (text[start:], text[start:].replace("{{", "{").replace("}}", "}")):
            try:
                found, end = json.JSONDecoder().raw_decode(candidate)
            except ValueError:
                continue
            if isinstance(found, dict) and "properties" in found:
                return found, text[:start] + candidate[end:]
    return None, text


def _schema(body: Mapping[str, Any], user: str) -> tuple[dict[str, Any] | None, str]:
    wanted = body.get("response_format")
    if isinstance(wanted, Mapping) and wanted.get("type") == "json_schema":
        inner = wanted.get("json_schema")
        schema = inner.get("schema") if isinstance(inner, Mapping) else None
        if isinstance(schema, dict):
            return schema, find_schema(user)[1]
    return find_schema(user)


def _response_type(body: Mapping[str, Any]) -> str:
    wanted = body.get("response_format")
    return str(wanted.get("type", "")) if isinstance(wanted, Mapping) else ""


def _texts(body: Mapping[str, Any], roles: set[str]) -> list[str]:
    return [_text(m.get("content")) for m in body["messages"] if m.get("role") in roles]


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return "" if content is None else str(content)


def _without_instruction(user: str) -> str:
    """Drop lines that speak about the answer's form; all else may be the text itself."""
    about_form = re.compile(r"\b(json|schema|respond only|requested format)\b", re.IGNORECASE)
    return "\n".join(line for line in user.splitlines() if not about_form.search(line))


def _subject(rest: str, instruction: str) -> str:
    tagged = next((m[2].strip() for m in TAGGED.finditer(rest) if m[1].lower() == "subject"), "")
    if tagged:
        return tagged
    found = SUBJECT.search(instruction)
    return (found[1] or found[2] or "").strip() if found else ""
