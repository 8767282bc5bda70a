"""Terminal, Markdown and JUnit: readable, complete, and deaf to hostile text."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from fixtures.reports.nights import night
from reflector_migrate.model import (
    STEP_NAMES,
    Check,
    Comparison,
    Engine,
    Finding,
    Measure,
    Role,
    Side,
    Verdict,
)
from reports import junit, markdown, terminal
from reports.drawer import drawer

HOSTILE = (
    "[/b]", "[link=https://x]y[/link]", "\x1b[2Jgone", "safe\u202eexe", "a\rb\nc\x07", ":smile:",
    "<b>&amp;</b>", "]]>", "\ufffe\x00", "| cell | @everyone", "`code` ~~x~~",
    "www.example.com __bold__ **x** _y_",
)  # fmt: skip


def sample(text: str = "fine", recording: str = "rec_000272") -> Comparison:
    """One diverged comparison that says `text` wherever others may."""
    finding = Finding(path="words/replace", message=text, reference=text, hypothesis=text)
    measure = Measure(name="words", kind="graded", errors=251, length=8412, reference_text=text,
                      hypothesis_text=text, findings=(finding,))  # fmt: skip
    check = Check(name="words", verdict=Verdict.DIVERGED, rule="aa-p99+margin", measure=measure,
                  limit=0.0241, floor=0.0141, n=412, note=text)  # fmt: skip
    checks = (check, check.model_copy(update={"name": "title", "verdict": Verdict.ERRORED,
                                              "traceback": f"Traceback\n{text}"}),
              check.model_copy(update={"name": "row", "verdict": Verdict.INCONCLUSIVE}),
              check.model_copy(update={"name": "status", "verdict": Verdict.WAIVED}),
              check.model_copy(update={"name": "events", "verdict": Verdict.MATCHED}))  # fmt: skip
    side = Side(role=Role.PRIMARY, engine=Engine.CELERY, status="completed", error=text)
    return Comparison(recording=recording, title=text, primary=side, notes=(text,),
                      candidate=side.model_copy(update={"role": Role.CANDIDATE}),
                      verdict=Verdict.DIVERGED, checks=checks)  # fmt: skip


def printed(comparison: Comparison, *, is_ascii=None, **how) -> str:
    """What a terminal would receive."""
    out = io.StringIO()
    console = Console(file=out, **{"width": 120, **how})
    terminal.render(comparison, console, is_ascii=is_ascii)
    return out.getvalue()


@pytest.mark.parametrize("text", HOSTILE)
def test_terminal_shows_hostile_text_as_text(text):
    """No control byte reaches the terminal and no markup is obeyed, even by a markup console."""
    shown = printed(sample(text), markup=True, emoji=True)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", shown)
    if text.isprintable():
        assert text in re.sub(r"\s+", " ", shown)


@pytest.mark.parametrize("width", [40, 60, 79])
def test_narrow_terminals_get_a_line_a_check_and_whole_ids(width):
    """Below 80 columns every check is one line, and the recording's id is never cut."""
    name = "rec_" + "0123456789" * 12
    shown = printed(sample(recording=name), width=width).splitlines()
    assert shown[0].startswith(name)
    for word in ("✗ diverged  words", "! error  title", "? inconclusive  row", "✓ waived  status"):
        assert sum(line.startswith(word) for line in shown) == 1


def test_wide_ids_are_never_cut_either():
    """Nor at 80 columns and more, in the header or in what to do next."""
    name = "rec_" + "0123456789" * 12
    shown = printed(sample(recording=name), width=80)
    assert shown.count(name) == 2


def test_ascii_mode_has_nothing_else():
    """A console that cannot show our glyphs gets plain ones, and the same words."""
    shown = printed(sample("ünïcode"), is_ascii=True)
    assert shown.isascii()
    assert "x DIVERGED" in shown
    assert "x diverged" in shown


def test_an_ascii_console_needs_no_flag():
    """A stream that cannot encode our glyphs is noticed."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    terminal.render(sample("ü"), Console(file=stream, width=120))
    stream.flush()
    assert b"x DIVERGED" in raw.getvalue()


@pytest.mark.parametrize(
    ("environment", "is_coloured"),
    [({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False), ({"FORCE_COLOR": "1"}, True), ({}, False)],
)
def test_colour_is_the_console_s_own_choice(environment, is_coloured):
    """NO_COLOR and FORCE_COLOR are honoured; a pipe has no colour."""
    shown = printed(sample(), _environ={"TERM": "xterm-256color", **environment})
    assert bool(re.search(r"\x1b\[[\d;]*3\d", shown)) is is_coloured


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_gives_hostile_text_no_meaning(text):
    """No tag, mention, code span or cell of a hostile text survives."""
    shown = markdown.render([sample(text, recording=text)])
    assert not re.search(r"<|@everyone|`|~~|https://|\[link|www\.|__|\*\*", shown)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", shown)
    tables = [line for line in shown.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in tables} == {6, 8}


def test_markdown_counts_and_names_what_is_against():
    """The verdict, the tally, and each check that is not fine with its reason."""
    shown = markdown.render(list(night(60).comparisons))
    assert shown.startswith("## ✗ DIVERGED\n")
    assert re.search(r"60 compared: \d+ diverged", shown)
    assert "And 10 more, none worse than these." in shown


def test_nothing_compared_is_not_a_match_anywhere():
    """An empty list renders as inconclusive in Markdown and without a passed case in JUnit."""
    assert "INCONCLUSIVE" in markdown.render([])
    assert "MATCH" not in markdown.render([]).replace("no match", "")
    bare = sample().model_copy(update={"checks": (), "verdict": Verdict.INCONCLUSIVE})
    root = ET.fromstring(junit.render([bare]))
    assert root.attrib["skipped"] == root.attrib["tests"] == "1"
    assert ET.fromstring(junit.render([])).attrib["tests"] == "0"


@pytest.mark.parametrize("text", HOSTILE)
def test_junit_parses_whatever_was_said(text):
    """Well-formed XML with a case a check, whatever the texts hold."""
    root = ET.fromstring(junit.render([sample(text, recording=text)]))
    assert len(root.findall(".//testcase")) == 5


def test_junit_maps_verdicts():
    """Diverged fails, errored errs, inconclusive is skipped, the rest pass."""
    root = ET.fromstring(junit.render([sample(), sample()]))
    counts = {key: root.attrib[key] for key in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "10", "failures": "2", "errors": "2", "skipped": "2"}
    by_name = {case.attrib["name"]: [c.tag for c in case] for case in root[0]}
    assert by_name == {"words": ["failure"], "title": ["error"], "row": ["skipped"],
                       "status": ["system-out"], "events": []}  # fmt: skip


def test_checks_that_are_against_come_first():
    """A reader meets what failed before what did not."""
    states = [line.is_against for line in drawer(sample()).checks]
    assert states == sorted(states, reverse=True)


def paired(**changes: object) -> Comparison:
    """Two matches, one failure behind them, and times."""
    exact = {"kind": "exact", "length": 9}
    same = Measure(name="row", reference_text="9 fields", hypothesis_text="9 fields", **exact)
    told = (Finding(path="events/x", message="1 event missing"),) * 3
    lost = Measure(name="events", errors=3, findings=told, reference_text="9 events",
                   hypothesis_text="6 events", **exact)  # fmt: skip
    times = Measure(name="timings", kind="informational", length=1)
    checks = (Check(name="row", verdict=Verdict.MATCHED, rule="exact", measure=same),
              Check(name="status", verdict=Verdict.MATCHED, rule="exact", measure=same),
              Check(name="events", verdict=Verdict.DIVERGED, rule="exact", measure=lost),
              Check(name="timings", verdict=Verdict.MATCHED, rule="informational",
                    measure=times))  # fmt: skip
    return sample().model_copy(update={"checks": checks, **changes})


def test_failed_checks_come_first_and_matches_are_one_line():
    """S3.29: what failed is the first row, and all that matched is one line with its names."""
    lines = printed(paired()).splitlines()
    rows = lines[next(n for n, line in enumerate(lines) if line.startswith("check ")) + 1 :]
    assert rows[0].startswith("events")
    assert rows[0].endswith("✗ diverged")
    assert rows[1].strip() == "1 event missing; and 1 more"
    assert rows[2].startswith("timings")
    assert rows[2].endswith("- judged nightly")
    assert rows[3:5] == ["✓ match  2 checks", "    row, status"]


def test_everything_is_shown_on_request():
    """`-v` shows every check in full, worst first."""
    out = io.StringIO()
    terminal.render(paired(), Console(file=out, width=120), is_whole=True)
    order = [line.split()[0] for line in out.getvalue().splitlines()
             if line.endswith(("✓ match", "✗ diverged", "- judged nightly"))]  # fmt: skip
    assert order == ["events", "row", "status", "timings"]


def test_a_match_of_unequal_amounts_is_not_called_the_same():
    """S1.9: `186 cues, 158 cues, same` reads as a bug."""
    cues = Measure(name="webvtt", kind="exact", length=9, reference_text="186 cues",
                   hypothesis_text="158 cues")  # fmt: skip
    check = Check(name="webvtt", verdict=Verdict.MATCHED, rule="exact", measure=cues)
    out = io.StringIO()
    told = sample().model_copy(update={"checks": (check,), "verdict": Verdict.MATCHED})
    terminal.render(told, Console(file=out, width=120), is_whole=True)
    (line,) = (line for line in out.getvalue().splitlines() if line.startswith("webvtt"))
    assert "as allowed" in line
    assert "same" not in line


def test_a_reason_is_a_line_below_its_check_not_four_lines_beside_it():
    """S3.30: the whole reason on one line of 120 columns, under one line of numbers."""
    said = "beyond noise: 5.37%, legacy differs from itself by 2.10% (its own A/A pair only)"
    words = Measure(name="words", kind="graded", length=100, errors=5, reference_text="100 words",
                    hypothesis_text="99 words")  # fmt: skip
    check = Check(name="words", verdict=Verdict.DIVERGED, rule="graded", measure=words, note=said)
    shown = printed(paired(checks=(check,))).splitlines()
    place = next(n for n, line in enumerate(shown) if line.startswith("words "))
    assert shown[place].endswith("✗ diverged")
    assert shown[place + 1] == f"    {said}"


@pytest.mark.parametrize("width", [60, 100])
def test_the_header_wraps_between_its_parts(width):
    """S3.42: no line of the header is wider than the terminal, and none has trailing blanks."""
    side = Side(role=Role.PRIMARY, engine=Engine.CELERY, status="completed")
    other = side.model_copy(update={"role": Role.CANDIDATE})
    told = paired(title="Board meeting of the second week", primary=side, candidate=other, notes=())
    shown = printed(told, width=width).splitlines()
    head = shown[: next(n for n, line in enumerate(shown) if line.startswith("✗"))]
    assert all(len(line) <= width for line in head)
    assert not [line for line in shown if line != line.rstrip()]


@pytest.mark.parametrize("width", [80, 120])
def test_steps_and_their_legend_fit_the_terminal(width):
    """No line of the drawing is broken, and the legend explains both letters and both fills."""
    found = next(c for c in night(60).comparisons if c.verdict is Verdict.DIVERGED)
    shown = printed(found, width=width).splitlines()
    place = next(n for n, line in enumerate(shown) if line.startswith("steps "))
    drawn = shown[place : place + 2 * len(STEP_NAMES)]
    assert all(len(line) <= width for line in drawn)
    assert drawn[1].strip() == "P primary  C candidate  ▒ queued  █ running"


def test_a_sandbox_and_an_injected_defect_are_said_in_the_header():
    """S1.5 and S1.7: evidence of a sandbox, or with a defect in it, says so."""
    shown = printed(paired(origin="sandbox", defects=("tracks_swapped",)))
    assert shown.startswith("sandbox  rec_000272")
    assert "injected on purpose: tracks_swapped" in shown


def test_a_long_amount_does_not_break_the_table():
    """What a price of unknown price says is cut, and each check stays one line of 120 columns."""
    said = "price unknown, 2.0 GPU s, 2541 tokens"
    cost = Measure(name="cost", kind="informational", length=1, reference_text=said,
                   hypothesis_text=said)  # fmt: skip
    check = Check(name="cost", verdict=Verdict.MATCHED, rule="informational", measure=cost)
    shown = printed(paired(checks=(check, *paired().checks))).splitlines()
    (line,) = (line for line in shown if line.startswith("cost"))
    assert line.endswith("- judged nightly")
    assert len(line) <= 120
