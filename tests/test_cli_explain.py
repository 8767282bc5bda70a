"""`migrate explain` on what is stored: chain, references, schema, and clear refusals."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest

from reflector_migrate.cli.main import main
from reflector_migrate.judge.compare import compare
from reflector_migrate.model import STEP_NAMES, Finding, Role, StepRun
from reflector_migrate.store.evidence import Evidence
from tests.comparing import effects_of, events_of, observation, outputs_of
from tests.new_stores import new_store

AGREED = tuple(
    StepRun(name=name, track_index=track, input_digest="a" * 64, output_digest="b" * 64,
            input_ref=f"artifact:run/{name}/input", output_ref=f"artifact:run/{name}/output")
    for name in STEP_NAMES
    for track in ((0, 1, 2) if name in ("pad_track", "transcribe_track") else (None,))
)  # fmt: skip


def _title_altered():
    theirs = outputs_of(title="Audit on Monday \x1b[31m")
    steps = tuple(
        s.model_copy(update={"output_digest": "c" * 64}) if s.name == "generate_title" else s
        for s in AGREED
    )
    return observation(
        theirs, role=Role.CANDIDATE, steps=steps, events=events_of(theirs),
        effects=effects_of(theirs),
    )  # fmt: skip


@pytest.fixture
def migrate(tmp_path, monkeypatch, capsys):
    """`migrate` over a store with two comparisons: one that diverged, one that matched."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    config = tmp_path / "migrate.toml"
    config.write_text(f'[store]\nurl = "{url}"\n')
    monkeypatch.setenv("MIGRATE_CONFIG", str(config))
    new_store(url)
    mine = observation(steps=AGREED)
    for name, theirs in (("altered", _title_altered()),
                         ("same", mine.model_copy(update={"role": Role.CANDIDATE}))):  # fmt: skip
        found = compare(mine, theirs, secondary=mine, is_repeatable=True)
        found = found.model_copy(update={"recording": name, "run_id": f"run-{name}"})
        sides = [side.model_copy(update={"recording": name}) for side in (mine, theirs)]
        Evidence(url).add(sides, found, "2026-06-01")

    def run(*argv):
        with pytest.raises(SystemExit) as ended:
            main(list(argv))
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return run


def test_the_json_keeps_to_its_schema(migrate):
    """Whole digests and references, steps in the pipeline's order, checks with findings."""
    schema = json.loads(migrate("schema", "explain")[1])
    jsonschema.Draft202012Validator.check_schema(schema)
    for name, verdict in (("altered", "DIVERGED"), ("same", "MATCHED")):
        code, out, _ = migrate("explain", name, "--json")
        told = json.loads(out)
        jsonschema.validate(told, schema)
        assert (code, told["verdict"], told["recording"]) == (0, verdict, name)
        order = list(dict.fromkeys(link["step"] for link in told["chain"]))
        assert order == list(STEP_NAMES)
    link = next(k for k in told["chain"] if k["step"] == "generate_title")
    assert link["reference"]["output_digest"] == "b" * 64
    assert link["hypothesis"]["input_ref"] == "artifact:run/generate_title/input"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**told, "chain": [{**link, "outputs": "perhaps"}]}, schema)


def test_the_terminal_shows_the_findings_then_the_chain(migrate):
    """What agrees in a line, tracks together; what differs with reason, digests, references."""
    code, out, _ = migrate("explain", "altered")
    lines = out.splitlines()
    assert code == 0
    assert lines[1].startswith("first divergent step  generate_title: its output differs")
    rows = {line.split("  ")[0]: line for line in lines}
    assert rows["transcribe_track 0 to 2"].split()[4:] == ["agree", "agree", "3", "tracks"]
    title = rows["generate_title"]
    assert title.split()[1:6] == ["agree", "differ", "b" * 12, "->", "c" * 12]
    assert "title" in title.split("c" * 12)[1]
    after = lines[lines.index(title) + 1 :]
    assert after[0] == "    inputs: digests agree; outputs: digests differ"
    assert after[1].startswith("    primary    in artifact:run/generate_title/input  out ")
    assert out.index("\ntitle_facts  DIVERGED") < out.index("\ngenerate_title ")
    assert "\x1b" not in out


def test_no_python_and_no_raw_number_shows(migrate):
    """S3.31: absent values are left out, numbers are rounded, digests have twelve letters."""
    for argv in (("altered",), ("altered", "words"), ("same",)):
        out = migrate("explain", *argv)[1]
        assert not re.search(r"\bNone\b|\d\.\d{5,}|\de[+-]\d|\b(?:True|False)\b", out), out
        assert {len(found) for found in re.findall(r"\b[bc]{8,}\b", out)} <= {12}


def test_the_check_that_was_asked_for_is_shown_first(migrate):
    """S3.31: not below fifteen steps."""
    out = migrate("explain", "altered", "words")[1]
    assert out.index("\nwords  ") < out.index("\nstep ") < out.index("\ngenerate_title ")


def test_a_waived_finding_says_so():
    """A reader of the finding sees who allowed it."""
    from reflector_migrate.cli.explain import _finding

    waived = Finding(path="row/x", reference=1, hypothesis=2, waiver="renamed (ana)")
    assert _finding(waived).endswith("row/x: 1 -> 2  [renamed (ana)]")


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("altered", "colour"), "no check is named 'colour'"),
        (("unknown",), "no comparison of unknown is stored"),
        (("same", "--confirm"), "nothing to confirm: no step of same differs"),
    ],
)
def test_refusals_are_exit_2(migrate, argv, says):
    """What is wrong, on stderr."""
    code, out, err = migrate("explain", *argv)
    assert (code, out) == (2, "")
    assert says in err


def test_what_cannot_be_confirmed_says_why(migrate):
    """Exit 3, and the explanation is printed all the same."""
    code, out, _ = migrate("explain", "altered", "--confirm", "--json")
    told = json.loads(out)
    jsonschema.validate(told, json.loads(migrate("schema", "explain")[1]))
    assert (code, told["ok"], told["exit_code"]) == (3, False, 3)
    assert told["confirmation"]["outcome"] == "cannot tell"
    assert "nothing is stored at artifact:run/generate_title/input" in told["confirmation"]["why"]
    code, out, _ = migrate("explain", "altered", "--confirm")
    assert code == 3
    assert "\ncannot tell: nothing is stored at" in out
