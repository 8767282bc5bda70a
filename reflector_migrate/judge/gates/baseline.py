"""The primary's run time, each recording against one that ran before anything was shadowed.

Both are taken as seconds of work for each second of each track. A recording's partner has as many
tracks and is about as long, is drawn without looking at its time, and serves once. So the
differences do not depend on one another, and their mean is the change: no error of an estimated
baseline enters. What changed between the two times for other reasons is in it too.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from reflector_migrate.judge.gates.evidence import EvidenceLine
from reflector_migrate.judge.noise import base_stratum

PACE, TIME = "primary_pace", "primary_time"
FACETS = ("tracks:", "length:")


class Timed(NamedTuple):
    """A recording before the shadow: its stratum, and the logarithm of its pace."""

    recording: str
    stratum: str
    log_pace: float


def log_pace_of(run_s: float | None, duration_s: float | None, tracks: int | None) -> float | None:
    """Logarithm of the run time over the length of all tracks; None where one is unknown."""
    if not run_s or not duration_s or not tracks or min(run_s, duration_s, tracks) <= 0:
        return None
    return math.log(run_s / (duration_s * tracks))


def timed(
    recording: str, run_s: float | None, duration_s: float | None, tracks: int | None
) -> Timed | None:
    """A recording of the baseline; None where its time, length or tracks are unknown."""
    log_pace = log_pace_of(run_s, duration_s, tracks)
    if log_pace is None or tracks is None or duration_s is None:
        return None
    return Timed(recording, _size(base_stratum(tracks, duration_s, None)), log_pace)


def against_baseline(
    lines: Iterable[EvidenceLine], baseline: Sequence[Timed]
) -> Iterator[EvidenceLine]:
    """The lines, with each pace turned into a ratio to its partner's; without one it says nothing.

    Lines of one configuration, model and origin share the baseline, as they are judged together.
    """
    waiting: dict[tuple[object, ...], dict[str, list[Timed]]] = {}
    seen: set[tuple[object, ...]] = set()
    for line in lines:
        if line.measure != PACE:
            yield line
            continue
        cohort = (line.configuration, line.models, line.normaliser, line.origin, line.defects)
        if (*cohort, line.recording) in seen or line.log_ratio is None:
            continue
        seen.add((*cohort, line.recording))
        partners = waiting.setdefault(cohort, _by_size(baseline))
        if free := partners.get(_size(line.stratum)):
            ratio = line.log_ratio - free.pop().log_pace
            yield line.model_copy(update={"measure": TIME, "log_ratio": ratio})


def _by_size(baseline: Sequence[Timed]) -> dict[str, list[Timed]]:
    """In an order that says nothing of times or dates."""
    found: dict[str, list[Timed]] = {}
    for one in sorted(baseline, key=lambda one: hashlib.sha256(one.recording.encode()).digest()):
        found.setdefault(one.stratum, []).append(one)
    return found


def _size(stratum: str) -> str:
    return " ".join(part for part in stratum.split() if part.startswith(FACETS))
