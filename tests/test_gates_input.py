"""Evidence and rules are read strictly: an error names line or key, and the way out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from comparators.registry import MEASURES
from reflector_migrate.errors import ConfigurationError, InputError
from reflector_migrate.judge.gates.evidence import read_evidence
from reflector_migrate.judge.gates.gate import judge
from reflector_migrate.judge.gates.rules import read_rules
from tests.gates_world import RULES, TEXT

GOOD: dict[str, Any] = {
    "schema": "evidence/1", "recording": "r1", "night": "2026-03-01", "measure": "words",
    "x_pp": 0.5, "builds": {"primary": "a", "candidate": "b"},
}  # fmt: skip

BAD_LINES: dict[str, tuple[Any, str]] = {
    "a line that is no JSON": ("{", "line 2: Invalid JSON"),
    "a line of another version": ({**GOOD, "schema": "evidence/2"}, "line 2, field schema"),
    "a line without a recording": (
        {k: v for k, v in GOOD.items() if k != "recording"}, "line 2, field recording"),
    "a night that is no date": ({**GOOD, "night": "tonight"}, "line 2, field night"),
    "a night in another form": ({**GOOD, "night": "20260301"}, "line 2, field night"),
    "a number written as text": ({**GOOD, "x_pp": "0.5"}, "line 2, field x_pp"),
    "an excess of more than everything": ({**GOOD, "x_pp": 101.0}, "line 2, field x_pp"),
    "an excess that is no number": (
        json.dumps(GOOD).replace("0.5", "NaN"), "line 2, field x_pp"),
    "a negative count": (
        {**GOOD, "x_pp": None, "exact_findings": -1}, "line 2, field exact_findings"),
    "a count that is none": (
        {**GOOD, "x_pp": None, "exact_findings": 10**400}, "line 2, field exact_findings"),
    "an unknown origin": ({**GOOD, "origin": "elsewhere"}, "line 2, field origin"),
    "a line that says two things": ({**GOOD, "exact_findings": 0}, "line 2: Value error, exactly"),
    "a line that says nothing": ({**GOOD, "x_pp": None}, "line 2: Value error, exactly"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_LINES.values(), ids=BAD_LINES.keys())
def test_a_bad_line_is_refused_by_name(case: tuple[Any, str]) -> None:
    """File, line and field: no line is ever left out in silence."""
    said, expected = case
    text = said if isinstance(said, str) else json.dumps(said)
    with pytest.raises(InputError, match="night.jsonl " + expected) as caught:
        read_evidence([json.dumps(GOOD), text], "night.jsonl")
    assert "migrate schema evidence" in caught.value.hint


def test_blank_lines_and_unknown_fields_are_tolerated() -> None:
    """A later version may say more."""
    [found] = read_evidence(["", json.dumps({**GOOD, "later": 1}), "  \n"], "f")
    assert (found.x_pp, found.origin) == (0.5, "deployment")


BAD_RULES: dict[str, tuple[str, str, str]] = {
    "an unknown key": ("require_n", "requre_n", "did you mean `require_n`"),
    "a margin beyond the clip": ("margin = 1.0\nstratum", "margin = 11.0\nstratum", "under `clip`"),
    "a clip under four sd": ("clip = 10.0\nsd = 2.0", "clip = 7.0\nsd = 2.0", "at least 4 sd"),
    "a mean without a spread": ("clip = 10.0\nsd = 2.0", "clip = 10.0", "needs `sd`"),
    "a facet that is not declared": ('["tracks", "length"]\n\n[[gates]]\nlayer = "G1"',
                                     '["tracks", "size"]\n\n[[gates]]\nlayer = "G1"', "facet size"),
    "two gates on one measure": ('["words_raw", "word_times"]', '["words", "word_times"]',
                                 "two gates"),
    "a pattern that decides": ("report_only = true", "report_only = false", "be `report_only`"),
    "text that is no TOML": ("[strata]", "[strata", "rules.toml: "),
    "another version": ("gate-rules/1", "gate-rules/2", "schema"),
    "a floor that takes all of alpha": ("floor_alpha = 0.01", "floor_alpha = 0.05", "smaller"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_RULES.values(), ids=BAD_RULES.keys())
def test_bad_rules_are_refused_by_key(case: tuple[str, str, str]) -> None:
    """A mistyped margin must not decide anything."""
    old, new, expected = case
    text = TEXT.replace(old, new) if old in TEXT else TEXT + f"\n{new} = 3\n"
    assert text != TEXT
    with pytest.raises(ConfigurationError) as caught:
        read_rules(text, "rules.toml")
    assert expected in f"{caught.value.message} {caught.value.hint}"


def test_the_digest_is_of_what_the_rules_say() -> None:
    """A comment does not change it; a margin does, and with it every signature lapses."""
    assert read_rules(TEXT + "\n# signed by ana\n", "f").digest == RULES.digest
    assert read_rules(TEXT.replace("margin = 1.0", "margin = 1.1"), "f").digest != RULES.digest
    assert judge([], RULES).rules == RULES.digest


def test_every_measure_has_a_rule() -> None:
    """What is compared is gated, or it could never hold a phase."""
    named = {name for rule in RULES.gates for name in rule.measures}
    aliases = {"timings": "latency"}
    assert {aliases.get(spec.name, spec.name) for spec in MEASURES} <= named


def test_a_gate_may_be_missing_only_as_its_rule_says() -> None:
    """Without evidence: held, failed, or set aside and then shown as such; never passed."""
    whole = 'measures = ["primary_errors"]'
    states = {}
    for said in ("inconclusive", "fail", "ignore"):
        rules = read_rules(TEXT.replace(whole, f'{whole}\non_missing = "{said}"'), "f")
        [found] = [a for a in judge([], rules).gates if a.gate == "primary_errors"]
        states[said] = (found.state.value, found.is_report_only)
    assert states == {
        "inconclusive": ("INCONCLUSIVE", False),
        "fail": ("FAIL", False),
        "ignore": ("INCONCLUSIVE", True),
    }
