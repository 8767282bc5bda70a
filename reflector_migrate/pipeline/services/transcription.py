"""The recogniser: words with times for the sound at an address."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from reflector_migrate.errors import TerminalStepError, TransientStepError
from reflector_migrate.model import Usage
from reflector_migrate.pipeline.services.http import Caller, bearer, json_of
from reflector_migrate.settings import ServicesSettings

PATH = "/v1/audio/transcriptions-from-url"


class Heard(NamedTuple):
    """Words {text, start, end} sorted by start, text exactly as received; and their price."""

    words: list[dict[str, Any]]
    usage: Usage


class _Word(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    text: str = Field(alias="word")
    start: FiniteFloat
    end: FiniteFloat


class _Answer(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    words: tuple[_Word, ...]


class Recogniser:
    """One request a track; no retry of its own, as legacy's client has none."""

    def __init__(self, caller: Caller, settings: ServicesSettings) -> None:
        self._caller, self._base = caller, settings.transcript_url
        self._headers = bearer(settings.transcript_api_key)

    def transcribe(self, audio_url: str, language: str) -> Heard:
        """What is said at `audio_url` (presigned). Raises Transient- or TerminalStepError."""
        if not self._base:
            raise TerminalStepError("services.transcript_url is not set")
        body = {"audio_file_url": audio_url, "language": language, "batch": True}
        url = self._base.rstrip("/") + PATH
        began = time.monotonic()
        response = self._caller.send(
            "POST", url, json=body, headers=self._headers, follow_redirects=True
        )
        answer = json_of(response, "recogniser")
        usage = _usage(answer, time.monotonic() - began)
        self._caller.meter.add(**usage.model_dump())
        return Heard(_words(answer), usage)


def _words(answer: Any) -> list[dict[str, Any]]:
    try:
        words = _Answer.model_validate(answer).words
    except ValidationError as invalid:
        where = ".".join(str(part) for part in invalid.errors()[0]["loc"])
        raise TransientStepError(f"recogniser answered an unexpected {where or 'body'}") from None
    _refuse_unstorable(words)
    return [word.model_dump() for word in sorted(words, key=lambda word: word.start)]


def _refuse_unstorable(words: tuple[_Word, ...]) -> None:
    for number, word in enumerate(words):
        if "\x00" in word.text or any("\ud800" <= char <= "\udfff" for char in word.text):
            raise TerminalStepError(f"recogniser: word {number} cannot be stored as text")


def _usage(answer: Any, wall_s: float) -> Usage:
    told = answer.get("gpu_seconds") if isinstance(answer, Mapping) else None
    if isinstance(told, int | float) and not isinstance(told, bool) and 0 <= told < 1e6:
        return Usage(gpu_seconds=float(told))
    return Usage(gpu_seconds=wall_s, gpu_seconds_estimated=True)
