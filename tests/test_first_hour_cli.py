"""Faults that a new user found at the command line, each with what is answered now."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from click import Context, Group

from fixtures.reports.nights import night
from reflector_migrate.cli import celery_worker, common
from reflector_migrate.cli.checklist import _print
from reflector_migrate.cli.completing import checks, defects, recordings
from reflector_migrate.cli.doctor import exit_code as doctor_code
from reflector_migrate.cli.main import COMMANDS, cli, main
from reflector_migrate.cli.worker import command_of
from reflector_migrate.cutover.checklist import exit_code
from reflector_migrate.cutover.items import Answer, Item, Line, passed, pending, unreachable
from reflector_migrate.errors import RefusedError
from reflector_migrate.harness import Harness
from reflector_migrate.judge.gates.rules import read_rules
from reflector_migrate.model import Phase, Verdict
from reflector_migrate.sandbox.servers.base import Folders
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.gate_rules import shipped_rules
from reflector_migrate.shadow.nightly.night import gather
from reflector_migrate.store.evidence import Evidence
from reflector_migrate.store.migrate import upgrade
from reflector_migrate.store.nights import Nights
from tests.comparing import observation

ROOT = Path(__file__).parents[1]
NIGHT = "2026-11-23"
UP = Settings.model_validate({"shadow": {"enabled": True}})
"""Of a sandbox that was started with its defaults."""


class Answered(NamedTuple):
    """What the command said and how it ended."""

    exit_code: int
    stdout: str
    stderr: str


Run = Callable[..., Answered]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`migrate` in this process and an empty folder, with the door's own exit codes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIGRATE_STATE_DIR", str(tmp_path / "state"))

    def answer(*argv: str) -> Answered:
        with pytest.raises(SystemExit) as ended:
            main(list(argv))
        return Answered(int(str(ended.value.code)), *capsys.readouterr())

    return answer


def _files(folder: Path, **changes: object) -> list[str]:
    """Two observations of one recording, as options of `compare`."""
    body = json.loads(observation().model_dump_json(by_alias=True))
    for name, role in (("a", "primary"), ("b", "candidate")):
        text = json.dumps({**body, "role": role, "run_id": name, **changes})
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    return ["--primary", f"{folder}/a.json", "--candidate", f"{folder}/b.json"]


# S1.5 seeded runs are no evidence


def test_runs_with_a_seeded_defect_are_in_no_night(tmp_path: Path) -> None:
    """They prove the harness: the night, its trend and its coverage leave them out, and say so."""
    url = f"sqlite:///{tmp_path}/store.db"
    upgrade(url)
    fine, seeded = night(2).comparisons
    fine = fine.model_copy(update={"verdict": Verdict.MATCHED})
    said = 'the meeting said "defects":["x"]'
    fine = fine.model_copy(update={"notes": (said,)})
    seeded = seeded.model_copy(update={"verdict": Verdict.DIVERGED, "defects": ("solo_lost",)})
    for one in (fine, seeded):
        Evidence(url).add([], one, NIGHT)
    assert Nights(url).seeded() == {seeded.run_id: (NIGHT, "DIVERGED")}
    settings = Settings.model_validate({
        "store": {"url": url}, "is_sandbox": True, "state_dir": str(tmp_path),
        "reflector": {"database_url": f"sqlite:///{tmp_path}/none.db"}})  # fmt: skip
    found = gather(Harness.of(settings), NIGHT)
    assert [gist.run_id for gist in found.gists] == [fine.run_id]
    assert (found.seeded, found.coverage.compared) == (1, 1)
    assert [dict(point.counts) for point in found.trend] == [{"MATCHED": 1}]


# S1.7 a sandbox says so, and other settings beside it are refused


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which a sandbox seems to run."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / ".sandbox"
    folder.mkdir()
    Folders(folder).config.write_text('is_sandbox = true\nstate_dir = "state"\n', "utf-8")
    monkeypatch.setattr("reflector_migrate.sandbox.running.load_running", lambda _: Settings())
    monkeypatch.setattr("reflector_migrate.sandbox.running.missing_parts", lambda _: ())
    return folder


def _context() -> Context:
    return Context(cli, obj={"config": None, "verbose": 0})


def test_a_sandbox_is_named_before_any_answer(
    sandbox: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A reader of a toy's verdict sees that it is one."""
    assert common.settings_of(_context()).is_sandbox
    assert capsys.readouterr().err == "sandbox .sandbox: nothing here is about a deployment\n"


@pytest.mark.parametrize("given", ["variable", "file", "table"])
def test_other_settings_beside_a_sandbox_are_refused(
    sandbox: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """Not ignored in silence: the error names them, and how to say which are meant."""
    if given == "variable":
        monkeypatch.setenv("MIGRATE_SHADOW__RATE", "0.123")
    elif given == "file":
        Path("migrate.toml").write_text("", encoding="utf-8")
    else:
        Path("pyproject.toml").write_text("[tool.migrate.shadow]\nrate = 0.5\n", "utf-8")
    with pytest.raises(RefusedError) as refused:
        common.settings_of(_context())
    names = {"variable": "MIGRATE_SHADOW__RATE", "file": "./migrate.toml"}
    assert names.get(given, "./pyproject.toml") in refused.value.message
    assert "--config .sandbox/migrate.toml" in refused.value.hint


def test_where_the_sandbox_is_may_be_set(sandbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that say where the sandbox is contradict nothing."""
    monkeypatch.setenv("MIGRATE_SANDBOX__DIR", str(sandbox))
    assert common.settings_of(_context()).is_sandbox


# S1.8 two recordings, exchanged sides


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recording": "another"}, "give two runs of one recording"),
        ({"role": "candidate"}, "swap them"),
    ],
)
def test_files_that_are_not_a_pair_are_a_usage_error(
    run: Run, tmp_path: Path, changes: dict[str, str], said: str
) -> None:
    """Exit 2, never a verdict: two recordings, or the sides in each other's place."""
    options = _files(tmp_path)
    _files(tmp_path / "other", **changes) if (tmp_path / "other").mkdir() is None else None
    if "role" in changes:
        options = ["--primary", options[3], "--candidate", options[1]]
    else:
        options[3] = f"{tmp_path}/other/b.json"
    found = run("compare", *options)
    assert (found.exit_code, found.stdout) == (2, "")
    assert said in found.stderr


# S2


def test_defects_are_not_run_while_noise_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """S2.11: refused at the start, with the command that switches noise off."""
    from reflector_migrate.cli import defects as command

    told = {"recogniser": "wer 0.02, seed 7", "llm": "off"}
    monkeypatch.setattr("reflector_migrate.experiments.noise.noises_in", lambda _: told)
    with pytest.raises(
        RefusedError, match="noise is on in the sandbox \\(recogniser\\)"
    ) as refused:
        command._refuse_noise(Settings())
    assert refused.value.hint == "migrate sandbox noise off"


def _lines(path: Path, *verdicts: Verdict) -> Path:
    found = night(len(verdicts)).comparisons
    told = (c.model_copy(update={"verdict": v}) for c, v in zip(found, verdicts, strict=True))
    path.write_text("".join(f"{c.model_dump_json(by_alias=True)}\n" for c in told), "utf-8")
    return path


@pytest.mark.parametrize(
    ("verdict", "fail_on", "code"),
    [
        (Verdict.MATCHED, "inconclusive", 0),
        (Verdict.DIVERGED, "inconclusive", 1),
        (Verdict.INCONCLUSIVE, "inconclusive", 3),
        (Verdict.INCONCLUSIVE, "diverged", 0),
        (Verdict.DIVERGED, "never", 0),
    ],
)
def test_a_report_answers_with_the_nights_verdict(
    run: Run, tmp_path: Path, verdict: Verdict, fail_on: str, code: int
) -> None:
    """S2.12: cron and CI can use it; --json says the same in one document."""
    lines = _lines(tmp_path / "all.jsonl", Verdict.MATCHED, verdict)
    page = f"html:{tmp_path}/page.html"
    found = run("report", "--comparisons", str(lines), "-o", page, "--fail-on", fail_on, "--json")
    assert found.exit_code == code
    document = json.loads(found.stdout)
    assert (document["schema"], document["exit_code"]) == ("migrate.report/1", code)
    assert document["verdict"] == verdict.value
    assert sum(document["counts"].values()) == 2


def test_a_reports_line_counts_what_diverged(run: Run, tmp_path: Path) -> None:
    """S2.12: `28 of 28` no longer reads as 28 diverged; --dry-run writes nothing."""
    lines = _lines(tmp_path / "all.jsonl", Verdict.MATCHED, Verdict.DIVERGED, Verdict.DIVERGED)
    page = tmp_path / "page.html"
    found = run("report", "--comparisons", str(lines), "-o", f"html:{page}", "--dry-run")
    assert (found.exit_code, page.exists()) == (1, False)
    assert "2 of 3 comparisons diverged" in found.stderr


def test_a_night_that_has_not_begun_is_refused(run: Run) -> None:
    """A page about tomorrow would say that nothing was compared."""
    found = run("report", "--night", f"{datetime.now(UTC).year + 1}-01-01")
    assert (found.exit_code, "has not begun" in found.stderr) == (2, True)


def _line(answer: Answer) -> Line:
    item = Item(Phase.SHADOW, "words", "?", "?", "migrate gate", lambda _: answer)
    return Line(1, item, answer)


@pytest.mark.parametrize(
    ("answers", "code", "head"),
    [
        ([unreachable("no store"), passed("1")], 4, "! NOT READY   1 pass, 0 fail"),
        ([unreachable("no store"), pending("soon")], 4, "1 pending, 1 could not run"),
        ([pending("soon"), passed("1")], 3, "? NOT READY"),
        ([Answer(passed("").state.FAIL), unreachable("x")], 1, "✗ NOT READY   0 pass, 1 fail"),
        ([passed("1")], 0, "✓ READY"),
    ],
)
def test_pending_and_unreachable_do_not_read_as_failed(
    capsys: pytest.CaptureFixture[str], answers: list[Answer], code: int, head: str
) -> None:
    """S2.17 and S2.19: the glyph, the words and the exit code say the same."""
    lines = tuple(map(_line, answers))
    assert int(exit_code(lines)) == code
    _print("shadow", lines, code, is_sandbox=True)
    shown = capsys.readouterr().out
    assert head in shown
    assert shown.startswith("Cutover checklist   sandbox   shadow")


@pytest.mark.parametrize(
    "argv", [["checklist", "run", "shadow"], ["checklist", "run", "infrastructure"]]
)
def test_servers_that_do_not_answer_are_exit_4(
    run: Run, monkeypatch: pytest.MonkeyPatch, argv: list[str]
) -> None:
    """S2.17: one meaning each: 1 is a verdict, and without a server there is none."""
    for name, value in {
        "CONDUCTOR__SERVER_URL": "http://127.0.0.1:9/api",
        "REFLECTOR__BROKER_URL": "redis://127.0.0.1:9/0",
        "REFLECTOR__BUS_URL": "redis://127.0.0.1:9/1",
        "REFLECTOR__DATABASE_URL": "sqlite:///r.db",
        "CANDIDATE__DATABASE_URL": "sqlite:///c.db",
        "CANDIDATE__CHANNEL_PREFIX": "shadow:",
    }.items():
        monkeypatch.setenv(f"MIGRATE_{name}", value)
    found = run(*argv)
    assert found.exit_code == 4, found.stdout + found.stderr


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([passed("1"), unreachable("no store")], 4),
        ([unreachable("no store"), Answer(passed("").state.FAIL)], 1),
        ([passed("1")], 0),
    ],
)
def test_doctor_separates_an_unreachable_server_from_a_fault(
    answers: list[Answer], code: int
) -> None:
    """S2.17: a check that failed is 1; a server that does not answer is 4."""
    assert doctor_code(answers) == code


@pytest.mark.parametrize("argv", [["cost", "x"], ["explain", "x"], ["gate"], ["export", "csv"]])
def test_a_reading_command_makes_no_database(run: Run, tmp_path: Path, argv: list[str]) -> None:
    """S2.21: looking for evidence that is not there creates nothing, and says what to do."""
    found = run(*argv)
    assert (found.exit_code, "the store is not initialised" in found.stderr) == (4, True)
    assert "migrate register --with-store" in found.stderr
    assert list(tmp_path.rglob("*.db")) == []


def test_an_output_that_cannot_be_written_leaves_one_answer(run: Run, tmp_path: Path) -> None:
    """S2.22: one JSON document, with the exit code that the process has."""
    (tmp_path / "page.html").mkdir()
    options = ["-o", f"md:{tmp_path}/page.html/../closed/x.md"]
    (tmp_path / "closed").mkdir(mode=0o500)
    (tmp_path / "closed" / "x.md").mkdir()
    found = run("compare", *_files(tmp_path), "--json", *options)
    (document,) = [json.loads(line) for line in found.stdout.splitlines()]
    assert document["exit_code"] == found.exit_code != 0


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["compare", "solo", "--primary", "a", "--candidate", "b"], "not both"),
        (["sandbox", "noise", "7", "--wer", "5"], "0<=x<=1"),
        (["compare", "--primary", "a", "--candidate", "b", "-o", "html:/nonexistent/x.html"],
         "there is no folder /nonexistent"),
        (["compare", "--primary", "a", "--candidate", "b", "-o", "csv:x"], "unknown format 'csv'"),
        (["compare", "--primary", "a", "--candidate", "b", "--replayed"],
         "--replayed: nothing runs where two files are compared"),
        (["compare", "--primary", "a", "--candidate", "b", "--wait", "1m", "--timeout", "1m"],
         "--timeout, --wait: nothing runs where two files are compared"),
        (["compare", "solo", "--timeout", "1m"], "--timeout: for a sandbox"),
        (["compare", "solo", "--exit-zero", "--fail-on", "diverged"], "--fail-on: --exit-zero"),
        (["compare", "solo", "--json", "--color", "always"], "--color: JSON has no colour"),
        (["compare", "solo", "--json", "-o", "md:-"], "--json and -o md:- both write to stdout"),
        (["report", "-o", "md:-", "-o", "json:-"], "-o md:- and -o json:- both write to stdout"),
        (["report", "--comparisons", "a", "--night", NIGHT, "-o", "md:-"], "--night: the night of"),
        (["report", "--comparisons", "a", "--notify", "-o", "md:-"], "--notify: the night of"),
        (["report", "--dry-run", "--notify"], "--notify: --dry-run calls nobody"),
        (["route", "show", "--room", "standup"], "--room: name the transcript"),
        (["sandbox", "noise", "off", "--wer", "0.1"], "--wer: give a seed"),
        (["sandbox", "noise", "--facts"], "--facts: give a seed"),
        (["replay", "--rate", "9"], "--rate: for past recordings"),
        (["replay", "--failed", "--limit", "9"], "--limit: --failed opens every failed run"),
        (["gate", "--print-rules", "--origin", "sandbox"], "--origin: --print-rules prints"),
        (["adjudicate", "words", "--who", "ana", "--json"], "--who: --result and --json ask"),
        (["attach", "--reflector-env", "e", "check"], "--reflector-env: `attach check` reads"),
        (["--config", "ok.toml", "attach", "--reflector-env", "e"], "attach writes them"),
        (["shadow", "status", "--hours", "-5"], "x>=1"),
        (["defects", "false-alarms", "--wer", "5"], "0<=x<=1"),
    ],
)  # fmt: skip
def test_no_option_is_dropped_in_silence(run: Run, argv: list[str], said: str) -> None:
    """S2.23: what cannot be meant together, has no effect, or is out of range is a usage error."""
    Path("ok.toml").write_text("", "utf-8")
    found = run(*argv)
    assert (found.exit_code, said in found.stderr) == (2, True), found.stderr
    assert not Path("/nonexistent").exists()


def test_a_sandbox_that_is_up_refuses_options_that_it_was_not_started_with(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sandbox up --routes` beside a sandbox without routes says so, and changes nothing."""
    monkeypatch.setattr(Sandbox, "up", lambda _: False)
    monkeypatch.setattr(Sandbox, "settings", property(lambda _: UP))
    assert run("sandbox", "up", "--shadow").exit_code == 0
    for option in ("--routes", "--no-shadow", "--defect=tracks_swapped"):
        found = run("sandbox", "up", option)
        assert (found.exit_code, "not as in the sandbox that is up" in found.stderr) == (2, True)


def test_a_file_of_evidence_is_judged_by_the_rules_that_the_settings_name(run: Run) -> None:
    """judge.gates_file counts for `gate --evidence` too, as its help says."""
    rules = shipped_rules().replace("alpha = 0.05 ", "alpha = 0.04 ")
    Path("mine.toml").write_text(rules, "utf-8")
    Path("migrate.toml").write_text('[judge]\ngates_file = "mine.toml"\n', "utf-8")
    Path("none.jsonl").write_text("", "utf-8")
    digest = read_rules(rules, "mine.toml").digest
    found = run("gate", "--evidence", "none.jsonl", "--json")
    assert json.loads(found.stdout)["rules"] in digest


def test_a_dash_is_stdout(run: Run, tmp_path: Path) -> None:
    """S2.23: `-o md:-` prints, and writes no file of that name."""
    found = run("compare", *_files(tmp_path), "-o", "md:-")
    assert found.stdout.startswith("## ✓ MATCHED")
    assert not (tmp_path / "-").exists()


def test_settings_are_shown_while_secrets_are_missing(run: Run, tmp_path: Path) -> None:
    """S2.24: the command that helps to configure works before all is configured."""
    (tmp_path / "ok.toml").write_text(
        (ROOT / "migrate.example.toml").read_text("utf-8"), encoding="utf-8"
    )
    found = run("--config", "ok.toml", "config", "show", "--origin")
    assert found.exit_code == 0
    assert "shadow.rate = " in found.stdout
    assert "missing: setting s3." in found.stderr
    refused = run("--config", "ok.toml", "doctor")
    assert (refused.exit_code, "migrate config show" in refused.stderr) == (2, True)


def test_the_package_runs_as_a_module() -> None:
    """S2.25: `python -m reflector_migrate` is `migrate`."""
    argv = [sys.executable, "-m", "reflector_migrate", "--version"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.startswith("migrate ")


def test_names_are_completed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """S2.25: recordings, checks and defects, under both names of the command."""
    monkeypatch.chdir(ROOT)
    context = _context()
    parameter = cli.params[0]
    assert "three-voices" in recordings(context, parameter, "three")
    assert "speaker_words" in checks(context, parameter, "speak")
    assert "tracks_swapped" in defects(context, parameter, "tracks")
    assert "_REFLECTOR_MIGRATE_COMPLETE" in run("completion", "bash").stdout


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_v_may_stand_last(name: str) -> None:
    """S2.27: every command takes -v behind itself, unless it hands its arguments on."""
    command = cli.get_command(_context(), name)
    assert command is not None
    leaves = command.commands.values() if isinstance(command, Group) else (command,)
    for leaf in leaves:
        hands_on = leaf.context_settings.get("ignore_unknown_options")
        assert hands_on or any("-v" in parameter.opts for parameter in leaf.params), leaf.name


# S3


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("comprae", "migrate compare"),
        ("cutovr", "migrate cutover"),
        ("--ascii", None),
        ("import", None),
        ("rollback", "migrate cutover rollback"),
    ],
)
def test_a_mistyped_command_is_answered_with_a_near_one_or_none(
    run: Run, typed: str, meant: str | None
) -> None:
    """S3.41: not with a name that merely shares some letters."""
    found = run(typed)
    assert found.exit_code == 2
    assert ("Did you mean" in found.stderr) is (meant is not None)
    assert meant is None or meant in found.stderr


def test_a_wrong_group_of_workers_is_an_error_like_any_other() -> None:
    """S3.39: `error:` and `hint:`, not another program's usage line."""
    argv = [sys.executable, "-m", "reflector_migrate.conductor.runtime.run", "--group", "bogus"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: argument --group")
    assert "hint:  see migrate worker run conductor --help" in done.stderr


def test_an_interrupt_says_that_runs_go_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """S3.36: Ctrl-C is answered in words, with 130."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupted)
    found = run("compare", "solo")
    assert (found.exit_code, "runs that have started continue" in found.stderr) == (130, True)


@pytest.mark.parametrize("kind", ["collector", "dispatcher", "starter", "beat", "legacy"])
def test_a_worker_of_celery_starts_by_our_door(kind: str) -> None:
    """S3.36: Celery alone would answer an interrupt with 1, which is a verdict."""
    argv, _ = command_of(kind)
    assert argv[1:4] == ["-m", "reflector_migrate.cli.celery_worker", "-A"]


def test_a_worker_interrupted_while_it_starts_answers_130(tmp_path: Path) -> None:
    """S3.36: the signal comes while the app is loaded, before Celery handles signals."""
    (tmp_path / "early.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    argv = [
        sys.executable,
        "-m",
        "reflector_migrate.cli.celery_worker",
        "-A",
        "early:app",
        "worker",
    ]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "Aborted" in done.stderr) == (130, False)
    assert "interrupted: stopped here" in done.stderr


@pytest.mark.parametrize(
    ("celery", "should_stop", "should_terminate", "answered"),
    [
        pytest.param(0, 0, None, 0, id="SIGTERM: its tasks have ended"),
        pytest.param(1, 1, None, 130, id="Ctrl-C: its tasks have ended"),
        pytest.param(1, 1, 1, 130, id="Ctrl-C twice"),
        pytest.param(1, None, None, 4, id="it broke"),
        pytest.param(2, None, None, 2, id="a wrong option"),
    ],
)
def test_what_celery_answers_is_told_apart(
    celery: int,
    should_stop: int | None,
    should_terminate: int | None,
    answered: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S3.36: its 1 is an interrupt or a fault; ours never is."""
    monkeypatch.setattr("celery.bin.celery.celery.main", lambda *_, **__: celery)
    monkeypatch.setattr("celery.worker.state.should_stop", should_stop)
    monkeypatch.setattr("celery.worker.state.should_terminate", should_terminate)
    monkeypatch.setattr(sys, "argv", ["celery_worker"])
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit) as ended:
            celery_worker.main()
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.value.code == answered
