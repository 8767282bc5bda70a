"""The recordings table of 10,000: packed columns against a full jinja2 table, in one loop.

Both start from the same rows and end with text; the full table has the cells that
the page's script makes. The whole page, drawers, charts and redaction included, is
timed beside them. So is what comes before: loading a night from the store and aggregating
it, against a bare sqlite3 read of the same rows. CPU time, so that neighbours do not
count; ratios of the medians come last.

    python bench/bench_report.py
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from jinja2 import Environment

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fixtures.reports.nights import night
from reflector_migrate.model import Comparison, Verdict
from reflector_migrate.store.evidence import Evidence
from reflector_migrate.store.migrate import upgrade
from reports import differences, figures
from reports.glyphs import GLYPHS
from reports.pack import columns, packed
from reports.page import render_page
from reports.rows import check_names, rows

RECORDINGS = 10_000
STORED = 1_000
ROUNDS = 7

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
    names = check_names(told.comparisons)
    found = rows(told.comparisons, names)
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
        "rows from comparisons": lambda: str(len(rows(told.comparisons, names))),
        "whole page": lambda: render_page(told),
    }
    times: dict[str, list[float]] = {name: [] for name in peers}
    sizes: dict[str, int] = {}
    for _ in range(ROUNDS):
        for name, peer in peers.items():
            start = time.process_time()
            sizes[name] = len(peer().encode())
            times[name].append(time.process_time() - start)
    loading(told.comparisons[:STORED], told.night)
    report(times, sizes)


def loading(comparisons: Sequence[Comparison], night_of: str) -> None:
    """A stored night read whole, parsed and aggregated, against its bare rows."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "store.db"
        evidence = Evidence(f"sqlite:///{file}")
        upgrade(f"sqlite:///{file}")
        for place, comparison in enumerate(comparisons):
            evidence.add([], comparison.model_copy(update={"run_id": str(place)}), night_of)
        taken: list[tuple[float, float, float]] = []
        for _ in range(ROUNDS):
            start = time.process_time()
            bare = _bare(file, night_of)
            read = time.process_time()
            found = evidence.of_night(night_of)
            loaded = time.process_time()
            names = check_names(found)
            shown = rows(found, names), differences.groups(found)
            done = time.process_time()
            assert len(bare) == len(found) == len(shown[0])
            taken.append((read - start, loaded - read, done - loaded))
            del found, shown
    medians = [statistics.median(column) for column in zip(*taken, strict=True)]
    print(f"of {len(comparisons):,} stored recordings, {sum(map(len, bare)) / 1e6:.0f} MB of JSON: "
          f"bare read {medians[0] * 1000:.1f} ms, load {medians[1] * 1000:.1f} ms, "
          f"aggregate {medians[2] * 1000:.1f} ms")  # fmt: skip
    ratio = (medians[1] + medians[2]) / medians[0]
    print(f"load + aggregate / bare sqlite3 read: {ratio:.1f} (reach: 3)")


def _bare(file: Path, night_of: str) -> list[str]:
    with sqlite3.connect(file) as connection:
        query = "select body from comparisons where night = ? order by id"
        return [body for (body,) in connection.execute(query, (night_of,))]


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
