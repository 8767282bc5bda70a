"""What a rehearsal asks less of than a cutover, and the recordings that it makes up for a share."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from reflector_migrate.cutover import canary
from reflector_migrate.experiments.failover import copies
from reflector_migrate.plugin.reflector_route_table import point_of
from reflector_migrate.sandbox.recordings import FixturePrior, FixtureRecording
from reflector_migrate.shadow.gate_rules import shipped_rules

LEFT_OUT = frozenset({"latency", "cost", "primary"})
"""Layers of gates that decide nothing here: a loaded sandbox has other times and no prices."""
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "cutover": {"served_at_least": 1, "hours_at_least": 0.0, "fallbacks_at_most": 1.0},
    "route": {"fallback_after_start": "before_first_effect", "stall_s": 60.0},
}

LAXER = (
    "strata are those that a sandbox has: one track, two to four, short meetings",
    "gates of latency, cost and the primary only report",
    "catastrophes up to a tenth pass; coverage and error parity are asked from one recording on",
    "a gate whose measure no recording has is left out",
    "a step of the canary asks one served recording, no hours, and any number of fallbacks",
)
"""Said in the log of every rehearsal."""


def in_share(recording: FixtureRecording, share: float) -> FixtureRecording:
    """A copy of it with a transcript that is in the share, and in no smaller step."""
    smaller = max((step for step in canary.STEPS if step < share), default=0.0)
    name = next(
        f"canary-{n}" for n in range(100_000) if smaller <= point_of(f"t-canary-{n}") < share
    )
    (made,) = copies(recording, 1, name)
    prior = FixturePrior(id=f"t-{name}", status="idle", created_at=recording.meeting.started_at)
    return made.model_copy(update={"prior": prior, "trigger": "reprocess"})


def rehearsal_rules(folder: Path) -> Path:
    """The shipped rules for what a sandbox can show: fewer strata, a laxer rate."""
    rules = tomllib.loads(shipped_rules())
    rules["strata"] = {"tracks": ["1", "2-4"], "length": ["short"]}
    for gate in rules["gates"]:
        gate["report_only"] = gate.get("report_only", False) or gate["layer"] in LEFT_OUT
        if gate["kind"] == "catastrophes":
            gate |= {"limit": 0.1, "stratum_limit": 0.1}
        if gate["kind"] in ("coverage", "parity"):
            gate["require_n"] = 1
        gate.setdefault("on_missing", "ignore" if gate["kind"] == "mean" else "inconclusive")
    path = folder / "rehearsal-rules.toml"
    path.write_text(tomli_w.dumps(rules), encoding="utf-8")
    return path
