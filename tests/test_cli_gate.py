"""`migrate gate`: a file of evidence or the store, exit codes, envelope and table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result

from reflector_migrate.cli.main import cli
from reflector_migrate.cutover.gated import gated
from reflector_migrate.harness import Harness
from reflector_migrate.judge.gates.evidence import EvidenceLine
from reflector_migrate.judge.gates.gate import judge
from reflector_migrate.model import Comparison, Engine, GateVerdict, Observation, Role
from reflector_migrate.pipeline.rows import create_all
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.gate_rules import shipped_rules
from reflector_migrate.shadow.nightly.gating import gates_of, stored_evidence
from reflector_migrate.shadow.nightly.night import gather
from reflector_migrate.shadow.noise_floors import conditions, evidence_key
from reflector_migrate.store.evidence import Evidence
from reflector_migrate.store.nights import Nights
from reflector_migrate.store.runs import Dispatches, RunRecord
from reports.page import render_page
from tests.gates_world import RULES, excess, line, normal, whole
from tests.new_stores import new_store

pytestmark = pytest.mark.heavy

EXAMPLE = Path(__file__).parents[1] / "fixtures" / "contracts" / "comparison-1.json"


def write(path: Path, lines: Iterable[EvidenceLine]) -> Path:
    """A file with these lines."""
    path.write_text("".join(f"{found.model_dump_json(by_alias=True)}\n" for found in lines))
    return path


def run(*arguments: str | Path) -> Result:
    """The command's answer."""
    return CliRunner().invoke(cli, ["gate", *map(str, arguments)])


def body(*arguments: str | Path) -> Any:
    """The command's JSON, valid by the schema that ships."""
    found = json.loads(run(*arguments, "--json").stdout)
    schema = json.loads(CliRunner().invoke(cli, ["schema", "gate"]).stdout)
    jsonschema.Draft202012Validator(schema).validate(found)
    return found


COHORTS = {
    "an equal candidate, all gates": (whole(420), 0, "PASS"),
    "an equal candidate, words alone": (excess(normal(0, 2, 200)), 3, "INCONCLUSIVE"),
    "a candidate 3 pp worse": (excess(normal(3, 2, 300)), 1, "FAIL"),
    "one difference": ([line(0, "row", exact_findings=1)], 1, "FAIL"),
    "an empty file": ([], 3, "INCONCLUSIVE"),
}


@pytest.mark.parametrize("case", COHORTS.values(), ids=COHORTS.keys())
def test_a_file_of_evidence_is_judged(case: Any, tmp_path: Path) -> None:
    """State, ok and the process's exit code say the same."""
    lines, code, state = case
    file = write(tmp_path / "evidence.jsonl", lines)
    found = body("--evidence", file)
    assert (found["state"], found["exit_code"], found["ok"]) == (state, code, code == 0)
    assert run("--evidence", file).exit_code == code


def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    """In text and in JSON."""
    file = write(tmp_path / "evidence.jsonl", excess(normal(0.5, 2, 100)))
    for form in ((), ("--json",)):
        assert run("--evidence", file, *form).stdout == run("--evidence", file, *form).stdout


def test_the_table_says_why(tmp_path: Path) -> None:
    """Builds, value against limit, interval, and what is missing until when."""
    file = write(tmp_path / "evidence.jsonl", excess(normal(0.9, 2, 60)))
    text = run("--evidence", file).stdout
    assert "candidate candidate-1" in text
    assert "60 recordings in 6 nights" in text
    assert "excess between" in text
    assert "no recording in tracks:1 has a verdict on speaker_words" in text
    assert "NOT READY" in text


def test_the_table_says_how_many_recordings_were_clipped(tmp_path: Path) -> None:
    """A PASS with a twenty-fifth of recordings lost says so where a person reads it."""
    values = [100.0 if i % 25 == 0 else -0.5 for i in range(600)]
    text = run("--evidence", write(tmp_path / "evidence.jsonl", excess(values))).stdout
    [row] = [found for found in text.splitlines() if found.split()[:2] == ["words", "all"]]
    assert "✓ pass" in row
    assert "clipped: 24 over +10 pp, of 600 recordings, unclipped the mean is at most 6." in row


def test_what_is_wrong_in_a_file_is_named(tmp_path: Path) -> None:
    """File, line and field; and a file that is not there."""
    file = tmp_path / "evidence.jsonl"
    file.write_text('{"recording": "r"}\n')
    found = run("--evidence", file)
    assert "evidence.jsonl line 1, field night" in str(found.exception)
    assert "none" in str(run("--evidence", tmp_path / "none").exception)


def test_a_file_is_read_as_it_is_written(tmp_path: Path) -> None:
    """A byte order mark, Windows line ends, and a line separator within a name are not errors."""
    file = tmp_path / "evidence.jsonl"
    first, second = line(0, x_pp=0.5), line(1, recording="a\u2028b", x_pp=0.5)
    said = "\r\n".join(found.model_dump_json(by_alias=True) for found in (first, second))
    assert "\u2028" in said
    file.write_bytes(b"\xef\xbb\xbf" + said.encode())
    words = next(gate for gate in body("--evidence", file)["gates"] if gate["gate"] == "words")
    assert words["n"] == 2


def test_rules_of_ones_own_are_read_strictly(tmp_path: Path) -> None:
    """A wider margin passes what the shipped one holds; an unknown key is refused."""
    evidence = write(tmp_path / "evidence.jsonl", excess(normal(1.1, 1, 300)))
    rules = tmp_path / "gates.toml"
    assert run("--print-rules").stdout == shipped_rules()
    rules.write_text(
        shipped_rules().replace("margin = 1.0\nstratum_margin", "margin = 2.0\nstratum_margin")
    )

    def words(*more: str | Path) -> str:
        gates = body("--evidence", evidence, *more)["gates"]
        return str(next(g["state"] for g in gates if g["gate"] == "words"))

    assert (words(), words("--rules", rules)) == ("INCONCLUSIVE", "PASS")
    rules.write_text(shipped_rules().replace("require_n", "reqire_n") + "\nalhpa = 1\n")
    assert "alhpa" in str(run("--evidence", evidence, "--rules", rules).exception)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A store and a primary's database of this test's own."""
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


def store(settings: Settings, number: int, build: str, night: str, **known: Any) -> None:
    """A comparison of that candidate build, announced and kept in that night."""
    example = Comparison.model_validate_json(EXAMPLE.read_text(encoding="utf-8"))
    made = example.model_copy(
        update={
            "recording": f"rec-{number}",
            "run_id": f"run-{number}",
            "candidate": example.candidate.model_copy(update={"build": build}),
            **known,
        }
    )
    Evidence(settings.store_url).add([], made, night)
    Dispatches(settings.store_url).add(made.recording, "started", run_id=made.run_id)


def test_the_store_gives_the_evidence_of_the_newest_build(settings: Settings) -> None:
    """The old build's comparisons do not count, and what was not compared lowers coverage."""
    store(settings, 1, "old", "2026-11-01")
    store(settings, 2, "new", "2026-11-02")
    store(settings, 3, "new", "2026-11-03")
    Dispatches(settings.store_url).add("rec-4", "failed", run_id="run-4", reason="track is gone")
    lines = stored_evidence(Harness.of(settings))
    assert {found.builds["candidate"] for found in lines} == {"new"}
    words = {found.recording: found.night for found in lines if found.measure == "words"}
    assert words == {"rec-2": "2026-11-02", "rec-3": "2026-11-03"}
    fates = {found.recording: found.coverage for found in lines if found.coverage}
    assert fates["rec-2"] == fates["rec-3"] == "compared"
    assert fates["rec-4"] == "failed"


def test_an_empty_store_is_inconclusive(settings: Settings, tmp_path: Path) -> None:
    """No comparison at all: every gate is pending, and the exit code is 3."""
    assert stored_evidence(Harness.of(settings)) == ()
    config = tmp_path / "migrate.toml"
    config.write_text(f'state_dir = "{tmp_path}"\n[store]\nurl = "{settings.store_url}"\n')
    found = CliRunner().invoke(cli, ["--config", str(config), "gate", "--json"])
    assert json.loads(found.stdout)["state"] == "INCONCLUSIVE"
    assert found.exit_code == 3


def test_a_sandboxs_comparisons_are_marked_as_such(settings: Settings) -> None:
    """They never decide about a deployment."""
    store(settings, 1, "new", "2026-11-01")
    made = settings.model_copy(update={"is_sandbox": True})
    assert {found.origin for found in stored_evidence(Harness.of(made))} == {"sandbox"}


def test_a_document_is_read_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time its lines come from the store, the same; another version is rebuilt."""
    store(settings, 1, "new", "2026-11-01")
    first = stored_evidence(Harness.of(settings))
    read: list[Sequence[str]] = []
    documents = Nights.documents

    def counted(self: Nights, run_ids: Sequence[str]) -> tuple[Comparison, ...]:
        read.append(run_ids)
        return documents(self, run_ids)

    monkeypatch.setattr(Nights, "documents", counted)
    assert stored_evidence(Harness.of(settings)) == first
    assert read == []
    store(settings, 2, "new", "2026-11-01")
    assert len(stored_evidence(Harness.of(settings))) > len(first)
    assert read == [["run-2"]]
    monkeypatch.setattr("reflector_migrate.shadow.nightly.gating.VERSION", 0)
    assert {line.recording for line in stored_evidence(Harness.of(settings))} == {"rec-1", "rec-2"}
    assert read[1:] == [["run-1", "run-2"]]


def test_a_sandboxs_runs_in_a_deployments_store_are_left_out(settings: Settings) -> None:
    """Nor do runs with a defect count; replayed ones do."""
    store(settings, 1, "new", "2026-11-01", origin="sandbox")
    store(settings, 2, "new", "2026-11-01", defects=("tracks_swapped",))
    store(settings, 3, "new", "2026-11-01", origin="replayed")
    store(settings, 4, "new", "2026-11-01", origin="deployment")
    lines = stored_evidence(Harness.of(settings))
    run = judge(lines, RULES)
    [cohort] = run.cohorts
    assert (cohort.origin, cohort.defects) == ("deployment", ())
    words = next(gate for gate in run.gates if (gate.gate, gate.stratum) == ("words", "all"))
    assert words.n == 2
    fates = {line.recording: line.coverage for line in lines if line.coverage}
    assert (fates["rec-1"], fates["rec-3"]) == ("open", "compared")
    assert set(run.excluded) == {"sandbox", "seeded-defect"}
    night = gather(Harness.of(settings), "2026-11-01")
    assert {gist.recording for gist in night.gists} == {"rec-3", "rec-4"}
    assert (night.seeded, sum(night.trend[0].counts.values())) == (2, 2)
    assert "Left out: 2 comparisons of a sandbox." in render_page(night)


@pytest.mark.parametrize(
    "foreign", [{"origin": "sandbox"}, {"defects": ("late",)}], ids=["sandbox", "seeded defect"]
)
def test_foreign_runs_of_a_newer_build_hide_nothing(
    settings: Settings, foreign: dict[str, Any]
) -> None:
    """The deployment's own evidence still answers, for the gates and for a phase."""
    store(settings, 1, "old", "2026-11-01", origin="deployment")
    store(settings, 2, "new", "2026-11-02", **foreign)
    harness = Harness.of(settings)
    [cohort] = judge(stored_evidence(harness), RULES).cohorts
    [asked] = gated(harness).run.cohorts
    for found in (cohort, asked):
        assert (found.origin, found.builds["candidate"]) == ("deployment", "old")


def test_foreign_runs_alone_decide_nothing(settings: Settings) -> None:
    """In a deployment's store neither `migrate gate` nor a phase judges a sandbox's run."""
    store(settings, 1, "new", "2026-11-01", origin="sandbox")
    harness = Harness.of(settings)
    for found in (gates_of(harness, stored_evidence(harness), RULES), gated(harness).run):
        assert {(c.origin, c.recordings) for c in found.cohorts} == {("deployment", 0)}
        assert found.state is GateVerdict.INCONCLUSIVE


def _fates(settings: Settings) -> dict[str, str]:
    lines = stored_evidence(Harness.of(settings))
    return {line.recording: line.coverage for line in lines if line.coverage}


def test_a_later_run_with_a_defect_hides_no_coverage(settings: Settings) -> None:
    """The sandbox's own comparisons stay compared; the recording of the defect is open."""
    for number in (1, 2):
        store(settings, number, "new", "2026-11-01", origin="sandbox")
    store(settings, 3, "new", "2026-11-01", origin="sandbox", defects=("tracks_swapped",))
    assert _fates(settings) == {"rec-1": "compared", "rec-2": "compared", "rec-3": "open"}


def test_a_model_that_was_changed_back_goes_on(settings: Settings) -> None:
    """Coverage is of what the newest comparison was made under, whichever began last."""
    for number, models in enumerate(("a", "b", "a"), start=1):
        store(settings, number, "new", "2026-11-01", models=models)
    assert _fates(settings) == {"rec-1": "compared", "rec-2": "open", "rec-3": "compared"}


def test_a_phase_asks_the_newest_cohort_alone(settings: Settings) -> None:
    """Neither a run with a defect nor an earlier model answers for it; `migrate gate` shows all."""
    store(settings, 1, "new", "2026-11-01", models="a")
    store(settings, 2, "new", "2026-11-01", models="b")
    store(settings, 3, "new", "2026-11-01", models="b", origin="sandbox", defects=("late",))
    asked = gated(Harness.of(settings))
    [cohort] = asked.run.cohorts
    assert (cohort.models, cohort.defects) == ("b", ())
    assert {line.recording for line in asked.lines if line.measure == "words"} == {"rec-2"}
    assert len(judge(stored_evidence(Harness.of(settings)), RULES).cohorts) == 2


def test_defects_alone_cover_nothing(settings: Settings) -> None:
    """No line of coverage, rather than one of a run that proves the harness."""
    store(settings, 1, "new", "2026-11-01", defects=("tracks_swapped",))
    assert _fates(settings) == {}


def test_what_a_run_was_made_under_is_its_key(settings: Settings) -> None:
    """Another model or service begins again; a password or a longer wait for a place does not."""
    run = RunRecord("r", "c", "rec", "t", "shadow", request={"is_replayed": True})
    observed = Observation(
        recording="rec", role=Role.PRIMARY, engine=Engine.CELERY, build="b", status="completed"
    )

    def key(**services: Any) -> dict[str, Any]:
        changed = settings.services.model_copy(update=services)
        made = settings.model_copy(update={"services": changed})
        return evidence_key(made, run, conditions(made, observed))

    plain = key()
    assert plain["origin"] == "replayed"
    assert key(llm_model="another")["models"] != plain["models"]
    assert key(llm_url="http://another")["configuration"] != plain["configuration"]
    assert key(zulip_timeout_s=3.0) == plain


def test_the_nightly_page_says_what_the_gates_say(settings: Settings) -> None:
    """The same gates, states and reasons as `migrate gate`, and the digest of the rules."""
    assert gather(Harness.of(settings), "2026-11-01").gates == ()
    store(settings, 1, "new", "2026-11-01")
    night = gather(Harness.of(settings), "2026-11-01")
    run = gates_of(Harness.of(settings), stored_evidence(Harness.of(settings)), RULES)
    assert [(gate.state, gate.n, gate.why) for gate in night.gates if "report" not in gate.why] == [
        (gate.state.value, gate.n, gate.why) for gate in run.gates if not gate.is_report_only
    ]
    page = render_page(night)
    assert RULES.digest.startswith(night.rules)
    assert f"<code>{night.rules}</code>" in page
    assert "No gate has been evaluated" not in page
    assert "migrate placebo run" in page


def test_what_holds_every_gate_is_said_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table has each gate's own reason, and below it what keeps all of them from counting."""
    store(settings, 1, "new", "2026-11-01")
    monkeypatch.setenv("MIGRATE_STATE_DIR", str(settings.state_dir))
    monkeypatch.setenv("MIGRATE_STORE__URL", settings.store_url)
    monkeypatch.setenv("MIGRATE_REFLECTOR__DATABASE_URL", settings.reflector.database_url)
    done = run()
    assert done.exit_code == 3
    assert done.stdout.count("not counted: ") == 1
    [row] = [found for found in done.stdout.splitlines() if found.split()[:2] == ["row", "all"]]
    assert "? pending  no unwaived differences in 1 recordings, 30 are needed" in row
    said = [gate["why"] for gate in body()["gates"] if not gate["is_report_only"]]
    assert all(why.startswith("not counted: build new needs a placebo") for why in said)


def test_a_sandboxs_seeded_defects_are_left_out(settings: Settings) -> None:
    """After `migrate defects run` its gates are still those of the sound runs alone."""
    sandboxs = settings.model_copy(update={"is_sandbox": True})
    store(settings, 1, "new", "2026-11-01", origin="sandbox")
    store(settings, 2, "new", "2026-11-01", origin="sandbox", defects=("tracks_swapped",))
    harness = Harness.of(sandboxs)
    found = gates_of(harness, stored_evidence(harness), RULES)
    assert [cohort.origin for cohort in found.cohorts] == ["sandbox"]
    assert [one.n for one in found.gates if one.gate == "row"] == [1]
    assert found.excluded["seeded-defect"] > 0
    asked = gates_of(harness, stored_evidence(harness), RULES, origin="seeded-defect")
    assert [cohort.origin for cohort in asked.cohorts] == ["seeded-defect"]
