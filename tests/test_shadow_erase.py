"""A run is erased from the candidate's places whatever state it reached; nothing else is."""

from __future__ import annotations

import pytest

from reflector_migrate.errors import ConfigurationError, RefusedError
from reflector_migrate.pipeline.places import candidate_url, place_of_run
from reflector_migrate.pipeline.rows import fill_run_tables, write_mark
from reflector_migrate.shadow.erase import erase_run
from tests.pipeline_world import make_world


@pytest.fixture
def world(tmp_path, s3_url, control):
    """A run that stopped after its mix, as one that failed or was terminated."""
    made = make_world(tmp_path, s3_url, control, is_brief=True)
    made.whole(until="mixdown_tracks")
    return made


def test_a_run_that_stopped_midway_leaves_no_sound_and_no_row(world) -> None:
    """Tracks, padded tracks, mix, files and rows go, twice without harm; another run's stay."""
    url = candidate_url(world.settings)
    write_mark(url)
    fill_run_tables(url, "run-2", {})
    for bucket in ("shadow-tracks", "shadow-media"):
        assert world.keys(bucket) != []
        world.s3.put_object(Bucket=bucket, Key="run-2/kept", Body=b"")
    folder = place_of_run(world.settings, world.run_id).data_dir
    assert folder.is_dir()
    theirs = world.keys("daily-tracks")
    for _ in range(2):
        erase_run(world.settings, world.run_id)
    for bucket in ("shadow-tracks", "shadow-media"):
        assert world.keys(bucket) == []
        assert world.s3.head_object(Bucket=bucket, Key="run-2/kept")
    assert not folder.exists()
    rows = fill_run_tables(url, world.run_id, {})
    assert rows.find_transcript(world.run.transcript_id) is None
    assert world.keys("daily-tracks") == theirs


def test_nothing_is_erased_where_our_mark_is_missing_or_a_place_is_the_primarys(world) -> None:
    """Neither objects nor files nor rows."""
    before = world.keys("shadow-media"), world.row
    with pytest.raises(RefusedError, match="mark"):
        erase_run(world.settings, world.run_id)
    candidate = world.settings.candidate.model_copy(update={"media_bucket": "reflector-media"})
    with pytest.raises(ConfigurationError, match=r"candidate\.media_bucket"):
        erase_run(world.settings.model_copy(update={"candidate": candidate}), world.run_id)
    assert (world.keys("shadow-media"), world.row) == before
