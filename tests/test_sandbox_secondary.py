"""The second legacy worker shares nothing with the first that either writes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from reflector_migrate.experiments.secondary import is_sampled
from reflector_migrate.sandbox.recordings import load_recordings
from reflector_migrate.sandbox.servers.base import Folders
from reflector_migrate.sandbox.servers.workers import legacy, secondary
from reflector_migrate.settings import Settings, load_settings

ROOT = Path(__file__).parents[1] / "fixtures" / "recordings"
PLACES = ("database_url", "tracks_bucket", "media_bucket", "bus_url", "data_dir", "queue")


@pytest.fixture
def settings(tmp_path):
    """A sandbox's settings, as far as places go."""
    return Settings.model_validate(
        {
            "shadow": {"enabled": True},
            "reflector": {"database_url": f"sqlite:///{tmp_path}/reflector.db"},
            "secondary": {"database_url": f"sqlite:///{tmp_path}/secondary.db"},
        }
    )


def test_every_place_is_another(settings):
    """Primary, secondary and candidate agree on no place at all."""
    second = settings.as_secondary().reflector
    for place in PLACES:
        sides = [settings.reflector, second, settings.candidate]
        known = [getattr(side, place) for side in sides if hasattr(side, place)]
        assert len(set(map(str, known))) == len(known), place
    assert second.broker_url == settings.reflector.broker_url
    assert settings.as_secondary().services.zulip_bot_email != settings.services.zulip_bot_email


def test_the_worker_reads_them_from_its_environment(settings, tmp_path):
    """What the process is started with reads as the secondary's places; it stays silent."""
    server = secondary(Folders(tmp_path), settings)
    read = load_settings(environ=dict(server.env)).reflector
    for place in PLACES:
        assert getattr(read, place) == getattr(settings.as_secondary().reflector, place), place
    assert server.env["MIGRATE_SHADOW_ROLE"] == "secondary"
    assert server.argv[server.argv.index("-Q") + 1] == settings.secondary.queue
    first = legacy(Folders(tmp_path), settings)
    assert [word for word in first.argv if word not in server.argv] == ["legacy@%h"]


@pytest.mark.parametrize(("rate", "least", "most"), [(0.0, 0, 0), (0.5, 2, 13), (1.0, 15, 15)])
def test_the_share_is_stable(settings, rate, least, most):
    """The same recordings every time, none at 0 and all at 1."""
    shadow = settings.shadow.model_copy(update={"secondary_rate": rate})
    there = settings.model_copy(update={"shadow": shadow})
    recordings = load_recordings(ROOT).values()
    chosen = [[is_sampled(there, r) for r in recordings] for _ in range(2)]
    assert chosen[0] == chosen[1]
    assert least <= sum(chosen[0]) <= most
