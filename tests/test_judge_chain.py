"""The chain of evidence as tables: inputs and outputs by digest, by what is left, within noise."""

from __future__ import annotations

import pytest

from comparators.registry import MEASURES
from reflector_migrate.judge.agreement import Agreement
from reflector_migrate.judge.blame import first_divergent_step
from reflector_migrate.judge.chain import chain
from reflector_migrate.judge.step_graph import INPUTS, before
from reflector_migrate.model import (
    STEP_NAMES,
    TRACK_STEPS,
    Check,
    Finding,
    Measure,
    StepRun,
    Verdict,
    position,
)
from tests.comparing import observation

A, N, D, U = Agreement.AGREE, Agreement.WITHIN_NOISE, Agreement.DIFFER, Agreement.UNKNOWN
TRACKS = 2
ALL = tuple(
    (name, track)
    for name in STEP_NAMES
    for track in (range(TRACKS) if name in TRACK_STEPS else (None,))
)
MEASURED = sorted(spec.name for spec in MEASURES if spec.steps)


def steps(*, hidden=(), without=(), derived=None, **digests):
    """All steps; `merge_transcripts="x"` changes an output, `merge_transcripts_in` an input."""
    found = []
    for name, track in ALL:
        if name in without:
            continue
        label = name if track is None else f"{name}_{track}"
        known = name not in hidden
        found.append(StepRun(
            name=name, track_index=track,
            input_digest=digests.get(f"{label}_in", "same") if known else None,
            output_digest=digests.get(label, "same") if known else None,
            derived=(derived or {}).get(label, {}),
        ))  # fmt: skip
    return tuple(found)


def checks(**verdicts):
    """Every measure of content matched, but those named: a verdict, or (verdict, findings)."""
    found = []
    pairs = verdicts.pop("n", 0)
    for name in [*MEASURED, *(set(verdicts) - set(MEASURED))]:
        given = verdicts.get(name, Verdict.MATCHED)
        verdict, findings = given if isinstance(given, tuple) else (given, ())
        errors = 0 if verdict is Verdict.MATCHED else max(1, len(findings))
        measure = Measure(name=name, kind="graded", errors=errors, length=9, findings=findings)
        found.append(Check(name=name, verdict=verdict, rule="x", measure=measure, n=pairs))
    return found


def blame(mine, theirs, judged):
    """Step and track, as one text."""
    found = first_divergent_step(observation(steps=mine), observation(steps=theirs), judged)
    if found is None:
        return None, ""
    track = "" if found.track_index is None else f" {found.track_index}"
    return f"{found.step}{track}", found.why


def lost(step, words=3, speaker=None):
    """A finding of words lost."""
    return Finding(path="words/delete", step=step, reference="w " * words, speaker=speaker)


DIVERGED, NOISE = Verdict.DIVERGED, Verdict.WITHIN_NOISE
AFTER_MERGE = dict.fromkeys(("detect_topics", "generate_title", "generate_summary"), "x")
WORDS = {"words": NOISE, "words_raw": NOISE, "word_times": NOISE}


@pytest.mark.parametrize(
    ("digests", "judged", "step", "says"),
    [
        pytest.param(
            {"transcribe_track_1": "x", "merge_transcripts_in": "x", "merge_transcripts": "x",
             **AFTER_MERGE},
            {"words": (DIVERGED, (lost("transcribe_track", speaker=1),)),
             "speaker_words": DIVERGED},
            "transcribe_track 1", "every earlier output agrees",
            id="a step whose input differs is not to blame",
        ),
        pytest.param(
            {"transcribe_track_0": "x", "merge_transcripts_in": "x", "merge_transcripts": "x"},
            {**WORDS, "speaker_mapping": (DIVERGED, (lost("merge_transcripts"),))},
            "merge_transcripts", "within noise",
            id="unless its input differs within noise and its output beyond",
        ),
        pytest.param(
            {"merge_transcripts_in": "x", "merge_transcripts": "x", **AFTER_MERGE},
            {"speaker_mapping": (DIVERGED, (lost("merge_transcripts"),))},
            "merge_transcripts", "the hand-over",
            id="inputs differ though what they are made of agrees",
        ),
        pytest.param(
            {"transcribe_track_0": "x", "transcribe_track_1": "x", "merge_transcripts_in": "x",
             "merge_transcripts": "x"},
            {"words": (DIVERGED, (lost("transcribe_track", 1, 0),
                                  lost("transcribe_track", 40, 1)))},
            "transcribe_track 1", "its output differs",
            id="noise on one track, a defect on the other",
        ),
        pytest.param(
            {"pad_track_0": "x", "transcribe_track_0": "x", "transcribe_track_1": "x"},
            {"words": (DIVERGED, (lost("transcribe_track", 40, 1),))},
            "transcribe_track 1", "within noise",
            id="another track's difference does not lead away from the one that lost its words",
        ),
        pytest.param(
            {"detect_topics": "x", "generate_title_in": "x", "generate_title": "x",
             "generate_summary_in": "x", "generate_summary": "x"},
            {"title_facts": (DIVERGED, (lost("generate_title"),)), "topic_content": DIVERGED},
            "detect_topics", "", id="both branches of a fork lead to where it begins",
        ),
        pytest.param(
            {"generate_waveform": "x", "generate_title": "x"},
            {"title_facts": (DIVERGED, (lost("generate_title"),))},
            "generate_title", "", id="another branch that is within noise is left alone",
        ),
        pytest.param(
            {"mixdown_tracks": "x", "generate_waveform_in": "x", "generate_waveform": "x",
             "merge_transcripts": "x"},
            {"speaker_mapping": (DIVERGED, (lost("merge_transcripts"),))},
            "merge_transcripts", "", id="an earlier step of another branch is no cause",
        ),
        pytest.param(
            {"get_participants": "x", "generate_summary": "x"},
            {"participants": DIVERGED, "summary_facts": (DIVERGED, (lost("generate_summary"),))},
            "get_participants", "", id="what a step reads from the row is its input too",
        ),
        pytest.param(
            {"get_recording": "x", "transcribe_track_0_in": "x", "transcribe_track_0": "x",
             "transcribe_track_1_in": "x", "transcribe_track_1": "x"},
            {"words": (DIVERGED, (lost("transcribe_track", 9, 0),
                                  lost("transcribe_track", 9, 1)))},
            "get_recording", "", id="a wrong language is its finder's fault",
        ),
        pytest.param(
            {"transcribe_track_0": "x", "merge_transcripts_in": "x", "merge_transcripts": "x"},
            {"words": (Verdict.INCONCLUSIVE, (lost("transcribe_track", speaker=0),)), "n": 1,
             "speaker_mapping": (DIVERGED, (lost("merge_transcripts"),))},
            "merge_transcripts", "within noise",
            id="words that may be noise, and a speaker that no noise can move",
        ),
        pytest.param(
            {"transcribe_track_0": "x", "merge_transcripts_in": "x", "merge_transcripts": "x"},
            {"words": (Verdict.INCONCLUSIVE, (lost("transcribe_track", speaker=0),)),
             "speaker_mapping": (DIVERGED, (lost("merge_transcripts"),))},
            "transcribe_track 0", "every earlier output agrees",
            id="without any pair nothing says that noise is on",
        ),
        pytest.param({"finalize": "x"}, {}, None, "", id="a digest alone diverges nothing"),
        pytest.param(
            {"generate_title_in": "x"}, {"words": (DIVERGED, (lost("transcribe_track"),))},
            "detect_topics", "", id="every output agrees: whoever stored the words is meant",
        ),
    ],
)  # fmt: skip
def test_the_first_step_that_parts_from_its_inputs(digests, judged, step, says):
    """By digests on both sides."""
    named, why = blame(steps(), steps(**digests), checks(**judged))
    assert named == step, why
    assert says in why


TIMES = {"word_times": (DIVERGED, (Finding(path="word_times/1/offset", step="pad_track",
                                           kind="moved", speaker=1),))}  # fmt: skip


def _heard(first, second):
    return {"transcribe_track_0": {"words": first}, "transcribe_track_1": {"words": second}}


@pytest.mark.parametrize(
    ("mine", "theirs", "judged", "step"),
    [
        pytest.param({"generate_title": {"title": "a"}}, {"generate_title": {"title": "b"}},
                     {"title": DIVERGED}, "generate_title", id="a column"),
        pytest.param(_heard("a", "b"), {**_heard("b", "a"), "merge_transcripts": {"words": "x"}},
                     {"speaker_mapping": (DIVERGED, (lost("merge_transcripts"),))},
                     "merge_transcripts", id="words of two tracks exchanged are heard alike"),
        pytest.param(_heard("a", "silent"), {**_heard("silent", "silent")},
                     {"words": (DIVERGED, (lost("transcribe_track", 9, 0),))},
                     "transcribe_track 0", id="as silent as another track is not exchanged"),
        pytest.param(_heard("a", "b"), _heard("a", "x"), TIMES, "pad_track 1",
                     id="a step of which nothing is known, with a finding laid to it"),
        pytest.param(_heard("a", "b"), _heard("a", "b"), TIMES, "pad_track 1",
                     id="its readers agree, and nobody else is accused: the finding speaks"),
        pytest.param({"merge_transcripts": {"TRANSCRIPT": "a"}, "detect_topics": {"topics": "a"}},
                     {"merge_transcripts": {"TRANSCRIPT": "a"}, "detect_topics": {"topics": "b"}},
                     {"words": (DIVERGED, (lost("transcribe_track"),)),
                      "topic_content": (DIVERGED, (lost("detect_topics"),))},
                     "detect_topics", id="what works on its output agrees: it is cleared"),
    ],
)  # fmt: skip
def test_what_steps_left_speaks_where_nothing_is_recorded(mine, theirs, judged, step):
    """A primary without digests, as a real deployment is."""
    same = {"merge_transcripts": {"words": "m"}}
    primary = steps(hidden=STEP_NAMES, derived={**same, **mine})
    candidate = steps(derived={**same, **theirs})
    named, why = blame(primary, candidate, checks(**judged))
    assert named == step, why


@pytest.mark.parametrize(
    ("mine", "theirs", "step", "inputs", "outputs", "why"),
    [
        pytest.param({}, {}, "merge_transcripts", A, A, "digests agree", id="all the same"),
        pytest.param({}, {"finalize": "x"}, "finalize", A, D, "digests differ", id="differs"),
        pytest.param({}, {"get_participants": "x"}, "get_participants", A, N,
                     "participants MATCHED", id="its measure matches"),
        pytest.param({"without": ("send_webhook",)}, {}, "send_webhook", A, U,
                     "the primary has no such step", id="on one side only"),
        pytest.param({"hidden": ("post_zulip",)}, {}, "post_zulip", A, U, "not recorded",
                     id="nothing is known of it"),
        pytest.param({"hidden": ("pad_track",)}, {}, "pad_track", A, U, "not recorded",
                     id="a first step's input is the recording itself"),
        pytest.param({"hidden": ("merge_transcripts",)}, {"transcribe_track_1": "x"},
                     "merge_transcripts", N, U, "not recorded",
                     id="inputs by what they are made of"),
        pytest.param({"hidden": ("post_zulip",)}, {"generate_title": "x"}, "post_zulip", N, U,
                     "not recorded", id="a title within noise is what Zulip is told"),
        pytest.param({"derived": {"generate_title": {"title": "a"}}},
                     {"derived": {"generate_title": {"title": "b"}}}, "generate_title", A, N,
                     "not what it wrote: title", id="output given, column not written"),
    ],
)  # fmt: skip
def test_a_links_two_ends(mine, theirs, step, inputs, outputs, why):
    """Every state has a reason."""
    links = chain(steps(**mine), steps(**theirs), checks())
    [link] = [k for k in links if k.step == step and k.track_index in (None, 0)]
    assert (link.outputs, link.inputs) == (outputs, inputs), link
    assert why in link.outputs_why
    assert link.inputs_why


def test_a_failed_step_is_not_noise():
    """One that completed here and failed there differs, however equal the rest."""
    failed = tuple(
        s.model_copy(update={"status": "failed"}) if s.name == "get_participants" else s
        for s in steps()
    )
    [link] = [k for k in chain(steps(), failed, checks()) if k.step == "get_participants"]
    assert (link.outputs, link.outputs_why) == (D, "completed here, failed there")


def test_the_last_completed_attempt_is_the_steps_account():
    """Whatever came before it."""
    again = (*steps(), StepRun(name="finalize", attempt=0, status="failed"),
             StepRun(name="finalize", attempt=2, output_digest="x"))  # fmt: skip
    [link] = [k for k in chain(steps(), again, checks()) if k.step == "finalize"]
    assert link.hypothesis.output_digest == "x"


def test_what_steps_work_on_comes_before_them():
    """The flow has no circle, and the pipeline's order is one of its orders."""
    assert set(INPUTS) == set(STEP_NAMES)
    for step in STEP_NAMES:
        assert all(position(parent) < position(step) for parent in before(step)), step


def test_nothing_seen_is_an_empty_chain():
    """No steps, no claims."""
    assert chain((), (), ()) == ()
