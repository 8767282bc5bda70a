"""A measure is its own file and one row: then it is compared, judged, blamed and reported."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from comparators.registry import MEASURES, Measures, MeasureSpec, Transcripts, alone
from fixtures.reports.nights import NIGHT
from reflector_migrate.judge.compare import compare
from reflector_migrate.judge.explanation import explanation_of
from reflector_migrate.model import StepRun, Verdict
from reports.document import Coverage, Night
from reports.page import render_page
from reports.terminal import render
from tests.comparing import observation, outputs_of
from tests.made_up_measure import compare_action_items

ROW = MeasureSpec(
    "action_item_count",
    alone(compare_action_items),
    "exact",
    steps=("generate_title",),
    caused_by="generate_title",
)
EXTENDED = MEASURES.extended([ROW])


def _run(items: int, digest: str, role: str = "candidate"):
    row = {"status": "ended", "action_items": ["x"] * items}
    steps = (StepRun(name="generate_title", output_digest=digest),)
    run = observation(outputs_of(row=row), role=role)
    return run.model_copy(update={"steps": steps})


@pytest.fixture(scope="module")
def found():
    """Three action items against two, by the shipped measures and this one."""
    return compare(_run(3, "a", "primary"), _run(2, "b"), measures=EXTENDED)


def test_it_is_compared_and_judged(found):
    """Its check diverges by its own kind's rule, and the recording with it."""
    (check,) = (check for check in found.checks if check.name == "action_item_count")
    assert (check.verdict, check.rule, check.measure.errors) == (Verdict.DIVERGED, "exact", 1)
    assert found.verdict is Verdict.DIVERGED


def test_it_is_blamed(found):
    """The step that its row names is the first divergent one."""
    assert found.first_divergent_step.step == "generate_title"


def test_it_is_explained(found):
    """The chain of evidence shows it at its step."""
    told = explanation_of(found, found.recording, found.checks, EXTENDED)
    (link,) = (link for link in told.chain if link.step == "generate_title")
    assert "action_item_count" in link.checks


def test_it_is_reported(found):
    """On the page and in the terminal, with its finding."""
    page = render_page(Night(NIGHT, "x", Coverage(1, 1), (found,)))
    out = io.StringIO()
    render(found, Console(file=out, width=120))
    for text in (page, out.getvalue()):
        assert re.search(r"action.item.count", text)
    assert "3 → 2" in page
    assert "action items fewer" in out.getvalue()


def test_a_name_stands_for_one_measure():
    """A row under a name that is taken is refused."""
    with pytest.raises(ValueError, match="used twice"):
        Measures((*MEASURES, ROW, ROW))


@pytest.mark.parametrize("spec", list(MEASURES), ids=lambda spec: spec.name)
def test_a_row_says_what_its_comparator_gives(spec):
    """Name and kind of every measure are its row's, and so are its parts' names."""
    measure = spec.compare(_run(1, "a"), _run(2, "b"), Transcripts())
    assert (measure.name, measure.kind) == (spec.name, spec.kind)
    assert all(part.name.startswith(f"{spec.name}/") for part in measure.parts)
    assert bool(measure.parts) is (spec.parts is not None)
