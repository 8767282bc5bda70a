"""Asking the language model: structures, long texts, what is remembered and what is not."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import BaseModel

from reflector_migrate.clients.connections import connections
from reflector_migrate.model import Usage
from reflector_migrate.pipeline.cache import AnswerCache, Costed
from reflector_migrate.pipeline.llm_tasks import (
    QUOTED_CHARS,
    Questions,
    UnusableAnswerError,
    parsed,
    split,
)
from reflector_migrate.pipeline.meter import UsageMeter
from reflector_migrate.pipeline.prompts import ASK_RECAP, ASK_TOPIC, TopicAnswer
from reflector_migrate.pipeline.services.http import Caller
from reflector_migrate.pipeline.services.llm import LanguageModel
from reflector_migrate.settings import Settings
from reflector_migrate.store.cache import TaskCache
from tests.new_stores import new_store

pytestmark = pytest.mark.heavy


@pytest.fixture
def control(control):
    """The stand-ins with an empty memory."""
    control.reset()
    return control


@pytest.fixture
def store(tmp_path):
    """An empty cache."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    new_store(url)
    return TaskCache(url, ttl_s=60, max_entries=100)


def questions(control, store=None, *, namespace="shadow", model="m", window=16000):
    """Questions to the stand-in, and their meter."""
    settings = Settings.model_validate(
        {"services": {"llm_url": control.url("llm"), "llm_api_key": "k", "llm_model": model}}
    )
    meter = UsageMeter()
    caller = Caller("language model", connections(settings).http, meter, 5.0)
    llm = LanguageModel(caller, settings.services, "session-1")
    cache = AnswerCache(store, namespace, meter)
    return Questions(llm, cache, parse_retries=3, context_window=window), meter


def bodies(control):
    """What the model was sent."""
    return [json.loads(r["body"]) for r in control.requests("llm")]


def test_a_request_has_exactly_the_wire_format_of_the_real_one(control):
    """Fields, session and key; an analysis has a system and a user message."""
    asking, meter = questions(control)
    asking.prose(ASK_RECAP, "Alice: We ship on Friday.")
    (body,) = bodies(control)
    assert sorted(body) == [
        "litellm_session_id", "max_tokens", "messages", "model", "stream", "temperature",
    ]  # fmt: skip
    assert [m["role"] for m in body["messages"]] == ["system", "user"]
    assert body["litellm_session_id"] == "session-1"
    total = meter.total
    assert (total.llm_calls, total.external_calls) == (1, 1)
    assert total.llm_tokens_in > 0 < total.llm_tokens_out


def test_a_bad_answer_is_quoted_back_but_never_more_than_2000_characters(control):
    """Each further try shows what was wrong with the one before."""
    control.replay(
        llm=[
            {"kind": "topic_analysis", "reply": "About sales."},
            *[{"kind": "topic_json", "reply": f"{n}" + "x" * 5000} for n in range(4)],
        ]
    )
    asking, _ = questions(control)
    with pytest.raises(UnusableAnswerError):
        asking.structured(ASK_TOPIC, "Alice: hello", TopicAnswer)
    prompts = [b["messages"][0]["content"] for b in bodies(control)][1:]
    assert len(prompts) == 4
    assert "xxx" not in prompts[0]
    for n, prompt in enumerate(prompts[1:]):
        assert f"{n}" + "x" * (QUOTED_CHARS - 1) + "\n" in prompt
        assert "x" * QUOTED_CHARS not in prompt


def test_a_text_beyond_the_window_is_asked_about_in_parts_that_fit(control):
    """Every word is asked about once, and the parts' answers are combined in the end."""
    text = "\n".join(f"Alice: sentence number {n} about the budget." for n in range(400))
    asking, _ = questions(control, window=4000)
    assert asking.prose(ASK_RECAP, text)
    sent = bodies(control)
    assert len(sent) > 2
    for body in sent:
        chars = sum(len(m["content"]) for m in body["messages"])
        assert chars / 3 + body["max_tokens"] <= 4000
    parts = [re.findall(r"number (\d+) ", b["messages"][1]["content"]) for b in sent]
    first = [n for part in parts for n in part][:400]
    assert [int(n) for n in first] == list(range(400))


@hypothesis_settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.integers(2, 50))
def test_parts_lose_nothing_and_fit(text, limit):
    """Put together they are the text again, none longer than the limit, none endless."""
    parts = list(split(text, limit))
    assert "".join(parts) == text
    assert all(len(part) <= limit for part in parts)


@pytest.mark.parametrize(
    "reply",
    [
        '{"title": "A", "summary": "B"}',
        '```json\n{"title": "A", "summary": "B"}\n```',
        'Here it is: {"title": "A", "summary": "B"} and more {',
        '{"note": {}} {"title": "A", "summary": "B"}',
    ],
)
def test_the_json_is_found_wherever_it_stands(reply):
    """Fences, talk around it, another object before it."""
    assert parsed(reply, TopicAnswer) == TopicAnswer(title="A", summary="B")


@pytest.mark.parametrize(
    "reply", ["", "{}", "[1]", '{"title": ""}', '{"title": "A"', "{" * 5000, '{"title": {}}']
)
def test_what_does_not_fit_is_a_value_error(reply):
    """Never another error, however broken or deep."""
    with pytest.raises(ValueError, match=r".+"):
        parsed(reply, TopicAnswer)


class Other(BaseModel):
    """Another shape for the same question."""

    title: str
    summary: str = ""


def test_an_answer_is_remembered_and_its_price_counted_as_saved(control, store):
    """The second time costs nothing; the tokens saved are reported."""
    asking, first = questions(control, store)
    answer = asking.structured(ASK_TOPIC, "Alice: hello", TopicAnswer)
    again, second = questions(control, store)
    assert again.structured(ASK_TOPIC, "Alice: hello", TopicAnswer) == answer
    spent = first.total.llm_tokens_in + first.total.llm_tokens_out
    assert second.total == Usage(cache_hits=1, saved_llm_tokens=spent)
    assert len(bodies(control)) == 2


@pytest.mark.parametrize(
    "other",
    [
        {"text": "Alice: hello!"},
        {"namespace": "live"},
        {"model": "another"},
        {"window": 8000},
        {"ask": ASK_TOPIC._replace(temperature=0.1)},
        {"ask": ASK_TOPIC._replace(task="Another task: a title and a summary.")},
        {"shape": Other},
    ],
    ids=lambda o: next(iter(o)),
)
def test_a_changed_question_is_asked_again(control, store, other):
    """Text, namespace, model, window, parameters, wording, shape: each makes another key."""
    asked = {"text": "Alice: hello", "namespace": "shadow", "model": "m", "window": 16000,
             "ask": ASK_TOPIC, "shape": TopicAnswer}  # fmt: skip
    for way in (asked, asked | other):
        asking, meter = questions(
            control, store, namespace=way["namespace"], model=way["model"], window=way["window"]
        )
        asking.structured(way["ask"], way["text"], way["shape"])
        assert meter.total.cache_hits == 0
    assert len(bodies(control)) == 4


def test_a_failed_answer_is_not_remembered(control, store):
    """What did not fit is asked again, analysis and all."""
    asking, _ = questions(control, store)
    control.set_fault("llm", "malformed_json", times=4, match="json")
    with pytest.raises(UnusableAnswerError):
        asking.structured(ASK_TOPIC, "Alice: hello", TopicAnswer)
    assert asking.structured(ASK_TOPIC, "Alice: hello", TopicAnswer).title


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
questions_asked = st.dictionaries(st.text(max_size=4), json_values, max_size=4)


@hypothesis_settings(max_examples=60, deadline=None)
@given(questions_asked, questions_asked, st.sampled_from(["a", "b"]), st.sampled_from(["a", "b"]))
def test_no_two_questions_share_a_key(one, other, kind, other_kind):
    """Keys are equal exactly when kind and question are, to the type of each value."""
    cache = AnswerCache(None, "shadow", UsageMeter())
    is_same = json.dumps([kind, one], sort_keys=True) == json.dumps(
        [other_kind, other], sort_keys=True
    )
    assert (cache.key(kind, one) == cache.key(other_kind, other)) is is_same
    assert AnswerCache(None, "live", UsageMeter()).key(kind, one) != cache.key(kind, one)


def test_an_expired_or_damaged_entry_is_never_served(tmp_path):
    """Neither one past its time nor one that is not ours."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    new_store(url)
    clock = [1000.0]
    store = TaskCache(url, ttl_s=10, max_entries=5, clock=lambda: clock[0])
    cache = AnswerCache(store, "shadow", UsageMeter())
    made = iter("abcd")

    def ask():
        return cache.remember("k", {"q": 1}, lambda: Costed(next(made), Usage()))

    assert [ask(), ask()] == ["a", "a"]
    clock[0] += 10
    assert [ask(), ask()] == ["b", "b"]
    store.set(cache.key("k", {"q": 1}), ["not", "ours"])
    assert ask() == "c"
