"""What the store counts, for Prometheus: no recording, room or host is ever a label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from reflector_migrate.harness import Harness

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def metrics_of(harness: Harness) -> str:
    """The text that Prometheus reads. Raises MigrateError when the store cannot be read."""
    registry = CollectorRegistry()
    registry.register(_Stored(list(_families(harness))))
    return generate_latest(registry).decode()


def _families(harness: Harness) -> Iterator[Metric]:
    pairs: Counter[str] = Counter()
    for _night, verdict, number in harness.evidence.nights():
        pairs[verdict] += number
    yield _counted("shadow_pairs", "Comparisons stored", "verdict", pairs)
    ends = harness.dispatches.between(EPOCH, datetime.now(UTC))
    outcomes = Counter(str(one["outcome"]) for one in ends)
    yield _counted("shadow_dispatch", "Outcomes of announcements", "outcome", outcomes)
    skipped = Counter(
        str(one["reason"] or "").partition(":")[0] for one in ends if one["outcome"] == "skipped"
    )
    yield _counted("shadow_comparisons_skipped", "Runs left out", "reason", skipped)
    yield GaugeMetricFamily(
        "shadow_in_flight", "Workflows in flight", harness.runs.count_in_flight()
    )
    pages = list((harness.settings.state_dir / "reports").glob("shadow-*.html"))
    if pages:
        yield GaugeMetricFamily(
            "shadow_report_last_success_timestamp_seconds",
            "When the newest nightly page was written",
            max(map(_written_at, pages)),
        )


def _counted(name: str, what: str, label: str, counts: Counter[str]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, what, labels=[label])
    for value, number in sorted(counts.items()):
        family.add_metric([value], number)
    return family


def _written_at(page: Path) -> float:
    return page.stat().st_mtime


class _Stored(Collector):
    """Counts that the store keeps: read at each request, so that no process must remember them."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        yield from self._families
