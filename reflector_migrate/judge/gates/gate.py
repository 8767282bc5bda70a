"""All gates of all cohorts, in the order of the rules; one that fails stops no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from reflector_migrate.errors import ExitCode
from reflector_migrate.judge.gates.answers import Cohort, GateAnswer, GateRun, worst
from reflector_migrate.judge.gates.catastrophes import judge_catastrophes
from reflector_migrate.judge.gates.cohorts import DEPLOYMENT, Evidence, Key, cohorts_of, once
from reflector_migrate.judge.gates.coverage import judge_coverage
from reflector_migrate.judge.gates.evidence import EvidenceLine
from reflector_migrate.judge.gates.exact import judge_completion, judge_exact
from reflector_migrate.judge.gates.means import judge_mean
from reflector_migrate.judge.gates.question import Question, first_night
from reflector_migrate.judge.gates.rules import NEEDED, PRINTED, GateRule, Kind, Rules
from reflector_migrate.model.vocabulary import GateVerdict

JUDGES: Mapping[Kind, Callable[[Question], GateAnswer]] = {
    "exact": judge_exact,
    "completion": judge_completion,
    "mean": judge_mean,
    "ratio": judge_mean,
    "parity": judge_mean,
    "catastrophes": judge_catastrophes,
    "coverage": judge_coverage,
}
READS: Mapping[Kind, str] = {
    "exact": "exact_findings",
    "completion": "outcome",
    "mean": "x_pp",
    "ratio": "log_ratio",
    "parity": "outcome",
    "catastrophes": "catastrophe",
    "coverage": "coverage",
}
ANYWHERE = frozenset({"outcome", "catastrophe"})
"""Entries that are read whatever the line's measure is called."""
EXIT_CODES = {
    GateVerdict.PASS: ExitCode.OK,
    GateVerdict.FAIL: ExitCode.AGAINST,
    GateVerdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
}


def judge(lines: Sequence[EvidenceLine], rules: Rules, *, origin: str | None = None) -> GateRun:
    """Every gate of every cohort of the lines, in the order in which they arrived.

    The worst gate that is not for report only is the state. Without a line every gate is
    INCONCLUSIVE. `origin` judges lines of that origin alone.
    """
    cohorts, excluded = cohorts_of(lines, origin)
    if not cohorts:
        cohorts = (Evidence(Key((), "", "", "", origin or DEPLOYMENT, ()), ()),)
    judged = [(cohort, tuple(_answers(cohort, rules))) for cohort in cohorts]
    state = worst(_state(answers) for _, answers in judged)
    code = EXIT_CODES[state]
    return GateRun(
        ok=code is ExitCode.OK,
        state=state,
        exit_code=int(code),
        rules=rules.digest,
        excluded=excluded,
        cohorts=tuple(_cohort(cohort, answers) for cohort, answers in judged),
        gates=tuple(
            answer.model_copy(update={"cohort": place})
            for place, (_, answers) in enumerate(judged)
            for answer in answers
        ),
    )


def held(run: GateRun, why: str) -> GateRun:
    """The same run with no gate decided: each says why, and what it would have been."""
    gates = tuple(gate if gate.is_report_only else _held(gate, why) for gate in run.gates)
    held_back = {"state": GateVerdict.INCONCLUSIVE}
    return run.model_copy(
        update={
            **held_back,
            "ok": False,
            "exit_code": int(EXIT_CODES[GateVerdict.INCONCLUSIVE]),
            "cohorts": tuple(cohort.model_copy(update=held_back) for cohort in run.cohorts),
            "gates": gates,
        }
    )


def _held(gate: GateAnswer, why: str) -> GateAnswer:
    would = "" if gate.state is GateVerdict.INCONCLUSIVE else f"would {gate.state.value}: "
    said = f"{why}; {would}{gate.why}".rstrip("; ")
    return gate.model_copy(
        update={"state": GateVerdict.INCONCLUSIVE, "first_decided": None, "why": said}
    )


def _answers(evidence: Evidence, rules: Rules) -> Iterator[GateAnswer]:
    """Each rule on each of its measures, over all and in each declared stratum."""
    measures = list(dict.fromkeys(line.measure for line in evidence.lines))
    asked: dict[tuple[str, Kind], bool] = {}
    for rule in rules.gates:
        of = rule.layer, rule.kind
        for measure in _named(rule, measures):
            for stratum in (None, *rules.strata_of(rule)):
                answer = JUDGES[rule.kind](Question(measure, stratum, rule, rules, evidence))
                asked[of] = asked.get(of, False) or not answer.is_report_only
                yield answer
    yield from _without_rule(evidence, rules, measures)
    yield from _lacking(evidence, rules, asked)


def _named(rule: GateRule, seen: Sequence[str]) -> Iterator[str]:
    """The rule's measures; a pattern stands for those of its kind that were seen."""
    for name in rule.measures:
        if name.endswith("/*"):
            yield from sorted(measure for measure in seen if measure.startswith(name[:-1]))
        else:
            yield name


def _without_rule(evidence: Evidence, rules: Rules, seen: Sequence[str]) -> Iterator[GateAnswer]:
    """Evidence that no rule reads holds the phase, and fails it where it shows a difference."""
    known = {(name, READS[rule.kind]) for rule in rules.gates for name in _named(rule, seen)}
    found = {(line.measure, line.entry) for line in evidence.lines if line.entry not in ANYWHERE}
    spare = GateRule(measures=("spare",), layer="G0", kind="exact")
    for measure, entry in sorted(found - known):
        question = Question(measure, None, spare, rules, evidence)
        if entry == "exact_findings":
            yield judge_exact(question)
        else:
            of = [line for line in evidence.of(measure, None) if line.entry == entry]
            yield question.answer(
                GateVerdict.INCONCLUSIVE, n=len(once(of)), since=first_night(x.night for x in of),
                why=f"no rule reads {entry} of the measure {measure}",
            )  # fmt: skip


def _lacking(
    evidence: Evidence, rules: Rules, asked: Mapping[tuple[str, Kind], bool]
) -> Iterator[GateAnswer]:
    """What rules cannot do without holds the phase: they would pass whatever it would find.

    `asked` has each layer and kind of gate, and whether any of them is not for report only.
    """
    for (layer, kind), must_decide in NEEDED.items():
        if asked.get((layer, kind)) or (not must_decide and (layer, kind) in asked):
            continue
        rule = GateRule(measures=(kind,), layer=layer, kind="exact")
        why = f"by these rules no gate of layer {layer} and kind {kind} decides; {PRINTED}"
        question = Question(kind, None, rule, rules, evidence)
        yield question.answer(GateVerdict.INCONCLUSIVE, why=why)


def _state(answers: Sequence[GateAnswer]) -> GateVerdict:
    return worst(answer.state for answer in answers if not answer.is_report_only)


def _cohort(evidence: Evidence, answers: Sequence[GateAnswer]) -> Cohort:
    key = evidence.key
    return Cohort(
        builds=dict(key.builds),
        configuration=key.configuration,
        models=key.models,
        normaliser=key.normaliser,
        origin=key.origin,
        defects=key.defects,
        recordings=evidence.recordings,
        nights=len(evidence.nights),
        state=_state(answers),
    )
