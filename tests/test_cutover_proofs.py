"""The checklist's proof of the harness: every seeded defect, found on this very build."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from reflector_migrate.conductor.build import build_hash
from reflector_migrate.cutover.items import State
from reflector_migrate.cutover.proofs import (
    placebo_is_not_failed,
    seeded_defects_are_caught,
    spread_fits_the_rules,
)
from reflector_migrate.harness import Harness
from reflector_migrate.judge.gates.spread import Spread, pooled, spreads
from reflector_migrate.pipeline.defects.registry import all_defects
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.nightly.proofs import (
    PLACEBO_AT_LEAST,
    record_defects_run,
    record_placebo,
    unproved,
)
from reflector_migrate.store.base import writing
from reflector_migrate.store.clock import now
from reflector_migrate.store.tables import audit
from tests.gates_world import TEXT, line
from tests.new_stores import new_store

NAMES = [defect.name for defect in all_defects()]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An empty store of this test's own."""
    made = Settings.model_validate({"store": {"url": f"sqlite:///{tmp_path}/s.db"}})
    new_store(made.store_url)
    return made


def _record(settings: Settings, found: dict[str, str], build: str | None = None) -> None:
    record_defects_run(
        Harness.of(settings), build=build or build_hash(), conductor="3.32.3", found=found
    )


def _placebo(
    settings: Settings, number: int, failed: tuple[str, ...] = (), build: str = ""
) -> None:
    record_placebo(
        Harness.of(settings), build=build or build_hash(),
        recordings=[f"r{n}" for n in range(number)],
        failed=failed, evidence="e", rules="r",
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
            Harness.of(settings), build="b", recordings=(), failed=(), evidence="", rules="",
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
