"""A verdict's exit code, and the envelope its JSON travels in."""

from __future__ import annotations

from typing import Any

from reflector_migrate.errors import ExitCode
from reflector_migrate.model import Comparison, Verdict

EXIT_CODES = {
    Verdict.DIVERGED: ExitCode.AGAINST,
    Verdict.ERRORED: ExitCode.COULD_NOT_RUN,
    Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
    Verdict.WAIVED: ExitCode.OK,
    Verdict.WITHIN_NOISE: ExitCode.OK,
    Verdict.MATCHED: ExitCode.OK,
}


CHECK_KEYS = ("name", "verdict", "rule", "value", "floor", "limit", "waived", "improved")


def exit_code_of(verdict: Verdict) -> int:
    """0 match, 1 diverged, 3 inconclusive, 4 a comparator broke."""
    return int(EXIT_CODES[verdict])


def envelope(comparison: Comparison, code: int) -> dict[str, Any]:
    """migrate.compare/1: verdict and checks on top, the whole comparison below."""
    body = comparison.model_dump(mode="json", by_alias=True)
    return {
        "schema": "migrate.compare/1",
        "ok": code == 0,
        "verdict": comparison.verdict.value,
        "exit_code": code,
        "checks": [{key: check[key] for key in CHECK_KEYS} for check in body["checks"]],
        "comparison": body,
    }
