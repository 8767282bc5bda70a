"""The exact test of false alarms: who is flagged alone, how often, and whether by chance."""

from __future__ import annotations

from math import comb

import pytest

from reflector_migrate.errors import MigrateError
from reflector_migrate.experiments.false_alarm_test import (
    Trial,
    is_alarm,
    judge_noisy,
    judge_quiet,
    tally,
)
from reflector_migrate.experiments.false_alarms import judged
from reflector_migrate.model import (
    Check,
    Comparison,
    Engine,
    Finding,
    GateVerdict,
    Measure,
    Role,
    Side,
    Verdict,
)
from tests.comparing import observation

G, V = GateVerdict, Verdict


def _comparison(verdict):
    measure = Measure(name="words", kind="graded", errors=1, length=9,
                      findings=(Finding(path="words/changed", reference="secret"),))  # fmt: skip
    return Comparison(
        recording="r", verdict=verdict,
        primary=Side(role=Role.PRIMARY, engine=Engine.CELERY),
        candidate=Side(role=Role.CANDIDATE, engine=Engine.CONDUCTOR),
        checks=(Check(name="words", verdict=verdict, rule="aa-p99+margin", measure=measure),),
    )  # fmt: skip


def _tally(both=0, only_legacy=0, only_candidate=0, neither=0, lost=0):
    rows = [(V.DIVERGED, V.DIVERGED)] * both + [(V.DIVERGED, V.WITHIN_NOISE)] * only_legacy
    rows += [(V.INCONCLUSIVE, V.DIVERGED)] * only_candidate + [(V.MATCHED, V.MATCHED)] * neither
    return tally([Trial("r", _comparison(a), _comparison(b)) for a, b in rows], lost)


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        pytest.param({"neither": 60}, G.PASS, id="nobody is flagged"),
        pytest.param({"neither": 55, "only_candidate": 4, "only_legacy": 1}, G.PASS, id="chance"),
        pytest.param({"neither": 55, "only_candidate": 5}, G.FAIL, id="five alone against none"),
        pytest.param({"both": 60}, G.PASS, id="as bad as each other"),
        pytest.param({"only_legacy": 60}, G.PASS, id="quieter than legacy"),
        pytest.param({"only_candidate": 60}, G.FAIL, id="a defect"),
        pytest.param({"neither": 59}, G.INCONCLUSIVE, id="too few trials"),
        pytest.param({"neither": 59, "lost": 1}, G.INCONCLUSIVE, id="a lost one is not a good one"),
        pytest.param({"neither": 60, "lost": 1}, G.INCONCLUSIVE, id="nor is one beside enough"),
        pytest.param({"only_candidate": 4, "neither": 56, "lost": 500}, G.INCONCLUSIVE,
                     id="most of them lost"),
        pytest.param({"neither": 5, "only_candidate": 9}, G.FAIL, id="few are enough to fail"),
        pytest.param({}, G.INCONCLUSIVE, id="nothing measured never passes"),
    ],
)  # fmt: skip
def test_flagged_more_often_than_legacy(counts, verdict):
    """FAIL beyond chance, PASS with enough trials, else INCONCLUSIVE."""
    assert judge_noisy(_tally(**counts))[0] is verdict


@pytest.mark.parametrize(("candidate", "legacy"), [(0, 0), (1, 0), (3, 2), (5, 0), (2, 9)])
def test_p_value_is_the_binomial_tail(candidate, legacy):
    """Of all flagged alone, so many or more the candidate, each with chance one half."""
    alone = candidate + legacy
    tail = sum(comb(alone, k) for k in range(candidate, alone + 1)) / 2**alone
    assert _tally(only_candidate=candidate, only_legacy=legacy).p_value == pytest.approx(tail)


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        ({"neither": 12}, G.PASS),
        ({"neither": 11, "lost": 1}, G.INCONCLUSIVE),
        ({"neither": 11, "only_legacy": 1}, G.FAIL),
        ({}, G.INCONCLUSIVE),
    ],
)
def test_without_noise_nothing_may_differ(counts, verdict):
    """One difference on either side fails; none measured is not a pass."""
    assert judge_quiet(_tally(**counts))[0] is verdict


def test_alarms_name_checks_and_no_words():
    """Each flagged check with its rule and where, never what was said."""
    found = _tally(both=1, only_candidate=1, neither=2)
    assert (found.legacy_flagged, found.candidate_flagged) == (1, 2)
    assert {alarm.side for alarm in found.alarms} == {"legacy", "candidate"}
    assert found.alarms[0].why == "words/changed"
    assert "secret" not in found.model_dump_json()
    share, low, high = found.shares("candidate")
    assert low < share == 0.5 < high


def _sides(**status):
    return {
        role: observation(role=role, status=status.get(role.value, "completed")) for role in Role
    }


@pytest.mark.parametrize(
    ("status", "flagged"),
    [
        pytest.param({}, (False, False), id="all completed"),
        pytest.param({"candidate": "failed"}, (False, True), id="the candidate crashed"),
        pytest.param({"candidate": "timed_out"}, (False, True), id="the candidate never ended"),
        pytest.param({"secondary": "failed"}, (True, False), id="legacy crashed beside itself"),
    ],
)
def test_a_crash_is_an_alarm_and_no_lost_trial(status, flagged):
    """A run that does not complete is judged like any other."""
    trial = judged("r", _sides(**status), None)
    assert (is_alarm(trial.legacy), is_alarm(trial.candidate)) == flagged


@pytest.mark.parametrize(
    ("sides", "said"),
    [
        pytest.param(_sides(primary="failed"), "the primary failed", id="no yardstick"),
        pytest.param(_sides(candidate="running"), "the candidate did not end", id="still runs"),
        pytest.param({**_sides(), Role.SECONDARY: None}, "the secondary did not", id="unseen"),
    ],
)
def test_a_trial_without_two_ends_and_a_yardstick_is_lost(sides, said):
    """Nothing can be said of either run, and the reason is named."""
    with pytest.raises(MigrateError, match=said):
        judged("r", sides, None)
