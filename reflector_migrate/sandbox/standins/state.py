"""Everything the stand-ins remember, in one place that can be emptied."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from reflector_migrate.sandbox.standins.answer_tape import AnswerSet, Kept
from reflector_migrate.sandbox.standins.daily import DailyAnswers
from reflector_migrate.sandbox.standins.exchange import Recorder
from reflector_migrate.sandbox.standins.faults import Faults
from reflector_migrate.sandbox.standins.llm import Occurrences
from reflector_migrate.sandbox.standins.replay import Replay, ReplaySet
from reflector_migrate.sandbox.standins.webhook import WebhookDeliveries
from reflector_migrate.sandbox.standins.zulip import ZulipMessages

PARTS = ("faults", "noise", "requests", "daily", "zulip", "webhooks", "replay")


@dataclass(frozen=True, slots=True)
class World:
    """One process's memory; nothing of it is on disk."""

    faults: Faults = field(default_factory=Faults)
    recorder: Recorder = field(default_factory=Recorder)
    daily: DailyAnswers = field(default_factory=DailyAnswers)
    zulip: ZulipMessages = field(default_factory=ZulipMessages)
    webhooks: WebhookDeliveries = field(default_factory=WebhookDeliveries)
    replay: Replay = field(default_factory=Replay)
    occurrences: Occurrences = field(default_factory=Occurrences)
    kept: Kept = field(default_factory=Kept)

    def reset(self, keep: Collection[str] = ()) -> None:
        """Forget every part but those in `keep` (names of PARTS)."""
        actions: dict[str, Callable[[], None]] = {
            "faults": self.faults.clear,
            "noise": self._forget_noise,
            "requests": self.recorder.reset,
            "daily": self.daily.reset,
            "zulip": self.zulip.reset,
            "webhooks": self.webhooks.reset,
            "replay": self._stop_replay,
        }
        for part, forget in actions.items():
            if part not in keep:
                forget()

    def _stop_replay(self) -> None:
        self.replay.put(ReplaySet())
        self.kept.put(AnswerSet(mode="record"))
        self.kept.put(AnswerSet(mode="off"))

    def _forget_noise(self) -> None:
        self.faults.clear_noise()
        self.occurrences.reset()
