"""Faults that a new user found in what commands print, each with what is printed now."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from starlette.testclient import TestClient

from reflector_migrate.cli import follow, watch
from reflector_migrate.cli.checklist import _explain
from reflector_migrate.cli.main import COMMANDS, cli, main
from reflector_migrate.cli.web import build
from reflector_migrate.cutover.items import Answer, Item, Line, State, unreachable
from reflector_migrate.errors import MigrateError, ServerUnreachableError
from reflector_migrate.experiments.run_defects import Proving
from reflector_migrate.harness import Harness
from reflector_migrate.judge.compare import compare
from reflector_migrate.model import Phase, Role
from reflector_migrate.model.plural import counted
from reflector_migrate.model.run_life import OPEN, RunState
from reflector_migrate.sandbox import starter
from reflector_migrate.sandbox.recordings import load_recording
from reflector_migrate.sandbox.servers.base import Folders
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.observe.live_lines import WORDS
from reflector_migrate.store.evidence import Evidence
from reflector_migrate.store.runs import RunRecord, Runs
from tests.comparing import observation
from tests.new_stores import new_store

ROOT = Path(__file__).parents[1]
RECORDINGS = ROOT / "fixtures" / "recordings"

Migrate = Callable[..., tuple[str, str]]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """An empty store."""
    found = f"sqlite:///{tmp_path}/store.db"
    new_store(found)
    return found


@pytest.fixture
def migrate(tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str]) -> Migrate:
    """`migrate` with a sandbox's settings; answers with stdout and stderr."""
    config = tmp_path / "migrate.toml"
    config.write_text(
        f'is_sandbox = true\nstate_dir = "{tmp_path}"\n[store]\nurl = "{url}"\n'
        f'[reflector]\ndatabase_url = "sqlite:///{tmp_path}/none.db"\n'
        f'[sandbox]\nrecordings = "{RECORDINGS}"\n'
    )

    def answer(*argv: str) -> tuple[str, str]:
        with pytest.raises(SystemExit):
            main(["--config", str(config), *argv])
        return capsys.readouterr()

    return answer


def test_a_server_that_starts_slowly_is_given_time_and_the_setting_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S2.16: a start of 94 s is not a failure; after the limit the hint says how to raise it."""
    assert Settings().sandbox.start_timeout_s >= 180
    monkeypatch.setattr(starter, "is_alive", lambda _: True)
    made = starter.Starter(Folders(tmp_path), timeout_s=0.0, say=lambda _: None)
    server: Any = SimpleNamespace(name="conductor", is_ready=lambda: False)
    record: Any = SimpleNamespace(log="conductor.log")
    with pytest.raises(ServerUnreachableError, match="conductor was not ready within 0 s") as late:
        made._is_ready(server, record, time.monotonic() - 1)
    assert late.value.hint == "busy machine? raise sandbox.start_timeout_s; log: conductor.log"


def test_explaining_an_item_says_all_that_running_it_did_and_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """S2.18: every recording it rests on, each with the command that explains it."""
    names = tuple(f"recording-{n}" for n in range(9))
    answer = Answer(State.FAIL, "9 unwaived", "0", 28, "words differ", recordings=names)
    item = Item(Phase.SHADOW, "structure", "asks", "formula", "migrate gate", lambda _: answer)
    _explain(Line(2, item, answer))
    shown = capsys.readouterr().out
    for said in ("9 unwaived", "limit 0", "n 28", "words differ", "9 recordings", "migrate gate"):
        assert said in shown
    assert re.findall(r"migrate explain (\S+)", shown) == [*names]


def test_explaining_what_could_not_be_looked_at_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As `checklist run` does: a server that is away is not a verdict."""
    item = Item(Phase.SHADOW, "healthy", "asks", "formula", "migrate doctor", lambda _: answer)
    answer = unreachable("no answer")
    _explain(Line(1, item, answer))
    assert capsys.readouterr().out.splitlines()[0] == "1  healthy: not run"


def test_watching_before_the_run_has_begun_waits_for_it(
    migrate: Migrate, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S2.20: two seconds after `compare` there is no run yet; the end names the next command."""
    recording = "solo"
    identity = load_recording(RECORDINGS, recording).recording_id

    def begin(_seconds: float) -> None:
        run = RunRecord("run-1", "claim", identity, "t", "shadow", state=RunState.FAILED)
        Runs(url).claim(run)

    monkeypatch.setattr(watch.time, "sleep", begin)
    monkeypatch.setattr("reflector_migrate.shadow.observe.live_status._primary", lambda *_: {})
    shown, waited = migrate("watch", recording)
    assert f"waiting: the candidate has not run {recording}" in waited
    assert shown.splitlines()[-1].endswith(f"next  migrate explain {recording}")
    assert "no recording is named 'sollo'\nhint:  did you mean solo" in migrate("watch", "sollo")[1]


def test_progress_has_the_time_and_words_instead_of_states(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3.35: elapsed time on each line, and every state before the first step in plain words."""
    clock = iter((0.0, 9.0, 12.0, 12.0, 12.0, 75.0, 75.0, 75.0))
    monkeypatch.setattr(follow.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(
        "reflector_migrate.shadow.observe.live_lines.both_sides",
        lambda *_: ("primary    processing", "candidate  announced"),
    )
    progress = follow._lines(Harness.of(Settings()))  # type: ignore[arg-type]
    for _ in range(3):
        progress(None, "")
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in lines] == ["12s", "75s"]
    assert all("primary    processing   candidate  announced" in line for line in lines)
    assert {*WORDS} >= OPEN
    assert not set(WORDS.values()) & {state.value for state in RunState} - {"started"}


def test_lists_have_heads_and_say_of_which_time_they_are(
    migrate: Migrate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3.37: workers, servers and outcomes."""
    monkeypatch.setattr(
        "reflector_migrate.conductor.execution.task_queue_pollers", lambda *_, **__: ()
    )
    assert migrate("worker", "list")[0].split() == ["task", "worker", "domain", "build"]
    server = SimpleNamespace(name="redis", health="healthy", pid=1, port=2, log="redis.log")
    monkeypatch.setattr("reflector_migrate.sandbox.stack.Sandbox.status", lambda _: (server,))
    head, line = migrate("sandbox", "status")[0].splitlines()
    assert head.split() == ["server", "health", "process", "port", "log"]
    for title, value in (("health", "healthy"), ("process", "pid 1"), ("port", "port 2")):
        assert head.index(title) == line.index(value)
    assert "outcomes of the last 24 h" in migrate("shadow", "status")[0]
    assert "outcomes of the last 2 h" in migrate("shadow", "status", "--hours", "2")[0]


def test_an_interrupt_ends_every_defect_at_its_next_look() -> None:
    """S3.36: not after 37 s of silence; what runs beside the interrupted one stops as well."""
    proving = Proving(SimpleNamespace(settings=Settings()), 2, 300, lambda _: None)  # type: ignore[arg-type]
    ended: list[str] = []
    has_begun = threading.Event()

    def work(number: int) -> None:
        if number == 0:
            has_begun.wait(5)
            raise KeyboardInterrupt
        has_begun.set()
        for _ in range(500):
            time.sleep(0.01)
            try:
                proving._look(None, "")
            except MigrateError as error:
                ended.append(error.message)
                return

    with pytest.raises(KeyboardInterrupt):
        list(proving._side_by_side(work, (0, 1)))
    assert ended == ["interrupted"]


@pytest.mark.parametrize(
    "argv",
    [
        ("shadow", "status"),
        ("checklist", "status"),
        ("checklist", "run", "parallel"),
        ("explain", "rec"),
        ("cost", "rec"),
    ],
    ids=" ".join,
)
def test_every_headline_of_a_sandbox_says_so(
    migrate: Migrate, url: str, argv: tuple[str, ...]
) -> None:
    """S1.7: on stdout too, where a script or a file keeps the answer."""
    mine = observation()
    found = compare(mine, mine.model_copy(update={"role": Role.CANDIDATE}))
    named = found.model_copy(update={"recording": "rec", "run_id": "run-1"})
    Evidence(url).add([], named, "2026-06-01")
    shown, said = migrate(*argv)
    assert re.search(r"\bsandbox\b", shown.splitlines()[0]), shown + said
    assert said.startswith("sandbox ")


def test_a_sandbox_named_by_the_environment_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """S1.7: `MIGRATE_CONFIG` is obeyed, and its sandbox is named as with --config."""
    config = tmp_path / "box.toml"
    config.write_text("is_sandbox = true\n")
    monkeypatch.setenv("MIGRATE_CONFIG", str(config))
    with pytest.raises(SystemExit):
        main(["shadow", "off"])
    assert capsys.readouterr().err.startswith(f"sandbox {tmp_path}: nothing here is about")


def test_the_index_of_reports_has_verdicts_and_a_policy(tmp_path: Path, url: str) -> None:
    """S3.38: newest first, each with its verdict; styled, and nothing foreign is let in."""
    (tmp_path / "reports").mkdir()
    for night, verdict in (("2026-11-22", "MATCHED"), ("2026-11-23", "DIVERGED")):
        page = tmp_path / "reports" / f"shadow-{night}.html"
        page.write_text(f"<title>Sandbox Shadow {night}: {verdict}</title>")
    settings = Settings.model_validate(
        {"state_dir": tmp_path, "is_sandbox": True, "store": {"url": url}}
    )
    client = TestClient(build(Harness.of(settings)), base_url="http://127.0.0.1")
    found = client.get("/")
    rows = re.findall(r">(2026-\d\d-\d\d)</a></th><td>(\w+)<", found.text)
    assert rows == [("2026-11-23", "DIVERGED"), ("2026-11-22", "MATCHED")]
    assert "<h1>sandbox: Nightly reports</h1>" in found.text
    assert "<style>" in found.text
    assert "default-src 'none'" in found.headers["content-security-policy"]


# One vocabulary


def _helps(group: click.Group, above: click.Context) -> Iterator[tuple[str, str]]:
    for name in group.list_commands(above):
        command = group.get_command(above, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=above, obj=above.obj)
        yield context.command_path, command.get_help(context)
        if isinstance(command, click.Group):
            yield from _helps(command, context)


HELPS = dict(
    _helps(cli, click.Context(cli, info_name="migrate", obj={"config": None, "verbose": 0}))
)
SIDES = re.compile(r"\b(?:references?|hypothes[ie]s)\b")
"""Words for the two sides that only comparators have."""


@pytest.mark.parametrize("command", sorted(HELPS))
def test_help_calls_the_two_sides_primary_and_candidate(command: str) -> None:
    """S3.33: and no other name, but for the option that was called --reference."""
    assert not SIDES.search(HELPS[command].replace("--primary, --reference", ""))


def _sentences_of(path: Path, wanted: re.Pattern[str]) -> Iterator[str]:
    """Texts of more than one word that a module may print: its docstrings are left out."""
    source = path.read_text(encoding="utf-8")
    if not wanted.search(source):
        return
    tree = ast.parse(source)
    bodies = [node.body for node in ast.walk(tree) if isinstance(getattr(node, "body", None), list)]
    documents = {id(one.value) for body in bodies for one in body if isinstance(one, ast.Expr)}
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in documents and " " in node.value.strip():
            yield node.value


PRINTING = [
    path
    for room in ("reflector_migrate", "reports")
    for path in sorted((ROOT / room).rglob("*.py"))
]


def test_no_message_calls_a_side_by_another_name() -> None:
    """S3.33: neither an error, a hint, a line of output nor a reason of blame."""
    found = {
        f"{path.relative_to(ROOT)}: {said}"
        for path in PRINTING
        for said in _sentences_of(path, SIDES)
        if SIDES.search(said)
    }
    assert found == set()


def _unknown_command(words: list[str]) -> bool:
    """Whether `migrate` has no such command; words of a sentence may follow a whole one."""
    context = click.Context(cli, obj={"config": None, "verbose": 0})
    command = cli.get_command(context, words[0])
    if not isinstance(command, click.Group) or len(words) < 2:
        return command is None
    return command.get_command(context, words[1]) is None


def test_every_command_that_a_message_names_exists() -> None:
    """A hint that leads into the next error is worse than none."""
    named = re.compile(r"(?<![-\w])migrate ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)?)")
    found = {
        f"{path.relative_to(ROOT)}: migrate {words}"
        for path in PRINTING
        for said in _sentences_of(path, named)
        for words in named.findall(said)
        if _unknown_command(words.split())
    }
    assert found == set()


MANY = re.compile(r"\{[^{}]+\} (?:check|comparison|night|recording|run)s\b(?! from)")


def test_one_is_not_many() -> None:
    """S3.42: no command prints `1 recordings`; `counted` says how many of what."""
    assert [counted(n, "word") for n in (0, 1, 2)] == ["0 words", "1 word", "2 words"]
    strays = {
        f"{path.name}: {found[0]}"
        for path in (ROOT / "reflector_migrate" / "cli").glob("*.py")
        for found in MANY.finditer(path.read_text(encoding="utf-8"))
    }
    assert not strays


def test_steps_and_tasks_are_counted_once_and_alike() -> None:
    """S3.34: 15 tasks, 14 of them visible steps; no text counts otherwise."""
    counted = re.compile(r"\b(?:14|15|fourteen|fifteen)\b[^.|]{0,30}?\b(?:steps|tasks)\b", re.I)
    pages = {p: p.read_text("utf-8") for p in (*ROOT.glob("docs/*.md"), ROOT / "README.md")}
    told = {f"{p.name}: {m[0]}" for p, text in pages.items() for m in counted.finditer(text)}
    told |= {f"{name}: {m[0]}" for name, text in HELPS.items() for m in counted.finditer(text)}
    assert told == {"glossary.md: 15 tasks", "glossary.md: 14 of them visible steps"}
    assert "15 tasks, 14 of them visible steps" in pages[ROOT / "docs/glossary.md"]


# Start


HEAVY = {"sqlalchemy", "redis", "httpx", "celery", "boto3", "pandas", "starlette"}


def _imported_at_start(module: str, seen: set[str]) -> set[str]:
    """Every module that importing this one imports, by what stands outside functions."""
    if module in seen:
        return set()
    seen.add(module)
    places = [ROOT.joinpath(*module.split(".")).with_suffix(".py"),
              ROOT.joinpath(*module.split("."), "__init__.py")]  # fmt: skip
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return {module.split(".", maxsplit=1)[0]}
    found: set[str] = set()
    for name in (module.rpartition(".")[0], *_top_level(ast.parse(path.read_text("utf-8")).body)):
        found |= _imported_at_start(name, seen) if name else set()
    return found


def _top_level(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Try):
            yield from _top_level(node.body)


@pytest.mark.parametrize(
    "module",
    [
        "reflector_migrate.cli.events",
        "reflector_migrate.entrance",
        "reflector_migrate.conductor.event_dictionary",
        *sorted({place.partition(":")[0] for place, _ in COMMANDS.values()}),
    ],
)
def test_a_command_loads_no_client_of_a_server_before_it_needs_one(module: str) -> None:
    """S3.40: `--help`, a mistyped option and the event dictionary cost no second of imports."""
    assert not _imported_at_start(module, set()) & HEAVY


READS_SETTINGS = """
import os, sys
os.execve = lambda *_: None
from reflector_migrate.cli.main import answered, cli
for argv in (["config", "show"], ["worker", "run", "collector"]):
    answered(argv, lambda given: cli.main(args=given, standalone_mode=False))
print({name.partition(".")[0] for name in sys.modules} & set(sys.argv[1:]))
"""


def test_commands_that_only_read_settings_load_no_database(tmp_path: Path) -> None:
    """S3.40: the settings, the kind of a worker, and whether a sandbox runs, need no SQLAlchemy."""
    argv = [sys.executable, "-c", READS_SETTINGS, *HEAVY]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "set()", done.stderr
    assert "shadow.rate = " in done.stdout


def test_doctor_says_what_it_waits_for(migrate: Migrate, monkeypatch: pytest.MonkeyPatch) -> None:
    """S3.40: on a terminal, before up to 20 s without a word."""
    from reflector_migrate.cli import doctor

    monkeypatch.setattr(doctor, "find", lambda *_: {"disk": Answer(State.PASS, "1 GiB", "", None)})
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown, said = migrate("doctor")
    assert shown == "healthy: 1 check\n"
    assert said.endswith("checking servers and settings, up to 20 s\n")
