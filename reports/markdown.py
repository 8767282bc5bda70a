"""Comparisons as Markdown for a pull request's comment; hostile text stays text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reflector_migrate.model import Comparison, Verdict
from reports.drawer import CheckLine, drawer
from reports.figures import clock
from reports.glyphs import glyph_word
from reports.text import clipped

LONGEST = 200
RECORDINGS = 50
_ACTIVE = re.compile(
    r"[\\`*\[\]#!|<>~@&:$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|(?<=www)\.", re.IGNORECASE
)


def render(comparisons: list[Comparison]) -> str:
    """One table of recordings, then the checks that are against, recording by recording.

    Nothing compared is said to be no match. A body keeps to the worst 50 recordings,
    as a comment's length is limited.
    """
    if not comparisons:
        return "## ? INCONCLUSIVE\n\nNothing was compared. That is not a match.\n"
    verdict = Verdict.worst([comparison.verdict for comparison in comparisons])
    order = list(Verdict)
    worst = sorted(comparisons, key=lambda c: (order.index(c.verdict), c.recording))[:RECORDINGS]
    parts = [f"## {glyph_word(verdict).split(' ', 1)[0]} {verdict.value.replace('_', ' ')}", ""]
    parts += [_counts(comparisons), "", *_table(worst)]
    if len(worst) < len(comparisons):
        parts += ["", f"And {len(comparisons) - len(worst)} more, none worse than these."]
    for comparison in worst:
        parts += _against(comparison)
    return "\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Text that Markdown, HTML and mentions leave alone, on one line."""
    return _ACTIVE.sub(_entity, clipped(text, LONGEST))


def _entity(found: re.Match[str]) -> str:
    """A character reference: Markdown gives it no meaning, a reader sees the character."""
    return f"&#{ord(found.group())};"


def _counts(comparisons: Sequence[Comparison]) -> str:
    counts = []
    for verdict in Verdict:
        number = sum(comparison.verdict is verdict for comparison in comparisons)
        if number:
            counts.append(f"{number} {glyph_word(verdict).split(' ', 1)[1]}")
    return f"{len(comparisons)} compared: {', '.join(counts)}."


def _table(comparisons: Sequence[Comparison]) -> list[str]:
    lines = ["| recording | verdict | begins at | length | against |", "|---|---|---|--:|---|"]
    for comparison in comparisons:
        blame = comparison.first_divergent_step
        against = ", ".join(escaped(check.name) for check in drawer(comparison).against)
        cells = (
            escaped(comparison.recording),
            glyph_word(comparison.verdict),
            escaped(blame.step) if blame else "",
            clock(comparison.duration_s),
            against,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _against(comparison: Comparison) -> list[str]:
    against = drawer(comparison).against
    if not against:
        return []
    lines = ["", f"### {escaped(comparison.recording)}", ""]
    lines += ["| check | primary | candidate | delta | floor / limit | verdict | why |"]
    lines += ["|---|--:|--:|--:|---|---|---|"]
    return lines + [_line(check) for check in against]


def _line(check: CheckLine) -> str:
    why = "; ".join((*check.remarks[:2], *([check.traceback] if check.traceback else [])))
    cells = [check.name.replace("_", " "), check.primary, check.candidate, check.delta, check.limit]
    shown = [escaped(cell) for cell in cells]
    verdict = glyph_word(Verdict(check.state))
    return f"| {' | '.join([*shown, verdict, escaped(why)])} |"
