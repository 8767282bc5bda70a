"""Files of the data folder are compared; none where a folder could not be seen conclude nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comparators.side_effects import compare_side_effects
from reflector_migrate.harness import Harness
from reflector_migrate.model import UNSEEN_FILES, Effect, Outputs
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.observe import effects_seen
from reflector_migrate.shadow.observe.deployment import Deployment
from reflector_migrate.shadow.observe.effects_seen import _local, effects_of
from tests.comparing import observation

SOUND = Effect(kind="local_put", key="audio.mp3", size_bytes=9)
DRAWING = Effect(kind="local_put", key="audio.json", payload={"drawn": "the row's waveform"})
OTHER = Effect(kind="local_put", key="audio.json", payload={"drawn": "another waveform"})
SILENCE = SOUND.model_copy(update={"size_bytes": 0})
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
        pytest.param((SOUND, DRAWING), (SILENCE, DRAWING), [("size", "mixdown_tracks")],
                     id="an empty sound"),
        pytest.param((SOUND, DRAWING), (),
                     [("audio.json", "generate_waveform"), ("audio.mp3", "mixdown_tracks")],
                     id="nothing written"),
        pytest.param((), (SOUND, DRAWING),
                     [("audio.json", "generate_waveform"), ("audio.mp3", "mixdown_tracks")],
                     id="written by the candidate alone"),
        pytest.param((), (), [], id="neither wrote any"),
    ],
)  # fmt: skip
def test_what_lies_in_the_folder(mine, theirs, found):
    """Each file once, and attributed to the step that writes or deletes it."""
    sides = (observation(Outputs(), effects=effects, events=()) for effects in (mine, theirs))
    measure = compare_side_effects(*sides)
    assert [(f.path.rsplit("/", 1)[-1], f.step) for f in measure.findings] == found
    assert not measure.inconclusive


@pytest.mark.parametrize("is_primary_unseen", [False, True])
def test_a_folder_on_another_host_concludes_nothing(is_primary_unseen):
    """As broadcasts heard on one side do; without local files on either side nothing is missed."""
    seen = observation(Outputs(), effects=(SOUND, DRAWING), events=())
    unseen = observation(Outputs(), effects=(), events=(), notes=(UNSEEN_FILES,))
    pair = (unseen, seen) if is_primary_unseen else (seen, unseen)
    measure = compare_side_effects(*pair)
    assert (measure.errors, measure.inconclusive) == (0, UNSEEN_FILES)
    assert not compare_side_effects(unseen, unseen).inconclusive
    hooked = unseen.model_copy(update={"effects": (GONE,)})
    assert [f.path for f in compare_side_effects(seen, hooked).findings] == [
        "side_effects/local_delete/audio.mp3"
    ]


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
    """Half a file draws nothing; a file outside any contract is not reported."""
    folder = tmp_path / "t-1"
    folder.mkdir()
    (folder / "notes.txt").write_text("x")
    if text is not None:
        (folder / "audio.json").write_text(text)
    place = Deployment("", "media", "tracks", tmp_path)
    assert [effect.payload["drawn"] for effect in _local(place, _Row)] == ([drawn] if drawn else [])


def test_an_unreadable_drawing_is_listed_without_what_it_shows(tmp_path, monkeypatch):
    """Another user's file of mode 0600: it is there, and nothing more is known."""
    (tmp_path / "t-1").mkdir()
    (tmp_path / "t-1" / "audio.json").write_text("[0.1]")

    def refused(*_args: object, **_named: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refused)
    (seen,) = _local(Deployment("", "media", "tracks", tmp_path), _Row)
    assert (seen.key, seen.payload, seen.size_bytes) == ("audio.json", {}, 5)
    sides = (observation(Outputs(), effects=effects, events=()) for effects in ((seen,), (OTHER,)))
    assert not compare_side_effects(*sides).findings


@pytest.mark.parametrize("is_there", [True, False])
def test_the_reader_reports_a_folder_that_is_not_there(tmp_path, monkeypatch, is_there):
    """One that is there and holds nothing is another matter."""
    monkeypatch.setattr(effects_seen, "Storage", lambda *_, **__: _NoObjects())
    folder = tmp_path if is_there else tmp_path / "absent"
    place = Deployment("", "media", "tracks", folder, is_recorded=True)
    _, notes = effects_of(Harness.of(Settings()), place, None, _Row, (), None, None)
    assert notes == (() if is_there else (UNSEEN_FILES,))


class _NoObjects:
    """A bucket that holds nothing."""

    def list(self, _prefix: str) -> tuple[()]:
        return ()
