"""What the real comparators say of two runs, redacted: no word of either is left."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures.reports.nights import NIGHT, SAID, WORDS
from reflector_migrate.judge.compare import compare
from reflector_migrate.model import (
    Comparison,
    Effect,
    Engine,
    Event,
    Observation,
    Outputs,
    Participant,
    Role,
    Topic,
    Word,
)
from reports.document import Coverage, Night
from reports.page import render_page
from reports.redact import WITHHELD, redact
from tests.golden import observations_of, recordings

pytestmark = pytest.mark.heavy


def observed(role: Role, engine: Engine, said: list[str], title: str, name: str) -> Observation:
    """A run whose every output holds the words given."""
    words = tuple(Word(text=w, start=i * 0.4, end=i * 0.4 + 0.3, speaker=i // 40 % 2)
                  for i, w in enumerate(said))  # fmt: skip
    summary = f"{name} ships 42 {said[3]} on {said[4]}, never {said[5]}."
    topic = Topic(id="t", title=title, summary=summary, timestamp=0, duration=20, words=words[:50])
    people = (Participant(id="p1", speaker=0, name=name),
              Participant(id=f"guest {NAMED}", speaker=1, name=NAMED))  # fmt: skip
    effects = (
        Effect(kind="webhook", key="transcript.completed", payload={"title": title, "s": summary}),
        Effect(kind="zulip_message", key=f"{title} stream", payload={"content": summary}),
        Effect(kind="s3_put", key=f"room of {name}/{title}.webm", size_bytes=len(title)),
    )
    outputs = Outputs(
        participants=people, duration_ms=60_000, waveform=(0.1,) * 255, words=words,
        topics=(topic,), title=title, short_summary=summary, long_summary=summary * 2,
        webvtt=f"WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n<v {name}>{' '.join(said[:9])}",
        row={"status": "ended", "title": title, "name": f"room of {name}", name: title},
    )  # fmt: skip
    events = (Event(event="FINAL_TITLE", data={"title": title}), Event(event=name, data={}))
    return Observation(
        recording="rec_1", role=role, engine=engine, status="completed", language="en",
        outputs=outputs, events=events, effects=effects, notes=(f"{name} said {said[0]}",),
        error=f"ValueError: {summary}",
    )  # fmt: skip


NAMED = "Bartholomew"


@pytest.fixture
def told():
    """A comparison in which nearly everything differs."""
    said = random.Random(1).choices(SAID, k=200)
    other = [*said[:10], "umbrella", *said[14:]]
    primary = observed(Role.PRIMARY, Engine.CELERY, said, "Orchard review", "Anastasia")
    candidate = observed(Role.CANDIDATE, Engine.CONDUCTOR, other, "Glacier weekly", "Clementine")
    return compare(primary, candidate)


def test_no_word_of_real_comparisons_is_left(told):
    """Neither in the document nor in the page made of it."""
    night = Night(NIGHT, "x", Coverage(1, 1), (told,), is_redacted=True)
    kept = redact(night).comparisons[0].model_dump_json() + render_page(night)
    plain = told.model_dump_json()
    assert sum(bool(re.search(rf"\b{word}", plain)) for word in WORDS) > 10
    assert [word for word in WORDS if re.search(word, kept, re.IGNORECASE)] == []


def test_counts_of_real_comparisons_stay(told):
    """Values, floors, counts and the texts that are counts are those of the original."""
    hidden = redact(Night(NIGHT, "x", Coverage(1, 1), (told,), is_redacted=True)).comparisons[0]
    for check, original in zip(hidden.checks, told.checks, strict=True):
        assert (check.verdict, check.value, check.limit) == (
            original.verdict, original.value, original.limit,
        )  # fmt: skip
        if check.measure is not None:
            assert check.measure.counts == original.measure.counts
            assert len(check.measure.findings) == len(original.measure.findings)
            if check.name != "language":
                assert WITHHELD not in (check.measure.reference_text, check.measure.hypothesis_text)


def test_an_unredacted_night_is_left_alone(told):
    """Redaction does nothing where it was not asked for."""
    night = Night(NIGHT, "x", Coverage(1, 1), (told,), is_redacted=False)
    assert redact(night) is night


MARK = "qzjxkvw"
"""Behind every word that a run recorded; no word of this project holds it."""


def _marked(value: Any) -> Any:
    """The same with the mark behind each word of each text; keys and ids stay."""
    if isinstance(value, str):
        return re.sub(r"[^\W\d_]{3,}", lambda word: f"{word.group()}{MARK}", value)
    if isinstance(value, dict):
        return {key: item if key == "id" else _marked(item) for key, item in value.items()}
    return [_marked(item) for item in value] if isinstance(value, list) else value


def _with_marks(run: Observation) -> Observation:
    plain = run.model_dump(mode="json", by_alias=True)
    plain["outputs"], plain["notes"] = _marked(plain["outputs"]), _marked(plain["notes"])
    for event in plain["events"]:
        event["data"] = _marked(event["data"])
    for effect in plain["effects"]:
        effect["payload"] = _marked(effect["payload"])
    return Observation.model_validate(plain)


def _shown(comparisons: tuple[Comparison, ...]) -> str:
    """All that a redacted night is made of, and the page made of it."""
    night = Night(NIGHT, "x", Coverage(1, 1), comparisons, is_redacted=True)
    hidden = redact(night)
    documents = "".join(comparison.model_dump_json() for comparison in hidden.comparisons)
    return documents + repr(hidden.gists) + render_page(night)


@pytest.mark.parametrize("recording", recordings())
def test_no_recorded_word_is_left_whatever_the_comparator(recording):
    """Of every stored run, those with seeded defects too, each word marked."""
    runs = {name: _with_marks(run) for name, run in observations_of(recording).items()}
    primary = next(run for name, run in runs.items() if "primary" in name)
    others = [run for run in runs.values() if run is not primary]
    found = tuple(compare(primary, run) for run in others)
    assert sum(comparison.model_dump_json().count(MARK) for comparison in found) > 3
    assert re.findall(rf"\w*{MARK}\w*", _shown(found)) == []


WORD = st.text("abcdefgxyzäß", min_size=3, max_size=9).map(lambda word: word + MARK)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(said=st.lists(WORD, min_size=12, max_size=60), title=WORD, names=st.tuples(WORD, WORD))
def test_no_word_is_left_of_any_two_runs(said, title, names):
    """As text, as a person's name, as a key of the row, as an event's or an object's name."""
    primary = observed(Role.PRIMARY, Engine.CELERY, said, title, names[0])
    candidate = observed(Role.CANDIDATE, Engine.CONDUCTOR, said[::-1], said[0], names[1])
    found = compare(primary, candidate)
    assert MARK in found.model_dump_json()
    assert re.findall(rf"\w*{MARK}\w*", _shown((found,))) == []
