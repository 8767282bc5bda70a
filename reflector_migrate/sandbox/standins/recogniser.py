"""The stand-in recogniser: it listens to the audio it is given and answers with what it knows.

Silence is an empty list; sound in which nothing known is found is HTTP 422, so that
a broken track can never pass for a silent one. Noise: `wer`, `seed`, and `vary` =
"request" to give every call for the same audio the same noise (else each its own).
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reflector_migrate.clients.connections import trusted_hosts
from reflector_migrate.sandbox.standins.answer_tape import Kept, digest_of
from reflector_migrate.sandbox.standins.faults import Faults
from reflector_migrate.sandbox.standins.hearing.listen import HeardWord
from reflector_migrate.sandbox.standins.hearing.mishear import Noise
from reflector_migrate.sandbox.standins.hearing.recogniser_model import Ear, Heard
from reflector_migrate.sandbox.standins.hearing.sound import UndecodableError
from reflector_migrate.sandbox.standins.llm import Occurrences

PATH = "/v1/audio/transcriptions-from-url"
FETCH_TIMEOUT = httpx.Timeout(30.0, read=60.0)
MAX_BYTES = 1024**3
GPU_SHARE = 0.02  # GPU seconds per second of audio: the model by which usage is reported


class Asked(BaseModel):
    """The request's body; unknown fields are ignored, as the real service does."""

    model_config = ConfigDict(frozen=True)

    audio_file_url: str = Field(pattern=r"^https?://")
    language: str = "en"
    batch: bool = True


class RefusedError(Exception):
    """The request cannot be served: HTTP status and why."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def build_recogniser(
    recordings_root: Path,
    faults: Faults,
    occurrences: Occurrences | None = None,
    kept: Kept | None = None,
) -> Starlette:
    """The application to mount at `/recogniser`; raises InputError for broken recordings."""
    ear, answers = Ear(recordings_root), kept or Kept()
    calls = occurrences or Occurrences()

    async def transcribe(request: Request) -> Response:
        fault = await faults.apply("recogniser", request)
        if fault is not None:
            return fault
        try:
            asked = _asked(await request.body(), ear)
            heard = await _heard(ear, await _fetched(asked.audio_file_url))
            question = _question(ear, heard, asked)
            if missing := answers.missing("recogniser", question, "sound"):
                raise RefusedError(422, missing)
            known = answers.find("recogniser", question)
            if known is not None:
                return JSONResponse(known)
            noise = faults.noise("recogniser")
            salt = f"{heard.sha256}:{_call(noise, heard.sha256, calls)}"
            words = ear.words(heard.hearing, asked.language, _noise(noise), salt)
        except RefusedError as refused:
            return JSONResponse({"detail": refused.detail}, status_code=refused.status)
        answer = _answer(words, heard)
        answers.keep("recogniser", question, answer)
        return JSONResponse(answer)

    return Starlette(routes=[Route(PATH, transcribe, methods=["POST"])])


def _asked(body: bytes, ear: Ear) -> Asked:
    try:
        asked = Asked.model_validate(json.loads(body))
    except ValidationError as invalid:
        first = invalid.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise RefusedError(400, f"{field or 'body'}: {first['msg']}") from None
    except ValueError:
        raise RefusedError(400, "the body is not JSON") from None
    if asked.language not in ear.languages:
        known = ", ".join(sorted(ear.languages))
        raise RefusedError(400, f"language {asked.language!r} is not supported; known: {known}")
    return asked


async def _fetched(url: str) -> bytes:
    """The audio; what the other server refuses is the caller's fault, its failure is not."""
    try:
        async with (
            httpx.AsyncClient(
                timeout=FETCH_TIMEOUT,
                follow_redirects=True,
                trust_env=False,
                verify=trusted_hosts(),
            ) as client,
            client.stream("GET", url) as answer,
        ):
            if answer.status_code != 200:
                status = 502 if answer.status_code >= 500 else 400
                raise RefusedError(status, f"audio_file_url answered HTTP {answer.status_code}")
            return await _body(answer)
    except (httpx.HTTPError, httpx.InvalidURL) as failed:
        raise RefusedError(502, f"audio_file_url: {type(failed).__name__}") from None


async def _body(answer: httpx.Response) -> bytes:
    content = bytearray()
    async for chunk in answer.aiter_bytes():
        content += chunk
        if len(content) > MAX_BYTES:
            raise RefusedError(413, "the audio is too large")
    return bytes(content)


async def _heard(ear: Ear, audio: bytes) -> Heard:
    try:
        heard = await asyncio.to_thread(ear.hear, audio)
    except UndecodableError as broken:
        raise RefusedError(422, f"the audio cannot be decoded: {broken}") from None
    if heard.hearing.is_unknown:
        raise RefusedError(422, f"{heard.hearing.unknown_s:.2f} s of sound that is not known")
    return heard


def _question(ear: Ear, heard: Heard, asked: Asked) -> str:
    """By what is really said in the audio and where: the same from any encoder, no other."""
    words = ear.words(heard.hearing, asked.language, Noise(), "")
    return digest_of([asked.language, [[w.word, _time(w.start_s), _time(w.end_s)] for w in words]])


def _call(noise: dict[str, Any], digest: str, calls: Occurrences) -> int:
    """Which call for this audio this is; two engines must not share their noise."""
    return 0 if not noise or noise.get("vary") == "request" else calls.next(digest)


def _noise(noise: dict[str, Any]) -> Noise:
    return Noise(wer=float(noise.get("wer", 0.0)), seed=int(noise.get("seed", 0)))


def _answer(words: tuple[HeardWord, ...], heard: Heard) -> dict[str, Any]:
    return {
        "text": " ".join(word.word for word in words),
        "words": [
            {"word": f"{w.word} ", "start": _time(w.start_s), "end": _time(w.end_s)} for w in words
        ],
        "gpu_seconds": round(heard.hearing.audio_s * GPU_SHARE, 3),
        "unknown_seconds": round(heard.hearing.unknown_s, 2),
    }


def _time(seconds: float) -> float:
    return round(max(0.0, seconds), 3)
