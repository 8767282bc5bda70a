"""`migrate explain` on real servers: the chain of a defect, confirmed, and put right."""

from __future__ import annotations

import json
from collections.abc import Iterator

import jsonschema
import pytest

from reflector_migrate.cli.main import main
from reflector_migrate.experiments.compare import compare_in_sandbox
from reflector_migrate.harness import Harness
from reflector_migrate.model import STEP_NAMES, Verdict
from reflector_migrate.sandbox.stack import Sandbox

pytestmark = pytest.mark.live

DEFECT, NAME = "tracks_joined_in_string_order", "twelve-tracks"
NOT_LEGACYS = {"generate_dynamic_fork_tasks", "send_webhook"}
"""The monolith needs no plan, and has no task for a webhook that the room does not want."""


@pytest.fixture(scope="module")
def diverged(stack: Sandbox) -> Iterator[Sandbox]:
    """Twelve tracks through both engines, the candidate joining them in string order."""
    stack.set_defects([DEFECT])
    try:
        found = compare_in_sandbox(Harness.of(stack.settings), NAME, timeout_s=400)
        assert found.verdict is Verdict.DIVERGED
        yield stack
    finally:
        stack.set_defects([])


@pytest.fixture
def migrate(diverged, monkeypatch, capsys):
    """`migrate` in this sandbox: (exit code, what it printed)."""
    monkeypatch.setenv("MIGRATE_CONFIG", str(diverged.folders.config))

    def run(*argv: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(argv))
        return int(ended.value.code or 0), capsys.readouterr().out

    return run


def test_the_chain_leads_to_the_step(migrate):
    """Every step before agrees, digests and references stand on both sides, to the schema."""
    code, out = migrate("explain", NAME, "--json")
    told = json.loads(out)
    jsonschema.validate(told, json.loads(migrate("schema", "explain")[1]))
    assert (code, told["schema"], told["verdict"]) == (0, "migrate.explain/1", "DIVERGED")
    assert told["first_divergent_step"]["step"] == "merge_transcripts"
    links = {(k["step"], k["track_index"]): k for k in told["chain"]}
    assert {step for step, _ in links} == set(STEP_NAMES)
    assert sum(step == "transcribe_track" for step, _ in links) == 12
    merge = links["merge_transcripts", None]
    assert (merge["inputs"], merge["outputs"]) == ("agree", "differ")
    assert "speaker_mapping" in merge["checks"]
    for (step, _), link in links.items():
        if step in NOT_LEGACYS:
            assert (link["outputs"], link["reference"]) == ("unknown", None)
            continue
        for end in (link["reference"], link["hypothesis"]):
            assert end["output_digest"], step
            assert end["input_ref"], step
            assert end["output_ref"], step
    before = [k for (step, _), k in links.items() if step in ("pad_track", "transcribe_track")]
    assert {(k["inputs"], k["outputs"]) for k in before} == {("agree", "agree")}
    assert links["detect_topics", None]["inputs"] == "differ"


def test_the_terminal_shows_the_same(migrate):
    """Blame, a line a step, twelve tracks in one, references where it differs."""
    code, out = migrate("explain", NAME, "speaker_mapping")
    assert code == 0
    assert "first divergent step  merge_transcripts: its output differs although" in out
    assert "transcribe_track 0 to 11" in out
    assert "primary    in artifact:" in out
    assert "candidate  in conductor:" in out
    assert out.index("transcribe_track") < out.index("merge_transcripts   ")


def test_the_defect_is_confirmed_and_once_put_right_it_is_not_reproduced(diverged, migrate):
    """The workers' own code and defects on the primary's recorded input; both exit codes."""
    code, out = migrate("explain", NAME, "--confirm", "--json")
    confirmation = json.loads(out)["confirmation"]
    jsonschema.validate(json.loads(out), json.loads(migrate("schema", "explain")[1]))
    assert (code, confirmation["outcome"]) == (0, "confirmed"), confirmation
    assert (confirmation["input_from"], confirmation["defects"]) == ("recorded", [DEFECT])
    diverged.set_defects([])
    code, out = migrate("explain", NAME, "--confirm")
    assert code == 1
    assert "not reproduced: the candidate's step gives the primary's output" in out
    diverged.set_defects([DEFECT])
