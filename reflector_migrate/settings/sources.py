"""The only reader of the environment and of migrate.toml: nested dictionaries, weakest first."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from platformdirs import user_config_path

from reflector_migrate.errors import ConfigurationError

PLAIN_FILES = frozenset({"kill_switch_file", "waivers_file"})
"""Keys that end like a secret's file and are none."""

Nested = dict[str, Any]


def all_of(app: str, config: Path | None, env: Mapping[str, str]) -> Iterator[tuple[str, Nested]]:
    """(where, what stands there) of the user's file, the project's, and each variable."""
    for path in _files(app, config, env):
        yield str(path), _with_secrets(_read(path))
    for name, found in _from_environ(env):
        yield f"environment {name}", _with_secrets(found)


def merged(found: Iterable[Nested]) -> Nested:
    """All in one; a later source wins, key by key."""
    into: Nested = {}
    for one in found:
        _merge(into, one)
    return into


def keys(found: Nested, prefix: str = "") -> Iterator[str]:
    """Every `section.key` that a source sets."""
    for key, value in found.items():
        if isinstance(value, dict):
            yield from keys(value, f"{prefix}{key}.")
        else:
            yield prefix + key


def _files(app: str, config: Path | None, env: Mapping[str, str]) -> Iterator[Path]:
    explicit = config or (Path(env["MIGRATE_CONFIG"]) if env.get("MIGRATE_CONFIG") else None)
    user = user_config_path(app) / "migrate.toml"
    if user.is_file():
        yield user
    if explicit is not None:
        if not explicit.is_file():
            why = "is not a file" if explicit.exists() else "does not exist"
            raise ConfigurationError(f"configuration file {explicit} {why}")
        yield explicit
    elif Path("migrate.toml").is_file():
        yield Path("migrate.toml")


def _read(path: Path) -> Nested:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}") from None


def _from_environ(env: Mapping[str, str]) -> Iterator[tuple[str, Nested]]:
    for name, text in sorted(env.items()):
        if name == "MIGRATE_SHADOW":
            yield name, {"shadow": {"enabled": text}}
        elif name.startswith("MIGRATE_") and "__" in name:
            section, _, key = name.removeprefix("MIGRATE_").lower().partition("__")
            is_list = key in {"rooms", "defects"}
            listed = [t.strip() for t in text.split(",") if t.strip()]
            yield name, {section: {key: listed if is_list else text}}
        elif name in {"MIGRATE_STATE_DIR", "MIGRATE_LOG_FORMAT", "MIGRATE_IS_SANDBOX"}:
            yield name, {name.removeprefix("MIGRATE_").lower(): text}


def _merge(into: dict[str, Any], new: Mapping[str, Any]) -> None:
    for key, value in new.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value


def _with_secrets(found: Nested) -> Nested:
    """The same, with what each `*_file` names read into the key it stands for."""
    for name, section in [(n, s) for n, s in found.items() if isinstance(s, dict)]:
        for key in [k for k in section if k.endswith("_file") and k not in PLAIN_FILES]:
            path = Path(section.pop(key))
            try:
                section[key.removesuffix("_file")] = path.read_text(encoding="utf-8").strip()
            except OSError as error:
                said = f"setting {name}.{key}: cannot read {path}: {error.strerror}"
                raise ConfigurationError(said) from None
    return found
