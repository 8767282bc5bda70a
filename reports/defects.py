"""A run over seeded defects (migrate.defects/1, as plain JSON) as text and as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports.markdown import escaped

Proof = Mapping[str, Any]


def as_text(run: Mapping[str, Any]) -> str:
    """One line a defect, its trouble under it, the sum last."""
    proofs = run["defects"]
    width = max((len(proof["defect"]) for proof in proofs), default=6)
    lines = [f"  {'defect':<{width}}  {'caught by':<26} first divergent step"]
    for proof in proofs:
        step = proof["first_divergent_step"] or "-"
        lines.append(f"{mark(proof)} {proof['defect']:<{width}}  {proof['layer']:<26} {step}")
        if proof["why"]:
            lines.append(f"  {'':<{width}}  {proof['why']}")
    return "\n".join([*lines, sentence(run)])


def sentence(run: Mapping[str, Any]) -> str:
    """How many, and how many of them where they belong."""
    verdict = "✓ all found" if run["ok"] else "✗ NOT ALL FOUND"
    return (
        f"{verdict}   {run['caught']} of {run['of']} caught, {run['at_right_step']} at the right "
        f"step, in {run['duration_s']:.0f} s"
    )


def mark(proof: Proof) -> str:
    """✓ as it must be, ✗ not found as declared, ! could not be run."""
    if not proof["could_run"]:
        return "!"
    return "✓" if proof["caught"] and not proof["why"] else "✗"


HOW = """\
Each defect is switched on in the candidate's workers only, on its own recordings. Every recording
goes the whole way: Celery worker, plugin, dispatcher, Conductor, workers, collector. Then both
sides are compared. Every recording matched without a defect before. The primary of that run is the
secondary against which graded measures are judged.

*Caught* means that the verdict is DIVERGED, and that each check declared in the defect's file says
so. *At the right step* means that the first divergent step is the declared one. "not NAME" is a
recording that must match although the defect is on.

Made by `migrate defects run -o md:docs/results/defects.md`. The same with noise on:
docs/results/defects-in-noise.md."""


def as_markdown(run: Mapping[str, Any]) -> str:
    """The whole page: how it was done, and by defect what is wrong, who caught it, where."""
    head = [
        "# Seeded defects",
        "",
        f"{sentence(run)}. Build `{run['build']}`, Conductor {run['conductor']}, "
        f"{run['jobs']} recordings at a time, begun {run['started_at']}.",
        "",
        HOW,
        "",
        "| defect | what is wrong | recordings | caught by | also by | first divergent step |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *map(_line, run["defects"])]) + "\n"


def _line(proof: Proof) -> str:
    also = [layer for layer in proof["caught_by"] if layer not in proof["layer"].split(", ")]
    spared = [f"not {name}" for name in proof["spared"]]
    why = f" ({escaped(proof['why'])})" if proof["why"] else ""
    cells = (
        f"{mark(proof)} `{proof['defect']}`",
        escaped(proof["says"]),
        ", ".join([*proof["recordings"], *spared]),
        proof["layer"],
        ", ".join(also) or "-",
        f"{proof['first_divergent_step'] or 'none'}{why}",
    )
    return f"| {' | '.join(cells)} |"
