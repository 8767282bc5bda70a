"""Noise floors from the A/A pairs that are stored, of exactly the conditions that hold now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from comparators import registry
from comparators.registry import NORMALISER
from reflector_migrate.conductor.build import HEX_DIGITS, hash_of
from reflector_migrate.harness import Harness
from reflector_migrate.judge import cross_run
from reflector_migrate.judge.compare import Judged
from reflector_migrate.judge.cross_run import Divergences
from reflector_migrate.judge.noise import NoiseFloors, excesses_of, floors_of, stratum_of
from reflector_migrate.judge.threshold import OUT
from reflector_migrate.model import Observation, Role
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.observe.service_records import read_conditions
from reflector_migrate.store.aa_pairs import LegacyPair
from reflector_migrate.store.canonical_json import sha256_of
from reflector_migrate.store.runs import RunRecord


def conditions(
    settings: Settings, primary: Observation, candidate: Observation | None = None
) -> dict[str, Any]:
    """What two pairs must have in common to be evidence beside each other.

    Another build of the primary, another model, another normaliser, comparators that read
    otherwise, other noise or recorded answers in the stand-ins: any begins a new floor. So does
    another build of Reflector's code, where the candidate's steps run that.
    """
    services, is_sandbox = settings.services, settings.sandbox.control_url is not None
    return {
        "legacy_build": primary.build,
        "normaliser": NORMALISER,
        "reading": reading(),
        "recogniser": "stand-in" if is_sandbox else services.transcript_url,
        "recogniser_model": services.transcript_model,
        "llm": "stand-in" if is_sandbox else services.llm_url,
        "llm_model": services.llm_model,
        "llm_context_window": services.llm_context_window,
        "standins": read_conditions(settings),
        **processors_of(candidate),
    }


def processors_of(candidate: Observation | None) -> dict[str, str]:
    """The builds of Reflector's code that did the candidate's steps; nothing where none did."""
    steps = candidate.steps if candidate else ()
    builds = sorted({step.processors for step in steps if step.processors})
    return {"processors": ", ".join(builds)} if builds else {}


def evidence_key(settings: Settings, run: RunRecord, told: Mapping[str, Any]) -> dict[str, Any]:
    """What sets a comparison's evidence apart from other evidence, beside builds and normaliser.

    Another model, another service or other bounds on an answer begin again at the gates. Only a
    sandbox has defects switched on.
    """
    services = settings.services
    configuration = {
        "recogniser": told["recogniser"], "llm": told["llm"], "standins": told["standins"],
        "llm_context_window": services.llm_context_window,
        "llm_parse_retries": services.llm_parse_retries,
        "llm_timeout_s": services.llm_timeout_s,
        "transcript_timeout_s": services.transcript_timeout_s,
        **({"processors": told["processors"]} if "processors" in told else {}),
    }  # fmt: skip
    is_replayed = bool(run.request.get("is_replayed"))
    switched_on = (entry.partition("@") for entry in settings.workers.defects)
    return {
        "configuration": sha256_of(configuration)[:HEX_DIGITS],
        "models": f"{services.transcript_model or 'unnamed'}, {services.llm_model}",
        "origin": "sandbox" if settings.is_sandbox else "replayed" if is_replayed else "deployment",
        "defects": tuple(name for name, _, of in switched_on if of in ("", run.recording_id)),
        "series": sha256_of(room)[:HEX_DIGITS] if (room := run.inputs.get("room_id")) else "",
    }


def plugin_key(spans: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the plugin says of itself over all tasks of a run; nothing where a task says nothing."""
    told = [span for span in spans if "own_s" in span]
    run_time_s = sum(float(span["duration_s"]) for span in told)
    if len(told) < len(spans) or not run_time_s:
        return {}
    return {
        "plugin_errors": sum(int(span["errors"]) for span in told),
        "plugin_share": sum(float(span["own_s"]) for span in told) / run_time_s,
    }


@lru_cache(maxsize=1)
def reading() -> str:
    """Which code measured a pair: a hash that changes when any comparator does."""
    return reading_of(Path(registry.__file__).parent, Path(cross_run.__file__))


def reading_of(folder: Path, measuring: Path) -> str:
    """Of the comparators in that folder, and of what takes a pair's divergences from them."""
    return f"{hash_of(folder)}-{sha256(measuring.read_bytes()).hexdigest()[:HEX_DIGITS]}"


def is_repeatable(told: Mapping[str, Any]) -> bool:
    """Whether answers are known to be alike each time: replayed, or of stand-ins without noise."""
    standins = told["standins"]
    return bool(standins) and bool(standins["replayed"] or not standins["noise"])


def floors_of_stored(
    harness: Harness, told: Mapping[str, Any], run_id: str, build: str | None
) -> StoredFloors:
    """Floors from every stored pair of these conditions but the run's own.

    `build` is the candidate's: another build's runs do not show what excess noise makes.
    """
    return StoredFloors(harness.legacy_pairs.of(told, but=run_id), build)


class StoredFloors:
    """Stored pairs, as floors and in words."""

    def __init__(self, pairs: Sequence[LegacyPair], build: str | None = None) -> None:
        self._pairs, self._build = pairs, build

    @property
    def floors(self) -> NoiseFloors | None:
        """None where nothing is stored: then there is no floor, rather than one of 0."""
        if not self._pairs:
            return None
        found = floors_of((pair.stratum, pair.divergences) for pair in self._pairs)
        beside = [pair for pair in self._pairs if self._build == pair.candidate_build]
        excesses = excesses_of((pair.stratum, pair.exchanged or {}) for pair in beside)
        return replace(found, excesses=excesses)

    def note(self, recording_id: str, stratum: str) -> str:
        """How many pairs of the stratum, of how many recordings, or all of this one."""
        if not self._pairs:
            return (
                "no A/A pair is stored with this legacy build, models, noise and comparators: "
                f"{OUT}"
            )
        pairs = [pair for pair in self._pairs if pair.stratum == stratum]
        of = {pair.recording_id for pair in pairs}
        whose = "this very recording alone" if of == {recording_id} else f"{len(of)} recordings"
        return f"noise floor: {len(pairs)} stored A/A pairs of {whose} in {stratum}"


def pair_of(
    primary: Observation,
    secondary: Observation,
    run: RunRecord,
    told: Mapping[str, Any],
    came_first: Role,
    divergences: Divergences,
) -> LegacyPair | None:
    """How far the two legacy runs lie apart, as measured; None unless both completed."""
    if (primary.status, secondary.status) != ("completed", "completed"):
        return None
    return LegacyPair(
        run_id=run.run_id,
        recording_id=run.recording_id,
        stratum=stratum_of(primary),
        came_first=came_first.value,
        told=told,
        divergences=divergences,
    )


def beside_candidate(pair: LegacyPair, judged: Judged, candidate: Observation) -> LegacyPair:
    """The pair with what it shows beside a candidate that completed, built as meant."""
    measures = [check.measure for check in judged.comparison.checks if check.measure]
    exchanged = judged.repeats.exchanged(measures)
    return replace(pair, candidate_build=candidate.build, exchanged=exchanged)
