"""Whether more knowledge of a recording decides sooner: A/A distance, stratum, second candidate.

    python -m bench.bench_variates [--quick] [--page docs/results/variates.md]

Each recording has four runs with errors of their own: legacy L1 and L2, candidate C1 and C2, as in
gating without overlap: d(A, B) is the errors of A plus those of B. So the excess x is the errors of
C1 less the mean of those of L1 and L2. Every way of deciding sees the same cohorts, drawn from
fixed seeds, and is looked at after every recording to n = 400. At the margin (a true mean change
of exactly 1 pp over all recordings) any PASS is wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.bench_gates import ALPHA, BATCH, LIMIT, MARGIN, Floats, share
from reflector_migrate.judge.gates.eprocess import Design, Process

N, CLIP_SDS = 400, 4
SHAPE = 4.0
"""Of the gamma distribution of a run's errors: right-skewed, never under 0."""
PRIOR = (30, 400)
"""A/A pairs of before the candidate: what the checklist asks for, and what a year may give."""
FLOOR_ALPHA = 0.01


class Kind(NamedTuple):
    """How noise and change lie over the recordings; each belongs to a noisy or a quiet stratum.

    noisy: how many times as many errors the noisy half makes. grown: how many times the errors
    of both engines are those of when the A/A pairs were taken. in_noisy: the whole change sits in
    the noisy half.
    """

    name: str
    noisy: float = 1.0
    grown: float = 1.0
    in_noisy: bool = False


KINDS = (
    Kind("all recordings alike"),
    Kind("half of them five times as noisy", noisy=5.0),
    Kind("a quarter less noise since the A/A pairs", grown=0.75),
    Kind("the change sits in the noisy half", noisy=5.0, in_noisy=True),
)


class Cohorts(NamedTuple):
    """Errors of each run, in pp, by cohort and recording; and what was known beforehand."""

    legacy: tuple[Floats, Floats]
    candidate: tuple[Floats, Floats]
    own_sd: Floats
    sd: float
    prior: Mapping[int, Floats]
    prior_sd: float


class Ways(NamedTuple):
    """Of one way: the values, their design, and the sd expected of each where bets follow it."""

    values: Floats
    design: Design
    own_sd: Floats | None = None
    alpha: float = ALPHA


class ByStratum(Process):
    """Bets by the spread that each recording's stratum is known to have."""

    def __init__(self, values: Floats, design: Design, own_sd: Floats) -> None:
        """`own_sd` has a value for each recording, or for each of each cohort."""
        self._own = own_sd**2
        super().__init__(values, design)

    def _designed(self, margin: float, sign: float, largest: float) -> Floats:
        gain = sign * margin
        bets: Floats = np.clip(gain / (self._own + gain**2), 0.0, largest)
        return np.broadcast_to(bets, self._values.shape)


def drawn(kind: Kind, sd: float, change: float, size: int, rng: np.random.Generator) -> Cohorts:
    """Cohorts whose x has that spread when nothing changed, with that mean change."""
    is_noisy = rng.random((size, N)) < 0.5
    level = np.where(is_noisy, kind.noisy, 1.0)
    scale = sd / np.sqrt(1.5 * np.mean([kind.noisy**2, 1.0]) / SHAPE)
    level = level * scale

    def run(of: Floats, grown: float = 1.0) -> Floats:
        return rng.gamma(SHAPE, 1 / SHAPE, of.shape) * of * grown

    placed = np.where(is_noisy, 2.0 * change, 0.0) if kind.in_noisy else change
    legacy = run(level, kind.grown), run(level, kind.grown)
    candidate = run(level, kind.grown) + placed, run(level, kind.grown) + placed
    prior = {}
    for pairs in PRIOR:
        earlier = np.where(rng.random((size, pairs)) < 0.5, kind.noisy, 1.0) * scale
        prior[pairs] = (run(earlier) + run(earlier)).mean(-1, keepdims=True)
    mean_level = scale * (kind.noisy + 1) / 2
    var_level = scale**2 * (kind.noisy**2 + 1) / 2 - mean_level**2
    pair_sd = float(np.sqrt(2 * scale**2 * (kind.noisy**2 + 1) / 2 / SHAPE + 4 * var_level))
    return Cohorts(legacy, candidate, level * np.sqrt(1.5 / SHAPE), sd, prior, pair_sd)


def plain(of: Cohorts) -> Ways:
    """x as the gates take it."""
    first, second = of.legacy
    return Ways(of.candidate[0] - (first + second) / 2, _design(of.sd))


def two_candidates(of: Cohorts) -> Ways:
    """The mean x of two candidate runs: a third less variance where runs are independent."""
    first, second = of.legacy
    values = sum(of.candidate) / 2 - (first + second) / 2
    return Ways(values, _design(of.sd * np.sqrt(1 / 1.5)))


def by_stratum(of: Cohorts) -> Ways:
    """x, and bets by the spread of the recording's stratum."""
    return plain(of)._replace(own_sd=of.own_sd)


def variate(pairs: int, *, is_paid: bool) -> Callable[[Cohorts], Ways]:
    """x less what its A/A distance explains, beside the mean of so many A/A pairs of before.

    Paid: that mean is replaced by its lower confidence bound, at a fifth of alpha, so that an
    A/A mean that is estimated too high does not pass a candidate.
    """

    def way(of: Cohorts) -> Ways:
        values = plain(of).values
        distance = of.legacy[0] + of.legacy[1]
        slope, rest = _explained(of)
        error = of.prior_sd / np.sqrt(pairs)
        known = of.prior[pairs] - (2.326 * error if is_paid else 0.0)
        alpha = ALPHA - FLOOR_ALPHA if is_paid else ALPHA
        return Ways(values + slope * (distance - known), _design(rest), None, alpha)

    return way


def floor(pairs: int) -> Callable[[Cohorts], Ways]:
    """No second legacy run: d(L1, C) less a lower bound of the mean of so many A/A pairs."""

    def way(of: Cohorts) -> Ways:
        known = of.prior[pairs] - 2.326 * of.prior_sd / np.sqrt(pairs)
        values = of.legacy[0] + of.candidate[0] - known
        return Ways(values, _design(of.prior_sd), None, ALPHA - FLOOR_ALPHA)

    return way


def _explained(of: Cohorts) -> tuple[float, float]:
    """How x falls with the A/A distance, and the spread that is left: both known from A/A."""
    own, pair = of.sd**2, of.prior_sd**2
    slope = (own / 1.5) / pair
    return slope, float(np.sqrt(own - slope**2 * pair))


def _design(sd: float) -> Design:
    return Design(max(10.0, CLIP_SDS * sd), sd)


WAYS: Mapping[str, Callable[[Cohorts], Ways]] = {
    "x (as shipped)": plain,
    "two candidate runs": two_candidates,
    "bets by stratum": by_stratum,
    **{
        f"A/A distance, {pairs} pairs{', paid' if is_paid else ''}": variate(pairs, is_paid=is_paid)
        for pairs in PRIOR
        for is_paid in (False, True)
    },
    **{f"floor of {pairs} pairs": floor(pairs) for pairs in PRIOR},
}


def firsts(way: Callable[[Cohorts], Ways], cohorts: Cohorts) -> Floats:
    """After how many recordings each cohort passed; infinity where it never did."""
    found = way(cohorts)
    process = (
        Process(found.values, found.design)
        if found.own_sd is None
        else ByStratum(found.values, found.design, found.own_sd)
    )
    reached = process.log_wealth(MARGIN, "below") >= LIMIT + np.log(ALPHA / found.alpha)
    return np.where(reached.any(-1), reached.argmax(-1) + 1.0, np.inf)


def measured(kind: Kind, sd: float, change: float, repeats: int, seed: int) -> dict[str, Floats]:
    """Each way's recordings to a PASS, in the same cohorts."""
    rng = np.random.default_rng(seed)
    found: dict[str, list[Floats]] = {name: [] for name in WAYS}
    for start in range(0, repeats, BATCH):
        cohorts = drawn(kind, sd, change, min(BATCH, repeats - start), rng)
        for name, way in WAYS.items():
            found[name].append(firsts(way, cohorts))
    return {name: np.concatenate(some) for name, some in found.items()}


def page(repeats: int) -> str:
    """Both tables as Markdown: wrong passes at the margin, and recordings to a PASS."""
    lines = ["## A PASS at the margin, in per cent, with exact 95 % intervals", "", *_head()]
    kinds = [(kind, sd) for kind in KINDS for sd in (2.0, 5.0)]
    for seed, (kind, sd) in enumerate(kinds, start=10):
        found = measured(kind, sd, MARGIN, repeats, seed)
        cells = (share(int(np.isfinite(found[name]).sum()), repeats) for name in WAYS)
        lines.append(f"| {kind.name}, sd {sd:g} | {' | '.join(cells)} |")
    lines += ["", "## Recordings to a PASS of an equal candidate, median / 90th percentile", ""]
    lines += _head()
    for seed, (kind, sd) in enumerate(kinds[:-2], start=30):  # the last kind places a change
        found = measured(kind, sd, 0.0, repeats, seed)
        cells = (" / ".join(_late(found[name], at) for at in (50, 90)) for name in WAYS)
        lines.append(f"| {kind.name}, sd {sd:g} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"{repeats} cohorts in each cell; - is never within {N}.", ""])


def _late(passed_at: Floats, percentile: int) -> str:
    found = float(np.percentile(passed_at, percentile, method="higher"))
    return f"{found:.0f}" if np.isfinite(found) else "-"


def _head() -> list[str]:
    return [f"| | {' | '.join(WAYS)} |", f"|---|{'--:|' * len(WAYS)}"]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables, and write them below a page's text."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="300 cohorts in place of 2,000.")
    parser.add_argument("--page", type=Path, help="Write the tables into it, below its text.")
    asked = parser.parse_args(argv)
    text = page(300 if asked.quick else 2_000)
    print(text)
    if asked.page:
        head = asked.page.read_text(encoding="utf-8").partition("## A PASS")[0]
        asked.page.write_text(head + text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
