"""The answers of one run, kept by what was asked, to answer every later run with.

Where `replay` plays back a run recorded elsewhere, by the order of its calls, this
keeps answers of our own and finds them by the whole question: two engines that ask
the same get the same, however noisy the services are. What was never asked in the
kept run is an error that names the question, never made up.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Mode = Literal["off", "record", "replay"]
Service = Literal["llm", "recogniser"]


class AnswerSet(BaseModel):
    """What is kept, by service and digest of the question."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Mode
    llm: dict[str, Any] | None = None
    recogniser: dict[str, Any] | None = None


class Kept:
    """Kept answers and whether they are being recorded, replayed or left alone."""

    def __init__(self) -> None:
        self.mode: Mode = "off"
        self._answers: dict[str, dict[str, Any]] = {"llm": {}, "recogniser": {}}
        self._counts: Counter[str] = Counter()

    def put(self, wanted: AnswerSet) -> None:
        """Change the mode; `record` starts empty, given answers replace the stored ones."""
        if wanted.mode == "record":
            self._answers = {"llm": {}, "recogniser": {}}
        for service in ("llm", "recogniser"):
            given = getattr(wanted, service)
            if given is not None:
                self._answers[service] = dict(given)
        self._counts.clear()
        self.mode = wanted.mode

    def find(self, service: Service, digest: str) -> Any | None:
        """The answer to this question, None where there is none; asked again it stays the same."""
        found = None if self.mode == "off" else self._answers[service].get(digest)
        if self.mode == "replay":
            self._counts[service if found is not None else f"{service}_missed"] += 1
        return found

    def keep(self, service: Service, digest: str, answer: Any) -> None:
        """Keep an answer while recording."""
        if self.mode == "record":
            self._answers[service][digest] = answer

    def missing(self, service: Service, digest: str, what: str) -> str | None:
        """Why this question cannot be answered; None unless it is a replay without the answer."""
        if self.mode != "replay" or digest in self._answers[service]:
            return None
        return f"replay: no answer was recorded for this {what} ({digest[:12]})"

    def status(self) -> dict[str, Any]:
        """The mode, how many answers are kept, how many were served and asked for in vain."""
        names = ("llm", "llm_missed", "recogniser", "recogniser_missed")
        kept = {service: len(answers) for service, answers in self._answers.items()}
        return {"mode": self.mode, "kept": kept, "served": {n: self._counts[n] for n in names}}

    def as_json(self) -> dict[str, Any]:
        """Everything, as `put` takes it back."""
        return {"mode": self.mode, **self._answers}


def digest_of(question: Any) -> str:
    """Hex SHA-256 of a JSON value."""
    return hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()
