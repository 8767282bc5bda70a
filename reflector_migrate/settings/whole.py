"""All tables together, and what follows from several of them."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_cache_path, user_state_path
from pydantic import Field

from reflector_migrate.settings.sections import (
    BudgetSettings,
    CacheSettings,
    CandidateSettings,
    ConductorSettings,
    CutoverSettings,
    JudgeSettings,
    NotifySettings,
    PipelineSettings,
    Price,
    ReflectorSettings,
    RouteSettings,
    S3Settings,
    SandboxSettings,
    SecondarySettings,
    Section,
    ServicesSettings,
    ShadowSettings,
    StoreSettings,
    WorkerSettings,
)

APP = "reflector-migrate"


class Settings(Section):
    """All settings, validated once, passed explicitly from then on."""

    store: StoreSettings = StoreSettings()
    s3: S3Settings = S3Settings()
    reflector: ReflectorSettings = ReflectorSettings()
    candidate: CandidateSettings = CandidateSettings()
    secondary: SecondarySettings = SecondarySettings()
    services: ServicesSettings = ServicesSettings()
    pipeline: PipelineSettings = PipelineSettings()
    conductor: ConductorSettings = ConductorSettings()
    workers: WorkerSettings = WorkerSettings()
    budgets: BudgetSettings = BudgetSettings()
    shadow: ShadowSettings = ShadowSettings()
    route: RouteSettings = RouteSettings()
    cutover: CutoverSettings = CutoverSettings()
    judge: JudgeSettings = JudgeSettings()
    notify: NotifySettings = NotifySettings()
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
        not_its = {"zulip_bot_email", "webhook_path"}
        if self.secondary.broker_url is None:  # in the sandbox it has a queue on the same broker
            not_its.add("broker_url")
        mine = self.secondary.model_dump(exclude=not_its)
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
    def audit_heads(self) -> Path:
        """Where each nightly report notes the audit log's head: a line `NIGHT NUMBER:DIGEST`."""
        return self.state_dir / "audit-heads.txt"

    @property
    def cache_dir(self) -> Path:
        """Where server jars and recogniser indexes are kept between runs."""
        return self.sandbox.cache_dir or user_cache_path(APP)
