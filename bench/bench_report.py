"""The recordings table of 10,000: packed columns against a full jinja2 table, in one loop.

Both start from the same rows and end with text; the full table has the cells that
the page's script makes. The whole page, drawers and charts included, is timed beside them.
So is what comes before: loading a night from the store and aggregating all that a page
counts of it, against bare sqlite3 reads: of the documents, and of the very columns that are
loaded. CPU time, so that neighbours do not count; ratios of the medians come last.

    python bench/bench_report.py
"""

from __future__ import annotations

import gc
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from jinja2 import Environment

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fixtures.reports.nights import night
from reflector_migrate.model import Comparison, Gist, Verdict
from reflector_migrate.store.evidence import Evidence
from reflector_migrate.store.migrate import upgrade
from reflector_migrate.store.nights import Nights
from reports import costs, differences, figures, outcomes, spread
from reports.document import Coverage, Night
from reports.glyphs import GLYPHS
from reports.pack import columns, packed
from reports.page import render_page
from reports.rows import check_names, rows

RECORDINGS = 10_000
ROUNDS = 7

BODY = "select body from comparisons where night = ? order by id"
COLUMNS = f"""select {", ".join(f"gists.{name}" for name in Gist._fields)}
from comparisons join gists on comparison_id = id where night = ? order by id"""

Made = TypeVar("Made")

FULL = """<table><thead><tr>{% for h in heads %}<th>{{ h }}</th>{% endfor %}</tr></thead><tbody>
{% for r in rows %}<tr data-place="{{ loop.index }}" data-checks="{{ r.checks }}"
 data-tags="{{ r.tags }}">
<td><span class="state s-{{ r.verdict.value }}">{{ r.verdict.value | word }}</span></td>
<th scope="row"><a href="#r={{ r.recording | urlencode }}">{{ r.recording }}</a>
<bdi class="title">{{ r.title }}</bdi></th>
<td class="step">{{ r.step }}</td><td class="num">{{ r.words | percent }}</td>
<td class="num wide">{{ r.speakers | percent }}</td><td class="num wide">{{ r.failing }}</td>
<td class="num wide">{{ r.duration_s | clock }}</td><td class="num wide">{{ r.tracks }}</td>
<td class="wide">{{ r.outcome }}</td><td class="num wide">{{ r.primary_s | span }}</td>
<td class="num wide">{{ r.candidate_s | span }}</td>
<td class="num wide">{{ "%+.0f%%" | format((r.candidate_s / r.primary_s - 1) * 100)
if r.candidate_s and r.primary_s else "-" }}</td>
<td class="num wide">{{ r.primary_cost | dollars }}</td>
<td class="num wide">{{ r.candidate_cost | dollars }}</td></tr>
{% endfor %}</tbody></table>"""


def main() -> None:
    """Print sizes and times; the ratio last."""
    told = night(RECORDINGS)
    names = check_names(told.gists)
    found = rows(told.gists, names)
    env = Environment(autoescape=True)
    env.filters |= {
        name: getattr(figures, name) for name in ("percent", "clock", "span", "dollars")
    }
    env.filters["word"] = lambda value: " ".join(GLYPHS[Verdict(value)])
    template = env.from_string(FULL)
    heads = ("verdict", "recording", "begins at", "words", "speakers", "against", "length",
             "tracks", "finished", "primary", "candidate", "time", "cost", "cost")  # fmt: skip
    peers: dict[str, Callable[[], str]] = {
        "full jinja2 table": lambda: template.render(rows=found, heads=heads),
        "packed columns": lambda: packed(*columns(found, names)),
        "rows from gists": lambda: str(len(rows(told.gists, names))),
        "whole page": lambda: render_page(told),
    }
    times: dict[str, list[float]] = {name: [] for name in peers}
    sizes: dict[str, int] = {}
    for _ in range(ROUNDS):
        for name, peer in peers.items():
            start = time.process_time()
            sizes[name] = len(peer().encode())
            times[name].append(time.process_time() - start)
    report(times, sizes)
    loading(told.comparisons, told.night)


def loading(comparisons: Sequence[Comparison], night_of: str) -> None:
    """A stored night loaded and aggregated, against bare reads of its columns and its documents."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "store.db"
        url = f"sqlite:///{file}"
        _store(url, comparisons, night_of)
        wanted = aggregated(Night(night_of, "", Coverage(0, 0), comparisons).gists)
        taken: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            documents = timed(taken, "bare read of documents", lambda: _bare(file, night_of, BODY))
            size = sum(len(body) for (body,) in documents)
            del documents
            bare = timed(taken, "bare read of columns", lambda: _bare(file, night_of, COLUMNS))
            found = timed(taken, "load", lambda: Nights(url).of(night_of))
            told = timed(taken, "aggregate", lambda gists=found: aggregated(gists))
            assert bare == list(map(tuple, found))
            assert told == wanted
    medians = {name: statistics.median(seen) for name, seen in taken.items()}
    for name, median_s in medians.items():
        print(f"{name:<22} {median_s * 1000:8.1f} ms")
    print(f"of {len(comparisons):,} stored recordings with {size / 1e6:.0f} MB of documents")
    ours = medians["load"] + medians["aggregate"]
    for peer in ("documents", "columns"):
        ratio = ours / medians[f"bare read of {peer}"]
        print(f"load + aggregate / bare sqlite3 read of {peer}: {ratio:.2f} (reach: 3)")


def aggregated(gists: tuple[Gist, ...]) -> tuple[object, ...]:
    """All that a page counts of a night."""
    members = differences.members(gists)
    return (
        rows(gists, check_names(gists)),
        *(differences.groups(members), differences.waivers(members), spread.spreads(gists)),
        *(costs.costs(gists), outcomes.matrix(gists), outcomes.strata(gists)),
    )


def timed(taken: dict[str, list[float]], name: str, work: Callable[[], Made]) -> Made:
    """What it makes; how long it took is added under its name. Nobody pays for others' garbage."""
    gc.collect()
    start = time.process_time()
    made = work()
    taken.setdefault(name, []).append(time.process_time() - start)
    return made


def _store(url: str, comparisons: Sequence[Comparison], night_of: str) -> None:
    upgrade(url)
    evidence = Evidence(url)
    for comparison in comparisons:
        evidence.add([], comparison, night_of)


def _bare(file: Path, night_of: str, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(query, (night_of,)).fetchall()


def report(times: dict[str, list[float]], sizes: dict[str, int]) -> None:
    """A line a peer, then the ratios."""
    medians = {name: statistics.median(found) for name, found in times.items()}
    for name, median_s in medians.items():
        spread = f"{min(times[name]) * 1000:.0f}-{max(times[name]) * 1000:.0f}"
        print(f"{name:<22} {median_s * 1000:8.1f} ms  ({spread})  {sizes[name]:>10,} bytes")
    full = medians["full jinja2 table"]
    print(f"whole page / full table: {medians['whole page'] / full:.2f}")
    print(f"page size: {sizes['whole page']:,} bytes, at most 1,000,000")
    print(f"packed columns / full table: {medians['packed columns'] / full:.4f} (reach: 0.0667)")


if __name__ == "__main__":
    sys.exit(main())
