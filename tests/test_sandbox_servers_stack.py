"""The sandbox as a whole comes up, is found, and goes, however its owner ends."""

from __future__ import annotations

import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import time
import tomllib

import psutil
import pytest

from reflector_migrate.errors import InputError, ServerUnreachableError
from reflector_migrate.sandbox import stack as stack_module
from reflector_migrate.sandbox.probe import redis_ok
from reflector_migrate.sandbox.process import is_alive
from reflector_migrate.sandbox.process_table import Records
from reflector_migrate.sandbox.running import load_running, sandbox_folder
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.sandbox.starter import PortTakenError
from reflector_migrate.settings import Settings

pytestmark = pytest.mark.heavy

OWNER = """
import sys, time
from pathlib import Path
from reflector_migrate.sandbox.stack import Sandbox
from reflector_migrate.settings import Settings
is_detached = sys.argv[2] == "detached"
sandbox = Sandbox(Settings(), Path(sys.argv[1]), with_=("redis",), detached=is_detached)
if is_detached:
    sandbox.up()
    print("up", flush=True)
    time.sleep(60)
with sandbox:
    print("up", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def owner(tmp_path):
    """Start another process that owns a sandbox here; ended with all it started."""
    started = []

    def begin(mode):
        argv = [sys.executable, "-c", OWNER, str(tmp_path), mode]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        started.append(process)
        assert process.stdout.readline() == b"up\n"
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()
    Sandbox(Settings(), tmp_path).down()


def alive(folder):
    """The recorded processes that still run."""
    return [record for record in Records.of(folder).read() if is_alive(record)]


def until(condition, wait_s=10.0):
    """Wait for a condition, and fail when it does not come."""
    deadline = time.monotonic() + wait_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_a_sandbox_is_up_within_its_block_and_gone_after_it(tmp_path):
    """Inside everything answers; outside nothing runs and nothing is recorded."""
    with Sandbox(Settings(), tmp_path, with_=("redis",)) as sandbox:
        (row,) = sandbox.status()
        assert (row.name, row.health) == ("redis", "healthy")
        assert redis_ok(row.port)()
    assert not redis_ok(row.port)()
    assert Records.of(tmp_path).read() == ()


def test_a_full_disk_keeps_nothing_running(tmp_path):
    """What cannot be written down any more is stopped all the same, one after the other."""
    sandbox = Sandbox(Settings(), tmp_path, with_=("redis", "s3"), detached=True)
    sandbox.up()
    before = alive(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        sandbox.down()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(before) == 2
    assert alive(tmp_path) == []
    assert load_running(tmp_path) is None


def test_up_twice_says_it_is_up_already(tmp_path):
    """The second `up` starts nothing, and leaving it stops nothing."""
    with Sandbox(Settings(), tmp_path, with_=("redis",)) as first:
        second = Sandbox(Settings(), tmp_path, with_=("redis",))
        assert second.up() is False
        assert second.settings == first.settings
        with Sandbox(Settings(), tmp_path, with_=("redis",)):
            pass
        assert [row.health for row in first.status()] == ["healthy"]


def test_other_commands_find_the_running_sandbox(tmp_path):
    """Its settings can be loaded while it runs, and not before or after."""
    assert load_running(tmp_path) is None
    with Sandbox(Settings(), tmp_path, with_=("redis",)) as sandbox:
        assert load_running(tmp_path) == sandbox.settings
    assert load_running(tmp_path) is None


def test_a_killed_server_shows_and_can_be_restarted_with_its_data(tmp_path):
    """After SIGKILL the server is `stopped`; a restart keeps its port and data."""
    with Sandbox(Settings(), tmp_path, with_=("redis",)) as sandbox:
        port = sandbox.status()[0].port
        redis_cli(port, b"SET greeting hello\r\n")
        sandbox.kill("redis")
        until(lambda: sandbox.status()[0].health == "stopped")
        assert load_running(tmp_path) is None
        sandbox.restart("redis")
        assert sandbox.status()[0].port == port
        assert redis_cli(port, b"GET greeting\r\n") == b"$5\r\nhello\r\n"


def redis_cli(port, command):
    """One raw exchange with Redis."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(command)
        return connection.recv(100)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_however_the_owner_of_a_foreground_sandbox_ends_nothing_is_left(tmp_path, owner, number):
    """Even SIGKILL of the owner stops every server within ten seconds."""
    process = owner("foreground")
    (record,) = alive(tmp_path)
    process.send_signal(number)
    until(lambda: not is_alive(record))
    process.wait(60)  # the servers are gone; how soon Python ends is the machine's matter
    until(lambda: Records.of(tmp_path).read() == ())


def test_a_detached_sandbox_outlives_its_owner_until_down(tmp_path, owner):
    """Its owner may die; `down` from elsewhere ends it."""
    process = owner("detached")
    process.kill()
    process.wait(10)
    assert load_running(tmp_path) is not None
    assert Sandbox(Settings(), tmp_path).down() == ()
    assert alive(tmp_path) == []


def test_up_cleans_what_a_crash_left(tmp_path, owner):
    """With half of it dead, `up` stops the rest and starts again."""
    owner("detached").kill()
    (left,) = alive(tmp_path)
    records = Records.of(tmp_path)
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    stray = subprocess.Popen(
        sleeper, env={**os.environ, "MIGRATE_SANDBOX_MARK": records.mark()}, start_new_session=True
    )
    records.add(left.__class__("dead", 2**22 - 1, 1.0, ("gone",), "log"))
    with Sandbox(Settings(), tmp_path, with_=("redis",)) as sandbox:
        assert not is_alive(left)
        assert not psutil.pid_exists(stray.pid)
        stray.wait(5)
        assert [row.name for row in sandbox.status()] == ["redis"]


def test_a_server_that_cannot_start_is_named_and_the_others_are_stopped(tmp_path):
    """One clear line with the log's place; nothing keeps running."""
    broken = tmp_path / "broken-redis"
    broken.write_text("#!/bin/sh\necho 'no luck today'\nexit 1\n")
    broken.chmod(0o755)
    settings = Settings.model_validate({"sandbox": {"redis_server": str(broken)}})
    folder = tmp_path / "box"
    with pytest.raises(ServerUnreachableError, match="redis ended while starting: no luck today"):
        Sandbox(settings, folder, with_=("redis", "s3")).up()
    assert Records.of(folder).read() == ()


def test_a_server_that_never_gets_ready_is_given_up(tmp_path):
    """The wait is bounded, and says for how long it waited."""
    silent = tmp_path / "silent-redis"
    silent.write_text("#!/bin/sh\nexec sleep 60\n")
    silent.chmod(0o755)
    choice = {"redis_server": str(silent), "start_timeout_s": 0.5}
    settings = Settings.model_validate({"sandbox": choice})
    with pytest.raises(ServerUnreachableError, match=r"redis was not ready within 0\.5 s"):
        Sandbox(settings, tmp_path / "box", with_=("redis",)).up()
    assert Records.of(tmp_path / "box").read() == ()


@pytest.mark.live
def test_a_port_taken_in_between_is_tried_again_with_another(tmp_path, monkeypatch):
    """A clash costs one more start, not the sandbox."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = taken.getsockname()[1]
        answers = [dict.fromkeys(stack_module.PORTS, busy), None]
        choose = stack_module.free_ports
        monkeypatch.setattr(
            stack_module, "free_ports", lambda names: answers.pop(0) or choose(names)
        )
        with Sandbox(Settings(), tmp_path, with_=("redis",)) as sandbox:
            assert sandbox.status()[0].port != busy
    assert answers == []


@pytest.mark.live
def test_a_port_taken_every_time_is_an_error(tmp_path, monkeypatch):
    """The retries are bounded."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = dict.fromkeys(stack_module.PORTS, taken.getsockname()[1])
        monkeypatch.setattr(stack_module, "free_ports", lambda _: ports)
        with pytest.raises(PortTakenError):
            Sandbox(Settings(), tmp_path, with_=("redis",)).up()
    assert Records.of(tmp_path).read() == ()


def test_the_configuration_is_private_and_holds_no_secret(tmp_path):
    """Secrets are in files of their own, all for the owner's eyes only, and never on argv."""
    with Sandbox(Settings(), tmp_path, with_=("redis",)) as sandbox:
        secret = sandbox.settings.s3.secret_access_key.get_secret_value()
        arguments = [" ".join(psutil.Process(row.pid).cmdline()) for row in sandbox.status()]
    text = (tmp_path / "migrate.toml").read_text()
    assert secret not in text
    assert not any(secret in line for line in arguments)
    files = [tmp_path / "migrate.toml", *(tmp_path / "secrets").iterdir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert tomllib.loads(text)["is_sandbox"] is True


def test_the_sides_share_no_place(tmp_path):
    """The candidate's database, buckets, bus and folder are never the primary's."""
    with Sandbox(Settings(), tmp_path, with_=("redis",)) as sandbox:
        ours, theirs = sandbox.settings.candidate, sandbox.settings.reflector
    for name in ("database_url", "tracks_bucket", "media_bucket", "bus_url", "data_dir"):
        assert getattr(ours, name) != getattr(theirs, name), name


def test_settings_given_win_over_the_sandbox_s_own(tmp_path):
    """`changes` replace what the sandbox would choose, such as its databases."""
    url = "postgresql+psycopg://postgres@127.0.0.1:1/x"
    changes = {"store": {"url": url}, "workers": {"light": 3}}
    base = Settings.model_validate({"cache": {"ttl_s": 5}})
    with Sandbox(base, tmp_path, with_=("redis",), defects=("d",), changes=changes) as sandbox:
        settings = sandbox.settings
    assert settings.store_url == url
    assert (settings.workers.light, settings.workers.defects) == (3, ("d",))
    assert settings.cache.ttl_s == 5


def test_unknown_names_are_refused(tmp_path):
    """A part that does not exist, or does not run, is one clear line."""
    with pytest.raises(InputError, match="unknown part of the sandbox: kafka"):
        Sandbox(Settings(), tmp_path, with_=("kafka",))
    with pytest.raises(InputError, match="redis does not run"):
        Sandbox(Settings(), tmp_path).kill("redis")


def test_the_default_folder_is_the_setting_or_dot_sandbox(tmp_path, monkeypatch):
    """`sandbox.dir` wins; without it ./.sandbox."""
    monkeypatch.chdir(tmp_path)
    assert sandbox_folder(Settings()) == tmp_path / ".sandbox"
    named = Settings.model_validate({"sandbox": {"dir": str(tmp_path / "x")}})
    assert sandbox_folder(named) == tmp_path / "x"
