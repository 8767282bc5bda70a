"""The phases' items, run all of them: none stops the others, and none is passed unanswered."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reflector_migrate.cutover import (
    evidence,
    history,
    infrastructure,
    proofs,
    routing_audit,
    trail,
)
from reflector_migrate.cutover.drills import drilled
from reflector_migrate.cutover.gated import ByGates, Gated, judged_once
from reflector_migrate.cutover.items import Answer, Item, Line, State, failed, unreachable
from reflector_migrate.cutover.people import margins_are_signed, signatures
from reflector_migrate.errors import ExitCode, MigrateError, ServerUnreachableError
from reflector_migrate.harness import Harness
from reflector_migrate.model import Phase

WORDS = frozenset({"words", "words_raw", "speaker_words", "word_times"})
MEAN = "each gate passes once its wealth W+ against `the mean is at or over the margin` is 1/alpha"
NONE = "each gate passes when none is found in as many recordings as its rule asks for"

P = Phase
ITEMS: tuple[Item, ...] = (
    Item(P.INFRASTRUCTURE, "conductor healthy", "GET /health of the Conductor server",
         "passes when the server says that it is healthy",
         "migrate doctor", infrastructure.conductor_is_healthy),
    Item(P.INFRASTRUCTURE, "definitions registered", "workflow and tasks against this build",
         "passes when none of them differs from what this build would register",
         "migrate register --dry-run", infrastructure.definitions_are_registered),
    Item(P.INFRASTRUCTURE, "conductor workers", "poll data of every task queue",
         "passes when workers of this build poll all 15 queues, and no others do",
         "migrate doctor", infrastructure.workers_are_ours),
    Item(P.INFRASTRUCTURE, "celery workers", "which tasks each worker on the primary's broker has",
         "passes when at least one has the primary's pipeline",
         "migrate doctor", infrastructure.celery_answers),
    Item(P.INFRASTRUCTURE, "namespaces separate", "the servers of primary and candidate",
         "passes when no database, bucket, folder or channel is reached by both",
         "migrate config show", infrastructure.namespaces_are_separate),
    Item(P.INFRASTRUCTURE, "side effects suppressed", "the namespace workers may write to",
         "passes when it is `shadow`",
         "migrate config show", infrastructure.effects_are_suppressed),
    Item(P.INFRASTRUCTURE, "kill switch drilled", "drills that ran against this deployment",
         "passes when the newest drill held its recording back, with this build, within 14 days",
         "migrate audit export", drilled("kill-switch")),
    Item(P.PARALLEL, "synthetic recordings", "stored comparisons of every fixture recording",
         "passes when the newest comparison of each one matched",
         "migrate report", evidence.synthetic_recordings_complete),
    Item(P.PARALLEL, "seeded defects caught", "the audit log's runs of `migrate defects run`",
         "passes when the newest result of every defect with this build is a proof",
         "migrate audit export", proofs.seeded_defects_are_caught),
    Item(P.PARALLEL, "placebo", "a third legacy run as the candidate",
         "passes when no gate fails it, over 10 recordings or more, with this build",
         "migrate audit export", proofs.placebo_is_not_failed),
    Item(P.PARALLEL, "A/A recordings", "recordings with a secondary",
         "passes when 30 different recordings were compared beside a second legacy run",
         "migrate export csv", evidence.a_a_recordings),
    Item(P.PARALLEL, "spread and night effect", "the excess of placebos: legacy as the candidate",
         "passes when each mean is clipped at 4 of its sd or more, and no shared effect is declared"
         " smaller than measured", "migrate audit export", proofs.spread_fits_the_rules),
    Item(P.PARALLEL, "margins signed", "signatures in the log, and comparisons stored before them",
         "passes with one signature of before this build's first comparison, or two people's of"
         " after it: of this build, under these rules", "migrate audit export", margins_are_signed),
    Item(P.SHADOW, "pairs compared / eligible", "the primary's rows against stored comparisons",
         "passes when the share that the rules ask for was compared, to the last recording",
         "migrate gate", ByGates(layers=frozenset({"coverage"}))),
    Item(P.SHADOW, "margins before the data", "the log's rules and this build's first comparison",
         "passes while the rules in force have the digest that the log had before that comparison",
         "migrate audit export", evidence.margins_came_first),
    Item(P.SHADOW, "structure and side effects", "`migrate gate`: completion and exact checks",
         NONE, "migrate gate", ByGates(layers=frozenset({"G0"}))),
    Item(P.SHADOW, "words beyond noise", "`migrate gate`: words, speakers and word times",
         MEAN, "migrate gate", ByGates(names=WORDS)),
    Item(P.SHADOW, "catastrophes", "`migrate gate`: empty, truncated and looped outputs",
         NONE, "migrate gate", ByGates(layers=frozenset({"G2"}))),
    Item(P.SHADOW, "summaries beyond noise", "`migrate gate`: topics, title, summaries, facts",
         MEAN, "migrate gate", ByGates(layers=frozenset({"G1"}), but=WORDS)),
    Item(P.SHADOW, "error parity", "`migrate gate`: the candidate's failures beyond the primary's",
         MEAN, "migrate gate", ByGates(layers=frozenset({"errors"}))),
    Item(P.SHADOW, "effect on the primary", "`migrate gate`: the primary with the plugin loaded",
         "passes when run time and overhead are under their margins, and no error got through",
         "migrate gate", ByGates(layers=frozenset({"primary"}))),
    Item(P.SHADOW, "cost and latency", "`migrate gate`: candidate over primary",
         MEAN, "migrate gate", ByGates(layers=frozenset({"cost", "latency"}))),
    Item(P.CUTOVER, "shadow gates on this build", "`migrate gate`: every gate",
         "passes when every gate does, of evidence whose candidate is this very build",
         "migrate gate", ByGates(is_of_this_build=True)),
    Item(P.CUTOVER, "routing audit", "what the candidate ran, by shadow.rooms and routing table",
         "passes when each run of 14 days was of a room that takes part, or sent by the table then",
         "migrate route show", routing_audit.recordings_were_routed),
    Item(P.CUTOVER, "rollback drilled", "drills of the way back on this deployment",
         "passes when the newest sent everything back and restored it, with this build, in 14 days",
         "migrate audit export", drilled("rollback")),
    Item(P.CUTOVER, "failover drilled", "drills of a start that is refused, on this deployment",
         "passes when the newest went to legacy at once, with this build, within 14 days",
         "migrate audit export", drilled("failover")),
    Item(P.CUTOVER, "sign-off", "the audit log",
         "passes with the signatures of two people in force: of this build, under these rules",
         "migrate audit export", signatures("cutover")),
    Item(P.CLEANUP, "nights with roles reversed", "the primary's rows and what Conductor served",
         "passes when Conductor served every recording of the last 14 nights that had any",
         "migrate cutover status", history.nights_with_roles_reversed),
    Item(P.CLEANUP, "Celery route unused", "the plugin's timings of the primary's own pipeline",
         "passes when the plugin was heard for 14 nights and the pipeline's body ran in none",
         "migrate cleanup plan", history.celery_pipeline_is_unused),
    Item(P.CLEANUP, "waivers expired", "the file that judge.waivers_file names",
         "passes when no waiver is in force today",
         "migrate config show", history.waivers_have_expired),
    *(Item(phase, "audit log intact", "the chain of digests, and each nightly report's head",
           "passes when every entry fits its digest and no exported head is gone",
           "migrate audit verify", trail.audit_log_is_intact) for phase in P),
)  # fmt: skip


def run(harness: Harness, phase: Phase) -> tuple[Line, ...]:
    """Answer every item of a phase; an item that raises has failed, with its reason.

    The gates are judged once, however many items ask for them.
    """
    of_phase = [item for item in ITEMS if item.phase is phase]
    gates = judged_once(harness)
    return tuple(
        Line(n, item, _answer(harness, item, gates)) for n, item in enumerate(of_phase, start=1)
    )


def _answer(harness: Harness, item: Item, gates: Callable[[], Gated]) -> Answer:
    try:
        if isinstance(item.answer, ByGates):
            return item.answer.of(gates())
        return item.answer(harness)
    except ServerUnreachableError as error:
        return unreachable(error.message)
    except MigrateError as error:
        if error.exit_code is ExitCode.COULD_NOT_RUN:
            return unreachable(error.message, value="check could not run")
        return failed("check could not run", why=error.message)


def exit_code(lines: Sequence[Line]) -> ExitCode:
    """1 if any item fails, 4 if any could not run, 3 if any is only pending, 0 if all pass.

    No items is pending.
    """
    states = {line.answer.state for line in lines if line.answer.could_run}
    if State.FAIL in states:
        return ExitCode.AGAINST
    if not all(line.answer.could_run for line in lines):
        return ExitCode.COULD_NOT_RUN
    return ExitCode.OK if states == {State.PASS} else ExitCode.INCONCLUSIVE
