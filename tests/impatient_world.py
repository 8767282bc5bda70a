"""A recording whose services are not waited for, and what its steps receive."""

from __future__ import annotations

import pytest

from reflector_migrate.store.artifacts import Artifacts
from tests.pipeline_world import make_world

QUICK = {"llm_timeout_s": 0.5, "transcript_timeout_s": 0.5, "daily_timeout_s": 0.3}


@pytest.fixture
def world(s3_url, control, tmp_path):
    """A recording without tracks, and impatient clients."""
    return make_world(tmp_path, s3_url, control, has_tracks=False, services=QUICK)


@pytest.fixture
def sounding(s3_url, control, tmp_path):
    """The same with short tracks."""
    return make_world(tmp_path, s3_url, control, is_brief=True, services=QUICK)


@pytest.fixture
def said(world):
    """Two merged words that stand stored, as references."""
    words = [
        {"text": "Hello. ", "start": 0.5, "end": 0.9, "speaker": 0},
        {"text": "Yes. ", "start": 1.0, "end": 1.2, "speaker": 1},
    ]
    store = Artifacts(world.settings.store_url)
    topic = {"title": "Greetings", "summary": "", "timestamp": 0.5, "words": words}
    world.control.replay()
    return {
        "words": store.put("run-1", "merge_transcripts", "all_words", words)._asdict(),
        "topics": store.put("run-1", "detect_topics", "topics", [topic])._asdict(),
    }


def track(world):
    """A task for transcribe_track on an object that is not even there."""
    return {
        "track_index": 0,
        "audio_url": "s3://shadow-media/track.webm",
        "language": "en",
        "audio_sha256": "0" * 64,
    }


def task_for(step, said):
    """What `step` receives about the two words."""
    wanted = {"detect_topics": ("words",), "generate_title": ("topics",)}
    return {name: said[name] for name in wanted.get(step, ("words", "topics"))}
