"""Words were published as they should be and lost or doubled: by the step that stored them."""

from __future__ import annotations

import pytest

from comparators.registry import by_name
from comparators.words import PUBLISHED, published_disagreement
from reflector_migrate.judge.agreement import Agreement
from reflector_migrate.judge.chain import chain
from reflector_migrate.judge.compare import compare
from reflector_migrate.judge.noise import Floor, NoiseFloors
from reflector_migrate.model import STEP_NAMES, StepRun, Word
from tests.comparing import STRATUM, events_of, observation, outputs_of

MEASURES = (
    "words", "words_raw", "speaker_words", "speaker_mapping", "word_times", "word_times/offset",
    "word_times/drift", "topic_content", "topic_boundaries",
)  # fmt: skip
FLOORS = NoiseFloors({(name, STRATUM): Floor(0.02, 60) for name in MEASURES}, 60)


def _spoken():
    texts = [f"word{n} and then thing{n} of it" for n in range(60)]
    tokens = " ".join(texts).split()
    return [
        Word(text=f"{token} ", start=n * 0.1, end=n * 0.1 + 0.08, speaker=n // 30 % 2)
        for n, token in enumerate(tokens)
    ]


SPOKEN = _spoken()


def _misheard(words, *places):
    return [w.model_copy(update={"text": "hm "}) if n in places else w
            for n, w in enumerate(words)]  # fmt: skip


def _run(words, stored=None, told=None, **changes):
    """A run that heard these words, stored those and published others; every digest its own."""
    outputs = outputs_of(words if stored is None else stored)
    heard = outputs_of(words if told is None else told)
    events = tuple(
        next(e for e in events_of(heard) if e.event == "TRANSCRIPT")
        if event.event == "TRANSCRIPT" else event
        for event in events_of(outputs)
    )  # fmt: skip
    noisy = {"transcribe_track", "merge_transcripts", "detect_topics", "generate_title",
             "generate_summary"}  # fmt: skip
    own = changes.get("role", "primary")
    steps = tuple(
        StepRun(name=name, track_index=track, input_digest="same",
                output_digest=f"{own} {name}" if name in noisy else "same")
        for name in STEP_NAMES
        for track in ((0, 1) if name in ("pad_track", "transcribe_track") else (None,))
    )  # fmt: skip
    return observation(outputs, events=events, steps=steps, **changes)


HEARD = _misheard(SPOKEN, 40)
LOST = HEARD[:300]
EMPTY = ()


@pytest.mark.parametrize(
    ("candidate", "step"),
    [
        pytest.param(_run(HEARD, [*HEARD, *HEARD], role="candidate"), "detect_topics",
                     id="stored twice"),
        pytest.param(_run(HEARD, LOST, role="candidate"), "detect_topics", id="the end not stored"),
        pytest.param(_run(LOST, role="candidate"), "transcribe_track", id="the end not heard"),
        pytest.param(_run(_misheard(SPOKEN, *range(0, 300, 3)), HEARD, role="candidate"),
                     "merge_transcripts", id="other words told than heard and stored"),
    ],
)  # fmt: skip
def test_the_step_that_stored_is_distinguished_from_the_one_that_heard(candidate, step):
    """Every digest of words differs; TRANSCRIPT says what was heard before any topic was."""
    found = compare(_run(SPOKEN), candidate, floors=FLOORS)
    assert found.verdict == "DIVERGED"
    assert found.first_divergent_step.step == step


def _swapped(words):
    return [w.model_copy(update={"speaker": 1 - w.speaker}) for w in words]


def _late(words):
    return [w.model_copy(update={"start": w.start + 1, "end": w.end + 1}) for w in words]


def _loud(words):
    return [w.model_copy(update={"text": w.text.upper()}) for w in words]


def _trimmed(run):
    """The same, its TRANSCRIPT without the blank at the end."""
    events = tuple(
        e.model_copy(update={"data": {**e.data, "text": e.data["text"].strip()}})
        if e.event == "TRANSCRIPT" else e
        for e in run.events
    )  # fmt: skip
    return run.model_copy(update={"events": events})


@pytest.mark.parametrize(
    ("altered", "step"),
    [(_swapped, "merge_transcripts"), (_late, "transcribe_track"), (_loud, "transcribe_track")],
)
def test_what_transcript_cannot_show_is_not_cleared_by_it(altered, step):
    """However the words that were published and stored differ: by a blank, by one, by a stretch."""
    words = altered(HEARD)
    plain = _run(words, role="candidate")
    pairs = {
        "alike": (_run(SPOKEN), plain),
        "a blank": (_trimmed(_run(SPOKEN)), _trimmed(plain)),
        "one word fewer stored": (_run(SPOKEN), _run(words, words[:-1], role="candidate")),
        "by legacy": (_run(SPOKEN, SPOKEN[:-1]), plain),
        "the end not stored either": (_run(SPOKEN), _run(words, words[:300], role="candidate")),
    }
    blamed = {
        name: compare(*pair, floors=FLOORS).first_divergent_step.step
        for name, pair in pairs.items()
    }
    assert blamed == dict.fromkeys(pairs, step)


def test_hearing_is_within_noise_where_only_storing_is_not():
    """So says the chain of evidence, and why."""
    primary, candidate = _run(SPOKEN), _run(HEARD, LOST, role="candidate")
    found = compare(primary, candidate, floors=FLOORS)
    links = {
        (k.step, k.track_index): k for k in chain(primary.steps, candidate.steps, found.checks)
    }
    for key in (("transcribe_track", 0), ("merge_transcripts", None)):
        assert links[key].outputs is Agreement.WITHIN_NOISE
        assert "TRANSCRIPT" in links[key].outputs_why
    assert links["detect_topics", None].outputs is Agreement.DIFFER


def test_what_was_published_counts_only_where_the_topics_hold_something_else():
    """One misheard word of three hundred; nothing where both agree or nothing was published."""
    primary = _run(SPOKEN)
    assert published_disagreement(primary, _run(HEARD)) is None
    assert published_disagreement(_trimmed(primary), _trimmed(_run(HEARD))) is None
    stats = by_name("words").compare(primary, _run(HEARD, LOST)).stats
    assert stats[PUBLISHED] == pytest.approx(1 / len(SPOKEN))
    assert published_disagreement(primary, _run(HEARD, LOST, told=EMPTY)) is None
