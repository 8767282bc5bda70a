"""What holds for any two runs: bounds, identity, symmetry, sums, and findings that say where."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparators.registry import MEASURES, by_name
from reflector_migrate.model import (
    STEP_NAMES,
    Effect,
    Event,
    Observation,
    Outputs,
    Participant,
    Severity,
    Topic,
    Word,
)
from tests.comparing import SPOKEN, observation, outputs_of, words_of

pytestmark = pytest.mark.heavy

TEXT = st.sampled_from(
    ["", "We ship.", "not", "10 %", "ten", "am 3.4.2026", "\u202e", "1.", "of the and to", "ü", "0"]
)
SECONDS = st.floats(0, 90, allow_nan=False).map(lambda x: round(x, 2))
WORDS = st.builds(
    lambda text, start, length, speaker: Word(
        text=f"{text} ", start=start, end=start + length, speaker=speaker
    ),
    TEXT, SECONDS, st.sampled_from([0.0, 0.3]), st.integers(-1, 3),
)  # fmt: skip
TOPICS = st.builds(lambda t, s, at: Topic(title=t, summary=s, timestamp=at), TEXT, TEXT, SECONDS)
VALUES = st.none() | st.integers(-1, 2) | TEXT | st.lists(st.integers(0, 2), max_size=2)
OUTPUTS = st.builds(
    Outputs,
    participants=st.lists(
        st.builds(Participant, id=TEXT, speaker=st.none() | st.integers(0, 2), name=TEXT),
        max_size=3).map(tuple),
    duration_ms=st.none() | st.floats(-1, 1e6, allow_nan=False),
    waveform=st.none() | st.lists(st.floats(0, 1), max_size=4).map(tuple),
    words=st.lists(WORDS, max_size=12).map(tuple),
    topics=st.lists(TOPICS, max_size=3).map(tuple),
    title=st.none() | TEXT, short_summary=st.none() | TEXT, long_summary=st.none() | TEXT,
    webvtt=st.none() | st.sampled_from(["", "WEBVTT", "WEBVTT\n\n00:00:01.000 --> x\n"]),
    row=st.dictionaries(st.sampled_from(["id", "status", "title", "n"]), VALUES, max_size=4),
)  # fmt: skip
RUNS = st.builds(
    Observation,
    recording=st.just("r"), role=st.just("primary"), engine=st.just("celery"),
    status=st.sampled_from(["completed", "failed"]), language=st.sampled_from([None, "en", "de"]),
    outputs=OUTPUTS,
    events=st.lists(st.builds(Event, event=st.sampled_from(["TOPIC", "STATUS", "DURATION", "X"]),
                              data=st.dictionaries(st.sampled_from(["value", "text"]), VALUES)),
                    max_size=4).map(tuple),
    effects=st.lists(st.builds(Effect, kind=st.sampled_from(["webhook", "s3_put", "zulip_message"]),
                               key=TEXT, count=st.integers(0, 2), size_bytes=st.none() | st.just(5),
                               payload=st.dictionaries(st.sampled_from(["body", "x"]), VALUES)),
                     max_size=3).map(tuple),
)  # fmt: skip
SYMMETRIC = ("words", "words_raw", "speaker_words", "topic_boundaries", "title", "short_summary",
             "long_summary", "title_facts", "summary_facts")  # fmt: skip


@given(RUNS, RUNS)
@settings(deadline=None, max_examples=60)
def test_any_two_runs_have_a_bounded_measure(mine, theirs):
    """No comparator raises; a divergence is in [0, 1], an exact difference has a finding."""
    for comparator in MEASURES:
        measure = comparator.compare(mine, theirs)
        assert 0 <= measure.errors <= measure.length, comparator.name
        if measure.kind == "exact" and measure.errors:
            assert measure.findings, comparator.name
        for finding in measure.findings:
            assert finding.path
            assert finding.step in STEP_NAMES
            assert isinstance(finding.severity, Severity)


@given(RUNS)
@settings(deadline=None, max_examples=30)
def test_a_run_differs_from_itself_in_nothing(run):
    """Whatever is in it."""
    again = run.model_copy(deep=True)
    for comparator in MEASURES:
        measure = comparator.compare(run, again)
        assert (measure.errors, measure.findings) == (0, ()), comparator.name


@given(RUNS, RUNS)
@settings(deadline=None, max_examples=30)
def test_symmetric_measures_do_not_mind_which_side_is_which(mine, theirs):
    """For those that claim it, as long as both sides are in one language."""
    theirs = theirs.model_copy(update={"language": mine.language})
    for name in SYMMETRIC:
        there, back = (by_name(name).compare(*pair) for pair in ((mine, theirs), (theirs, mine)))
        assert there.divergence == (
            None if back.divergence is None else pytest.approx(back.divergence)
        ), name


PLACED = ("words", "words_raw", "speaker_words", "speaker_mapping", "word_times", "waveform",
          "topic_boundaries", "topic_content", "webvtt")  # fmt: skip


def _everything_else():
    """A run that differs from the usual one wherever a difference has a time."""
    late = [
        w.model_copy(update={"start": w.start + 3, "end": w.end + 3, "speaker": 1 - w.speaker})
        for w in words_of([SPOKEN[0].replace("audit", "outing"), *SPOKEN[1:]])
    ]
    topics = [t.model_copy(update={"timestamp": t.timestamp + 40}) for t in outputs_of().topics]
    return observation(
        outputs_of(late, topics=tuple(topics), waveform=(0.9,) * 254,
                   webvtt="WEBVTT\n\n00:00:00.300 --> 00:00:01.100\n<v Speaker0>We slip\n")
    )  # fmt: skip


@pytest.mark.parametrize("name", PLACED)
def test_a_finding_says_where_and_when(name):
    """Place in its list and seconds in the recording, besides path, step and both values."""
    theirs = _everything_else()
    if name == "webvtt":
        theirs = observation(outputs_of(webvtt=theirs.outputs.webvtt))
    findings = by_name(name).compare(observation(), theirs).findings
    assert findings
    for finding in findings:
        assert finding.position is not None
        assert finding.at_s is not None
        assert finding.reference is not None or finding.hypothesis is not None


@pytest.mark.parametrize("name", ["title", "short_summary", "long_summary"])
def test_a_text_says_from_which_letter_on_it_differs(name):
    """Texts have no time; their position is a letter's."""
    own = getattr(outputs_of(), name)
    other = outputs_of(**{name: own[:9] + "§" + own[10:]})
    [finding] = by_name(name).compare(observation(), observation(other)).findings
    assert finding.position == 9


def test_the_normaliser_is_named_wherever_text_was_normalised():
    """Evidence of another reading of text is not mixed with this one's."""
    named = {c.name for c in MEASURES if c.compare(observation(), observation()).normaliser}
    assert named == {
        "words", "speaker_words", "speaker_mapping", "word_times", "topic_content", "title",
        "short_summary", "long_summary", "title_facts", "summary_facts", "topic_facts",
    }  # fmt: skip
