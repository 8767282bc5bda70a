"""Recorded answers in place of own ones: both sides of a comparison get exactly the same.

A request asked again gets the same answer again (a retry moves nothing on), a new
one of the same session and kind gets the next. What was not recorded is an error:
it means that the calls differ from the recorded run's.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any

from pydantic import BaseModel, ConfigDict
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reflector_migrate.sandbox.standins.faults import Faults


class LlmReply(BaseModel):
    """A recorded reply; `match` ties it to requests that hold this text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    reply: str
    match: str = ""


class Heard(BaseModel):
    """What the recogniser heard in a track whose URL holds one of `match`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    match: tuple[str, ...]
    text: str = ""
    onset_s: float = 0.0
    length_s: float = 0.0
    status: int = 200
    words: tuple[dict[str, Any], ...] | None = None

    def as_answer(self) -> dict[str, Any]:
        """The words: given, or spread over the track as the recorded stand-in did."""
        words = list(self.words) if self.words is not None else self._spread()
        return {"text": self.text, "words": words}

    def _spread(self) -> list[dict[str, Any]]:
        """Source of the formula: fixtures/runs/README.md."""
        tokens = self.text.split()
        step = (self.length_s - self.onset_s) / max(len(tokens), 1)
        begins = [self.onset_s + k * step for k in range(len(tokens))]
        return [
            {"word": f"{token} ", "start": round(at, 2), "end": round(at + 0.9 * step, 2)}
            for token, at in zip(tokens, begins, strict=True)
        ]


class ReplaySet(BaseModel):
    """Everything to replay; an absent service answers for itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    llm: tuple[LlmReply, ...] | None = None
    recogniser: tuple[Heard, ...] | None = None


class Replay:
    """The recorded answers in force and how far each session has come."""

    def __init__(self) -> None:
        self.put(ReplaySet())

    def put(self, answers: ReplaySet) -> None:
        """Replay these from now on, from the start; an empty set switches replay off."""
        self._set = answers
        self._given: dict[tuple[str, str], list[str]] = {}
        self._counts: Counter[str] = Counter()

    @property
    def has_llm(self) -> bool:
        """Whether the language model replays."""
        return self._set.llm is not None

    @property
    def has_recogniser(self) -> bool:
        """Whether the recogniser replays."""
        return self._set.recogniser is not None

    def status(self) -> dict[str, Any]:
        """How many answers were served, and how many were asked for in vain."""
        counts = {name: self._counts[name] for name in ("llm", "llm_missed")}
        counts |= {n: self._counts[n] for n in ("recogniser", "recogniser_missed")}
        return {"llm": self.has_llm, "recogniser": self.has_recogniser, "served": counts}

    def reply(self, session: str, kind: str, text: str) -> str | None:
        """The recorded reply for this request, None when there is none left."""
        fitting = [r for r in self._set.llm or () if r.kind == kind and r.match in text]
        special = [r for r in fitting if r.match]
        if special:
            self._counts["llm"] += 1
            return special[0].reply
        digest = hashlib.sha256(text.encode()).hexdigest()
        given = self._given.setdefault((session, kind), [])
        if digest not in given:
            given.append(digest)
        place = given.index(digest)
        self._counts["llm" if place < len(fitting) else "llm_missed"] += 1
        return fitting[place].reply if place < len(fitting) else None

    def heard(self, url: str) -> Heard | None:
        """What was heard at this URL (its query is not looked at)."""
        path = url.split("?", 1)[0]
        known = self._set.recogniser or ()
        found = next((h for h in known if any(m in path for m in h.match)), None)
        self._counts["recogniser" if found else "recogniser_missed"] += 1
        return found


def build_replay_recogniser(replay: Replay, faults: Faults) -> Starlette:
    """The recogniser's contract, answered from the recorded run."""

    async def transcribe(request: Request) -> Response:
        fault = await faults.apply("recogniser", request)
        if fault is not None:
            return fault
        try:
            url = str(json.loads(await request.body())["audio_file_url"])
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"detail": "audio_file_url is missing"}, status_code=422)
        heard = replay.heard(url)
        if heard is None:
            return JSONResponse({"detail": "nothing recorded for this track"}, status_code=422)
        if heard.status != 200:
            return JSONResponse({"detail": "recorded failure"}, status_code=heard.status)
        return JSONResponse(heard.as_answer())

    path = "/v1/audio/transcriptions-from-url"
    return Starlette(routes=[Route(path, transcribe, methods=["POST"])])
