"""Where topics begin: boundary similarity B in seconds, WindowDiff and Pk beside it.

B as Fournier (2013) defines it: boundaries of both sides match, are near misses
(a transposition, weighing its span / n_t), or are missed. errors / length = 1 - B.
WindowDiff (Pevzner & Hearst 2002) and Pk (Beeferman 1999) are counts of windows.
All of them equal segeval's on the cases where segeval answers at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from comparators.amounts import sides
from reflector_migrate.model import Finding, Measure, Observation, Severity, Topic, Unit

STEP = "detect_topics"
TOLERANCE_S = 30


class BoundaryEdits(NamedTuple):
    """Boundaries that match, near misses (reference, hypothesis), and those of one side only."""

    matches: list[int]
    near: list[tuple[int, int]]
    missing: list[int]
    extra: list[int]

    def errors(self, n_t: int) -> float:
        """Misses, and near misses weighed by their span."""
        spans = sum(abs(r - h) for r, h in self.near)
        return len(self.missing) + len(self.extra) + spans / n_t

    @property
    def length(self) -> int:
        """Matches and edits together."""
        return len(self.matches) + len(self.near) + len(self.missing) + len(self.extra)


def boundary_edits(reference: set[int], hypothesis: set[int], n_t: int) -> BoundaryEdits:
    """Pair boundaries closest first, then earliest first, while less than n_t units apart."""
    missing, extra = sorted(reference - hypothesis), sorted(hypothesis - reference)
    candidates = sorted(
        (abs(r - h), min(r, h), r, h) for r in missing for h in extra if abs(r - h) < n_t
    )
    near: list[tuple[int, int]] = []
    used_reference: set[int] = set()
    used_hypothesis: set[int] = set()
    for _, _, r, h in candidates:
        if r not in used_reference and h not in used_hypothesis:
            near.append((r, h))
            used_reference.add(r)
            used_hypothesis.add(h)
    return BoundaryEdits(
        sorted(reference & hypothesis),
        near,
        [r for r in missing if r not in used_reference],
        [h for h in extra if h not in used_hypothesis],
    )


def window_size(boundaries: set[int], units: int) -> int:
    """Half the reference's mean segment, at least 2."""
    return max(round(units / (len(boundaries) + 1) / 2), 2)


def windowed(reference: set[int], hypothesis: set[int], units: int, k: int) -> tuple[int, int, int]:
    """(windows WindowDiff counts as wrong, windows Pk does, windows) for windows of k units.

    Boundary b lies before unit b; the window at i holds those from i + 1 to i + k. What a
    window holds changes at few places, and between them all windows are alike.
    """
    windows = max(units - k, 0)
    changes: dict[int, list[int]] = {windows: [0, 0]}
    for side, boundaries in enumerate((reference, hypothesis)):
        for boundary in boundaries:
            if 0 <= boundary < units:
                changes.setdefault(max(boundary - k, 0), [0, 0])[side] += 1
                changes.setdefault(boundary, [0, 0])[side] -= 1
    wrong = probes = mine = theirs = since = 0
    for place in sorted(changes):
        alike = min(place, windows) - since
        wrong += alike * (mine != theirs)
        probes += alike * (bool(mine) != bool(theirs))
        mine, theirs = mine + changes[place][0], theirs + changes[place][1]
        since = min(place, windows)
    return wrong, probes, windows


def starts_s(topics: Sequence[Topic]) -> set[int]:
    """Inner boundaries in whole seconds: where every topic but the first begins."""
    seconds = sorted(round(topic.timestamp) for topic in topics)
    return {second for second in seconds[1:] if second > 0}


def compare_topic_boundaries(reference: Observation, hypothesis: Observation) -> Measure:
    """1 - B over both sides' topic starts, tolerance 30 s."""
    mine, theirs = starts_s(reference.outputs.topics), starts_s(hypothesis.outputs.topics)
    edits = boundary_edits(mine, theirs, TOLERANCE_S + 1)
    units = max([*mine, *theirs, 0]) + TOLERANCE_S
    wrong, probes, windows = windowed(mine, theirs, units, window_size(mine, units))
    places = _places(reference.outputs.topics), _places(hypothesis.outputs.topics)
    return Measure(
        name="topic_boundaries",
        kind="graded",
        errors=edits.errors(TOLERANCE_S + 1),
        length=edits.length,
        counts={
            "matches": len(edits.matches),
            "near_misses": len(edits.near),
            "missing": len(edits.missing),
            "extra": len(edits.extra),
            "windowdiff_errors": wrong,
            "pk_errors": probes,
            "windows": windows,
        },
        **sides(len(reference.outputs.topics), len(hypothesis.outputs.topics), Unit.TOPIC),
        step=STEP,
        findings=tuple(
            [_finding("missing", second, places[0][second]) for second in edits.missing]
            + [_finding("extra", second, places[1][second]) for second in edits.extra]
            + [_moved(r, h, places[0][r]) for r, h in edits.near]
        ),
    )


def _places(topics: Sequence[Topic]) -> dict[int, int]:
    """Which topic begins at a second."""
    return {round(topic.timestamp): place for place, topic in enumerate(topics)}


def _finding(kind: str, second: int, place: int) -> Finding:
    return Finding(
        path=f"topic_boundaries/{kind}",
        step=STEP,
        severity=Severity.MINOR,
        kind=kind,
        reference=second if kind == "missing" else None,
        hypothesis=second if kind == "extra" else None,
        at_s=second,
        position=place,
        message="no topic starts here" if kind == "missing" else "an additional topic starts here",
    )


def _moved(reference: int, hypothesis: int, place: int) -> Finding:
    return Finding(
        path="topic_boundaries/moved",
        step=STEP,
        severity=Severity.MINOR,
        kind="moved",
        reference=reference,
        hypothesis=hypothesis,
        at_s=reference,
        position=place,
        message=f"a topic begins {hypothesis - reference:+d} s away",
    )
