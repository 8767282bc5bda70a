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


def size(number_bytes: float) -> str:
    """`67.1 MiB`; bytes below a KiB as they are."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number_bytes < 1024 or unit == "GiB":
            break
        number_bytes /= 1024
    return f"{number_bytes:,.0f} B" if unit == "B" else f"{number_bytes:,.1f} {unit}"


def dollars(microdollars: int | None) -> str:
    """`$0.4060`, and `$2 851.59` from a dollar on; `unknown` for none."""
    if microdollars is None:
        return "unknown"
    value = microdollars / 1_000_000
    return f"${value:.4f}" if value < 1 else f"${value:,.2f}".replace(",", "\u00a0")


def ratio(value: float | None) -> str:
    """`×1.48`, `×14.8`; `-` for none."""
    if value is None:
        return "-"
    return f"×{value:.2f}" if value < 10 else f"×{value:,.1f}"


def ticks(longest_s: float) -> list[float]:
    """Four to nine round times from 0 to at most `longest_s`, as an axis has them."""
    rounds = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
    step = next((one for one in rounds if longest_s / one <= 8), 28800)
    return [place * step for place in range(int(longest_s / step + 1e-9) + 1)]


def tick(seconds: float) -> str:
    """`0`, `0.5s`, `15s`, `2m`, `1h`: only as exact as round times need."""
    if seconds >= 3600 and seconds % 3600 == 0:
        return f"{seconds / 3600:.0f}h"
    if seconds >= 60 and seconds % 60 == 0:
        return f"{seconds / 60:.0f}m"
    return f"{seconds:g}s" if seconds else "0"


def zulu(at: datetime | None) -> str:
    """`02:14Z`; `-` for none."""
    return "-" if at is None else at.strftime("%H:%MZ")


def utc(at: datetime | None) -> str:
    """`2026-11-23 02:14:07Z`; `-` for none."""
    return "-" if at is None else at.strftime("%Y-%m-%d %H:%M:%SZ")
