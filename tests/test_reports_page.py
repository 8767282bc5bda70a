"""The nightly page as bytes: complete, escaped, the same each time, and silent where asked."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import re

import pytest

from comparators.payload.fields import public
from fixtures.reports.nights import NIGHT, WORDS, night
from reflector_migrate.model import Finding, Verdict
from reports.document import Coverage, Night
from reports.page import render_page
from reports.redact import hide, redact
from reports.rows import check_names, rows

pytestmark = pytest.mark.heavy

SECTIONS = ("gates", "different", "spreads", "trend", "waterfall", "costs", "outcomes",
            "recordings", "method")  # fmt: skip


def data_of(page: str, name: str = "rows-data"):
    """A packed value of the page."""
    found = re.search(rf'id="{name}">([^<]*)</script>', page)
    assert found
    raw = gzip.decompress(base64.b64decode(found[1]))
    return json.loads(raw[8 : 8 + int(raw[:8])])


def everything(page: str) -> str:
    """All text of a page, what is packed included."""
    packed = "".join(json.dumps(data_of(page, n)) for n in ("rows-data", "drawers-data"))
    return page + packed


def test_sections_come_in_order():
    """Verdict first, then gates, differences, figures, recordings, method."""
    page = render_page(night(40))
    places = [page.index(f'<h2 id="{name}"') for name in ("verdict", *SECTIONS)]
    assert places == sorted(places)


def test_same_night_same_bytes():
    """Rendering twice gives one text."""
    assert render_page(night(200)) == render_page(night(200))


def test_nothing_compared_never_reads_as_a_match():
    """An empty night is inconclusive, says so first, and shows no green word."""
    empty = Night(NIGHT, "2026-11-24T03:00:00Z", Coverage(12, 0), ())
    page = render_page(empty)
    assert empty.verdict is Verdict.INCONCLUSIVE
    assert "Nothing was compared: 0 of 12 eligible runs of the primary." in page
    head = page[page.index("<body>") : page.index('<nav class="tiles"')]
    assert "INCONCLUSIVE" in head
    assert "MATCHED" not in head


@pytest.mark.parametrize(
    ("coverage", "state", "said"),
    [
        pytest.param(Coverage(5, 5), "MATCHED", "5 of 5", id="all compared and matched"),
        pytest.param(
            Coverage(9, 5), "INCONCLUSIVE", "not compared yet: 4 recordings", id="some are lost"
        ),
        pytest.param(Coverage(7, 5, {"budget": 2}), "MATCHED", "5 of 5", id="skipped on purpose"),
        pytest.param(
            Coverage(6, 5, {}, {"no row": 1}), "INCONCLUSIVE", "no row", id="one failed to compare"
        ),
    ],
)
def test_what_is_missing_can_fail(coverage, state, said):
    """Matches alone do not make a good night: what was not compared counts too."""
    fine = [c for c in night(200).comparisons if c.verdict is Verdict.MATCHED][:5]
    page = render_page(Night(NIGHT, "x", coverage, tuple(fine)))
    assert f'class="verdict v-{state}"' in page
    assert said in page


def test_a_failing_gate_is_a_sentence_and_the_headline():
    """Recordings that match do not outshine a failed gate."""
    whole = night(200)
    fine = tuple(c for c in whole.comparisons if c.verdict is Verdict.MATCHED)
    page = render_page(Night(NIGHT, "x", Coverage(len(fine), len(fine)), fine, gates=whole.gates))
    assert "GATE FAILED" in page
    assert "Gate “structure and side effects” failed: 4 unwaived against 0" in page


def test_policy_covers_exactly_what_is_there():
    """The CSP's hashes are those of the one style and the one script; nothing else is let in."""
    page = render_page(night(5))
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy
    told = html.unescape(policy[1])
    for tag in ("style", "script"):
        bodies = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert len(bodies) == 1
        digest = base64.b64encode(hashlib.sha256(bodies[0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in told
    assert "default-src 'none'" in told
    assert not re.search(r"\s(style|on\w+)=", page[page.index("<body>") :].split("<script")[0])
    assert re.findall(r"(?:src|href)=\"(?!#)([^\"]*)", page) == ["shadow-2026-11-22.html"]


HOSTILE = {
    "markup": '<img src=x onerror="alert(1)">',
    "end of script": "</script><script>alert(1)</script>",
    "right to left": "safe\u202etxt.exe",
    "escape bytes": "\x1b[2J\x1b]0;owned\x07",
    "template": "{{ 7 * 7 }}{% for x in y %}",
    "long word": "x" * 10_000,
    "quote": "\"'><svg onload=alert(1)>",
}


def hostile_night(text: str) -> Night:
    """A night in which everything others write says `text`."""
    bad = next(c for c in night(200).comparisons if c.verdict is Verdict.DIVERGED and c.turns)
    side = bad.candidate.model_copy(update={"error": text, "build": text})
    checks = tuple(
        check.model_copy(update={"note": text, "measure": check.measure.model_copy(update={
            "reference_text": text, "findings": tuple(
                f.model_copy(update={"path": text, "message": text, "reference": text})
                for f in check.measure.findings)})})
        for check in bad.checks
    )  # fmt: skip
    turn = bad.turns[0].model_copy(
        update={"speaker_name": text, "diff": (("equal", text), ("delete", text), ("insert", ""))}
    )
    told = bad.model_copy(update={
        "recording": text, "title": text, "notes": (text,), "checks": checks, "candidate": side,
        "turns": (turn,),
    })  # fmt: skip
    return Night(NIGHT, "x", Coverage(1, 1, {text: 1}), (told,), rules=text, is_redacted=False)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_stays_text(text):
    """Nothing that others wrote becomes markup, a control character or a flood."""
    page = render_page(hostile_night(text))
    drawers = "".join(data_of(page, "drawers-data").values())
    for shown in (page, drawers):
        assert "<img" not in shown
        assert "<svg onload" not in shown
        assert "<script>alert" not in shown
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", shown)
        assert "x" * 1000 not in shown
    assert page.count("<script>") == 1


def test_redaction_leaves_no_word():
    """Counts and times stay; words, titles, names, notes and errors' texts go."""
    page = everything(render_page(night(400, is_redacted=True)))
    open_page = everything(render_page(night(400)))
    for word in WORDS:
        assert not re.search(rf"\b{word}\b", page, re.IGNORECASE), word
    shown = [word for word in WORDS if re.search(rf"\b{word}\b", open_page)]
    assert len(shown) > 10  # the same search finds them where they may be
    assert "rec_000" in page
    assert "input vanished" in page
    assert "known casing slip (platform until 2026-12-01)" in page


def test_redaction_keeps_what_is_counted():
    """A redacted night has the same rows, titles aside."""
    plain, hidden = night(300), night(300, is_redacted=True)
    names = check_names(plain.gists)
    told = rows(redact(hidden).gists, names)
    assert told == tuple(row._replace(title="") for row in rows(plain.gists, names))


@pytest.mark.parametrize(
    ("path", "public_path", "shown"),
    [
        ("words/replace", "words/replace", "words/replace"),
        ("participants/Ana/name", "participants/*/name", "participants/*/name"),
        ("participants/Ana/name", "", "participants/*/*"),
        ("words", "", "words"),
    ],
)
def test_what_a_path_shows_is_what_is_public_of_it(path, public_path, shown):
    """Of a finding from before there were public paths, the measure's name."""
    assert hide(Finding(path=path, public_path=public_path)).path == shown


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("topics/3/title", "topics/3/title"),
        ("Ana/name", "*/name"),
        ("5551234567", "*"),
    ],
)
def test_only_fields_and_small_numbers_of_a_path_are_public(path, shown):
    """Keys that come from data are wildcarded."""
    assert public(path) == shown


def test_drawers_are_the_worst_five_matches_and_one_sided_errors():
    """The page carries in full what it promises, and no more."""
    whole = night(2000)
    page = render_page(whole)
    drawn = [whole.comparisons[int(place)] for place in data_of(page, "drawers-data")]
    matched = [c for c in drawn if c.verdict is Verdict.MATCHED]
    assert len(matched) == 5
    assert 25 + 5 <= len(drawn) <= 25 + 5 + 50
    assert page.count("<article>") == 25


@pytest.mark.heavy
def test_ten_thousand_rows_stay_small():
    """Under a megabyte, every recording in it."""
    page = render_page(night(10_000))
    assert len(page.encode()) < 1_000_000
    assert len(data_of(page)["recording"]) == 10_000
