"""The server that the requirements name, Conductor 3.15.0: nothing differs there either.

Recordings of different shapes, all at once: three tracks, refused consent, a track that cannot
be heard, one speaker reprocessed, and a silent one. On 3.32.3 the same is asked of all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reflector_migrate.model import Verdict
from reflector_migrate.sandbox.recordings import load_recordings
from reflector_migrate.sandbox.stack import Sandbox
from tests.parity_live import Judged, assert_gates_hear, run_all
from tests.parity_world import differences
from tests.patience import PATIENT

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

RECORDINGS = load_recordings(Path(__file__).parents[1] / "fixtures/recordings")
NAMES = ("three-voices", "consent-denied", "unknown-sound", "broken-track", "reprocess")


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The whole sandbox on the seed's server, with Redis for its database."""
    folder = tmp_path_factory.mktemp("v315")
    with Sandbox(PATIENT, folder, shadow=True, conductor_version="3.15.0") as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def ran(seeds: Sandbox) -> dict[str, Judged | Exception]:
    """Each recording, once."""
    return run_all(seeds.settings, NAMES, timeout_s=400)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_differs_on_the_seeds_own_server(
    ran: dict[str, Judged | Exception], name: str
) -> None:
    """Row, events, captions, media, objects, Zulip, webhook, broadcasts; the verdict agrees."""
    found = ran[name]
    assert isinstance(found, Judged), found
    assert differences(found, is_cut_short=RECORDINGS[name].expect.failed_step == "pad_track") == []
    assert found.comparison.verdict is Verdict.MATCHED


def test_the_gates_hear_of_it(seeds: Sandbox, ran: dict[str, Judged | Exception]) -> None:
    """What ran on the seed's server is evidence as on the other."""
    assert isinstance(ran["three-voices"], Judged)
    assert_gates_hear(seeds.settings, complete="three-voices", broken="broken-track")
