"""Bad input: one clear line, the right exit code, and nothing half-stored."""

from __future__ import annotations

import json
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from reflector_migrate.harness import Harness
from reflector_migrate.model import Engine, Observation, Role
from tests.new_stores import new_store

pytestmark = pytest.mark.heavy

MIGRATE = [sys.executable, "-c", "from reflector_migrate.cli.main import main; main()"]


def migrate(
    *argv: str, cwd: Path, limit_bytes: int = 0, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run the command as a user would, in a folder and environment of its own."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    env = {"PATH": "/usr/bin:/bin", "HOME": str(cwd), "MIGRATE_STATE_DIR": str(cwd / "state")}
    if limit_bytes:
        env["PYTHONDONTWRITEBYTECODE"] = "1"  # what is cut off would be imported ever after
    return subprocess.run(
        [*MIGRATE, *argv], cwd=cwd, env={**env, **environ}, capture_output=True, text=True,
        timeout=60, check=False, stdin=subprocess.DEVNULL,
        preexec_fn=limit if limit_bytes else None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("argv", "code", "says"),
    [
        pytest.param(["compare"], 2, "name a recording", id="no recording"),
        pytest.param(["compare", "--reference", "a.json"], 2, "given together", id="one file"),
        pytest.param(["comparr"], 2, "Did you mean `migrate compare`", id="mistyped command"),
        pytest.param(["report", "--night", "soon"], 2, "not a date", id="not a night"),
        pytest.param(["checklist", "run", "someday"], 2, "someday", id="unknown phase"),
        pytest.param(["--config", "no.toml", "compare", "x"], 2, "no.toml", id="no such config"),
        pytest.param(
            ["--config", ".", "compare", "x"], 2, "is not a file", id="config is a folder"
        ),
        pytest.param(["compare", "x", "-o", "pdf:x"], 2, "format 'pdf'", id="unknown format"),
        pytest.param(["report", "-o", "html:."], 2, "is a folder", id="page over a folder"),
        pytest.param(["report", "--comparisons", "x"], 2, "-o html:PATH", id="report to nowhere"),
        pytest.param(["worker", "run", "legacy"], 2, "in a sandbox only", id="stand-in attached"),
        pytest.param(["sandbox", "up", "--defect", "x"], 2, "unknown defect", id="unknown defect"),
        pytest.param(
            ["checklist", "sign", "margins", "--who", "a", "--reason", "r"],
            2,
            "--yes",
            id="nobody to ask",
        ),
    ],
)
def test_usage_errors(tmp_path: Path, argv: list[str], code: int, says: str) -> None:
    """A wrong call is answered in one line that says what is wrong, with exit code 2."""
    done = migrate(*argv, cwd=tmp_path)
    assert (done.returncode, says in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("written", "says"),
    [
        pytest.param(b"[shadow", "Expected ']'", id="no TOML"),
        pytest.param(b"\xff\xfe", "utf-8", id="no text"),
        pytest.param(b"shadow = 3", "must be a table: [shadow]", id="no table"),
        pytest.param(b"[shadow]\nrate = 2.0", "shadow.rate", id="out of bounds"),
        pytest.param(
            b"[conductor]\nserver_url = 'h:8080'",
            "conductor.server_url: must begin with http://",
            id="no scheme",
        ),
        pytest.param(
            b"[candidate]\nbus_url = 'h:6379'",
            "candidate.bus_url: must begin with redis://",
            id="no Redis",
        ),
        pytest.param(
            b"[s3]\naccess_key_id_file = '/no'",
            "s3.access_key_id_file: cannot read /no",
            id="no secret",
        ),
        pytest.param(b"[store]\nurl = 'nonsense'", "postgresql+psycopg://", id="no URL"),
    ],
)
def test_a_wrong_configuration_is_code_two(tmp_path: Path, written: bytes, says: str) -> None:
    """What cannot be read or means nothing is named, and never called a bug."""
    (tmp_path / "migrate.toml").write_bytes(written)
    done = migrate("shadow", "status", cwd=tmp_path)
    assert (done.returncode, says in done.stderr) == (2, True), done.stderr
    assert "bug" not in done.stderr


def test_where_nothing_can_be_written_is_said(tmp_path: Path) -> None:
    """A file in the way of a folder is a wrong call; a full disk: path, system's words, code 4."""
    whole = Observation(recording="r", role=Role.PRIMARY, engine=Engine.CELERY, status="completed")
    (tmp_path / "a.json").write_text(whole.model_dump_json(by_alias=True))
    files = ["--reference", "a.json", "--candidate", "a.json"]
    done = migrate("compare", *files, "-o", "html:a.json/page.html", cwd=tmp_path)
    assert (done.returncode, "bug" in done.stderr) == (2, False), done.stderr
    assert "there is no folder a.json" in done.stderr
    full = migrate("compare", *files, "-o", "html:page.html", cwd=tmp_path, limit_bytes=1000)
    assert (full.returncode, "page.html: File too large" in full.stderr) == (4, True), full.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json"]


def test_a_port_that_is_taken_is_code_four(tmp_path: Path) -> None:
    """`serve` never answers with a code that reads as a verdict."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = migrate("serve", "--port", str(port), cwd=tmp_path)
    assert (done.returncode, f"127.0.0.1:{port}" in done.stderr) == (4, True), done.stderr


def test_without_a_command_help_is_shown_as_a_mistake(tmp_path: Path) -> None:
    """All commands on stderr, exit code 2, and no word of an error in it."""
    done = migrate(cwd=tmp_path)
    assert (done.returncode, done.stdout, "error" in done.stderr) == (2, "", False)
    assert "completion" in done.stderr


def test_every_setting_names_its_origin_and_no_password(tmp_path: Path) -> None:
    """File, variable or default; secrets and passwords in URLs are masked everywhere."""
    (tmp_path / "migrate.toml").write_text("[shadow]\nrate = 0.5\n")
    environ = {
        "MIGRATE_STORE__URL": "postgresql+psycopg://u:geheim@h/x",
        "MIGRATE_S3__SECRET_ACCESS_KEY": "geheim",
    }
    done = migrate("config", "show", "--origin", cwd=tmp_path, **environ)
    told = dict(line.split(" = ", 1) for line in done.stdout.splitlines())
    assert told["shadow.rate"].split() == ["0.5", "#", "migrate.toml"]
    assert told["store.url"].endswith("# environment MIGRATE_STORE__URL")
    assert told["shadow.enabled"].split() == ["false", "#", "default"]
    assert "geheim" not in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_for(shell: str, tmp_path: Path) -> None:
    """A script that asks `migrate` itself."""
    done = migrate("completion", shell, cwd=tmp_path)
    assert (done.returncode, f"_MIGRATE_COMPLETE={shell}_complete" in done.stdout) == (0, True)


def test_an_unknown_setting_names_the_nearest(tmp_path: Path) -> None:
    """A typo in migrate.toml is an error, not a silently ignored line."""
    (tmp_path / "migrate.toml").write_text("[shadow]\nenbled = true\n")
    done = migrate("config", "show", cwd=tmp_path)
    assert done.returncode == 2
    assert "shadow.enbled" in done.stderr
    assert "shadow.enabled" in done.stderr


def test_a_file_with_a_missing_field_is_named(tmp_path: Path) -> None:
    """The file and the field, and how to see what is expected."""
    whole = Observation(recording="r", role=Role.PRIMARY, engine=Engine.CELERY, status="completed")
    (tmp_path / "a.json").write_text(whole.model_dump_json(by_alias=True))
    (tmp_path / "b.json").write_text(json.dumps({"schema": "observation/1", "recording": "r"}))
    files = ["--reference", "a.json", "--candidate", "b.json"]
    done = migrate("compare", *files, "--json", cwd=tmp_path)
    assert done.returncode == 2
    assert "b.json: role" in done.stderr
    assert json.loads(done.stdout)["error"]["code"] == "input"


@pytest.mark.live
def test_unreachable_servers_are_code_four(tmp_path: Path) -> None:
    """A doctor without servers says which; a command that needs one could not run."""
    (tmp_path / "migrate.toml").write_text(
        '[conductor]\nserver_url = "http://127.0.0.1:9/api"\n'
        '[reflector]\nbroker_url = "redis://127.0.0.1:9/1"\nbus_url = "redis://127.0.0.1:9/0"\n'
    )
    done = migrate("register", cwd=tmp_path)
    assert done.returncode == 4, done.stderr
    assert "127.0.0.1:9" in done.stderr
    ill = migrate("doctor", cwd=tmp_path)
    assert ill.returncode == 1
    assert "✗ redis" in ill.stdout
    assert "✗ conductor" in ill.stdout


def test_nothing_stored_is_two_not_a_match(tmp_path: Path) -> None:
    """An unknown recording of a real deployment is an error of input."""
    (tmp_path / "migrate.toml").write_text(f'[store]\nurl = "sqlite:///{tmp_path}/s.db"\n')

    new_store(f"sqlite:///{tmp_path}/s.db")
    done = migrate("compare", "rec_000272", cwd=tmp_path)
    assert done.returncode == 2
    assert "rec_000272" in done.stderr


@pytest.mark.live
def test_an_unknown_recording_lists_the_nearest(stack, tmp_path: Path) -> None:
    """In a sandbox a mistyped recording is answered with those that exist."""
    config = str(stack.folders.config)
    done = migrate("--config", config, "compare", "three-voice", cwd=tmp_path)
    assert done.returncode == 2
    assert "three-voices" in done.stderr


@pytest.mark.live
def test_a_missing_track_fails_the_run_with_its_reason(stack) -> None:
    """A track that is gone before the copy: no candidate run, a reason, no comparison."""
    from reflector_migrate.clients.connections import connections
    from reflector_migrate.experiments import compare
    from reflector_migrate.experiments.load_recording import set_stage
    from reflector_migrate.sandbox.recordings import load_recording
    from reflector_migrate.store.evidence import Evidence

    settings = stack.settings
    recording = load_recording(settings.sandbox.recordings, "zero-start")
    before = sum(number for *_, number in Evidence(settings.store_url).nights())
    set_stage(Harness.of(settings), recording)
    s3 = connections(settings).s3
    s3.delete_object(Bucket=settings.reflector.tracks_bucket, Key=recording.keys[0])
    since = compare.now()
    compare.start_primary(settings, recording)
    run = compare._follow(Harness.of(settings), recording, since, 120, lambda *_: None)
    assert run.state == "failed"
    assert recording.keys[0] in (run.reason or "")
    assert sum(number for *_, number in Evidence(settings.store_url).nights()) == before
