"""A comparison's lines of evidence: what has a verdict, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reflector_migrate.judge.gates.evidence import EvidenceLine
from reflector_migrate.judge.gates.recorded import evidence_of
from reflector_migrate.model import Check, Comparison, Finding, Measure, Verdict
from reflector_migrate.shadow.noise_floors import plugin_key

EXAMPLE = Path(__file__).parents[1] / "fixtures" / "contracts" / "comparison-1.json"
WHOLE = Comparison.model_validate_json(EXAMPLE.read_text(encoding="utf-8"))
NIGHT = "2026-03-02"


def lines(comparison: Comparison, **said: Any) -> dict[str, EvidenceLine]:
    """The comparison's lines by measure."""
    return {found.measure: found for found in evidence_of(comparison, NIGHT, **said)}


def with_check(verdict: Verdict, rule: str, **measure: Any) -> Comparison:
    """A completed pair with one check."""
    defaults: dict[str, Any] = {"name": "row", "kind": "exact", "length": 18}
    made = Measure(**{**defaults, **measure})
    check = Check(name=made.name, verdict=verdict, rule=rule, measure=made)
    return WHOLE.model_copy(update={"checks": (check,)})


def ended(**statuses: str) -> Comparison:
    """The example with other ends of its sides."""
    changes = {
        role: getattr(WHOLE, role).model_copy(update={"status": status})
        for role, status in statuses.items()
    }
    return WHOLE.model_copy(update=changes)


def test_a_pair_with_a_secondary_gives_its_excess_in_percentage_points() -> None:
    """Each graded measure, facts among them; exact ones their count, and the keys of all."""
    found = lines(WHOLE)
    by_name = {check.name: check for check in WHOLE.checks}
    for name in ("words", "speaker_words", "summary_facts", "long_summary"):
        assert found[name].x_pp == pytest.approx(100 * (by_name[name].excess or 0)), name
    assert (found["row"].exact_findings, found["row"].waived) == (0, 1)
    assert found["catastrophes"].catastrophe == ""
    assert found["latency"].log_ratio == 0.0
    assert {line.builds["candidate"] for line in found.values()} == {WHOLE.candidate.build}
    assert {(line.night, line.normaliser) for line in found.values()} == {(NIGHT, WHOLE.normaliser)}
    assert "title_facts" not in found, "neither side has one: nothing was compared"


def test_without_a_secondary_excess_is_unknown() -> None:
    """A divergence without a floor says nothing of the mean; exact measures speak all the same."""
    bare = WHOLE.model_copy(
        update={"checks": tuple(c.model_copy(update={"excess": None}) for c in WHOLE.checks)}
    )
    found = lines(bare)
    assert [line.measure for line in found.values() if line.x_pp is not None] == [
        "dispatch_overhead"  # of the primary alone
    ]
    assert found["row"].exact_findings == 0


@pytest.mark.parametrize(
    ("statuses", "outcome"),
    [
        ({"candidate": "failed"}, ("completed", "failed")),
        ({"candidate": "timed_out"}, ("completed", "failed")),
        ({"primary": "failed"}, ("failed", "completed")),
        ({"primary": "failed", "candidate": "failed"}, ("failed", "failed")),
    ],
    ids=["candidate fails", "candidate times out", "primary fails", "both fail"],
)
def test_a_pair_in_which_a_side_failed_says_only_that(
    statuses: dict[str, str], outcome: tuple[str, str]
) -> None:
    """0 words against 0 words is not a match, and half an output cannot be a standard."""
    [found] = evidence_of(ended(**statuses), NIGHT)
    assert found.outcome is not None
    assert (found.outcome.primary, found.outcome.candidate) == outcome


@pytest.mark.parametrize("status", ["missing", "running"])
def test_a_pair_that_is_not_whole_says_nothing(status: str) -> None:
    """Its candidate is still running or was never found: that is a matter of coverage."""
    assert evidence_of(ended(candidate=status), NIGHT) == ()


VERDICTS = {
    "a difference counts": (Verdict.DIVERGED, "exact", (Finding(path="a"), Finding(path="b")), 2),
    "a difference beside a waived one counts": (
        Verdict.DIVERGED, "exact", (Finding(path="a"), Finding(path="b", waiver="ana")), 1),
    "a waived one does not": (Verdict.WAIVED, "waived", (Finding(path="b", waiver="ana"),), 0),
    "a broken comparator says nothing": (Verdict.ERRORED, "errored", (), None),
    "what cannot be compared says nothing": (Verdict.INCONCLUSIVE, "not-comparable", (), None),
}  # fmt: skip


@pytest.mark.parametrize("case", VERDICTS.values(), ids=VERDICTS.keys())
def test_an_exact_check_speaks_by_its_verdict(case: Any) -> None:
    """Unwaived differences, none, or no line at all."""
    verdict, rule, findings, count = case
    pair = with_check(verdict, rule, findings=findings, errors=len(findings))
    found = lines(pair).get("row")
    assert (found.exact_findings if found else None) == count


def test_nothing_to_compare_gives_no_line() -> None:
    """Empty on both sides is a match for the recording, and no evidence for the gate."""
    assert "row" not in lines(with_check(Verdict.MATCHED, "empty-on-both-sides", length=0))


def test_a_catastrophe_is_named_and_legacys_own_is_none() -> None:
    """What the second legacy run has too is shown beside it and counts against neither side."""
    finding = (Finding(path="catastrophes/words/empty"),)
    said: dict[str, Any] = {"name": "catastrophes", "findings": finding, "errors": 1}
    against = lines(with_check(Verdict.DIVERGED, "exact", **said))["catastrophes"]
    own = lines(with_check(Verdict.INCONCLUSIVE, "legacy-does-too", **said))["catastrophes"]
    assert (against.catastrophe, against.legacy_catastrophe) == ("words/empty", None)
    assert (own.catastrophe, own.legacy_catastrophe) == ("", "words/empty")


def test_cost_is_compared_only_where_both_sides_are_priced() -> None:
    """An unknown price is not zero."""
    priced = {
        role: getattr(WHOLE, role).model_copy(update={"cost_microdollars": cost})
        for role, cost in (("primary", 400_000), ("candidate", 440_000))
    }
    found = lines(WHOLE.model_copy(update=priced))["cost"]
    assert found.log_ratio == pytest.approx(0.0953, abs=1e-4)
    assert "cost" not in lines(WHOLE)


CAUSES = {
    "it failed by itself": (Verdict.DIVERGED, "failed", "candidate"),
    "it could not run": (Verdict.INCONCLUSIVE, "failed", "outage"),
    "it completed": (Verdict.MATCHED, "completed", ""),
}


@pytest.mark.parametrize("case", CAUSES.values(), ids=CAUSES.keys())
def test_a_candidates_failure_has_its_cause(case: Any) -> None:
    """An outage of our own plumbing is not the candidate's fault, whatever its workflow says."""
    verdict, status, cause = case
    first = Check(name="completion", verdict=verdict, rule="by the judge")
    made = ended(candidate=status).model_copy(update={"checks": (first,)})
    outcome = evidence_of(made, NIGHT)[0].outcome
    assert outcome is not None
    assert outcome.cause == cause
    assert outcome.is_candidate_fault is (cause == "candidate")


def test_a_line_bears_what_its_comparison_was_made_under() -> None:
    """Configuration, models, origin and defects: each sets evidence apart from other evidence."""
    known = {"configuration": "c", "models": "m", "origin": "sandbox", "defects": ("d",)}
    found = evidence_of(WHOLE.model_copy(update=known), NIGHT)
    assert {(f.configuration, f.models, f.origin, f.defects) for f in found} == {
        ("c", "m", "sandbox", ("d",))
    }
    assert {f.origin for f in evidence_of(WHOLE, NIGHT, origin="placebo")} == {"placebo"}


def test_what_the_plugin_cost_the_primary_is_evidence() -> None:
    """Its errors and its share of the run time; where its spans did not come, nothing."""
    known = {"plugin_errors": 2, "plugin_share": 0.004, "series": "room"}
    found = lines(WHOLE.model_copy(update=known))
    assert found["primary_errors"].exact_findings == 2
    assert found["dispatch_overhead"].x_pp == pytest.approx(0.4)
    assert {line.series for line in found.values()} == {"room"}
    silent = lines(WHOLE.model_copy(update={"plugin_errors": None, "plugin_share": None}))
    assert not {"primary_errors", "dispatch_overhead"} & silent.keys()


@pytest.mark.parametrize(
    ("spans", "said"),
    [
        pytest.param([], {}, id="no span came"),
        pytest.param([{"duration_s": 9.0}], {}, id="an older plugin"),
        pytest.param(
            [{"duration_s": 9.0, "own_s": 0.01, "errors": 1}, {"duration_s": 1.0}], {},
            id="one task of an older plugin",
        ),
        pytest.param(
            [{"duration_s": 9.0, "own_s": 0.01, "errors": 1},
             {"duration_s": 1.0, "own_s": 0.01, "errors": 0}],
            {"plugin_errors": 1, "plugin_share": 0.002}, id="both tasks",
        ),
    ],
)  # fmt: skip
def test_the_plugins_own_account_is_added_up(
    spans: list[dict[str, float]], said: dict[str, float]
) -> None:
    """Over all tasks of a run, or not at all."""
    assert plugin_key(spans) == pytest.approx(said)
