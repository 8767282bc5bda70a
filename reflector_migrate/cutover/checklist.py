"""The phases' items, run all of them: none stops the others, and none is passed unanswered."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reflector_migrate.cutover import evidence, infrastructure, proofs, trail
from reflector_migrate.cutover.gated import ByGates, judged_once
from reflector_migrate.cutover.items import Answer, Item, Line, State, failed
from reflector_migrate.cutover.people import drill, not_yet, signatures
from reflector_migrate.errors import ExitCode, MigrateError
from reflector_migrate.judge.gates.answers import GateRun
from reflector_migrate.model import Phase
from reflector_migrate.settings import Settings

WORDS = frozenset({"words", "words_raw", "speaker_words", "word_times"})

P = Phase
ITEMS: tuple[Item, ...] = (
    Item(P.INFRASTRUCTURE, "conductor healthy", "GET /health of the Conductor server",
         infrastructure.conductor_is_healthy),
    Item(P.INFRASTRUCTURE, "definitions registered", "workflow and 15 tasks against this build",
         infrastructure.definitions_are_registered),
    Item(P.INFRASTRUCTURE, "conductor workers", "poll data of every task queue",
         infrastructure.workers_are_ours),
    Item(P.INFRASTRUCTURE, "celery workers", "a ping over the primary's broker",
         infrastructure.celery_answers),
    Item(P.INFRASTRUCTURE, "namespaces separate", "settings of primary and candidate",
         infrastructure.namespaces_are_separate),
    Item(P.INFRASTRUCTURE, "side effects suppressed", "the namespace workers may write to",
         infrastructure.effects_are_suppressed),
    Item(P.INFRASTRUCTURE, "kill switch drilled", "recordings that the kill switch held back",
         infrastructure.kill_switch_is_drilled),
    Item(P.PARALLEL, "synthetic recordings", "stored comparisons of every fixture recording",
         evidence.synthetic_recordings_complete),
    Item(P.PARALLEL, "seeded defects caught", "the audit log's runs of `migrate defects run`",
         proofs.seeded_defects_are_caught),
    Item(P.PARALLEL, "placebo", "a third legacy run as the candidate",
         not_yet("no placebo run is stored")),
    Item(P.PARALLEL, "A/A recordings", "comparisons with a secondary", evidence.a_a_recordings),
    Item(P.PARALLEL, "margins signed", "the audit log", signatures("margins")),
    Item(P.SHADOW, "pairs compared / eligible", "the primary's rows against stored comparisons",
         evidence.coverage),
    Item(P.SHADOW, "structure and side effects", "`migrate gate`: completion and exact checks",
         ByGates(layers=frozenset({"G0"}))),
    Item(P.SHADOW, "words over the floor", "`migrate gate`: words, speakers and word times",
         ByGates(names=WORDS)),
    Item(P.SHADOW, "catastrophes", "`migrate gate`: empty, truncated and looped outputs",
         ByGates(layers=frozenset({"G2"}))),
    Item(P.SHADOW, "summaries over the floor", "`migrate gate`: topics, title, summaries, facts",
         ByGates(layers=frozenset({"G1"}), but=WORDS)),
    Item(P.SHADOW, "error parity", "`migrate gate`: the candidate's failures beyond the primary's",
         ByGates(layers=frozenset({"errors"}))),
    Item(P.SHADOW, "primary unharmed", "`migrate gate`: the primary with the plugin loaded",
         ByGates(layers=frozenset({"primary"}))),
    Item(P.SHADOW, "cost and latency", "`migrate gate`: candidate over primary",
         ByGates(layers=frozenset({"cost", "latency"}))),
    Item(P.CUTOVER, "shadow gates on this build", "`migrate gate`: every gate", ByGates()),
    Item(P.CUTOVER, "rollback drill", "the audit log", drill("rollback", within_days=14)),
    Item(P.CUTOVER, "failover drill", "the audit log", drill("failover", within_days=14)),
    Item(P.CUTOVER, "routing audit", "routes of rooms that did not opt in",
         not_yet("no routing audit is stored")),
    Item(P.CUTOVER, "sign-off", "the audit log", signatures("cutover")),
    Item(P.CLEANUP, "nights with roles reversed", "nights with Conductor as the primary",
         not_yet("Conductor has not been the primary yet")),
    Item(P.CLEANUP, "waivers expired", "waivers still in force", not_yet("not looked at yet")),
    Item(P.CLEANUP, "no celery route used", "routes of the last nights",
         not_yet("routes are not recorded yet")),
    *(Item(phase, "audit log intact", "the chain of digests, and each nightly report's head",
           trail.audit_log_is_intact) for phase in P),
)  # fmt: skip


def run(settings: Settings, phase: Phase) -> tuple[Line, ...]:
    """Answer every item of a phase; an item that raises has failed, with its reason.

    The gates are judged once, however many items ask for them.
    """
    of_phase = [item for item in ITEMS if item.phase is phase]
    gates = judged_once(settings)
    return tuple(
        Line(n, item, _answer(settings, item, gates)) for n, item in enumerate(of_phase, start=1)
    )


def _answer(settings: Settings, item: Item, gates: Callable[[], GateRun]) -> Answer:
    try:
        if isinstance(item.answer, ByGates):
            return item.answer.of(gates())
        return item.answer(settings)
    except MigrateError as error:
        return failed("could not be checked", why=error.message)


def exit_code(lines: Sequence[Line]) -> ExitCode:
    """1 if any item fails, 3 if any is only pending, 0 if all pass; no items is pending."""
    states = {line.answer.state for line in lines}
    if State.FAIL in states:
        return ExitCode.AGAINST
    return ExitCode.OK if states == {State.PASS} else ExitCode.INCONCLUSIVE
