"""What noise does not do: lose half a minute, move every word, say a sentence fifty times."""

from __future__ import annotations

import random
from functools import partial

import pytest

from comparators.alignment.distance import encode
from comparators.catastrophes import longest_loop
from comparators.registry import by_name
from reflector_migrate.judge.compare import compare
from reflector_migrate.judge.cross_run import divergences
from reflector_migrate.judge.noise import Floor, NoiseFloors, stratum_of
from reflector_migrate.judge.waivers import Waiver
from reflector_migrate.model import Outputs, Verdict, Word
from tests.comparing import observation, outputs_of, words_of

pytestmark = pytest.mark.heavy

WORDY = ("words", "words_raw", "speaker_words", "word_times")
SENTENCES = " ".join(f"Sentence {n} is about things and the plan for it." for n in range(60))
LOOPED = (
    "The team agreed that the launch plan for next spring has to wait until the auditors finish. "
)
CUT = SENTENCES[: len(SENTENCES) // 2]


def _hour(seed=1):
    """An hour of four people who take turns of thirty words."""
    rng = random.Random(seed)
    return [
        Word(text=f"w{rng.randrange(3000)} ", start=n * 0.4, end=n * 0.4 + 0.3,
             speaker=(n // 30) % 4)
        for n in range(9000)
    ]  # fmt: skip


HOUR = _hour()


def _bare(words, **changes):
    outputs = Outputs(words=tuple(words), title="t", row={"status": "ended"}, duration_ms=3.6e6)
    return observation(outputs, events=(), effects=(), **changes)


_candidate = partial(_bare, role="candidate")
STRATUM = stratum_of(_bare(HOUR))
STILL = ("word_times", "word_times/offset", "word_times/drift")
FLOORS = NoiseFloors(
    {(name, STRATUM): Floor(0.0 if name in STILL else 0.02, 100) for name in (*WORDY, *STILL)}, 100
)


def _without(first, last):
    return HOUR[:first] + HOUR[last:]


def _tail_but_a_stray_word():
    since = HOUR[-1].start - 60
    last = [w for w in HOUR if w.speaker == 3][-1]
    return [w for w in HOUR if w.speaker != 3 or w.start <= since or w is last]


def _verdicts(found):
    return {check.name: check.verdict for check in found.checks}


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(_without(4000, 4060), id="24 s of two speakers"),
        pytest.param(_without(4000, 4200), id="80 s of everybody"),
        pytest.param(_tail_but_a_stray_word(), id="a speaker's last minute but for one word"),
    ],
)
def test_a_lost_stretch_is_a_catastrophe_however_long_the_meeting(words):
    """The share of words lost lies under the floor; the stretch is absolute, and is named."""
    found = compare(_bare(HOUR), _candidate(words), floors=FLOORS)
    assert _verdicts(found)["words"] is Verdict.WITHIN_NOISE
    assert (found.verdict, _verdicts(found)["catastrophes"]) == (Verdict.DIVERGED,) * 2
    [measure] = [check.measure for check in found.checks if check.name == "catastrophes"]
    assert {finding.path for finding in measure.findings} == {"catastrophes/words/lost"}
    assert all(f.at_s is not None and f.speaker is not None for f in measure.findings)


def _noisy(words, rng):
    """One run's hearing of them: three words in a hundred wrong or left out."""
    for word in words:
        chance = rng.random()
        if chance < 0.02:
            yield word.model_copy(update={"text": f"w{rng.randrange(3000)} "})
        elif chance > 0.03:
            yield word


@pytest.mark.parametrize("seed", range(4))
def test_ten_seconds_of_everybody_are_missed_in_noise_too(seed):
    """No speaker alone lost ten seconds; unaltered, nothing is lost."""
    rng = random.Random(seed)
    mine, theirs = list(_noisy(HOUR, rng)), list(_noisy(HOUR, rng))
    start = 12 * rng.randrange(20, 270) + 7  # within one turn and into the next
    lost = [word for word in theirs if not start <= word.start < start + 10]
    plain, altered = (
        by_name("catastrophes").compare(_bare(mine), _candidate(words)) for words in (theirs, lost)
    )
    assert plain.findings == ()
    assert [finding.path for finding in altered.findings] == ["catastrophes/words/lost"]
    assert "everybody" in altered.findings[0].message


def test_words_that_moved_or_were_misheard_are_not_lost():
    """A late track, another name, every tenth word wrong: none of it is a lost stretch."""
    rng = random.Random(2)
    late = [w.model_copy(update={"start": w.start + 20 * (w.speaker == 1)}) for w in HOUR]
    named = [w.model_copy(update={"speaker": (w.speaker + 1) % 4}) for w in HOUR]
    misheard = [w.model_copy(update={"text": "hm "}) if rng.random() < 0.1 else w for w in HOUR]
    dropped = [w for w in HOUR if rng.random() > 0.1]
    for words in (sorted(late, key=lambda w: w.start), named, misheard, dropped):
        measure = by_name("catastrophes").compare(_bare(HOUR), _candidate(words))
        assert measure.findings == ()


def test_what_legacy_loses_too_says_nothing_of_the_candidate():
    """The second legacy run lost a stretch as well: no catastrophe of the candidate's."""
    second = _bare(_without(7000, 7060), role="secondary")
    found = compare(_bare(HOUR), _candidate(_without(4000, 4060)), secondary=second, floors=FLOORS)
    [check] = [check for check in found.checks if check.name == "catastrophes"]
    assert (check.verdict, check.rule) == (Verdict.INCONCLUSIVE, "legacy-does-too")


def _moved(by_s, speakers=range(4)):
    return [
        w.model_copy(update={"start": w.start + by_s, "end": w.end + by_s})
        if w.speaker in speakers
        else w
        for w in HOUR
    ]


def _times(found):
    return next(check for check in found.checks if check.name == "word_times")


@pytest.mark.parametrize(
    ("by_s", "verdict"),
    [(0.0, Verdict.MATCHED), (0.09, Verdict.WITHIN_NOISE), (0.24, Verdict.DIVERGED),
     (0.26, Verdict.DIVERGED)],
)  # fmt: skip
def test_only_equal_times_match(by_s, verdict):
    """A tenth of a second goes unnoticed, but it is not `same`, and without a floor not known."""
    there = _candidate(_moved(by_s))
    check = _times(compare(_bare(HOUR), there, floors=FLOORS))
    assert check.verdict is verdict
    assert check.measure.hypothesis_text == (f"median +{by_s:.2f} s" if by_s else "same")
    blind = _verdicts(compare(_bare(HOUR), there))["word_times"]
    assert blind is (Verdict.INCONCLUSIVE if by_s else Verdict.MATCHED)


def test_one_late_track_is_not_lost_among_the_others():
    """Less than a word must move to be displaced; the others' median is 0; the track is named."""
    late = sorted(_moved(0.2, {2}), key=lambda w: w.start)
    found = compare(_bare(HOUR), _candidate(late), floors=FLOORS)
    check = _times(found)
    assert (check.verdict, check.measure.counts["displaced"]) == (Verdict.DIVERGED, 0)
    assert check.note.startswith("offset: 0.20 s")
    assert [(f.speaker, f.path) for f in check.measure.findings] == [(2, "word_times/2/offset")]
    assert found.first_divergent_step.step == "pad_track"


def test_a_stretched_track_is_found_by_its_ends():
    """A clock that runs 0.01 % fast: 0.36 s late after an hour, and 0.18 s at the median."""
    moved = [w.model_copy(update={"start": w.start * 1.0001}) for w in HOUR]
    measure = _times(compare(_bare(HOUR), _candidate(moved), floors=FLOORS)).measure
    assert measure.stats["drift_s"] == pytest.approx(0.24, abs=0.02)


def test_a_few_words_aligned_amiss_do_not_place_a_track():
    """Seven words of a guest, the same ones said again a minute later: no offset of a track."""
    said = [Word(text="yes ", start=9.0 * n, end=9.0 * n + 0.3, speaker=9) for n in range(7)]
    late = [w.model_copy(update={"start": w.start + 60, "end": w.end + 60}) for w in said]
    measure = by_name("word_times").compare(_bare(HOUR + said), _candidate(HOUR + late))
    assert measure.stats["offset_s"] == 0.0


def _listener(times, texts=("mhm ",)):
    """A person who says the same few words, a minute apart."""
    return [
        Word(text=texts[n % len(texts)], start=30 + 60.0 * n, end=30.3 + 60.0 * n, speaker=9)
        for n in range(times)
    ]


@pytest.mark.parametrize("missed", [0, 4, 10, 29])
@pytest.mark.parametrize("texts", [("mhm ",), ("yes ", "okay ", "mhm ")])
def test_a_listener_who_is_misheard_once_does_not_displace_the_others(missed, texts):
    """One `mhm` less: the rest may be aligned one further on, which places no track."""
    said = _listener(30, texts)
    heard = said[:missed] + said[missed + 1 :]
    found = divergences(_bare(HOUR + said), _candidate(HOUR + heard))
    assert found["word_times/offset"] == found["word_times/drift"] == 0
    check = _times(compare(_bare(HOUR + said), _candidate(HOUR + heard), floors=FLOORS))
    assert check.verdict in (Verdict.WITHIN_NOISE, Verdict.MATCHED)


def test_a_listener_who_is_late_is_placed_all_the_same():
    """A fifth of a second is not a minute: each `mhm` is distinguished from the next one."""
    said = _listener(30)
    late = [w.model_copy(update={"start": w.start + 0.2, "end": w.end + 0.2}) for w in said]
    check = _times(compare(_bare(HOUR + said), _candidate(HOUR + late), floors=FLOORS))
    assert check.verdict is Verdict.DIVERGED
    assert check.note.startswith("offset: 0.20 s")


@pytest.mark.parametrize(
    ("words", "by_s", "offset_s"),
    [(7, 60.0, 60.0), (3, 60.0, 60.0), (3, -0.3, 0.3), (3, 0.2, 0.0), (2, 60.0, 0.0)],
)
def test_a_guest_is_placed_by_few_words_when_these_are_displaced(words, by_s, offset_s):
    """Three that cannot be mistaken for each other; a tenth of a second takes eight."""
    line = ["please", "raise", "the", "budget", "by", "five", "thousand"][:words]
    said = [Word(text=f"{text} ", start=100 + n * 0.4, end=100.3 + n * 0.4, speaker=9)
            for n, text in enumerate(line)]  # fmt: skip
    late = [w.model_copy(update={"start": w.start + by_s, "end": w.end + by_s}) for w in said]
    check = _times(compare(_bare(HOUR + said), _candidate(HOUR + late), floors=FLOORS))
    assert check.measure.stats["offset_s"] == pytest.approx(offset_s)
    assert check.verdict is (Verdict.DIVERGED if offset_s else Verdict.WITHIN_NOISE)


def test_a_waived_track_does_not_cover_how_the_others_drift():
    """Each track that gets late by and by is a finding of its own."""
    late = [
        w.model_copy(update={"start": w.start + by, "end": w.end + by})
        for n, w in enumerate(HOUR)
        for by in [0.2 if w.speaker == 3 else 0.24 * (n > 0.7 * len(HOUR))]
    ]
    known = [Waiver(path="word_times/3/*", reason="known", owner="ana")]
    late.sort(key=lambda w: w.start)
    check = _times(compare(_bare(HOUR), _candidate(late), floors=FLOORS, waivers=known))
    assert check.verdict is Verdict.DIVERGED
    standing = [finding for finding in check.measure.findings if not finding.waiver]
    assert {f.path for f in standing} == {f"word_times/{n}/drift" for n in range(3)}
    assert all(f.hypothesis == pytest.approx(0.24) and f.at_s for f in standing)
    alone = _moved(0.2, {3})
    check = _times(compare(_bare(HOUR), _candidate(alone), floors=FLOORS, waivers=known))
    assert check.verdict is Verdict.WAIVED


@pytest.mark.parametrize(
    "update",
    [pytest.param(lambda w: {"end": w.start}, id="no word lasts"),
     pytest.param(lambda w: {"end": w.end + 20}, id="every word ends 20 s late")],
)  # fmt: skip
def test_ends_are_times_too(update):
    """Starts alone agree; captions would stand too short or too long."""
    words = [w.model_copy(update=update(w)) for w in HOUR]
    measure = by_name("word_times").compare(_bare(HOUR), _candidate(words))
    assert measure.divergence == 1.0
    assert {finding.path for finding in measure.findings} == {
        f"word_times/{speaker}/ends" for speaker in range(4)
    }


@pytest.mark.parametrize(
    ("changes", "paths"),
    [
        pytest.param({"long_summary": CUT}, {"catastrophes/long_summary/truncated"}, id="cut"),
        pytest.param({"long_summary": "Other things were said, and then the"},
                     {"catastrophes/long_summary/truncated"}, id="other words, cut"),
        pytest.param({"long_summary": "Other things were said, and then the end."}, set(),
                     id="short, but whole"),
        pytest.param({"long_summary": SENTENCES[:-40]}, set(), id="a word or two less"),
        pytest.param({"long_summary": LOOPED * 50}, {"catastrophes/long_summary/looped"},
                     id="a long sentence, fifty times"),
        pytest.param({"words": tuple(words_of(["x"] * 30))}, {"catastrophes/words/looped"},
                     id="one word for ever"),
        pytest.param({"words": tuple(w.model_copy(update={"text": " "}) for w in words_of())},
                     {"catastrophes/words/empty"}, id="nothing but blanks"),
    ],
)  # fmt: skip
def test_texts_cut_short_or_looped(changes, paths):
    """However far a summary may lie from another one."""
    whole = outputs_of(long_summary=SENTENCES)
    there = observation(whole.model_copy(update=changes))
    measure = by_name("catastrophes").compare(observation(whole), there)
    assert {finding.path for finding in measure.findings} == paths


def test_no_word_in_common_is_not_empty_on_both_sides():
    """There was something to time, and nothing to time it by."""
    blank = observation(outputs_of([w.model_copy(update={"text": " "}) for w in words_of()]))
    measure = by_name("word_times").compare(observation(), blank)
    assert measure.inconclusive == "no word in common"


@pytest.mark.parametrize("period", [4, 5, 8, 9, 16, 40, 90])
def test_loops_of_any_length_are_counted(period):
    """From four tokens to ninety, with words of its own that come back within it."""
    phrase = [f"w{n % max(period - 3, 1)}" for n in range(period)]
    [code] = encode(["so", "then", *phrase * 7, "and", "on"])
    assert longest_loop(code) == 7
    [once] = encode(["so", "then", *phrase, "and", "on"])
    assert longest_loop(once) == 1
