"""Faults that a new user found on the nightly page, each as the reader met it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import expect

from fixtures.reports.nights import NIGHT, night
from reflector_migrate.model import Comparison, Verdict
from reports.document import Coverage, Night
from reports.page import render_page
from reports.rows import check_names, rows
from reports.sentences import sentences as _sentences
from reports.words import WORDS
from tests.chromium import Watched, browser, saved

__all__ = ["browser"]  # the fixture

ROOT = Path(__file__).parents[1]


def twice() -> Night:
    """A night of 60 comparisons of 20 recordings: each was compared three times."""
    found = night(60).comparisons
    names = [c.model_copy(update={"recording": f"rec_{n % 20:06}"}) for n, c in enumerate(found)]
    return Night(NIGHT, "x", Coverage(60, 60), tuple(names), is_redacted=False)


def sentences(found: Night) -> str:
    """The verdict's sentences, one behind the other."""
    names = check_names(found.gists)
    return " ".join(_sentences(found, rows(found.gists, names), names))


@pytest.mark.heavy
def test_a_row_opens_its_own_comparison(browser, tmp_path) -> None:
    """S1.1: of a recording that was compared three times, each row opens what it shows."""
    with Watched(browser) as watched:
        page = watched.open(saved(tmp_path, "twice", render_page(twice())))
        wrong = page.evaluate("""async () => {
            const wrong = [];
            for (const row of document.querySelectorAll('#table tbody tr')) {
                const state = () => document.querySelector('#drawer-body .state');
                document.getElementById('drawer-body').replaceChildren();
                row.querySelector('th a').click();
                const wait = ms => new Promise(done => setTimeout(done, ms));
                for (let n = 0; n < 2000 && !state(); n++) await wait(10);
                const shown = state().textContent;
                const nth = document.getElementById('drawer-nth').textContent;
                const cells = [...row.cells].map(cell => cell.textContent);
                if (shown !== cells[0] || !nth.endsWith(cells[2])) wrong.push([cells[0], shown]);
                document.getElementById('drawer').close();
                const isOpen = () => location.hash.includes('r=');
                for (let n = 0; n < 2000 && (n < 2 || isOpen()); n++) await wait(10);
            }
            return wrong;
        }""")
        assert wrong == []
        again = watched.context.new_page()
        page.click("#table tbody tr:nth-child(2) a")
        expect(page.locator("dialog")).to_be_visible()
        opened = page.inner_text("#drawer-body .lead")
        again.goto(page.url)
        expect(again.locator("#drawer-body .lead")).to_have_text(opened)


@pytest.mark.heavy
def test_one_example_opens_the_comparison_it_is_of(browser, tmp_path) -> None:
    """S1.1: the links under \"What is different\" name one comparison, not a recording."""
    found = twice()
    page = render_page(found)
    runs = {c.run_id: c for c in found.comparisons}
    links = re.findall(r'href="#r=(run-\d+)">(rec_\d+)<', page)
    assert links
    assert all(runs[run].recording == recording for run, recording in links)
    assert {runs[run].verdict for run, _ in links} & {Verdict.DIVERGED, Verdict.WAIVED}
    with Watched(browser) as watched:
        opened = watched.open(saved(tmp_path, "links", page))
        opened.click(f'a[href="#r={links[0][0]}"]')
        expect(opened.locator("#drawer-id")).to_have_text(links[0][1])


def test_comparisons_are_not_counted_as_recordings() -> None:
    """S1.10: 60 comparisons of 20 recordings are said to be that."""
    said = sentences(twice())
    assert "60 of 60 eligible runs of the primary were compared (100.0%), of 20 recordings." in said


def test_the_first_sentences_say_how_many_diverged_and_where() -> None:
    """S2.14: only diverged comparisons have a step to blame, and no step is left out."""
    found = night(200)
    against = [c for c in found.comparisons if c.verdict in (Verdict.DIVERGED, Verdict.ERRORED)]
    steps = [c.first_divergent_step.step for c in against if c.first_divergent_step]
    said = sentences(found)
    assert f"{len(against)} of 200 comparisons diverged or could not be judged." in said
    blamed = re.search(r"First divergent step of these: ([^.]+)\.", said)
    assert blamed
    counts = dict(part.rsplit(" ", 1) for part in blamed[1].split(", "))
    assert {step: int(n) for step, n in counts.items()} == {s: steps.count(s) for s in steps}


def test_seeded_comparisons_are_said_to_be_left_out() -> None:
    """S1.5: a page that leaves some out says how many, and a sandbox's page says sandbox."""
    page = render_page(replace(night(20), seeded=2, is_sandbox=True))
    assert "Left out: 2 comparisons with a seeded defect." in page
    assert re.search(r"<h1>.*sandbox.*Shadow night", page)
    assert "<title>Sandbox Shadow" in page


def test_a_page_of_one_comparison_leaves_out_what_it_does_not_know() -> None:
    """S2.28: no \"(undated)\", no empty window, no rules where none are, no trend of one."""
    one = night(1).comparisons[0]
    page = render_page(Night("", "", Coverage(1, 1), (one,), is_redacted=False))
    head = page[page.index("<header>") : page.index("</header>")]
    assert "undated" not in page
    assert "<dt>from</dt>" not in head
    assert "<dt>rules</dt>" not in head
    assert 'class="chart trend"' not in page
    assert 'class="chart spread"' not in page


@pytest.mark.heavy
def test_the_table_shows_only_columns_that_say_something(browser, tmp_path) -> None:
    """Visual 1 and 2: an id stays on one line; a cost that is unknown everywhere has no column."""
    free = [_unpriced(c) for c in night(30).comparisons]
    name = "0b5c1f2e-7d1a-4c58-9a51-3f6f5f0f3f10"
    free[0] = free[0].model_copy(update={"recording": name})
    page = render_page(Night(NIGHT, "x", Coverage(30, 30), tuple(free)))
    with Watched(browser, viewport={"width": 1200, "height": 800}) as watched:
        opened = watched.open(saved(tmp_path, "free", page))
        heads = opened.locator("#table thead button").all_inner_texts()
        assert "cost" not in heads
        assert "comparison" not in heads
        link = opened.locator(f'#table a:text-is("{name}")')
        assert link.evaluate("a => a.getClientRects().length") == 1


def _unpriced(comparison: Comparison) -> Comparison:
    sides = {role: getattr(comparison, role) for role in ("primary", "candidate")}
    free = {r: side.model_copy(update={"cost_microdollars": None}) for r, side in sides.items()}
    return comparison.model_copy(update=free)


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("verdict:diverged", "unknown filter verdict:diverged; known: s: step:"),
        ("wer:much", "unknown filter wer:much"),
        ('"glacier audit"', "10 of 30"),
        ("s:nothing", "0 of 30"),
    ],
)
def test_a_filter_that_cannot_work_says_so(browser, tmp_path, asked: str, said: str) -> None:
    """An unknown key or a word for a number is named; quoted words are one; a button clears."""
    with Watched(browser) as watched:
        page = watched.open(saved(tmp_path, "night", render_page(night(30))))
        page.fill("#q", asked)
        expect(page.locator("#found")).to_contain_text(said)
        page.click("#clear")
        expect(page.locator("#found")).to_have_text("30 of 30")


@pytest.mark.heavy
def test_keys_contents_and_theme(browser, tmp_path) -> None:
    """/ filters, ? explains, j and k turn recordings, links keep the filter, a button the theme."""
    with Watched(browser) as watched:
        page = watched.open(saved(tmp_path, "night", render_page(night(60))))
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.id") == "q"
        page.fill("#q", "s:match")
        expect(page.locator("#found")).not_to_have_text("60 of 60")
        kept = page.inner_text("#found")
        page.click('.contents a[href="#costs"]')
        expect(page.locator("#found")).to_have_text(kept)
        page.keyboard.press("?")
        expect(page.locator("#q-help")).to_be_visible()
        names = page.locator("#table tbody th a").all_inner_texts()
        page.click("#table tbody tr:first-child a")
        expect(page.locator("#drawer-id")).to_have_text(names[0])
        page.keyboard.press("j")
        expect(page.locator("#drawer-id")).to_have_text(names[1])
        page.keyboard.press("k")
        expect(page.locator("#drawer-id")).to_have_text(names[0])
        page.keyboard.press("Escape")
        before = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.click("#theme")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
        assert watched.complaints == []


@pytest.mark.heavy
def test_a_drawer_names_the_meeting_and_a_row_without_details_has_numbers(
    browser, tmp_path
) -> None:
    """Visual 15 and 18: the title leads, buttons have words, and known shares are shown."""
    found = night(120)
    page = render_page(found)
    with Watched(browser) as watched:
        opened = watched.open(saved(tmp_path, "drawers", page) + "#q=s:match+!full")
        opened.click("#table tbody tr:first-child a")
        expect(opened.locator("#drawer-title")).not_to_be_empty()
        expect(opened.locator("#drawer-body .facts")).to_contain_text("words")
        expect(opened.locator("#drawer-body .next")).to_contain_text("migrate explain rec_")
        assert opened.inner_text("#row-after") == "next row"


@pytest.mark.parametrize("word", WORDS)
def test_the_page_explains_its_words_as_the_glossary_does(word: str) -> None:
    """Each word has a tooltip or an entry on the page, with the glossary's own meaning."""
    page = render_page(night(30))
    lines = (ROOT / "docs/glossary.md").read_text(encoding="utf-8").splitlines()
    of_docs = dict(re.findall(r"\| ([^|]+) \| ([^|]+) \|", "\n".join(lines)))
    meaning = of_docs[word].partition(" ([")[0]
    assert meaning == WORDS[word]
    assert f"<dt>{word}</dt><dd>{meaning.replace(chr(39), '&#39;')}</dd>" in page


@pytest.mark.parametrize("word", ["A/A pair", "p99", "floor", "stratum"])
def test_words_of_statistics_have_tooltips_where_they_stand(word: str) -> None:
    """A reader need not leave the chart to learn what it shows."""
    assert f'title="{word}: {WORDS[word]}"' in render_page(night(30)).replace("&#39;", "'")
