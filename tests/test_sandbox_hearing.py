"""The ear finds what was said and where, and what was lost, moved or doubled shows."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from reflector_migrate.pipeline import audio
from reflector_migrate.sandbox.recordings import load_recording, load_recordings
from reflector_migrate.sandbox.standins.hearing.corpus import (
    FILE,
    digest_of,
    load_corpus,
)
from reflector_migrate.sandbox.standins.hearing.listen import listen
from reflector_migrate.sandbox.standins.hearing.sound import RATE, UndecodableError, decode

ROOT = Path(__file__).parents[1] / "fixtures" / "recordings"
RECORDINGS = load_recordings(ROOT)
UNHEARABLE = {"broken-track-1", "unknown-sound-1"}
TRACKS = [
    pytest.param(recording, index, id=f"{name}-{index}")
    for name, recording in RECORDINGS.items()
    for index in range(len(recording.tracks))
    if f"{name}-{index}" not in UNHEARABLE
]
OFTEN = {"solo-0", "german-1", "four-overlapping-2", "zero-start-0", "screen-share-1"}
OFTEN |= {"twelve-tracks-2", "twelve-tracks-10", "silent-track-1", "pair-late-joiner-1"}
NEAR_S = 0.030
ALICE = RECORDINGS["three-voices"]


@pytest.fixture(scope="module")
def corpus():
    """Everything that can be recognised."""
    return load_corpus(ROOT)


@pytest.fixture(scope="module")
def alice():
    """The first track's own sound; its time zero is the container's start."""
    return decode(ALICE.path(ALICE.tracks[0]))


def spans():
    """Begin and end of the first track's utterances, in samples of its own sound."""
    start_s = ALICE.tracks[0].start_s
    return [
        (round((u.start - start_s) * RATE), round((u.end - start_s) * RATE))
        for u in ALICE.said_in(0)
    ]


def texts(hearing):
    """What was heard, an utterance a string."""
    return [" ".join(word.word for word in u.words) for u in hearing.utterances]


def said(places):
    """The first track's utterances at these places."""
    return [ALICE.said_in(0)[place].text for place in places]


def hear_padded(recording, index, folder, corpus, sounds):
    """Hear a track as the pipeline hands it over."""
    track = recording.tracks[index]
    path = recording.path(track)
    if track.start_s > 0:
        path = folder / "padded.webm"
        with sounds.reused("candidate"):
            audio.pad_track(recording.path(track), path, track.start_s)
    return listen(decode(path), corpus)


def assert_is_truth(hearing, recording, index, shift_s=0.0):
    """Every word of the track, none else, each at its time."""
    truth = [(w.word, w.start + shift_s) for u in recording.said_in(index) for w in u.words]
    heard = [(w.word, w.start_s) for u in hearing.utterances for w in u.words]
    assert [word for word, _ in heard] == [word for word, _ in truth]
    assert [at for _, at in heard] == pytest.approx([at for _, at in truth], abs=NEAR_S)
    assert not hearing.is_unknown


@pytest.mark.parametrize(("recording", "index"), [p for p in TRACKS if p.id in OFTEN])
def test_a_track_is_heard_as_it_was_spoken(recording, index, corpus):
    """An unpadded track gives all its words, early by its start time."""
    track = recording.tracks[index]
    hearing = listen(decode(recording.path(track)), corpus)
    assert_is_truth(hearing, recording, index, shift_s=-track.start_s)


@pytest.mark.parametrize("index", [0, 2])
def test_a_padded_track_is_heard_on_the_meetings_clock(index, corpus, tmp_path, sounds):
    """Padding and its re-encoding at 128 kbit/s move no word by more than 30 ms."""
    assert_is_truth(hear_padded(ALICE, index, tmp_path, corpus, sounds), ALICE, index)


@pytest.mark.heavy
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("recording", "index"), TRACKS)
def test_every_padded_track_is_heard_on_the_meetings_clock(
    recording, index, corpus, tmp_path, sounds
):
    """The same for the whole corpus, the ten-minute recording included."""
    assert_is_truth(hear_padded(recording, index, tmp_path, corpus, sounds), recording, index)


def test_a_shifted_track_shows_its_shift(alice, corpus):
    """A wrong offset moves every word by just that much."""
    shifted = np.concatenate([np.zeros(round(0.7 * RATE), dtype=np.float32), alice])
    assert_is_truth(listen(shifted, corpus), ALICE, 0, shift_s=0.7 - ALICE.tracks[0].start_s)


def test_words_without_their_sound_are_not_reported(alice, corpus):
    """A hole in an utterance takes just the words that lay in it."""
    begin, end = spans()[1]
    length = end - begin
    holed = alice.copy()
    holed[begin + round(0.35 * length) : begin + round(0.7 * length)] = 0
    heard = texts(listen(holed, corpus))
    assert [heard[0], heard[2], heard[3]] == said([0, 2, 3])
    assert heard[1] == "It does, because Carla findings yesterday."


def test_a_track_that_breaks_off_loses_its_end(alice, corpus):
    """What comes after the break is not reported, what comes before is."""
    heard = texts(listen(alice[: spans()[1][1] + 800], corpus))
    assert heard == said([0, 1])


@pytest.mark.parametrize(
    "order", [(1, 0), (0, 0, 1), (2, 1, 0, 1)], ids=["swapped", "doubled", "shuffled"]
)
def test_utterances_are_heard_in_the_order_of_the_sound(order, alice, corpus):
    """Swapped utterances come swapped, a doubled one comes twice."""
    margin = RATE // 10
    pieces = [alice[begin - margin : end + margin] for begin, end in spans()]
    assert texts(listen(np.concatenate([pieces[k] for k in order]), corpus)) == said(order)


def test_another_persons_track_gives_another_persons_words(corpus):
    """Two tracks that were mistaken for each other show in the words."""
    sound = decode(ALICE.path(ALICE.tracks[1]))
    assert texts(listen(sound, corpus)) == [u.text for u in ALICE.said_in(1)]


@pytest.mark.parametrize("gain", [0.2, 1.4], ids=["quieter", "louder"])
def test_loudness_does_not_matter(gain, alice, corpus):
    """A quieter or louder track gives the same words."""
    assert_is_truth(listen(alice * gain, corpus), ALICE, 0, shift_s=-ALICE.tracks[0].start_s)


def noise(seconds):
    """White noise, always the same."""
    return np.random.default_rng(1).standard_normal(seconds * RATE).astype(np.float32)


@pytest.mark.parametrize(
    "sound",
    [
        pytest.param(lambda _: np.sin(np.arange(5 * RATE) * 0.35) * 0.3, id="sine"),
        pytest.param(lambda _: noise(5) * 0.1, id="noise"),
        pytest.param(lambda alice: alice[::-1], id="speech backwards"),
        pytest.param(
            lambda alice: np.interp(
                np.arange(0, len(alice), 48 / 44.1), np.arange(len(alice)), alice
            ),
            id="wrong speed",
        ),
    ],
)
def test_what_is_not_known_is_said_to_be_unknown(sound, alice, corpus):
    """Sound that is not known speech never passes for silence."""
    assert listen(sound(alice).astype(np.float32), corpus).is_unknown


@pytest.mark.parametrize(
    "sound",
    [
        pytest.param(np.zeros(3 * RATE, dtype=np.float32), id="digital silence"),
        pytest.param(noise(3) * 0.0004, id="room noise"),
        pytest.param(np.zeros(1, dtype=np.float32), id="one sample"),
        pytest.param(np.zeros(0, dtype=np.float32), id="nothing"),
    ],
)
def test_silence_is_known_to_be_silence(sound, corpus):
    """Nothing is heard in silence, and it is not unknown."""
    hearing = listen(sound, corpus)
    assert not hearing.utterances
    assert not hearing.is_unknown


@pytest.mark.parametrize("content", [b"", b"<Error/>", b"RIFF" + b"\0" * 64])
def test_bytes_without_sound_are_refused(content):
    """What cannot be decoded raises, it never reads as silence."""
    with pytest.raises(UndecodableError):
        decode(content)


def test_stale_prints_are_rebuilt_and_cached(tmp_path, monkeypatch):
    """Prints of other tracks are not trusted; new ones are kept in the user's cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "recordings"
    shutil.copytree(ROOT / "solo", root / "solo")
    shutil.copy(ROOT / "zero-start" / FILE, root / "solo" / FILE)
    corpus = load_corpus(root)
    digest = digest_of(load_recording(root, "solo"))
    assert next((tmp_path / "cache").rglob("*.npz")).stem == digest
    sound = decode(root / "solo" / RECORDINGS["solo"].tracks[0].file)
    assert texts(listen(sound, corpus)) == [u.text for u in RECORDINGS["solo"].utterances]


@pytest.mark.parametrize("name", RECORDINGS)
def test_committed_prints_fit_their_tracks(name):
    """No prints need to be made on a fresh machine."""
    with np.load(ROOT / name / FILE, allow_pickle=False) as prints:
        assert str(prints["digest"]) == digest_of(RECORDINGS[name])


def test_a_corpus_without_any_speech_knows_no_words(tmp_path):
    """A folder of silent recordings is a corpus too."""
    shutil.copytree(ROOT / "no-words", tmp_path / "no-words")
    corpus = load_corpus(tmp_path)
    assert listen(noise(1) * 0.1, corpus).is_unknown
    assert not listen(np.zeros(RATE, dtype=np.float32), corpus).is_unknown


@pytest.mark.heavy
def test_loading_and_listening_are_quick(corpus):
    """The corpus loads within 2 s; half a minute of speech is understood within 1 s (CPU time)."""
    began = time.process_time()
    load_corpus(ROOT)
    loaded = time.process_time()
    listen(decode(ALICE.path(ALICE.tracks[0])), corpus)
    heard = time.process_time()
    assert loaded - began < 2
    assert heard - loaded < 1
