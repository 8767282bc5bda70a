"""Items that only a person can answer: signatures, dated and named, from a closed list."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from reflector_migrate.cutover.gated import gated
from reflector_migrate.cutover.items import Answer, State
from reflector_migrate.errors import InputError
from reflector_migrate.harness import Harness
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.decisions import record

SIGNATURES = {"margins": 1, "cutover": 2}
"""What may be signed, and by how many different people."""


def signatures(name: str) -> Callable[[Harness], Answer]:
    """An item that passes once that many different people have signed.

    A signature is of one build under one set of rules: with another build, margin or rule
    it lapses.
    """

    def answer(harness: Harness) -> Answer:
        signed, of = _signed(harness, name), SIGNATURES[name]
        is_enough = len(signed) >= of
        why = ", ".join(sorted(signed)) if is_enough else f"needs {of - len(signed)} more"
        return Answer(
            State.PASS if is_enough else State.PENDING,
            f"{len(signed)} of {of}",
            str(of),
            len(signed),
            why,
            tuple(_history(harness, name)),
        )

    return answer


def sign(harness: Harness, name: str, who: str, reason: str, *, is_revoked: bool = False) -> str:
    """Record a signature, or that it is taken back; returns the entry's digest.

    Its evidence is what every gate answers at that time.

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
    if is_revoked and who.casefold() not in map(str.casefold, _signed(harness, name)):
        raise InputError(f"{who} has no signature {name!r} in force for this build")
    mine = _signed_for(harness.settings)
    body = {"reason": reason, "is_revoked": is_revoked, "build": mine["build"]}
    seen = gated(harness).run.model_dump(mode="json", by_alias=True)
    return record(harness, f"sign:{name}", body, who=who, evidence=seen, rules=mine["rules"])


def _signed_for(settings: Settings) -> dict[str, str]:
    """What a signature holds for: this build, and the digest of the rules with their margins."""
    from reflector_migrate.conductor.build import build_hash
    from reflector_migrate.shadow.gate_rules import rules_in_force

    return {"build": build_hash(), "rules": rules_in_force(settings).digest}


def _signed(harness: Harness, name: str) -> set[str]:
    """Who has signed for this build and these rules, and not taken it back.

    A name in other letters or with other blanks is the same person; without one it is no person.
    """
    signed: dict[str, str] = {}
    mine = _signed_for(harness.settings)
    for entry in harness.audit.all(f"sign:{name}"):
        body = entry["body"]
        who = " ".join(str(body["who"]).split())
        if _lapsed(body, mine) or not who:
            continue
        if body.get("is_revoked"):
            signed.pop(who.casefold(), None)
        else:
            signed[who.casefold()] = who
    return set(signed.values())


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
