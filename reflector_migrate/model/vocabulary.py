"""The words of the migration: one enum a thing, one word a value.

Roles never say which engine ran, and engines never what a run is for: after
cutover Conductor is the primary.
"""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a run is for; never says which engine executed it."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    CANDIDATE = "candidate"


class Engine(StrEnum):
    """What executed a run."""

    CELERY = "celery"
    CONDUCTOR = "conductor"


class Route(StrEnum):
    """Who serves a recording."""

    CELERY = "celery"
    CELERY_SHADOW = "celery+shadow"
    CONDUCTOR_FALLBACK = "conductor+fallback"
    CONDUCTOR = "conductor"


class Verdict(StrEnum):
    """Of one recording, or of one check on it; worst first."""

    DIVERGED = "DIVERGED"
    ERRORED = "ERRORED"
    INCONCLUSIVE = "INCONCLUSIVE"
    WAIVED = "WAIVED"
    WITHIN_NOISE = "WITHIN_NOISE"
    MATCHED = "MATCHED"

    @classmethod
    def worst(cls, verdicts: list[Verdict]) -> Verdict:
        """The worst of them; nothing compared is INCONCLUSIVE, never a match."""
        order = list(cls)
        return min(verdicts, key=order.index) if verdicts else cls.INCONCLUSIVE


class GateVerdict(StrEnum):
    """Of a cohort of recordings."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


class Phase(StrEnum):
    """Of the migration, in order."""

    INFRASTRUCTURE = "infrastructure"
    PARALLEL = "parallel"
    SHADOW = "shadow"
    CUTOVER = "cutover"
    CLEANUP = "cleanup"


class Severity(StrEnum):
    """How much a finding matters to someone who reads the transcript."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    INFO = "info"
