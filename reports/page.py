"""The nightly page: one HTML file that opens offline, gives reasons, and requests nothing.

Every expression of every template passes through `shown`: text that others wrote
is escaped, stripped of control characters and cut to a readable length.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reflector_migrate.model import Gist, Verdict
from reports import charts, costs, differences, figures, medians, outcomes, picks, spread, trend
from reports.document import Night
from reports.drawer import Drawer, drawer
from reports.glyphs import GLYPHS
from reports.pack import columns, packed
from reports.redact import redact
from reports.rows import Row, check_names, rows
from reports.sentences import headline, sentences
from reports.text import clipped, visible
from reports.words import RULES, WORDS

STYLES = ("page.css", "charts.css", "table.css", "drawer.css", "print.css")
SCRIPTS = ("unpack.js", "query.js", "table.js", "drawer.js", "start.js")


def render_page(night: Night) -> str:
    """The whole page; the same night gives the same bytes.

    Words, titles and names are taken out first when night.is_redacted.
    """
    night = redact(night)
    names = check_names(night.gists)
    found = rows(night.gists, names)
    style, script = asset(STYLES), asset(SCRIPTS)
    template = environment().get_template("page.html.j2")
    return template.render(
        **_told(night, found, names),
        **_measured(night),
        **_embedded(night, found, names),
        csp=policy(style, script),
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
    )


@cache
def environment() -> Environment:
    """Where our templates live: escaping always on, an unknown name is an error."""
    env = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {
        "percent": figures.percent,
        "count": figures.count,
        "span": figures.span,
        "clock": figures.clock,
        "dollars": figures.dollars,
        "ratio": figures.ratio,
        "utc": figures.utc,
        "at": charts.number,
        "whole": lambda text: Markup.escape(visible(text)),
        "plain": lambda name: str(name).replace("_", " "),
        "glyph": lambda verdict: GLYPHS[Verdict(verdict)][0],
        "word": lambda verdict: GLYPHS[Verdict(verdict)][1],
    }
    return env


def shown(value: Any) -> Any:
    """A value as a page may show it: visible characters, of a readable length."""
    if value is None:
        return "-"
    return clipped(value) if type(value) is str else value


def _told(night: Night, found: tuple[Row, ...], names: tuple[str, ...]) -> dict[str, Any]:
    """Who, when, and the verdict."""
    return {
        "night": night,
        "window": night.window or _whole_day(night.night),
        "builds": _builds(night.gists),
        "headline": headline(night),
        "sentences": sentences(night, found, names),
        "tally": {v.value: sum(row.verdict is v for row in found) for v in Verdict},
        "words": WORDS,
        "rules": RULES,
        "earlier": max((p.night for p in night.trend if p.night < night.night), default=""),
        "titled": any(row.title for row in found),
        "longest_drawers": (picks.WORST, picks.MATCHES, picks.ONE_SIDED),
    }


def _measured(night: Night) -> dict[str, Any]:
    """What the charts and tables are drawn from."""
    gists = night.gists
    sample = night.documents(medians.sampled(len(gists)))
    members = differences.members(gists)
    return {
        "groups": differences.groups(members),
        "waivers": differences.waivers(members),
        "spreads": spread.spreads(gists) if len(gists) > 1 else (),
        "stack": [verdict.value for verdict in reversed(trend.STACK)],
        "trend": trend.trend(night.trend),
        "medians": medians.medians(sample, len(gists)),
        "costs": costs.costs(gists),
        "matrix": outcomes.matrix(gists),
        "strata": outcomes.strata(gists),
    }


def _embedded(night: Night, found: tuple[Row, ...], names: tuple[str, ...]) -> dict[str, Any]:
    """The rows and drawers as packed data, and the worst as they are without JavaScript."""
    full = environment().get_template("drawer.html.j2")
    texts, numbers = columns(found, names)
    chosen = picks.picks(found, night.night)
    whole = zip(chosen, night.documents(chosen), strict=True)
    drawers: dict[int, Drawer] = {place: drawer(comparison) for place, comparison in whole}
    pages = {
        str(place): str(full.render(d=drawer, words=WORDS, rules=RULES))
        for place, drawer in drawers.items()
    }
    return {
        "worst": [drawers[place] for place in picks.worst(found)],
        "rows_data": packed(texts | {"full": chosen}, numbers),
        "drawers_data": packed(pages),
        "n_drawers": len(pages),
    }


def _whole_day(night: str) -> tuple[str, str]:
    """From midnight to midnight UTC; as it is if the night is not a date."""
    try:
        day = date.fromisoformat(night)
    except ValueError:
        return ("", "")
    return (f"{day}T00:00Z", f"{day + timedelta(days=1)}T00:00Z")


def _builds(gists: tuple[Gist, ...]) -> list[tuple[str, str, str, int]]:
    """(role, engine, build, recordings) of every build that ran tonight."""
    seen = Counter(("primary", gist.primary_engine, gist.primary_build) for gist in gists)
    seen.update(("candidate", gist.candidate_engine, gist.candidate_build) for gist in gists)
    seen.update(
        ("secondary", gist.secondary_engine, gist.secondary_build or "")
        for gist in gists
        if gist.secondary_engine is not None
    )
    return [(*key, number) for key, number in sorted(seen.items())]


def asset(names: tuple[str, ...]) -> str:
    """Our own files that a page carries, one after the other."""
    folder = files("reports").joinpath("assets")
    return "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)


def policy(style: str, script: str, form_action: str = "'none'") -> str:
    """Nothing from anywhere, but this style and this script."""
    return (
        f"default-src 'none'; base-uri 'none'; form-action {form_action}; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
