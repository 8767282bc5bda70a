"""Waivers: read from a file, counted, capped, expiring; never a way to hide."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from comparators.registry import MeasureSpec
from reflector_migrate.cli.main import main
from reflector_migrate.errors import InputError
from reflector_migrate.harness import Harness
from reflector_migrate.judge.compare import compare
from reflector_migrate.judge.verdict import Grounds, check_one
from reflector_migrate.judge.waivers import Waiver
from reflector_migrate.model import Finding, Measure, Verdict
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.waiver_files import (
    known_legacy_defects,
    read_waivers,
    waivers_in_force,
)
from reports.terminal import render
from tests.comparing import effects_of, events_of, observation, outputs_of, steps_of

ROOT = Path(__file__).parents[1]
TODAY = date(2026, 6, 1)
GOOD = """
[[waiver]]
path = "row/audio_location"
reason = "renamed by hand"
owner = "ana"
expiry = 2026-07-01
cap = 2
"""


def _file(folder: Path, text: str) -> Path:
    path = folder / "waivers.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_becomes_waivers(tmp_path):
    """Dates are dates or text; order is the file's."""
    quoted = GOOD.replace("2026-07-01", '"2026-07-02"')
    first, second = read_waivers(_file(tmp_path, GOOD + quoted))
    assert (first.path, first.owner, first.expiry, first.cap) == (
        "row/audio_location", "ana", date(2026, 7, 1), 2,
    )  # fmt: skip
    assert second.expiry == date(2026, 7, 2)
    assert second.label == "renamed by hand (ana until 2026-07-02)"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("[[waiver]\n", "Expected", id="no TOML"),
        pytest.param(GOOD.replace("owner = ", "ownr = "), "waiver 1: owner: Field required",
                     id="no owner"),
        pytest.param(GOOD + GOOD.replace('"ana"', '" "'), "waiver 2: owner: String should have",
                     id="an empty owner, in the second"),
        pytest.param(GOOD.replace("2026-07-01", '"soon"'), "waiver 1: expiry: ", id="no date"),
        pytest.param(GOOD.replace("cap = 2", "cap = -1"), "waiver 1: cap: ", id="negative cap"),
        pytest.param(GOOD + "color = 1\n", "waiver 1: color: unknown key", id="unknown key"),
        pytest.param("[waiver]\npath = 'x'\n", "waiver: ", id="a table instead of a list"),
        pytest.param("[[waver]]\n", "waver: unknown key", id="unknown table"),
        pytest.param("[[known_legacy_defect]]\npath = 'x'\n",
                     "known_legacy_defect 1: reason: Field required", id="defect without reason"),
    ],
)  # fmt: skip
def test_a_bad_file_names_itself_and_the_field(tmp_path, text, says):
    """One clear error."""
    path = _file(tmp_path, text)
    with pytest.raises(InputError) as caught:
        read_waivers(path)
    assert str(path) in caught.value.message
    assert says in caught.value.message


def test_a_missing_file_is_named(tmp_path):
    """Configured and not there: nothing is judged as if it were empty."""
    with pytest.raises(InputError, match=r"gone\.toml"):
        waivers_in_force(tmp_path / "gone.toml")


# Findings against waivers: paths with kinds and values, and what comes of them.


def _measure(*findings: Finding, name: str = "row", kind: str = "exact") -> Measure:
    return Measure(name=name, kind=kind, errors=len(findings), length=10, findings=findings)


def _judged(measure: Measure, *waivers: Waiver, grounds: Grounds | None = None):
    spec = MeasureSpec(measure.name, lambda *_: measure, measure.kind)
    known = grounds or Grounds(observation(), observation(), waivers=waivers, today=TODAY)
    return check_one(spec, known)


def _waiver(path: str, **changes) -> Waiver:
    return Waiver(path, "known", "ana", date(2026, 7, 1), **changes)


FIXED = Waiver("waveform/length", "one short", is_improvement=True, legacy=254, fixed=255)
LENGTH = Finding(path="waveform/length", reference=254, hypothesis=255)


@pytest.mark.parametrize(
    ("findings", "waivers", "verdict", "waived", "improved"),
    [
        pytest.param(["row/a"], ["row/a"], "WAIVED", 1, 0, id="all of it"),
        pytest.param(["row/a", "row/b"], ["row/a"], "DIVERGED", 1, 0, id="part of it"),
        pytest.param(["row/a", "row/b"], ["row/*"], "WAIVED", 2, 0, id="wildcard"),
        pytest.param(["row/topics/3/title"], ["row/*/title"], "WAIVED", 1, 0, id="in the middle"),
        pytest.param(["row/a"], ["row"], "WAIVED", 1, 0, id="a measure's name"),
        pytest.param(["row/a"], ["ro"], "DIVERGED", 0, 0, id="not by its beginning"),
        pytest.param([], ["row"], "DIVERGED", 0, 0, id="errors without findings stay"),
    ],
)
@pytest.mark.parametrize("kind", ["exact", "graded"])
def test_what_is_waived_is_counted(findings, waivers, verdict, waived, improved, kind):
    """An unwaived finding keeps the check from being waived, exact or graded."""
    measure = _measure(*(Finding(path=p) for p in findings), kind=kind)
    measure = measure.model_copy(update={"errors": max(1, len(findings))})
    check = _judged(measure, *map(_waiver, waivers))
    without_floor = "INCONCLUSIVE" if kind == "graded" and verdict == "DIVERGED" else verdict
    assert (check.verdict, check.waived, check.improved) == (without_floor, waived, improved)


@pytest.mark.parametrize(
    ("finding", "verdict"),
    [
        pytest.param(LENGTH, "MATCHED", id="the fix that is listed"),
        pytest.param(LENGTH.model_copy(update={"hypothesis": 256}), "DIVERGED", id="another one"),
        pytest.param(LENGTH.model_copy(update={"reference": 255}), "DIVERGED", id="no defect"),
    ],
)
def test_an_improvement_is_the_listed_fix_only(finding, verdict):
    """Legacy's value and the fix's value both, or it is a divergence."""
    check = _judged(_measure(finding, name="waveform"), FIXED)
    assert check.verdict == verdict
    assert check.improved == (verdict == "MATCHED")


def test_a_cap_is_the_recordings_not_the_measures():
    """Two findings may be waived; the third, in another measure, stands."""
    grounds = Grounds(observation(), observation(), waivers=(_waiver("*", cap=2),), today=TODAY)
    first = _judged(_measure(Finding(path="row/a")), grounds=grounds)
    second = _measure(Finding(path="events/a"), Finding(path="events/b"), name="events")
    assert first.verdict == "WAIVED"
    assert _judged(second, grounds=grounds).verdict == "DIVERGED"
    assert _judged(second, grounds=grounds).waived == 0


def test_findings_that_were_cut_off_are_not_waived():
    """What is not seen is not excused."""
    measure = _measure(Finding(path="row/a")).model_copy(update={"findings_truncated": 3})
    assert _judged(measure, _waiver("row/*")).verdict == "DIVERGED"


# The shipped list.


def test_the_shipped_defects_are_narrow():
    """Improvements, each with a kind or with both values: no blanket over a path."""
    known = known_legacy_defects()
    assert known
    for one in known:
        assert one.is_improvement
        assert one.kind is not None or (one.legacy is not None and one.fixed is not None)


@pytest.mark.parametrize(
    ("points", "verdict"), [(255, Verdict.MATCHED), (256, Verdict.DIVERGED)], ids=str
)
def test_a_waveform_of_255_is_an_improvement_and_256_a_fault(points, verdict):
    """The seeded defect next to the fix is still caught."""
    mine = outputs_of()
    theirs = outputs_of(waveform=(*(mine.waveform or ()), 0.1, 0.2)[:points])
    seen = observation(theirs, events=events_of(mine))
    found = compare(observation(mine), seen, waivers=known_legacy_defects(), today=TODAY)
    check = next(c for c in found.checks if c.name == "waveform")
    assert check.verdict is verdict
    assert ("known legacy defects put right: 1" in found.notes) is (verdict is Verdict.MATCHED)


@pytest.mark.live
def test_an_installed_package_has_the_list(tmp_path):
    """The wheel carries it where the code looks, and no fixture is needed."""
    command = ["uv", "build", "--wheel", "--no-build-isolation", "--offline", "-q"]
    here = Path(sys.executable).parent
    subprocess.run([here / command[0], *command[1:], "-o", tmp_path, ROOT], check=True)
    [wheel] = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        "from reflector_migrate.shadow import waiver_files as w; n = len(w.known_legacy_defects())"
    )
    shown = f"{code}; print(n, w.__file__)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", shown], check=True, text=True, capture_output=True,
        env={"PYTHONPATH": str(tmp_path / "site")},
    )  # fmt: skip
    number, where = done.stdout.split()
    assert int(number) == len(known_legacy_defects())
    assert where.startswith(str(tmp_path))


# From the command line, on files.


@pytest.fixture
def pair(tmp_path) -> list[str]:
    """Two observation files: the candidate keeps its audio elsewhere."""
    mine = outputs_of()
    theirs = outputs_of(row={**mine.row, "audio_location": "local"})
    sides = observation(mine, steps=steps_of({})), observation(theirs, effects=effects_of(mine))
    names = []
    for name, side in zip(("reference", "candidate"), sides, strict=True):
        path = tmp_path / f"{name}.json"
        path.write_text(side.model_dump_json(by_alias=True), encoding="utf-8")
        names += [f"--{name}", str(path)]
    return names


def _run(capsys, *argv: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["compare", *argv])
    told = capsys.readouterr()
    return int(ended.value.code), told.out, told.err


def _until(expiry: str) -> str:
    return GOOD.replace("2026-07-01", expiry)


@pytest.mark.parametrize(
    ("expiry", "code", "verdict", "waived", "note"),
    [
        pytest.param("2999-01-01", 0, "WAIVED", 1, "findings waived: 1", id="granted"),
        pytest.param("2020-01-01", 1, "DIVERGED", 0,
                     "waiver of row/audio_location (ana) expired on 2020-01-01", id="expired"),
    ],
)  # fmt: skip
def test_files_are_compared_under_waivers(
    capsys, monkeypatch, tmp_path, pair, expiry, code, verdict, waived, note
):
    """The exit code follows, the count and the expired one's name are in JSON and text."""
    waivers = ["--waivers", str(_file(tmp_path, _until(expiry)))]
    assert _run(capsys, *pair)[0] == 1, "without the waiver it is a divergence"
    given, out, _ = _run(capsys, *pair, *waivers, "--json")
    told = json.loads(out)
    row = next(check for check in told["checks"] if check["name"] == "row")
    assert (given, told["verdict"], row["waived"]) == (code, verdict, waived)
    assert note in told["comparison"]["notes"]
    monkeypatch.setenv("COLUMNS", "400")  # so that no remark is folded
    given, out, _ = _run(capsys, *pair, *waivers)
    assert (given, note in out) == (code, True)
    if waived:
        assert "1 waived: renamed by hand (ana until 2999-01-01)" in out


def test_a_bad_waivers_file_is_exit_2(capsys, tmp_path, pair):
    """File and field on stderr, no verdict on stdout."""
    path = _file(tmp_path, GOOD.replace("owner", "ower"))
    code, out, err = _run(capsys, *pair, "--waivers", str(path))
    assert code == 2
    assert f"error: {path}: waiver 1: owner: Field required" in err
    assert out == ""


def test_a_configured_bad_file_is_what_the_doctor_finds(tmp_path):
    """Before a night's comparisons wait for it; an expired waiver is named, and no illness."""
    from reflector_migrate.cli.doctor import _look, _waivers

    def seen(text):
        settings = Settings.model_validate({"judge": {"waivers_file": _file(tmp_path, text)}})
        return _look(_waivers, Harness.of(settings))

    good = seen(_until("2999-01-01"))
    assert (good.state, good.value) == ("pass", "1 in force")
    assert "(ana) expired on 2020-01-01" in seen(_until("2020-01-01")).why
    bad = seen(GOOD.replace("owner", "ower"))
    assert (bad.state, bad.value) == ("fail", "check could not run")
    assert "waiver 1: owner: Field required" in bad.why


def test_waivers_without_files_are_a_usage_error(capsys, tmp_path):
    """A deployment's waivers are its setting judge.waivers_file."""
    assert _run(capsys, "three-voices", "--waivers", str(_file(tmp_path, GOOD)))[0] == 2


def test_the_page_lists_waivers_with_what_they_covered(tmp_path, pair):
    """HTML and terminal are renderings of the same counts."""
    from reflector_migrate.cli.outputs import write_outputs
    from reflector_migrate.model import Observation

    mine, theirs = (Observation.model_validate_json(Path(p).read_text()) for p in pair[1::2])
    waivers = read_waivers(_file(tmp_path, _until("2999-01-01")))
    found = compare(mine, theirs, waivers=waivers, today=TODAY)
    write_outputs([found], (f"html:{tmp_path / 'page.html'}",), 0)
    assert "renamed by hand (ana until 2999-01-01)" in (tmp_path / "page.html").read_text()
    console = Console(record=True, width=140)
    render(found, console)
    assert "findings waived: 1" in console.export_text()
