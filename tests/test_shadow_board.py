"""What `migrate watch` shows of the primary is what its row proves."""

from __future__ import annotations

import pytest

from reflector_migrate.cli.watch import table
from reflector_migrate.model import VISIBLE_STEPS
from reflector_migrate.shadow.observe.live_status import StepLine, behind

HEARD = ["DURATION", "WAVEFORM", "TRANSCRIPT"]


@pytest.mark.parametrize(
    ("status", "events", "has_people", "count", "following"),
    [
        pytest.param("idle", [], False, 0, None, id="not begun"),
        pytest.param("processing", [], False, 1, "get_participants in progress", id="begun"),
        pytest.param("processing", [], True, 2, "pad_track in progress", id="people known"),
        pytest.param(
            "processing", ["DURATION"], False, 4, "generate_waveform in progress",
            id="a mix proves padding, whoever was there",
        ),
        pytest.param(
            "processing", HEARD, True, 7, "detect_topics in progress", id="the words are there"
        ),
        pytest.param(
            "processing", [*HEARD, "TOPIC", "TOPIC"], True, 7, "detect_topics in progress",
            id="some topics are not all",
        ),
        pytest.param(
            "processing", [*HEARD, "TOPIC", "FINAL_TITLE"], True, 9,
            "generate_summary in progress", id="a title proves all topics",
        ),
        pytest.param(
            "error", ["DURATION", "WAVEFORM"], True, 5, "transcribe_track failed", id="it failed"
        ),
        pytest.param("ended", HEARD, True, 11, None, id="ended without a topic"),
    ],
)  # fmt: skip
def test_what_a_row_proves(status, events, has_people, count, following):
    """Everything before the newest event is over, and the next step is at work or has failed."""
    found = behind(status, events, has_people=has_people)
    done = [step for step, state in found.items() if state == "completed"]
    assert sorted(done, key=VISIBLE_STEPS.index) == list(VISIBLE_STEPS[:count])
    open_ = [f"{step} {state}" for step, state in found.items() if state != "completed"]
    assert open_ == ([following] if following else [])


def test_the_table_has_a_line_for_each_step():
    """Both sides beside each other."""
    lines = table([StepLine("pad_track", "in progress", "track 2 of 3 completed  14%")])
    assert lines[1].split("  ")[0] == "pad_track"
    assert lines[1].index("in progress") == lines[0].index("primary")
    assert lines[1].index("track 2") == lines[0].index("candidate")
