"""What must never read as a match: by sentence, each on a pair that differs in that alone."""

from __future__ import annotations

import pytest

from reflector_migrate.judge.compare import compare
from reflector_migrate.model import Event, StepRun, Verdict
from tests.comparing import TRANSCRIPT, effects_of, observation, outputs_of, zulip

V = Verdict


def _judged(reference, hypothesis):
    found = compare(reference, hypothesis)
    return {check.name: check for check in found.checks}


def _candidate(outputs=None, **changes):
    return observation(outputs, role="candidate", engine="conductor", **changes)


def _with_topics(**changes):
    outputs = outputs_of()
    topics = tuple(topic.model_copy(update=changes) for topic in outputs.topics)
    return outputs.model_copy(update={"topics": topics})


@pytest.mark.parametrize(
    "outputs",
    [
        pytest.param(_with_topics(title="\n"), id="topics with a line break for a title"),
        pytest.param(_with_topics(summary=""), id="topics without summaries"),
        pytest.param(
            outputs_of(long_summary="<think>First I list what was said.</think> They ship."),
            id="the model's thinking",
        ),
        pytest.param(outputs_of(short_summary='{"summary": "They ship."}'), id="raw JSON"),
        pytest.param(outputs_of(title="None"), id="the word None for a title"),
        pytest.param(
            outputs_of(long_summary="I'm sorry, but I cannot help with that."), id="a refusal"
        ),
        pytest.param(_with_topics(summary="As an AI language model, I see."), id="a model's talk"),
    ],
)
def test_no_noise_excuses_a_broken_text(outputs):
    """A catastrophe on the candidate; the same text on the other side is none of its own."""
    broken = _judged(observation(outputs_of()), _candidate(outputs))["catastrophes"]
    assert broken.verdict is V.DIVERGED
    as_legacy = _judged(observation(outputs), _candidate(outputs))["catastrophes"]
    assert as_legacy.verdict is V.MATCHED


@pytest.mark.parametrize(
    "text",
    [
        "She thinks {a} plan to ship on Friday is fine, and so does Bob, says Ana.",
        "None of us objected to shipping on Friday after the audit, and so says Bob.",
    ],
)
def test_words_that_only_look_like_it_are_text(text):
    """A sentence of people about thinking, none and null."""
    found = _judged(observation(outputs_of()), _candidate(outputs_of(short_summary=text)))
    assert found["catastrophes"].verdict is V.MATCHED


def _heard(**changes):
    """Broadcast events as both buses carry them, with one of them changed."""
    outputs = outputs_of()
    said = {
        "STATUS": {"value": "processing"},
        "DURATION": {"duration": outputs.duration_ms},
        "FINAL_LONG_SUMMARY": {"long_summary": outputs.long_summary},
    } | changes
    ts = tuple(
        Event(event=name, data=data, channel=f"ts:{TRANSCRIPT}", stored=False)
        for name, data in said.items()
        if data is not None
    )
    user = Event(
        event="TRANSCRIPT_DURATION",
        data={"id": TRANSCRIPT, **(said["DURATION"] or {})},
        channel="user:u1",
        stored=False,
    )
    return (*ts, user)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"DURATION": {"duration": 33.9}}, "duration is not", id="seconds"),
        pytest.param({"DURATION": {}}, "duration is missing", id="nothing in it"),
        pytest.param(
            {"FINAL_LONG_SUMMARY": {"text": "x"}}, "long_summary is missing", id="another field"
        ),
        pytest.param({"STATUS": None}, "STATUS:processing", id="nobody hears of the beginning"),
    ],
)
def test_what_listeners_get_is_compared(changes, says):
    """Equal rows, another broadcast."""
    stored = observation(outputs_of()).events
    legacy = observation(outputs_of(), events=(*stored, *_heard()))
    found = _judged(legacy, _candidate(outputs_of(), events=(*stored, *_heard(**changes))))
    assert found["events"].verdict is V.DIVERGED
    assert any(says in finding.message for finding in found["events"].measure.findings)
    same = _judged(legacy, _candidate(outputs_of(), events=(*stored, *_heard())))
    assert same["events"].verdict is V.MATCHED


def test_another_users_bus_is_a_difference():
    """What one person may hear is sent to another."""
    stored = observation(outputs_of()).events
    theirs = [e.model_copy(update={"channel": "shadow:user:u2"}) if "user" in e.channel else e
              for e in _heard()]  # fmt: skip
    found = _judged(
        observation(outputs_of(), events=(*stored, *_heard())),
        _candidate(outputs_of(), events=(*stored, *theirs)),
    )
    assert [f.message for f in found["events"].measure.findings] == [
        "listeners get user: another user's bus"
    ]


def _effects(key=f"{TRANSCRIPT}/audio.mp3", date="2026-01-01T10:00:00+00:00", **webhook):
    mp3, message, hook = effects_of(outputs_of())
    content = str(message.payload["content"]).replace("2026-01-01T10:00:00+00:00", date)
    body = {**hook.payload["body"], **webhook}
    return (
        mp3.model_copy(update={"key": key}),
        message.model_copy(update={"payload": {**zulip(outputs_of()).payload, "content": content}}),
        hook.model_copy(update={"payload": {**hook.payload, "body": body}}),
    )


def _clocked(sent, signed_s, created="2026-01-01T09:59:00+00:00"):
    """A webhook whose clocks say so, of a run from ten to five past ten."""
    hook = _effects(timestamp=sent)[2]
    body = {**hook.payload["body"], "created_at": created}
    headers = {"X-Webhook-Signature": f"t={signed_s},v1={'ab' * 32}"}
    return hook.model_copy(update={"payload": {**hook.payload, "body": body, "headers": headers}})


@pytest.mark.parametrize(
    ("sent", "signed_s", "created", "is_own"),
    [
        ("2026-01-01T10:05:01+00:00", 1767261901, "2026-01-01T09:59:00+00:00", True),
        ("2026-01-01T11:05:00+01:00", 1767261901, "2026-01-01T10:59:00+01:00", True),
        ("2026-01-01T12:05:01+00:00", 1767261901, "2026-01-01T09:59:00+00:00", False),
        ("1999-01-01T10:05:01+00:00", 1767261901, "2026-01-01T09:59:00+00:00", False),
        ("2026-01-01T10:05:01+00:00", 1767271901, "2026-01-01T09:59:00+00:00", False),
        ("2026-01-01T10:05:01+00:00", 1767261901, "2026-01-01T08:59:00+00:00", False),
    ],
)
def test_a_masked_clock_lies_within_its_runs_time(sent, signed_s, created, is_own):
    """And a time that is copied from the row is the row's own, in whatever zone."""
    outputs = outputs_of(row={"id": TRANSCRIPT, "status": "ended",
                              "created_at": "2026-01-01T09:59:00+00:00"})  # fmt: skip
    ran = {"started": "2026-01-01T10:00:00+00:00", "ended": "2026-01-01T10:05:00+00:00"}
    own = _clocked("2026-01-01T10:04:59+00:00", 1767261899)
    found = _judged(
        observation(outputs, effects=(own,), **ran),
        _candidate(outputs, effects=(_clocked(sent, signed_s, created),), **ran),
    )
    assert (found["side_effects"].verdict is Verdict.MATCHED) is is_own


@pytest.mark.parametrize(
    "effects",
    [
        pytest.param(_effects(key="latest/audio.mp3"), id="each mix over the last one"),
        pytest.param(_effects(date="1999-12-31T23:00:00+00:00"), id="a message's date"),
        pytest.param(_effects(event_id=12), id="a number for an id"),
        pytest.param(_effects(timestamp="2026-01-01T10:00:00"), id="a clock without its zone"),
        pytest.param(
            _effects(calendar_event={"start_time": "2026-01-01T15:00:00+00:00"}),
            id="a calendar's hour",
        ),
        pytest.param(_effects(link="http://ui/transcripts/the-run-of-it"), id="a link to the run"),
    ],
)
def test_what_is_masked_keeps_its_form(effects):
    """Keys whole, times that are not the run's clocks, types and zones of those that are."""
    row = {"id": TRANSCRIPT, "status": "ended"}
    same = _effects(
        calendar_event={"start_time": "2026-01-01T10:00:00+00:00"},
        link=f"http://ui/transcripts/{TRANSCRIPT}",
    )
    filled = [e if e.kind != "webhook" else _filled(e, same[2]) for e in effects]
    legacy = observation(outputs_of(row=row), effects=same)
    found = _judged(
        legacy, _candidate(outputs_of(row=row), effects=tuple(filled), run_id="the-run-of-it")
    )
    assert found["side_effects"].verdict is V.DIVERGED
    again = _judged(legacy, _candidate(outputs_of(row=row), effects=same, run_id="the-run-of-it"))
    assert again["side_effects"].verdict is V.MATCHED


def _filled(effect, whole):
    body = {**whole.payload["body"], **effect.payload["body"]}
    return effect.model_copy(update={"payload": {**effect.payload, "body": body}})


def _steps(**changes):
    """Both steps of both tracks."""
    both = [
        StepRun(name=name, track_index=track, status=changes.get(f"{name} {track}", "completed"))
        for name in ("pad_track", "transcribe_track")
        for track in (0, 1)
    ]
    return tuple(step for step in both if step.status != "skipped")


@pytest.mark.parametrize("how", ["running", "cancelled", "skipped"])
def test_every_track_has_each_of_its_steps(how):
    """In a completed workflow; the finding names step and track."""
    legacy = observation(outputs_of(), steps=_steps(), track_count=2)
    steps = _steps(**{"transcribe_track 1": how})
    found = _judged(legacy, _candidate(outputs_of(), steps=steps, track_count=2))["status"]
    assert found.verdict is V.DIVERGED
    assert found.measure.findings[0].message.startswith("transcribe_track 1 ")
    assert (
        _judged(legacy, _candidate(outputs_of(), steps=_steps(), track_count=2))["status"].verdict
        is V.MATCHED
    )


def test_null_is_not_an_empty_text():
    """A page that asks an empty text for its length breaks on null."""
    row = {"id": TRANSCRIPT, "status": "ended"}
    legacy = observation(outputs_of(row=row, short_summary=""))
    found = _judged(legacy, _candidate(outputs_of(row=row, short_summary=None)))["row"]
    assert [finding.path for finding in found.measure.findings] == ["row/short_summary"]
