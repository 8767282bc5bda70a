"""The documents: decisions have one form, links lead somewhere, counts agree with their data."""

from __future__ import annotations

import csv
import re
from enum import StrEnum
from pathlib import Path
from statistics import median

import pytest

from bench.prose import sentences, words
from reflector_migrate.model import Engine, GateVerdict, Phase, Role, Route, Verdict
from reports.words import RULES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))
SECTIONS = ["Context", "Decision", "Alternatives", "Consequences"]


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", DECISIONS, ids=_name)
def test_a_decision_has_number_date_status_and_four_sections(page: Path) -> None:
    """A reader finds the same things at the same place in each decision."""
    text = page.read_text(encoding="utf-8")
    number = page.name[:4]
    assert text.startswith(f"# {number}. ")
    assert re.search(r"^- Date: 20\d\d-\d\d-\d\d\n- Status: \w", text, flags=re.M)
    assert re.findall(r"^## (.+)$", text, flags=re.M) == SECTIONS


def test_the_index_of_decisions_is_complete() -> None:
    """Each decision is listed with its title, date and status, and numbers have no gap."""
    index = (DOCS / "decisions" / "README.md").read_text(encoding="utf-8")
    for number, page in enumerate(DECISIONS, start=1):
        title, date, status = re.findall(
            r"^(?:# \d{4}\. |- Date: |- Status: )(.+)$", page.read_text("utf-8"), flags=re.M
        )
        assert page.name.startswith(f"{number:04d}-")
        assert f"| [{number:04d}]({page.name}) | {title} | {date} | {status} |" in index


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_and_path_leads_somewhere(page: Path) -> None:
    """Relative links exist beside the page, and paths in backticks in the repository."""
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text):
        assert (page.parent / link).exists(), link
    rooms = "docs|tests|bench|fixtures|docker|reflector_migrate|comparators|reports"
    for path in re.findall(rf"`((?:{rooms})/[\w/.-]+)(?:::\w+)?`", text):
        assert (ROOT / path).exists(), path


def test_the_page_of_mutants_counts_its_rows() -> None:
    """mutants.md has the totals of mutants.csv."""
    with (DOCS / "results" / "mutants.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    noticed = [r for r in rows if r["noticed_by"]]
    blamed = [r for r in noticed if r["mutant"].startswith(f"{r['first_divergent_step']}/")]
    assert all(bool(r["noticed_by"]) != bool(r["why_not_noticed"]) for r in rows)
    page = (DOCS / "results" / "mutants.md").read_text(encoding="utf-8")
    counts = [int(n) for n in re.findall(r"^\| [a-z].* \| (\d+) \|$", page, flags=re.M)]
    assert counts == [len(rows), len(noticed), len(blamed), len(rows) - len(noticed)]


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=_name)
def test_sentences_are_short(page: Path) -> None:
    """Half of a page's sentences have at most 16 words, and none has more than 45."""
    lengths = [words(sentence) for sentence in sentences(page.read_text(encoding="utf-8"))]
    assert not lengths or (median(lengths) <= 16 and max(lengths) <= 45)


def test_each_rule_of_a_check_is_explained() -> None:
    """The page's words and the document's table have the same rules, and every rule that is met."""
    page = (DOCS / "how-verdicts-work.md").read_text(encoding="utf-8")
    table = page.partition("### The rules by name")[2].partition("\n###")[0]
    golden = (ROOT / "fixtures" / "golden" / "judgements").glob("*.json")
    met = {rule for file in golden for rule in re.findall(r'"rule": ?"([^"]+)"', file.read_text())}
    assert set(re.findall(r"^\| `([^`]+)` \|", table, flags=re.M)) == set(RULES)
    assert len(met) > 5
    assert met <= set(RULES)


def test_the_readme_is_short() -> None:
    """A stranger reads it to the end: 120 lines at most."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize(
    ("markdown", "found"),
    [
        pytest.param("One two. Three?", [2, 1], id="full stops and question marks end"),
        pytest.param("It has `a b. C` in it: so; on.", [7], id="code is one word"),
        pytest.param("# A title\n\n| a cell. |\n\n```sh\nls. X\n```\n", [], id="no running text"),
        pytest.param("- **Lead.** One two\n  three.\n- Four.", [3, 1], id="items are paragraphs"),
        pytest.param("See [the page](a.md). Version 3.15.0 too.", [3, 3], id="links, numbers"),
    ],
)
def test_sentences_are_counted_as_a_reader_would(markdown: str, found: list[int]) -> None:
    """What the limit on sentences is measured with."""
    assert [words(sentence) for sentence in sentences(markdown)] == found


def test_the_architecture_names_every_package() -> None:
    """Each package, and each room inside shadow and comparators, is in the table of packages."""
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    packages = [
        folder.name
        for parent in ("reflector_migrate", "reflector_migrate/shadow", "comparators")
        for folder in (ROOT / parent).iterdir()
        if (folder / "__init__.py").exists()
    ]
    assert len(packages) > 15
    missing = [name for name in (*packages, "comparators", "reports") if f"`{name}`" not in page]
    assert not missing


@pytest.mark.parametrize("kind", [Role, Engine, Route, Verdict, GateVerdict, Phase])
def test_the_glossary_has_every_value_that_output_shows(kind: type[StrEnum]) -> None:
    """A reader who meets one of our words in output finds it in the glossary."""
    page = (DOCS / "glossary.md").read_text(encoding="utf-8")
    assert [value for value in kind if not re.search(rf"\b{re.escape(value)}\b", page)] == []
