"""The gates of this deployment: rules from a file or as shipped, evidence from the store."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path

from reflector_migrate.errors import InputError
from reflector_migrate.judge.gates.answers import GateRun
from reflector_migrate.judge.gates.cohorts import cohorts_of
from reflector_migrate.judge.gates.evidence import EvidenceLine, Origin, read_evidence
from reflector_migrate.judge.gates.gate import held, judge
from reflector_migrate.judge.gates.recorded import evidence_of
from reflector_migrate.judge.gates.rules import Rules, read_rules
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.nightly.proofs import unproved
from reflector_migrate.shadow.nightly.reconciliation import Fate, reconcile
from reflector_migrate.store.clock import now
from reflector_migrate.store.evidence import Evidence
from reflector_migrate.store.nights import Nights

SHIPPED = "rules.toml"
PORTION = 500

log = logging.getLogger(__name__)


def shipped_rules() -> str:
    """The text of the rules that ship."""
    return resources.files("reflector_migrate.judge.gates").joinpath(SHIPPED).read_text("utf-8")


def rules_of(path: Path | None) -> Rules:
    """The rules in that file, or those that ship."""
    if path is None:
        return read_rules(shipped_rules(), SHIPPED)
    return read_rules(_text(path), str(path))


def rules_in_force(settings: Settings) -> Rules:
    """This deployment's rules: the file that `judge.gates_file` names, else those that ship."""
    return rules_of(settings.judge.gates_file)


def gates_of(
    settings: Settings, lines: Sequence[EvidenceLine], rules: Rules, *, origin: str | None = None
) -> GateRun:
    """Every gate of stored lines.

    None counts before the placebo and the seeded defects were run with that candidate build.
    """
    run = judge(lines, rules, origin=origin)
    why = unproved(settings, lines[-1].builds.get("candidate", "")) if lines else ""
    return held(run, why) if why else run


def evidence_file(path: Path) -> tuple[EvidenceLine, ...]:
    """Every line of a file of evidence, in order."""
    return read_evidence(_text(path).splitlines(), str(path))


def stored_evidence(settings: Settings) -> tuple[EvidenceLine, ...]:
    """The evidence of the newest pair of builds in the store, and its coverage.

    A run's first comparison counts, as in its night. Coverage is of what the primary took up
    since the night of this pair's first comparison.
    """
    nights = [night for night, _, _ in Evidence(settings.store_url).nights()]
    lines = list(_compared(settings, list(dict.fromkeys(nights))))
    return (*lines, *_coverage(settings, lines)) if lines else ()


def _compared(settings: Settings, nights: Sequence[str]) -> Iterator[EvidenceLine]:
    """Lines of every comparison of the newest builds, oldest first."""
    origin: Origin = "sandbox" if settings.is_sandbox else "deployment"
    store = Nights(settings.store_url)
    gists = [(night, gist) for night in nights for gist in store.of(night)]
    newest = next(((gist.primary_build, gist.candidate_build) for _, gist in reversed(gists)), None)
    of_builds = [
        (night, gist.run_id)
        for night, gist in gists
        if (gist.primary_build, gist.candidate_build) == newest
    ]
    for start in range(0, len(of_builds), PORTION):
        some = of_builds[start : start + PORTION]
        found = store.documents([run_id for _, run_id in some])
        for (night, _), comparison in zip(some, found, strict=True):
            yield from evidence_of(comparison, night, origin=origin)


def _coverage(settings: Settings, lines: Sequence[EvidenceLine]) -> Iterator[EvidenceLine]:
    """One line for each recording that was eligible since the builds' first night.

    Compared means that both sides completed and were compared; while the primary's rows
    cannot be read, nothing is said.
    """
    [newest, *_] = reversed(cohorts_of(lines, None)[0])
    completed = {line.recording for line in lines if line.outcome and line.outcome.is_complete}
    failed = {line.recording for line in lines if line.outcome} - completed
    first = datetime.fromisoformat(f"{min(line.night for line in lines)}T00:00:00+00:00")
    ledger = reconcile(settings, first, now() + timedelta(days=1))
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
            recording=entry.recording_id,
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


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}", hint="a readable file in UTF-8 is needed") from error
