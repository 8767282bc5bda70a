"""Kept answers: the same question gets the recorded answer, another one fails by name."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from reflector_migrate.sandbox.recordings import load_recordings
from reflector_migrate.sandbox.standins.answer_tape import AnswerSet, Kept
from reflector_migrate.sandbox.standins.faults import Faults
from reflector_migrate.sandbox.standins.recogniser import PATH, build_recogniser
from tests.test_sandbox_recogniser import files, url_of

ROOT = Path(__file__).parents[1] / "fixtures" / "recordings"
RECORDINGS = load_recordings(ROOT)
__all__ = ["files"]  # a fixture of the recogniser's own tests


@pytest.fixture
def standins(control):
    """The process with an empty memory and a noisy language model."""
    control.reset()
    control.set_noise("llm", rate=1.0, seed=3)
    return control


def say(standins, text, session=""):
    """One chat completion, as the legacy pipeline asks for it."""
    body = {"messages": [{"role": "user", "content": text}], "litellm_session_id": session}
    headers = {"X-Reflector-Purpose": "recap"}
    with httpx.Client(timeout=10, trust_env=False) as http:
        return http.post(
            f"{standins.url('llm')}/chat/completions", json=body, headers=headers
        )  # fmt: skip


def message(answer):
    """What was said."""
    return answer.raise_for_status().json()["choices"][0]["message"]["content"]


TALK = "Ana: We discussed the important plan. We need to begin because the team is late. "


def test_a_kept_run_answers_both_sides_alike(standins):
    """With noise on, two sessions that ask the same get what the kept run got."""
    standins.answers("record")
    first = message(say(standins, TALK, "run-1"))
    assert message(say(standins, TALK, "run-1")) == first, "a repeat must not contradict itself"
    standins.answers("replay")
    assert [message(say(standins, TALK, s)) for s in ("primary", "candidate")] == [first, first]
    assert standins.answers_status()["served"]["llm"] == 2
    standins.answers("off")
    assert len({message(say(standins, TALK, str(n))) for n in range(8)}) > 1


def test_what_was_never_asked_fails_by_name(standins):
    """HTTP 422, which no client tries again, with the kind of question in it; never made up."""
    standins.answers("record")
    message(say(standins, TALK))
    standins.answers("replay")
    refused = say(standins, TALK + "And nobody asked this.")
    assert refused.status_code == 422
    assert "no answer was recorded for this" in refused.json()["error"]["message"]


def test_kept_answers_travel(standins):
    """What one process kept, a file can hold and another can answer from."""
    standins.answers("record")
    first = message(say(standins, TALK))
    kept = standins.kept_answers()
    standins.reset()
    assert say_nothing_is_kept(standins)
    standins.answers("replay", kept)
    assert message(say(standins, TALK)) == first


def say_nothing_is_kept(standins):
    """Whether the process has forgotten everything."""
    status = standins.answers_status()
    return (status["mode"], status["kept"]) == ("off", {"llm": 0, "recogniser": 0})


def _asked(app, url):
    async def post():
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://recogniser") as http:
            return await http.post(PATH, json={"audio_file_url": url}, timeout=30)

    return asyncio.run(post())


def test_sound_is_known_by_what_is_said_in_it(files):
    """The kept words come back under noise, by whatever address; another track's sound fails."""
    faults, kept = Faults(), Kept()
    app = build_recogniser(ROOT, faults, None, kept)
    first, other = (url_of(files, RECORDINGS["zero-start"], n) for n in (0, 1))
    faults.set_noise("recogniser", {"wer": 0.5, "seed": 1})
    kept.put(AnswerSet(mode="record"))
    heard = _asked(app, first).json()
    kept.put(AnswerSet(mode="replay"))
    assert _asked(app, first.replace("Signature=x", "Signature=y")).json() == heard
    refused = _asked(app, other)
    assert (refused.status_code, "no answer was recorded" in refused.text) == (422, True)
    assert kept.status()["served"]["recogniser"] == 1
