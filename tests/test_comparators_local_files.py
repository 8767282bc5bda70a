"""Files of the data folder are compared where both sides' folders were there to be seen."""

from __future__ import annotations

import json

import pytest

from comparators.side_effects import compare_side_effects
from reflector_migrate.legacy.deployment import Deployment
from reflector_migrate.legacy.effects_seen import _local
from reflector_migrate.model import Effect, Outputs
from tests.comparing import observation

SOUND = Effect(kind="local_put", key="audio.mp3", size_bytes=9)
DRAWING = Effect(kind="local_put", key="audio.json", payload={"drawn": "the row's waveform"})
OTHER = Effect(kind="local_put", key="audio.json", payload={"drawn": "another waveform"})
GONE = Effect(kind="local_delete", key="audio.mp3")


@pytest.mark.parametrize(
    ("mine", "theirs", "found"),
    [
        pytest.param((SOUND, DRAWING), (SOUND, DRAWING), [], id="the same"),
        pytest.param((SOUND, DRAWING), (SOUND,), [("audio.json", "generate_waveform")],
                     id="nothing drawn"),
        pytest.param((SOUND, DRAWING), (DRAWING,), [("audio.mp3", "mixdown_tracks")],
                     id="the sound is not kept"),
        pytest.param((SOUND, DRAWING), (SOUND, OTHER), [("drawn", "generate_waveform")],
                     id="something else drawn"),
        pytest.param((DRAWING, GONE), (SOUND, DRAWING),
                     [("audio.mp3", "cleanup_consent"), ("audio.mp3", "cleanup_consent")],
                     id="not deleted"),
        pytest.param((SOUND, DRAWING), (), [], id="the candidate's folder is on another host"),
        pytest.param((), (SOUND, DRAWING), [], id="legacy's folder is on another host"),
    ],
)  # fmt: skip
def test_what_lies_in_the_folder(mine, theirs, found):
    """Each file once, and laid to the step that writes or deletes it."""
    sides = (observation(Outputs(), effects=effects, events=()) for effects in (mine, theirs))
    measure = compare_side_effects(*sides)
    assert [(f.path.rsplit("/", 1)[-1], f.step) for f in measure.findings] == found


class _Row:
    """A row of which only id and events are read."""

    id = "t-1"
    events = ({"event": "WAVEFORM", "data": {"waveform": [0.1, 0.2]}},)


@pytest.mark.parametrize(
    ("text", "drawn"),
    [(json.dumps([0.1, 0.2]), "the row's waveform"), (json.dumps([0.1]), "another waveform"),
     ("[0.1,", "nothing"), (None, None)],
)  # fmt: skip
def test_the_drawing_is_read_beside_the_rows_waveform(tmp_path, text, drawn):
    """Half a file draws nothing; a file of nobody's contract is not told."""
    folder = tmp_path / "t-1"
    folder.mkdir()
    (folder / "notes.txt").write_text("x")
    if text is not None:
        (folder / "audio.json").write_text(text)
    place = Deployment("", "media", "tracks", tmp_path)
    assert [effect.payload["drawn"] for effect in _local(place, _Row)] == ([drawn] if drawn else [])
