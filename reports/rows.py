"""The recordings table: one frozen row a recording."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from reflector_migrate.model import Gist, Verdict
from reflector_migrate.model.comparison_index import SIGNS, names_of
from reports.text import visible

ABSENT = "."
ORDER = list(Verdict)
OUTCOMES = ("ok", "err", "missing")

_VERDICTS = {verdict.value: verdict for verdict in Verdict}
_SIGNS = {verdict.value: sign for verdict, sign in SIGNS.items()}
_OUTCOME_OF = {"completed": "ok", "failed": "err", "timed_out": "err"}


class Row(NamedTuple):
    """One recording in the table; rates in [0, 1], durations in seconds, money in micro-dollars.

    `key` is the row's address: one recording may be compared twice in a night.
    `sign` is the verdict's letter; `checks` a letter a check in the order of `check_names`.
    """

    key: str
    recording: str
    title: str
    verdict: Verdict
    sign: str
    step: str
    words: float | None
    speakers: float | None
    failing: int
    critical: int
    duration_s: float | None
    tracks: int | None
    outcome: str
    primary_s: float | None
    candidate_s: float | None
    primary_cost: int | None
    candidate_cost: int | None
    checks: str
    tags: str

    @property
    def badness(self) -> tuple[int, int, int, float, str]:
        """Sorts the worst first; the recording's name breaks ties."""
        rank = ORDER.index(self.verdict)
        return (rank, -self.critical, -self.failing, -(self.words or 0.0), self.recording)


def check_names(gists: Iterable[Gist]) -> tuple[str, ...]:
    """Every check of the night, in the order in which they are first met."""
    alike = dict.fromkeys([gist.checks for gist in gists])
    return tuple(dict.fromkeys(name for checks in alike for name in names_of(checks)))


def rows(gists: Sequence[Gist], names: Sequence[str]) -> tuple[Row, ...]:
    """A row a recording, in the order given."""
    places = {checks: _places(names_of(checks), names) for checks in {g.checks for g in gists}}
    return tuple(
        [
            _row(key, gist, _letters(gist.signs, places[gist.checks]))
            for key, gist in zip(keys(gists), gists, strict=True)
        ]
    )


def keys(gists: Sequence[Gist]) -> list[str]:
    """Each comparison's address on the page: its run's id, made unique where it is not."""
    seen = Counter[str]()
    found = []
    for gist in gists:
        key = visible(gist.run_id or gist.recording)
        seen[key] += 1
        found.append(key if seen[key] == 1 else f"{key}~{seen[key]}")
    return found


def _row(key: str, gist: Gist, letters: str) -> Row:
    ended = (outcome(gist.primary_status), outcome(gist.candidate_status))
    return Row(
        key,
        visible(gist.recording),
        visible(gist.title),
        _VERDICTS[gist.verdict],
        _SIGNS[gist.verdict],
        visible(gist.step),
        gist.words,
        gist.speaker_words,
        gist.against,
        gist.critical,
        gist.duration_s,
        gist.tracks,
        f"{ended[0]}/{ended[1]}",
        gist.primary_s,
        gist.candidate_s,
        gist.primary_cost,
        gist.candidate_cost,
        letters,
        _tags(gist, ended),
    )


def _places(own: tuple[str, ...], names: Sequence[str]) -> tuple[int, ...] | None:
    """Where each of the night's checks stands among a recording's own; None for all as it is.

    One that is not there stands behind its last.
    """
    if own == tuple(names):
        return None
    place_of = {name: place for place, name in enumerate(own)}
    return tuple(place_of.get(name, len(own)) for name in names)


def _letters(signs: str, places: tuple[int, ...] | None) -> str:
    return signs if places is None else "".join([f"{signs}{ABSENT}"[place] for place in places])


def _tags(gist: Gist, ended: tuple[str, str]) -> str:
    found = [gist.language] if gist.language else []
    if "W" in gist.signs:
        found.append("waived")
    if gist.secondary_engine is not None:
        found.append("secondary")
    if gist.floorless:
        found.append("nofloor")
    if ended[0] != ended[1]:
        found.append("onesided")
    return visible(" ".join(found))


def outcome(status: str) -> str:
    """ok, err, or missing: what became of a run."""
    return _OUTCOME_OF.get(status, "missing")
