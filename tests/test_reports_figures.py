"""The numbers behind the page's tables and drawings."""

from __future__ import annotations

import base64
import gzip
import json
import struct
from datetime import timedelta

import pytest

from fixtures.reports.nights import MIDNIGHT, night, recording, side
from reflector_migrate.model import (
    Check,
    Engine,
    Finding,
    Gist,
    Measure,
    Role,
    Side,
    StepRun,
    Verdict,
    gist_of,
)
from reflector_migrate.model.finding_groups import wildcarded
from reports import costs, differences, figures, medians, outcomes, spread, trend
from reports.document import Coverage, TrendPoint
from reports.pack import columns, packed
from reports.picks import picks, worst
from reports.rows import check_names, rows


@pytest.mark.parametrize(
    ("share", "shown"),
    [(None, "-"), (0.0, "0.00%"), (1.0, "100.00%"), (1e-9, "<0.01%"), (0.999999, ">99.99%"),
     (0.0298, "2.98%")],
)  # fmt: skip
def test_no_rate_is_rounded_to_a_bound(share, shown):
    """What is above nothing and below all never reads so."""
    assert figures.percent(share) == shown


@pytest.mark.parametrize(
    ("coverage", "missing", "share"),
    [
        (Coverage(0, 0), 0, None),
        (Coverage(10, 10), 0, 1.0),
        (Coverage(10, 4, {"rooms": 2}, {"lost": 1}), 3, 0.5),
        (Coverage(3, 0, {"rooms": 3}), 0, None),
    ],
)
def test_coverage_accounts_for_every_recording(coverage, missing, share):
    """Skipped on purpose is not wanted; failed is wanted and accounted for; the rest is missing."""
    assert (coverage.missing, coverage.share) == (missing, share)


def graded(errors: float, length: float = 10_000, limit: float | None = 0.02) -> Check:
    """A graded check of that divergence."""
    measure = Measure(name="words", kind="graded", errors=errors, length=length)
    floor = None if limit is None else limit / 2
    return Check(name="words", verdict=Verdict.MATCHED, rule="x", measure=measure, limit=limit,
                 floor=floor, n=40)  # fmt: skip


def with_checks(*checks: Check):
    """A recording with these checks only."""
    return night(1).comparisons[0].model_copy(update={"checks": checks})


def gists(told) -> tuple[Gist, ...]:
    """What a night counts of them."""
    return tuple(map(gist_of, told))


def test_spread_puts_each_value_under_its_edge():
    """Equal alone, then up to and including each edge; what has no length is left out."""
    values = (0, 1, 10, 11, 100, 200, 201, 10_000)
    told = [with_checks(graded(value)) for value in values] + [with_checks(graded(0, 0))]
    (found,) = spread.spreads(gists(told))
    assert found.bins == (1, 2, 1, 0, 1, 1, 1, 0, 0, 0, 1)
    assert (found.n, found.over, found.largest) == (8, 2, 1.0)
    assert "2 of 8 over the limit of 2.00%" in found.chart.label
    assert _drawn(found) == {"bar": 6, "bar over": 2}


def test_a_caption_counts_what_its_bars_show():
    """Each stratum has its own limit, and one has none: caption, label and red bars agree."""
    told = [with_checks(graded(errors, limit=limit)) for errors, limit in (
        (300, 0.02), (300, 0.05), (600, 0.05), (10_000, None), (0, 0.02))]  # fmt: skip
    (found,) = spread.spreads(gists(told))
    assert found.conclusion == (
        "2 of 5 over their stratum's limit (2.00% to 5.00%); 1 without a limit"
    )
    assert found.chart.label.endswith(found.conclusion)
    assert _drawn(found) == {"bar": 2, "bar over": 2, "bar open": 1}


def _drawn(found: spread.Spread) -> dict[str, int]:
    """How many comparisons the bars of each colour stand for, by their tooltips."""
    drawn: dict[str, int] = {}
    for shape in found.chart.shapes:
        if shape.form == "rect" and shape.look.startswith("bar"):
            drawn[shape.look] = drawn.get(shape.look, 0) + int(shape.text.split()[2])
    return drawn


def test_spread_without_floor_draws_no_band():
    """No A/A floor, no band and no limit: and the label says so."""
    (found,) = spread.spreads(gists([with_checks(graded(5, limit=None))]))
    assert {shape.look for shape in found.chart.shapes} == {"bar open", "tick mid", "axis"}
    assert found.chart.label.endswith("no limit yet, 1 comparison")


def test_trend_shows_the_night_that_is_not_there():
    """A night without any comparison stands empty between its neighbours."""
    points = [TrendPoint("2026-11-20", {"MATCHED": 3}), TrendPoint("2026-11-22", {"DIVERGED": 1})]
    found = trend.trend(points)
    assert found is not None
    assert [point.night for point in found.points] == ["2026-11-20", "2026-11-21", "2026-11-22"]
    texts = [shape.text for shape in found.chart.shapes]
    assert {"none", "0 %", "50 %", "100 %"} <= {*texts}
    assert "comparisons diverged" in found.chart.label, "a night may compare a recording twice"
    assert trend.trend(points[:1]) is None, "a single night is not a trend"


def test_trend_keeps_thirty_nights():
    """The last thirty days, whatever came before."""
    days = [(MIDNIGHT - timedelta(days=n)).date().isoformat() for n in range(45)]
    found = trend.trend([TrendPoint(day, {"MATCHED": 1}) for day in days])
    assert found is not None
    assert len(found.points) == 30
    assert found.points[-1].night == days[0]


def test_medians_are_per_step_and_from_the_run_s_own_start():
    """Three paces: the middle one's times; queue and run apart."""
    told = [
        night(1).comparisons[0].model_copy(update={
            "primary": side(Role.PRIMARY, Engine.CELERY, "completed", pace),
            "candidate": side(Role.CANDIDATE, Engine.CONDUCTOR, "completed", pace)})
        for pace in (0, 2, 4)
    ]  # fmt: skip
    found = medians.medians(told, len(told))
    assert found is not None
    lane = next(lane for lane in found.lanes if lane.step == "transcribe_track")
    assert lane.primary is not None
    assert lane.primary.wait_s == pytest.approx(4.0)
    assert lane.primary.run_s == pytest.approx(70 * 1.5)
    assert lane.ratio == pytest.approx(0.8)
    assert (found.looked_at, found.total) == (3, 3)


def test_unknown_times_are_not_drawn():
    """A step whose times are of unknown origin has no lane."""
    step = StepRun(name="pad_track", started=MIDNIGHT, ended=MIDNIGHT, timed="unknown")
    bare = Side(role=Role.PRIMARY, engine=Engine.CELERY, steps=(step,))
    told = night(1).comparisons[0].model_copy(update={"primary": bare, "candidate": bare})
    assert medians.medians([told], 1) is None


def test_totals_are_of_the_pairs_with_both_prices():
    """Totals of different sets side by side would read as a difference of price."""
    free = Side(role=Role.PRIMARY, engine=Engine.CELERY)
    priced = Side(role=Role.CANDIDATE, engine=Engine.CONDUCTOR, cost_microdollars=500)
    only_one = night(1).comparisons[0].model_copy(update={"primary": free, "candidate": priced})
    both = only_one.model_copy(update={"primary": priced.model_copy(update={
        "engine": Engine.CELERY, "cost_microdollars": 2_851_594_000})})  # fmt: skip
    found = costs.costs(gists([only_one, both]))
    assert found is not None
    assert [(b.pairs, b.unpriced, b.known) for b in found.bills] == [
        (1, 1, 2_851_594_000), (1, 0, 500),
    ]  # fmt: skip
    assert found.chart is not None
    label = "1 pair with a price on both sides: celery: $2\u00a0851.59; conductor: $0.0005"
    assert found.chart.label == label
    none = costs.costs(gists([only_one]))
    assert none is not None
    assert none.chart is None


def test_bytes_and_ratios_are_read_at_a_glance():
    """Units instead of eight digits, a times sign, and no ratio of hundredths of a second."""
    assert [figures.size(n) for n in (512, 2048, 70_338_976)] == ["512 B", "2.0 KiB", "67.1 MiB"]
    assert [figures.ratio(r) for r in (1.476, 14.76, None)] == ["×1.48", "×14.8", "-"]
    short, long = medians.Span(0.0, 0.0, 0.04), medians.Span(0.0, 0.0, 0.6)
    assert medians.Lane("finalize", short, long).ratio is None
    assert medians.Lane("finalize", long, short).ratio == pytest.approx(0.04 / 0.6)


@pytest.mark.parametrize(
    ("longest_s", "shown"),
    [
        (19.3, ["0", "5s", "10s", "15s"]),
        (2.4, ["0", "0.5s", "1s", "1.5s", "2s"]),
        (270, ["0", "1m", "2m", "3m", "4m"]),
        (9000, ["0", "30m", "1h", "90m", "2h", "150m"]),
    ],
)
def test_an_axis_has_round_times(longest_s, shown):
    """Not quarters of the longest run."""
    assert [figures.tick(at) for at in figures.ticks(longest_s)] == shown


def test_medians_are_of_runs_that_both_sides_completed():
    """Medians over different sets would put a step before the one it follows."""
    whole = night(1).comparisons[0].model_copy(update={
        "primary": side(Role.PRIMARY, Engine.CELERY, "completed", 0),
        "candidate": side(Role.CANDIDATE, Engine.CONDUCTOR, "completed", 0)})  # fmt: skip
    failed = whole.model_copy(
        update={"candidate": side(Role.CANDIDATE, Engine.CONDUCTOR, "failed", 5)}
    )
    found = medians.medians([whole, failed, failed], 3)
    assert found is not None
    assert (found.looked_at, found.total) == (1, 3)
    assert found.lanes == medians.lanes_of(whole)


def test_like_differences_meet_in_one_group():
    """Numbers and ids in a path are wildcarded; a recording counts once; waived ones come last."""

    def finding(path: str, **more) -> Finding:
        return Finding(path=path, step="detect_topics", **more)

    def exact(*found: Finding) -> Check:
        measure = Measure(name="row", kind="exact", errors=1, length=1, findings=found)
        return Check(name="row", verdict=Verdict.DIVERGED, rule="exact", measure=measure)

    told = [
        with_checks(exact(finding("row/topics/3/title", reference="a", hypothesis="b"),
                          finding("row/topics/12/title"), finding("row/x", waiver="w (me)"))),
        with_checks(exact(finding("row/topics/7/title"))).model_copy(update={"recording": "other"}),
    ]  # fmt: skip
    members = differences.members(gists(told))
    first, last = differences.groups(members)
    assert (first.path, first.recordings, first.findings) == ("row/topics/*/title", 2, 3)
    assert first.example == "a → b"
    assert (last.path, last.waived) == ("row/x", 1)
    assert [(w.label, w.hits) for w in differences.waivers(members)] == [("w (me)", 1)]


@pytest.mark.parametrize(
    ("path", "group"),
    [
        ("speaker_mapping/11", "speaker_mapping/*"),
        ("participants/p0#2/name", "participants/*/name"),
        ("participants/track 3/name", "participants/*/name"),
        ("side_effects/s3_put/padded_2.webm/size", "side_effects/s3_put/*/size"),
        ("side_effects/s3_put/audio.mp3", "side_effects/s3_put/audio.mp3"),
        ("events/stored/STATUS:ended", "events/stored/STATUS:ended"),
        ("row/0b5c1f2e-7d1a-4c58-9a51-3f6f5f0f3f10", "row/*"),
    ],
)
def test_paths_of_a_kind_meet_across_recordings(path, group):
    """What differs from recording to recording is wildcarded, what says the kind is not."""
    assert wildcarded(path) == group


def test_matrix_counts_each_recording_once():
    """All cells together are all recordings; a run still going is missing."""
    told = night(400).comparisons
    cells = [cell for row in outcomes.matrix(gists(told)) for cell in row]
    assert sum(cell.recordings for cell in cells) == 400
    still = sum(c.candidate.status == "running" for c in told)
    assert sum(cell.recordings for cell in cells if cell.candidate == "missing") == still > 0


def test_picks_are_the_worst_first_and_the_same_again():
    """Diverged before inconclusive; another night draws other matches, the same night the same."""
    told = night(600).gists
    found = rows(told, check_names(told))
    order = [list(Verdict).index(found[place].verdict) for place in worst(found)]
    assert order == sorted(order)
    assert picks(found, "2026-11-23") == picks(found, "2026-11-23") != picks(found, "2026-11-24")


def test_packed_columns_come_back_as_they_were():
    """None, small rates, and money that 32 bits cannot hold survive the packing."""
    told = night(3).gists
    (first, second, third) = rows(told, check_names(told))
    odd = (first._replace(words=1e-9, tracks=None, primary_cost=2**40),
           second._replace(words=None, duration_s=None), third._replace(words=0.0))  # fmt: skip
    raw = gzip.decompress(base64.b64decode(packed(*columns(odd, check_names(told)))))
    end = 8 + int(raw[:8])
    texts = json.loads(raw[8:end])
    values = dict(zip(texts["numbers"], struct.iter_unpack("<3i", raw[end:]), strict=True))
    none = -(2**31)
    assert values["words"] == (1, none, 0)
    assert values["tracks"][0] == values["length"][1] == none
    assert values["primary_cost"][0] == 2**31 - 1
    assert texts["recording"] == [row.recording for row in odd]


def test_a_seeded_night_is_the_same_night():
    """The generator gives equal nights, so that equal bytes mean something."""
    import random

    assert recording(3, random.Random(1)) == recording(3, random.Random(1))
