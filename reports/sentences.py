"""The night's verdict in words: coverage first, then what failed, then what was fine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from reflector_migrate.model import GateVerdict, Verdict
from reflector_migrate.model.plural import plural
from reports.document import Coverage, Night
from reports.figures import count, percent
from reports.glyphs import GLYPHS
from reports.rows import Row

NAMED = 5
AGAINST = (Verdict.DIVERGED, Verdict.ERRORED)


def headline(night: Night) -> tuple[str, str, str]:
    """(state for colour, glyph, words): a failed gate says FAIL whatever the recordings say."""
    states = {gate.state for gate in night.gates if not gate.is_report_only}
    verdict = night.verdict
    if GateVerdict.FAIL in states and verdict is not Verdict.DIVERGED:
        return (Verdict.DIVERGED.value, "✗", "GATE FAILED")
    if GateVerdict.INCONCLUSIVE in states and verdict not in {Verdict.DIVERGED, Verdict.ERRORED}:
        verdict = Verdict.INCONCLUSIVE
    return (verdict.value, GLYPHS[verdict][0], verdict.value.replace("_", " "))


def sentences(night: Night, found: Sequence[Row], names: Sequence[str]) -> list[str]:
    """What a reader must know, the most important first."""
    deciding = [gate for gate in night.gates if not gate.is_report_only]
    said = [_coverage(night.coverage, found)]
    if night.seeded:
        whose = "with a seeded defect" if night.is_sandbox else "of a sandbox"
        left = f"{count(night.seeded)} {plural(night.seeded, 'comparison')} {whose}"
        said.append(f"Left out: {left}. They say nothing about the candidate.")
    said += _diverged(found)
    said += [_gate(g.name, g.why, g.value, g.limit) for g in deciding if g.state == "FAIL"]
    said += _checks(found, names)
    said += _lost(night.coverage)
    open_gates = [gate.name for gate in deciding if gate.state == GateVerdict.INCONCLUSIVE]
    if open_gates:
        said.append(f"Gates not decided yet: {', '.join(open_gates)}.")
    return said


def _coverage(coverage: Coverage, found: Sequence[Row]) -> str:
    if not found:
        return (
            f"Nothing was compared: 0 of {count(coverage.wanted)} eligible runs of the primary. "
            "That is not a match; it says nothing about the candidate."
        )
    different = len({row.recording for row in found})
    again = "" if different == len(found) else f", of {_recordings(different)}"
    return (
        f"{count(coverage.compared)} of {count(coverage.wanted)} eligible runs of the primary "
        f"were compared ({percent(coverage.share, 1)}){again}."
    )


def _diverged(found: Sequence[Row]) -> list[str]:
    """How many comparisons diverged or broke, and of how many recordings."""
    against = [row for row in found if row.verdict in AGAINST]
    if not against:
        return []
    of = f"{count(len(found))} {plural(len(found), 'comparison')}"
    different = len({row.recording for row in against})
    again = "" if different == len(against) else f", of {_recordings(different)}"
    return [f"{count(len(against))} of {of} diverged or could not be judged{again}."]


def _gate(name: str, why: str, value: str, limit: str) -> str:
    return f"Gate “{name}” failed: {value} against {limit}{f'; {why}' if why else ''}."


def _checks(found: Sequence[Row], names: Sequence[str]) -> list[str]:
    """The checks that diverged or broke, by how many recordings, and where it began."""
    said = []
    for letter, verb in (("D", "Checks that diverged"), ("E", "Checks that broke")):
        hits = Counter(n for row in found if letter in row.checks
                       for n, c in zip(names, row.checks, strict=True) if c == letter)  # fmt: skip
        if hits:
            parts = [f"{n.replace('_', ' ')} {count(number)}" for n, number in hits.most_common(8)]
            more = f" and {len(hits) - 8} more checks" if len(hits) > 8 else ""
            said.append(f"{verb}: {', '.join(parts)}{more}.")
    steps = Counter(row.step for row in found if row.step and row.verdict in AGAINST)
    if steps:
        parts = [f"{step} {count(number)}" for step, number in steps.most_common()]
        said.append(f"First divergent step of these: {', '.join(parts)}.")
    return said


def _lost(coverage: Coverage) -> list[str]:
    said = []
    if coverage.lost:
        names = ", ".join(coverage.lost[:NAMED]) + ", …" * (len(coverage.lost) > NAMED)
        ran = f"{_recordings(len(coverage.lost))} ran on the primary but were never announced"
        said.append(f"{ran}: {names}. Is the plugin on in its worker, and a dispatcher running? "
                    "To run them now: migrate replay.")  # fmt: skip
    if is_open := coverage.missing - len(coverage.lost):
        said.append(f"Announced, but not compared yet: {_recordings(is_open)}.")
    if coverage.unread:
        said.append(f"The primary's rows could not be read, so lost recordings are unknown: "
                    f"{coverage.unread}.")  # fmt: skip
    for reason, number in sorted(coverage.failed.items()):
        said.append(f"{count(number)} could not be compared: {reason}.")
    return said


def _recordings(number: int) -> str:
    return f"{count(number)} {plural(number, 'recording')}"
