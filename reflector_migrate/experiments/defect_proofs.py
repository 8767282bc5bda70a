"""Whether a seeded defect was found: pure judgement of the comparisons that it left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from reflector_migrate.model import Check, Comparison, Frozen, Verdict
from reflector_migrate.pipeline.defects.registry import Defect

LAYERS = {"catastrophes": "G2", "completion": "G0"}
KINDS = {"exact": "G0", "graded": "G1", "informational": "nightly"}


class DefectProof(Frozen):
    """What became of one defect. `caught`: by each layer declared, on every recording named.

    `verdicts` are by recording, those that must be spared included; `why` says what is not as
    it must be, a wrong step named as well.
    """

    defect: str
    says: str
    caught: bool
    layer: str
    caught_by: tuple[str, ...] = ()
    first_divergent_step: str | None = None
    expected_step: str
    recordings: tuple[str, ...]
    spared: tuple[str, ...] = ()
    verdicts: Mapping[str, Verdict] = Field(default_factory=dict)
    could_run: bool = True
    why: str = ""

    @property
    def is_proven(self) -> bool:
        """Caught, at the right step, and nowhere else."""
        return self.caught and not self.why


class DefectsRun(Frozen):
    """All proofs of one run (migrate.defects/1); exit_code as the process answers."""

    schema_: Literal["migrate.defects/1"] = Field(default="migrate.defects/1", alias="schema")
    ok: bool
    exit_code: int
    caught: int
    at_right_step: int
    of: int
    started_at: str
    duration_s: float
    build: str
    conductor: str
    jobs: int
    defects: tuple[DefectProof, ...]

    model_config = Frozen.model_config | {"populate_by_name": True}


def layer_of(check: Check) -> str:
    """The gate's layer and the check, as a defect's file declares them: `G0 side effects`."""
    kind = KINDS[check.measure.kind] if check.measure else "G0"
    return f"{LAYERS.get(check.name, kind)} {check.name.replace('_', ' ')}"


def proof_of(defect: Defect, found: Mapping[str, Comparison], trouble: str = "") -> DefectProof:
    """The proof by the comparisons of its recordings, by name; `trouble`: why some are missing."""
    shown = [found[name] for name in defect.recordings if name in found]
    spared = [found[name] for name in defect.spared if name in found]
    missed = [why for comparison in shown if (why := _not_caught(defect, comparison))]
    steps = [c.first_divergent_step.step if c.first_divergent_step else None for c in shown]
    wrong = [step for step in steps if step != defect.expected_step]
    blamed = [f"blamed on {step or 'no step'}" for step in wrong]
    return DefectProof(
        defect=defect.name,
        says=defect.says,
        caught=not trouble and bool(shown) and not missed,
        layer=defect.layer,
        caught_by=_all_layers(shown),
        first_divergent_step=wrong[0] if wrong else next(iter(steps), None),
        expected_step=defect.expected_step,
        recordings=defect.recordings,
        spared=defect.spared,
        verdicts={c.recording: c.verdict for c in (*shown, *spared)},
        could_run=not trouble,
        why="; ".join(filter(None, [trouble, *missed, *map(_not_spared, spared), *blamed])),
    )


def run_of(
    proofs: Sequence[DefectProof],
    *,
    started_at: str,
    duration_s: float,
    build: str,
    conductor: str,
    jobs: int,
) -> DefectsRun:
    """The whole run's result; nothing tried proves nothing."""
    is_proven = [proof.is_proven for proof in proofs]
    has_failed = any(not proof.is_proven and proof.could_run for proof in proofs)
    code = 0 if proofs and all(is_proven) else 1 if has_failed else 4
    return DefectsRun(
        ok=code == 0,
        exit_code=code,
        caught=sum(proof.caught for proof in proofs),
        at_right_step=sum(p.first_divergent_step == p.expected_step for p in proofs),
        of=len(proofs),
        started_at=started_at,
        duration_s=round(duration_s, 1),
        build=build,
        conductor=conductor,
        jobs=jobs,
        defects=tuple(proofs),
    )


def _against(comparison: Comparison) -> list[str]:
    return [layer_of(c) for c in comparison.checks if c.verdict is Verdict.DIVERGED]


def _not_caught(defect: Defect, comparison: Comparison) -> str:
    """Why the comparison does not catch the defect as declared; empty if it does."""
    if comparison.verdict is not Verdict.DIVERGED:
        return f"{comparison.verdict.value} on {comparison.recording}"
    silent = [layer for layer in defect.layers if layer not in _against(comparison)]
    return f"not caught by {' nor '.join(silent)} on {comparison.recording}" if silent else ""


def _not_spared(comparison: Comparison) -> str:
    if comparison.verdict is Verdict.MATCHED:
        return ""
    return f"{comparison.verdict.value} on {comparison.recording}, which it must not touch"


def _all_layers(shown: Sequence[Comparison]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(layer for comparison in shown for layer in _against(comparison)))
