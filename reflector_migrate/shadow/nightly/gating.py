"""The gates of this deployment: the rules in force, and evidence from the store."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import TypeAdapter

from reflector_migrate.harness import Harness
from reflector_migrate.judge.gates.answers import GateRun
from reflector_migrate.judge.gates.baseline import against_baseline
from reflector_migrate.judge.gates.cohorts import DEPLOYMENT, newest_of, origin_of
from reflector_migrate.judge.gates.evidence import EvidenceLine, read_evidence
from reflector_migrate.judge.gates.gate import held, judge
from reflector_migrate.judge.gates.recorded import VERSION, evidence_of
from reflector_migrate.judge.gates.rules import Rules
from reflector_migrate.shadow.decisions import record
from reflector_migrate.shadow.gate_rules import rules_in_force, text_of
from reflector_migrate.shadow.nightly.baseline import baseline_for
from reflector_migrate.shadow.nightly.proofs import unproved
from reflector_migrate.shadow.nightly.reconciliation import Fate, reconcile
from reflector_migrate.store.clock import now
from reflector_migrate.store.documents import is_unreadable

RULES_NOTED = "rules-before-evidence"
WAY_OUT = "put the rules back, or begin again with another build"
PORTION = 500
CLOCKS_DIFFER = timedelta(minutes=1)
LINES = TypeAdapter(tuple[EvidenceLine, ...])

log = logging.getLogger(__name__)

UNNAMED = "unnamed"
"""The recording of an announcement that could not be read."""


def note_rules(harness: Harness, build: str) -> None:
    """Add the rules' digest to the audit log, once for each build: before its first comparison."""
    if not any(entry["body"]["build"] == build for entry in harness.audit.all(RULES_NOTED)):
        rules, seen = rules_in_force(harness.settings).digest, {"build": build, "comparisons": 0}
        record(harness, RULES_NOTED, {"build": build}, who="collector", evidence=seen, rules=rules)


def not_first(harness: Harness, build: str, rules: Rules) -> str:
    """Why these rules did not come before that build's evidence, in time; "" if they did.

    The audit log must have their digest, dated before the build's first stored comparison. Two
    hosts wrote both dates, so they may lie a minute apart.
    """
    noted = next((e for e in harness.audit.all(RULES_NOTED) if e["body"]["build"] == build), None)
    if noted is None:
        return f"the audit log has no rules of before build {build}"
    then, began = noted["body"]["rules"], harness.nights.first_at(build)
    if began is not None and noted["at"] > began + CLOCKS_DIFFER:
        dates = f"{noted['at']:%Y-%m-%d %H:%M}, its first comparison {began:%Y-%m-%d %H:%M}"
        return f"the rules of build {build} are dated {dates}"
    if then != rules.digest:
        said = f"the evidence of build {build} began under rules {then[:12]}"
        return f"{said}, these are {rules.digest[:12]}"
    return ""


def gates_of(
    harness: Harness, lines: Sequence[EvidenceLine], rules: Rules, *, origin: str | None = None
) -> GateRun:
    """Every gate of stored lines; of a deployment's store, only its own decide.

    None counts before the placebo and the seeded defects were run with that candidate build, nor
    by rules that were not in force when the build's evidence began.
    """
    wanted = origin or (None if harness.settings.is_sandbox else DEPLOYMENT)
    sound = lines if wanted else _without_defects(lines)
    run = judge(sound, rules, origin=wanted)
    if seeded := len(lines) - len(sound):
        run = run.model_copy(update={"excluded": {**run.excluded, "seeded-defect": seeded}})
    if not sound:
        return run
    build = sound[-1].builds.get("candidate", "")
    late = not_first(harness, build, rules)
    why = unproved(harness, build) or (late and f"not counted: {late}")
    return held(run, why) if why else run


def _without_defects(lines: Sequence[EvidenceLine]) -> Sequence[EvidenceLine]:
    """A sandbox's evidence without its seeded defects, unless it has nothing else."""
    return [line for line in lines if not line.defects] or lines


def evidence_file(path: Path) -> tuple[EvidenceLine, ...]:
    """Every line of a file of evidence, in order."""
    return read_evidence(text_of(path).split("\n"), str(path))


def stored_evidence(harness: Harness) -> tuple[EvidenceLine, ...]:
    """The evidence of the newest pair of builds in the store, and its coverage.

    A run's first comparison counts, as in its night. Coverage is of what the primary took up
    since the night of this pair's first comparison.
    """
    nights = [night for night, _, _ in harness.evidence.nights()]
    lines = _compared(harness, list(dict.fromkeys(nights)))
    if lines:
        found = baseline_for(harness, min(line.night for line in lines))
        lines = list(against_baseline(lines, found.recordings if found else ()))
    return (*lines, *_coverage(harness, lines)) if lines else ()


def _compared(harness: Harness, nights: Sequence[str]) -> list[EvidenceLine]:
    """Lines of every comparison of the newest builds, oldest first.

    Builds that only a sandbox ran, or only with a defect, do not hide those before them.
    """
    store = harness.nights
    runs: dict[tuple[str, str], dict[str, str]] = {}
    for night in reversed(nights):
        for gist in reversed(store.of(night)):
            runs.setdefault((gist.primary_build, gist.candidate_build), {})[gist.run_id] = night
    newest: list[EvidenceLine] = []
    for of_builds in runs.values():
        found = list(_lines_of(harness, dict(reversed(of_builds.items()))))
        if not found or any(_is_own(harness, line) for line in found):
            return found
        newest = newest or found
    return newest


def _is_own(harness: Harness, line: EvidenceLine) -> bool:
    """Whether it can decide about what this store is of."""
    return not line.defects and (harness.settings.is_sandbox or origin_of(line) == DEPLOYMENT)


def _lines_of(harness: Harness, of_builds: Mapping[str, str]) -> Iterator[EvidenceLine]:
    """Lines of these runs, each with its night: made of a document once, and kept.

    What a sandbox's store holds is a sandbox's.
    """
    kept = harness.gate_lines.of(list(of_builds), VERSION)
    lacking = [run_id for run_id in of_builds if run_id not in kept]
    for start in range(0, len(lacking), PORTION):
        kept |= _made(harness, {run: of_builds[run] for run in lacking[start : start + PORTION]})
    for run_id in of_builds:
        for line in LINES.validate_json(kept[run_id]):
            is_sandboxs = harness.settings.is_sandbox and line.origin == DEPLOYMENT
            yield line.model_copy(update={"origin": "sandbox"}) if is_sandboxs else line


def _made(harness: Harness, nights: Mapping[str, str]) -> dict[str, str]:
    """Run -> its lines as JSON, made of its document and kept; none of an unreadable one."""
    found = harness.nights.documents(list(nights))
    made = {}
    for (run_id, night), comparison in zip(nights.items(), found, strict=True):
        if not is_unreadable(comparison):
            lines = evidence_of(comparison, night, has_pace=True)
            made[run_id] = LINES.dump_json(lines, by_alias=True).decode()
    harness.gate_lines.keep(made, VERSION)
    return dict.fromkeys(nights, "[]") | made


def _coverage(harness: Harness, lines: Sequence[EvidenceLine]) -> Iterator[EvidenceLine]:
    """One line for each recording that was eligible since the builds' first night.

    Compared means that both sides completed and were compared; while the primary's rows
    cannot be read, nothing is said.
    """
    newest = newest_of(lines)
    if newest is None:
        return  # runs with a seeded defect alone cover nothing
    ended = [line for line in newest.lines if line.outcome]
    completed = {line.recording for line in ended if line.outcome and line.outcome.is_complete}
    failed = {line.recording for line in ended} - completed
    first = datetime.fromisoformat(f"{min(line.night for line in lines)}T00:00:00+00:00")
    ledger = reconcile(harness, first, now() + timedelta(days=1))
    if ledger.unread:
        log.warning("no coverage: the primary's rows cannot be read: %s", ledger.unread)
        return
    nights = {line.recording: line.night for line in lines}
    today = now().date().isoformat()
    shared = newest.lines[0]
    for entry in ledger.entries:
        if entry.fate is Fate.SKIPPED:
            continue
        fate = "compared" if entry.recording_id in completed else _other(entry.fate)
        yield EvidenceLine(
            recording=entry.recording_id or UNNAMED,
            run=entry.run_id or "",
            night=nights.get(entry.recording_id, today),
            measure="coverage",
            coverage="failed" if entry.recording_id in failed else fate,
            builds=shared.builds,
            configuration=shared.configuration,
            models=shared.models,
            normaliser=shared.normaliser,
            origin=shared.origin,
        )


def _other(fate: Fate) -> str:
    """Of a recording that these builds have not compared; one of earlier builds is still open."""
    return {Fate.FAILED: "failed", Fate.LOST: "lost"}.get(fate, "open")
