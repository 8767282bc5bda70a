"""Measures that count every difference: as many errors as findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from comparators.payload.fields import public
from comparators.payload.records import Difference
from reflector_migrate.model import Amount, Finding, Measure, Severity


def exact(
    name: str,
    step: str,
    length: int,
    findings: Sequence[Finding],
    *,
    reference_text: str = "",
    hypothesis_text: str = "",
    reference_amount: Amount | None = None,
    hypothesis_amount: Amount | None = None,
    counts: Mapping[str, float] | None = None,
) -> Measure:
    """An exact measure: as many errors as findings, never more than its length."""
    return Measure(
        name=name,
        kind="exact",
        errors=len(findings),
        length=max(length, len(findings)),
        counts={"compared": length, "different": len(findings), **(counts or {})},
        reference_text=reference_text,
        hypothesis_text=hypothesis_text,
        reference_amount=reference_amount,
        hypothesis_amount=hypothesis_amount,
        step=step,
        findings=tuple(findings),
    )


def as_finding(
    prefix: str,
    difference: Difference,
    step: str,
    severity: Severity = Severity.MAJOR,
    public_prefix: str = "",
) -> Finding:
    """A record's difference as a finding under `prefix`, with the part of it that is public."""
    path = f"{prefix}/{difference.path}" if difference.path else prefix
    return Finding(
        path=path,
        step=step,
        severity=severity,
        kind=difference.kind,
        reference=difference.reference,
        hypothesis=difference.hypothesis,
        message=f"{path} {difference.kind}",
        public_path="/".join(filter(None, [public_prefix or prefix, public(difference.path)]))
        if difference.path
        else public_prefix or prefix,
    )
