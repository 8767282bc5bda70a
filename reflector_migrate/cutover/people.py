"""Items that only a person can answer: a drill or a signature, dated and named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from reflector_migrate.cutover.items import Answer, failed, passed, pending
from reflector_migrate.settings import Settings


def drill(name: str, *, within_days: int) -> Callable[[Settings], Answer]:
    """An item that passes while the drill of that name is young enough."""

    def answer(settings: Settings) -> Answer:
        from reflector_migrate.cutover.audit import Audit
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


def signatures(name: str, *, of: int) -> Callable[[Settings], Answer]:
    """An item that passes once that many different people have signed."""

    def answer(settings: Settings) -> Answer:
        from reflector_migrate.cutover.audit import Audit

        signed = {e["body"]["who"] for e in Audit(settings.store_url).all(f"sign:{name}")}
        value = f"{len(signed)} of {of}"
        if len(signed) >= of:
            return passed(value, str(of), len(signed), ", ".join(sorted(signed)))
        return pending(f"needs {of - len(signed)} more", value, str(of), len(signed))

    return answer


def not_yet(why: str) -> Callable[[Settings], Answer]:
    """An item nothing here can answer yet: always pending, so it can never look done."""
    return lambda _settings: pending(why)
