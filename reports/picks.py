"""Which recordings a page carries in full: the worst, the one-sided errors, a few matches."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from reflector_migrate.model import Gist, Verdict
from reports.medians import sampled
from reports.rows import Row, check_names, rows

WORST = 25
MATCHES = 5
ONE_SIDED = 50


def worst(found: Sequence[Row]) -> list[int]:
    """Places of the worst recordings that are not fine, worst first."""
    fine = {Verdict.MATCHED, Verdict.WITHIN_NOISE}
    against = [place for place, row in enumerate(found) if row.verdict not in fine]
    return sorted(against, key=lambda place: found[place].badness)[:WORST]


def picks(found: Sequence[Row], night: str) -> list[int]:
    """Places of all recordings carried in full; the same night picks the same ones."""
    chosen = dict.fromkeys(worst(found))
    chosen |= dict.fromkeys(_one_sided(found))
    chosen |= dict.fromkeys(_matches(found, night))
    return list(chosen)


def carried(gists: Sequence[Gist], night: str) -> tuple[int, ...]:
    """Places of all comparisons that a page of these needs whole: drawers and medians."""
    shown = picks(rows(gists, check_names(gists)), night)
    return tuple(sorted({*shown, *sampled(len(gists))}))


def _one_sided(found: Sequence[Row]) -> list[int]:
    differing = [p for p, row in enumerate(found) if len(set(row.outcome.split("/"))) > 1]
    return sorted(differing, key=lambda place: found[place].badness)[:ONE_SIDED]


def _matches(found: Sequence[Row], night: str) -> list[int]:
    matched = [place for place, row in enumerate(found) if row.verdict is Verdict.MATCHED]
    return sorted(matched, key=lambda place: _lot(night, found[place].recording))[:MATCHES]


def _lot(night: str, recording: str) -> bytes:
    return sha256(f"{night}\0{recording}".encode("utf-8", "backslashreplace")).digest()
