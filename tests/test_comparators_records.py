"""Structure, captions, events, side effects, catastrophes, timings and cost."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from deepdiff import DeepDiff
from hypothesis import given, settings
from hypothesis import strategies as st

from comparators.alignment.distance import encode
from comparators.captions import faults
from comparators.catastrophes import longest_loop
from comparators.events import PRECEDENCE, violations
from comparators.payload.records import differences, keyed
from comparators.payload.webvtt import parse
from comparators.registry import by_name
from reflector_migrate.model import Effect, Event, StepRun, Usage
from tests.comparing import (
    SPOKEN,
    TRANSCRIPT,
    effects_of,
    events_of,
    observation,
    outputs_of,
    webhook,
    words_of,
    zulip,
)

OTHER = "99999999-8888-7777-6666-555555555555"


def _paths(name, reference, hypothesis):
    return {f.path for f in by_name(name).compare(reference, hypothesis).findings}


def _out(**changes):
    return observation(outputs_of(**changes))


def _row(**changes):
    return outputs_of().row | changes


@pytest.mark.parametrize(
    ("name", "changes", "paths"),
    [
        pytest.param("duration", {"duration_ms": 33940.0}, set(), id="a frame's difference"),
        pytest.param("duration", {"duration_ms": 33.93}, {"duration"}, id="seconds for ms"),
        pytest.param("duration", {"duration_ms": None}, {"duration"}, id="no duration"),
        pytest.param("waveform", {"waveform": (0.5,) * 256}, {"waveform/length"}, id="256 for 254"),
        pytest.param("waveform", {"waveform": (0.9,) * 254}, {"waveform/values"}, id="other peaks"),
        pytest.param("participants", {"participants": ()},
                     {"participants/p0", "participants/p1"}, id="nobody"),
        pytest.param("status", {"row": _row(status="error")}, {"status"}, id="status"),
        pytest.param("row", {"row": _row(target_language="de")}, {"row/target_language"},
                     id="language"),
        pytest.param("row", {"row": _row(id=OTHER, zulip_message_id=9)}, set(), id="ids are fresh"),
        pytest.param("row", {"row": _row(zulip_message_id=None)}, {"row/zulip_message_id"},
                     id="no message id"),
        pytest.param("row", {"row": _row(title="x", topics=[1])}, set(), id="compared elsewhere"),
    ],
)  # fmt: skip
def test_structure(name, changes, paths):
    """Each field with its tolerance; volatile ones by presence."""
    assert _paths(name, observation(), _out(**changes)) == paths


def test_a_row_that_was_not_collected_is_not_a_difference():
    """A missing side of the row concludes nothing, by name."""
    measure = by_name("row").compare(observation(), _out(row={}))
    assert (measure.errors, measure.inconclusive) == (0, "row not collected")


def test_one_lost_record_is_one_difference():
    """Records are matched by key, not by place; a double shows as a second one."""
    many = [{"id": n, "v": n} for n in range(50)]
    found = differences(keyed(many, "id"), keyed(many[1:], "id"))
    assert [(d.path, d.kind) for d in found] == [("0", "missing")]
    doubled = differences(keyed(many, "id"), keyed([*many, many[3]], "id"))
    assert [(d.path, d.kind) for d in doubled] == [("3#2", "extra")]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "b"]),
    lambda inner: st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
@settings(deadline=None, max_examples=150)
def test_differences_are_deepdiffs(mine, theirs):
    """On keyed data: as many as deepdiff finds, none exactly where it finds none."""
    found = differences({"r": mine}, {"r": theirs})
    diff = DeepDiff({"r": mine}, {"r": theirs}, threshold_to_diff_deeper=0)
    assert len(found) == sum(len(kind) for kind in diff.values())


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        pytest.param([1, 2, 3], [1, 3], [("*", "missing")], id="one item lost"),
        pytest.param([{"a": 1}, {"a": 2}], [{"a": 1}, {"a": 3}], [("*/a", "changed")], id="field"),
        pytest.param({"t": [1]}, {"t": [1, 1]}, [("t/*", "extra")], id="an item twice"),
        pytest.param({"n": 1}, {"n": 1.0}, [], id="1 is 1.0"),
        pytest.param({"n": 1}, {"n": True}, [("n", "changed")], id="true is no number"),
        pytest.param({"n": 1}, {"n": "1"}, [("n", "changed")], id="text is no number"),
        pytest.param({"d": 1.0}, {"d": 1.4}, [], id="within the tolerance"),
        pytest.param({"d": 1.0}, {"d": 1.6}, [("d", "changed")], id="beyond the tolerance"),
    ],
)
def test_differences(mine, theirs, expected):
    """Paths have their list positions wildcarded, so that they group across recordings."""
    found = differences(mine, theirs, {"d": 0.5})
    assert [(d.path, d.kind) for d in found] == expected


VTT = "WEBVTT\n\n00:00:00.300 --> 00:00:01.100\n<v Speaker0>We ship\n"


@pytest.mark.parametrize(
    ("theirs", "paths"),
    [
        pytest.param(VTT, set(), id="equal"),
        pytest.param("", {"webvtt"}, id="none"),
        pytest.param(VTT.replace("ship", "slip"), {"webvtt/cues/*"}, id="other text"),
        pytest.param(VTT.replace("Speaker0", "Speaker1"), {"webvtt/cues/*"}, id="other speaker"),
        pytest.param(VTT.replace("01.100", "01.101"), {"webvtt/cues/*"}, id="other time"),
        pytest.param(VTT + "\n\n", {"webvtt/form"}, id="laid out differently"),
    ],
)
def test_captions_of_equal_words(theirs, paths):
    """Equal words must be captioned equally."""
    assert _paths("webvtt", _out(webvtt=VTT), _out(webvtt=theirs)) == paths


def test_captions_of_other_words_are_held_against_those_words():
    """Noise in the words is not a difference of the captions; captions of other words are."""
    words = words_of(["Hello there."])
    good = "WEBVTT\n\n00:00:00.300 --> 00:00:01.200\n<v Speaker0>Hello there.\n"
    full = outputs_of(words, webvtt=good)
    assert faults(observation(full)) == []
    noisy = words_of(["Hello their."])
    follows = outputs_of(noisy, webvtt=good.replace("there", "their"))
    assert _paths("webvtt", observation(full), observation(follows)) == set()
    stale = outputs_of(noisy, webvtt=good)
    assert _paths("webvtt", observation(full), observation(stale)) == {"webvtt/text"}


def test_a_real_caption_file_parses():
    """Hours, speakers and texts with arrows."""
    cues, well_formed = parse("WEBVTT\n\n01:00:00.000 --> 01:00:01.000\n<v Speaker12>a --> b\n")
    assert well_formed
    assert (cues[0].start_ms, cues[0].speaker, cues[0].text) == (3_600_000, 12, "a --> b")
    assert parse("WEBVTT\n\nnonsense")[1] is False


EVENTS = events_of(outputs_of())


def _moved(name, to):
    moved = [e for e in EVENTS if e.event == name]
    rest = [e for e in EVENTS if e.event != name]
    return (*rest[:to], *moved, *rest[to:])


@pytest.mark.parametrize(
    ("events", "paths"),
    [
        pytest.param(EVENTS, set(), id="equal"),
        pytest.param(_moved("FINAL_TITLE", 7), set(), id="title after summaries: they race"),
        pytest.param((Event(event="STATUS", data={"value": "processing"}), *EVENTS), set(),
                     id="STATUS processing is wiped by legacy"),
        pytest.param((*EVENTS[:3], Event(event="PIPELINE_PROGRESS"), *EVENTS[3:]), set(),
                     id="progress is the engine's own"),
        pytest.param((EVENTS[0], *EVENTS), {"events/stored/DURATION"}, id="appended twice"),
        pytest.param((*EVENTS[:3], EVENTS[3], *EVENTS[3:]), {"events/stored/TOPIC"},
                     id="topic twice"),
        pytest.param(EVENTS[:-1], {"events/stored/STATUS:ended"}, id="nobody told of the end"),
        pytest.param(_moved("TRANSCRIPT", 4), {"events/stored/order/TOPIC"}, id="topics first"),
        pytest.param(
            tuple(e.model_copy(update={"data": {**e.data, "text": ""}})
                  if e.event == "TRANSCRIPT" else e for e in EVENTS),
            {"events/payload/TRANSCRIPT"}, id="empty TRANSCRIPT"),
    ],
)  # fmt: skip
def test_events(events, paths):
    """Types, counts, precedence and payloads against the run's own outputs."""
    assert _paths("events", observation(), observation(events=events)) == paths


def test_events_of_noisy_outputs_agree():
    """Another title and one topic less are not a difference of the events."""
    outputs = outputs_of(title="Other", topics=outputs_of().topics[:1])
    assert _paths("events", observation(), observation(outputs)) == set()


def test_precedence_is_a_dag():
    """No type precedes itself, however long the way."""
    reach = {name: {b for a, b in PRECEDENCE if a == name} for name, _ in PRECEDENCE}
    for _ in reach:
        reach = {a: bs.union(*(reach.get(b, set()) for b in bs)) for a, bs in reach.items()}
    assert all(name not in after for name, after in reach.items())
    assert violations(["WAVEFORM", "DURATION"]) == {("DURATION", "WAVEFORM")}


def _shadow(**changes):
    """The same run under another transcript id, with everything suppressed."""
    outputs = outputs_of(row=outputs_of().row | {"id": OTHER}, **changes)
    effects = [e.model_copy(update={"suppressed": True}) for e in effects_of(outputs, OTHER)]
    return observation(outputs, effects=tuple(effects))


def test_a_suppressed_run_with_other_ids_has_the_same_effects():
    """Ids, clocks and signatures are not differences; nor is being recorded only."""
    assert _paths("side_effects", observation(), _shadow()) == set()


def test_effects_that_carry_other_words_agree():
    """A paraphrased title or summary is compared as a text, not as a payload."""
    other = _shadow(title="Something Else Entirely", long_summary="# Quick recap\n\nOther.\n")
    assert _paths("side_effects", observation(), other) == set()


HOOK = webhook(outputs_of())
BODY = HOOK.payload["body"]


def _hook(**changes):
    return HOOK.model_copy(update={"payload": {**HOOK.payload, **changes}})


def _without(field):
    return {**BODY, "transcript": {k: v for k, v in BODY["transcript"].items() if k != field}}


MP3 = Effect(kind="s3_put", key=f"{TRANSCRIPT}/audio.mp3", size_bytes=543_212)
ZULIP = zulip(outputs_of())


@pytest.mark.parametrize(
    ("effects", "paths"),
    [
        pytest.param((MP3, ZULIP, HOOK), set(), id="equal"),
        pytest.param((MP3, ZULIP, HOOK, HOOK), {"side_effects/webhook"}, id="two webhooks"),
        pytest.param((MP3, ZULIP), {"side_effects/webhook"}, id="no webhook"),
        pytest.param((MP3, ZULIP.model_copy(update={"count": 2}), HOOK),
                     {"side_effects/zulip_message"}, id="posted twice"),
        pytest.param((MP3, ZULIP, _hook(body=json.dumps(BODY))), set(), id="body as text"),
        pytest.param((MP3, ZULIP, _hook(body=_without("title"))),
                     {"side_effects/webhook/payload/body/transcript/title"}, id="lacks a field"),
        pytest.param((MP3, ZULIP, _hook(body={**BODY, "room": "r"})),
                     {"side_effects/webhook/payload/body/room"}, id="another type"),
        pytest.param((MP3, ZULIP, _hook(headers={**HOOK.payload["headers"],
                                                 "X-Webhook-Signature": "nonsense"})),
                     {"side_effects/webhook/payload/headers/x-webhook-signature"}, id="signature"),
        pytest.param((MP3.model_copy(update={"size_bytes": 815_084}), ZULIP, HOOK),
                     {"side_effects/s3_put/audio.mp3/size"}, id="another bit rate"),
        pytest.param((MP3.model_copy(update={"sha256": "b" * 64}), ZULIP, HOOK), set(),
                     id="an encoder's other bytes"),
        pytest.param((MP3, ZULIP, HOOK, Effect(kind="s3_delete", key="raw/track-0")),
                     {"side_effects/s3_delete/raw/track-0"}, id="deleted too much"),
        pytest.param((MP3, ZULIP, HOOK, Effect(kind="s3_put", key="x/tracks/padded_0.webm"),
                      Effect(kind="s3_delete", key="x/tracks/padded_0.webm")), set(),
                     id="an intermediate came and went"),
        pytest.param((MP3, ZULIP, HOOK, Effect(kind="s3_put", key="x/tracks/padded_0.webm"),
                      Effect(kind="s3_delete", key="s3://b/x/tracks/padded_0.webm")),
                     {"side_effects/s3_put/padded_0.webm"}, id="deleted under another key"),
    ],
)  # fmt: skip
def test_side_effects(effects, paths):
    """Exactly one of each, and the payload's structure."""
    assert _paths("side_effects", observation(), observation(effects=effects)) == paths


def test_content_is_compared_by_hash_where_its_bytes_are_determined():
    """The same key and size with other bytes; of every object of that name, not only the first."""
    puts = [Effect(kind="s3_put", key="x/captions.vtt", size_bytes=9, sha256=h * 64) for h in "aab"]
    a, b = observation(effects=puts[:2]), observation(effects=puts[1:])
    assert _paths("side_effects", a, b) == {"side_effects/s3_put/x/captions.vtt/content"}
    assert _paths("side_effects", a, observation(effects=puts[:2])) == set()


def test_a_skipped_deletion_is_critical():
    """Denied consent that deletes nothing is the worst there is."""
    deleted = Effect(kind="s3_delete", key="raw/track-0")
    a = observation(effects=(*effects_of(outputs_of()), deleted))
    [finding] = by_name("side_effects").compare(a, observation()).findings
    assert (finding.severity, finding.step) == ("critical", "cleanup_consent")


LONG = words_of(SPOKEN * 4)


@pytest.mark.parametrize(
    ("changes", "paths"),
    [
        pytest.param({}, set(), id="whole"),
        pytest.param({"words": ()}, {"catastrophes/words/empty"}, id="no words"),
        pytest.param({"title": "  "}, {"catastrophes/title/empty"}, id="blank title"),
        pytest.param({"words": tuple(w for w in LONG if w.speaker == 0 or w.start < 40)},
                     {"catastrophes/words/truncated"}, id="a track's tail lost"),
        pytest.param({"words": tuple(w for w in LONG if w.speaker == 0)},
                     {"catastrophes/words/empty"}, id="a track lost"),
        pytest.param({"words": tuple(LONG[:-3])}, set(), id="three words are no catastrophe"),
        pytest.param({"short_summary": "we agreed to ship it " * 8},
                     {"catastrophes/short_summary/looped"}, id="looped"),
    ],
)  # fmt: skip
def test_catastrophes(changes, paths):
    """Empty, cut short, looped: absolute, whatever the noise."""
    reference = observation(outputs_of(LONG))
    found = _paths("catastrophes", reference, observation(outputs_of(LONG, **{})
                   .model_copy(update=changes)))  # fmt: skip
    assert found == paths


@pytest.mark.parametrize(
    ("text", "times"),
    [("", 0), ("a b c d e f", 1), ("a b c d " * 7, 7), ("x " * 40, 10)],
)
def test_loops_are_counted(text, times):
    """How often one phrase follows itself."""
    [code] = encode(text.split())
    assert longest_loop(code) >= times
    assert (longest_loop(code) > 1) is (times > 1)


def test_timings_pair_what_is_known():
    """Unknown times are never compared; queue and run apart."""
    at = datetime(2026, 1, 1, tzinfo=UTC)

    def step(name, seconds, timed="measured"):
        return StepRun(name=name, queued=at, started=at + timedelta(seconds=1), timed=timed,
                       ended=at + timedelta(seconds=1 + seconds))  # fmt: skip

    a = observation(steps=(step("detect_topics", 2), step("merge_transcripts", 9, "unknown")))
    b = observation(steps=(step("detect_topics", 4), step("merge_transcripts", 1)))
    measure = by_name("timings").compare(a, b)
    assert measure.kind == "informational"
    assert set(measure.stats) == {"log_ratio_detect_topics"}
    assert measure.stats["log_ratio_detect_topics"] == pytest.approx(0.693147, abs=1e-5)
    assert measure.counts["reference_queue_s"] == 1


def test_cost_adds_up():
    """Usage of all attempts is summed."""
    steps = (StepRun(name="transcribe_track", usage=Usage(gpu_seconds=2)),) * 3
    measure = by_name("cost").compare(observation(steps=steps), observation())
    assert measure.counts["reference_gpu_seconds"] == 6


def test_the_failed_recording_has_partial_events_on_both_sides():
    """What both have is equal: no finding."""
    outputs = outputs_of((), topics=(), title=None, short_summary=None, long_summary=None,
                         webvtt="WEBVTT", row={"status": "error"})  # fmt: skip
    events = (*events_of(outputs)[:2], Event(event="STATUS", data={"value": "error"}))
    run = observation(outputs, status="failed", events=events, effects=())
    assert _paths("events", run, run.model_copy(deep=True)) == set()


def test_answers_from_the_cache_are_never_shown_as_cheapness():
    """A side that made no call says so next to its zero tokens."""
    asked = StepRun(name="detect_topics", usage=Usage(llm_tokens_in=40))
    cached = StepRun(name="detect_topics", usage=Usage(cache_hits=2))
    measure = by_name("cost").compare(observation(steps=[asked]), observation(steps=[cached]))
    assert measure.reference_text == "0.0 GPU s, 40 tokens"
    assert measure.hypothesis_text == "0.0 GPU s, 0 tokens, 2 answers from the cache"


@pytest.mark.parametrize("title", ["Weekly Sync", "Summary", "AMA", "Topics", "general", "storage"])
def test_a_title_that_says_what_stands_elsewhere_is_not_a_difference(title):
    """The run's own texts are named in their own places: not in a room, a heading, a stream."""
    reference, changed = outputs_of(), outputs_of(title=title)
    room = {"id": "room-1", "name": "Weekly Sync"}
    sides = [
        observation(outputs, effects=(zulip(outputs), webhook(outputs, room=room)))
        for outputs in (reference, changed)
    ]
    assert not by_name("side_effects").compare(*sides).findings


@pytest.mark.parametrize("sent", ["Another title", "", None])
def test_a_text_that_is_not_the_runs_own_is_a_difference(sent):
    """In a message's heading and in a webhook's field, whatever the other side wrote."""
    mine = observation()
    foreign = outputs_of(title=sent)
    theirs = observation(effects=(zulip(foreign), webhook(foreign)))
    assert _differ(mine, theirs) == {
        "side_effects/zulip_message/payload/content",
        "side_effects/webhook/payload/body/transcript/title",
    }


def _differ(mine, theirs):
    return {f.path for f in by_name("side_effects").compare(mine, theirs).findings} - {
        "side_effects/s3_put/audio.mp3"
    }
