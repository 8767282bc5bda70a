"""The first divergent step, by digests and without them; the turns that show it."""

from __future__ import annotations

import pytest

from comparators.registry import Transcripts
from reflector_migrate.judge.compare import compare
from reflector_migrate.judge.noise import Floor, NoiseFloors
from reflector_migrate.judge.word_diff import worst_turns
from reflector_migrate.model import STEP_NAMES, Effect, Outputs, StepRun, Word
from tests.comparing import (
    SPOKEN,
    STRATUM,
    effects_of,
    events_of,
    observation,
    outputs_of,
    steps_of,
    words_of,
)

TRACKS = (0, 1)
PER_TRACK = ("pad_track", "transcribe_track")


def _digests(**changed):
    """A digest per step and track; `transcribe_track_1="x"` changes one."""
    out = {}
    for name in STEP_NAMES:
        for track in TRACKS if name in PER_TRACK else (None,):
            label = name if track is None else f"{name}_{track}"
            out[name, track] = changed.get(label, f"same {label}")
    return out


DOWNSTREAM = dict.fromkeys(STEP_NAMES[STEP_NAMES.index("merge_transcripts") :], "x")
WORDS = words_of(SPOKEN * 3)
SWAPPED = [w.model_copy(update={"speaker": 1 - w.speaker}) for w in WORDS]
LOST = [w for w in WORDS if not (w.speaker == 1 and w.start > 30)]
LATE = [
    w.model_copy(update={"start": w.start + 8, "end": w.end + 8}) if w.speaker else w for w in WORDS
]
GRADED = ("words", "words_raw", "speaker_words", "word_times")
FLOORS = NoiseFloors({(m, STRATUM): Floor(0.02, 40) for m in GRADED}, 40)


def _run(words=WORDS, *, digests=None, **changes):
    outputs = outputs_of(words, **changes)
    steps = steps_of(digests) if digests is not None else ()
    return observation(outputs, steps=steps)


@pytest.mark.parametrize("with_digests", [True, False], ids=["digests", "no digests"])
@pytest.mark.parametrize(
    ("words", "changed", "step", "track"),
    [
        pytest.param(SWAPPED, DOWNSTREAM, "merge_transcripts", None, id="joined in wrong order"),
        pytest.param(LOST, {"transcribe_track_1": "x", **DOWNSTREAM}, "transcribe_track", 1,
                     id="a track's tail lost"),
        pytest.param(LATE, {"pad_track_1": "x", "transcribe_track_1": "x", **DOWNSTREAM},
                     "pad_track", 1, id="offset applied twice"),
    ],
)  # fmt: skip
def test_speech_defects_name_their_step(words, changed, step, track, with_digests):
    """Digests and measures lead to the same step and track."""
    same = _digests() if with_digests else None
    other = _digests(**changed) if with_digests else None
    found = compare(_run(digests=same), _run(words, digests=other), floors=FLOORS)
    assert found.verdict == "DIVERGED"
    assert found.first_divergent_step.step == step
    assert found.first_divergent_step.track_index == track


def _texts(**changes):
    outputs = outputs_of(WORDS, **changes)
    return observation(outputs)


def _events(*, drop=None, double=None):
    events = events_of(outputs_of(WORDS))
    kept = [e for e in events if e.event != drop]
    return tuple(e for e in kept for _ in range(2 if e.event == double else 1))


EFFECTS = effects_of(outputs_of(WORDS))


@pytest.mark.parametrize(
    ("hypothesis", "step"),
    [
        pytest.param(_texts(short_summary="Ana and Bob will ship on Monday."), "generate_summary",
                     id="a date in the summary"),
        pytest.param(_texts(title="Audit on Monday"), "generate_title", id="a date in the title"),
        pytest.param(_texts(waveform=(0.5,) * 256), "generate_waveform", id="waveform of 256"),
        pytest.param(_texts(participants=()), "get_participants", id="participants lost"),
        pytest.param(_texts(topics=()), "detect_topics", id="no topics"),
        pytest.param(observation(outputs_of(WORDS), events=_events(drop="TRANSCRIPT")),
                     "merge_transcripts", id="no TRANSCRIPT event"),
        pytest.param(observation(outputs_of(WORDS), events=_events(double="TOPIC")),
                     "detect_topics", id="topic events twice"),
        pytest.param(observation(outputs_of(WORDS), effects=EFFECTS[:2]), "send_webhook",
                     id="no webhook"),
        pytest.param(observation(outputs_of(WORDS), effects=(*EFFECTS, EFFECTS[1])), "post_zulip",
                     id="Zulip twice"),
        pytest.param(observation(outputs_of(WORDS), effects=(*EFFECTS,
                     Effect(kind="s3_delete", key="raw/0"))), "cleanup_consent", id="deleted"),
    ],
)  # fmt: skip
def test_other_defects_name_their_step_without_digests(hypothesis, step):
    """A finding carries the step that is answerable."""
    assert compare(_texts(), hypothesis).first_divergent_step.step == step


def test_a_summary_lost_on_the_way_to_the_row_is_not_laid_to_the_words():
    """Every digest agrees; what stores the words stores no summary."""
    found = compare(
        _run(digests=_digests()), _run(digests=_digests(), short_summary=" "), floors=FLOORS
    )
    assert found.first_divergent_step.step == "generate_summary"


def test_noise_before_a_defect_is_not_blamed():
    """Recognition differs within its floor; the title states another fact: the title it is."""
    noisy = [w.model_copy(update={"text": "hm "}) if n == 7 else w for n, w in enumerate(WORDS)]
    changed = {"transcribe_track_0": "x", **DOWNSTREAM}
    found = compare(
        _run(digests=_digests()),
        _run(noisy, digests=_digests(**changed), title="Audit on Monday"),
        floors=FLOORS,
    )
    assert found.first_divergent_step.step == "generate_title"
    assert "within noise" in found.first_divergent_step.why


def test_a_failed_step_is_named_first():
    """The candidate's own error needs no inference."""
    failed = StepRun(name="detect_topics", status="failed", error="HTTP 500")
    run = observation(status="failed", steps=(failed,), events=(), effects=())
    found = compare(observation(), run)
    assert found.first_divergent_step.step == "detect_topics"
    assert "HTTP 500" in found.first_divergent_step.why


def test_a_step_tried_again_counts_by_its_last_attempt():
    """A first attempt that failed is not an output."""
    steps = steps_of(_digests())
    again = (*(step for step in steps if step.name != "finalize"),
             StepRun(name="finalize", attempt=2, output_digest="same finalize"),
             StepRun(name="finalize", attempt=1, status="failed"))  # fmt: skip
    a, b = observation(steps=steps), observation(steps=again)
    assert compare(a, b).first_divergent_step is None


def test_no_difference_blames_no_step():
    """Other digests alone do not diverge."""
    a = _run(digests=_digests())
    assert compare(a, _run(digests=_digests(**DOWNSTREAM))).first_divergent_step is None


def test_turns_show_the_words_that_differ():
    """git's word diff of one turn, with speaker and time."""
    words = words_of(["we ship on Friday after the audit", "good"])
    other = [w.model_copy(update={"text": "Monday "}) if "Friday" in w.text else w for w in words]
    [turn] = worst_turns(
        observation(outputs_of(words)), observation(outputs_of(other)), Transcripts()
    )
    assert turn.diff == (
        ("equal", "we ship on"),
        ("delete", "Friday"),
        ("insert", "Monday"),
        ("equal", "after the audit"),
    )
    assert (turn.speaker, turn.speaker_name, turn.at_s) == (0, "Ana Archer", 1.8)


def test_turns_of_swapped_speakers_show_the_names():
    """Equal words under another name: the names are the diff."""
    turns = worst_turns(
        observation(outputs_of(WORDS)), observation(outputs_of(SWAPPED)), Transcripts()
    )
    turn = next(turn for turn in turns if turn.speaker == 0)
    assert turn.diff[:2] == (("delete", "Ana Archer:"), ("insert", "Bob Brown:"))


def test_turns_are_few_and_end():
    """A transcript that differs everywhere gives the worst turns only, and the empty one none."""
    other = [w.model_copy(update={"text": f"{n} "}) for n, w in enumerate(WORDS * 20)]
    turns = worst_turns(
        observation(outputs_of(WORDS)), observation(outputs_of(other)), Transcripts()
    )
    assert 0 < len(turns) <= 8
    assert worst_turns(observation(Outputs()), observation(Outputs()), Transcripts()) == ()
    hostile = [Word(text="<script>", start=0, end=1, speaker=0)]
    [turn] = worst_turns(observation(Outputs()), observation(outputs_of(hostile)), Transcripts())
    assert turn.diff == (("insert", "<script>"),)
