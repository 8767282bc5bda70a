"""StepContext: the run, its services and its side-effect gateway, all in one namespace."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reflector_migrate.clients.connections import Connections
from reflector_migrate.errors import TerminalStepError
from reflector_migrate.harness import Harness
from reflector_migrate.pipeline.bridge.bridge import Bridge
from reflector_migrate.pipeline.cache import AnswerCache
from reflector_migrate.pipeline.contracts import Run
from reflector_migrate.pipeline.effects import Effects, LiveEffects, RecordedEffects
from reflector_migrate.pipeline.heartbeat_pool import Heartbeat
from reflector_migrate.pipeline.llm_tasks import Questions
from reflector_migrate.pipeline.meter import UsageMeter
from reflector_migrate.pipeline.namespace_guard import shared_places
from reflector_migrate.pipeline.places import Place, place_of_primary, place_of_run, plain
from reflector_migrate.pipeline.rows import Rows
from reflector_migrate.pipeline.services.daily import Daily
from reflector_migrate.pipeline.services.events import Bus
from reflector_migrate.pipeline.services.http import Caller
from reflector_migrate.pipeline.services.llm import LanguageModel
from reflector_migrate.pipeline.services.storage import Storage
from reflector_migrate.pipeline.services.transcription import Recogniser
from reflector_migrate.pipeline.services.webhook import Webhook
from reflector_migrate.pipeline.services.zulip import Zulip
from reflector_migrate.pipeline.sinks import Listeners, Media, Once
from reflector_migrate.settings import Settings
from reflector_migrate.store.artifacts import CACHED, Artifacts
from reflector_migrate.store.base import engine_for

Flavour = Literal["candidate", "celery"]
DAILY_ATTEMPTS = 2  # two of 10 s each fit into the step's response timeout of 30 s
MONOLITH_LLM_ATTEMPTS = 4  # legacy's own client tries a network error again three times


@dataclass(frozen=True, slots=True)
class StepContext:
    """New for each run of a step; its only way to the world is `effects`.

    `is_retried`: an engine runs a failed step again, so a passing failure may be
    raised where the monolith, which nothing retries, swallows it and goes on.
    """

    run: Run
    settings: Settings
    place: Place
    rows: Rows
    storage: Storage
    daily: Daily
    recogniser: Recogniser
    questions: Questions
    bridge: Bridge
    effects: Effects
    artifacts: Artifacts
    cache: AnswerCache
    meter: UsageMeter
    heartbeat: Heartbeat
    is_retried: bool

    def local(self, name: str) -> Path:
        """A file of this transcript in the data folder."""
        return self.place.data_dir / plain(self.run.transcript_id) / plain(name)


def build_context(
    run: Run,
    harness: Harness,
    *,
    heartbeat: Heartbeat = lambda: None,
    meter: UsageMeter | None = None,
    flavour: Flavour = "candidate",
) -> StepContext:
    """A context for `run`, of the namespace the run names.

    Flavour `celery` is the monolith: nothing is cached, nothing remembered between
    attempts, nothing left to an engine's retries. Raises TerminalStepError when the
    namespace is not configured or not apart from the primary's.
    """
    plain(run.transcript_id)
    place, is_retried = place_of(run, harness.settings), flavour != "celery"
    make = _Maker(
        run,
        harness,
        place,
        meter or UsageMeter(),
        harness.connections,
        is_retried,
    )
    storage, cache = make.storage(), make.cache()
    return StepContext(
        run=run,
        settings=harness.settings,
        place=place,
        rows=Rows(engine_for(place.database_url)),
        storage=storage,
        daily=make.daily(),
        recogniser=make.recogniser(),
        questions=make.questions(cache),
        bridge=Bridge(harness.settings, make.session_id, cache, make.meter, heartbeat),
        effects=make.effects(storage),
        artifacts=harness.artifacts,
        cache=cache,
        meter=make.meter,
        heartbeat=heartbeat,
        is_retried=is_retried,
    )


@dataclass(frozen=True, slots=True)
class _Maker:
    run: Run
    harness: Harness
    place: Place
    meter: UsageMeter
    links: Connections
    is_retried: bool

    @property
    def session_id(self) -> str:
        """By which a proxy before the language model knows whose call it is."""
        return self.run.workflow_id or self.run.run_id

    def caller(self, service: str, timeout_s: float, attempts: int = 1) -> Caller:
        return Caller(service, self.links.http, self.meter, timeout_s, attempts)

    def storage(self) -> Storage:
        is_live = self.run.namespace == "live"
        writable = None if is_live else frozenset({self.place.media_bucket})
        return Storage(self.links.s3, self.meter, writable)

    def cache(self) -> AnswerCache:
        store = self.harness.cache if self.is_retried else None
        artifacts, run_id = self.harness.artifacts, self.run.run_id

        def own(key: str) -> None:
            artifacts.put(run_id, CACHED, key, {})

        return AnswerCache(store, self.run.namespace, self.meter, own)

    def daily(self) -> Daily:
        services, attempts = (
            self.harness.settings.services,
            DAILY_ATTEMPTS if self.is_retried else 1,
        )
        return Daily(self.caller("daily", services.daily_timeout_s, attempts), services)

    def recogniser(self) -> Recogniser:
        services = self.harness.settings.services
        return Recogniser(self.caller("recogniser", services.transcript_timeout_s), services)

    def questions(self, cache: AnswerCache) -> Questions:
        services = self.harness.settings.services
        attempts = 1 if self.is_retried else MONOLITH_LLM_ATTEMPTS
        caller = self.caller("language model", services.llm_timeout_s, attempts)
        return Questions(
            LanguageModel(caller, services, self.session_id),
            cache,
            parse_retries=services.llm_parse_retries,
            context_window=services.llm_context_window,
        )

    def effects(self, storage: Storage) -> Effects:
        services, stores, run = self.harness.settings.services, self.harness, self.run
        log = stores.events if self.is_retried else None
        listeners = Listeners(
            run, Bus(self.harness.redis(self.place.bus_url)), self.place.channel_prefix, log
        )
        media = Media(storage, self.place.media_bucket, self.place.data_dir)
        if run.namespace != "live":
            return RecordedEffects(run.run_id, listeners, media, stores.effects)
        return LiveEffects(
            listeners,
            media,
            Zulip(self.caller("zulip", services.zulip_timeout_s), services),
            Webhook(self.caller("webhook", services.webhook_timeout_s)),
            Once(run.run_id, stores.artifacts, log) if log else None,
        )


def place_of(run: Run, settings: Settings) -> Place:
    """Where the run keeps its things; a shadow's must all be its own."""
    if run.namespace == "live":
        return place_of_primary(settings)
    if shared := shared_places(settings):
        raise TerminalStepError(f"{shared[0]}: a shadow needs its own")
    return place_of_run(settings, run.run_id)
