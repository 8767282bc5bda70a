"""How often each way of deciding is wrong, and how soon it decides: ours and what others do.

    python bench/bench_gates.py [--quick] [--page docs/results/gates.md]

Every cohort is drawn from a fixed seed, and all ways of deciding see the same cohorts. At the
margin (a true change of exactly 1 pp) any decision is wrong. Ours is looked at after every
recording, or every night for a year; the t-test every night of ten recordings, the usual
habit; the fixed-n test once, at 35. Intervals are exact 95 % ones (Clopper and Pearson). Exit
code 1 if a rate of ours is over 5 %, or a median over what was promised.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from reflector_migrate.judge.gates.clusters import Clusters
from reflector_migrate.judge.gates.eprocess import Design, Process
from reflector_migrate.judge.gates.means import clusters_of
from reflector_migrate.judge.gates.rules import GateRule

Floats = NDArray[np.float64]
MARGIN, ALPHA, PER_NIGHT, FIXED_N = 1.0, 0.05, 10, 35
LIMIT = np.log(1 / ALPHA)
BATCH = 100
PROMISED = {1.0: 36, 2.0: 40, 3.0: 60, 5.0: 140}
PROMISED_AT_HALF = 100


class Cohorts(NamedTuple):
    """Cohorts of one kind: values around 0, and which of them share an effect.

    `per_series`: beside its night each recording has a meeting series of so many, with an effect
    as large.
    """

    name: str
    draw: Callable[[np.random.Generator, int, int], Floats]
    sd: float = 2.0
    effect: float = 0.0
    per_cluster: int = 0
    per_series: int = 0
    is_series: bool = False
    is_declared: bool = True
    drift: float = 0.0

    @property
    def design(self) -> Design:
        """Bounds as the rules ask for: at least 4 sd."""
        return Design(max(10.0, 4 * self.sd), self.sd)

    def labels(self, n: int) -> NDArray[np.int64]:
        """The cluster of each recording: nights come one after another, series take turns."""
        if self.is_series:
            return series_of(self.per_cluster, n)
        return np.arange(n) // max(self.per_cluster, 1)

    def clusters(self, n: int) -> tuple[Clusters, ...]:
        """As the gates have them: effects as declared, or measured by none; all from the first on.

        A recording whose series is not drawn has one of its own.
        """
        if not self.per_cluster:
            return ()
        effect = self.effect if self.is_declared else None
        night, series = (0.0, effect) if self.is_series else (effect, None)
        rule = rule_of(self.design, night, effect if self.per_series else series)
        labels, alone = self.labels(n), np.arange(n)
        if self.is_series:
            return clusters_of(rule, alone.tolist(), labels.tolist())
        own = series_of(self.per_series, n) if self.per_series else alone
        return clusters_of(rule, labels.tolist(), own.tolist())

    def values(self, rng: np.random.Generator, repeats: int, n: int, away: int) -> Floats:
        """Cohorts with mean 0; with `drift` their mean moves off in the direction `away`."""
        found = self.draw(rng, repeats, n) * self.sd
        if self.per_cluster:
            labels = self.labels(n)
            found += rng.normal(0, self.effect, (repeats, labels.max() + 1))[:, labels]
        if self.per_series:
            labels = series_of(self.per_series, n)
            found += rng.normal(0, self.effect, (repeats, labels.max() + 1))[:, labels]
        return found + away * self.drift * np.linspace(0, 1, n)


def rule_of(design: Design, night: float | None, series: float | None) -> GateRule:
    """A gate on a mean with these bounds, and with these shared effects declared."""
    return GateRule(
        measures=("x",), layer="G1", kind="mean", margin=MARGIN, clip=design.clip, sd=design.sd,
        night_effect=night, series_effect=series,
    )  # fmt: skip


def series_of(size: int, n: int) -> NDArray[np.int64]:
    """Twenty series take turns until each has so many meetings; then twenty others do."""
    at = np.arange(n)
    return (at // (size * 20)) * 20 + at % 20


def normal(rng: np.random.Generator, repeats: int, n: int) -> Floats:
    """Bell-shaped, sd 1."""
    return rng.normal(0, 1, (repeats, n))


def skewed(rng: np.random.Generator, repeats: int, n: int) -> Floats:
    """Lognormal, sd 1: most a little under the mean, few far over it."""
    shape = 0.8
    mean, var = np.exp(shape**2 / 2), (np.exp(shape**2) - 1) * np.exp(shape**2)
    return (rng.lognormal(0, shape, (repeats, n)) - mean) / np.sqrt(var)


def heavy(rng: np.random.Generator, repeats: int, n: int) -> Floats:
    """Student t with 3 degrees of freedom, sd 1."""
    return rng.standard_t(3, (repeats, n)) / np.sqrt(3)


def zeros(rng: np.random.Generator, repeats: int, n: int) -> Floats:
    """Four of five recordings do not differ at all, sd 1."""
    return (rng.random((repeats, n)) < 0.2) * rng.normal(0, np.sqrt(5), (repeats, n))


def growing(rng: np.random.Generator, repeats: int, n: int) -> Floats:
    """The spread triples, from a half to one and a half."""
    return rng.normal(0, 1, (repeats, n)) * np.linspace(0.5, 1.5, n)


KINDS = (
    Cohorts("normal, sd 1", normal, sd=1.0),
    Cohorts("normal, sd 2", normal),
    Cohorts("normal, sd 3", normal, sd=3.0),
    Cohorts("normal, sd 5", normal, sd=5.0),
    Cohorts("skewed", skewed),
    Cohorts("heavy-tailed", heavy),
    Cohorts("zero-inflated", zeros),
    Cohorts("drifting: spread triples", growing),
    Cohorts("drifting: mean moves off by 1 pp", normal, drift=1.0),
    Cohorts("nights of 10, effect 0", normal, effect=0.0, per_cluster=10),
    Cohorts("nights of 10, effect 0.3 pp", normal, effect=0.3, per_cluster=10),
    Cohorts("nights of 10, effect 1 pp", normal, effect=1.0, per_cluster=10),
    Cohorts("nights of 30, effect 0.3 pp", normal, effect=0.3, per_cluster=30),
    Cohorts("nights of 30, effect 1 pp", normal, effect=1.0, per_cluster=30),
    Cohorts("nights of 10, effect 0, not measured", normal, per_cluster=10, is_declared=False),
    Cohorts("nights of 10, effect 0.3 pp, not measured", normal, effect=0.3, per_cluster=10,
            is_declared=False),
    Cohorts("nights of 10, effect 1 pp, not measured", normal, effect=1.0, per_cluster=10,
            is_declared=False),
    Cohorts("nights of 30, effect 1 pp, not measured", normal, effect=1.0, per_cluster=30,
            is_declared=False),
    Cohorts("meeting series of 5, effect 1 pp", normal, effect=1.0, per_cluster=5, is_series=True),
    Cohorts("meeting series of 5, effect 1 pp, not measured", normal, effect=1.0, per_cluster=5,
            is_series=True, is_declared=False),
    Cohorts("nights of 10 and series of 5, effects 0.3 pp", normal, effect=0.3, per_cluster=10,
            per_series=5),
    Cohorts("nights of 10 and series of 5, effects 1 pp", normal, effect=1.0, per_cluster=10,
            per_series=5),
    Cohorts("nights of 10 and series of 5, effects 0.3 pp, not measured", normal, effect=0.3,
            per_cluster=10, per_series=5, is_declared=False),
    Cohorts("nights of 10 and series of 5, effects 1 pp, not measured", normal, effect=1.0,
            per_cluster=10, per_series=5, is_declared=False),
)  # fmt: skip
YEAR = tuple(kind for kind in KINDS if not kind.is_series and kind.sd == 2.0)


class Row(NamedTuple):
    """A kind of cohort at the margin: how often each way decided, so wrongly."""

    name: str
    repeats: int
    false_pass: int
    false_fail: int
    unpaid: int
    nightly_t: int
    fixed_n: int

    @property
    def is_bounded(self) -> bool:
        """Ours is wrong in at most 5 % of cohorts, in both directions.

        Of few cohorts the interval must reach down to 5 %: chance alone exceeds it in some rows.
        """
        wrong = max(self.false_pass, self.false_fail)
        if self.repeats >= 1_000:
            return wrong <= ALPHA * self.repeats
        bounds = stats.binomtest(wrong, self.repeats).proportion_ci(0.95, "exact")
        return float(bounds.low) <= ALPHA


def at_the_margin(kind: Cohorts, repeats: int, n: int, seed: int, every: int = 1) -> Row:
    """Cohorts whose clipped mean is the margin, looked at after every so many recordings."""
    rng = np.random.default_rng(seed)
    clusters, clip = kind.clusters(n), kind.design.clip
    shift = _centred(kind, clip)
    counts = np.zeros(5, int)
    for start in range(0, repeats, BATCH):
        size = min(BATCH, repeats - start)
        up, down = (kind.values(rng, size, n, away) + shift for away in (1, -1))
        below = Process(up, kind.design, clusters).log_wealth(MARGIN, "below")
        above = Process(down, kind.design, clusters).log_wealth(MARGIN, "above")
        unpaid = Process(up, kind.design).log_wealth(MARGIN, "below") if clusters else below
        for place, wealth in enumerate((below, above, unpaid)):
            counts[place] += (wealth[:, every - 1 :: every].max(-1) >= LIMIT).sum()
        p_values = t_test(np.clip(up, -clip, clip), PER_NIGHT)
        counts[3] += (p_values < ALPHA).any(-1).sum()
        counts[4] += (t_test(np.clip(up[:, :FIXED_N], -clip, clip), FIXED_N)[:, -1] < ALPHA).sum()
    return Row(kind.name, repeats, *map(int, counts))


def _centred(kind: Cohorts, clip: float) -> float:
    """What to add to the values so that their clipped mean is the margin."""
    drawn = kind._replace(effect=0.0, per_cluster=0, per_series=0, drift=0.0)
    rng = np.random.default_rng(0)
    sample = drawn.values(rng, 50, 20_000, 0)
    low, high = MARGIN - 1, MARGIN + 1
    for _ in range(40):
        middle = (low + high) / 2
        is_under = np.clip(sample + middle, -clip, clip).mean() < MARGIN
        low, high = (middle, high) if is_under else (low, middle)
    return (low + high) / 2


def t_test(values: Floats, every: int) -> Floats:
    """p of "mean at or over the margin" (one-sided) after every so many recordings."""
    looks = np.arange(every, values.shape[-1] + 1, every)
    mean = np.cumsum(values, -1)[:, looks - 1] / looks
    square = np.cumsum(values**2, -1)[:, looks - 1] / looks
    deviation = np.sqrt(np.maximum(square - mean**2, 1e-12) * looks / np.maximum(looks - 1, 1))
    return stats.t.cdf((mean - MARGIN) / deviation * np.sqrt(looks), looks - 1)


class Speed(NamedTuple):
    """Recordings to a PASS: median and 90th percentile, by change and spread."""

    change: float
    sd: float
    median: float
    late: float
    one_look: int
    promised: int | None


def speed(change: float, sd: float, repeats: int, seed: int) -> Speed:
    """How soon ours passes cohorts of normal x, and how many a fixed-n test of 90 % power takes."""
    rng, n = np.random.default_rng(seed), 1_000
    design, found = Design(max(10.0, 4 * sd), sd), []
    for start in range(0, repeats, BATCH):
        values = rng.normal(change, sd, (min(BATCH, repeats - start), n))
        reached = Process(values, design).log_wealth(MARGIN, "below") >= LIMIT
        found.append(np.where(reached.any(-1), reached.argmax(-1) + 1, np.inf))
    firsts = np.concatenate(found)
    need = (stats.norm.ppf(0.95) + stats.norm.ppf(0.9)) ** 2 * sd**2 / (MARGIN - change) ** 2
    promised = PROMISED.get(sd) if change == 0 else None
    if (change, sd) == (0.5, 2.0):
        promised = PROMISED_AT_HALF
    return Speed(change, sd, float(np.median(firsts)), float(np.percentile(firsts, 90)),
                 int(np.ceil(need)), promised)  # fmt: skip


class Pace(NamedTuple):
    """Median recordings to a PASS of an equal candidate whose nights share an effect."""

    effect: float
    per_night: int
    ours: float
    not_measured: float
    one_a_night: float


def pace(effect: float, per_night: int, repeats: int, seed: int) -> Pace:
    """Ours with the effect declared, and not measured; and one value a night, their mean."""
    rng, nights = np.random.default_rng(seed), 100
    n, design = nights * per_night, Design(10.0, 2.0)
    night = np.arange(n) // per_night
    values = rng.normal(0, effect, (repeats, nights))[:, night] + rng.normal(0, 2, (repeats, n))
    means = values.reshape(repeats, nights, per_night).mean(-1)
    spread = float(np.hypot(effect, 2 / np.sqrt(per_night)))
    firsts = []
    for process, each in (
        (Process(values, design, _by_night(design, night, effect)), 1),
        (Process(values, design, _by_night(design, night, None)), 1),
        (Process(means, Design(10.0, spread)), per_night),
    ):
        reached = process.log_wealth(MARGIN, "below") >= LIMIT
        first = np.where(reached.any(-1), (reached.argmax(-1) + 1) * each, np.inf)
        firsts.append(float(np.median(first)))
    return Pace(effect, per_night, *firsts)


def _by_night(
    design: Design, night: NDArray[np.int64], effect: float | None
) -> tuple[Clusters, ...]:
    return clusters_of(rule_of(design, effect, None), night.tolist(), range(len(night)))


class Habit(NamedTuple):
    """What a rule says in 30 nights: ready of a candidate 2 pp worse, not ready of an equal one."""

    name: str
    ready_though_worse: int
    never_ready_though_equal: int
    repeats: int


def habits(repeats: int, seed: int) -> list[Habit]:
    """Rules of known tools, as they decide night by night whether a candidate may go on.

    d(L1, L2) is gamma with mean 3 pp and sd 2 pp; d(L, C) is that plus the change, with noise.
    """
    rng, nights = np.random.default_rng(seed), 30
    n = nights * PER_NIGHT
    ready: dict[str, list[int]] = {}
    for change in (2.0, 0.0):
        floor = rng.gamma(2.25, 4 / 3, (repeats, n))
        far = np.abs(rng.gamma(2.25, 4 / 3, (repeats, n)) + rng.normal(change, 0.5, (repeats, n)))
        x = rng.normal(change, 2.0, (repeats, n))
        own = Process(x, Design(10.0, 2.0)).log_wealth(MARGIN, "below").max(-1) >= LIMIT
        t = (t_test(x, PER_NIGHT) < ALPHA).any(-1)
        fixed = t_test(x[:, :FIXED_N], FIXED_N)[:, -1] < ALPHA
        by_night = np.stack([
            stats.mannwhitneyu(far[:, :k], floor[:, :k], axis=-1).pvalue > 0.02
            for k in range(PER_NIGHT, n + 1, PER_NIGHT)
        ])  # fmt: skip
        differing = (far > 0).mean(-1), (floor > 0).mean(-1)
        diffy = np.abs(differing[0] - differing[1]) <= 0.2 * np.maximum(*differing)
        for name, said in (
            ("ours, after every recording", own),
            ("t-test every night", t),
            (f"fixed n, one look at {FIXED_N}", fixed),
            ("Mann-Whitney every night, PASS unless significant (Kayenta)", by_night.any(0)),
            ("count of unequal fields within 20 % of the floor's (Diffy)", diffy),
        ):
            ready.setdefault(name, []).append(int(said.sum()))
    return [Habit(name, worse, repeats - equal, repeats) for name, (worse, equal) in ready.items()]


def share(count: int, of: int) -> str:
    """A rate in per cent with its exact interval."""
    bounds = stats.binomtest(count, of).proportion_ci(0.95, "exact")
    return f"{100 * count / of:.1f} ({100 * bounds.low:.1f}-{100 * bounds.high:.1f})"


def page(rows: Sequence[tuple[str, Sequence[Row]]], speeds: Sequence[Speed],
         paces: Sequence[Pace], found: Sequence[Habit], took_s: float) -> str:  # fmt: skip
    """All tables as Markdown."""
    lines = []
    for title, some in rows:
        lines += [
            f"## {title}", "",
            "| x | cohorts | false pass, ours | false fail, ours "
            "| false pass, shared effects not paid for | nightly t-test | fixed n |",
            "|---|--:|--:|--:|--:|--:|--:|",
        ]  # fmt: skip
        for row in some:
            counts = (row.false_pass, row.false_fail, row.unpaid, row.nightly_t, row.fixed_n)
            cells = " | ".join(share(count, row.repeats) for count in counts)
            lines.append(f"| {row.name} | {row.repeats} | {cells} |")
        lines.append("")
    lines += [
        "## Recordings to a PASS, looked at after every recording", "",
        "| true change | sd | median | 90th percentile | promised | fixed n, 90 % power |",
        "|--:|--:|--:|--:|--:|--:|",
    ]  # fmt: skip
    for one in speeds:
        promised = one.promised if one.promised is not None else "-"
        lines.append(f"| {one.change:g} pp | {one.sd:g} pp | {one.median:g} | {one.late:g} "
                     f"| {promised} | {one.one_look} |")  # fmt: skip
    lines += [
        "", "## Recordings to a PASS of an equal candidate, sd 2 pp, whose nights share an effect",
        "",
        "| effect | a night | ours | ours, effect not measured | one value a night |",
        "|--:|--:|--:|--:|--:|",
    ]  # fmt: skip
    for p in paces:
        lines.append(f"| {p.effect:g} pp | {p.per_night} | {p.ours:g} | {p.not_measured:g} "
                     f"| {p.one_a_night:g} |")  # fmt: skip
    lines += [
        "", "## What each rule says within 30 nights of ten recordings, sd 2 pp", "",
        "| rule | ready, of a candidate 2 pp worse | never ready, of an equal one |",
        "|---|--:|--:|",
    ]  # fmt: skip
    for habit in found:
        cells = (habit.ready_though_worse, habit.never_ready_though_equal)
        lines.append(
            f"| {habit.name} | " + " | ".join(share(c, habit.repeats) for c in cells) + " |"
        )
    return "\n".join([*lines, "", f"{took_s:.0f} s on two shared cores.", ""])


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables; 1 if ours breaks a promise."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="Fewer cohorts, half a minute.")
    parser.add_argument("--page", type=Path, help="Write the tables into it, below its text.")
    asked = parser.parse_args(argv)
    began = time.perf_counter()
    repeats, year_repeats = (300, 0) if asked.quick else (2_000, 1_000)
    kinds = KINDS[:: 3 if asked.quick else 1]
    rows = [
        ("At the margin, 400 recordings",
         [at_the_margin(kind, repeats, 400, seed=1_000 + i) for i, kind in enumerate(kinds)]),
    ]  # fmt: skip
    if year_repeats:
        rows.append(
            ("At the margin, every night of a year (3,650 recordings)",
             [at_the_margin(kind, year_repeats, 3_650, 2_000 + i, every=PER_NIGHT)
              for i, kind in enumerate(YEAR)])
        )  # fmt: skip
    wanted = [(0.0, sd) for sd in PROMISED] + [(0.5, 2.0), (-0.5, 2.0)]
    speeds = [speed(change, sd, 2_000, 3_000 + i) for i, (change, sd) in enumerate(wanted)]
    paces = [
        pace(effect, size, repeats // 5, 5_000 + i)
        for i, (effect, size) in enumerate([(0, 10), (0.3, 10), (1, 10), (0.3, 30), (1, 30)])
    ]
    found = habits(100 if asked.quick else 400, 4_000)
    text = page(rows, speeds, paces, found, time.perf_counter() - began)
    print(text)
    if asked.page:
        head = asked.page.read_text(encoding="utf-8").partition("## At the margin")[0]
        asked.page.write_text(head + text, encoding="utf-8")
    wrong = [row.name for _, some in rows for row in some if not row.is_bounded]
    late = [f"sd {s.sd:g}" for s in speeds if s.promised is not None and s.median > s.promised]
    for name in wrong + late:
        print(f"PROMISE BROKEN: {name}", file=sys.stderr)
    return 1 if wrong or late else 0


if __name__ == "__main__":
    sys.exit(main())
