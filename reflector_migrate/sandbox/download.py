"""The Conductor boot jar: fetched once by `jgo`, and used only if it is the pinned file.

Nothing but the exact bytes named here is ever run: a truncated, tampered or
half-written file is removed and fetched again.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reflector_migrate.errors import ConfigurationError, MigrateError, ServerUnreachableError
from reflector_migrate.sandbox.process_table import locked
from reflector_migrate.sandbox.progress import download_progress

_TRIES = 2
_READ_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Jar:
    """One pinned artifact: its Maven coordinate, size and SHA-256."""

    group: str
    version: str
    size_bytes: int
    sha256: str
    artifact: str = "conductor-server"
    classifier: str = "boot"

    @property
    def filename(self) -> str:
        """The file's name, as its repository has it."""
        return f"{self.artifact}-{self.version}-{self.classifier}.jar"


JARS = {
    jar.version: jar
    for jar in (
        Jar(
            group="org.conductoross",
            version="3.32.3",
            size_bytes=457_760_812,
            sha256="6b1615a5beb82bbbfa05219d0f1b84440aa8c0bef1371662803ef5588d7d507b",
        ),
        Jar(
            group="com.netflix.conductor",
            version="3.15.0",
            size_bytes=108_667_392,
            sha256="0d6e4d00604cd05f3577689294ebd13435f097850831f1b31f7434cd29d68e63",
        ),
    )
}


def ensure_jar(version: str, cache_dir: Path) -> Path:
    """The verified boot jar of this Conductor version, fetched when it is not in the cache.

    Raises as `pinned` and `ensure` do.
    """
    return ensure(pinned(version), cache_dir / "jars")


def pinned(version: str) -> Jar:
    """What we know of this Conductor version; ConfigurationError when there is no pin for it."""
    if version not in JARS:
        known = " or ".join(JARS)
        raise ConfigurationError(
            f"setting conductor.version: {version} is not known", hint=f"use {known}"
        )
    return JARS[version]


def ensure(jar: Jar, folder: Path, repositories: Mapping[str, str] | None = None) -> Path:
    """The pinned file in `folder`, fetched when missing or wrong; safe for several processes.

    `repositories` are Maven repositories by name, instead of those jgo is
    configured with. Raises ServerUnreachableError when it cannot be fetched,
    MigrateError when what comes is not the pinned file.
    """
    path = folder / jar.filename
    if is_intact(path, jar):
        return path
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / f".{jar.filename}.lock"):
        if not is_intact(path, jar):
            path.unlink(missing_ok=True)
            _fetch(jar, folder, repositories).replace(path)
            shutil.rmtree(_workshop(jar, folder), ignore_errors=True)
    return path


def is_intact(path: Path, jar: Jar) -> bool:
    """Whether the file is there and has the pinned size and SHA-256."""
    try:
        if path.stat().st_size != jar.size_bytes:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


def _fetch(jar: Jar, folder: Path, repositories: Mapping[str, str] | None) -> Path:
    failure: MigrateError | None = None
    for _ in range(_TRIES):
        shutil.rmtree(_workshop(jar, folder), ignore_errors=True)  # what a killed one left, too
        try:
            fetched = _resolve(jar, _workshop(jar, folder), repositories)
        except (OSError, RuntimeError) as error:
            failure = _unreachable(jar, folder, error)
            continue
        if is_intact(fetched, jar):
            return fetched
        failure = MigrateError(
            f"{jar.filename} as downloaded is not the pinned file (SHA-256 {jar.sha256})",
            hint=_by_hand(jar, folder),
        )
    shutil.rmtree(_workshop(jar, folder), ignore_errors=True)
    raise failure or _unreachable(jar, folder, OSError("never tried"))


def _resolve(jar: Jar, workshop: Path, repositories: Mapping[str, str] | None) -> Path:
    from jgo.config import GlobalSettings
    from jgo.maven import MavenContext, PythonResolver

    context = MavenContext(
        resolver=PythonResolver(progress_callback=download_progress),
        repo_cache=workshop,
        remote_repos=dict(repositories or GlobalSettings.load().repositories) or None,
        timeout=_READ_TIMEOUT_S,
    )
    component = context.project(jar.group, jar.artifact).at_version(jar.version)
    return Path(component.artifact(classifier=jar.classifier).resolve())


def _workshop(jar: Jar, folder: Path) -> Path:
    return folder / f".fetch-{jar.version}"


def _unreachable(jar: Jar, folder: Path, error: Exception) -> ServerUnreachableError:
    reason = type(error).__name__  # its text names hosts and is long; the way out is the same
    return ServerUnreachableError(
        f"cannot download {jar.filename} ({jar.size_bytes / 1e6:.0f} MB): {reason}",
        hint=_by_hand(jar, folder),
    )


def _by_hand(jar: Jar, folder: Path) -> str:
    coordinate = f"{jar.group}:{jar.artifact}:{jar.version}:{jar.classifier}"
    return f"put {jar.filename} ({coordinate}, SHA-256 {jar.sha256}) into {folder}"
