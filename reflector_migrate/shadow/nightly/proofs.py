"""Proofs of the harness, in the audit log: seeded defects and placebos, each with its build.

A gate counts only for a build with both: a placebo that no gate failed, and every seeded
defect found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from reflector_migrate.harness import Harness
from reflector_migrate.judge.gates.spread import Pooled, Spread, pooled
from reflector_migrate.pipeline.defects.registry import all_defects
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.decisions import record
from reflector_migrate.store.atomic_write import write_aside

DEFECTS_RUN, PLACEBO_RUN = "run:defects", "run:placebo"
DEFECTS_COMMAND, PLACEBO_COMMAND = "migrate defects run", "migrate placebo run"
PLACEBO_AT_LEAST = 10
"""Recordings that a placebo must have compared."""


@dataclass(frozen=True, slots=True)
class DefectProofs:
    """Of every seeded defect its newest result with one build: proved, wrong, or not tried."""

    known: tuple[str, ...]
    wrong: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def proved(self) -> int:
        """How many were found as they must be."""
        return len(self.known) - len(self.wrong) - len(self.missing)


@dataclass(frozen=True, slots=True)
class Placebo:
    """A stored placebo: the recordings it compared, and the gates that failed it."""

    at: datetime
    recordings: tuple[str, ...]
    failed: tuple[str, ...]
    evidence: str

    @property
    def is_enough(self) -> bool:
        """Whether it compared as many recordings as a proof needs."""
        return len(self.recordings) >= PLACEBO_AT_LEAST


class Kept(NamedTuple):
    """A file of evidence, and its digest in hex."""

    path: Path
    digest: str


def keep_evidence(settings: Settings, name: str, ending: str, text: str) -> Kept:
    """Write a proof's evidence to a file with a part of its digest as name: none replaces another.

    So each entry of the audit log can still be compared with the file that it is about.
    """
    digest = hashlib.sha256(text.encode()).hexdigest()
    path = settings.state_dir / "evidence" / f"{name}-{digest[:12]}.{ending}"
    write_aside(path, text)
    return Kept(path, digest)


def record_defects_run(
    harness: Harness,
    *,
    build: str,
    conductor: str,
    found: Mapping[str, str],
    who: str,
    evidence: str,
) -> str:
    """Add a run to the audit log; returns the entry's digest.

    `found` has an entry per defect tried: "" where it was proved, else what went wrong;
    evidence is the digest of the run's document.
    """
    body: dict[str, Any] = {"build": build, "conductor": conductor, "defects": dict(found)}
    return record(harness, DEFECTS_RUN, body, who=who, evidence=evidence)


def record_placebo(
    harness: Harness,
    *,
    build: str,
    recordings: Sequence[str],
    failed: Sequence[str],
    evidence: str,
    rules: str,
    who: str,
    spread: Mapping[str, Spread] | None = None,
) -> str:
    """Add a placebo to the audit log; returns the entry's digest.

    `failed` names the gates that failed it; evidence and rules are digests. `spread` is that of
    each measure's excess.
    """
    body = {
        "build": build, "recordings": list(recordings), "failed": list(failed),
        "spread": {name: list(found) for name, found in (spread or {}).items()},
    }  # fmt: skip
    return record(harness, PLACEBO_RUN, body, who=who, evidence=evidence, rules=rules)


def defect_proofs(harness: Harness, build: str) -> DefectProofs:
    """The newest result of every seeded defect, tried with this build."""
    latest: dict[str, str] = {}
    for entry in harness.audit.all(DEFECTS_RUN):
        if entry["body"]["build"] == build:
            latest |= entry["body"]["defects"]
    known = tuple(defect.name for defect in all_defects())
    return DefectProofs(
        known,
        wrong=tuple(f"{name}: {latest[name]}" for name in known if latest.get(name)),
        missing=tuple(name for name in known if name not in latest),
    )


def placebo(harness: Harness, build: str) -> Placebo | None:
    """The newest placebo of this build, or None."""
    entries = harness.audit.all(PLACEBO_RUN)
    mine = [entry for entry in entries if entry["body"]["build"] == build]
    if not mine:
        return None
    body = mine[-1]["body"]
    return Placebo(
        mine[-1]["at"], tuple(body["recordings"]), tuple(body["failed"]), body["evidence"]
    )


def spread_by_measure(harness: Harness) -> dict[str, Pooled]:
    """How far legacy lies from itself, by measure: of the newest placebo of each night.

    Legacy does not change with the candidate's build, so those of all builds count.
    """
    nights = {
        entry["at"].date(): entry["body"].get("spread") or {}
        for entry in harness.audit.all(PLACEBO_RUN)
    }
    found: dict[str, list[Spread]] = {}
    for spread in nights.values():
        for name, numbers in spread.items():
            found.setdefault(name, []).append(Spread(*numbers))
    return {name: pooled(some) for name, some in sorted(found.items())}


def unproved(harness: Harness, build: str) -> str:
    """What is missing before a gate counts for this build, with the commands; "" if nothing."""
    defects, found = defect_proofs(harness, build), placebo(harness, build)
    lacking = []
    if found is None or not found.is_enough or found.failed:
        lacking.append(f"a placebo that no gate fails ({PLACEBO_COMMAND})")
    if defects.wrong or defects.missing:
        number = f"{defects.proved} of {len(defects.known)}"
        lacking.append(f"every seeded defect found, {number} are ({DEFECTS_COMMAND})")
    return f"not counted: build {build} needs {' and '.join(lacking)}" if lacking else ""
