"""`migrate cost`: every kind of use, by step and side; unreported use is unknown, never zero."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner

from reflector_migrate.cli.main import cli
from reflector_migrate.harness import Harness
from reflector_migrate.judge.compare import compare
from reflector_migrate.model import Role, StepRun
from reflector_migrate.pricing import priced
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.observe.attempts import keep
from reflector_migrate.store.events import EventLog
from reflector_migrate.store.evidence import Evidence
from tests.new_stores import new_store
from tests.test_judge_pricing import (
    CACHED,
    FULL,
    LOST,
    MICRODOLLARS,
    PART,
    USED,
    config_in,
    observed,
)

PRICES = """
[[prices]]
since = "2026-01-01"
gpu_second = 306
llm_tokens_in_million = 70_000
llm_tokens_out_million = 140_000
s3_gib = 90_000
s3_requests_million = 400_000
"""


def test_the_cost_command_shows_every_kind_of_use_by_step_and_side(tmp_path):
    """GPU, tokens, bytes, requests, calls, retries and savings; attempts made again are retries."""
    config = config_in(tmp_path)
    new_store(f"sqlite:///{tmp_path}/store.db")
    primary = observed(USED)
    again = primary.steps[0].model_copy(update={"attempt": 2, "usage": CACHED})
    candidate = primary.model_copy(
        update={"role": Role.CANDIDATE, "steps": (*primary.steps, again)}
    )
    found = compare(primary, candidate).model_copy(update={"run_id": "r1"})
    store = Evidence(f"sqlite:///{tmp_path}/store.db")
    store.add([primary, candidate], priced(found, (FULL,)), "2026-02-01")
    told = json.loads(CliRunner().invoke(cli, [*config, "cost", "rec", "--json"]).stdout)
    for side in ("primary", "candidate"):
        (step, total) = told["sides"][side]
        assert (step["step"], total["step"]) == ("transcribe_track", "total")
        assert step["microdollars"] == total["microdollars"] == MICRODOLLARS
        assert step["usage"]["s3_requests"] == 50
        assert step["usage"]["external_calls"] == 4
    assert step["repeated"] == 1
    assert step["usage"]["saved_gpu_seconds"] == 2.5
    shown = CliRunner().invoke(cli, [*config, "cost", "rec"]).output.splitlines()
    lines = [line.split() for line in shown if line[30:31] in {"P", "C"}][:2]
    lines = [
        [word for word in line if word not in {"P", "C", "transcribe_track"}] for line in lines
    ]
    money = f"${MICRODOLLARS / 1e6:.4f}"
    used = ["10.00", "0", "1000000/500000", f"{1 << 29}", "50", "4"]
    saved = ["2.50", "s", "70", "t"]
    assert lines == [[*used, "0", "-", money], [*used, "1", *saved, money, "same"]]


@pytest.mark.parametrize(
    ("steps", "told", "money"),
    [
        pytest.param([{}, {}], [None, None, None], ["unknown"] * 3, id="nobody counted"),
        pytest.param(
            [{"usage": USED}, {}], [MICRODOLLARS, 0, MICRODOLLARS],
            ["$0.1881", "$0.0000", "$0.1881"], id="one used nothing",
        ),
        pytest.param(
            [{"usage": USED}, LOST], [MICRODOLLARS, None, None],
            ["$0.1881", "unknown", ">=$0.1881"], id="one fell silent",
        ),
        pytest.param(
            [{"usage": USED}, {**LOST, "usage": PART}], [MICRODOLLARS, None, None],
            ["$0.1881", ">=$0.0003", ">=$0.1884"], id="one died, having told a part",
        ),
    ],
)  # fmt: skip
def test_the_cost_command_does_not_invent_what_was_not_counted(tmp_path, steps, told, money):
    """A real legacy step reports its times only: unknown. A lower bound is said to be one."""
    config, names = config_in(tmp_path), ("transcribe_track", "merge_transcripts")
    new_store(f"sqlite:///{tmp_path}/store.db")
    runs = tuple(StepRun(name=name, **step) for name, step in zip(names, steps, strict=True))
    side = observed(USED).model_copy(update={"steps": runs})
    found = compare(side, side.model_copy(update={"role": Role.CANDIDATE}))
    store = Evidence(f"sqlite:///{tmp_path}/store.db")
    store.add([side], found.model_copy(update={"run_id": "r1"}), "2026-02-01")
    result = CliRunner().invoke(cli, [*config, "cost", "rec", "--json"])
    for rows in json.loads(result.stdout)["sides"].values():
        assert [row["microdollars"] for row in rows] == told
    shown = CliRunner().invoke(cli, [*config, "cost", "rec"]).output.splitlines()
    rows = [line for line in shown if line[30:31] in {"P", "C"}]
    for side in "PC":
        place = -1 if side == "P" else -2  # the candidate's line ends with the difference
        assert [row.split()[place] for row in rows if row[30] == side] == money


@pytest.mark.parametrize(
    ("last", "shown", "note"),
    [
        pytest.param(
            LOST,
            {"transcribe_track": "10.00", "merge_transcripts": "unknown", "total": ">=10.00"},
            "attempts that hung or died before they reported all usage: merge_transcripts 1",
            id="one fell silent",
        ),
        pytest.param(
            {**LOST, "usage": PART},
            {"transcribe_track": "10.00", "merge_transcripts": ">=1.00", "total": ">=11.00"},
            "attempts that hung or died before they reported all usage: merge_transcripts 1",
            id="one died, having told a part",
        ),
        pytest.param(
            None,
            dict.fromkeys(("transcribe_track", "merge_transcripts", "total"), "unknown"),
            "what these steps used was not counted",
            id="nobody counted",
        ),
    ],
)
def test_unreported_use_is_not_zero_in_any_column(tmp_path, last, shown, note):
    """Unknown, or at least what the others used; and words say which attempts were silent."""
    config, names = config_in(tmp_path), ("transcribe_track", "merge_transcripts")
    new_store(f"sqlite:///{tmp_path}/store.db")
    given = [{"usage": USED}, last] if last else [{}, {}]
    runs = tuple(StepRun(name=name, **step) for name, step in zip(names, given, strict=True))
    side = observed(USED).model_copy(update={"steps": runs})
    found = compare(side, side.model_copy(update={"role": Role.CANDIDATE}))
    Evidence(f"sqlite:///{tmp_path}/store.db").add(
        [side], found.model_copy(update={"run_id": "r1"}), "2026-02-01"
    )
    lines = CliRunner().invoke(cli, [*config, "cost", "rec"]).output.splitlines()
    cells = {line.split()[0]: line.split() for line in lines if line[30:31] == "P"}
    assert {name: cells[name][2] for name in shown} == shown
    silent = cells["merge_transcripts"]
    assert not [cell for cell in silent[2:] if cell in ("0", "0.00", "0/0", "-")], silent
    assert {f"primary: {note}", f"candidate: {note}"} <= {*lines}  # the same here


def test_what_a_server_forgot_after_a_rerun_is_counted_all_the_same(tmp_path):
    """Kept before the step was run again and at the end of each go; seen twice it counts once."""
    config, url = config_in(tmp_path), f"sqlite:///{tmp_path}/store.db"
    new_store(url)
    settings = Settings.model_validate({"store": {"url": url}})
    side = observed(USED)
    first = side.steps[0].model_copy(update={"input_ref": "conductor:w/t/input"})
    other = first.model_copy(update={"name": "merge_transcripts", "usage": PART})
    again = first.model_copy(update={"ended": first.ended + timedelta(hours=1)})  # the same task
    side = side.model_copy(update={"steps": (first, other)})
    found = compare(side, side.model_copy(update={"role": Role.CANDIDATE}))
    Evidence(url).add([side], found.model_copy(update={"run_id": "r1"}), "2026-02-01")
    before = costs_of(config)
    keep(Harness.of(settings), "r1", (first, other))
    assert costs_of(config) == before
    EventLog(url).record("r1", "progress:again:1", "c", {"event": "", "data": {}})
    keep(Harness.of(settings), "r1", (again,))
    after = costs_of(config)
    assert after["primary"] == before["primary"]
    assert after["candidate"]["transcribe_track"] == 2 * MICRODOLLARS
    assert after["candidate"]["merge_transcripts"] == before["candidate"]["merge_transcripts"]


@pytest.mark.parametrize(
    ("prices", "is_sandbox", "is_labelled"),
    [("", True, True), (PRICES, True, False), (PRICES, False, False), ("", False, False)],
)
def test_a_sandbox_has_sample_prices_and_says_so(tmp_path, prices, is_sandbox, is_labelled):
    """S3.32: one table with a column of differences, not two tables of `unknown`."""
    url = f"sqlite:///{tmp_path}/store.db"
    path = tmp_path / "migrate.toml"
    path.write_text(
        f'is_sandbox = {str(is_sandbox).lower()}\n[store]\nurl = "{url}"\n'
        f'[sandbox]\nrecordings = "fixtures/recordings"\n{prices}'
    )
    new_store(url)
    primary, dearer = observed(USED), USED.model_copy(update={"gpu_seconds": 1000})
    candidate = observed(dearer).model_copy(update={"role": Role.CANDIDATE})
    found = compare(primary, candidate).model_copy(update={"run_id": "r1"})
    Evidence(url).add([primary, candidate], found, "2026-02-01")
    argv = ["--config", str(path), "cost", "rec"]
    shown = CliRunner().invoke(cli, argv).stdout
    assert ("sample prices of the sandbox, not a tariff" in shown) is is_labelled
    document = json.loads(CliRunner().invoke(cli, [*argv, "--json"]).stdout)
    assert document["are_sample_prices"] is is_labelled
    (last,) = {line.split()[-1] for line in shown.splitlines() if line[30:31] == "C"}
    assert last == ("+161.1%" if prices or is_labelled else "unknown")
    assert shown.count(" step ") == 1


def costs_of(config):
    """What each step cost at least, by side."""
    sides = json.loads(CliRunner().invoke(cli, [*config, "cost", "rec", "--json"]).stdout)["sides"]
    return {
        role: {row["step"]: row["at_least_microdollars"] for row in rows}
        for role, rows in sides.items()
    }
