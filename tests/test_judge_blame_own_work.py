"""The first divergent step where digests alone would mislead: what a step writes, and failures."""

from __future__ import annotations

import pytest

from reflector_migrate.judge.compare import compare
from reflector_migrate.model import STEP_NAMES, Effect, Event, StepRun
from tests.comparing import TRANSCRIPT, effects_of, events_of, observation, outputs_of, words_of

AGREED = tuple(
    StepRun(name=name, input_digest=f"in {name}", output_digest=f"out {name}")
    for name in STEP_NAMES
)
OUTPUTS = outputs_of()


def _steps(*, up_to: str = "send_webhook", failed: str = "", **outputs: str):
    """Steps that agree up to one, some with another output; then the one that failed."""
    kept = AGREED[: STEP_NAMES.index(up_to) + 1]
    done = [s.model_copy(update={"output_digest": outputs.get(s.name, s.output_digest)})
            for s in kept]  # fmt: skip
    return (
        *done,
        *(StepRun(name=name, status="failed", error="broke") for name in [failed] if name),
    )


def _order(*labels: str):
    """The events of a good run, those named moved to the end."""
    events = events_of(OUTPUTS)
    return tuple(
        sorted(events, key=lambda e: labels.index(e.event) + 1 if e.event in labels else 0)
    )


REFERENCE = observation(OUTPUTS, steps=AGREED)
DELETED = Effect(kind="s3_delete", key=f"{TRANSCRIPT}/audio.mp3")
REFUSED = observation(OUTPUTS, steps=AGREED, effects=(*effects_of(OUTPUTS)[1:], DELETED))
TWICE = outputs_of(topics=(*OUTPUTS.topics, OUTPUTS.topics[0]),
                   words=(*OUTPUTS.words, *OUTPUTS.topics[0].words))  # fmt: skip


@pytest.mark.parametrize(
    ("hypothesis", "step"),
    [
        pytest.param(observation(outputs_of(participants=()), steps=_steps(generate_summary="x")),
                     "get_participants", id="a row written wrong, then a summary that says so"),
        pytest.param(observation(OUTPUTS, steps=AGREED, events=_order("DURATION")),
                     "mixdown_tracks", id="an event told last"),
        pytest.param(observation(OUTPUTS, steps=AGREED, events=_order("WAVEFORM", "DURATION")),
                     "mixdown_tracks", id="two told last: the one before which most others came"),
        pytest.param(observation(OUTPUTS, steps=AGREED, effects=(
            *effects_of(OUTPUTS), Effect(kind="s3_put", key="x/tracks/padded_0.webm"))),
            "merge_transcripts", id="a padded track left behind"),
        pytest.param(observation(OUTPUTS, steps=AGREED, effects=effects_of(OUTPUTS)),
                     "cleanup_consent", id="a recording left behind although consent was refused"),
        pytest.param(observation(TWICE, steps=AGREED, events=events_of(OUTPUTS)),
                     "detect_topics", id="topics stored twice, every output equal"),
        pytest.param(observation(OUTPUTS, steps=AGREED, events=tuple(
            Event(event="TRANSCRIPT", data={"text": ""}) if e.event == "TRANSCRIPT" else e
            for e in events_of(OUTPUTS))), "merge_transcripts", id="an event without its text"),
        pytest.param(observation(outputs_of(waveform=(0.5,) * 254), steps=_steps(
            mixdown_tracks="x", generate_waveform="x")), "mixdown_tracks",
            id="a voice missing in the mix, which is as long as before"),
        pytest.param(observation(outputs_of(waveform=(0.5,) * 254), steps=_steps(
            generate_waveform="x")), "generate_waveform", id="a drawing of the same sound"),
    ],
)  # fmt: skip
def test_what_a_step_wrote_counts_like_its_output(hypothesis, step):
    """An exact difference in what one step alone writes names it, though its output agrees."""
    reference = REFUSED if step == "cleanup_consent" else REFERENCE
    found = compare(reference, hypothesis, secondary=reference)
    assert found.verdict == "DIVERGED"
    assert found.first_divergent_step.step == step


@pytest.mark.parametrize(
    ("steps", "step"),
    [
        pytest.param(_steps(up_to="merge_transcripts", failed="detect_topics"), "detect_topics",
                     id="everything before agrees"),
        pytest.param(_steps(up_to="merge_transcripts", failed="detect_topics",
                            merge_transcripts="x"), "merge_transcripts",
                     id="it was given what the reference did not have"),
        pytest.param(_steps(up_to="merge_transcripts", failed="detect_topics",
                            transcribe_track="x"), "detect_topics",
                     id="a recogniser may answer otherwise: that is no cause"),
    ],
)  # fmt: skip
def test_a_failure_is_laid_to_what_caused_it(steps, step):
    """A step that fails on an input that an earlier one got wrong is not the first to diverge."""
    run = observation(status="failed", steps=steps, events=(), effects=())
    found = compare(REFERENCE, run)
    assert found.first_divergent_step.step == step
    assert "broke" in found.first_divergent_step.why


def test_a_failing_step_that_spoils_the_row_is_named_itself():
    """A webhook's failure sets the status: the step that had set it well before did no wrong."""
    spoilt = [
        s.model_copy(update={"derived": {"status": "error"}}) if s.name == "finalize" else s
        for s in _steps(up_to="post_zulip", failed="send_webhook")
    ]
    well = [
        s.model_copy(update={"derived": {"status": "ended"}}) if s.name == "finalize" else s
        for s in AGREED
    ]
    run = observation(outputs_of(row={**OUTPUTS.row, "status": "error"}), status="failed",
                      steps=spoilt)  # fmt: skip
    found = compare(observation(OUTPUTS, steps=well), run)
    assert found.first_divergent_step.step == "send_webhook"


def test_without_digests_an_early_measure_comes_before_a_late_row():
    """A real deployment: the words are known by measures, and a row's field does not hide them."""
    lost = [w for w in words_of() if w.start < 10]
    row = {**OUTPUTS.row, "zulip_message_id": None}
    found = compare(observation(OUTPUTS), observation(outputs_of(lost, row=row)),
                    secondary=observation(OUTPUTS))  # fmt: skip
    assert found.first_divergent_step.step == "transcribe_track"
