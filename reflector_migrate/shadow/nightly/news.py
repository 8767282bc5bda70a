"""What a night's document says to people who do not read the page: is it bad, is the phase held."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reflector_migrate.model import GateVerdict, Verdict
from reflector_migrate.shadow.notices import Notice
from reflector_migrate.store.audit import Head

if TYPE_CHECKING:
    from reports.document import Night

GOOD = frozenset({Verdict.MATCHED, Verdict.WITHIN_NOISE, Verdict.WAIVED})
SHOWN = 5


def news_of(night: Night) -> tuple[Notice, ...]:
    """The night itself, and the gates of the shadow phase. Names and counts, no words.

    Each has the audit log's head, since a deployment cannot rewrite its chat.
    """
    head = f". Audit head {Head.parse(night.audit_head).short}" if night.audit_head else ""
    both = (_of_the_night(night), _of_the_gates(night))
    return tuple(replace(one, text=f"{one.text}{head}") for one in both)


def _of_the_night(night: Night) -> Notice:
    coverage, verdict = night.coverage, night.verdict
    text = (
        f"Night {night.night}: {verdict.value.replace('_', ' ')}, {coverage.compared} of"
        f" {coverage.wanted} eligible recordings compared"
    )
    return Notice("night", verdict.value, verdict not in GOOD, text)


def _of_the_gates(night: Night) -> Notice:
    """Held means that a gate fails, or is not decided."""
    deciding = [gate for gate in night.gates if not gate.is_report_only]
    failed = [gate.name for gate in deciding if gate.state == GateVerdict.FAIL]
    still_open = [gate.name for gate in deciding if gate.state == GateVerdict.INCONCLUSIVE]
    if not deciding:
        said, state = "held: nothing is compared yet", GateVerdict.INCONCLUSIVE
    elif failed:
        said, state = f"held: {_named(failed, 'fail')}", GateVerdict.FAIL
    elif still_open:
        said, state = f"held: {_named(still_open, 'not decided yet')}", GateVerdict.INCONCLUSIVE
    else:
        said, state = f"open: all {len(deciding)} gates pass", GateVerdict.PASS
    text = f"Phase shadow is {said}. migrate checklist run shadow"
    return Notice("phase shadow", state.value, state is not GateVerdict.PASS, text)


def _named(gates: list[str], what: str) -> str:
    more = f" and {len(gates) - SHOWN} more" if len(gates) > SHOWN else ""
    return f"{', '.join(gates[:SHOWN])}{more} {what}"
