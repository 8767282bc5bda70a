"""No stale and no foreign answer is ever served, whatever was asked before, on both databases."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select

from reflector_migrate.harness import Harness
from reflector_migrate.model import Usage
from reflector_migrate.pipeline.artifacts import words_at
from reflector_migrate.pipeline.cache import AnswerCache
from reflector_migrate.pipeline.context import build_context
from reflector_migrate.pipeline.contracts import Run, TranscribeTrackInput
from reflector_migrate.pipeline.llm_tasks import Questions
from reflector_migrate.pipeline.meter import UsageMeter
from reflector_migrate.pipeline.prompts import ASK_RECAP, ASK_TITLE
from reflector_migrate.pipeline.services.http import Caller
from reflector_migrate.pipeline.services.llm import LanguageModel
from reflector_migrate.pipeline.services.transcription import Recogniser
from reflector_migrate.pipeline.steps.transcribe_track import transcribe_track
from reflector_migrate.settings import Settings
from reflector_migrate.store.base import reading, writing
from reflector_migrate.store.cache import TaskCache
from reflector_migrate.store.tables import task_cache
from tests.new_stores import new_store

pytestmark = pytest.mark.heavy

ROOM = 4


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request, tmp_path_factory):
    """A store on each database; every example empties the cache."""
    if request.param == "sqlite":
        found = f"sqlite:///{tmp_path_factory.mktemp('cache') / 'store.db'}"
    else:
        found = request.getfixturevalue("postgres_server").create_database()
    new_store(found)
    return found


class Asked(NamedTuple):
    """Everything that an answer depends on, and a worker may be configured with."""

    namespace: str
    kind: str
    content: str
    model: str
    service: str


class Look(NamedTuple):
    """One question, by a worker that keeps answers for `ttl_s`, so long after the last."""

    asked: Asked
    ttl_s: int
    later_s: int


questions = st.builds(
    Asked,
    st.sampled_from(["shadow", "live"]),
    st.sampled_from(["sound", "title", "recap"]),
    st.sampled_from(["a", "a "]),
    st.sampled_from(["m", "m2"]),
    st.sampled_from(["http://one.test", "http://two.test"]),
)
looks = st.lists(
    st.builds(Look, questions, st.sampled_from([2, 3]), st.sampled_from([0, 0, 0, 1, 2])),
    min_size=10,
    max_size=50,
)


class Made(NamedTuple):
    """An answer: what it is, when it was made, and how long it may live."""

    answer: int
    at_s: int
    ttl_s: int


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(looks)
def test_an_answer_is_the_newest_of_its_very_question_or_asked_again(url, looks):
    """Served: made for the same question in the same namespace, within both bounds of age."""
    with writing(url) as connection:
        connection.execute(delete(task_cache))
    clock, made = [1000], {}
    for number, look in enumerate(looks):
        clock[0] += look.later_s
        answer, meter = answered(url, look, clock, number)
        before = made.get(look.asked)
        if answer == number:
            made[look.asked] = Made(number, clock[0], look.ttl_s)
            assert meter.total.external_calls == 1
        else:
            assert before is not None
            assert answer == before.answer
            assert clock[0] - before.at_s < min(before.ttl_s, look.ttl_s)
            assert meter.total == Usage(cache_hits=1, **saved(look.asked, answer))
        assert kept(url) <= ROOM


def answered(url, look, clock, number):
    """What the real step says, the question's number if it was asked just now, and the cost."""
    asked, meter = look.asked, UsageMeter()
    name = "transcript" if is_sound(asked) else "llm"
    services = {f"{name}_url": asked.service, f"{name}_model": asked.model}
    ctx = context(url, asked.namespace, services)
    store = TaskCache(url, ttl_s=look.ttl_s, max_entries=ROOM, clock=lambda: clock[0])
    cache = AnswerCache(store, asked.namespace, meter)
    with httpx.Client(transport=httpx.MockTransport(lambda _: said(number))) as http:
        caller, ours = Caller("service", http, meter, 1.0), ctx.settings.services
        if is_sound(asked):
            heard = transcribe_track(
                track_of(ctx, asked), replace(ctx, cache=cache, recogniser=Recogniser(caller, ours))
            )
            return int(words_at(ctx.artifacts, heard.words)[0]["text"]), meter
        model = LanguageModel(caller, ours, f"session-{number}")
        questions = Questions(model, cache, parse_retries=0, context_window=16_000)
        ask = ASK_TITLE if asked.kind == "title" else ASK_RECAP
        return int(questions.prose(ask, asked.content)), meter


def is_sound(asked):
    """Whether the recogniser is asked, and not the language model."""
    return asked.kind == "sound"


def saved(asked, answer):
    """What an answer from the cache saves."""
    return {"saved_gpu_seconds": 2} if is_sound(asked) else {"saved_llm_tokens": answer}


def said(number):
    """An answer that both services could give, with its number and its price."""
    told = {"words": [{"word": str(number), "start": 0, "end": 1}], "gpu_seconds": 2}
    choices = [{"message": {"content": str(number)}}]
    usage = {"prompt_tokens": number, "completion_tokens": 0}
    return httpx.Response(200, json={**told, "choices": choices, "usage": usage})


def context(url, namespace, services):
    """A step's context, of which nothing but the services and the store is ever used."""
    run = Run(
        run_id="r", recording_id="rec", transcript_id="t", namespace=namespace, bucket_name="b"
    )
    found = {
        "store": {"url": url},
        "s3": {"access_key_id": "k", "secret_access_key": "s"},
        "reflector": {"database_url": "sqlite://"},
        "services": services,
    }
    return build_context(run, Harness.of(Settings.model_validate(found)))


def track_of(ctx, asked):
    """A track whose sound has this hash; its address is another's, or no one's."""
    return TranscribeTrackInput(
        run=ctx.run,
        track_index=0,
        audio_url="s3://b/track",
        language="en",
        audio_sha256=asked.content,
    )


def kept(url):
    """How many answers are stored."""
    with reading(url) as connection:
        return connection.scalar(select(func.count()).select_from(task_cache))


def test_a_fresh_answer_is_served(url):
    """The property above would hold of a cache that forgets everything; this one does not."""
    for kind in ("sound", "title"):
        look = Look(Asked("shadow", kind, "a", "m", "http://one.test"), 3, 0)
        assert answered(url, look, [5000], 1)[0] == 1
        assert answered(url, look, [5002], 2)[0] == 1
