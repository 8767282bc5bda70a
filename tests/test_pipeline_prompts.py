"""What the language model is asked: every blank filled, every note under its subject."""

import pytest

from reflector_migrate.pipeline.prompts import ASK_DETAIL, ASK_PARAGRAPH, ASK_TITLE
from reflector_migrate.pipeline.steps.generate_summary import distinct, notes
from reflector_migrate.pipeline.summary import Section


@pytest.mark.parametrize("ask", [ASK_DETAIL, ASK_PARAGRAPH])
def test_a_blank_is_filled_once_and_braces_in_a_value_stay(ask):
    """The subject stands where the blank was, as the model itself wrote it."""
    filled = ask.filled(subject="the {old} press")
    assert filled.task == ask.task.replace("{subject}", "the {old} press")
    assert "the {old} press" in filled.task
    assert filled[2:] == ask[2:]


@pytest.mark.parametrize(
    ("ask", "values"),
    [(ASK_PARAGRAPH, {}), (ASK_PARAGRAPH, {"topic": "x"}), (ASK_TITLE, {"subject": "x"})],
)
def test_a_question_with_a_blank_left_is_never_asked(ask, values):
    """A value for each blank and a blank for each value, or nothing is sent."""
    with pytest.raises(ValueError, match="do not fill"):
        ask.filled(**values)


def test_the_recap_is_made_from_every_paragraph_under_its_subject():
    """In order, one paragraph each."""
    sections = [Section("Press", "It broke."), Section("Fruit", "None was lost.")]
    assert notes(sections) == "Press: It broke.\n\nFruit: None was lost."


def test_a_subject_is_written_about_once_and_a_blank_one_never():
    """Models repeat themselves, and leave lines empty."""
    assert distinct([" Plans ", "", "Costs", "Plans", "  "]) == ["Plans", "Costs"]
