"""Only the pinned jar is ever used: fetched from a real local Maven repository, and verified."""

from __future__ import annotations

import hashlib
import http.server
import subprocess
import sys
import threading
from dataclasses import dataclass, field

import pytest

from reflector_migrate.errors import ConfigurationError, MigrateError, ServerUnreachableError
from reflector_migrate.sandbox.download import JARS, Jar, ensure, ensure_jar
from reflector_migrate.sandbox.ports import free_port

pytestmark = pytest.mark.heavy

CONTENT = b"a jar, as far as anybody here can tell\n" * 20_000
JAR = Jar(
    group="org.example.test",
    version="1.0",
    size_bytes=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
)
PATH = "/org/example/test/conductor-server/1.0/conductor-server-1.0-boot.jar"


@dataclass
class Repository:
    """A Maven repository on this machine that gives the queued answers, then the right one."""

    url: str = ""
    answers: list = field(default_factory=list)
    asked: list = field(default_factory=list)

    @property
    def named(self):
        """As `ensure` wants it."""
        return {"local": self.url}


@pytest.fixture
def repository():
    """A running repository."""
    state = Repository()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path != PATH:
                self.send_error(404)
                return
            state.asked.append(self.path)
            body, announced = state.answers.pop(0) if state.answers else (CONTENT, len(CONTENT))
            self.send_response(200)
            self.send_header("Content-Length", str(announced))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args):
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield state
    server.shutdown()
    server.server_close()


def test_a_missing_jar_is_fetched_once(tmp_path, repository):
    """The second call asks no server."""
    first = ensure(JAR, tmp_path, repository.named)
    second = ensure(JAR, tmp_path, repository.named)
    assert first == second == tmp_path / "conductor-server-1.0-boot.jar"
    assert first.read_bytes() == CONTENT
    assert len(repository.asked) == 1


@pytest.mark.parametrize(
    "there",
    [
        pytest.param(CONTENT[:-1], id="truncated"),
        pytest.param(b"b" + CONTENT[1:], id="tampered, of the right size"),
        pytest.param(b"", id="empty"),
        pytest.param(CONTENT + b"x", id="too long"),
    ],
)
def test_a_wrong_jar_in_the_cache_is_refused_and_fetched_again(tmp_path, repository, there):
    """What is in the cache is believed only after its checksum."""
    (tmp_path / JAR.filename).write_bytes(there)
    assert ensure(JAR, tmp_path, repository.named).read_bytes() == CONTENT
    assert len(repository.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((b"b" + CONTENT[1:], len(CONTENT)), id="tampered"),
        pytest.param((CONTENT[:1000], len(CONTENT)), id="connection lost halfway"),
        pytest.param((CONTENT[:1000], 1000), id="truncated at the source"),
    ],
)
def test_a_bad_download_is_tried_again(tmp_path, repository, answer):
    """One bad answer costs a second request, no more."""
    repository.answers.append(answer)
    assert ensure(JAR, tmp_path, repository.named).read_bytes() == CONTENT
    assert len(repository.asked) == 2


def test_a_source_that_stays_wrong_is_refused(tmp_path, repository):
    """Nothing unpinned is left where a later run could pick it up."""
    repository.answers += [(b"b" + CONTENT[1:], len(CONTENT))] * 2
    with pytest.raises(MigrateError, match="is not the pinned file") as refused:
        ensure(JAR, tmp_path, repository.named)
    assert JAR.sha256 in refused.value.hint
    assert list(tmp_path.rglob("*.jar")) == []


def test_offline_names_what_is_missing_and_where_to_put_it(tmp_path):
    """Without a network the error is a recipe."""
    nowhere = {"nowhere": f"http://127.0.0.1:{free_port()}"}
    with pytest.raises(ServerUnreachableError) as offline:
        ensure(JAR, tmp_path, nowhere)
    assert JAR.filename in offline.value.message
    assert "http" not in offline.value.message.lower()
    for word in (JAR.filename, JAR.sha256, str(tmp_path), "org.example.test:conductor-server:1.0"):
        assert word in offline.value.hint


def test_a_repository_without_it_is_a_clear_error(tmp_path, repository):
    """An unknown version ends in the same recipe."""
    other = Jar(group="org.example.test", version="9.9", size_bytes=1, sha256="0" * 64)
    with pytest.raises(ServerUnreachableError, match=r"conductor-server-9\.9-boot\.jar"):
        ensure(other, tmp_path, repository.named)


def test_a_file_put_there_manually_is_used(tmp_path):
    """The recipe works: no network is needed once the file is in its place."""
    (tmp_path / JAR.filename).write_bytes(CONTENT)
    assert ensure(JAR, tmp_path, {"nowhere": "http://127.0.0.1:1"}).read_bytes() == CONTENT


def test_two_processes_at_once_fetch_it_once(tmp_path, repository):
    """The second waits for the first and finds the file there."""
    script = f"""
import sys
from pathlib import Path
from reflector_migrate.sandbox.download import Jar, ensure
jar = Jar("org.example.test", "1.0", {JAR.size_bytes}, {JAR.sha256!r})
print(ensure(jar, Path({str(tmp_path)!r}), {{"local": {repository.url!r}}}))
"""
    both = [subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE) for _ in "ab"]
    errors = [process.communicate(timeout=30)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert len(repository.asked) == 1


def test_what_a_killed_download_left_is_removed(tmp_path, repository):
    """A half-written file of an earlier run is neither used nor kept."""
    left = tmp_path / ".fetch-1.0" / PATH.strip("/")
    left.parent.mkdir(parents=True)
    left.write_bytes(CONTENT[:50])
    assert ensure(JAR, tmp_path, repository.named).read_bytes() == CONTENT
    assert not (tmp_path / ".fetch-1.0").exists()


def test_progress_off_a_terminal_is_plain_lines(tmp_path, repository, capsys):
    """In a log file there are lines, on stderr, and no bar."""
    ensure(JAR, tmp_path, repository.named)
    shown = capsys.readouterr()
    assert shown.err == "fetching conductor-server-1.0-boot.jar, 1 MB\n"
    assert shown.out == ""


def test_both_conductors_are_pinned(tmp_path):
    """The requirements' version and our default; any other is refused with the known ones."""
    assert set(JARS) == {"3.32.3", "3.15.0"}
    with pytest.raises(ConfigurationError, match=r"conductor\.version: 3\.16\.0 is not known"):
        ensure_jar("3.16.0", tmp_path)
