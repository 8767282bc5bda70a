"""G0: what may not happen once: an unwaived difference, a candidate that fails alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reflector_migrate.judge.gates.answers import GateAnswer
from reflector_migrate.judge.gates.evidence import EvidenceLine
from reflector_migrate.judge.gates.question import Question, counted, decided_at, first_night
from reflector_migrate.model.vocabulary import GateVerdict


def judge_exact(question: Question) -> GateAnswer:
    """FAIL on the first unwaived difference; PASS when enough recordings have none."""
    lines = [
        line
        for line in question.evidence.of(question.measure, question.stratum)
        if line.exact_findings is not None
    ]
    return _judged(question, lines, lambda line: line.exact_findings or 0, "unwaived differences")


def judge_completion(question: Question) -> GateAnswer:
    """FAIL on the first run that the candidate alone failed; outages and persons aside.

    Only pairs whose primary completed say anything here.
    """
    lines = [
        line
        for line in question.evidence.lines
        if line.outcome is not None
        and line.outcome.primary == "completed"
        and (line.outcome.candidate == "completed" or line.outcome.is_candidate_fault)
        and (question.stratum is None or question.stratum in line.facets)
    ]
    return _judged(
        question,
        lines,
        lambda line: int(
            line.outcome is not None and line.outcome.is_candidate_fault and not line.waived
        ),
        "candidate failures",
    )


def _judged(
    question: Question,
    lines: Sequence[EvidenceLine],
    findings: Callable[[EvidenceLine], int],
    unit: str,
) -> GateAnswer:
    """None may be found, in at least `require_n` recordings."""
    if not lines:
        return question.unanswered(question.rule.require_n, limit=0, unit=unit)
    found = sum(findings(line) for line in lines)
    steps = list(counted(lines))
    n, enough = steps[-1][0], question.rule.require_n
    waived = sum(line.waived for line in lines)
    beside = f", {waived} waived" if waived else ""
    shared = {"value": found, "limit": 0, "unit": unit, "n": n, "waived": waived}
    if found:
        at, line = next((at, line) for at, line in steps if findings(line))
        hit = len({line.recording for line in lines if findings(line)})
        where = f"{question.place} in {hit} of {n} recordings, first in {line.recording}"
        return question.answer(
            GateVerdict.FAIL, **shared, why=f"{found} {unit}{where}{beside}", since=line.night,
            first_decided=decided_at(at, line),
        )  # fmt: skip
    if n < enough:
        return question.answer(
            GateVerdict.INCONCLUSIVE, **shared, since=first_night(line.night for line in lines),
            why=f"no {unit} in {n} recordings{question.place}, {enough} are needed{beside}",
            needs=question.needs(enough - n, n),
        )  # fmt: skip
    at, line = next((at, line) for at, line in steps if at == enough)
    return question.answer(
        GateVerdict.PASS, **shared, why=f"no {unit} in {n} recordings{question.place}{beside}",
        since=line.night, first_decided=decided_at(at, line),
    )  # fmt: skip
