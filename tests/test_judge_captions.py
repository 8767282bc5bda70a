"""Captions follow their own words, cue by cue; and words keep what sets them apart."""

from __future__ import annotations

from itertools import groupby

import pytest

from comparators.captions import faults
from comparators.registry import by_name
from reflector_migrate.judge.compare import compare
from reflector_migrate.judge.noise import Floor, NoiseFloors
from reflector_migrate.model import Verdict, Word
from tests.comparing import STRATUM, observation, outputs_of, words_of

WORDY = ("words", "words_raw", "speaker_words", "word_times")
FLOORS = NoiseFloors({(name, STRATUM): Floor(0.1, 100) for name in WORDY}, 100)


def _clock(seconds):
    ms = int(seconds * 1000)
    return f"{ms // 3600000:02}:{ms // 60000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"


def _captions(words):
    """A cue for each turn, as legacy writes them."""
    cues = ["WEBVTT"]
    for speaker, turn in groupby(words, key=lambda w: w.speaker):
        said = list(turn)
        text = "".join(w.text for w in said).strip()
        span = f"{_clock(said[0].start)} --> {_clock(said[-1].end)}"
        cues.append(f"{span}\n<v Speaker{speaker}>{text}")
    return "\n\n".join(cues) + "\n"


def _run(words, webvtt=None, **changes):
    captions = _captions(words) if webvtt is None else webvtt
    return observation(outputs_of(words, webvtt=captions), **changes)


WORDS = words_of()
MISHEARD = [w.model_copy(update={"text": "hm "}) if n == 3 else w for n, w in enumerate(WORDS)]


def _later(webvtt):
    head, first, *rest = webvtt.split("\n\n")
    return "\n\n".join([head, first, *(cue.replace("00:00:", "00:07:") for cue in rest)])


def _names_swapped(webvtt):
    renamed = webvtt.replace("Speaker0", "Speaker?").replace("Speaker1", "Speaker0")
    return renamed.replace("Speaker?", "Speaker1")


def _ended(webvtt):
    """Every caption ends when it begins."""
    lines = [
        f"{line.split(' --> ')[0]} --> {line.split(' --> ')[0]}" if " --> " in line else line
        for line in webvtt.split("\n")
    ]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("alter", "paths"),
    [
        pytest.param(lambda v: v, set(), id="follow"),
        pytest.param(_later, {"webvtt/times"}, id="late from the second on"),
        pytest.param(_ended, {"webvtt/times"}, id="none lasts"),
        pytest.param(_names_swapped, {"webvtt/speakers"}, id="speakers swapped"),
        pytest.param(lambda v: v.replace("after the", "afterthe"), {"webvtt/blanks"}, id="a blank"),
        pytest.param(lambda v: v.replace("after", "before"), {"webvtt/text"}, id="another word"),
    ],
)
def test_each_caption_is_held_against_its_own_words(alter, paths):
    """One word was heard otherwise, so captions cannot be equal: they follow, or they do not."""
    there = _run(MISHEARD, alter(_captions(MISHEARD)), role="candidate")
    found = compare(_run(WORDS), there, floors=FLOORS)
    [check] = [check for check in found.checks if check.name == "webvtt"]
    assert {finding.path for finding in check.measure.findings} == paths
    assert (found.verdict is Verdict.DIVERGED) is bool(paths)


@pytest.mark.parametrize("speaker", [0, 1])
@pytest.mark.parametrize("place", [0, 1, 3, 4])
def test_a_blank_word_may_be_of_either_caption(speaker, place):
    """Whether it opens the next one or closes the last, the captions follow."""
    said = words_of(["One two three.", "Four."])
    at_s = [0.0, *(w.end for w in said)][place]
    blank = Word(text=" ", start=at_s, end=at_s + 0.05, speaker=speaker)
    assert faults(_run([*said[:place], blank, *said[place:]])) == []


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_captions_may_be_cut_anywhere_between_words(cut):
    """Not inside one."""
    said = words_of(["One two three four."])
    good = _captions(said[:cut]) + "\n" + _captions(said[cut:]).removeprefix("WEBVTT\n\n")
    assert faults(_run(said, good)) == []
    inside = good.replace("One", "On", 1) if cut == 1 else good.replace("One ", "One tw", 1)
    assert faults(_run(said, inside)) != []


def _bare(words):
    return [w.model_copy(update={"text": w.text.strip()}) for w in words]


def test_words_run_together_are_not_a_match():
    """Everything follows the stripped words, `Weshipon`, and cannot be read."""
    found = compare(_run(WORDS), _run(_bare(WORDS), role="candidate"), floors=FLOORS)
    verdicts = {check.name: check.verdict for check in found.checks}
    assert (verdicts["words"], verdicts["words_raw"]) == (Verdict.MATCHED, Verdict.DIVERGED)


def test_an_event_without_the_blanks_is_not_the_text():
    """The words have them, what listeners hear has not."""
    events = tuple(
        e.model_copy(update={"data": {**e.data, "text": e.data["text"].replace(" ", "")}})
        if e.event == "TRANSCRIPT"
        else e
        for e in observation().events
    )
    measure = by_name("events").compare(observation(), observation(events=events))
    assert {finding.path for finding in measure.findings} == {"events/payload/TRANSCRIPT"}


def test_a_blank_does_not_excuse_an_invented_fact():
    """9900 was never said, on either side; one more blank does not make another word."""
    invented = outputs_of().short_summary.replace("1200", "9900")
    spaced = [w.model_copy(update={"text": w.text + " "}) if not n else w
              for n, w in enumerate(WORDS)]  # fmt: skip
    for words in (WORDS, spaced):
        there = observation(outputs_of(words, short_summary=invented), role="candidate")
        found = compare(observation(), there, is_repeatable=True)
        [check] = [check for check in found.checks if check.name == "summary_facts"]
        assert (check.verdict, check.rule) == (Verdict.DIVERGED, "exact")
