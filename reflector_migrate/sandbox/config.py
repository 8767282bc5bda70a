"""The migrate.toml of a sandbox: the caller's settings with every address made local."""

from __future__ import annotations

import secrets
import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import SecretStr

import reflector_migrate
from reflector_migrate.entrance import loaded_settings
from reflector_migrate.sandbox.ports import HOST
from reflector_migrate.sandbox.servers.base import Folders
from reflector_migrate.settings import Settings
from reflector_migrate.store.atomic_write import PRIVATE, write_aside

PORTS = ("redis", "conductor", "s3", "standins")
_SECRETS = {
    ("s3", "access_key_id"),
    ("s3", "secret_access_key"),
    ("services", "daily_api_key"),
    ("services", "transcript_api_key"),
    ("services", "llm_api_key"),
    ("services", "zulip_api_key"),
}
_DRAIN_S = 3.0  # of the ten seconds in which everything must have stopped


def write_config(
    settings: Settings, folders: Folders, ports: Mapping[str, int], changes: Mapping[str, Any]
) -> Settings:
    """Write migrate.toml (0600) and its secret files; return the settings every process reads."""
    folders.root.mkdir(parents=True, exist_ok=True)
    content = _content(settings)
    for part in (_addresses(ports), _places(settings, folders), changes):
        for section, values in part.items():
            content.setdefault(section, {}).update(values)
    content["is_sandbox"] = True
    content["state_dir"] = str(folders.root / "state")
    for section, key in _SECRETS:
        content.setdefault(section, {})[f"{key}_file"] = str(_secret(folders, f"{section}_{key}"))
    write_aside(folders.config, tomli_w.dumps(content), PRIVATE)
    return read_config(folders)


def change_config(folders: Folders, changes: Mapping[str, Mapping[str, Any]]) -> Settings:
    """Rewrite only these settings, by section, in the migrate.toml of a running sandbox."""
    content = tomllib.loads(folders.config.read_text(encoding="utf-8"))
    for section, values in changes.items():
        content.setdefault(section, {}).update(values)
    write_aside(folders.config, tomli_w.dumps(content), PRIVATE)
    return read_config(folders)


def read_config(folders: Folders) -> Settings:
    """The settings of this sandbox, whatever the caller's environment says."""
    return loaded_settings(folders.config, environ={})


def _content(settings: Settings) -> dict[str, Any]:
    """Everything set in these settings but secrets, paths made absolute for other folders."""
    plain = settings.model_dump(mode="json", exclude_none=True)
    del plain["state_dir"]
    for name in Settings.model_fields:
        section = getattr(settings, name)
        for key in getattr(section, "model_fields_set", ()):
            if isinstance(getattr(section, key), SecretStr):
                plain[name].pop(key, None)
    return plain


def _addresses(ports: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    redis = f"redis://{HOST}:{ports['redis']}"
    standins = f"http://{HOST}:{ports['standins']}"
    conductor = f"http://{HOST}:{ports['conductor']}"
    return {
        "s3": {"endpoint_url": f"http://{HOST}:{ports['s3']}"},
        "reflector": {
            "app": "reflector_migrate.sandbox.legacy.app:app",
            "broker_url": f"{redis}/1",
            "result_backend": f"{redis}/1",
            "bus_url": f"{redis}/0",
        },
        "candidate": {"bus_url": f"{redis}/2"},
        "secondary": {"bus_url": f"{redis}/3"},
        "conductor": {"server_url": f"{conductor}/api"},
        "services": {
            "daily_url": f"{standins}/daily/v1",
            "transcript_url": f"{standins}/recogniser",
            "llm_url": f"{standins}/llm/v1",
            "zulip_url": f"{standins}/zulip",
            "zulip_bot_email": "bot@example.org",
        },
        "sandbox": {"control_url": standins},
    }


def _places(settings: Settings, folders: Folders) -> dict[str, dict[str, Any]]:
    root = folders.root
    return {
        "store": {"url": f"sqlite:///{root / 'store.db'}"},
        "reflector": {
            "database_url": f"sqlite:///{root / 'reflector.db'}",
            "data_dir": str(root / "data"),
        },
        "candidate": {
            "database_url": f"sqlite:///{root / 'candidate.db'}",
            "data_dir": str(root / "candidate-data"),
        },
        "secondary": {
            "database_url": f"sqlite:///{root / 'secondary.db'}",
            "data_dir": str(root / "secondary-data"),
        },
        "shadow": {"kill_switch_file": str(root / "kill-switch")},
        "route": {"back_file": str(root / "route-back")},
        "sandbox": {
            "dir": str(root),
            "cache_dir": str(settings.cache_dir),
            "recordings": str(recordings_folder(settings)),
        },
        "workers": {"drain_s": min(settings.workers.drain_s, _DRAIN_S)},
    }


def recordings_folder(settings: Settings) -> Path:
    """The configured folder of recordings, seen from here or else from this checkout."""
    configured = settings.sandbox.recordings
    if configured.exists():
        return configured.resolve()
    return Path(reflector_migrate.__file__).parents[1] / configured


def _secret(folders: Folders, name: str) -> Path:
    folder = folders.root / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / name
    if not path.exists():
        write_aside(path, secrets.token_urlsafe(24) + "\n", PRIVATE)
    return path


def forget(folders: Folders, *, keep_store: bool) -> None:
    """Remove what an earlier sandbox in this folder left; its store of evidence on demand only."""
    for name in ("redis", "conductor", "s3", "standins", "work", "ready", "logs", "data"):
        shutil.rmtree(folders.root / name, ignore_errors=True)
    for name in ("candidate-data", "secondary-data"):
        shutil.rmtree(folders.root / name, ignore_errors=True)
    databases = ("reflector.db", "candidate.db", "secondary.db") + (
        () if keep_store else ("store.db",)
    )
    for name in (*databases, "kill-switch", "route-back"):
        for path in folders.root.glob(f"{name}*"):
            path.unlink(missing_ok=True)
