"""Numbers as people read them; nothing is rounded to a boundary it did not reach."""

from __future__ import annotations

from datetime import datetime


def clock(seconds: float | None) -> str:
    """`47:12`, or `1:02:03` from an hour on; `-` for none."""
    if seconds is None:
        return "-"
    whole = max(0, int(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def span(seconds: float | None) -> str:
    """`0.4s`, `22s`, `3m00s`; `-` for none."""
    if seconds is None:
        return "-"
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    return f"{whole}s" if whole < 100 else f"{whole // 60}m{whole % 60:02}s"


def percent(share: float | None, digits: int = 2) -> str:
    """`2.98%`; a share above 0 never reads 0, one below 1 never reads 100."""
    if share is None:
        return "-"
    smallest = 10.0**-digits
    value = share * 100
    if 0 < value < smallest:
        return f"<{smallest:.{digits}f}%"
    if 100 - smallest < value < 100:
        return f">{100 - smallest:.{digits}f}%"
    return f"{value:.{digits}f}%"


def points(share: float) -> str:
    """`+0.42 pp`, a difference of two shares in percentage points."""
    return f"{share * 100:+.2f} pp"


def count(number: float) -> str:
    """`8 412`: thousands apart by a thin gap that survives a terminal."""
    return f"{number:,.0f}".replace(",", " ")


def dollars(microdollars: int | None) -> str:
    """`$0.4060`; `unknown` for none."""
    return "unknown" if microdollars is None else f"${microdollars / 1_000_000:.4f}"


def zulu(at: datetime | None) -> str:
    """`02:14Z`; `-` for none."""
    return "-" if at is None else at.strftime("%H:%MZ")


def utc(at: datetime | None) -> str:
    """`2026-11-23 02:14:07Z`; `-` for none."""
    return "-" if at is None else at.strftime("%Y-%m-%d %H:%M:%SZ")
