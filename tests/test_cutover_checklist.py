"""The checklist: evidence passes, its absence is pending, and a person is named and dated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import update

from reflector_migrate.conductor.build import build_hash
from reflector_migrate.cutover.checklist import ITEMS, exit_code, run
from reflector_migrate.cutover.gated import ByGates, Gated
from reflector_migrate.cutover.items import Answer, Item, Line, State, pending
from reflector_migrate.cutover.people import sign, signatures
from reflector_migrate.errors import ExitCode, InputError
from reflector_migrate.harness import Harness
from reflector_migrate.judge.gates.evidence import EvidenceLine, Outcome
from reflector_migrate.judge.gates.gate import judge
from reflector_migrate.judge.gates.rules import read_rules
from reflector_migrate.model import Check, Comparison, Engine, Measure, Phase, Role, Side, Verdict
from reflector_migrate.pipeline.rows import create_all
from reflector_migrate.settings import Settings
from reflector_migrate.store.audit import Audit
from reflector_migrate.store.base import writing
from reflector_migrate.store.evidence import Evidence
from reflector_migrate.store.runs import Dispatches
from reflector_migrate.store.tables import audit
from tests.gates_world import RULES, TEXT, excess, whole
from tests.new_stores import new_store

pytestmark = pytest.mark.heavy


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with an empty store of this test's own, and a primary without recordings."""
    primary = f"sqlite:///{tmp_path}/reflector.db"
    made = Settings.model_validate(
        {
            "state_dir": tmp_path,
            "store": {"url": f"sqlite:///{tmp_path}/s.db"},
            "reflector": {"database_url": primary},
        }
    )
    new_store(made.store_url)
    create_all(primary)
    return made


def _line(state: State) -> Line:
    item = Item(Phase.SHADOW, "x", "asks", "formula", "command", lambda _settings: pending("z"))
    return Line(1, item, Answer(state))


def _store(settings: Settings, number: int, *, exact_errors: int = 0) -> None:
    measure = Measure(name="row", kind="exact", errors=exact_errors, length=18)
    verdict = Verdict.DIVERGED if exact_errors else Verdict.MATCHED
    comparison = Comparison(
        recording=f"rec-{number}",
        run_id=f"run-{number}",
        verdict=verdict,
        primary=Side(role=Role.PRIMARY, engine=Engine.CELERY),
        candidate=Side(role=Role.CANDIDATE, engine=Engine.CONDUCTOR),
        checks=(Check(name="row", verdict=verdict, rule="exact", measure=measure),),
    )
    Evidence(settings.store_url).add([], comparison, "2026-11-23")
    Dispatches(settings.store_url).add(f"rec-{number}", "started", run_id=f"run-{number}")


def _answers(settings: Settings, phase: Phase) -> dict[str, Answer]:
    return {line.item.name: line.answer for line in run(Harness.of(settings), phase)}


@pytest.mark.parametrize(
    ("states", "code"),
    [
        pytest.param([State.PASS, State.PASS], ExitCode.OK, id="all pass"),
        pytest.param([State.PASS, State.PENDING], ExitCode.INCONCLUSIVE, id="one is pending"),
        pytest.param([State.PENDING, State.FAIL], ExitCode.AGAINST, id="a failure outweighs"),
        pytest.param([], ExitCode.INCONCLUSIVE, id="nothing asked never passes"),
    ],
)
def test_exit_codes(states: list[State], code: ExitCode) -> None:
    """1 if any fails, 3 if only pending, 0 if all pass."""
    assert exit_code([_line(state) for state in states]) is code


@pytest.mark.parametrize("phase", [Phase.PARALLEL, Phase.SHADOW, Phase.CUTOVER, Phase.CLEANUP])
def test_an_empty_store_passes_nothing(settings: Settings, phase: Phase) -> None:
    """Without evidence every item is pending with its reason; only log and waivers are fine."""
    answers = _answers(settings, phase)
    assert answers.pop("audit log intact").state is State.PASS
    if phase is Phase.CLEANUP:
        assert answers.pop("waivers expired").value == "0 in force"
    assert {answer.state for answer in answers.values()} == {State.PENDING}
    assert all(answer.why or answer.limit != "-" for answer in answers.values())


def test_every_phase_has_items() -> None:
    """No phase can be empty and thereby ready."""
    assert {item.phase for item in ITEMS} == set(Phase)


@pytest.mark.parametrize(
    ("gate", "item", "state"),
    [
        pytest.param(None, "structure and side effects", State.PASS, id="no difference"),
        pytest.param("row", "structure and side effects", State.FAIL, id="one difference"),
        pytest.param("row", "words beyond noise", State.PASS, id="another item's difference"),
        pytest.param("words", "words beyond noise", State.FAIL, id="words got worse"),
        pytest.param("catastrophes", "catastrophes", State.FAIL, id="one catastrophe"),
        pytest.param("summary_facts", "summaries beyond noise", State.FAIL, id="facts altered"),
        pytest.param("completion", "error parity", State.FAIL, id="one in four crashes"),
        pytest.param("latency", "cost and latency", State.FAIL, id="slower"),
        pytest.param(
            "primary_time", "effect on the primary", State.FAIL, id="a primary slowed down"
        ),
    ],
)
def test_a_shadow_item_is_answered_by_its_gates(gate: str | None, item: str, state: State) -> None:
    """A whole cohort of an equal candidate, but for one measure in each fourth recording."""
    run = judge([_spoilt(found, gate) for found in whole(600)], RULES)
    [asked] = [one for one in ITEMS if one.name == item]
    assert isinstance(asked.answer, ByGates)
    answer = asked.answer.of(Gated(run, RULES))
    assert answer.state is state, answer
    assert answer.n


@pytest.mark.parametrize(
    ("item", "by_rules"),
    [
        ("words beyond noise", "W+ 100 at alpha 0.01"),
        ("cost and latency", "W+ 100 at alpha 0.01"),
        ("pairs compared / eligible", "95 % of at least 30"),
        ("catastrophes", "none in 459 recordings, in a stratum 90"),
        ("effect on the primary", "W+ 100 at alpha 0.01; none in 30 recordings"),
    ],
)
def test_a_formula_has_the_numbers_of_the_rules_in_force(item: str, by_rules: str) -> None:
    """Another alpha, or another share, is another threshold."""
    text = TEXT.replace("alpha = 0.05", "alpha = 0.01", 1).replace(
        "at_least = 0.99", "at_least = 0.95"
    )
    rules = read_rules(text.replace("floor_alpha = 0.01", "floor_alpha = 0.001"), "mine.toml")
    [asked] = [one for one in ITEMS if one.name == item]
    assert isinstance(asked.answer, ByGates)
    line = Line(1, asked, asked.answer.of(Gated(judge([], rules), rules)))
    assert line.formula == f"{asked.formula}: {by_rules}"


def test_an_item_says_how_many_recordings_were_clipped() -> None:
    """In its reason and beside each gate's numbers: 24 recordings lost everything."""
    lines = excess([100.0 if i % 25 == 0 else -0.5 for i in range(600)])
    found = ByGates(names=frozenset({"words"})).of(Gated(judge(lines, RULES), RULES))
    assert "24 clipped at 10 pp (unclipped at most 6." in found.numbers[0]


def _spoilt(line: EvidenceLine, measure: str | None) -> EvidenceLine:
    """The line as a worse candidate gives it, if it is of that measure."""
    if line.measure != measure or int(line.recording[-4:]) % 4:
        return line
    worse = {
        "x_pp": 30.0,
        "exact_findings": 1,
        "catastrophe": "words/empty",
        "log_ratio": 1.0,
        "outcome": Outcome(primary="completed", candidate="failed"),
    }
    return line.model_copy(update={line.entry: worse[line.entry]})


def test_pairs_in_which_nothing_was_compared_pass_nothing(settings: Settings) -> None:
    """300 runs whose candidate is missing are not evidence, for any gate."""
    for number in range(300):
        _store(settings, number)
    answers = _answers(settings, Phase.SHADOW)
    for item in ("structure and side effects", "catastrophes", "words beyond noise"):
        assert answers[item].state is State.PENDING, item


def test_the_gates_on_this_build_are_all_gates(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cutover asks for every one of them, and of the very build that is installed."""
    answer = _answers(settings, Phase.CUTOVER)["shadow gates on this build"]
    assert answer.state is State.PENDING
    [asked] = [one for one in ITEMS if one.name == "shadow gates on this build"]
    assert isinstance(asked.answer, ByGates)
    builds = {"primary": "legacy-1", "candidate": build_hash()}
    lines = [found.model_copy(update={"builds": builds}) for found in whole(600)]
    gates = Gated(judge(lines, RULES), RULES)
    assert asked.answer.of(gates).state is State.PASS
    monkeypatch.setattr("reflector_migrate.conductor.build.build_hash", lambda: "another")
    found = asked.answer.of(gates)
    assert (found.state, found.n) == (State.PENDING, 0)
    assert "this is another" in found.why


def test_another_spelling_is_no_second_person(settings: Settings) -> None:
    """Blanks and capitals make no second signature, and either spelling takes it back."""
    harness = Harness.of(settings)
    for who in ("ana", "Ana ", " ANA"):
        sign(harness, "cutover", who, "ready")
    assert signatures("cutover")(harness).value == "1 of 2"
    sign(harness, "cutover", "Ana", "incident", is_revoked=True)
    assert signatures("cutover")(harness).value == "0 of 2"


@pytest.mark.parametrize(("who", "reason"), [("", "ready"), (" ", "ready"), ("ana", " ")])
def test_a_signature_has_a_person_and_a_reason(settings: Settings, who: str, reason: str) -> None:
    """Neither may be blank; and a blank one of an earlier version is of no person."""
    harness = Harness.of(settings)
    with pytest.raises(InputError, match="a person's name and a reason"):
        sign(harness, "cutover", who, reason)
    body = {"who": " ", "reason": "x", "build": build_hash(), "rules": RULES.digest}
    harness.audit.append("sign:cutover", body)
    assert signatures("cutover")(harness).value == "0 of 2"


def test_two_signatures_are_two_people(settings: Settings) -> None:
    """The same person twice is one signature."""
    asks = signatures("cutover")
    for who in ("ana", "ana"):
        sign(Harness.of(settings), "cutover", who, "ready")
    assert (asks(Harness.of(settings)).state, asks(Harness.of(settings)).value) == (
        State.PENDING,
        "1 of 2",
    )
    sign(Harness.of(settings), "cutover", "ben", "ready")
    assert asks(Harness.of(settings)).state is State.PASS


def test_a_signature_can_be_taken_back(settings: Settings) -> None:
    """A revoked signature no longer counts, and its entry stays in the log."""
    asks = signatures("margins")
    sign(Harness.of(settings), "margins", "ana", "agreed")
    assert asks(Harness.of(settings)).state is State.PASS
    sign(Harness.of(settings), "margins", "ana", "changed my mind", is_revoked=True)
    assert asks(Harness.of(settings)).state is State.PENDING
    assert len(Audit(settings.store_url).all("sign:margins")) == 2


def test_a_signature_lapses_with_another_build(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was signed for one build says nothing of the next."""
    sign(Harness.of(settings), "margins", "ana", "agreed")
    monkeypatch.setattr("reflector_migrate.conductor.build.build_hash", lambda: "another")
    assert signatures("margins")(Harness.of(settings)).state is State.PENDING


def test_a_signature_lapses_with_another_margin(settings: Settings, tmp_path: Path) -> None:
    """It holds for the rules it was given under, and again once these are back."""
    sign(Harness.of(settings), "margins", "ana", "agreed")
    rules = tmp_path / "gates.toml"
    rules.write_text(TEXT.replace("margin = 1.0", "margin = 1.5", 1))
    wider = settings.model_copy(
        update={"judge": settings.judge.model_copy(update={"gates_file": rules})}
    )
    answer = signatures("margins")(Harness.of(wider))
    assert answer.state is State.PENDING
    assert [line.partition("; ")[2] for line in answer.numbers] == ["lapsed: another rules"]
    rules.write_text(f"# a comment is no other rule\n{TEXT}")
    assert signatures("margins")(Harness.of(wider)).state is State.PASS


@pytest.mark.parametrize(
    ("name", "is_revoked", "says"),
    [
        pytest.param("anything", False, "no checklist item asks", id="a made-up word"),
        pytest.param("drill:rollback", False, "no checklist item asks", id="a drill"),
        pytest.param("cutover", True, "no signature", id="revoked before it was given"),
    ],
)
def test_only_what_an_item_asks_for_can_be_signed(
    settings: Settings, name: str, is_revoked: bool, says: str
) -> None:
    """The list of signatures is closed, and nothing is recorded for any other word."""
    with pytest.raises(InputError, match=says):
        sign(Harness.of(settings), name, "ana", "why not", is_revoked=is_revoked)
    assert Audit(settings.store_url).all() == ()


def test_a_broken_audit_log_fails_every_phase(settings: Settings) -> None:
    """Each checklist run verifies the log."""
    sign(Harness.of(settings), "margins", "ana", "agreed")
    assert _answers(settings, Phase.CLEANUP)["audit log intact"].state is State.PASS
    with writing(settings.store_url) as connection:
        connection.execute(update(audit).values(body={"who": "mallory"}))
    for phase in Phase:
        assert _answers(settings, phase)["audit log intact"].state is State.FAIL


def test_a_server_that_is_down_fails_its_item_alone(settings: Settings) -> None:
    """No item stops the others, and what could not be looked at has not passed."""
    down = settings.model_copy(
        update={"conductor": settings.conductor.model_copy(update={"server_url": "http://127.0.0.1:9/api"})}
    )  # fmt: skip
    answers = _answers(down, Phase.INFRASTRUCTURE)
    assert answers["conductor healthy"].state is State.FAIL
    assert answers["definitions registered"].value == "unreachable"
    assert answers["side effects suppressed"].state is State.PASS


def test_json_has_the_envelope(tmp_path: Path) -> None:
    """The same exit code inside and outside, one entry an item."""
    from click.testing import CliRunner

    from reflector_migrate.cli.main import cli

    (tmp_path / "migrate.toml").write_text(f'[store]\nurl = "sqlite:///{tmp_path}/s.db"\n')
    new_store(f"sqlite:///{tmp_path}/s.db")
    config = ["--config", str(tmp_path / "migrate.toml")]
    result = CliRunner().invoke(cli, [*config, "checklist", "run", "cleanup", "--json"])
    document = json.loads(result.stdout)
    assert (result.exit_code, document["exit_code"], document["ok"]) == (3, 3, False)
    assert document["schema"] == "migrate.checklist/1"
    states = {item["name"]: item["state"] for item in document["items"]}
    assert states["nights with roles reversed"] == "pending"
    assert all(item["formula"] and item["shown_by"] for item in document["items"])
    status = CliRunner().invoke(cli, [*config, "checklist", "status", "--json"])
    found = json.loads(status.stdout)
    assert (found["current"], status.exit_code) == ("infrastructure", 1)
    assert found["phases"]["cleanup"] == {"pass": 2, "fail": 0, "pending": 2}
