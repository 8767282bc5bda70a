"""Informational: what both sides used; pricing is done elsewhere, by a dated table."""

from __future__ import annotations

from reflector_migrate.model import Amount, Measure, Observation, Unit, Usage

PRICED = (
    "gpu_seconds",
    "llm_calls",
    "llm_tokens_in",
    "llm_tokens_out",
    "s3_bytes",
    "external_calls",
    "retries",
)


def total(observation: Observation) -> Usage:
    """All attempts of all steps together."""
    return sum((step.usage for step in observation.steps), start=Usage())


def compare_cost(reference: Observation, hypothesis: Observation) -> Measure:
    """GPU seconds, tokens, bytes and calls of both sides, as counts."""
    mine, theirs = total(reference), total(hypothesis)
    counts = {f"reference_{name}": getattr(mine, name) for name in PRICED}
    counts |= {f"hypothesis_{name}": getattr(theirs, name) for name in PRICED}
    return Measure(
        name="cost",
        kind="informational",
        length=len(reference.steps),
        counts=counts,
        reference_text=_shown(mine),
        hypothesis_text=_shown(theirs),
        reference_amount=Amount(unit=Unit.GPU_SECOND, number=round(mine.gpu_seconds, 1)),
        hypothesis_amount=Amount(unit=Unit.GPU_SECOND, number=round(theirs.gpu_seconds, 1)),
    )


def _shown(usage: Usage) -> str:
    about = "~" if usage.gpu_seconds_estimated else ""
    tokens = usage.llm_tokens_in + usage.llm_tokens_out
    cached = f", {usage.cache_hits} answers from the cache" if usage.cache_hits else ""
    return f"{about}{usage.gpu_seconds:.1f} GPU s, {tokens} tokens{cached}"
