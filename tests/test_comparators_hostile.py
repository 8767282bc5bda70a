"""Numbers and texts that no run should leave: compared or refused, and no comparator breaks."""

from __future__ import annotations

import time

import pytest

from comparators.payload.masking import OWN_PLACES
from comparators.payload.records import differences, is_within, keyed
from comparators.track_times import slope
from reflector_migrate.judge.compare import compare
from reflector_migrate.model import Event, Verdict
from tests.comparing import effects_of, events_of, observation, outputs_of, words_of

HUGE, INF, NAN = 10**400, float("inf"), float("nan")
DEEP = "[" * 5000
OUTPUTS = outputs_of()


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param(1, 1.4, True, id="near"),
        pytest.param(1, 2, False, id="far"),
        pytest.param(HUGE, 1.0, False, id="no float holds it"),
        pytest.param(HUGE, HUGE + 1, False, id="beyond a double, exact"),
        pytest.param(HUGE, HUGE, True, id="beyond a double, equal"),
        pytest.param(INF, INF, True, id="infinity"),
        pytest.param(INF, -INF, False, id="of another sign"),
        pytest.param(NAN, NAN, True, id="no number, on both sides"),
        pytest.param(NAN, 0.0, False, id="no number, on one side"),
    ],
)
def test_numbers_are_near_whatever_they_are(first, second, expected):
    """In either order, and alike in a record."""
    assert is_within(first, second, 0.5) is is_within(second, first, 0.5) is expected
    assert (not differences({"a": first}, {"a": second}, {"a": 0.5})) is expected


def _with_event(name, **data):
    events = [e for e in events_of(OUTPUTS) if e.event != name]
    return {"events": (*events, Event(event=name, data=data))}


def _with_effect(index, **changes):
    effects = list(effects_of(OUTPUTS))
    effects[index] = effects[index].model_copy(update=changes)
    return {"effects": tuple(effects)}


def _at(*starts):
    words = words_of()
    late = [
        w.model_copy(update={"start": s, "end": s}) for w, s in zip(words, starts, strict=False)
    ]
    return {"outputs": outputs_of([*late, *words[len(late) :]])}


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        pytest.param(_with_event("DURATION", duration=HUGE), "events", id="a huge duration"),
        pytest.param(
            _with_event("WAVEFORM", waveform=[*OUTPUTS.waveform[1:], -HUGE]), "events",
            id="a huge amplitude",
        ),
        pytest.param(_with_effect(0, size_bytes=HUGE), "side_effects", id="a huge object"),
        pytest.param(_with_effect(2, payload={"body": DEEP}), "side_effects", id="a deep payload"),
        pytest.param(_at(1e308, 1e308, -1e308), "word_times", id="the end of time"),
    ],
)  # fmt: skip
def test_what_no_run_should_leave_is_a_difference(changes, check):
    """Of a hypothesis, by its own check; beside itself it is equal. Nothing is ERRORED."""
    good = observation(OUTPUTS, events=events_of(OUTPUTS), effects=effects_of(OUTPUTS))
    bad = good.model_copy(update=changes)
    for pair in ((good, bad), (bad, good), (bad, bad)):
        found = {c.name: c for c in compare(*pair).checks}
        broken = [c.traceback for c in found.values() if c.verdict is Verdict.ERRORED]
        assert broken == []
        if pair != (bad, good):  # a reference's own contradictions accuse nobody
            assert bool(found[check].measure.errors) is (pair == (good, bad))


def test_a_payload_that_holds_no_number_is_like_itself():
    """A NaN in a text of JSON does not differ from the same text."""
    body = {"payload": {"url": "http://hook", "body": '{"a": NaN, "b": [Infinity]}'}}
    runs = [observation(OUTPUTS, **_with_effect(2, **body)) for _ in range(2)]
    found = {c.name: c for c in compare(*runs).checks}
    assert found["side_effects"].verdict is Verdict.MATCHED


@pytest.mark.parametrize("unit", ["", " euro", " million", " percent", " o'clock", ". January"])
@pytest.mark.parametrize("field", ["title", "short_summary"])
def test_a_model_that_counts_for_ever_is_compared(field, unit):
    """Four hundred figures are more than a number holds, and still one fact like any other."""
    texts = [f"It takes {figure * 400}{unit} to ship." for figure in "98"]
    runs = [observation(outputs_of(**{field: text})) for text in texts]
    name = "title_facts" if field == "title" else "summary_facts"
    for pair, differ in ((runs, True), ([runs[0]] * 2, False)):
        found = {c.name: c for c in compare(*pair).checks}[name]
        assert found.verdict is not Verdict.ERRORED, found.traceback
        assert bool(found.measure.errors) is differ


@pytest.mark.parametrize(
    "cue",
    [
        pytest.param(f"{'9' * 5000}:00:00.000 --> 00:00:01.000\na", id="hours"),
        pytest.param(f"00:00:00.000 --> 00:00:01.000\n<v Speaker{'1' * 5000}>a", id="a speaker"),
    ],
)
def test_endless_figures_are_not_a_time(cue):
    """Python turns no more than some thousands of figures into a number."""
    pair = observation(OUTPUTS), observation(outputs_of(webvtt=f"WEBVTT\n\n{cue}"))
    for sides in (pair, pair[::-1], pair[1:] * 2):
        found = {c.name: c for c in compare(*sides).checks}["webvtt"]
        assert found.verdict is not Verdict.ERRORED, found.traceback


def test_a_message_of_endless_times_is_compared():
    """A topic list's clock is read as a number, too."""
    said = {"payload": {"content": f"1. [{'9' * 5000}:01] Shipping and Audit\n2. [00:01] b\n"}}
    runs = [observation(OUTPUTS, **_with_effect(1, **said)), observation(OUTPUTS)]
    for sides in (runs, runs[::-1]):
        found = {c.name: c for c in compare(*sides).checks}["side_effects"]
        assert found.verdict is Verdict.DIVERGED, found.traceback


def test_equal_keys_and_blocks_without_end_take_no_square_of_time():
    """A few tenths of a second, where separate searches took minutes."""
    begun = time.process_time()
    assert len(keyed([{"key": "x"}] * 20_000, "key")) == 20_000
    message = "```spoiler Summary\n" * 20_000
    assert OWN_PLACES["long_summary"].search(message) is None
    assert time.process_time() - begun < 2


def test_a_summarys_block_is_found_behind_other_text():
    """The first that has an end; what stands before it matters nothing."""
    message = "# Reflector\n\n```spoiler Summary\nall of it\n```\n```spoiler Summary\nmore\n```"
    assert OWN_PLACES["long_summary"].search(message)["own"] == "all of it"


def test_no_line_is_fitted_through_endless_times():
    """Their squares overflow."""
    assert slope([0.0, 1e308, 2.0], [0.0, 1e308, 0.0]) == 0.0
    assert slope([0.0, 1.0, 2.0], [0.0, 0.5, 1.0]) == 0.5
