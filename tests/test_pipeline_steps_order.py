"""However a JOIN lists its branches, tracks keep their order and words their speakers."""

from __future__ import annotations

import random

import pytest

from reflector_migrate.pipeline.runner import validated_input
from reflector_migrate.store.artifacts import Artifacts
from tests.pipeline_world import make_world

pytestmark = pytest.mark.heavy

MANY = 40
ORDERS = {
    "as text": sorted,  # _10 before _2
    "as text, backwards": lambda names: sorted(names, reverse=True),
    "by chance": lambda names: random.Random(len(names)).sample(sorted(names), len(names)),
}


@pytest.fixture(scope="module")
def world(s3_url, control, tmp_path_factory):
    """A recording of which only the words matter, stored for forty tracks."""
    folder = tmp_path_factory.mktemp("order")
    made = make_world(folder, s3_url, control, has_tracks=False)
    made.do("get_recording")
    return made


@pytest.fixture(scope="module")
def stored(world):
    """References of each track's words; every second word begins as another track's does."""
    store = Artifacts(world.settings.store_url)
    return [
        store.put("run-1", "transcribe_track", f"track_{index}", said_on(index))._asdict()
        for index in range(MANY)
    ]


def said_on(index):
    """Three words: one that all say at once, one at its own time, one that pairs say at once."""
    starts = (1.0, 2.0 + (MANY - index) / 10, 7.0 + index // 2)
    return [{"text": f"{index}/{n} ", "start": s, "end": s + 0.1} for n, s in enumerate(starts)]


@pytest.mark.parametrize("order", ORDERS)
def test_any_number_of_tracks_is_merged_in_the_order_of_their_index(world, stored, order):
    """One to forty: by start; where several begin at once, by track; speaker is the track."""
    for count in range(1, MANY + 1):
        names = ORDERS[order]([f"transcribe_track_{index}" for index in range(count)])
        joined = {name: branch(int(name.rsplit("_", 1)[1]), stored) for name in names}
        done = world.step("merge_transcripts", transcripts=joined, expected=tracks(count)).output
        words = Artifacts(world.settings.store_url).get(done["all_words"]["ref"])
        assert words == expected_of(count)
        text = next(e["data"]["text"] for e in world.row.events if e["event"] == "TRANSCRIPT")
        assert text == "".join(word["text"] for word in words)


@pytest.mark.parametrize("count", [2, 11, MANY])
def test_the_monolith_which_has_a_list_says_the_same(world, stored, count):
    """What it merges in the order of its loop is what the JOIN's dict comes to."""
    heard = [branch(index, stored) for index in range(count)]
    done = world.as_monolith("merge_transcripts", transcripts=heard)
    found = Artifacts(world.settings.store_url).get(done.output["all_words"]["ref"])
    assert found == expected_of(count)


@pytest.mark.parametrize("order", ORDERS)
def test_padded_tracks_are_mixed_and_given_out_in_the_order_of_their_index(world, order):
    """The mix's rate is the first track's; recognition is planned one branch a track."""
    for count in range(1, MANY + 1):
        names = ORDERS[order]([f"pad_track_{index}" for index in range(count)])
        joined = {name: padded(int(name.rsplit("_", 1)[1])) for name in names}
        given = {"run": world.run.model_dump(), "expected": tracks(count)}
        task = validated_input("mixdown_tracks", {**given, "padded_urls": joined})
        assert [track.track_index for track in task.padded_urls] == [*range(count)]
        given |= {"task_type": "transcribe_track", "padded": joined}
        plan = world.step("generate_dynamic_fork_tasks", **given).output
        branches = [f"transcribe_track_{index}" for index in range(count)]
        assert [one["taskReferenceName"] for one in plan["tasks"]] == branches
        urls = [plan["inputs"][name]["audio_url"] for name in branches]
        assert urls == [padded(index)["padded_url"] for index in range(count)]


def tracks(count):
    """As the workflow has them."""
    return [{"track_index": index, "s3_key": f"k{index}"} for index in range(count)]


def branch(index, stored):
    """What recognition of one track gave."""
    return {"track_index": index, "words": stored[index]}


def padded(index):
    """What padding of one track gave."""
    url = f"s3://shadow-media/padded_{index}.webm"
    told = {"padded_url": url, "size": 1, "padded": True, "start_s": 1.0}
    return {"track_index": index, **told}


def expected_of(count):
    """All words by start and then by track, each with its speaker."""
    words = [{**word, "speaker": index} for index in range(count) for word in said_on(index)]
    return sorted(words, key=lambda word: (word["start"], word["speaker"]))
