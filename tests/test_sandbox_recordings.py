"""The committed recordings keep their promises, and a broken one says what is wrong."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from reflector_migrate.errors import ExitCode, InputError
from reflector_migrate.pipeline.audio.errors import HopelessAudioError
from reflector_migrate.pipeline.audio.probe import track_start_s
from reflector_migrate.sandbox.recordings import load_recording, load_recordings

ROOT = Path(__file__).parents[1] / "fixtures" / "recordings"
RECORDINGS = load_recordings(ROOT)
BROKEN = "broken-track-1"
TRACKS = [
    pytest.param(recording, track, id=f"{name}-{index}")
    for name, recording in RECORDINGS.items()
    for index, track in enumerate(recording.tracks)
    if f"{name}-{index}" != BROKEN
]
KEY = re.compile(
    r"sandbox/(?P<room>[a-z-]+-\d{14})/(?P<began>\d{13})-(?P<who>[0-9a-f-]{36})"
    r"-(?P<kind>cam|screen)-audio-(?P<joined>\d{13})"
)


@pytest.mark.parametrize("recording", RECORDINGS.values(), ids=RECORDINGS)
def test_keys_are_named_as_daily_names_them(recording):
    """Room, participant, kind and both times can be read from every key."""
    for track in recording.tracks:
        key = KEY.fullmatch(track.key)
        assert key is not None
        assert key["room"] == recording.daily_room_name
        assert (key["who"], key["kind"]) == (track.participant_id, track.kind)
        began_ms = round(recording.meeting.started_at.timestamp() * 1000)
        assert int(key["began"]) == began_ms
        assert int(key["joined"]) == began_ms + round(track.start_s * 1000) + 209


@pytest.mark.parametrize(("recording", "track"), TRACKS)
def test_a_track_starts_when_its_container_says(recording, track):
    """The start in the facts is what padding will measure."""
    assert track_start_s(recording.path(track)) == pytest.approx(track.start_s, abs=1e-9)


def test_the_broken_track_is_hopeless():
    """It cannot be opened, and no retry is worth a try."""
    recording = RECORDINGS["broken-track"]
    with pytest.raises(HopelessAudioError):
        track_start_s(recording.path(recording.tracks[1]))


@pytest.mark.parametrize("recording", RECORDINGS.values(), ids=RECORDINGS)
def test_words_lie_inside_their_utterance_in_order(recording):
    """Truth is well-formed: words spell the text, times rise, nothing leaves its track."""
    for utterance in recording.utterances:
        track = recording.tracks[utterance.track]
        assert [w.word for w in utterance.words] == utterance.text.split()
        starts = [w.start for w in utterance.words]
        assert starts == sorted(starts)
        assert all(w.start < w.end for w in utterance.words)
        assert track.start_s <= utterance.start == starts[0]
        assert utterance.words[-1].end <= utterance.end <= track.start_s + track.duration_s + 0.001


def test_every_utterance_is_unique_in_the_corpus():
    """The recogniser's unit differs from all others."""
    said = [re.sub(r"\W+", " ", u.text).lower() for r in RECORDINGS.values() for u in r.utterances]
    assert len(said) == len(set(said)) > 100


def test_ids_are_unique_and_everybody_is_known():
    """No two recordings share an id or a room at Daily; each speaker is a participant."""
    all_of = list(RECORDINGS.values())
    for ids in (
        [r.recording_id for r in all_of],
        [r.daily_room_name for r in all_of],
        [r.meeting.mtg_session_id for r in all_of],
        [key for r in all_of for key in r.all_keys],
    ):
        assert len(ids) == len(set(ids))
    for recording in all_of:
        known = {p.participant_id for p in recording.participants}
        assert {t.participant_id for t in recording.tracks} <= known


def test_the_corpus_holds_every_required_state():
    """Each kind of recording that the requirements name is there."""
    by_tracks = {len(r.tracks) for r in RECORDINGS.values()}
    rooms = [r.room for r in RECORDINGS.values()]
    long = max(r.tracks[0].start_s + r.tracks[0].duration_s for r in RECORDINGS.values())
    assert len(RECORDINGS) >= 10
    assert by_tracks >= {1, 2, 3, 4, 12}
    assert long >= 600
    surroundings = {
        (r.zulip_auto_post, r.webhook_path is not None, r.webhook_secret is not None) for r in rooms
    }
    assert surroundings == {
        (False, False, False),
        (False, True, False),
        (False, True, True),
        (True, False, False),
        (True, True, False),
        (True, True, True),
    }
    assert {r.expect.status for r in RECORDINGS.values()} == {"ended", "error"}
    assert {r.languages.source for r in RECORDINGS.values()} == {"en", "de"}
    assert RECORDINGS["german"].prior.source_language == "de"
    assert RECORDINGS["consent-denied"].expect.audio_deleted
    assert RECORDINGS["reprocess"].prior.zulip_message_id
    assert RECORDINGS["zero-start"].tracks[0].start_s == 0
    assert not RECORDINGS["no-words"].utterances
    assert {r.expect.topics for r in RECORDINGS.values()} >= {0, 1, 2, 4}


def test_twelve_tracks_sort_differently_as_strings():
    """Its indexes, read as strings, are not in order, so that a wrong sort shows."""
    indexes = range(len(RECORDINGS["twelve-tracks"].tracks))
    assert sorted(map(str, indexes)) != [str(i) for i in indexes]
    assert all(RECORDINGS["twelve-tracks"].said_in(i) for i in indexes)


def test_only_a_reprocess_gets_screen_audio():
    """The ordinary way drops the screen track, a reprocess keeps it between the cam tracks."""
    assert [t.kind for t in RECORDINGS["screen-share"].tracks] == ["cam", "screen", "cam"]
    assert len(RECORDINGS["screen-share"].keys) == 2
    assert [t.kind for t in RECORDINGS["reprocess"].tracks] == ["cam", "screen", "cam"]
    assert RECORDINGS["reprocess"].keys == RECORDINGS["reprocess"].all_keys


def test_speech_overlaps():
    """In the four-track recording most speech has other speech beside it."""
    said = RECORDINGS["four-overlapping"].utterances
    beside = [
        any(o.track != u.track and o.start < u.end and u.start < o.end for o in said) for u in said
    ]
    assert sum(beside) > 0.8 * len(said)


def test_everything_together_is_small():
    """All recordings stay well below what a repository should hold."""
    assert sum(f.stat().st_size for f in ROOT.glob("[a-z]*/**/*") if f.is_file()) < 8 * 1024 * 1024


def test_an_unknown_name_lists_the_nearest():
    """A typo is answered with what was meant."""
    with pytest.raises(InputError, match="no recording is named 'three-voice'") as raised:
        load_recording(ROOT, "three-voice")
    assert "three-voices" in raised.value.hint
    assert raised.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize("name", ["../recordings/solo", "", "."], ids=["path", "empty", "dot"])
def test_a_name_is_never_a_path(name):
    """A name cannot lead out of the folder."""
    with pytest.raises(InputError, match="no recording is named"):
        load_recording(ROOT, name)


def _change(document, field, value):
    *parents, last = field.split(".")
    for parent in parents:
        document = document[int(parent) if parent.isdigit() else parent]
    document[last] = value


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        pytest.param("room.zulip_auto_post", "perhaps", "room.zulip_auto_post", id="wrong type"),
        pytest.param("tracks.0.file", "gone.webm", "tracks.0.file: gone.webm", id="missing track"),
        pytest.param("utterances.1.track", 7, "utterances.1.track: no track 7", id="no such track"),
        pytest.param("meeting.surprise", 1, "meeting.surprise", id="unknown field"),
        pytest.param("name", "other", "name: 'other'", id="name of another folder"),
    ],
)
def test_a_broken_file_names_file_and_field(tmp_path, field, value, told):
    """What is wrong with a recording can be found from the message alone."""
    shutil.copytree(ROOT / "solo", tmp_path / "solo")
    file = tmp_path / "solo" / "recording.json"
    document = json.loads(file.read_text())
    _change(document, field, value)
    file.write_text(json.dumps(document))
    with pytest.raises(InputError, match=re.escape(told)) as raised:
        load_recordings(tmp_path)
    assert str(file) in raised.value.message


@pytest.mark.parametrize("text", ["{", "[]", '"x"'], ids=["cut", "list", "string"])
def test_a_file_that_is_not_an_object_is_refused(tmp_path, text):
    """Broken JSON is an input error, not a traceback."""
    (tmp_path / "solo").mkdir()
    (tmp_path / "solo" / "recording.json").write_text(text)
    with pytest.raises(InputError, match="not a JSON object"):
        load_recording(tmp_path, "solo")


def test_an_empty_folder_is_reported(tmp_path):
    """Nothing to work with is an error, never an empty corpus."""
    with pytest.raises(InputError, match="no recordings"):
        load_recordings(tmp_path)
