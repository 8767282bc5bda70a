"""Items that only a person can answer: a drill or a signature, dated and named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from reflector_migrate.cutover.items import Answer, failed, passed, pending
from reflector_migrate.errors import InputError
from reflector_migrate.settings import Settings

SIGNATURES = {"margins": 1, "cutover": 2}
"""What may be signed, and by how many different people."""


def drill(name: str, *, within_days: int) -> Callable[[Settings], Answer]:
    """An item that passes while the drill of that name is young enough."""

    def answer(settings: Settings) -> Answer:
        from reflector_migrate.store.audit import Audit
        from reflector_migrate.store.clock import now

        limit = f"≤ {within_days} d"
        entry = Audit(settings.store_url).last(f"drill:{name}")
        if entry is None:
            return pending("no drill is on record", limit=limit)
        age = now() - entry["at"]
        day = f"{entry['at']:%m-%d}"
        if age > timedelta(days=within_days):
            return failed(day, limit, why=f"{age.days} days old")
        return passed(day, limit)

    return answer


def signatures(name: str) -> Callable[[Settings], Answer]:
    """An item that passes once that many different people have signed, for this very build."""

    def answer(settings: Settings) -> Answer:
        signed, of = _signed(settings, name), SIGNATURES[name]
        value = f"{len(signed)} of {of}"
        if len(signed) >= of:
            return passed(value, str(of), len(signed), ", ".join(sorted(signed)))
        return pending(f"needs {of - len(signed)} more", value, str(of), len(signed))

    return answer


def sign(settings: Settings, name: str, who: str, reason: str, *, is_revoked: bool = False) -> str:
    """Record a signature, or that it is taken back; returns the entry's digest.

    Raises InputError for a name that no checklist item asks for, and for a signature to take
    back that was never given.
    """
    from reflector_migrate.conductor.build import build_hash
    from reflector_migrate.store.audit import Audit

    if name not in SIGNATURES:
        known = ", ".join(SIGNATURES)
        raise InputError(f"no checklist item asks for a signature {name!r}", hint=f"one of {known}")
    if is_revoked and who not in _signed(settings, name):
        raise InputError(f"{who} has no signature {name!r} in force for this build")
    body = {"who": who, "reason": reason, "build": build_hash(), "is_revoked": is_revoked}
    return Audit(settings.store_url).append(f"sign:{name}", body)


def _signed(settings: Settings, name: str) -> set[str]:
    """Who has signed for this build and not taken it back: another build's signatures lapse."""
    from reflector_migrate.conductor.build import build_hash
    from reflector_migrate.store.audit import Audit

    signed: set[str] = set()
    for entry in Audit(settings.store_url).all(f"sign:{name}"):
        body = entry["body"]
        if body.get("build") != build_hash():
            continue
        (signed.discard if body.get("is_revoked") else signed.add)(body["who"])
    return signed


def not_yet(why: str) -> Callable[[Settings], Answer]:
    """An item nothing here can answer yet: always pending, so it can never look done."""
    return lambda _settings: pending(why)
