"""How far the legacy engine is, as primary or as secondary, and what it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from reflector_migrate.conductor.build import build_hash
from reflector_migrate.errors import UnreadableError
from reflector_migrate.harness import Harness
from reflector_migrate.model import UNREADABLE, Engine, Observation, Role
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.observe.candidate import renamed
from reflector_migrate.shadow.observe.quiescence import is_settled, patience_s
from reflector_migrate.shadow.observe.service_records import read_records
from reflector_migrate.shadow.observe.timed_task import what_is_wrong
from reflector_migrate.store.runs import RunRecord

ENDED = "harness:{}-ended"
"""Key of the event that says when a side's row was first seen to have ended."""


@dataclass(frozen=True, slots=True)
class LegacyView:
    """How far a legacy run is. `status` is None where its row could not be read.

    `is_settled`: its spans say that nothing more can follow. `ended_at`: when its end was
    first noted, after which it is waited for `patience_s` at most.
    """

    role: Role
    status: str | None
    is_settled: bool = False
    ended_at: datetime | None = None
    patience_s: float = 0.0

    @property
    def has_ended(self) -> bool:
        """Whether its row says so; side effects may still follow."""
        return self.status in ("ended", "error")

    def is_over(self, now: datetime) -> bool:
        """Settled by its spans; by those that are missing, a while after its noted end."""
        if self.is_settled:
            return True
        waited = self.ended_at is not None and now - self.ended_at
        return bool(self.has_ended and waited and waited > timedelta(seconds=self.patience_s))


def legacy_view(harness: Harness, run: RunRecord, role: Role = Role.PRIMARY) -> LegacyView:
    """Read the row, its room, the plugin's spans and the noted end. Raises MigrateError."""
    status, has_webhook = legacy_status(harness.settings, run)
    spans, shadow = spans_of(harness, run), harness.settings.shadow
    noted = harness.events.of(run.run_id, family=ENDED.format(role.value))
    return LegacyView(
        role=role,
        status=status,
        is_settled=is_settled(status, spans, has_webhook=has_webhook),
        ended_at=noted[0].at if noted else None,
        patience_s=patience_s(spans, settle_s=shadow.settle_s, chain_s=shadow.chain_s),
    )


def legacy_status(settings: Settings, run: RunRecord) -> tuple[str | None, bool]:
    """The row's status in the database of `settings.reflector`, and whether a webhook follows."""
    from reflector_migrate.pipeline.rows import Rows

    rows = Rows.at(settings.reflector.database_url or "")
    transcript = rows.find_transcript(run.transcript_id)
    room = rows.get_room(transcript.room_id) if transcript else None
    return transcript.status if transcript else "missing", bool(room and room.webhook_url)


def observe_primary(harness: Harness, run: RunRecord) -> Observation:
    """The primary's account: rows, objects, spans, and what the services saw.

    Links in what is derived lead where its worker said that its own do.
    """
    links = {
        "ui_base_url": run.request.get("ui_base_url") or harness.settings.reflector.ui_base_url
    }
    there = harness.settings.reflector.model_copy(update=links)
    return _observe_legacy(
        harness.under(harness.settings.model_copy(update={"reflector": there})), run, Role.PRIMARY
    )


@dataclass(frozen=True, slots=True)
class Secondary:
    """The primary's engine a second time: its own settings, and the run as it has it."""

    harness: Harness
    run: RunRecord
    came_first: Role
    primary_bucket: str

    def observe(self) -> Observation:
        """Its account, by the reader of the primary's and in the primary's terms."""
        from reflector_migrate.shadow.observe.derived import with_derived

        seen = _observe_legacy(self.harness, self.run, Role.SECONDARY)
        mine = self.harness.settings.reflector.tracks_bucket
        effects = renamed(seen.effects, mine, self.primary_bucket)
        return with_derived(seen.model_copy(update={"effects": tuple(effects)}))


def secondary_of(harness: Harness, run: RunRecord) -> Secondary | None:
    """The secondary that runs, or ran, beside this run's primary; None where there is none."""
    from reflector_migrate.pipeline.rows import Rows

    found = harness.secondaries.of(_root(run))
    if found is None:
        return None
    there = harness.settings.as_secondary()
    row = Rows.at(there.reflector.database_url or "").transcript_of(run.recording_id)
    as_run = replace(
        run,
        transcript_id=row.id if row else "",
        primary_task_id=found.secondary_root_id,
        request={**run.request, "root_id": found.secondary_root_id},
    )
    return Secondary(
        harness.under(there), as_run, found.came_first, harness.settings.reflector.tracks_bucket
    )


def _observe_legacy(harness: Harness, run: RunRecord, role: Role) -> Observation:
    from reflector_migrate.shadow.observe.reader import observe, primary_of

    spans = spans_of(harness, run)
    zulip, webhooks = _service_records(harness.settings, role, since=_begun(spans))
    seen = observe(
        harness,
        primary_of(harness.settings),
        run.recording_id,
        role=role,
        engine=Engine.CELERY,
        run_id=run.run_id,
        spans=spans,
        zulip=zulip,
        webhooks=webhooks,
        earlier_message=_earlier_message(harness.settings, run),
    )
    if not harness.settings.is_sandbox:
        return seen  # a real deployment does not say which build it is
    # The stand-in is this very build. The run's is set at its start: the primary may end before.
    return seen.model_copy(update={"build": run.build or build_hash()})


def _earlier_message(settings: Settings, run: RunRecord) -> int | None:
    """The Zulip message the primary's row named before this run: the candidate's copy keeps it.

    Where there was none, the candidate's own is there, and negative.
    """
    from reflector_migrate.pipeline.places import candidate_url
    from reflector_migrate.pipeline.rows import find_run_tables

    rows = find_run_tables(candidate_url(settings), run.run_id)
    row = rows.find_transcript(run.transcript_id) if rows else None
    found = row.zulip_message_id if row else None
    return found if found is not None and found > 0 else None


def spans_of(harness: Harness, run: RunRecord) -> list[Mapping[str, Any]]:
    """The plugin's messages about this very run: a reprocess of the transcript has others.

    Raises UnreadableError where one of them is not what it must be.
    """
    root = _root(run)
    found = [s for s in harness.spans.of(run.transcript_id) if s.get("root_id") == root]
    for span in found:
        if wrong := what_is_wrong(span):
            raise UnreadableError(f"{UNREADABLE}the primary's timings: {wrong}")
    return found


def _root(run: RunRecord) -> str:
    return str(run.request.get("root_id") or run.primary_task_id or "")


def _begun(spans: Sequence[Mapping[str, Any]]) -> float:
    return min((float(span["started"]) for span in spans), default=0.0)


def _service_records(
    settings: Settings, role: Role, since: float
) -> tuple[Sequence[Mapping[str, Any]] | None, Sequence[Mapping[str, Any]] | None]:
    """What the sandbox's services saw of this side since then (a whole second's grace).

    None outside of a sandbox. Two runs of one transcript may have the same id: they are
    distinguished by the bot that posts and by the path that is posted to.
    """
    records = read_records(settings)
    if records is None:
        return None, None
    bot, sink = settings.services.zulip_bot_email, settings.secondary.webhook_path.strip("/")
    recent = [
        m for m in records.zulip if _last_touched(m) >= int(since) and m.get("sender_email") == bot
    ]
    is_second = role is Role.SECONDARY
    return recent, [w for w in records.webhooks if (w["path"].split("/")[0] == sink) is is_second]


def _last_touched(message: Mapping[str, Any]) -> float:
    return float(message.get("last_edit_timestamp") or message.get("timestamp") or 0)
