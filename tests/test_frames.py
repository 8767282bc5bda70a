"""Frames and `migrate export`: documented columns, unknown is missing, and never a word."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from click.testing import CliRunner

from reflector_migrate.cli.main import cli
from reflector_migrate.frames import (
    CHECKS,
    RECORDINGS,
    STEPS,
    checks_frame,
    night_frame,
    steps_frame,
    trend_frame,
)
from reflector_migrate.judge.compare import compare
from reflector_migrate.model import Role, StepRun, Usage, gist_of
from reflector_migrate.settings import Price
from reflector_migrate.store.evidence import Evidence
from tests.comparing import observation
from tests.new_stores import new_store

SECRET = "xylophonist"
START = datetime(2026, 11, 23, 7, tzinfo=UTC)
PRICE = Price(since="2026-01-01", gpu_second=100)


def seen(role: Role = Role.PRIMARY, **changes):
    """A run whose title, summary and words hold SECRET, with one step of two attempts."""
    one = observation(role=role)
    outputs = one.outputs
    words = (outputs.words[0].model_copy(update={"text": f"{SECRET} "}), *outputs.words[1:])
    told = {"title": f"The {SECRET}", "long_summary": f"A {SECRET} left.", "words": words}
    step = StepRun(
        name="transcribe_track", track_index=0, started=START,
        ended=START + timedelta(seconds=3), timed="measured", usage=Usage(gpu_seconds=2.5),
    )  # fmt: skip
    again = step.model_copy(update={"attempt": 2, "ended": None, "status": "running"})
    update = {"outputs": outputs.model_copy(update={**told, **changes}), "steps": (step, again)}
    return one.model_copy(update={**update, "started": START})


@pytest.fixture
def comparison():
    """A primary and a candidate that lost its last ten words and got another title."""
    primary = seen()
    words = primary.outputs.words[:-10]
    candidate = seen(Role.CANDIDATE, title=f"Another {SECRET}", words=words)
    return compare(primary, candidate).model_copy(update={"run_id": "r1", "title": SECRET})


def test_frames_have_the_documented_columns_and_types(comparison):
    """Also for no rows, so that a notebook's code works on an empty night."""
    frames = {
        night_frame: ([gist_of(comparison)], RECORDINGS),
        checks_frame: ([comparison], CHECKS),
        steps_frame: ([comparison], STEPS),
    }
    for make, (given, columns) in frames.items():
        for frame in (make(given), make([])):
            assert {name: str(kind) for name, kind in frame.dtypes.items()} == columns


def test_a_night_frame_counts_as_the_gist_does(comparison):
    """A row for each recording; an unknown duration is missing."""
    gist = gist_of(comparison)
    row = night_frame([gist]).iloc[0]
    assert (row.recording, row.verdict, row.step) == (gist.recording, gist.verdict, gist.step)
    assert (row.against, row.floorless) == (gist.against, gist.floorless)
    assert pd.isna(row.candidate_s)
    assert row.words == gist.words > 0


def test_a_checks_frame_has_a_row_for_each_check(comparison):
    """In the document's order, with the divergence that the page shows."""
    frame = checks_frame([comparison]).set_index("check")
    assert list(frame.index) == [check.name for check in comparison.checks]
    words = next(check.measure for check in comparison.checks if check.name == "words")
    assert frame.loc["words", "divergence"] == words.divergence
    assert frame.loc["words", "findings"] == len(words.findings) + words.findings_truncated


def test_a_steps_frame_has_times_use_and_price_of_each_attempt(comparison):
    """An attempt that has not ended has no duration; without prices no cost is known."""
    frame = steps_frame([comparison], [PRICE])
    assert list(frame.role) == ["primary", "primary", "candidate", "candidate"]
    assert list(frame.attempt) == [1, 2, 1, 2]
    assert frame.wall_s[0] == 3
    assert pd.isna(frame.wall_s[1])
    assert list(frame.microdollars) == [250] * 4
    assert steps_frame([comparison]).microdollars.isna().all()


def test_a_trend_frame_has_a_row_a_night_and_a_column_a_verdict():
    """Nights in order; a verdict that did not occur is zero."""
    frame = trend_frame([("2026-11-24", "MATCHED", 3), ("2026-11-23", "DIVERGED", 1)])
    assert list(frame.index) == ["2026-11-23", "2026-11-24"]
    assert frame.loc["2026-11-24"].to_dict() == {**dict.fromkeys(frame.columns, 0), "MATCHED": 3}
    assert trend_frame([]).empty


@pytest.fixture
def exported(tmp_path, comparison):
    """`migrate export ARGS` over a store with that comparison, in the night of the 23rd."""
    config = tmp_path / "migrate.toml"
    config.write_text(f'[store]\nurl = "sqlite:///{tmp_path}/store.db"\n')
    new_store(f"sqlite:///{tmp_path}/store.db")
    Evidence(f"sqlite:///{tmp_path}/store.db").add([], comparison, "2026-11-23")
    return lambda *args: CliRunner().invoke(cli, ["--config", str(config), "export", *args])


@pytest.mark.parametrize("table", ["recordings", "checks", "steps"])
def test_an_export_holds_no_word(exported, table):
    """Neither of a title nor of a summary nor of the transcript, whatever the table and format."""
    for form in ("csv", "jsonl"):
        done = exported(form, "--table", table)
        assert done.exit_code == 0, done.output
        assert "r1" in done.stdout
        assert SECRET not in done.stdout.casefold()


def test_an_export_is_read_back_as_the_frame(exported, comparison, tmp_path):
    """csv and jsonl, to a file and to stdout; another night has a heading and no rows."""
    wanted = checks_frame([comparison])
    path = tmp_path / "checks.csv"
    assert exported("csv", "--table", "checks", "-o", str(path)).exit_code == 0
    pd.testing.assert_frame_equal(pd.read_csv(path, dtype=CHECKS), wanted, check_exact=False)
    lines = exported("jsonl", "--table", "checks", "--night", "2026-11-23").stdout.splitlines()
    assert [json.loads(line)["check"] for line in lines] == list(wanted.check)
    empty = exported("csv", "--table", "checks", "--night", "2026-11-22").stdout
    assert list(pd.read_csv(io.StringIO(empty)).columns) == list(CHECKS)


def test_parquet_says_what_it_needs(exported, tmp_path, monkeypatch):
    """A place to write to, and pyarrow, with the extra that installs it."""
    assert "-o PATH" in exported("parquet").output
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    done = exported("parquet", "-o", str(tmp_path / "x.parquet"))
    assert "reflector-migrate[parquet]" in str(getattr(done.exception, "hint", ""))
    assert not (tmp_path / "x.parquet").exists()
