"""The only reader of the environment and of migrate.toml: where settings stand, strongest first.

pydantic-settings reads and merges them. What is added here: secrets in `*_file` keys,
`MIGRATE_SHADOW` for `shadow.enabled`, lists separated by commas, and an error for a section
that does not exist.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from platformdirs import site_config_path, user_config_path
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    TomlConfigSettingsSource,
)

from reflector_migrate.errors import ConfigurationError
from reflector_migrate.settings.whole import APP

PREFIX, DELIMITER = "MIGRATE_", "__"
FLAG = "MIGRATE_SHADOW"
TABLE = ("tool", "migrate")
PLAIN_FILES = frozenset(
    {"back_file", "gates_file", "kill_switch_file", "reflector_env_file", "waivers_file"}
)
"""Keys that end like a secret's file and are files themselves."""

Nested = dict[str, Any]


def sources_of(
    model: type[BaseSettings],
    config: Path | None,
    environ: Mapping[str, str],
    unread: list[str] | None = None,
) -> Iterator[tuple[str, PydanticBaseSettingsSource]]:
    """(where, source) of the environment, then the files: the first to name a key wins.

    A secret's file that cannot be read is an error; with a list for `unread` it is named there.
    """
    yield "environment", Environment(model, environ, unread)
    for path, table in _files(config, environ):
        yield str(path), TomlFile(model, path, table, unread)


def stats_of(
    config: Path | None, environ: Mapping[str, str]
) -> Iterator[tuple[Path, os.stat_result]]:
    """The settings files that are there now and the secrets' files named, with size and time."""
    ours = {_key(name): text for name, text in environ.items() if name.startswith(PREFIX)}
    secrets = [text for key, text in ours.items() if _is_secrets_file(key)]
    with suppress(ConfigurationError, OSError):
        for path, table in _files(config, environ):
            yield path, path.stat()
            secrets += _named_in(path, table)
    for secret in sorted(set(secrets)):
        with suppress(OSError, ValueError):
            yield Path(secret), Path(secret).stat()


class Environment(EnvSettingsSource):
    """`MIGRATE_SECTION__KEY=value`, from the mapping given."""

    def __init__(
        self,
        model: type[BaseSettings],
        environ: Mapping[str, str],
        unread: list[str] | None = None,
    ) -> None:
        super().__init__(model, env_prefix=PREFIX, env_nested_delimiter=DELIMITER)
        self.unread = unread
        ours = {name: text for name, text in sorted(environ.items()) if name.startswith(PREFIX)}
        self.names = {_key(name): name for name in ours}
        self.env_vars = {_variable(name).lower(): text for name, text in ours.items()}

    def variable(self, key: str) -> str:
        """The variable that sets `section.key`, itself or by a secret's file."""
        return self.names.get(key) or self.names[f"{key}_file"]

    def decode_complex_value(self, _name: str, _field: FieldInfo, value: Any) -> Any:
        """JSON where it looks like JSON, else a list separated by commas."""
        if value.lstrip().startswith(("[", "{")):
            return json.loads(value)
        return [item.strip() for item in value.split(",") if item.strip()]

    def __call__(self) -> Nested:
        """Every variable with a section, unknown sections included; secrets read."""
        found = super().__call__()
        for key in self.names:
            section, has_key, name = key.partition(".")
            if has_key and section not in self.settings_cls.model_fields:
                found.setdefault(section, {})[name] = ""
        return with_secrets(found, self.unread)


class TomlFile(TomlConfigSettingsSource):
    """A migrate.toml, or the table `tool.migrate` of a pyproject.toml; secrets read."""

    def __init__(
        self,
        model: type[BaseSettings],
        path: Path,
        table: tuple[str, ...],
        unread: list[str] | None = None,
    ) -> None:
        self.unread = unread
        try:
            super().__init__(model, toml_file=path, toml_table_header=table)
        except OSError as error:
            raise ConfigurationError(f"{path}: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"{path}: {error}") from None
        except tomllib.TOMLDecodeError as error:
            last = path.read_text(encoding="utf-8").count("\n") + 1
            said = str(error).replace("at end of document", f"at the file's end, line {last}")
            raise ConfigurationError(f"{path}: {said}", hint="is it half written?") from None

    def __call__(self) -> Nested:
        """The file's tables; secrets read."""
        return with_secrets(InitSettingsSource.__call__(self), self.unread)


def keys(found: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Every `section.key` that a source sets."""
    for key, value in found.items():
        if isinstance(value, dict):
            yield from keys(value, f"{prefix}{key}.")
        else:
            yield prefix + key


def with_secrets(found: Nested, unread: list[str] | None = None) -> Nested:
    """The same, with what each `*_file` names read into the key it stands for."""
    return {
        name: dict(_secrets_read(name, section, unread)) if isinstance(section, dict) else section
        for name, section in found.items()
    }


def _secrets_read(
    name: str, section: Nested, unread: list[str] | None
) -> Iterator[tuple[str, Any]]:
    for key, value in section.items():
        if not _is_secrets_file(key):
            yield key, value
            continue
        try:
            text = Path(value).read_text(encoding="utf-8")
        except OSError as error:
            said = f"setting {name}.{key}: cannot read {value}: {error.strerror}"
            if unread is None:
                hint = "`migrate config show` shows all settings, with what is missing"
                raise ConfigurationError(said, hint=hint) from None
            unread.append(said)
            continue
        yield key.removesuffix("_file"), text.strip()


def _is_secrets_file(key: str) -> bool:
    return key.endswith("_file") and key.rpartition(".")[2] not in PLAIN_FILES


def _named_in(path: Path, table: tuple[str, ...]) -> Iterator[str]:
    """The secrets' files that a settings file names; none while it cannot be read."""
    with suppress(OSError, ValueError, AttributeError):
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        for name in table:
            found = found[name]
        for section in found.values():
            if isinstance(section, dict):
                yield from (str(v) for key, v in section.items() if _is_secrets_file(key))


def _files(
    config: Path | None, environ: Mapping[str, str]
) -> Iterator[tuple[Path, tuple[str, ...]]]:
    named = environ.get("MIGRATE_CONFIG")
    explicit = config or (Path(named) if named else None)
    if explicit is not None:
        if not explicit.is_file():
            why = "is not a file" if explicit.exists() else "does not exist"
            raise ConfigurationError(f"configuration file {explicit} {why}")
        yield explicit, ()
    elif (here := file_here()) is not None:
        yield here, () if here.name == "migrate.toml" else TABLE
    for path in (user_config_path(APP) / "migrate.toml", site_config_path(APP) / "migrate.toml"):
        if path.is_file():
            yield path, ()


def file_here() -> Path | None:
    """This folder's settings: ./migrate.toml, else a ./pyproject.toml with `[tool.migrate]`."""
    if Path("migrate.toml").is_file():
        return Path("migrate.toml")
    return Path("pyproject.toml") if _has_table(Path("pyproject.toml")) else None


def _has_table(path: Path) -> bool:
    try:
        return "migrate" in tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, ValueError):  # somebody else's file: not ours to complain about
        return False


def _variable(name: str) -> str:
    return f"{FLAG}{DELIMITER}ENABLED" if name == FLAG else name


def _key(name: str) -> str:
    return _variable(name).removeprefix(PREFIX).lower().replace(DELIMITER, ".", 1)
