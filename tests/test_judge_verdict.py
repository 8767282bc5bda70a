"""A recording's verdict by its rules, row by row."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparators.registry import MEASURES, Measures, MeasureSpec, by_name
from reflector_migrate.judge.compare import compare
from reflector_migrate.judge.noise import (
    Floor,
    NoiseFloors,
    excess,
    floors_of,
    p99,
    shift,
    silence_s,
    stratum_of,
)
from reflector_migrate.judge.threshold import _beside
from reflector_migrate.judge.verdict import overall
from reflector_migrate.judge.waivers import Waiver
from reflector_migrate.model import Check, Comparison, Event, Measure, Outputs, StepRun, Verdict
from tests.comparing import SPOKEN, STRATUM, events_of, observation, outputs_of, words_of

V = Verdict
TODAY = date(2026, 6, 1)


def _candidate(outputs=None, **changes):
    return observation(outputs, role="candidate", engine="conductor", **changes)


def _by_name(comparison):
    return {check.name: check for check in comparison.checks}


def _noisy(share):
    """Every word but a share of them: the last ones are replaced."""
    words = words_of(SPOKEN * 5)
    wrong = round(share * len(words))
    return [w.model_copy(update={"text": "hm "}) if n < wrong else w for n, w in enumerate(words)]


WHOLE = observation(outputs_of(_noisy(0)))


def _words_only(share, **changes):
    """A run whose words differ by a share, and everything derived from them with them."""
    return _candidate(outputs_of(_noisy(share)), **changes)


def test_equal_runs_match_with_no_floor_at_all():
    """Exact zero needs no noise floor."""
    found = compare(WHOLE, WHOLE.model_copy(update={"role": "candidate"}))
    assert (found.verdict, found.first_divergent_step, found.turns) == (V.MATCHED, None, ())
    assert {c.verdict for c in found.checks} == {V.MATCHED}


FLOOR = NoiseFloors({("words", STRATUM): Floor(0.02, 40)}, 40)
OTHERS = NoiseFloors({("words", STRATUM.replace("2-4", "5+")): Floor(0.3, 200)}, 200)
WIDE = NoiseFloors({("words", STRATUM): Floor(0.99, 40)}, 40)


@pytest.mark.parametrize(
    ("share", "floors", "secondary_share", "verdict", "rule"),
    [
        pytest.param(0.0, None, None, V.MATCHED, "equal", id="zero needs no floor"),
        pytest.param(0.1, None, None, V.INCONCLUSIVE, "no-floor", id="no floor, no verdict"),
        pytest.param(0.02, FLOOR, None, V.WITHIN_NOISE, "aa-p99+margin", id="inside p99"),
        pytest.param(0.029, FLOOR, None, V.WITHIN_NOISE, "aa-p99+margin", id="inside the margin"),
        pytest.param(0.04, FLOOR, None, V.DIVERGED, "aa-p99+margin", id="beyond both"),
        pytest.param(0.02, None, 0.02, V.WITHIN_NOISE, "own-secondary", id="like its own A/A"),
        pytest.param(0.06, None, 0.02, V.INCONCLUSIVE, "own-secondary", id="one pair is no p99"),
        pytest.param(0.5, None, 0.0, V.DIVERGED, "own-secondary", id="far beyond one pair"),
        pytest.param(0.04, FLOOR, 0.04, V.DIVERGED, "aa-p99+margin", id="the cohort's floor rules"),
        pytest.param(0.1, OTHERS, None, V.INCONCLUSIVE, "no-floor", id="another stratum's noise"),
        pytest.param(0.1, OTHERS, 0.1, V.WITHIN_NOISE, "own-secondary", id="beside its own pair"),
        pytest.param(0.1, WIDE, None, V.INCONCLUSIVE, "floor-too-wide", id="excludes nothing"),
        pytest.param(1.0, WIDE, None, V.DIVERGED, "absurd", id="all words, whatever the floor"),
        pytest.param(1.0, None, None, V.DIVERGED, "absurd", id="all words, without a floor"),
        pytest.param(1.0, None, 1.0, V.INCONCLUSIVE, "floor-too-wide", id="as unlike as legacy"),
        pytest.param(0.1, None, 1.0, V.INCONCLUSIVE, "floor-too-wide", id="legacy unlike itself"),
    ],
)
def test_graded_measures(share, floors, secondary_share, verdict, rule):
    """d against A/A p99 plus a margin; the check says value, floor, limit, n and rule."""
    secondary = None
    if secondary_share is not None:
        secondary = observation(outputs_of(_noisy(secondary_share)), role="secondary")
    found = compare(WHOLE, _words_only(share), secondary=secondary, floors=floors)
    check = _by_name(found)["words"]
    assert (check.verdict, check.rule) == (verdict, rule)
    if floors is FLOOR:
        assert (check.floor, check.n) == (0.02, 40)
        assert check.limit == pytest.approx(0.02 + by_name("words").margin)
    assert (STRATUM in check.note) is (floors is OTHERS and not secondary)
    assert (check.excess is not None) is (secondary_share is not None and share > 0)


@pytest.mark.parametrize(
    ("value", "verdict"), [(0.03, V.WITHIN_NOISE), (0.0300001, V.DIVERGED), (0.02, V.WITHIN_NOISE)]
)
def test_the_limit_itself_is_within_noise(value, verdict):
    """A value of exactly the percentile and the margin does not diverge; any more does."""
    assert _beside(value, Floor(0.02, 40), 0.01, is_own=False, is_far=False) is verdict


@pytest.mark.parametrize(
    ("reference", "hypothesis", "verdict", "rule"),
    [
        pytest.param("completed", "completed", V.MATCHED, "completion", id="both"),
        pytest.param("completed", "failed", V.DIVERGED, "hypothesis-failed", id="candidate crash"),
        pytest.param("completed", "timed_out", V.DIVERGED, "hypothesis-failed", id="too slow"),
        pytest.param("failed", "completed", V.INCONCLUSIVE, "reference-failed", id="legacy crash"),
        pytest.param("failed", "failed", V.INCONCLUSIVE, "failed-apart", id="both, nobody says at"),
        pytest.param("completed", "missing", V.INCONCLUSIVE, "pair-incomplete", id="no candidate"),
        pytest.param("missing", "completed", V.INCONCLUSIVE, "pair-incomplete", id="no legacy"),
        pytest.param("completed", "running", V.INCONCLUSIVE, "pair-incomplete", id="not ended"),
    ],
)
def test_who_finished(reference, hypothesis, verdict, rule):
    """A crash of the candidate counts against it; a crash of legacy concludes nothing."""
    found = compare(observation(status=reference), _candidate(status=hypothesis))
    assert (found.verdict, found.checks[0].rule) == (verdict, rule)


def _failed(name, cause=None, status="failed", **more):
    return StepRun(name=name, status=status, cause=cause, **more)


RETRIED = _failed("detect_topics"), StepRun(name="detect_topics", attempt=2)
OUTAGE = _failed("finalize", "outage", "timed_out")


@pytest.mark.parametrize(
    ("of_reference", "of_hypothesis", "verdict"),
    [
        pytest.param((), (OUTAGE,), V.INCONCLUSIVE, id="our own database was away"),
        pytest.param((), (_failed("finalize"),), V.DIVERGED, id="its own doing"),
        pytest.param((), (_failed("generate_title", "passing"),), V.DIVERGED,
                     id="a server failed it alone"),
        pytest.param(RETRIED, (_failed("generate_title", "passing"),), V.INCONCLUSIVE,
                     id="the same service failed an attempt of the reference's"),
        pytest.param(RETRIED, (_failed("transcribe_track", "passing"),), V.DIVERGED,
                     id="another service did"),
        pytest.param(RETRIED, (_failed("generate_title"),), V.DIVERGED,
                     id="the service did, but the step failed by itself"),
        pytest.param((), (OUTAGE, _failed("generate_title")), V.DIVERGED,
                     id="one of two by itself"),
        pytest.param((), (OUTAGE, StepRun(name="finalize", attempt=2)), V.DIVERGED,
                     id="what failed was made good, and no step is named"),
    ],
)  # fmt: skip
def test_what_both_sides_met_is_not_held_against_the_candidate(
    of_reference, of_hypothesis, verdict
):
    """A candidate that could not run concludes nothing; one that failed by itself diverges."""
    found = compare(
        observation(steps=of_reference), _candidate(status="failed", steps=of_hypothesis)
    )
    assert found.verdict is verdict
    assert (found.checks[0].rule == "pair-incomplete") is (verdict is V.INCONCLUSIVE)
    assert ("could not run" in found.checks[0].note) is (verdict is V.INCONCLUSIVE)


def test_a_legacy_crash_judges_nothing_else():
    """Half-made legacy outputs cannot be a standard: no check diverges."""
    broken = observation(Outputs(), status="failed", events=(), effects=())
    found = compare(broken, _candidate())
    assert V.DIVERGED not in {c.verdict for c in found.checks}
    assert found.first_divergent_step is None


def test_the_failed_recording_matches():
    """Error on both sides, partial events, no content: equal."""
    outputs = outputs_of((), topics=(), title=None, short_summary=None, long_summary=None,
                         webvtt="WEBVTT", row={"id": "t", "status": "error"})  # fmt: skip
    events = (*events_of(outputs)[:2], Event(event="STATUS", data={"value": "error"}))
    broken = StepRun(name="transcribe_track", status="failed")
    run = observation(outputs, status="failed", events=events, effects=(), steps=(broken,))
    found = compare(run, run.model_copy(update={"role": "candidate", "engine": "conductor"}))
    assert found.verdict is V.MATCHED


def test_a_title_alone_never_matches():
    """Two completed runs that both show a title, and nothing that every recording has."""
    sides = [
        observation(Outputs(title="Weekly"), events=(), role=r) for r in ("primary", "candidate")
    ]
    found = compare(*sides)
    assert found.verdict is V.INCONCLUSIVE
    assert _by_name(found)["completion"].rule == "too-little-evidence"


def test_nothing_compared_never_matches():
    """Two runs without any output agree about nothing."""
    empty = observation(Outputs(), events=(), effects=())
    found = compare(empty, empty.model_copy(update={"role": "candidate"}))
    assert found.verdict is V.INCONCLUSIVE
    assert "a stored row, events" in _by_name(found)["completion"].note
    assert overall([]) is V.INCONCLUSIVE


def _raises(reference, hypothesis, transcripts):
    raise ZeroDivisionError("a bug")


def test_a_broken_comparator_is_errored_and_the_others_report():
    """Its traceback is kept; the verdict is at least ERRORED."""
    broken = MeasureSpec("words", _raises, "graded")
    others = [spec for spec in MEASURES if spec.name != "words"]
    found = compare(observation(), _candidate(), measures=Measures((broken, *others)))
    check = _by_name(found)["words"]
    assert check.verdict is found.verdict is V.ERRORED
    assert "ZeroDivisionError: a bug" in check.traceback
    assert len(found.checks) == len(MEASURES) + 1
    assert _by_name(found)["title"].verdict is V.MATCHED


def test_a_comparator_that_breaks_on_the_secondary_alone_is_errored_too():
    """Equal sides or not: its noise is unknown, and that is a bug, not a match."""
    words = by_name("words")

    def compare_words(reference, hypothesis, transcripts):
        if "secondary" in (reference.role, hypothesis.role):
            raise ZeroDivisionError("a bug")
        return words.measure(reference, hypothesis, transcripts)

    others = [spec for spec in MEASURES if spec.name != "words"]
    broken = MeasureSpec("words", compare_words, "graded")
    secondary = observation(role="secondary")
    found = compare(observation(), _candidate(), secondary=secondary,
                    measures=Measures((broken, *others)))  # fmt: skip
    check = _by_name(found)["words"]
    assert check.verdict is found.verdict is V.ERRORED
    assert "ZeroDivisionError: a bug" in check.traceback
    assert check.measure.errors == 0
    assert {c.verdict for c in found.checks if c.name != "words"} == {V.MATCHED}


def test_timing_and_cost_never_enter():
    """Informational checks are left out of the verdict."""
    slow = Check(name="timings", verdict=V.DIVERGED, rule="informational")
    fine = Check(name="words", verdict=V.MATCHED, rule="equal",
                 measure=Measure(name="words", kind="graded", length=3))  # fmt: skip
    assert overall([slow, fine]) is V.MATCHED


WAIVER = {"path": "duration", "reason": "encoder", "owner": "ana", "expiry": date(2026, 7, 1)}
LONGER = _candidate(outputs_of(duration_ms=35_000.0))
LONGER = LONGER.model_copy(update={"events": events_of(LONGER.outputs)})


@pytest.mark.parametrize(
    ("changes", "verdict", "waived"),
    [
        pytest.param({}, V.WAIVED, 1, id="granted"),
        pytest.param({"expiry": date(2026, 5, 31)}, V.DIVERGED, 0, id="expired yesterday"),
        pytest.param({"expiry": TODAY}, V.WAIVED, 1, id="holds on its last day"),
        pytest.param({"path": "dur*"}, V.WAIVED, 1, id="wildcard"),
        pytest.param({"path": "waveform"}, V.DIVERGED, 0, id="of something else"),
        pytest.param({"cap": 0}, V.DIVERGED, 0, id="nothing left of its cap"),
        pytest.param({"is_improvement": True}, V.MATCHED, 1, id="a known legacy defect fixed"),
    ],
)
def test_waivers_count_and_never_hide(changes, verdict, waived):
    """The finding stays with the waiver's reason on it; an expired waiver is named."""
    found = compare(observation(), LONGER, waivers=[Waiver(**{**WAIVER, **changes})], today=TODAY)
    check = _by_name(found)["duration"]
    assert check.verdict is verdict
    assert sum(1 for f in check.measure.findings if f.waiver) == waived
    assert len(check.measure.findings) == 1
    assert bool(check.note) is (waived > 0 or "expiry" in changes)


def test_a_waiver_without_a_date_to_judge_it_by_does_not_hold():
    """No clock is asked: without `today` what expires is expired."""
    assert compare(observation(), LONGER, waivers=[Waiver(**WAIVER)]).verdict is V.DIVERGED


def test_a_comparison_survives_its_file():
    """comparison/1 as JSON and back, NaN-free, the same twice."""
    found = compare(observation(), _words_only(0.3))
    text = found.model_dump_json(by_alias=True)
    assert "NaN" not in text
    assert Comparison.model_validate_json(text) == found
    assert compare(observation(), _words_only(0.3)).model_dump_json(by_alias=True) == text


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], None), ([0.1], 0.1), ([0.0] * 98 + [0.5, 0.9], 0.5), ([0.0] * 30 + [0.4], 0.4)],
)
def test_p99(values, expected):
    """The value 99 % do not exceed; of few values the largest."""
    floor = p99(values)
    assert (floor and floor.p99) == expected
    assert floor is None or floor.n == len(values)


def test_one_pair_of_unlike_titles_excuses_no_title():
    """With its margin such a pair's limit lies beyond 1: any title would pass."""
    other = observation(outputs_of(title="Quarterly weather"), role="secondary")
    found = compare(observation(), _candidate(outputs_of(title="Zzz zzz")), secondary=other)
    check = _by_name(found)["title"]
    assert check.limit >= 1
    assert (check.verdict, check.rule) == (V.INCONCLUSIVE, "floor-too-wide")


def test_floors_by_stratum():
    """A pair counts for its own stratum alone; nothing to measure counts nowhere."""
    floors = floors_of([("a", {"words": 0.01, "title": None}), ("b", {"words": 0.05})])
    assert floors.pairs == 2
    assert floors.of("words", "a") == Floor(0.01, 1)
    assert floors.of("words", "c") is None
    assert floors.of("title", "a") is None


@pytest.mark.parametrize(
    ("changes", "stratum"),
    [
        ({}, STRATUM),
        ({"language": "en-US"}, STRATUM),
        ({"language": "de_AT", "track_count": 1},
         "tracks:1 language:de length:short silence:little"),
        ({"language": None, "track_count": 5},
         "tracks:5+ language:unknown length:short silence:little"),
        ({"outputs": outputs_of(duration_ms=15 * 60_000)},
         "tracks:2-4 language:en length:medium silence:half"),
        ({"outputs": Outputs()}, "tracks:2-4 language:en length:short silence:little"),
        ({"outputs": Outputs(duration_ms=30_000)},
         "tracks:2-4 language:en length:short silence:half"),
    ],
)  # fmt: skip
def test_strata(changes, stratum):
    """Tracks, language without its region, length, and whether half of it is silence."""
    assert stratum_of(observation(**changes)) == stratum


def test_pauses_are_not_silence():
    """Gaps of speech are left out; one of a minute is not, be it first, between or last."""
    words = words_of()
    later = [w.model_copy(update={"start": w.start + 60, "end": w.end + 60}) for w in words]
    between = [*words[:9], *later[9:]]
    times = [silence_s(observation(outputs_of(w, duration_ms=d))) for w, d in (
        (words, words[-1].end * 1000), (later, later[-1].end * 1000),
        (between, between[-1].end * 1000), (words, words[-1].end * 1000 + 60_000))]  # fmt: skip
    assert times == [0, pytest.approx(60.3), pytest.approx(60.1), pytest.approx(60)]


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
@settings(deadline=None)
def test_excess_and_shift_of_identical_engines_are_zero(a, b, c):
    """Where all distances are alike nothing is in excess; formulas as they are written."""
    assert excess(a, a, a) == pytest.approx(0)
    assert shift(a, a, a) == pytest.approx(0)
    assert excess(a, b, c) == pytest.approx((a + b) / 2 - c)
    assert shift(a, b, c) == pytest.approx(2 * a - b - c)


def test_a_quieter_but_biased_candidate_shows_in_the_shift():
    """Candidate runs agree with each other and differ from legacy: excess is blind, shift not."""
    assert excess(0.05, 0.05, 0.05) == 0
    assert shift(0.05, 0.05, 0.0) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("mine", "theirs", "verdict"),
    [
        pytest.param(["pad_track"], ["pad_track"], Verdict.MATCHED, id="the same step"),
        pytest.param(["pad_track"], ["mixdown_tracks"], Verdict.INCONCLUSIVE, id="another step"),
        pytest.param([], ["pad_track"], Verdict.INCONCLUSIVE, id="one side does not say"),
        pytest.param([], [], Verdict.INCONCLUSIVE, id="neither says"),
    ],
)
def test_two_failures_match_only_where_they_are_the_same(mine, theirs, verdict) -> None:
    """Both sides failing is agreement about the same step, not about failing as such."""
    from reflector_migrate.judge.verdict import completion
    from reflector_migrate.model import Engine, Observation, Role

    def failed(role, engine, steps):
        runs = tuple(StepRun(name=name, status="failed") for name in steps)
        return Observation(recording="r", role=role, engine=engine, status="failed", steps=runs)

    reference = failed(Role.PRIMARY, Engine.CELERY, mine)
    hypothesis = failed(Role.CANDIDATE, Engine.CONDUCTOR, theirs)
    assert completion(reference, hypothesis).verdict is verdict
