"""What each gate answers to cohorts whose truth is known."""

from __future__ import annotations

from typing import Any

import pytest

from reflector_migrate.judge.gates.catastrophes import recordings_needed
from reflector_migrate.judge.gates.evidence import EvidenceLine, Outcome
from reflector_migrate.judge.gates.gate import judge
from reflector_migrate.judge.gates.rules import read_rules
from reflector_migrate.model import GateVerdict
from tests.gates_world import RULES, TEXT, answered, excess, gate, line, normal, whole

pytestmark = pytest.mark.heavy

PASS, FAIL, OPEN = GateVerdict.PASS, GateVerdict.FAIL, GateVerdict.INCONCLUSIVE


def outcomes(n: int, **at: Outcome) -> list[EvidenceLine]:
    """n complete pairs, but for those given as r7=Outcome(...)."""
    fine = Outcome(primary="completed", candidate="completed")
    return [line(i, "completion", outcome=at.get(f"r{i}", fine)) for i in range(n)]


def fails(candidate: str = "failed", primary: str = "completed", cause: str = "") -> Any:
    """A pair's outcome in which the candidate failed."""
    return Outcome(primary=primary, candidate=candidate, cause=cause)  # type: ignore[arg-type]


def exact(n: int, findings: dict[int, int], **said: Any) -> list[EvidenceLine]:
    """n recordings' rows, with so many differences at those numbered."""
    return [line(i, "row", exact_findings=findings.get(i, 0), **said) for i in range(n)]


def texts(n: int, catastrophes: dict[int, str], **said: Any) -> list[EvidenceLine]:
    """n recordings' outputs, with a catastrophe at those numbered."""
    return [line(i, "catastrophes", catastrophe=catastrophes.get(i, ""), **said) for i in range(n)]


def covered(compared: int, **others: int) -> list[EvidenceLine]:
    """So many eligible recordings compared, and others by their fate."""
    fates = ["compared"] * compared + [fate for fate, n in others.items() for _ in range(n)]
    return [line(i, "coverage", coverage=fate) for i, fate in enumerate(fates)]


CASES: dict[str, tuple[list[EvidenceLine], str, str, GateVerdict]] = {
    "nothing compared never passes: exact": ([], "row", "all", OPEN),
    "nothing compared never passes: words": ([], "words", "all", OPEN),
    "nothing compared never passes: catastrophes": ([], "catastrophes", "all", OPEN),
    "nothing compared never passes: coverage": ([], "coverage", "all", OPEN),
    "nothing compared never passes: completion": ([], "completion", "all", OPEN),
    "nothing compared never passes: error parity": ([], "error_parity", "all", OPEN),
    "nothing compared never passes: latency": ([], "latency", "all", OPEN),
    "a measure without a verdict is not carried by another": (
        excess(normal(0, 2, 300)), "speaker_words", "all", OPEN),
    "no difference in enough recordings passes": (exact(30, {}), "row", "all", PASS),
    "no difference in too few recordings does not pass": (exact(29, {}), "row", "all", OPEN),
    "one difference in a thousand recordings fails": (exact(1000, {999: 1}), "row", "all", FAIL),
    "waived differences do not fail": (exact(30, {}, waived=3), "row", "all", PASS),
    "a recording that ran three times counts once": (exact(10, {}) * 3, "row", "all", OPEN),
    "an equal candidate passes on words": (excess(normal(0, 2, 250)), "words", "all", PASS),
    "a candidate 2 pp worse fails on words": (excess(normal(2, 2, 400)), "words", "all", FAIL),
    "a candidate at the margin is not decided": (excess(normal(1, 2, 400)), "words", "all", OPEN),
    "three good nights of one recording are one recording": (
        [line(0, x_pp=0.0, night=f"2026-03-{1 + i // 60:02}") for i in range(180)],
        "words", "all", OPEN),
    "one night says nothing of others": (
        excess(normal(0, 1, 200), night="2026-03-01"), "words", "all", OPEN),
    "a stratum with data passes": (
        excess(normal(0, 2, 250), stratum="tracks:1"), "words", "tracks:1", PASS),
    "an untouched stratum holds the phase": (
        excess(normal(0, 2, 250), stratum="tracks:1"), "words", "tracks:5+", OPEN),
    "no catastrophe in 298 recordings does not show under 1 %": (
        texts(298, {}), "catastrophes", "all", OPEN),
    "no catastrophe in 299 recordings shows under 1 %": (
        texts(299, {}), "catastrophes", "all", PASS),
    "one catastrophe fails": (texts(400, {7: "words/truncated"}), "catastrophes", "all", FAIL),
    "a catastrophe fails its stratum": (
        texts(400, {7: "words/looped"}, stratum="length:long"), "catastrophes", "length:long",
        FAIL),
    "a catastrophe of the primary too is none of the candidate's": (
        texts(299, {}, legacy_catastrophe="words/looped"), "catastrophes", "all", PASS),
    "99 of 100 compared is 99 %": (covered(99, lost=1), "coverage", "all", PASS),
    "9899 of 10000 is not rounded to 99 %": (covered(9899, failed=101), "coverage", "all", OPEN),
    "a recording not compared yet holds": (covered(97, open=3), "coverage", "all", OPEN),
    "complete pairs pass": (outcomes(30), "completion", "all", PASS),
    "a candidate that fails alone fails": (
        outcomes(300, r3=fails()), "completion", "all", FAIL),
    "an outage is not the candidate's failure": (
        outcomes(300, r3=fails(cause="outage")), "completion", "all", PASS),
    "a run that a person ended is not the candidate's failure": (
        outcomes(300, r3=fails(cause="person")), "completion", "all", PASS),
    "a failure of the primary is not the candidate's": (
        outcomes(300, r3=fails("completed", "failed")), "completion", "all", PASS),
    "as many failures on both sides are parity": (
        outcomes(1000, r3=fails(), r9=fails("completed", "failed")), "error_parity", "all", PASS),
    "one in ten failing alone is not parity": (
        outcomes(600, **{f"r{i}": fails(cause="outage") for i in range(0, 600, 10)}),
        "error_parity", "all", FAIL),
    "pairs in which both sides failed show no parity": (
        outcomes(600, **{f"r{i}": fails(primary="failed") for i in range(600)}),
        "error_parity", "all", OPEN),
    "as fast passes": (
        [line(i, "latency", log_ratio=x / 10) for i, x in enumerate(normal(0, 1, 300))],
        "latency", "all", PASS),
    "a third slower fails": (
        [line(i, "latency", log_ratio=0.3 + x / 10) for i, x in enumerate(normal(0, 1, 300))],
        "latency", "all", FAIL),
    "dearer by half fails": (
        [line(i, "cost", log_ratio=0.4 + x / 10) for i, x in enumerate(normal(0, 1, 300))],
        "cost", "all", FAIL),
    "a primary that the plugin slows down fails": (
        [line(i, "primary_time", log_ratio=0.3 + x / 10) for i, x in enumerate(normal(0, 1, 300))],
        "primary_time", "all", FAIL),
    "a measure that no rule names holds the phase": (
        [line(i, "smell", x_pp=0.0) for i in range(400)], "smell", "all", OPEN),
    "a difference in a measure that no rule names fails": (
        [line(i, "smell", exact_findings=i // 399) for i in range(400)], "smell", "all", FAIL),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_gate_answers(case: tuple[list[EvidenceLine], str, str, GateVerdict]) -> None:
    """The state that the cohort's truth calls for, with a reason."""
    lines, name, stratum, state = case
    found = answered(lines, name, stratum)
    assert found.state is state, found
    assert found.why


def test_a_whole_cohort_of_an_equal_candidate_passes() -> None:
    """Every gate has its evidence and passes: the exit code is 0 and nothing is asked for."""
    run = judge(whole(600), RULES)
    assert {answer.state for answer in run.gates} == {PASS}, [
        answer for answer in run.gates if answer.state is not PASS
    ]
    assert (run.ok, run.state, run.exit_code) == (True, PASS, 0)
    for found in run.gates:
        assert found.needs is None
        assert found.first_decided, found.gate
        assert found.since == found.first_decided.night, found.gate
        assert None not in (found.value, found.limit)
        assert found.n, found.why
        assert (found.bounds is None) == (found.unit in COUNTED), found.gate


COUNTED = {"unwaived differences", "candidate failures", "share"}
"""Units of gates that count, and have no mean to bound."""


def test_coverage_was_decided_at_the_end_of_the_night_from_which_it_has_stood() -> None:
    """Reached, lost by a recording that nobody compared, and reached again by its replay."""
    lost = line(35, "coverage", coverage="lost")
    found = [answered(covered(n), "coverage") for n in (40, 35)]
    assert [(a.since, a.first_decided and a.first_decided.n) for a in found] == [
        ("2026-03-03", 30), ("2026-03-03", 30),
    ]  # fmt: skip
    held = answered([*covered(35), lost], "coverage")
    assert (held.state, held.since, held.first_decided) == (OPEN, "2026-03-04", None)
    again = line(35, "coverage", coverage="compared", night="2026-03-09")
    after = answered([*covered(35), lost, again], "coverage")
    assert after.first_decided is not None
    assert (after.state, after.since) == (PASS, "2026-03-09")
    assert (after.first_decided.n, after.first_decided.night) == (36, "2026-03-09")


def test_a_gate_that_fails_for_want_of_evidence_says_since_when() -> None:
    """`on_missing = "fail"`: nothing of it in the cohort's first night, nor later."""
    rules = read_rules(
        TEXT.replace('measures = ["cost"]', 'measures = ["cost"]\non_missing = "fail"'), "f"
    )
    found = gate(judge(exact(3, {}), rules), "cost")
    assert (found.state, found.since) == (FAIL, "2026-03-01")
    assert found.first_decided is not None
    assert (found.first_decided.n, found.first_decided.night) == (0, "2026-03-01")


WITHOUT: dict[str, tuple[str, str, str, str]] = {
    "no gate on catastrophes": ("catastrophes", "", "G2", "catastrophes"),
    "catastrophes for report only": ("catastrophes", "report_only = true", "G2", "catastrophes"),
    "catastrophes that may lack": ("catastrophes", 'on_missing = "ignore"', "G2", "catastrophes"),
    "no gate on completion": ("completion", "", "G0", "completion"),
    "no gate on coverage": ("coverage", "", "coverage", "coverage"),
    "no gate on error parity": ("error_parity", "", "errors", "parity"),
    "no gate on cost": ("cost", "", "cost", "ratio"),
}


@pytest.mark.parametrize("case", WITHOUT.values(), ids=WITHOUT.keys())
def test_rules_without_a_gate_that_none_can_lack_hold_the_phase(
    case: tuple[str, str, str, str],
) -> None:
    """What the rules lack is a gate that is not decided, and its name is what is missing."""
    measure, instead, layer, kind = case
    rules = read_rules(_rules(measure, instead), "mine.toml")
    held = [one for one in judge([], rules).gates if " decides; " in one.why]
    assert [(one.layer, one.gate, one.state, one.is_report_only) for one in held] == [
        (layer, kind, OPEN, False)
    ]
    assert f"no gate of layer {layer} and kind {kind} decides" in held[0].why


def _rules(measure: str, instead: str = "") -> str:
    """The rules that ship without the gate on that measure, or with one more line to it."""
    head, *gates = TEXT.split("[[gates]]")
    others = [text for text in gates if f'measures = ["{measure}"]' not in text]
    [mine] = set(gates) - set(others)
    return "[[gates]]".join([head, *others, *([f"{mine.rstrip()}\n{instead}\n"] * bool(instead))])


def test_a_cohort_with_catastrophes_does_not_pass_by_rules_without_such_a_gate() -> None:
    """Every other gate passes; what nobody asked about keeps the run from READY."""
    lines = [
        found.model_copy(update={"catastrophe": "words/empty"})
        if found.catastrophe is not None
        else found
        for found in whole(420)
    ]
    run = judge(lines, read_rules(_rules("catastrophes"), "mine.toml"))
    assert {one.gate for one in run.gates if one.state is not PASS} == {"catastrophes"}
    assert (run.ok, run.state, run.exit_code) == (False, OPEN, 3)


def test_a_cost_gate_for_report_only_holds_nothing() -> None:
    """What may be shown alone is there by the rules: somebody signed that it decides nothing."""
    rules = read_rules(_rules("cost", "report_only = true"), "mine.toml")
    assert not [one for one in judge([], rules).gates if " decides; " in one.why]


ORIGINS = {
    "a defect run never enters": {"origin": "seeded-defect", "defects": ("last_span_lost",)},
    "a defect run never enters, whatever it calls itself": {"defects": ("last_span_lost",)},
    "a sandbox run never enters": {"origin": "sandbox"},
    "a placebo never enters": {"origin": "placebo"},
}


@pytest.mark.parametrize("said", ORIGINS.values(), ids=ORIGINS.keys())
def test_only_a_deployment_decides_about_it(said: dict[str, Any]) -> None:
    """Lines of other origins change nothing, and are counted as left out."""
    own = exact(30, {})
    foreign = [line(i, "row", exact_findings=5, **said) for i in range(40)]
    run = judge(own + foreign, RULES)
    assert run.gates == judge(own, RULES).gates
    assert sum(run.excluded.values()) == 40


def test_replayed_recordings_decide_as_the_deployments_own() -> None:
    """A recording replayed after its message was lost is one of the deployment's."""
    lines = exact(15, {}) + [
        line(i, "row", exact_findings=0, origin="replayed") for i in range(15, 30)
    ]
    assert answered(lines, "row").state is PASS


def test_a_defects_run_is_judged_where_it_stands_alone() -> None:
    """So is the gate itself tried: a file of seeded defects must fail."""
    said: dict[str, Any] = {"origin": "seeded-defect", "defects": ("last_span_lost",)}
    run = judge(exact(30, {4: 1}, **said), RULES)
    assert (gate(run, "row").state, run.cohorts[0].origin) == (FAIL, "seeded-defect")
    mixed = exact(30, {}) + exact(30, {4: 1}, **said)
    assert gate(judge(mixed, RULES, origin="seeded-defect"), "row").state is FAIL


def test_outputs_of_a_pair_in_which_a_side_failed_are_left_out() -> None:
    """An outage that both sides meet is 0 words against 0 words, and no match."""
    both_failed = fails(primary="failed")
    lines = [
        found
        for i in range(40)
        for found in (
            line(i, "completion", outcome=both_failed),
            line(i, "row", exact_findings=0),
            line(i, x_pp=0.0),
        )
    ]
    run = judge(lines, RULES)
    assert [gate(run, name).state for name in ("row", "words")] == [OPEN, OPEN]
    assert run.excluded == {"a side failed": 80}


def test_a_second_run_of_a_recording_counts_where_the_first_failed() -> None:
    """What a retry completed is evidence, though the run before it was an outage."""
    lines = [
        found
        for i in range(30)
        for found in (
            line(i, "completion", run=f"{i}a", outcome=fails(cause="outage")),
            line(i, "row", run=f"{i}a", exact_findings=1),
            line(i, "row", run=f"{i}b", exact_findings=0),
        )
    ]
    assert answered(lines, "row").state is PASS


def test_builds_in_one_file_are_judged_apart() -> None:
    """The old build's failure is not the new one's, and the file as a whole is not ready."""
    old, new = {"primary": "p", "candidate": "old"}, {"primary": "p", "candidate": "new"}
    run = judge(exact(30, {3: 1}, builds=old) + exact(30, {}, builds=new), RULES)
    states = {a.builds["candidate"]: a.state for a in run.gates if a.gate == "row"}
    assert states == {"old": FAIL, "new": PASS}
    assert [cohort.builds["candidate"] for cohort in run.cohorts] == ["old", "new"]
    assert run.state is FAIL


@pytest.mark.parametrize("key", ["configuration", "models", "normaliser"])
def test_another_configuration_begins_again(key: str) -> None:
    """Evidence of two configurations, models or normalisers does not add up."""
    half = exact(30, {})[:15], exact(30, {})[15:]
    lines = [*half[0], *(found.model_copy(update={key: "other"}) for found in half[1])]
    assert {a.state for a in judge(lines, RULES).gates if a.gate == "row"} == {OPEN}


def test_a_secondarys_build_does_not_set_a_line_apart() -> None:
    """It is the primary run again, and not every recording has one."""
    with_two = {"primary": "legacy-1", "secondary": "legacy-1", "candidate": "candidate-1"}
    lines = exact(15, {}) + [
        line(i, "row", exact_findings=0, builds=with_two) for i in range(15, 30)
    ]
    assert answered(lines, "row").state is PASS


def test_a_decision_names_its_recording_and_night() -> None:
    """When it fell: after how many recordings, in which night; the state stands since then."""
    found = answered(exact(100, {42: 2}), "row")
    assert found.first_decided is not None
    assert (found.first_decided.n, found.first_decided.night) == (43, "2026-03-05")
    assert found.since == "2026-03-05"
    assert "rec-0042" in found.why


def test_an_open_gate_says_what_it_needs() -> None:
    """How many recordings more, in how many nights, and until when at the pace so far."""
    found = answered(texts(100, {}), "catastrophes")
    assert found.needs is not None
    assert found.needs.model_dump() == {"recordings": 199, "nights": 20, "date": "2026-03-30"}


def test_an_open_mean_says_about_how_many_recordings_it_needs() -> None:
    """From what it has seen: an equal candidate soon, one at the margin never."""
    soon, never = (answered(excess(normal(m, 2, 30)), "words").needs for m in (0.0, 2.5))
    assert soon is not None
    assert never is not None
    assert 10 < (soon.recordings or 0) < 200
    assert never.recordings is None


def test_the_confidence_sequence_is_what_a_person_reads() -> None:
    """Bounds in percentage points that hold the truth, and stand in the sentence."""
    found = answered(excess(normal(0.2, 2, 400)), "words")
    assert found.bounds is not None
    assert found.bounds.low < 0.2 < found.bounds.high < 1
    assert f"between {found.bounds.low:+.2f} and {found.bounds.high:+.2f} pp" in found.why


def test_the_bounds_agree_with_the_decision() -> None:
    """A gate passes exactly where the upper bound has come under the margin."""
    for seed in range(12):
        found = answered(excess(normal(0.3, 2, 120, seed)), "words")
        assert found.bounds is not None
        assert (found.state is PASS) == (found.bounds.high <= 1.0 + 0.011), found


def test_clipped_recordings_are_counted_with_what_they_could_hide() -> None:
    """One of 300 lost 60 pp: the clipped mean is under the margin, and the rest is said."""
    values = normal(0, 1, 300)
    values[10] = 60.0
    found = answered(excess(values), "words")
    assert found.clipped is not None
    assert found.clipped.recordings == 1
    assert 2.0 < found.clipped.mean_at_most_pp < 3.0


def test_a_pass_says_how_many_recordings_were_clipped_and_what_they_can_hide() -> None:
    """Each twelfth recording lost everything: the clipped mean passes, and its reason says so."""
    values = [100.0 if i % 25 == 0 else -0.5 for i in range(600)]
    found = answered(excess(values), "words")
    assert (found.state, found.clipped and found.clipped.recordings) == (PASS, 24)
    assert (
        "clipped: 24 over +10 pp, of 600 recordings, unclipped the mean is at most 6." in found.why
    )
    low = answered(excess([-15.0, *normal(0, 1, 299)]), "words")
    assert "clipped: 1 under -10 pp, of 300 recordings" in low.why
    assert "unclipped" not in low.why
    assert "clipped" not in answered(excess(normal(0, 1, 300)), "words").why


def test_clipped_ratios_are_counted_too() -> None:
    """Times are clipped as well; nothing bounds a ratio, so no mean is said."""
    lines = [line(i, "latency", log_ratio=3.0 if i == 7 else 0.0) for i in range(300)]
    found = answered(lines, "latency")
    assert found.clipped is not None
    assert (found.clipped.recordings, found.clipped.mean_at_most_pp) == (1, None)
    assert found.why.endswith("clipped: 1 over +200 %, of 300 recordings")


def test_none_clipped_in_299_leaves_the_mean_under_two_points() -> None:
    """delta + p1 (100 - K) = 1 + 0.01 x 90: the number that the rules promise."""
    found = answered(excess(normal(0, 1, 299)), "words")
    assert found.clipped is not None
    assert 1.89 < found.clipped.mean_at_most_pp <= 1.91


def test_a_floor_known_beforehand_takes_its_error_out_of_alpha() -> None:
    """Its own doubt is a part of the 5 %, so the wealth must be greater."""
    found = answered(excess(normal(0, 2, 250), against="floor"), "words")
    assert (found.limit, found.bounds and found.bounds.confidence) == (25.0, 0.96)


def test_a_fail_of_one_of_many_tests_takes_more() -> None:
    """Each process that could fail a build raises every one's threshold."""
    found = answered(excess(normal(2, 2, 400)), "words")
    assert (found.unit, found.limit) == ("W-", 20.0 * RULES.tests)


def test_nights_that_share_an_effect_are_paid_for() -> None:
    """The same values pass later where their nights share an effect that was declared."""
    values = normal(0, 2, 250)

    def passes_at(effect: float) -> int:
        rules = RULES.model_copy(update={"gates": tuple(
            rule.model_copy(update={"night_effect": effect}) if "words" in rule.measures else rule
            for rule in RULES.gates
        )})  # fmt: skip
        decided = gate(judge(excess(values), rules), "words").first_decided
        return decided.n if decided else 10_000

    assert passes_at(0.0) < passes_at(0.5) < passes_at(1.0)


def test_meeting_series_are_clusters() -> None:
    """Fifty meetings of five series are less than fifty meetings."""
    values = normal(0, 1, 60)
    apart = answered(excess(values), "words")
    shared = answered(
        [line(i, x_pp=x, series=f"series-{i % 5}") for i, x in enumerate(values)], "words"
    )
    assert apart.value is not None
    assert shared.value is not None
    assert shared.value < apart.value


@pytest.mark.parametrize(("rate", "needed"), [(0.01, 299), (0.02, 149), (0.005, 598)])
def test_the_rule_of_no_catastrophe(rate: float, needed: int) -> None:
    """n = ln 20 / -ln(1 - p)."""
    assert recordings_needed(rate, 0.05) == needed


def test_steps_latency_is_shown_and_decides_nothing() -> None:
    """A step ten times slower is a FAIL to read; end to end is what counts."""
    lines = [line(i, "latency/pad_track", log_ratio=1.5) for i in range(200)]
    run = judge(lines, RULES)
    found = gate(run, "latency/pad_track")
    assert (found.state, found.is_report_only, run.state) == (FAIL, True, OPEN)


def test_every_gate_has_a_judge_that_answers_without_evidence() -> None:
    """No line at all: each declared gate and stratum is INCONCLUSIVE by name."""
    run = judge([], RULES)
    assert {answer.state for answer in run.gates} == {OPEN}
    assert {(a.gate, a.stratum) for a in run.gates} >= {
        ("words", "tracks:1"), ("words", "length:long"), ("catastrophes", "tracks:5+"),
        ("coverage", "all"), ("latency", "all"), ("cost", "all"), ("primary_time", "all"),
    }  # fmt: skip
    assert run.exit_code == 3
