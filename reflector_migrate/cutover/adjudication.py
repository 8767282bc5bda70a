"""Blind answers of readers: what is still to be read, what was chosen, and which side is better.

An answer is an entry of the audit log: who, which recording, which side, and the digest of what
was shown. No word of a transcript stands there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args

from reflector_migrate.errors import InputError
from reflector_migrate.harness import Harness
from reflector_migrate.judge.adjudication import TEXTS, Choice, Hunk, Text, hunk_of
from reflector_migrate.judge.preference import Preference, preference
from reflector_migrate.model import Role
from reflector_migrate.shadow.decisions import record

KIND = "adjudicate"
LONGEST_NAME = 80


@dataclass(frozen=True)
class Desk:
    """The hunks of one text, of the newest pair of builds: a recording has one or none."""

    harness: Harness
    text: Text

    @cached_property
    def hunks(self) -> tuple[Hunk, ...]:
        """Every recording's hunk, in an order that says nothing of nights or sizes.

        Both sides must have completed; what was erased is not shown.
        """
        runs = sorted(self._runs.items(), key=lambda item: _mixed(item[1]))
        found = (self._hunk(run) for _, run in runs)
        return tuple(hunk for hunk in found if hunk is not None)

    @cached_property
    def builds(self) -> Mapping[str, str]:
        """Of which pair the answers are; empty where nothing is compared yet."""
        return {role: build for role, build in self._newest[0] if role != "secondary"}

    def open_to(self, who: str) -> tuple[Hunk, ...]:
        """What this reader has not answered yet."""
        done = {body["recording"] for body in self._answers() if body["who"] == who}
        return tuple(hunk for hunk in self.hunks if hunk.recording not in done)

    def record(self, hunk: Hunk, who: str, choice: Choice) -> None:
        """Add an answer to the audit log; a reader's second one to a recording changes nothing."""
        if choice not in get_args(Choice):
            raise InputError(f"{choice!r} is not one of {', '.join(get_args(Choice))}")
        if hunk not in self.open_to(reader(who)):
            return
        body = {
            "text": self.text, "recording": hunk.recording, "run": hunk.run,
            "shown": hunk.digest, "choice": choice, "builds": dict(self.builds),
        }  # fmt: skip
        record(self.harness, KIND, body, who=who, evidence=hunk.digest)

    def outcome(self) -> Preference:
        """Which side is better by the answers of this pair of builds; a recording counts once.

        Of several readers' answers to a recording the first counts.
        """
        first: dict[str, Choice] = {}
        for body in self._answers():
            first.setdefault(body["recording"], body["choice"])
        return preference(list(first.values()))

    def _answers(self) -> Iterator[Mapping[str, Any]]:
        for entry in self.harness.audit.all(KIND):
            body = entry["body"]
            if (body["text"], body["builds"]) == (self.text, self.builds):
                yield body

    @cached_property
    def _newest(self) -> tuple[tuple[tuple[str, str], ...], Mapping[str, str]]:
        """The builds of the newest cohort, and its recordings, each with its first run."""
        from reflector_migrate.judge.gates.cohorts import newest_of
        from reflector_migrate.shadow.nightly.gating import stored_evidence

        newest = newest_of(stored_evidence(self.harness))
        runs: dict[str, str] = {}
        for line in newest.lines if newest else ():
            if line.outcome is not None and line.outcome.is_complete:
                runs.setdefault(line.recording, line.run)
        return (newest.key.builds if newest else ()), runs

    @property
    def _runs(self) -> Mapping[str, str]:
        return self._newest[1]

    def _hunk(self, run: str) -> Hunk | None:
        store = self.harness.evidence
        comparison = store.first(run)
        if comparison is None:
            return None
        if self.text == "words":
            return hunk_of(comparison, None, None, self.text)
        sides = [store.observation(run, role) for role in (Role.PRIMARY, Role.CANDIDATE)]
        outputs = [None if side is None else side.outputs for side in sides]
        return hunk_of(comparison, outputs[0], outputs[1], self.text)


def text_for(measure: str) -> Text:
    """What is shown for a gate. Raises InputError where no text shows what it measures."""
    if measure not in TEXTS:
        said = f"no text shows what {measure!r} measures"
        raise InputError(said, hint=f"one of {', '.join(TEXTS)}")
    return TEXTS[measure]


def reader(who: str) -> str:
    """A reader's name for the log, without blanks around it; InputError for none, or a long one."""
    name = who.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise InputError(f"a reader's name has 1 to {LONGEST_NAME} letters")
    return name


def _mixed(run: str) -> bytes:
    return hashlib.sha256(run.encode()).digest()
