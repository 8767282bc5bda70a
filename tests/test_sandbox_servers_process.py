"""Supervision: what is started is found again and stopped, and no other process is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest

from reflector_migrate.errors import InputError
from reflector_migrate.sandbox.process import Command, is_alive, listens, send, start, stop
from reflector_migrate.sandbox.process_table import ProcessRecord, Records, redact
from reflector_migrate.sandbox.teardown import stop_everything

pytestmark = pytest.mark.heavy

SLEEPER = "import time; print('up', flush=True); time.sleep(120)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {DEAF!r}]); " + SLEEPER
ORPHANING = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPER!r}])"


@pytest.fixture
def records(tmp_path):
    """The records of a sandbox folder; what a failing test leaves in it is stopped."""
    yield Records.of(tmp_path)
    stop_everything(tmp_path)


def run(records, script, name="child", lines=1):
    """Start a Python one-liner and wait until it has said so many lines."""
    folder = records.path.parent
    command = Command(
        name, (sys.executable, "-c", script), dict(os.environ), folder, folder / f"{name}.log"
    )
    record = start(command, records)
    until(lambda: command.log.read_text().count("up") >= lines)
    return record


def until(condition, wait_s=10.0):
    """Wait for a condition, and fail when it does not come."""
    deadline = time.monotonic() + wait_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def session(record):
    """The living processes of the record's session."""
    found = [p for p in psutil.process_iter() if sid(p.pid) == record.pid]
    return [p for p in found if p.status() != psutil.STATUS_ZOMBIE]


def sid(pid):
    """The session a process belongs to, or none."""
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def test_a_child_is_recorded_with_pid_and_start_time(records):
    """The record names exactly the process that runs, in a session of its own."""
    record = run(records, SLEEPER)
    assert records.read() == (record,)
    assert psutil.Process(record.pid).create_time() == pytest.approx(record.started, abs=0.5)
    assert os.getsid(record.pid) == record.pid
    assert is_alive(record)


def test_a_child_that_heeds_sigterm_is_gone_and_forgotten(records):
    """An orderly stop needs no SIGKILL and leaves no record."""
    record = run(records, SLEEPER)
    assert stop([record], records, grace_s=5) == ()
    assert not is_alive(record)
    assert records.read() == ()


def test_a_child_that_ignores_sigterm_is_killed_in_time(records):
    """After the grace SIGKILL ends it, and its name is reported."""
    record = run(records, DEAF)
    begun = time.monotonic()
    assert stop([record], records, grace_s=0.3) == ("child",)
    assert time.monotonic() - begun < 8
    assert not is_alive(record)


def test_grandchildren_die_with_their_parent_even_when_deaf(records):
    """The whole group ends, also members that ignore SIGTERM."""
    record = run(records, PARENT, lines=2)
    assert len(session(record)) == 2
    stop([record], records, grace_s=0.3)
    assert session(record) == []


def test_orphans_of_a_dead_leader_are_found(records):
    """A leader that is gone does not hide what it started."""
    record = run(records, ORPHANING)
    until(lambda: not is_alive(record))
    assert len(session(record)) == 1
    stop([record], records, grace_s=5)
    assert session(record) == []


def test_a_process_that_left_its_session_is_found_by_its_mark(records):
    """Not even a daemonised grandchild stays."""
    daemon = f"subprocess.Popen([sys.executable, '-c', {SLEEPER!r}], start_new_session=True)"
    run(records, f"import subprocess, sys; {daemon}; " + SLEEPER, lines=2)
    mark = records.mark()
    stop_everything(records.path.parent)
    carrying = [p for p in psutil.process_iter() if mark in environment(p).values()]
    assert carrying == []


def environment(process):
    """A process's environment, empty when it is gone or not ours to see."""
    try:
        return process.environ()
    except (psutil.Error, OSError):
        return {}


def test_a_stale_record_never_ends_the_process_that_has_its_pid_now(records):
    """A reused pid belongs to another process: it is neither alive for us nor signalled."""
    stranger = run(records, SLEEPER, name="stranger")
    stale = replace(stranger, name="stale", started=stranger.started - 60)
    records.add(stale)
    assert not is_alive(stale)
    assert not send(stale, signal.SIGKILL)
    stop([stale], records, grace_s=0.2)
    assert is_alive(stranger)
    assert records.read() == (stranger,)


def test_nothing_runs_when_the_parent_dies_before_writing_the_record(tmp_path):
    """Killed between fork and record, a parent leaves no unrecorded process."""
    touched = tmp_path / "touched"
    script = f"""
import os, signal, sys
from pathlib import Path
from reflector_migrate.sandbox import process, process_table
def dies(self, record):
    print(record.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
process_table.Records.add = dies
argv = (sys.executable, "-c", "open({str(touched)!r}, 'w').close()")
here = Path({str(tmp_path)!r})
command = process.Command("x", argv, {{}}, here, here / "x.log")
process.start(command, process_table.Records.of(here))
"""
    parent = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, timeout=20, check=False
    )
    assert parent.returncode == -signal.SIGKILL
    until(lambda: not psutil.pid_exists(int(parent.stdout)))
    assert not touched.exists()


def test_a_port_is_ours_only_if_our_group_listens_on_it(records):
    """Another server on the same port never passes for ours."""
    script = "import socket; s = socket.create_server(('127.0.0.1', 0)); "
    server = run(records, script + "print('port', s.getsockname()[1]); " + SLEEPER, name="server")
    log = (records.path.parent / "server.log").read_text().split()
    port = int(log[log.index("port") + 1])
    other = run(records, SLEEPER, name="other")
    assert listens(replace(server, port=port))
    assert not listens(replace(other, port=port))


def test_a_program_that_does_not_exist_says_so_in_its_log(records):
    """A missing program ends with 127 and one clear line."""
    folder = records.path.parent
    command = Command("ghost", ("/no/such/program",), {}, folder, folder / "ghost.log")
    record = start(command, records)
    until(lambda: not is_alive(record))
    assert command.log.read_text() == "cannot run /no/such/program: No such file or directory\n"


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        pytest.param("redis://u:secret@h:1/0", "redis://***@h:1/0", id="password in a URL"),
        pytest.param("--api_key=abc", "--api_key=***", id="value of a secret option"),
        pytest.param("--requirepass.token=a=b", "--requirepass.token=***", id="value with an ="),
        pytest.param("--server.port=80", "--server.port=80", id="nothing secret"),
    ],
)
def test_records_hold_no_secret(word, shown):
    """Command lines are recorded without what they must not show."""
    assert redact([word]) == (shown,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("{", "cannot be read", id="truncated file"),
        pytest.param('{"version": 99}', "version 99; this build knows 1", id="newer version"),
    ],
)
def test_a_file_we_cannot_trust_is_refused(tmp_path, text, message):
    """Records we cannot read stop the work with one clear line."""
    (tmp_path / "processes.json").write_text(text)
    with pytest.raises(InputError, match=message):
        Records.of(tmp_path).read()


def test_records_of_one_name_replace_each_other(tmp_path):
    """A restarted server has one record: the newest."""
    records = Records.of(tmp_path)
    first = ProcessRecord("redis", 1, 1.0, ("a",), "log")
    second = replace(first, pid=2)
    records.add(first)
    records.add(second)
    assert records.read() == (second,)
    assert records.find("redis") == second
    assert records.find("s3") is None
