"""The checklist's proof of the harness: every seeded defect, found on this very build."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from reflector_migrate.cli.main import cli
from reflector_migrate.conductor.build import build_hash
from reflector_migrate.cutover.items import State
from reflector_migrate.cutover.proofs import (
    placebo_is_not_failed,
    seeded_defects_are_caught,
    spread_fits_the_rules,
)
from reflector_migrate.experiments.defect_proofs import proof_of, run_of
from reflector_migrate.experiments.placebo import judged_placebo
from reflector_migrate.harness import Harness
from reflector_migrate.judge.gates.spread import Spread, pooled, spreads
from reflector_migrate.model import Comparison
from reflector_migrate.pipeline.defects.registry import all_defects
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.nightly.proofs import (
    DEFECTS_RUN,
    PLACEBO_AT_LEAST,
    PLACEBO_RUN,
    record_defects_run,
    record_placebo,
    unproved,
)
from reflector_migrate.store.base import writing
from reflector_migrate.store.clock import now
from reflector_migrate.store.tables import audit
from tests.gates_world import RULES, TEXT, line
from tests.new_stores import new_store

EXAMPLE = Path(__file__).parents[1] / "fixtures" / "contracts" / "comparison-1.json"
NAMES = [defect.name for defect in all_defects()]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An empty store of this test's own."""
    made = Settings.model_validate({"store": {"url": f"sqlite:///{tmp_path}/s.db"}})
    new_store(made.store_url)
    return made


def _record(settings: Settings, found: dict[str, str], build: str | None = None) -> None:
    record_defects_run(
        Harness.of(settings), build=build or build_hash(), conductor="3.32.3", found=found,
        who="ana", evidence="e",
    )  # fmt: skip


def _placebo(
    settings: Settings, number: int, failed: tuple[str, ...] = (), build: str = ""
) -> None:
    record_placebo(
        Harness.of(settings), build=build or build_hash(),
        recordings=[f"r{n}" for n in range(number)],
        failed=failed, evidence="e", rules="r", who="ana",
    )  # fmt: skip


def test_no_run_is_pending(settings: Settings) -> None:
    """Nothing tried proves nothing."""
    assert seeded_defects_are_caught(Harness.of(settings)).state is State.PENDING


def test_a_run_of_all_passes(settings: Settings) -> None:
    """Every defect of this build has a proof."""
    _record(settings, dict.fromkeys(NAMES, ""))
    assert seeded_defects_are_caught(Harness.of(settings)).state is State.PASS


def test_runs_of_some_add_up(settings: Settings) -> None:
    """Two runs that cover all defects together are enough; the newest result of each counts."""
    _record(settings, {NAMES[0]: "MATCHED on solo"})
    _record(settings, dict.fromkeys(NAMES[1:], ""))
    answer = seeded_defects_are_caught(Harness.of(settings))
    assert (answer.state, answer.why) == (State.FAIL, f"{NAMES[0]}: MATCHED on solo")
    _record(settings, {NAMES[0]: ""})
    assert seeded_defects_are_caught(Harness.of(settings)).state is State.PASS


def test_another_build_proves_nothing(settings: Settings) -> None:
    """A run of the build before does not count for this one."""
    _record(settings, dict.fromkeys(NAMES, ""), build="another")
    answer = seeded_defects_are_caught(Harness.of(settings))
    assert (answer.state, answer.value) == (State.PENDING, f"0 of {len(NAMES)}")


@pytest.mark.parametrize(
    ("number", "failed", "build", "state"),
    [
        pytest.param(PLACEBO_AT_LEAST, (), "", State.PASS, id="no gate failed it"),
        pytest.param(PLACEBO_AT_LEAST, ("words all",), "", State.FAIL, id="a gate failed it"),
        pytest.param(PLACEBO_AT_LEAST - 1, (), "", State.PENDING, id="too few recordings"),
        pytest.param(PLACEBO_AT_LEAST, (), "another", State.PENDING, id="of another build"),
    ],
)
def test_a_placebo_proves_its_own_build(
    settings: Settings, number: int, failed: tuple[str, ...], build: str, state: State
) -> None:
    """Enough recordings, no gate against it, and this very build; and the last one counts."""
    assert placebo_is_not_failed(Harness.of(settings)).state is State.PENDING
    _placebo(settings, number, failed, build)
    assert placebo_is_not_failed(Harness.of(settings)).state is state
    _placebo(settings, PLACEBO_AT_LEAST)
    assert placebo_is_not_failed(Harness.of(settings)).state is State.PASS


def test_what_is_missing_is_named_with_its_command(settings: Settings) -> None:
    """Both, then one, then nothing; a defect that is missed takes the proof away again."""
    build = build_hash()
    both = unproved(Harness.of(settings), build)
    assert "migrate placebo run" in both
    assert f"0 of {len(NAMES)} are (migrate defects run)" in both
    _placebo(settings, PLACEBO_AT_LEAST)
    assert "placebo" not in unproved(Harness.of(settings), build)
    _record(settings, dict.fromkeys(NAMES, ""))
    assert unproved(Harness.of(settings), build) == ""
    assert unproved(Harness.of(settings), "another") != ""
    _record(settings, {NAMES[0]: "MATCHED on solo"})
    assert f"{len(NAMES) - 1} of {len(NAMES)} are" in unproved(Harness.of(settings), build)


# -- spread and night effect


def test_spread_and_night_effect_are_found_again() -> None:
    """400 nights of ten, drawn with sd 2 and a shared 1 pp: from each night's numbers alone."""
    rng = np.random.default_rng(5)
    shared = rng.normal(0, 1, (400, 1))
    values = shared + rng.normal(0, 2, (400, 10))
    nights = [
        spreads([line(i, x_pp=float(x)) for i, x in enumerate(some)])["words"] for some in values
    ]
    found = pooled(nights)
    assert (found.n, found.nights) == (4000, 400)
    assert found.sd == pytest.approx(float(values.std(ddof=1)), abs=1e-3)
    assert found.night_effect == pytest.approx(1.0, abs=0.1)
    assert pooled(nights[:4]).night_effect is None
    alike = [Spread(10, 0.0, 2.0)] * 6
    assert pooled(alike).night_effect == 0.0


@pytest.mark.parametrize(
    ("means", "state", "says"),
    [
        pytest.param([0.0] * 4, State.PENDING, "4 of 5 nights", id="declared after four nights"),
        pytest.param([0.0] * 5, State.PASS, "", id="as small as declared"),
        pytest.param([1.5, -1.5, 1.5, -1.5, 1.5], State.FAIL, "0.1 declared", id="larger"),
    ],
)
def test_a_declared_night_effect_was_measured(
    settings: Settings, tmp_path: Path, means: list[float], state: State, says: str
) -> None:
    """Where rules say how much a night shares, placebos of five nights must bear it out."""
    for back, mean in enumerate(means):
        record_placebo(
            Harness.of(settings), build="b", recordings=(), failed=(),
            evidence="", rules="", who="ana",
            spread={"words": Spread(10, mean, 1.0)},
        )  # fmt: skip
        with writing(settings.store_url) as connection:
            newest = audit.c.seq == back + 1
            at = now() - timedelta(days=back)
            connection.execute(audit.update().where(newest).values(at=at))
    rules = tmp_path / "gates.toml"
    rules.write_text(TEXT.replace("margin = 1.0", "margin = 1.0\nnight_effect = 0.1", 1))
    judge = settings.judge.model_copy(update={"gates_file": rules})
    found = spread_fits_the_rules(Harness.of(settings.model_copy(update={"judge": judge})))
    assert found.state is state, found
    assert says in found.why
    assert found.numbers[0].startswith("words: sd ")


# -- the commands that store a proof


@pytest.fixture
def command(settings: Settings, tmp_path: Path) -> Callable[..., Result]:
    """`migrate` with that store."""
    config = tmp_path / "migrate.toml"
    config.write_text(f'state_dir = "{tmp_path}"\n[store]\nurl = "{settings.store_url}"\n')
    return lambda *arguments: CliRunner().invoke(cli, ["--config", str(config), *arguments])


def test_a_placebo_is_stored_with_build_evidence_and_spread(
    settings: Settings,
    command: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """What legacy left in the candidate's place: an entry of the log, a file with its digest."""
    whole = Comparison.model_validate_json(EXAMPLE.read_text(encoding="utf-8"))
    found = [whole.model_copy(update={"recording": f"r{n}"}) for n in range(PLACEBO_AT_LEAST)]
    ran = judged_placebo(found, ["lost-one"], RULES, build_hash(), "2026-11-01")
    monkeypatch.setattr("reflector_migrate.cli.placebo._run", lambda *_: ran)
    done = command("placebo", "run", "--json")
    assert (done.exit_code, json.loads(done.stdout)["lost"]) == (0, ["lost-one"])
    body = Harness.of(settings).audit.all(PLACEBO_RUN)[-1]["body"]
    [file] = (tmp_path / "evidence").glob(f"placebo-{build_hash()}-*.jsonl")
    assert body["who"]
    assert body["evidence"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (body["build"], body["rules"]) == (build_hash(), RULES.digest)
    assert body["spread"]["words"][0] == PLACEBO_AT_LEAST
    assert "placebo" not in unproved(Harness.of(settings), build_hash())
    judged = command("gate", "--evidence", str(file), "--origin", "placebo", "--json")
    assert {one["origin"] for one in json.loads(judged.stdout)["cohorts"]} == {"placebo"}


@pytest.mark.parametrize(
    ("names", "has_broken"), [((), False), (("broken-track", "solo"), True)], ids=["all", "named"]
)
def test_a_placebo_runs_what_legacy_completes(
    command: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    names: tuple[str, ...],
    has_broken: bool,
) -> None:
    """What ends in an error on legacy has no placebo: it runs only where it is named."""
    asked: list[str] = []

    def ran(_harness: Any, some: list[str], *_rest: Any, **_more: Any) -> Any:
        asked.extend(some)
        return judged_placebo([], [], RULES, build_hash(), "2026-11-01")

    monkeypatch.setattr("reflector_migrate.experiments.placebo.run_placebo", ran)
    monkeypatch.setattr("reflector_migrate.sandbox.borrowed.own_or_running", _no_sandbox)
    assert command("placebo", "run", *names).exit_code == 4
    assert "solo" in asked
    assert ("broken-track" in asked) is has_broken
    assert len(asked) == (2 if names else 13)


@contextmanager
def _no_sandbox(settings: Settings, *_: Any, **__: Any) -> Iterator[Any]:
    """In place of servers: what is asked for is looked at, and nothing runs."""
    yield SimpleNamespace(harness=Harness.of(settings), settings=settings)


def test_an_interrupted_run_keeps_the_defects_it_proved(
    settings: Settings, command: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty minutes of proofs are not lost: the next run names what is missing."""
    proof = proof_of(all_defects()[0], {}).model_copy(update={"caught": True, "why": ""})

    def prove(_proving: Any, _defects: Any, shown: Callable[..., None]) -> None:
        shown(proof.model_copy(update={"first_divergent_step": proof.expected_step}))
        raise KeyboardInterrupt

    monkeypatch.setattr("reflector_migrate.experiments.run_defects.Proving.prove", prove)
    monkeypatch.setattr("reflector_migrate.sandbox.borrowed.own_or_running", _no_sandbox)
    monkeypatch.setattr("reflector_migrate.cli.defects._refuse_noise", lambda _: None)
    assert command("defects", "run").exit_code != 0
    [entry] = Harness.of(settings).audit.all(DEFECTS_RUN)
    assert set(entry["body"]["defects"]) == {proof.defect}
    assert f"{len(NAMES) - 1} not tried" in seeded_defects_are_caught(Harness.of(settings)).why


@pytest.mark.parametrize("is_found", [True, False], ids=["found", "missed"])
def test_a_run_of_defects_is_stored_with_its_build(
    settings: Settings,
    command: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    is_found: bool,
) -> None:
    """Of each defect whether it was found, or why not: the gates and the checklist read that."""
    why = "" if is_found else "MATCHED on solo"
    proofs = [
        proof.model_copy(update={"caught": is_found, "why": why})
        for proof in (proof_of(defect, {}) for defect in all_defects())
    ]
    ran = run_of(
        proofs, started_at="", duration_s=1, build=build_hash(), conductor="3.32.3", jobs=1
    )
    monkeypatch.setattr("reflector_migrate.cli.defects._run", lambda *_: ran)
    assert command("defects", "run", "--who", "ana", "--json").exit_code == ran.exit_code
    body = Harness.of(settings).audit.all(DEFECTS_RUN)[-1]["body"]
    [file] = (tmp_path / "evidence").glob(f"defects-{build_hash()}-*.json")
    assert body["evidence"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (body["who"], body["rules"]) == ("ana", RULES.digest)
    found = seeded_defects_are_caught(Harness.of(settings))
    assert found.state is (State.PASS if is_found else State.FAIL)
    assert ("seeded defect" in unproved(Harness.of(settings), build_hash())) is not is_found
