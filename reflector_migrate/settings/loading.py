"""From what stands in files and the environment to one valid object, or an error with the key."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from reflector_migrate.errors import ConfigurationError
from reflector_migrate.settings.sources import Environment, keys, sources_of, stats_of
from reflector_migrate.settings.whole import Settings


def load_settings(
    config: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    unread: list[str] | None = None,
) -> Settings:
    """Read, merge and validate every source; raise ConfigurationError naming the key.

    With a list for `unread`, secrets' files that cannot be read are named there instead.
    """
    env = os.environ if environ is None else environ

    class Read(_Schema):
        @classmethod
        def settings_customise_sources(  # type: ignore[override]  # only what is read is named
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            **_others: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            found = sources_of(settings_cls, config, env, unread)
            return (init_settings, *(source for _, source in found))

    try:
        found = Settings.model_validate(dict(Read(**(overrides or {}))))
    except ValidationError as invalid:
        raise _explain(invalid) from None
    if found.workers.defects and not found.is_sandbox:
        said = f"{', '.join(found.workers.defects)} may be switched on in a sandbox only"
        raise ConfigurationError(f"setting workers.defects: {said}", hint="migrate defects run")
    return found


def settings_stamp(
    config: Path | None = None, environ: Mapping[str, str] | None = None
) -> tuple[tuple[str, int, int], ...]:
    """Changes when a settings file is written, appears or goes; reads none of them."""
    env = os.environ if environ is None else environ
    return tuple(
        (str(path), found.st_mtime_ns, found.st_size) for path, found in stats_of(config, env)
    )


def origins(config: Path | None = None, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Where each setting that is not a default comes from, by `section.key`."""
    env = os.environ if environ is None else environ
    found: dict[str, str] = {}
    for where, source in sources_of(_Schema, config, env, []):
        for key in keys(source()):
            named = f" {source.variable(key)}" if isinstance(source, Environment) else ""
            found.setdefault(key, where + named)
    return found


class _Schema(Settings, BaseSettings):  # type: ignore[misc]  # both forbid unknown keys
    """What may be set, for reading one source at a time."""


def _explain(invalid: ValidationError) -> ConfigurationError:
    first = invalid.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] != "extra_forbidden":
        is_table = first["type"] in ("model_type", "model_attributes_type")
        said = f"must be a table: [{where}]" if is_table else first["msg"]
        return ConfigurationError(f"setting {where}: {said.removeprefix('Value error, ')}")
    near = difflib.get_close_matches(where, list(_known(Settings)), n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "migrate.example.toml lists all settings"
    return ConfigurationError(f"unknown setting {where}", hint=hint)


def _known(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _known(field.annotation, f"{prefix}{name}.")
