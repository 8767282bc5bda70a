"""Replayed answers are exactly those that the real run got, for both sides alike."""

import json
from pathlib import Path

import httpx
import pytest

from reflector_migrate.sandbox.standins.client import recorded_answers
from reflector_migrate.sandbox.standins.replay import Heard

RUNS = Path(__file__).parent.parent / "fixtures" / "runs"
SCHEMA = {"type": "object", "properties": {"title": {}, "summary": {}}}


@pytest.fixture
def standins(control):
    """The process with an empty memory."""
    control.reset()
    return control


HTTP = httpx.Client(timeout=10, trust_env=False)


def chat(standins, text, purpose, session="", schema=None):
    """One chat completion's whole answer."""
    body = {"messages": [{"role": "user", "content": text}], "litellm_session_id": session}
    if schema:
        body["response_format"] = {"type": "json_schema", "json_schema": {"schema": schema}}
    headers = {"X-Reflector-Purpose": purpose}
    url = f"{standins.url('llm')}/chat/completions"
    return HTTP.post(url, json=body, headers=headers)


def say(*args, **asked):
    """The message of a chat completion."""
    return chat(*args, **asked).raise_for_status().json()["choices"][0]["message"]["content"]


def transcribe(standins, url):
    """The recogniser's whole answer."""
    service = f"{standins.url('recogniser')}/v1/audio/transcriptions-from-url"
    body = {"audio_file_url": url, "language": "en", "batch": True}
    return HTTP.post(service, json=body)


@pytest.mark.parametrize("run", ["good", "zero-start", "denied-consent"])
def test_the_recogniser_gives_the_words_that_the_real_run_stored(standins, run):
    """Every word of the recorded row comes back, with its text, times and track."""
    standins.replay_run(RUNS / run)
    heard = []
    for track, name in enumerate(_track_names(run)):
        answer = transcribe(standins, f"http://s3/bucket/some/{name}?Signature=x").json()
        heard += [
            {"text": w["word"], "start": w["start"], "end": w["end"], "speaker": track}
            for w in answer["words"]
        ]
    assert sorted(heard, key=lambda w: w["start"]) == _stored_words(run)


def test_the_recorded_formula_agrees_with_what_was_stored():
    """The README's formula gives the stored words, to the rounding of the recorded onset."""
    for item in recorded_answers(RUNS / "good")["recogniser"]:
        spread = Heard.model_validate(item | {"words": None}).as_answer()["words"]
        assert [w["word"] for w in spread] == [w["word"] for w in item["words"]]
        for computed, stored in zip(spread, item["words"], strict=True):
            assert computed["start"] == pytest.approx(stored["start"], abs=0.0101)
            assert computed["end"] == pytest.approx(stored["end"], abs=0.0101)


def test_a_recorded_failure_fails_again(standins):
    """The run whose recogniser answered 500 gets its 500."""
    standins.replay_run(RUNS / "recogniser-error")
    assert transcribe(standins, "http://s3/b/padded_0.webm").status_code == 500


def test_an_unknown_track_is_an_error_and_is_counted(standins):
    """A track that the real run never sent is a finding, not an empty transcript."""
    standins.replay_run(RUNS / "good")
    assert transcribe(standins, "http://s3/b/padded_11.webm").status_code == 422
    assert standins.replay_status()["served"]["recogniser_missed"] == 1


def test_the_language_model_gives_the_recorded_replies(standins):
    """Analysis and formatting calls are distinguished, each gets its own recorded reply."""
    standins.replay_run(RUNS / "good")
    assert say(standins, "text", "topic") == "Topic: budget. Summary: reviewed budget."
    formatted = json.loads(say(standins, "text", "topic", schema=SCHEMA))
    assert formatted["title"] == "budget and the launch part 2"
    assert say(standins, "text", "title") == '"quarterly budget and launch planning"'
    assert say(standins, "text", "recap") == "Alice and Bob covered budget and launch."


def test_both_sides_get_the_same_answers_in_order(standins):
    """Sessions do not disturb each other, and a repeated request moves nothing on."""
    standins.replay(llm=[{"kind": "recap", "reply": r} for r in ("one", "two")])
    asked = [("a", "s1"), ("a", "s2"), ("a", "s1"), ("b", "s1"), ("b", "s2"), ("a", "s1")]
    said = [say(standins, text, "recap", session) for text, session in asked]
    assert said == ["one", "one", "one", "two", "two", "one"]


def test_a_reply_can_be_tied_to_its_text(standins):
    """Calls made in parallel find their own reply, whichever comes first."""
    replies = [
        {"kind": "subject_detail", "reply": "of budget", "match": "Budget"},
        {"kind": "subject_detail", "reply": "of launch", "match": "Launch"},
    ]
    standins.replay(llm=replies)
    assert say(standins, "About the Launch", "subject_detail") == "of launch"
    assert say(standins, "About the Budget", "subject_detail") == "of budget"


def test_one_call_too_many_is_an_error_and_is_counted(standins):
    """A call that the real run did not make cannot be answered from it."""
    standins.replay(llm=[{"kind": "recap", "reply": "one"}])
    assert chat(standins, "a", "recap").status_code == 200
    assert chat(standins, "b", "recap").status_code == 500
    assert standins.replay_status()["served"] == {
        "llm": 1,
        "llm_missed": 1,
        "recogniser": 0,
        "recogniser_missed": 0,
    }


def test_faults_strike_during_a_replay_too(standins):
    """A replayed run can be disturbed like any other."""
    standins.replay_run(RUNS / "good")
    standins.set_fault("recogniser", "http_500", times=1)
    url = "http://s3/b/padded_0.webm"
    assert [transcribe(standins, url).status_code for _ in range(2)] == [500, 200]


def test_replay_ends_with_reset(standins):
    """Afterwards the model answers from its text again."""
    standins.replay(llm=[{"kind": "recap", "reply": "one"}])
    standins.reset()
    assert say(standins, "We meet on Friday.", "recap") != "one"


def _track_names(run):
    names = [item["match"] for item in recorded_answers(RUNS / run)["recogniser"]]
    padded = [f"{match[0]}webm" for match in names]
    return [names[0][1], *padded[1:]] if run == "zero-start" else padded


def _stored_words(run):
    row = json.loads((RUNS / run / "rows.json").read_text())["transcript"]
    row = row[0] if isinstance(row, list) else row
    topics = json.loads(row["topics"]) if isinstance(row["topics"], str) else row["topics"]
    return [word for topic in topics for word in topic["words"]]
