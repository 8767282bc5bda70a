"""Reflector's own environment, and our settings that follow from it.

Its variables are read as its worker reads them: from a process, or from an env file. What
is ours is proposed beside it, never in a place of Reflector's.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from pydantic_settings import BaseSettings, DotEnvSettingsSource

from reflector_migrate.errors import InputError

READER, OWNER = "reflector_migrate_reader", "reflector_migrate"
"""Roles: the one reads Reflector's database, the other owns our two databases."""

STORE, CANDIDATE = "reflector_migrate", "reflector_candidate"
"""Our databases."""

NEEDED: Mapping[str, str] = {
    "DATABASE_URL": "reflector.database_url",
    "TRANSCRIPT_STORAGE_AWS_BUCKET_NAME": "reflector.media_bucket",
    "DAILYCO_STORAGE_AWS_BUCKET_NAME": "reflector.tracks_bucket",
    "DAILY_API_KEY": "services.daily_api_key",
    "TRANSCRIPT_URL": "services.transcript_url",
    "LLM_URL": "services.llm_url",
    "UI_BASE_URL": "reflector.ui_base_url",
}
"""Without one of these a person must set ours."""

Env = Mapping[str, str]
Nested = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Derived:
    """Settings as migrate.toml has them, and what Reflector's environment does not say.

    `owner_url` is the login of Reflector's own to its database.
    """

    settings: Nested
    unset: tuple[str, ...]
    owner_url: str | None


def read_env_file(path: Path) -> dict[str, str]:
    """The variables of an env file. Raises InputError where it cannot be read."""
    try:
        path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}") from None
    source = DotEnvSettingsSource(BaseSettings, env_file=path, case_sensitive=True)
    return {name: text for name, text in source.env_vars.items() if text is not None}


def read_process(pid: int) -> dict[str, str]:
    """The environment of a running process, and beneath it the .env of its folder."""
    place = Path(f"/proc/{pid}")
    try:
        raw = (place / "environ").read_bytes().decode("utf-8", "replace")
        folder = (place / "cwd").resolve()
    except OSError as error:
        hint = "run it as the user of Reflector's worker, or name its env file"
        raise InputError(f"process {pid}: {error.strerror}", hint=hint) from None
    pairs = (line.partition("=") for line in raw.split("\0") if "=" in line)
    own = {name: text for name, _, text in pairs}
    file = folder / ".env"
    beneath = read_env_file(file) if file.is_file() else {}
    return {"DATA_DIR": "data", **beneath, **own} | _absolute(folder, {**beneath, **own})


def derive(env: Env, folder: Path, conductor_url: str) -> Derived:
    """Our settings for this Reflector; our files are put into `folder`."""
    unset = tuple(f"{name} ({ours})" for name, ours in NEEDED.items() if not env.get(name))
    owner = env.get("DATABASE_URL")
    reader, own = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    media = env.get("TRANSCRIPT_STORAGE_AWS_BUCKET_NAME") or "reflector-media"
    base = media.partition("/")[0][:45]
    found: Nested = {
        "state_dir": str(folder / "state"),
        "store": {"url": _database(owner, OWNER, own, STORE)},
        "reflector": _reflector(env, _database(owner, READER, reader)),
        "candidate": {
            "database_url": _database(owner, OWNER, own, CANDIDATE),
            "tracks_bucket": f"{base}-migrate-tracks",
            "media_bucket": f"{base}-migrate-media",
            "bus_url": _redis(env, 2),
            "data_dir": str(folder / "candidate-data"),
        },
        "s3": _s3(env),
        "services": _services(env),
        "conductor": {"server_url": conductor_url},
        "shadow": {"enabled": False, "kill_switch_file": str(folder / "shadow-off")},
    }
    return Derived(_without_nothing(found), unset, _psycopg(owner) if owner else None)


def _reflector(env: Env, database_url: str | None) -> Nested:
    broker = env.get("CELERY_BROKER_URL") or "redis://localhost:6379/1"
    return {
        "database_url": database_url,
        "broker_url": broker,
        "result_backend": env.get("CELERY_RESULT_BACKEND") or broker,
        "bus_url": _redis(env, 0),
        "tracks_bucket": env.get("DAILYCO_STORAGE_AWS_BUCKET_NAME"),
        "media_bucket": env.get("TRANSCRIPT_STORAGE_AWS_BUCKET_NAME"),
        "data_dir": env.get("DATA_DIR"),
        "ui_base_url": env.get("UI_BASE_URL"),
    }


def _s3(env: Env) -> Nested:
    head = "TRANSCRIPT_STORAGE_AWS_"
    return {
        "endpoint_url": env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL"),
        "region": env.get(f"{head}REGION"),
        "access_key_id": env.get(f"{head}ACCESS_KEY_ID"),
        "secret_access_key": env.get(f"{head}SECRET_ACCESS_KEY"),
    }


def _services(env: Env) -> Nested:
    realm = env.get("ZULIP_REALM")
    return {
        "daily_api_key": env.get("DAILY_API_KEY"),
        "transcript_url": env.get("TRANSCRIPT_URL"),
        "transcript_api_key": env.get("TRANSCRIPT_MODAL_API_KEY"),
        "transcript_timeout_s": _number(env, "TRANSCRIPT_FILE_TIMEOUT", float),
        "llm_url": env.get("LLM_URL"),
        "llm_api_key": env.get("LLM_API_KEY"),
        "llm_model": env.get("LLM_MODEL"),
        "llm_context_window": _number(env, "LLM_CONTEXT_WINDOW", int),
        "llm_parse_retries": _number(env, "LLM_PARSE_MAX_RETRIES", int),
        "zulip_url": f"https://{realm}" if realm else None,
        "zulip_bot_email": env.get("ZULIP_BOT_EMAIL"),
    }


def _number(env: Env, name: str, kind: type[int] | type[float]) -> int | float | None:
    text = env.get(name)
    try:
        return kind(text) if text else None
    except ValueError:
        raise InputError(f"{name} is not a number: {text}") from None


def _redis(env: Env, database: int) -> str:
    host, port = env.get("REDIS_HOST") or "localhost", env.get("REDIS_PORT") or "6379"
    return f"redis://{host}:{port}/{database}"


def _database(theirs: str | None, role: str, password: str, name: str | None = None) -> str | None:
    """The same server with another login, and another database where one is named."""
    if not theirs:
        return None
    parts = urlsplit(_psycopg(theirs))
    where = parts.netloc.rpartition("@")[2]
    path = f"/{name}" if name else parts.path
    return parts._replace(netloc=f"{role}:{quote(password)}@{where}", path=path).geturl()


def _psycopg(url: str) -> str:
    """By the driver that we have, whichever Reflector uses."""
    scheme, _, rest = url.partition("://")
    if scheme.partition("+")[0] not in ("postgresql", "postgres"):
        raise InputError(f"DATABASE_URL begins with {scheme}://: only PostgreSQL is known")
    return f"postgresql+psycopg://{rest}"


def _absolute(folder: Path, env: Env) -> dict[str, str]:
    return {"DATA_DIR": str((folder / (env.get("DATA_DIR") or "data")).resolve())}


def _without_nothing(found: Nested) -> Nested:
    return {
        name: {k: v for k, v in value.items() if v is not None}
        if isinstance(value, dict)
        else value
        for name, value in found.items()
    }
