"""The tables of migrate.toml, each with its keys, their defaults and bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator


def _begins_with(*schemes: str) -> AfterValidator:
    """A URL of one of these; what stands there is not quoted, as it may hold a password."""

    def checked(url: str) -> str:
        if not url.startswith(schemes):
            raise ValueError(f"must begin with {' or '.join(schemes)}")
        return url

    return AfterValidator(checked)


HttpUrl = Annotated[str, _begins_with("http://", "https://")]
RedisUrl = Annotated[str, _begins_with("redis://", "rediss://", "unix://")]


class Section(BaseModel):
    """A table of migrate.toml: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class StoreSettings(Section):
    """Where evidence is kept. SQLite (WAL) unless a PostgreSQL URL is given."""

    url: str | None = None


class S3Settings(Section):
    """An S3 that holds recordings and media; credentials as Reflector's transcript storage."""

    endpoint_url: HttpUrl | None = None
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
    bus_url: RedisUrl = "redis://127.0.0.1:6379/0"
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
    bus_url: RedisUrl = "redis://127.0.0.1:6379/2"
    channel_prefix: str = "shadow:"
    data_dir: Path = Path("shadow-data")
    keep_days: float = Field(default=30, gt=0)  # after its end, what a run left is erased


class SecondarySettings(Section):
    """Where the primary's engine runs a second time: nothing here is also the primary's.

    On a deployment its broker and bus are a Redis server of its own. In the sandbox it has a queue
    on the same broker, and its own sinks: Zulip by the bot that posts, webhooks by their path.
    """

    database_url: str | None = None
    broker_url: RedisUrl | None = None
    queue: str = "secondary"
    tracks_bucket: str = "secondary-tracks"
    media_bucket: str = "secondary-media"
    bus_url: RedisUrl = "redis://127.0.0.1:6379/3"
    data_dir: Path = Path("secondary-data")
    zulip_bot_email: str = "secondary-bot@example.org"
    webhook_path: str = "/secondary"


Whose = Literal["ours", "reflector"]
"""Whose code does a step's work."""


class PipelineSettings(Section):
    """Whose code the candidate's steps run; Reflector's own runs in child processes.

    `processors` is about detect_topics, generate_title and generate_summary.
    """

    processors: Whose = "ours"
    reflector_python: Path | None = None  # the interpreter of Reflector's virtual environment
    reflector_dir: Path | None = None  # its checkout, where its `.env` is read: the working folder
    reflector_env_file: Path | None = None  # NAME=value lines, stronger than that `.env`
    children: int = Field(default=2, ge=1)  # of a worker process; one question at a time each
    child_start_s: float = Field(default=60.0, gt=0)
    child_silence_s: float = Field(
        default=240.0, gt=0
    )  # then it counts as hung; a call may be tried
    # again three times, a minute each
    child_memory_bytes: int = Field(default=2 << 30, ge=64 << 20)

    @property
    def handed_over(self) -> tuple[str, ...]:
        """The steps that Reflector's own code does."""
        texts = ("detect_topics", "generate_title", "generate_summary")
        return texts if self.processors == "reflector" else ()


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
    llm_timeout_s: float = 30.0  # a hung call is given up, whatever its step's signs of life
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

    server_url: HttpUrl = "http://127.0.0.1:8080/api"
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
    budget_usd_per_day: float | None = Field(default=None, gt=0)  # by [[prices]]; a day is UTC's
    budget_gpu_seconds_per_day: float | None = Field(default=None, gt=0)
    budget_llm_tokens_per_day: int | None = Field(default=None, gt=0)
    secondary_rate: float = Field(default=0.0, ge=0, le=1)  # legacy once more, for the noise floor
    place_wait_s: float = Field(default=24 * 3600, gt=0)  # for a place in flight
    dispatch_wait_s: float = Field(default=900.0, ge=0)  # from the first failure to dispatch
    timeout_s: float = Field(default=6.5 * 3600, gt=0)  # from the start; longer than the workflow's
    evidence_wait_s: float = Field(default=7 * 86400, ge=0)  # from the first failure to observe
    lease_s: float = Field(default=300.0, gt=0)  # after which another process takes a run over
    settle_s: float = Field(default=90.0, ge=0)  # how long side effects may lag behind `ended`,
    chain_s: float = Field(default=2700.0, ge=0)  # and how long where the plugin saw it end: a
    # webhook is tried for half an hour, and a busy worker has other recordings before it
    poll_s: float = Field(default=1.0, gt=0)
    kill_switch_file: Path | None = None
    observe: Literal["nothing", "usage", "bodies"] = "usage"  # of the primary's outside calls, by
    # the plugin; bodies hold what was said


class RouteSettings(Section):
    """How recordings are handed to the candidate, and back."""

    back_file: Path | None = None  # while it is there, every recording stays with the primary
    publish_timeout_s: float = Field(default=5.0, gt=0)
    fallback_after_start: Literal["never", "before_first_effect"] = "never"
    stall_s: float = Field(default=3600.0, gt=0)  # longer than any step may take


class CutoverSettings(Section):
    """What a step of the canary must show before the next one, and what happens after the last."""

    served_at_least: int = Field(default=20, ge=1)  # recordings at this step, with this build
    hours_at_least: float = Field(default=24.0, ge=0)
    fallbacks_at_most: float = Field(default=0.05, ge=0, le=1)  # of the recordings of this step
    auto_rollback: Literal["off", "propose", "on"] = "propose"


class JudgeSettings(Section):
    """What comparisons and gates are judged with."""

    waivers_file: Path | None = None
    gates_file: Path | None = None  # gates, margins, strata; `migrate gate --print-rules`


class NotifySettings(Section):
    """Where people are called: a bad night, a held phase, an open breaker, a proposed rollback."""

    slack_url: SecretStr | None = None  # an incoming webhook of Slack, or of what speaks like it
    zulip_url: SecretStr | None = None  # …/api/v1/external/slack_incoming?api_key=…&stream=…
    step_summary: Path | None = None  # a file to append to: $GITHUB_STEP_SUMMARY
    timeout_s: float = Field(default=10.0, gt=0, le=60)

    @field_validator("slack_url", "zulip_url")
    @classmethod
    def _is_an_address(cls, url: SecretStr | None) -> SecretStr | None:
        """HTTP alone; what stands there is not quoted, as it is a secret."""
        if url is not None and not url.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return url


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
    start_timeout_s: float = 240.0  # a server that dies is noticed at once
    control_url: str | None = None  # the stand-ins, once they run
    routes: bool = False  # recordings can be sent to Conductor for real
    keeps_refused: bool = False  # places of runs whose meeting refused consent, to look at them
