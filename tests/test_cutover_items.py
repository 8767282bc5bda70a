"""Every item of the checklist, once passing and once not, each from facts alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reflector_migrate.conductor.build import build_hash
from reflector_migrate.conductor.health import Health
from reflector_migrate.conductor.pollers import Poller
from reflector_migrate.cutover.checklist import ITEMS, run
from reflector_migrate.cutover.handover import KEPT_BACK, SERVED
from reflector_migrate.cutover.items import Answer, State
from reflector_migrate.cutover.people import sign
from reflector_migrate.errors import ConfigurationError, ServerUnreachableError
from reflector_migrate.harness import Harness
from reflector_migrate.judge.gates.evidence import EvidenceLine, Outcome
from reflector_migrate.judge.gates.rules import read_rules
from reflector_migrate.judge.gates.spread import Spread
from reflector_migrate.model import (
    STEP_NAMES,
    Comparison,
    Engine,
    GateVerdict,
    Phase,
    Role,
    Side,
    Verdict,
)
from reflector_migrate.model.primary_task import PIPELINE
from reflector_migrate.pipeline.defects.registry import all_defects
from reflector_migrate.pipeline.rows import create_all
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.nightly.gating import gates_of, not_first, note_rules
from reflector_migrate.shadow.nightly.proofs import record_defects_run, record_placebo
from reflector_migrate.store.audit import Audit
from reflector_migrate.store.base import writing
from reflector_migrate.store.clock import now
from reflector_migrate.store.evidence import Evidence, Spans
from reflector_migrate.store.runs import Dispatches, RunRecord, Runs
from reflector_migrate.store.tables import audit, comparisons, dispatches, spans
from tests.gates_world import BUILDS, RULES, TEXT, excess, gate, normal, whole
from tests.new_stores import new_store

pytestmark = pytest.mark.heavy

NIGHT = "2026-11-{:02}"
WIDER = read_rules(TEXT.replace("margin = 1.0", "margin = 1.5", 1), "wider.toml")
SECRETS = 'path = "row/title"\nreason = "agreed"\nowner = "ana"\n'


@dataclass(frozen=True)
class World:
    """A deployment whose facts a test makes up: its store, its files, and what servers say."""

    settings: Settings
    patch: pytest.MonkeyPatch

    def says(self, where: str, answer: Any) -> None:
        """That question to a server gets this answer, or this error."""

        def asked(*_arguments: Any) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

        self.patch.setattr(where, asked)

    def with_(self, section: str, **values: Any) -> World:
        """The same with other settings."""
        changed = getattr(self.settings, section).model_copy(update=values)
        return World(self.settings.model_copy(update={section: changed}), self.patch)

    def answer(self, phase: Phase, name: str) -> Answer:
        """That item's answer."""
        [asked] = [one for one in ITEMS if (one.phase, one.name) == (phase, name)]
        return asked.answer(Harness.of(self.settings))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """An empty store, and servers that are all away."""
    made = Settings.model_validate(
        {
            "state_dir": tmp_path,
            "store": {"url": f"sqlite:///{tmp_path}/s.db"},
            "sandbox": {"recordings": tmp_path / "recordings"},
            "conductor": {"server_url": "http://127.0.0.1:9/api"},
            "reflector": {"broker_url": "redis://127.0.0.1:9/0"},
        }
    )
    new_store(made.store_url)
    return World(made, monkeypatch)


def _health(world: World, *, is_met: bool) -> World:
    found = Health(is_healthy=is_met, version="3.32.3", reason="" if is_met else "away")
    world.says("reflector_migrate.conductor.health.health", found)
    return world


def _definitions(world: World, *, is_met: bool) -> World:
    found = () if is_met else ("merge_tracks",)
    world.says("reflector_migrate.conductor.register.unregistered", found)
    return world


def _pollers(world: World, *, is_met: bool) -> World:
    pollers = [
        Poller(task, f"h:1:{task}", "d", "b", now(), is_stranger=not is_met) for task in STEP_NAMES
    ]
    world.says("reflector_migrate.conductor.execution.task_queue_pollers", pollers)
    return world


def _celery(world: World, *, is_met: bool) -> World:
    found = {"w": [f"reflector.{PIPELINE}" if is_met else "other"]}
    world.says("reflector_migrate.cutover.infrastructure.workers_say", found)
    return world


def _separate(world: World, *, is_met: bool) -> World:
    found = None if is_met else ConfigurationError("one database", hint="name another")
    world.says("reflector_migrate.shadow.snapshot.require_separate", found)
    return world


def _suppressed(world: World, *, is_met: bool) -> World:
    return world if is_met else world.with_("candidate", namespace="live")


def _drilled(name: str) -> Callable[..., World]:
    def make(world: World, *, is_met: bool) -> World:
        body = {"build": build_hash(), "is_passed": is_met, "seen": "skipped", "recording": "rec"}
        Audit(world.settings.store_url).append(f"drill:{name}", body)
        return world

    return make


def _compared(
    world: World, name: str, night: str, verdict: Verdict = Verdict.MATCHED, **sides: Any
) -> None:
    made: dict[str, Any] = {
        "primary": Side(role=Role.PRIMARY, engine=Engine.CELERY, status="completed"),
        "candidate": Side(role=Role.CANDIDATE, engine=Engine.CONDUCTOR, status="completed"),
        **sides,
    }
    found = Comparison(recording=name, run_id=f"run-{name}", verdict=verdict, **made)
    Evidence(world.settings.store_url).add([], found, night)


def _synthetic(world: World, *, is_met: bool) -> World:
    file = world.settings.sandbox.recordings / "solo" / "recording.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"recording_id": "rec"}')
    _compared(world, "rec", NIGHT.format(1), Verdict.MATCHED if is_met else Verdict.DIVERGED)
    return world


def _defects(world: World, *, is_met: bool) -> World:
    found = {defect.name: "" if is_met else "MATCHED on solo" for defect in all_defects()}
    record_defects_run(
        Harness.of(world.settings), build=build_hash(), conductor="3.32.3", found=found,
        who="ana", evidence="e",
    )  # fmt: skip
    return world


def _placebo(world: World, *, is_met: bool) -> World:
    record_placebo(
        Harness.of(world.settings), build=build_hash(), recordings=[f"r{n}" for n in range(10)],
        failed=() if is_met else ("words all",), evidence="e", rules="r", who="ana",
    )  # fmt: skip
    return world


def _spread(world: World, *, is_met: bool, build: str = "another") -> World:
    """A placebo of any build whose words spread by 2 pp, or by 3: over a quarter of the clip."""
    found = {"words": Spread(12, 0.1, 2.0 if is_met else 3.0)}
    record_placebo(
        Harness.of(world.settings),
        build=build,
        recordings=(),
        failed=(),
        evidence="",
        rules="",
        who="ana",
        spread=found,
    )
    return world


def _paired(world: World, *, is_met: bool) -> World:
    second = Side(role=Role.SECONDARY, engine=Engine.CELERY, status="completed")
    for number in range(30 if is_met else 29):
        _compared(world, f"rec-{number}", NIGHT.format(1), secondary=second)
    return world


def _signed(item: str, *people: str) -> Callable[..., World]:
    def made(world: World, *, is_met: bool) -> World:
        for who in people if is_met else people[1:]:
            sign(Harness.of(world.settings), item, who, "agreed")
        return world

    return made


def _proved(world: World) -> None:
    """This build's gates count: placebo, seeded defects, and rules of before its evidence."""
    _placebo(world, is_met=True)
    _defects(world, is_met=True)
    note_rules(Harness.of(world.settings), build_hash())


def _gated(measure: str) -> Callable[..., World]:
    def made(world: World, *, is_met: bool) -> World:
        """A whole cohort of a proved build; spoilt in one measure of each fourth recording."""
        _proved(world)
        of_build = [_of_build(line, build_hash()) for line in whole(420)]
        lines = tuple(of_build if is_met else (_spoilt(line, measure) for line in of_build))
        world.says("reflector_migrate.shadow.nightly.gating.stored_evidence", lines)
        return world

    return made


def _of_build(line: EvidenceLine, build: str) -> EvidenceLine:
    return line.model_copy(update={"builds": {**BUILDS, "candidate": build}})


def _spoilt(line: EvidenceLine, measure: str) -> EvidenceLine:
    if line.measure != measure or int(line.recording[-4:]) % 4:
        return line
    worse = {
        "x_pp": 30.0, "exact_findings": 1, "catastrophe": "words/empty", "log_ratio": 1.0,
        "coverage": "lost", "outcome": Outcome(primary="completed", candidate="failed"),
    }  # fmt: skip
    return line.model_copy(update={line.entry: worse[line.entry]})


def _routed(world: World, *, is_met: bool) -> World:
    run = RunRecord(
        run_id="r", claim="c", recording_id="rec", transcript_id="t", namespace="shadow",
        state="started", started_at=now(), inputs={"room_name": "board" if is_met else "private"},
        request={}, created_at=now(), updated_at=now(),
    )  # fmt: skip
    Runs(world.settings.store_url).claim(run)
    return world.with_("shadow", rooms=("board",))


def _noted(world: World, *, is_met: bool) -> World:
    note_rules(Harness.of(world.settings), build_hash())
    if is_met:
        return world
    rules = world.settings.state_dir / "gates.toml"
    rules.write_text(TEXT.replace("margin = 1.0", "margin = 1.5", 1))
    return world.with_("judge", gates_file=rules)


def _reversed(world: World, *, is_met: bool) -> World:
    """Fourteen days of one recording each; on the third last one Celery had it, or not."""
    primary = f"sqlite:///{world.settings.state_dir}/reflector.db"
    create_all(primary)
    log = Dispatches(world.settings.store_url)
    for back in range(14):
        is_celerys = back == 2 and not is_met
        reason = f"{KEPT_BACK}no starter" if is_celerys else f"{SERVED}{build_hash()}"
        log.add(f"rec-{back}", "skipped", run_id=None if is_celerys else f"w-{back}", reason=reason)
        with writing(world.settings.store_url) as connection:
            mine = dispatches.c.recording_id == f"rec-{back}"
            at = now() - timedelta(days=back)
            connection.execute(dispatches.update().where(mine).values(at=at))
    return world.with_("reflector", database_url=primary)


def _unused(world: World, *, is_met: bool) -> World:
    """The plugin tells of a routed recording today, and of a body that ran long ago, or not."""
    for name, steps, days in (("old", ["mix"], 20 if is_met else 3), ("routed", [], 0)):
        message = {"task_id": name, "transcript_id": name, "task": f"reflector.{PIPELINE}",
                   "spans": [{"name": step} for step in steps]}  # fmt: skip
        Spans(world.settings.store_url).add(message)
        with writing(world.settings.store_url) as connection:
            mine = spans.c.transcript_id == name
            at = now() - timedelta(days=days)
            connection.execute(spans.update().where(mine).values(at=at))
    return world


def _expired(world: World, *, is_met: bool) -> World:
    until = now().date() + timedelta(days=-1 if is_met else 1)
    file = world.settings.state_dir / "waivers.toml"
    file.write_text(f"[[waiver]]\n{SECRETS}expiry = {until.isoformat()}\n")
    return world.with_("judge", waivers_file=file)


def _intact(world: World, *, is_met: bool) -> World:
    Audit(world.settings.store_url).append("kill-switch", {"is_off": True})
    if not is_met:
        with writing(world.settings.store_url) as connection:
            connection.execute(audit.update().values(body={"is_off": False}))
    return world


MAKE: dict[str, Callable[..., World]] = {
    "conductor healthy": _health,
    "definitions registered": _definitions,
    "conductor workers": _pollers,
    "celery workers": _celery,
    "namespaces separate": _separate,
    "side effects suppressed": _suppressed,
    "kill switch drilled": _drilled("kill-switch"),
    "rollback drilled": _drilled("rollback"),
    "failover drilled": _drilled("failover"),
    "synthetic recordings": _synthetic,
    "seeded defects caught": _defects,
    "placebo": _placebo,
    "A/A recordings": _paired,
    "spread and night effect": _spread,
    "margins signed": _signed("margins", "ana"),
    "pairs compared / eligible": _gated("coverage"),
    "structure and side effects": _gated("row"),
    "words beyond noise": _gated("words"),
    "catastrophes": _gated("catastrophes"),
    "summaries beyond noise": _gated("summary_facts"),
    "error parity": _gated("completion"),
    "effect on the primary": _gated("primary_time"),
    "cost and latency": _gated("latency"),
    "shadow gates on this build": _gated("words"),
    "margins before the data": _noted,
    "routing audit": _routed,
    "sign-off": _signed("cutover", "ana", "ben"),
    "nights with roles reversed": _reversed,
    "Celery route unused": _unused,
    "waivers expired": _expired,
    "audit log intact": _intact,
}
"""For each item what makes it pass, or not."""


def test_no_item_is_left_out() -> None:
    """An item that cannot both pass and not pass is a constant."""
    assert set(MAKE) == {item.name for item in ITEMS}


@pytest.mark.parametrize("item", ITEMS, ids=[f"{item.phase} {item.name}" for item in ITEMS])
def test_an_item_follows_the_facts(item: Any, world: World, tmp_path: Path) -> None:
    """It passes with the facts that it asks for, and does not without: it is not a constant."""
    good = MAKE[item.name](world, is_met=True).answer(item.phase, item.name)
    assert good.state is State.PASS, good
    store = world.settings.store.model_copy(update={"url": f"sqlite:///{tmp_path}/other.db"})
    again = world.settings.model_copy(
        update={
            "store": store,
            "sandbox": world.settings.sandbox.model_copy(update={"recordings": tmp_path / "r2"}),
        }
    )
    new_store(again.store_url)
    bad = MAKE[item.name](World(again, world.patch), is_met=False).answer(item.phase, item.name)
    assert bad.state is not State.PASS, bad


@pytest.mark.parametrize("item", ITEMS, ids=[f"{item.phase} {item.name}" for item in ITEMS])
def test_an_item_says_its_formula_and_its_command(item: Any) -> None:
    """Each says when it passes, and names a command that there is."""
    from reflector_migrate.cli.main import COMMANDS

    assert item.formula.startswith(("passes ", "each gate passes "))
    assert item.shown_by.split()[0] == "migrate"
    assert item.shown_by.split()[1] in COMMANDS


def test_a_server_that_is_away_passes_nothing(world: World) -> None:
    """Of the infrastructure only what settings say can pass."""
    world.says(
        "reflector_migrate.cutover.infrastructure.workers_say", ServerUnreachableError("away")
    )
    found = {
        line.item.name: line.answer
        for line in run(Harness.of(world.settings), Phase.INFRASTRUCTURE)
    }
    passing = {name for name, answer in found.items() if answer.state is State.PASS}
    assert passing == {"side effects suppressed", "audit log intact"}


def test_gates_wait_for_their_proof(world: World) -> None:
    """The same evidence counts for nothing while the build has no placebo and no defects run."""
    world.says("reflector_migrate.shadow.nightly.gating.stored_evidence", tuple(whole(420)))
    answer = world.answer(Phase.SHADOW, "words beyond noise")
    assert answer.state is State.PENDING
    assert "migrate placebo run" in answer.why
    assert "migrate defects run" in answer.why
    assert "would PASS" in answer.why


@pytest.mark.parametrize("minutes", [-5, 5], ids=["rules first", "evidence first"])
def test_rules_of_after_the_first_comparison_pass_nothing(world: World, minutes: int) -> None:
    """The digest is the one in force, and still the log has it too late: dates are compared."""
    note_rules(Harness.of(world.settings), build_hash())
    candidate = Side(
        role=Role.CANDIDATE, engine=Engine.CONDUCTOR, status="completed", build=build_hash()
    )
    _compared(world, "rec", NIGHT.format(1), candidate=candidate)
    with writing(world.settings.store_url) as connection:
        connection.execute(comparisons.update().values(at=now() + timedelta(minutes=minutes)))
    found = world.answer(Phase.SHADOW, "margins before the data")
    assert (found.state is State.PASS) is (minutes > 0), found
    late = not_first(Harness.of(world.settings), build_hash(), RULES)
    assert ("are dated" in late) is (minutes < 0)
    assert "began under rules" in not_first(Harness.of(world.settings), build_hash(), WIDER) or late


def test_no_gate_counts_by_rules_that_came_later(world: World) -> None:
    """With another margin each gate says what it would have been, and decides nothing."""
    _proved(world)
    builds = {**BUILDS, "candidate": build_hash()}
    lines = excess(normal(0, 2, 250), builds=builds)
    found = {}
    for rules in (RULES, WIDER):
        run = gates_of(Harness.of(world.settings), lines, rules)
        found[rules.digest] = gate(run, "words")
        assert run.exit_code == 3
    assert found[RULES.digest].state is GateVerdict.PASS
    assert found[WIDER.digest].state is GateVerdict.INCONCLUSIVE
    assert "not counted: the evidence of build" in found[WIDER.digest].why
    assert "would PASS" in found[WIDER.digest].why


def _stored(world: World, name: str, **of: Any) -> None:
    """A comparison of this very build, or of another kind."""
    build = of.pop("build", build_hash())
    candidate = Side(
        role=Role.CANDIDATE, engine=Engine.CONDUCTOR, status="completed", build=build, version="1"
    )
    primary = Side(role=Role.PRIMARY, engine=Engine.CELERY, status="completed")
    found = Comparison(
        recording=name, run_id=f"run-{name}", verdict=Verdict.MATCHED, primary=primary,
        candidate=candidate, **of,
    )  # fmt: skip
    Evidence(world.settings.store_url).add([], found, NIGHT.format(1))


def _margins(world: World, *people: str) -> Answer:
    for who in people:
        sign(Harness.of(world.settings), "margins", who, "agreed")
    return world.answer(Phase.PARALLEL, "margins signed")


@pytest.mark.parametrize(
    ("people", "state", "value", "says"),
    [
        pytest.param((), State.PENDING, "0 of 2, late", "two people sign", id="nobody"),
        pytest.param(("ana", "Ana"), State.PENDING, "1 of 2, late", "another person signs too",
                     id="one person"),
        pytest.param(("ana", "ben"), State.PASS, "2 of 2, late", "ben ", id="two people"),
    ],
)  # fmt: skip
def test_margins_signed_after_the_data_read_as_late(
    world: World, people: tuple[str, ...], state: State, value: str, says: str
) -> None:
    """The item says who signed after how many comparisons, and how to go on: nobody is stuck."""
    note_rules(Harness.of(world.settings), build_hash())
    for name in ("one", "two"):
        _stored(world, name)
    found = _margins(world, *people)
    assert (found.state, found.value, found.limit) == (state, value, "2 if late")
    assert "after 2 comparisons of this build" in found.why
    assert says in found.why
    assert ("or one person signs the next build" in found.why) is (state is State.PENDING)
    assert all(f"{who} 20" in found.why for who in dict.fromkeys(map(str.lower, people)))


def test_an_early_signature_stays_early(world: World) -> None:
    """Of one person, whatever comes later; taken back and given again it is late."""
    early = _margins(world, "ana")
    assert (early.state, early.value) == (State.PASS, "1 of 1")
    _stored(world, "one")
    again = _margins(world, "ana", "ben")
    assert (again.state, again.value) == (State.PASS, "1 of 1")
    assert "ana" in again.why
    assert "before the first comparison" in again.why
    sign(Harness.of(world.settings), "margins", "ana", "a mistake", is_revoked=True)
    assert _margins(world).value == "1 of 2, late"


def test_late_signatures_count_only_for_rules_of_before_the_data(world: World) -> None:
    """Two people cannot agree on margins that were chosen after a look."""
    _stored(world, "one")
    found = _margins(world, "ana", "ben")
    assert found.state is State.FAIL
    assert "the audit log has no rules of before build" in found.why
    assert "begin again with another build" in found.why


@pytest.mark.parametrize(
    "of",
    [{"build": "another"}, {"origin": "sandbox"}, {"defects": ("tracks_swapped",)}],
    ids=["another build", "a sandbox's run", "a seeded defect"],
)
def test_only_data_about_this_build_makes_a_signature_late(
    world: World, of: dict[str, Any]
) -> None:
    """What can never be evidence about it leaves time to sign."""
    _stored(world, "one", **of)
    assert _margins(world).value == "0 of 1"
    assert _margins(world, "ana").state is State.PASS


@pytest.mark.parametrize("minutes", [-5, 5])
def test_a_signature_without_a_count_is_compared_by_dates(world: World, minutes: int) -> None:
    """An earlier version's entry does not say how many comparisons there were."""
    _stored(world, "one")
    with writing(world.settings.store_url) as connection:
        at = now() + timedelta(minutes=minutes)
        connection.execute(comparisons.update().values(at=at))
    body = {"who": "ana", "reason": "agreed", "build": build_hash(), "rules": RULES.digest}
    Audit(world.settings.store_url).append("sign:margins", body)
    found = _margins(world)
    assert found.value == ("1 of 1" if minutes > 0 else "1 of 2, late")
