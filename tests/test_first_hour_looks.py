"""Visual faults that a new user found on the nightly page, looked at in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from bench.pictures import PICTURES, SHOWN, VIEW, open_worst, texts
from fixtures.reports.nights import night
from reflector_migrate.cli.outputs import page_of
from reports.document import Night
from reports.page import render_page
from tests.chromium import FIRST, Watched, browser, saved
from tests.shown_demo import demo

__all__ = ["browser"]  # the fixture

pytestmark = pytest.mark.heavy

NOTE = "2 A/A pairs of 20 in tracks:2-4 language:en length:short silence:little"


def whole() -> Night:
    """A night of 60; one reason stands at every check of each."""
    found = night(60)
    noted = [
        c.model_copy(
            update={"checks": tuple(k.model_copy(update={"note": NOTE}) for k in c.checks)}
        )
        for c in found.comparisons
    ]
    return replace(found, comparisons=tuple(noted))


def _opened(browser: Browser, folder: Path, width: int) -> Iterator[Page]:
    with Watched(browser, viewport={"width": width, "height": 900}) as watched:
        yield watched.open(saved(folder, f"night-{width}", render_page(whole())))


@pytest.fixture(scope="module")
def wide(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page on a desk: one opening for all tests, none of which changes it."""
    yield from _opened(browser, tmp_path_factory.mktemp("wide"), 1200)


@pytest.fixture(scope="module")
def narrow(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page on a telephone."""
    yield from _opened(browser, tmp_path_factory.mktemp("narrow"), 390)


@pytest.fixture
def drawer(wide: Page) -> Iterator[Page]:
    """The first recording's drawer, open."""
    wide.click(f"{FIRST} a")
    wide.wait_for_selector("dialog[open] .checks")
    yield wide
    wide.keyboard.press("Escape")


def test_a_row_is_two_lines_high_at_most(wide: Page, narrow: Page) -> None:
    """Visual 1: the id on one line, the title below it, cut with its whole text at hand."""
    for page in (wide, narrow):
        heights = page.eval_on_selector_all(
            "#table tbody tr", "rows => rows.map(row => row.getBoundingClientRect().height)"
        )
        assert max(heights) < 50
    shown = wide.locator("#table .title").first
    assert shown.get_attribute("title") == shown.inner_text()
    assert wide.evaluate("document.documentElement.scrollWidth") <= 1200


def test_medians_follow_one_another(wide: Page) -> None:
    """Visual 3: no step of a sequence begins before the one that it follows; round ticks."""
    begins = wide.evaluate("""() => {
        const svg = document.querySelector('section svg.waterfall'), found = {};
        const names = [...svg.querySelectorAll('text.name')];
        for (const bar of svg.querySelectorAll('rect.primary')) {
            const y = +bar.getAttribute('y');
            const name = names.filter(n => +n.getAttribute('y') >= y).at(0).textContent;
            found[name] = Math.min(found[name] ?? 1e9, +bar.getAttribute('x'));
        }
        return found;
    }""")
    order = ["merge_transcripts", "detect_topics", "generate_title", "finalize", "cleanup_consent"]
    assert sorted(order, key=begins.__getitem__) == order
    ticks = wide.locator("section svg.waterfall .tick").all_text_contents()
    assert ticks == ["0", "1m", "2m", "3m", "4m"]


def test_ratios_have_a_sign_and_none_is_of_hundredths_of_a_second(wide: Page) -> None:
    """Visual 4: `x0.80`, or nothing where a step takes no time to speak of."""
    cells = wide.locator("section .lanes tbody td:last-child").all_inner_texts()
    assert len(cells) == 14
    assert all(cell == "-" or cell.startswith("×") for cell in cells)


def test_small_charts_fill_their_rows_and_count_their_bars(wide: Page) -> None:
    """Visual 6: nine charts in rows of three, a number on each bar, labels of 11 px and more."""
    places = wide.eval_on_selector_all(
        ".multiples figure", "all => all.map(one => Math.round(one.getBoundingClientRect().top))"
    )
    assert [places.count(top) for top in dict.fromkeys(places)] == [3, 3, 3]
    charts = wide.evaluate("""() => [...document.querySelectorAll('.multiples figure')].map(one => {
        const sum = (look) => [...one.querySelectorAll(look + ' title')]
            .reduce((n, title) => n + parseInt(title.textContent.split(': ')[1]), 0);
        const size = parseFloat(getComputedStyle(one.querySelector('.tick')).fontSize);
        return [one.querySelector('figcaption').textContent, sum('.over'), sum('.bar'), size];
    })""")
    for caption, over, total, size in charts:
        assert f" {over} of {total} over the limit" in caption
        assert size >= 11


def test_every_colour_of_the_trend_is_in_its_legend(wide: Page) -> None:
    """Visual 7: each fill has a swatch of its own, no two are alike, and there is an axis."""
    fills, swatches = wide.evaluate("""() => {
        const section = document.querySelector('svg.trend').closest('section');
        const looks = [...new Set([...section.querySelectorAll('rect')]
            .map(one => one.getAttribute('class')).filter(look => look.startsWith('v-')))];
        const colour = (look) => getComputedStyle(section.querySelector('rect.' + look)).fill;
        const swatch = (look) => {
            const found = section.querySelector('.sw-' + look);
            return found ? getComputedStyle(found).backgroundColor : null;
        };
        return [looks.map(colour), looks.map(swatch)];
    }""")
    assert len(fills) >= 4
    assert fills == swatches
    assert len(set(fills)) == len(fills)
    assert {"0 %", "50 %", "100 %"} <= {*wide.locator("svg.trend .tick").all_text_contents()}


def test_money_is_of_pairs_and_rounded(wide: Page) -> None:
    """Visual 8 and 9: totals of the same comparisons, two decimals, and a sample said plainly."""
    key = wide.locator("#costs ~ .key").inner_text()
    assert "comparisons with a price on both sides" in key
    cells = wide.locator("#costs ~ .scroll tbody tr:first-child td").all_inner_texts()
    assert [cell.partition(".")[2] for cell in cells] == [cell[-2:] for cell in cells]
    said = wide.locator("#waterfall ~ .key").inner_text()
    assert "comparisons: a sample of those that both sides completed." in said


def test_a_reason_has_the_width_of_the_table_and_is_given_once(drawer: Page) -> None:
    """Visual 10: not 240 px beside 600 px of nothing, nor the same words in each of eight rows."""
    table, reasons = drawer.evaluate("""() => [
        document.querySelector('#drawer-body .checks').getBoundingClientRect().width,
        [...document.querySelectorAll('#drawer-body td.why')].map(one => [
            one.getBoundingClientRect().width, one.innerText])]""")
    assert all(width == table for width, _ in reasons)
    assert sum(NOTE in said for _, said in reasons) == 1
    assert sum("as for " in said for _, said in reasons) == len(reasons) - 1


def test_checks_on_a_telephone_have_no_blank_boxes(narrow: Page) -> None:
    """Visual 11: numbers are one line, and reasons stand in sight without scrolling sideways."""
    narrow.click(f"{FIRST} a")
    narrow.wait_for_selector("dialog[open] .checks")
    rows, reasons, heads = narrow.evaluate("""() => {
        const of = (look) => [...document.querySelectorAll('#drawer-body .checks ' + look)];
        return [
            of('tbody tr:has(th)').map(row => row.getBoundingClientRect().height),
            of('td.why div').map(one => one.getBoundingClientRect().right),
            of('thead th').map(head => head.getBoundingClientRect().height)];
    }""")
    narrow.keyboard.press("Escape")
    assert max(rows) < 35
    assert max(reasons) <= 390
    assert max(heads) < 35


def test_differences_are_counted_in_sight_and_paths_break_nowhere(wide: Page) -> None:
    """Visual 12: count and example are on the screen, and a path is one piece."""
    right, pieces = wide.evaluate("""() => [
        Math.max(...[...document.querySelectorAll('.different td')]
            .map(cell => cell.getBoundingClientRect().right)),
        Math.max(...[...document.querySelectorAll('.different code')]
            .map(code => code.getClientRects().length))]""")
    assert right <= 1200
    assert pieces == 1


def test_a_drawers_waterfall_is_whole(drawer: Page) -> None:
    """Visual 13: it ends inside the drawer, its last tick behind its last bar's start."""
    right, edge, size = drawer.evaluate("""() => {
        const svg = document.querySelector('#drawer-body svg.waterfall');
        const size = parseFloat(getComputedStyle(svg.querySelector('.tick')).fontSize);
        return [svg.getBoundingClientRect().right, innerWidth,
                size * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width];
    }""")
    assert right <= edge
    assert size >= 10.5


def test_paper_has_no_forced_breaks_and_no_unfolded_tables(
    browser: Browser, tmp_path: Path
) -> None:
    """Visual 14: sections follow each other, and what is folded on the screen stays away."""
    with Watched(browser) as watched:
        page = watched.open(saved(tmp_path, "paper", render_page(night(30))))
        page.emulate_media(media="print")
        breaks = page.eval_on_selector_all(
            "section, h2", "all => all.map(one => getComputedStyle(one).breakBefore)"
        )
        assert {*breaks} == {"auto"}
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator("figure details[open]").count() == 0
        assert not page.locator("figure details").first.is_visible()


def test_the_verdict_comes_before_versions_and_says_nothing_empty(wide: Page) -> None:
    """Visual 17 and 19: builds and rules below it; earlier nights, contents and shares beside."""
    verdict, facts = (wide.locator(look).first.bounding_box() for look in (".verdict", ".facts"))
    assert verdict
    assert facts
    assert verdict["y"] + verdict["height"] <= facts["y"]
    said = wide.locator("header dl.facts div").all_inner_texts()
    assert all(one.split("\n")[-1].strip() not in ("-", "0", "") for one in said)
    assert wide.locator('a[rel="prev"]').inner_text() == "← 2026-11-22"
    assert "%" in wide.locator(".tile").nth(1).inner_text()
    assert "DIVERGED" in wide.title()


def test_excess_has_a_tooltip_where_reasons_stand(drawer: Page) -> None:
    """A reader of `excess -1.16 pp` need not leave the drawer."""
    titles = drawer.eval_on_selector_all(
        "#drawer-body abbr", "all => all.map(one => one.title.split(':')[0])"
    )
    assert {"excess (x)", "pp", "floor", "limit"} <= {*titles}


@pytest.mark.parametrize("picture", SHOWN)
def test_a_picture_shows_what_the_page_shows_today(
    browser: Browser, tmp_path: Path, picture: str
) -> None:
    """S2.15: the same comparisons give the words of the README's picture, or it is taken again."""
    taken = json.loads((PICTURES / "taken.json").read_text(encoding="utf-8"))
    address = saved(tmp_path, "demo", page_of([demo().sound, demo().flawed]))
    with Watched(browser, viewport=VIEW) as watched:
        page = watched.open(address)
        if picture == "recording.png":
            open_worst(page)
        assert texts(page, SHOWN[picture]) == taken[picture]["texts"]
