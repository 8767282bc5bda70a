"""Topics, events and payloads carry the run's own words, whatever a model called them."""

from __future__ import annotations

import pytest

from comparators.registry import by_name
from reflector_migrate.judge.compare import compare
from reflector_migrate.model import Engine, StepRun, Verdict
from tests.comparing import (
    effects_of,
    events_of,
    observation,
    outputs_of,
    steps_of,
    webhook,
    words_of,
)

TWO = outputs_of().topics
WHOLE = tuple(
    topic.model_copy(
        update={
            "id": f"t{n}",
            "timestamp": topic.words[0].start,
            "transcript": "".join(w.text for w in topic.words),
        }
    )
    for n, topic in enumerate(TWO)
)


def _each(**update):
    return tuple(t.model_copy(update=update) for t in WHOLE)


def _first(**update):
    return (WHOLE[0].model_copy(update=update), WHOLE[1])


def _run(**changes):
    return observation(outputs_of(**{"topics": WHOLE, **changes}))


def _paths(name, reference, hypothesis):
    return {f.path for f in by_name(name).compare(reference, hypothesis).findings}


@pytest.mark.parametrize(
    ("topics", "paths"),
    [
        pytest.param(WHOLE, set(), id="equal"),
        pytest.param(_each(title="Other", summary="Of other things."), set(), id="other wording"),
        pytest.param(_each(transcript=""), {"transcript/empty"}, id="transcripts emptied"),
        pytest.param(_first(transcript="We shipped."), {"transcript"}, id="another transcript"),
        pytest.param(_each(duration=30.0), {"duration"}, id="durations given"),
        pytest.param(_each(duration=None), {"duration"}, id="durations not given"),
        pytest.param(_first(timestamp=6.0), {"timestamp/first"}, id="the first one late"),
        pytest.param(tuple(reversed(WHOLE)), {"order", "words"}, id="reversed"),
        pytest.param(_each(words=()), {"words"}, id="words dropped"),
        pytest.param((WHOLE[0].model_copy(update={"words": WHOLE[1].words}),
                      WHOLE[1].model_copy(update={"words": WHOLE[0].words})),
                     {"words", "transcript", "timestamp/first", "timestamp"},
                     id="each under the other's words"),
    ],
)  # fmt: skip
def test_topics_follow_their_words(topics, paths):
    """A field the reference keeps and the hypothesis breaks is a difference of the row."""
    theirs = _run(topics=topics)
    assert _paths("row", _run(), theirs) == {f"row/topics/{path}" for path in paths}
    assert _paths("row", theirs, theirs) == set()


def test_topics_of_noise_differ_in_nothing_of_their_own():
    """Another word and one topic less: its fields follow."""
    words = tuple(words_of(["We slip on Friday.", "Yes."]))
    text = "".join(w.text for w in words)
    one = WHOLE[0].model_copy(update={"words": words, "transcript": text})
    theirs = observation(outputs_of(words, topics=(one,)))
    assert _paths("row", _run(), theirs) == set()
    assert _paths("events", _run(), theirs) == set()


@pytest.mark.parametrize(
    ("title", "summary"),
    [("shipping and audit", "the team ships on friday"),
     (TWO[0].title, "The team  ships on Friday."),
     ("Shipping and C#", TWO[0].summary)],
)  # fmt: skip
def test_topics_match_only_as_they_are_written(title, summary):
    """Lost casing, punctuation, a blank too many, C# for C++."""
    there = _run(topics=_first(title=title, summary=summary))
    here = _run(topics=_first(title=TWO[0].title.replace("Audit", "C++") if "C#" in title
                              else TWO[0].title))  # fmt: skip
    measure = by_name("topic_content").compare(here, there)
    assert 0 < measure.errors < 1
    [check] = [c for c in compare(here, there).checks if c.name == "topic_content"]
    assert check.verdict is Verdict.INCONCLUSIVE


def _full(topic):
    return topic.model_dump(exclude={"words"}) | {"words": [w.model_dump() for w in topic.words]}


EVENTS = tuple(
    e.model_copy(update={"data": _full(next(t for t in WHOLE if t.title == e.data["title"]))})
    if e.event == "TOPIC"
    else e
    for e in events_of(outputs_of(topics=WHOLE))
)


def _altered(name, alter):
    return tuple(
        e.model_copy(update={"data": alter(dict(e.data))}) if e.event == name else e for e in EVENTS
    )


@pytest.mark.parametrize(
    ("events", "paths"),
    [
        pytest.param(EVENTS, set(), id="equal"),
        pytest.param(_altered("TOPIC", lambda _: {}),
                     {f"TOPIC/{name}" for name in _full(WHOLE[0])}, id="topics say nothing"),
        pytest.param(_altered("TOPIC", lambda d: d | {"title": "x"}), {"TOPIC/title"}, id="title"),
        pytest.param(_altered("TOPIC", lambda d: d | {"timestamp": d["timestamp"] * 1000}),
                     {"TOPIC/timestamp"}, id="milliseconds"),
        pytest.param(_altered("TOPIC", lambda d: d | {"words": []}), {"TOPIC/words"}, id="words"),
        pytest.param(_altered("WAVEFORM", lambda _: {"waveform": [0] * 254}), {"WAVEFORM"},
                     id="a flat waveform"),
        pytest.param(_altered("TRANSCRIPT", lambda d: {"text": d["text"]}),
                     {"TRANSCRIPT/translation"}, id="a field lost"),
        pytest.param(_altered("STATUS", lambda d: d | {"why": ""}), {"STATUS/why"},
                     id="a field more"),
    ],
)  # fmt: skip
def test_events_carry_the_runs_own_outputs(events, paths):
    """In the fields that the other side's events have."""
    run = _run().model_copy(update={"events": EVENTS})
    found = _paths("events", run, run.model_copy(update={"events": events}))
    assert found == {f"events/payload/{path}" for path in paths}


def _titled(stored, told):
    outputs = outputs_of(topics=WHOLE, title=stored)
    return observation(outputs, events=events_of(outputs_of(topics=WHOLE, title=told)))


@pytest.mark.parametrize(
    ("mine", "theirs", "is_lost"),
    [
        pytest.param(("Old", "New"), ("Other new", "Other new"), True, id="overwritten"),
        pytest.param(("Old", "New"), ("Old", "Other new"), False, id="kept on both sides"),
        pytest.param(("New", "New"), ("Other", "Other"), False, id="there was none before"),
        pytest.param(("Old", "New"), (None, "Other new"), False, id="none at all is not this one"),
        pytest.param(("Old", "New"), ("Old", "Old"), False, id="the model chose it again"),
    ],
)
def test_a_title_that_people_know_is_not_overwritten(mine, theirs, is_lost):
    """Whatever the model calls the meeting now, the row keeps what it was called before."""
    measure = by_name("events").compare(_titled(*mine), _titled(*theirs))
    lost = [f for f in measure.findings if "keeps an earlier one" in f.message]
    assert [(f.path, f.step) for f in lost] == (
        [("events/payload/FINAL_TITLE", "generate_title")] if is_lost else []
    )


def test_a_title_kept_where_the_reference_published_that_very_one_concludes_nothing():
    """Legacy's model may have chosen the earlier one again; a lost or a wrong one counts."""
    kept = by_name("events").compare(_titled("Old", "Old"), _titled("Old", "New"))
    assert (kept.errors, kept.findings) == (0, ())
    assert "they may keep an earlier one" in kept.inconclusive
    plain = by_name("events").compare(_titled("Old", "New"), _titled("Old", "Old"))
    assert (plain.errors, plain.inconclusive) == (0, "")
    other = by_name("events").compare(_titled("Old", "Old"), _titled("New", "Newer"))
    assert [f.path for f in other.findings] == ["events/payload/FINAL_TITLE"]


def test_broadcasts_heard_on_one_side_only_conclude_nothing():
    """There was no listener, or nothing was sent: it is not known which."""
    sent = tuple(e.model_copy(update={"channel": "ts:1"}) for e in EVENTS)
    heard, unheard = (_run().model_copy(update={"events": events}) for events in (sent, EVENTS))
    for pair in ((heard, unheard), (unheard, heard)):
        measure = by_name("events").compare(*pair)
        assert measure.inconclusive == "broadcasts were heard on one side only"
    late = _run().model_copy(update={"events": EVENTS[1:]})
    assert not by_name("events").compare(heard, late).inconclusive


HOOK = webhook(outputs_of(topics=WHOLE))
BODY = HOOK.payload["body"]


TOLD = [
    {**topic, "webvtt": f"WEBVTT\n\n00:00:00.300 --> 00:00:09.000\n<v Speaker0>{own.transcript}\n"}
    for topic, own in zip(BODY["transcript"]["topics"], WHOLE, strict=True)
]


def _hooked(**changes):
    transcript = {**BODY["transcript"], "topics": TOLD, **changes}
    body = {**BODY, "transcript": transcript}
    hook = HOOK.model_copy(update={"payload": {**HOOK.payload, "body": body}})
    return _run().model_copy(update={"effects": (*effects_of(outputs_of())[:1], hook)})


def _late(topics):
    return [{**topic, "timestamp": topic["timestamp"] * 1000} for topic in topics]


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        pytest.param({}, None, id="equal"),
        pytest.param({"topics": _late(TOLD)}, "topics/own/timestamp", id="milliseconds"),
        pytest.param({"topics": TOLD[::-1]}, "topics/own/title", id="reversed"),
        pytest.param({"topics": [{**topic, "webvtt": "WEBVTT\n"} for topic in TOLD]},
                     "topics/own/webvtt", id="no captions"),
        pytest.param({"frontend_url": "http://elsewhere/transcripts/1"}, "frontend_url",
                     id="another host"),
    ],
)  # fmt: skip
def test_a_webhook_carries_the_runs_own(changes, where):
    """Times of its topics as well as titles; and a link to the same place but for its id."""
    found = _paths("side_effects", _hooked(), _hooked(**changes))
    path = f"side_effects/webhook/payload/body/transcript/{where}"
    assert path in found if where else not found


def test_a_zulip_text_lists_the_topics_at_their_times():
    """A message that sends readers a minute too far is another message."""
    [posted] = [e for e in effects_of(outputs_of()) if e.kind == "zulip_message"]
    late = posted.payload["content"].replace("[00:00]", "[01:00]")
    other = posted.model_copy(update={"payload": {**posted.payload, "content": late}})
    sides = [observation(effects=(effect,)) for effect in (posted, other)]
    assert _paths("side_effects", *sides) == {"side_effects/zulip_message/payload/content"}


STEPS = {
    (name, None): "d"
    for name in ("detect_topics", "generate_title", "generate_waveform", "cleanup_consent")
}


def _stepped(*changes, without=(), engine=Engine.CONDUCTOR):
    done = steps_of({key: d for key, d in STEPS.items() if key[0] not in without})
    return _run().model_copy(update={"steps": (*done, *changes), "engine": engine})


@pytest.mark.parametrize(
    ("theirs", "steps"),
    [
        pytest.param(_stepped(), set(), id="equal"),
        pytest.param(_run(), set(), id="nobody recorded any"),
        pytest.param(_stepped(without=["generate_waveform", "cleanup_consent"]),
                     {"generate_waveform", "cleanup_consent"}, id="two never ran"),
        pytest.param(_stepped(StepRun(name="cleanup_consent", status="skipped"),
                              without=["cleanup_consent"]), {"cleanup_consent"}, id="skipped"),
        pytest.param(_stepped(without=["cleanup_consent"], engine=Engine.CELERY), set(),
                     id="legacy, which does not name them all"),
        pytest.param(_stepped(StepRun(name="finalize")), set(), id="one that legacy cannot name"),
        pytest.param(_stepped(StepRun(name="pad_track", track_index=1)), set(), id="a track"),
    ],
)  # fmt: skip
def test_a_step_that_never_ran_is_missing(theirs, steps):
    """Whatever it would have left; by the steps that the reference completed."""
    measure = by_name("status").compare(_stepped(), theirs)
    assert {finding.step for finding in measure.findings} == steps
    assert all(finding.path == f"steps/{finding.step}" for finding in measure.findings)
