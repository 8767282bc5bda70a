"""A Conductor that boots in a third of the time: unpacked, with the JVM's ahead-of-time cache.

Loading and verifying its classes is most of a cold boot (about 30 s of processor
time, 10 s with the cache). The cache is made once per machine by `build`, which
takes a minute or two; without it, or when anything about it does not fit,
Conductor boots from the verified jar as ever.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from reflector_migrate.errors import MigrateError
from reflector_migrate.sandbox.download import ensure_jar, pinned
from reflector_migrate.sandbox.interrupt import interruptible
from reflector_migrate.sandbox.ports import free_port
from reflector_migrate.sandbox.process import stop
from reflector_migrate.sandbox.process_table import locked
from reflector_migrate.sandbox.reaper import Reaper
from reflector_migrate.sandbox.servers.base import Folders
from reflector_migrate.sandbox.servers.conductor import conductor, java
from reflector_migrate.sandbox.starter import Say, Starter
from reflector_migrate.sandbox.teardown import stop_everything
from reflector_migrate.settings import Settings
from reflector_migrate.store.atomic_write import PRIVATE, write_aside

WARMABLE = "3.32.3"  # 3.15.0's loader cannot be unpacked this way
_UNPACK_TIMEOUT_S = 120
_WRITE_TIMEOUT_S = 400.0


@dataclass(frozen=True, slots=True)
class Warm:
    """The unpacked Conductor of one jar and one Java."""

    folder: Path

    @classmethod
    def of(cls, settings: Settings, runtime: str) -> Warm:
        """Where it belongs; another jar or another Java has another folder."""
        words = f"{pinned(WARMABLE).sha256} {_identity(Path(runtime))}"
        name = hashlib.sha256(words.encode()).hexdigest()[:16]
        return cls(settings.cache_dir / "warm" / name)

    @property
    def jar(self) -> Path:
        """The unpacked application's starting jar."""
        return self.folder / "app" / pinned(WARMABLE).filename

    @property
    def cache(self) -> Path:
        """The JVM's ahead-of-time cache."""
        return self.folder / "conductor.aot"

    @property
    def _manifest(self) -> Path:
        return self.folder / "manifest.json"

    def is_intact(self) -> bool:
        """Whether every file is there as it was made; about half a second."""
        try:
            return bool(json.loads(self._manifest.read_text(encoding="utf-8")) == self._digests())
        except (OSError, ValueError):
            return False

    def seal(self) -> None:
        """Write down what every file must be."""
        write_aside(self._manifest, json.dumps(self._digests(), indent=0), PRIVATE)

    def _digests(self) -> dict[str, str]:
        files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        wanted = [path for path in files if path.suffix in {".jar", ".aot"}]
        return {str(path.relative_to(self.folder)): _sha256(path) for path in wanted}


def boot_words(settings: Settings, jar: Path) -> tuple[str, ...]:
    """What to give Java to run Conductor: the warm one if it is there and intact, else the jar."""
    if settings.conductor.version == WARMABLE:
        warm = Warm.of(settings, java(settings))
        if warm.is_intact():
            return (f"-XX:AOTCache={warm.cache}", "-jar", str(warm.jar))
    return ("-jar", str(jar))


def build(settings: Settings, say: Say) -> bool:
    """Make the warm Conductor unless it is there; True when it was made now.

    Boots Conductor once and stops it. Raises MigrateError when the JVM writes no cache.
    """
    warm = Warm.of(settings, java(settings))
    warm.folder.mkdir(parents=True, exist_ok=True)
    with locked(warm.folder / ".lock"):
        if warm.is_intact():
            return False
        say("preparing Conductor for quick starts, once on this machine")
        jar = ensure_jar(WARMABLE, settings.cache_dir)
        _unpack(jar, warm, java(settings))
        _train(settings, warm)
        warm.seal()
    return True


def _unpack(jar: Path, warm: Warm, runtime: str) -> None:
    shutil.rmtree(warm.jar.parent, ignore_errors=True)
    where = ("--force", "--destination", str(warm.jar.parent))
    argv = [runtime, "-Djarmode=tools", "-jar", str(jar), "extract", *where]
    done = subprocess.run(argv, capture_output=True, timeout=_UNPACK_TIMEOUT_S, check=False)
    if done.returncode or not warm.jar.is_file():
        raise MigrateError(f"cannot unpack {jar.name}: {done.stderr.decode(errors='replace')}")


def _train(settings: Settings, warm: Warm) -> None:
    """One boot whose classes the JVM remembers; it writes the cache when it is stopped."""
    warm.cache.unlink(missing_ok=True)
    folders = Folders(warm.folder / "training")
    stop_everything(folders.root)  # what a killed training left
    words = (f"-XX:AOTCacheOutput={warm.cache}", "-jar", str(warm.jar))
    with ExitStack() as undo:
        undo.enter_context(interruptible())
        undo.callback(shutil.rmtree, folders.root, ignore_errors=True)
        undo.callback(Reaper.watch(folders.root).dismiss)
        undo.callback(stop_everything, folders.root)
        starter = Starter(folders, timeout_s=settings.sandbox.start_timeout_s, say=lambda _: None)
        starter.run([conductor(settings, folders, free_port(), words, redis_port=0)], {}, [])
        stop(starter.records.read(), starter.records, _WRITE_TIMEOUT_S)
    if not warm.cache.is_file():
        raise MigrateError("this Java wrote no ahead-of-time cache", hint="Java 25 or newer can")


def _identity(runtime: Path) -> str:
    """Which Java this is: its release file, else where it is."""
    release = runtime.resolve().parents[1] / "release"
    return release.read_text(encoding="utf-8") if release.is_file() else str(runtime)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
