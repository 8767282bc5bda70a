"""Every setting there is, validated into one frozen object; sources.py reads where they stand.

Precedence: flag > `MIGRATE_*` (sections joined by `__`) > --config or
`MIGRATE_CONFIG` > ./migrate.toml > user file > built-in default. An unknown key
is an error that names the nearest known one. Secrets come by environment or by
a `*_file` key, never in the file itself.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path, user_state_path
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from reflector_migrate import sources
from reflector_migrate.errors import ConfigurationError

APP = "reflector-migrate"


class Section(BaseModel):
    """A table of migrate.toml: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StoreSettings(Section):
    """Where evidence is kept. SQLite (WAL) unless a PostgreSQL URL is given."""

    url: str | None = None


class S3Settings(Section):
    """An S3 that holds recordings and media; credentials as Reflector's transcript storage."""

    endpoint_url: str | None = None
    region: str = "us-east-1"
    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 60.0


class ReflectorSettings(Section):
    """The deployment under test; only ever read, except by the sandbox's own stand-in."""

    app: str = "reflector.worker.app:app"
    database_url: str | None = None
    broker_url: str = "redis://127.0.0.1:6379/1"
    result_backend: str | None = None
    bus_url: str = "redis://127.0.0.1:6379/0"
    queue: str = "celery"
    tracks_bucket: str = "daily-tracks"
    media_bucket: str = "reflector-media"
    data_dir: Path = Path("data")
    ui_base_url: str = "http://localhost:3000"
    webhook_retry_s: float = 60.0  # the stand-in's fixed pause, as the real one's; shorter in tests


class CandidateSettings(Section):
    """The candidate's own namespace: nothing here may coincide with the primary's."""

    namespace: str = "shadow"  # "live" only once a route hands recordings to conductor
    database_url: str | None = None
    tracks_bucket: str = "shadow-tracks"
    media_bucket: str = "shadow-media"
    bus_url: str = "redis://127.0.0.1:6379/2"
    channel_prefix: str = "shadow:"
    data_dir: Path = Path("shadow-data")
    keep_days: int = 30


class SecondarySettings(Section):
    """Where the primary's engine runs once more: nothing here is also the primary's.

    Its own queue on the same broker, its own sinks: Zulip by the bot that posts, webhooks
    by the path they go to.
    """

    database_url: str | None = None
    queue: str = "secondary"
    tracks_bucket: str = "secondary-tracks"
    media_bucket: str = "secondary-media"
    bus_url: str = "redis://127.0.0.1:6379/3"
    data_dir: Path = Path("secondary-data")
    zulip_bot_email: str = "secondary-bot@example.org"
    webhook_path: str = "/secondary"


class ServicesSettings(Section):
    """The outside services that the steps call, and how long each may take."""

    daily_url: str = "https://api.daily.co/v1"
    daily_api_key: SecretStr | None = None
    daily_timeout_s: float = 10.0
    transcript_url: str | None = None
    transcript_api_key: SecretStr | None = None
    transcript_model: str = ""  # of the recogniser, with its version: another's answers are new
    transcript_timeout_s: float = 600.0
    llm_url: str | None = None
    llm_api_key: SecretStr | None = None
    llm_model: str = "microsoft/phi-4"
    llm_timeout_s: float = 60.0
    llm_parse_retries: int = 3
    llm_parallel: int = 4
    llm_context_window: int = 16000
    zulip_url: str | None = None
    zulip_bot_email: str | None = None
    zulip_api_key: SecretStr | None = None
    zulip_timeout_s: float = Field(default=12.0, le=14)  # up to four calls within a minute
    webhook_timeout_s: float = 30.0
    presign_s: int = 7200


class ConductorSettings(Section):
    """The Conductor server and how definitions are registered on it."""

    server_url: str = "http://127.0.0.1:8080/api"
    ui_url: str = "http://127.0.0.1:8127"
    version: str = "3.32.3"
    owner_email: str = "reflector-migrate@example.org"
    domain: str | None = None  # default: derived from the hash of the contracts
    time_scale: float = Field(default=1.0, gt=0)
    poll_interval_ms: int = 100
    connect_timeout_s: float = 5.0
    request_timeout_s: float = 30.0
    auth_header: SecretStr | None = None


class WorkerSettings(Section):
    """How many tasks of a group run at once in one worker host."""

    isolation: str = "thread"
    light: int = 8
    audio: int = 2
    transcribe: int = 8
    drain_s: float = 8.0
    defects: tuple[str, ...] = ()  # sandbox only: seeded defects switched on in the candidate


class BudgetSettings(Section):
    """Tasks in progress at once per outside service, over all workers and recordings.

    Conductor holds them, divided over the steps that call the service by the calls that a
    task of each makes at once. The workers' own limits should bind first: a task above such a
    limit is put back by the server for as long as its `taskExecutionPostponeDuration` (a minute,
    unless configured).
    """

    recogniser: int = Field(default=64, ge=1)
    llm: int = Field(default=48, ge=3)  # three steps call it
    daily: int = Field(default=16, ge=2)
    zulip: int = Field(default=8, ge=1)
    webhook: int = Field(default=16, ge=1)


class ShadowSettings(Section):
    """The shadow flag and its bounds; off by default."""

    enabled: bool = False
    rate: float = Field(default=1.0, ge=0, le=1)
    rooms: tuple[str, ...] = ()
    max_in_flight: int = Field(default=4, ge=1)
    budget_usd_per_day: float | None = None
    secondary_rate: float = Field(default=0.0, ge=0, le=1)  # legacy once more, for the noise floor
    timeout_s: float = 6 * 3600
    dispatch_wait_s: float = Field(default=900.0, ge=0)  # for a Conductor that does not answer
    settle_s: float = Field(default=90.0, ge=0)  # how long side effects may lag behind `ended`,
    chain_s: float = Field(default=2700.0, ge=0)  # and how long where the plugin saw it end: a
    # webhook is tried for half an hour, and a busy worker has other recordings before it
    poll_s: float = Field(default=1.0, gt=0)
    kill_switch_file: Path | None = None


class JudgeSettings(Section):
    """What comparisons are judged with."""

    waivers_file: Path | None = None


class CacheSettings(Section):
    """The cache of recogniser and language-model answers."""

    ttl_s: float = 7 * 86400
    max_entries: int = 10_000


class Price(Section):
    """What was paid from a date on, in micro-dollars; absent means unknown, not zero."""

    since: str
    gpu_second: int | None = None
    llm_tokens_in_million: int | None = None
    llm_tokens_out_million: int | None = None
    s3_gib: int | None = None
    s3_requests_million: int | None = None


class SandboxSettings(Section):
    """Real servers on a bare machine."""

    dir: Path | None = None
    cache_dir: Path | None = None
    recordings: Path = Path("fixtures/recordings")
    java: str | None = None
    redis_server: str | None = None
    start_timeout_s: float = 90.0
    control_url: str | None = None  # the stand-ins, once they run


class Settings(Section):
    """All settings, validated once, passed explicitly from then on."""

    store: StoreSettings = StoreSettings()
    s3: S3Settings = S3Settings()
    reflector: ReflectorSettings = ReflectorSettings()
    candidate: CandidateSettings = CandidateSettings()
    secondary: SecondarySettings = SecondarySettings()
    services: ServicesSettings = ServicesSettings()
    conductor: ConductorSettings = ConductorSettings()
    workers: WorkerSettings = WorkerSettings()
    budgets: BudgetSettings = BudgetSettings()
    shadow: ShadowSettings = ShadowSettings()
    judge: JudgeSettings = JudgeSettings()
    cache: CacheSettings = CacheSettings()
    prices: tuple[Price, ...] = ()
    sandbox: SandboxSettings = SandboxSettings()
    is_sandbox: bool = False
    state_dir: Path = Field(default_factory=lambda: user_state_path(APP))
    log_format: str = "text"

    @property
    def store_url(self) -> str:
        """SQLAlchemy URL of our own store."""
        return self.store.url or f"sqlite:///{self.state_dir / 'migrate.db'}"

    def as_secondary(self) -> Settings:
        """The same with the secondary's deployment in the place of the primary's."""
        mine = self.secondary.model_dump(exclude={"zulip_bot_email", "webhook_path"})
        bot = {"zulip_bot_email": self.secondary.zulip_bot_email}
        return self.model_copy(
            update={
                "reflector": self.reflector.model_copy(update=mine),
                "services": self.services.model_copy(update=bot),
            }
        )

    @property
    def llm_calls(self) -> int:
        """Calls to the language model that a task for topics or summaries makes at once.

        So few that one task of each of the three steps stays within the budget.
        """
        return max(1, min(self.services.llm_parallel, (self.budgets.llm - 1) // 2))

    @property
    def cache_dir(self) -> Path:
        """Where server jars and recogniser indexes are kept between runs."""
        return self.sandbox.cache_dir or user_cache_path(APP)


def load_settings(
    config: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Read, merge and validate every source; raise ConfigurationError naming the key."""
    env = os.environ if environ is None else environ
    read = [found for _, found in sources.all_of(APP, config, env)]
    try:
        found = Settings.model_validate(sources.merged([*read, dict(overrides or {})]))
    except ValidationError as invalid:
        raise _explain(invalid) from None
    if found.workers.defects and not found.is_sandbox:
        said = f"{', '.join(found.workers.defects)} may be switched on in a sandbox only"
        raise ConfigurationError(f"setting workers.defects: {said}", hint="migrate defects run")
    return found


def origins(config: Path | None = None, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Where each setting that is not a default comes from, by `section.key`."""
    env = os.environ if environ is None else environ
    return {
        key: name for name, found in sources.all_of(APP, config, env) for key in sources.keys(found)
    }


def _explain(invalid: ValidationError) -> ConfigurationError:
    first = invalid.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] != "extra_forbidden":
        is_table = first["type"] in ("model_type", "model_attributes_type")
        said = f"must be a table: [{where}]" if is_table else first["msg"]
        return ConfigurationError(f"setting {where}: {said}")
    near = difflib.get_close_matches(where, list(_known(Settings)), n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "run `migrate config show --origin`"
    return ConfigurationError(f"unknown setting {where}", hint=hint)


def _known(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _known(field.annotation, f"{prefix}{name}.")


def ready_file() -> Path | None:
    """The file by which whoever started this process wants to hear that it serves."""
    path = os.environ.get("MIGRATE_READY_FILE")
    return Path(path) if path else None


def mark_ready() -> None:
    """Tell whoever started this process, through the file it named, that it is serving."""
    if path := ready_file():
        path.write_text(str(os.getpid()), encoding="ascii")
