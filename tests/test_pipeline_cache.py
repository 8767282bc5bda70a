"""No stale and no foreign answer is ever served, whatever was asked before, on both databases."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select

from reflector_migrate.model import Usage
from reflector_migrate.pipeline.cache import AnswerCache, Costed
from reflector_migrate.pipeline.meter import UsageMeter
from reflector_migrate.store.base import reading, writing
from reflector_migrate.store.cache import TaskCache
from reflector_migrate.store.migrate import upgrade
from reflector_migrate.store.tables import task_cache

ROOM = 4


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request, tmp_path_factory):
    """A store on each database; every example empties the cache."""
    if request.param == "sqlite":
        found = f"sqlite:///{tmp_path_factory.mktemp('cache') / 'store.db'}"
    else:
        found = request.getfixturevalue("postgres_server").create_database()
    upgrade(found)
    return found


class Asked(NamedTuple):
    """Everything that an answer depends on."""

    namespace: str
    kind: str
    text: str
    model: str
    prompts: int


class Look(NamedTuple):
    """One question, by a worker that keeps answers for `ttl_s`, so long after the last."""

    asked: Asked
    ttl_s: int
    later_s: int


questions = st.builds(
    Asked,
    st.sampled_from(["shadow", "live"]),
    st.sampled_from(["recogniser", "topic"]),
    st.sampled_from(["a", "a "]),
    st.sampled_from(["m", "m2"]),
    st.sampled_from([1, 2]),
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
def test_an_answer_is_the_newest_of_its_very_question_or_made_anew(url, looks):
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
            assert meter.total == Usage()
        else:
            assert before is not None
            assert answer == before.answer
            assert clock[0] - before.at_s < min(before.ttl_s, look.ttl_s)
            assert meter.total == Usage(cache_hits=1, saved_llm_tokens=answer, saved_gpu_seconds=2)
        assert kept(url) <= ROOM


def answered(url, look, clock, number):
    """What is answered, the question's number if it was made just now, and what that cost."""
    meter = UsageMeter()
    store = TaskCache(url, ttl_s=look.ttl_s, max_entries=ROOM, clock=lambda: clock[0])
    cache = AnswerCache(store, look.asked.namespace, meter)
    question = {k: v for k, v in look.asked._asdict().items() if k not in ("namespace", "kind")}
    price = Usage(llm_tokens_in=number, gpu_seconds=2)
    return cache.remember(look.asked.kind, question, lambda: Costed(number, price)), meter


def kept(url):
    """How many answers are stored."""
    with reading(url) as connection:
        return connection.scalar(select(func.count()).select_from(task_cache))


def test_a_fresh_answer_is_served(url):
    """The property above would hold of a cache that forgets everything; this one does not."""
    look = Look(Asked("shadow", "topic", "a", "m", 1), 3, 0)
    assert answered(url, look, [5000], 1)[0] == 1
    assert answered(url, look, [5002], 2)[0] == 1
