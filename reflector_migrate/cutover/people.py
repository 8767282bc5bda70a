"""Items that only a person can answer: signatures, dated and named, from a closed list."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from reflector_migrate.cutover.gated import gated
from reflector_migrate.cutover.items import Answer, State, failed, passed, pending
from reflector_migrate.errors import InputError
from reflector_migrate.harness import Harness
from reflector_migrate.model.plural import counted
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.decisions import record
from reflector_migrate.store.clock import now

SIGNATURES = {"margins": 1, "cutover": 2}
"""What may be signed, and by how many different people."""

LATE = 2
"""People who sign margins together once there is data: one alone could have looked for a margin."""

SIGN_MARGINS = "migrate checklist sign margins --who NAME --reason WHY"
NEXT_BUILD = "or one person signs the next build before its first comparison"


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed and when, and how many comparisons of this build were stored by then."""

    who: str
    at: datetime
    comparisons: int

    def __str__(self) -> str:
        """`ana 2026-11-29 20:15, after 3 comparisons`."""
        return f"{self.who} {self.at:%Y-%m-%d %H:%M}, {_after(self.comparisons)}"


def signatures(name: str) -> Callable[[Harness], Answer]:
    """An item that passes once that many different people have signed.

    A signature is of one build under one set of rules: with another build, margin or rule
    it lapses.
    """

    def answer(harness: Harness) -> Answer:
        signed, of = _signed(harness, name), SIGNATURES[name]
        is_enough = len(signed) >= of
        names = ", ".join(sorted(one.who for one in signed))
        why = names if is_enough else f"needs {of - len(signed)} more"
        return Answer(
            State.PASS if is_enough else State.PENDING,
            f"{len(signed)} of {of}",
            str(of),
            len(signed),
            why,
            tuple(_history(harness, name)),
        )

    return answer


def margins_are_signed(harness: Harness) -> Answer:
    """One person signed before this build's first comparison, or two people after it.

    A late signature never reads as an early one: the answer says who signed, when, and after how
    many comparisons. It counts only for rules that the log dates before the data.
    """
    from reflector_migrate.conductor.build import build_hash
    from reflector_migrate.shadow.gate_rules import rules_in_force
    from reflector_migrate.shadow.nightly.gating import WAY_OUT, not_first

    signed, history = _signed(harness, "margins"), tuple(_history(harness, "margins"))
    if early := [one for one in signed if not one.comparisons]:
        found = passed("1 of 1", "1", len(early), "; ".join(map(str, early)))
        return replace(found, numbers=history)
    so_far = comparisons_so_far(harness)
    if not so_far and not signed:
        why = f"sign before this build's first comparison: {SIGN_MARGINS}"
        return replace(pending(why, "0 of 1", "1", 0), numbers=history)
    value, limit, n = f"{len(signed)} of {LATE}, late", f"{LATE} if late", len(signed)
    said = f"late: {'; '.join(map(str, signed))}" if signed else f"now {_after(so_far)} it is late"
    if len(signed) < LATE:
        more = "another person signs too" if signed else "two people sign"
        why = f"{said}. Now {more} ({SIGN_MARGINS}), {NEXT_BUILD}"
        return replace(pending(why, value, limit, n), numbers=history)
    if late := not_first(harness, build_hash(), rules_in_force(harness.settings)):
        return replace(failed(value, limit, n, f"{said}. {late}: {WAY_OUT}"), numbers=history)
    return replace(passed(value, limit, n, said), numbers=history)


def comparisons_so_far(harness: Harness, at: datetime | None = None) -> int:
    """How many comparisons of this build were stored by then (by now), as evidence about it."""
    from reflector_migrate.conductor.build import build_hash

    is_sandbox = harness.settings.is_sandbox
    return harness.nights.stored_before(at or now(), build_hash(), is_sandbox=is_sandbox)


def sign(harness: Harness, name: str, who: str, reason: str, *, is_revoked: bool = False) -> str:
    """Record a signature, or that it is taken back; returns the entry's digest.

    Its evidence is what every gate answers at that time. The entry has the number of comparisons
    of this build that were stored before.

    Raises InputError for a name that no checklist item asks for, without a person or a reason, and
    for a signature to take back that was never given.
    """
    who, reason = " ".join(who.split()), reason.strip()
    if not who or not reason:
        said = "a signature has a person's name and a reason"
        raise InputError(said, hint="--who NAME --reason WHY")
    if name not in SIGNATURES:
        known = ", ".join(SIGNATURES)
        raise InputError(f"no checklist item asks for a signature {name!r}", hint=f"one of {known}")
    if is_revoked and who.casefold() not in {s.who.casefold() for s in _signed(harness, name)}:
        raise InputError(f"{who} has no signature {name!r} in force for this build")
    mine = _signed_for(harness.settings)
    body = {
        "reason": reason, "is_revoked": is_revoked, "build": mine["build"],
        "comparisons": comparisons_so_far(harness),
    }  # fmt: skip
    seen = gated(harness).run.model_dump(mode="json", by_alias=True)
    return record(harness, f"sign:{name}", body, who=who, evidence=seen, rules=mine["rules"])


def _signed_for(settings: Settings) -> dict[str, str]:
    """What a signature holds for: this build, and the digest of the rules with their margins."""
    from reflector_migrate.conductor.build import build_hash
    from reflector_migrate.shadow.gate_rules import rules_in_force

    return {"build": build_hash(), "rules": rules_in_force(settings).digest}


def _signed(harness: Harness, name: str) -> list[Signature]:
    """Who has signed for this build and these rules, and not taken it back; the first time counts.

    A name in other letters or with other blanks is the same person; without one it is no person.
    """
    signed: dict[str, Signature] = {}
    mine = _signed_for(harness.settings)
    for entry in harness.audit.all(f"sign:{name}"):
        body = entry["body"]
        who = " ".join(str(body["who"]).split())
        if _lapsed(body, mine) or not who:
            continue
        if body.get("is_revoked"):
            signed.pop(who.casefold(), None)
        elif who.casefold() not in signed:
            signed[who.casefold()] = Signature(who, entry["at"], _stored_by_then(harness, entry))
    return list(signed.values())


def _stored_by_then(harness: Harness, entry: Mapping[str, Any]) -> int:
    """As the entry says; an entry of an earlier version is compared by dates."""
    said = entry["body"].get("comparisons")
    return comparisons_so_far(harness, entry["at"]) if said is None else int(said)


def _history(harness: Harness, name: str) -> Iterator[str]:
    """Every signature of that name ever given, with what has become of it."""
    mine = _signed_for(harness.settings)
    for entry in harness.audit.all(f"sign:{name}"):
        body = entry["body"]
        changed = _lapsed(body, mine)
        verb = "took it back" if body.get("is_revoked") else "signed"
        reason = body.get("reason") or "no reason given"
        lapsed = f"; lapsed: another {' and other '.join(changed)}" if changed else ""
        yield f"{entry['at']:%Y-%m-%d %H:%M} {body['who']} {verb}: {reason}{lapsed}"


def _lapsed(body: Mapping[str, Any], mine: Mapping[str, str]) -> list[str]:
    """What has changed since it was given."""
    return [name for name, value in mine.items() if body.get(name) != value]


def _after(comparisons: int) -> str:
    """`before the first comparison`, or after how many."""
    number = counted(comparisons, "comparison")
    return f"after {number} of this build" if comparisons else "before the first comparison"
