"""Lines that may be judged together: one pair of builds, one kind of origin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from reflector_migrate.judge.gates.answers import Pace
from reflector_migrate.judge.gates.evidence import EvidenceLine

DEPLOYMENT = "deployment"


class Key(NamedTuple):
    """Evidence is of one of these: another build, configuration or model begins again."""

    builds: tuple[tuple[str, str], ...]
    configuration: str
    models: str
    normaliser: str
    origin: str
    defects: tuple[str, ...]


@dataclass(frozen=True)
class Evidence:
    """The lines of one cohort, in the order in which they arrived."""

    key: Key
    lines: tuple[EvidenceLine, ...]

    @property
    def recordings(self) -> int:
        """How many different recordings have a line."""
        return len({line.recording for line in self.lines})

    @property
    def nights(self) -> tuple[str, ...]:
        """Every night that has a line, in order of date."""
        return tuple(sorted({line.night for line in self.lines}))

    def pace(self, n: int) -> Pace:
        """n recordings in the nights so far."""
        nights = self.nights
        return Pace(recordings=n, nights=len(nights), last_night=nights[-1] if nights else "")

    def of(self, measure: str, stratum: str | None) -> Iterator[EvidenceLine]:
        """Lines of a measure, in one stratum or, without one, in all."""
        for line in self._by_measure.get(measure, ()):
            if stratum is None or stratum in line.facets:
                yield line

    @cached_property
    def _by_measure(self) -> Mapping[str, list[EvidenceLine]]:
        found: dict[str, list[EvidenceLine]] = {}
        for line in self.lines:
            found.setdefault(line.measure, []).append(line)
        return found


def origin_of(line: EvidenceLine) -> str:
    """Whom it may decide about: a run with a defect switched on is never a deployment's."""
    if line.defects:
        return "seeded-defect"
    return DEPLOYMENT if line.origin == "replayed" else line.origin


def cohorts_of(
    lines: Sequence[EvidenceLine], origin: str | None
) -> tuple[tuple[Evidence, ...], dict[str, int]]:
    """Cohorts in the order in which they first appear, and lines left out, counted by reason.

    Without `origin` a deployment's own lines are judged, and other origins only where
    there is no line of a deployment at all: those are then judged separately.
    """
    has_own = any(origin_of(line) == DEPLOYMENT for line in lines)
    wanted = origin or (DEPLOYMENT if has_own else None)
    groups: dict[Key, list[EvidenceLine]] = {}
    excluded: Counter[str] = Counter()
    for line in lines:
        if wanted is not None and origin_of(line) != wanted:
            excluded[origin_of(line)] += 1
        else:
            groups.setdefault(_key(line), []).append(line)
    found = []
    for key, members in groups.items():
        usable = tuple(_of_complete_pairs(members))
        if left_out := len(members) - len(usable):
            excluded["a side failed"] += left_out
        found.append(Evidence(key, usable))
    return tuple(found), dict(sorted(excluded.items()))


def newest_of(lines: Sequence[EvidenceLine]) -> Evidence | None:
    """The cohort of the newest line without a seeded defect; None where there is none.

    Not the cohort that began last: a model that was changed and changed back goes on.
    """
    cohorts, _ = cohorts_of([line for line in lines if not line.defects], None)
    by_key = {cohort.key: cohort for cohort in cohorts}
    return next((by_key[key] for key in map(_key, reversed(lines)) if key in by_key), None)


def _key(line: EvidenceLine) -> Key:
    """A secondary is the primary run again, so its build does not set a line apart."""
    builds = tuple(sorted((k, v) for k, v in line.builds.items() if k != "secondary"))
    defects = tuple(sorted(line.defects))
    return Key(builds, line.configuration, line.models, line.normaliser, origin_of(line), defects)


def _of_complete_pairs(lines: Sequence[EvidenceLine]) -> Iterator[EvidenceLine]:
    """All lines but the outputs of pairs in which a side failed: those say nothing of outputs.

    A pair is a recording's run in one night: what fails later takes no earlier difference back.
    """
    failed = {
        (line.recording, line.run, line.night)
        for line in lines
        if line.outcome is not None and not line.outcome.is_complete
    }
    for line in lines:
        is_of_outputs = line.coverage is None and line.outcome is None
        if not (is_of_outputs and (line.recording, line.run, line.night) in failed):
            yield line


def once(lines: Iterable[EvidenceLine]) -> list[EvidenceLine]:
    """The first line of each recording: one that ran three times does not count three times."""
    first: dict[str, EvidenceLine] = {}
    for line in lines:
        first.setdefault(line.recording, line)
    return list(first.values())
