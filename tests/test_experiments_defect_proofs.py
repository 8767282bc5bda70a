"""Whether a defect counts as found; which defects may run side by side."""

from __future__ import annotations

import json
from itertools import combinations

import pytest

from reflector_migrate.experiments.defect_proofs import LAYERS, layer_of, proof_of, run_of
from reflector_migrate.experiments.run_defects import rounds
from reflector_migrate.model import Blame, Check, Comparison, Measure, Side, Verdict
from reflector_migrate.pipeline.defects.registry import Defect, all_defects, switched_on
from reports.defects import as_markdown, as_text

DEFECT = Defect("d", "Says what.", ("finalize",), "finalize", "G0 side effects", ("a",))
SIDE = {"engine": "celery", "role": "primary"}


def _check(name: str, verdict: str = "DIVERGED", kind: str = "exact") -> Check:
    return Check(
        name=name, verdict=Verdict(verdict), rule="r", measure=Measure(name=name, kind=kind)
    )


AGAINST = (_check("side_effects"),)


def _found(verdict="DIVERGED", step="finalize", checks=AGAINST, recording="a"):
    return Comparison(
        recording=recording, verdict=verdict, checks=checks, primary=Side(**SIDE),
        candidate=Side(**SIDE), first_divergent_step=Blame(step=step, why="") if step else None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("found", "is_caught", "is_proven", "why"),
    [
        pytest.param(_found(), True, True, "", id="as declared"),
        pytest.param(_found("MATCHED", None, ()), False, False, "MATCHED on a", id="not noticed"),
        pytest.param(_found("INCONCLUSIVE"), False, False, "INCONCLUSIVE", id="not certain"),
        pytest.param(_found(checks=(_check("row"),)), False, False, "not caught by G0 side effects",
                     id="by another layer only"),
        pytest.param(_found(step="pad_track"), True, False, "blamed on pad_track",
                     id="caught, but at the wrong step"),
        pytest.param(_found(step=None), True, False, "blamed on no step", id="nobody blamed"),
    ],
)  # fmt: skip
def test_a_defect_is_proven_as_declared_or_not_at_all(found, is_caught, is_proven, why):
    """Caught means by its layer; proven means at its step as well."""
    proof = proof_of(DEFECT, {"a": found})
    assert (proof.caught, proof.is_proven) == (is_caught, is_proven)
    assert why in proof.why


TWO = Defect("d", "Says what.", ("finalize",), "finalize", "G1 words, G0 summary facts", ("a",))
WORDS, FACTS = _check("words", kind="graded"), _check("summary_facts")


@pytest.mark.parametrize(
    ("checks", "why"),
    [
        pytest.param((WORDS, FACTS), "", id="by both"),
        pytest.param((WORDS,), "not caught by G0 summary facts on a", id="by the first alone"),
        pytest.param((FACTS,), "not caught by G1 words on a", id="by the second alone"),
        pytest.param((WORDS, _check("summary_facts", "INCONCLUSIVE")), "not caught by G0 summary",
                     id="the second is not certain"),
        pytest.param(AGAINST, "not caught by G1 words nor G0 summary facts on a", id="by neither"),
    ],
)  # fmt: skip
def test_a_defect_of_two_layers_is_held_to_both(checks, why):
    """Each named check must speak against it."""
    proof = proof_of(TWO, {"a": _found(checks=checks)})
    assert (proof.caught, proof.why[: len(why)]) == (not why, why)


@pytest.mark.parametrize(
    ("spared", "is_proven"), [("MATCHED", True), ("DIVERGED", False), ("INCONCLUSIVE", False)]
)
def test_a_recording_that_must_be_spared_must_match(spared, is_proven):
    """A defect of long transcripts only is one that short ones do not show."""
    defect = Defect("d", "Says.", ("finalize",), "finalize", "G0 side effects", ("a",), (), ("b",))
    assert defect.all_recordings == ("a", "b")
    found = {"a": _found(), "b": _found(spared, None, (), "b")}
    assert proof_of(defect, found).is_proven is is_proven


@pytest.mark.parametrize(
    ("proofs", "code"),
    [
        pytest.param([], 4, id="nothing tried"),
        pytest.param([proof_of(DEFECT, {"a": _found()})], 0, id="all proven"),
        pytest.param([proof_of(DEFECT, {"a": _found("MATCHED", None, ())})], 1, id="one missed"),
        pytest.param([proof_of(DEFECT, {}, "no server")], 4, id="one could not run"),
        pytest.param([proof_of(DEFECT, {}, "no server"),
                      proof_of(DEFECT, {"a": _found(step="pad_track")})], 1,
                     id="one missed and one could not run: the verdict against counts"),
        pytest.param([proof_of(DEFECT, {})], 1, id="no recording shows it"),
    ],
)  # fmt: skip
def test_the_exit_code(proofs, code):
    """0 only when there was something to prove and all of it was."""
    result = _run(proofs)
    assert (result.exit_code, result.ok) == (code, code == 0)


def _run(proofs):
    facts = {"started_at": "2026-01-01T00:00:00Z", "build": "b", "conductor": "c", "jobs": 1}
    return run_of(proofs, duration_s=1.0, **facts)


def test_hostile_text_stays_text_in_every_rendering():
    """A defect's own words go through no markup."""
    says = "<img onerror=x> | `a` [b](c)"
    defect = Defect("d", says, ("finalize",), "finalize", "G0 side effects", ("a",))
    body = json.loads(_run([proof_of(defect, {"a": _found()})]).model_dump_json())
    [row] = [line for line in as_markdown(body).splitlines() if "onerror" in line]
    assert "<img" not in row
    assert row.count(" | ") == 5
    assert "1 of 1 caught, 1 at the right step" in as_text(body)


def test_no_recording_occurs_twice_in_a_round():
    """Side by side means one defect a recording; every defect is in exactly one round."""
    every = all_defects()
    planned = rounds(every)
    assert sorted(d.name for one in planned for d in one) == sorted(d.name for d in every)
    for one in planned:
        for first, second in combinations(one, 2):
            assert not {*first.all_recordings} & {*second.all_recordings}, (first, second)


def test_a_defect_can_be_meant_for_one_recording():
    """NAME for all, NAME@ID for one."""
    entries = ("everywhere", "here@rec-1", "there@rec-2")
    assert switched_on(entries, "rec-1") == ("everywhere", "here")
    assert switched_on(entries, "rec-3") == ("everywhere",)
    assert switched_on((), "rec-1") == ()


def test_layers_read_as_in_the_gates():
    """G0 exact and completion, G1 against the floor, G2 catastrophes."""
    assert layer_of(_check("side_effects")) == "G0 side effects"
    assert layer_of(_check("word_times", kind="graded")) == "G1 word times"
    assert layer_of(_check("catastrophes")) == "G2 catastrophes"
    assert layer_of(Check(name="completion", verdict=Verdict.DIVERGED, rule="r")) == "G0 completion"
    assert {d.layer.split()[0] for d in all_defects()} == {"G0", "G1", "G2"}
    assert set(LAYERS) == {"catastrophes", "completion"}
