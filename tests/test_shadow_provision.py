"""What `migrate register --with-store` makes, on a real S3 and a real database file."""

from __future__ import annotations

from pathlib import Path

import pytest

from reflector_migrate.clients.connections import connections
from reflector_migrate.harness import Harness
from reflector_migrate.settings import Settings
from reflector_migrate.shadow.provision import provision
from reflector_migrate.store.runs import Runs


def _settings(folder: Path, url: str, region: str) -> Settings:
    keys = {"access_key_id": "test", "secret_access_key": "test"}
    return Settings.model_validate(
        {
            "state_dir": folder,
            "s3": {"endpoint_url": url, "region": region, **keys},
            "reflector": {"database_url": f"sqlite:///{folder}/primary.db"},
            "candidate": {
                "database_url": f"sqlite:///{folder}/candidate.db",
                "tracks_bucket": f"tracks-{region}",
                "media_bucket": f"media-{region}",
            },
        }
    )


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_our_places_are_made_in_every_region_and_making_them_again_changes_nothing(
    tmp_path: Path, s3_url: str, region: str
) -> None:
    """S3 refuses its first region by name, and every other one unnamed."""
    settings = _settings(tmp_path, s3_url, region)
    provision(Harness.of(settings))
    provision(Harness.of(settings))
    s3 = connections(settings).s3
    for name in (settings.candidate.tracks_bucket, settings.candidate.media_bucket):
        where = s3.get_bucket_location(Bucket=name)["LocationConstraint"]
        assert (where or "us-east-1") == region
    assert Runs(settings.store_url).count_in_flight() == 0
    assert not (tmp_path / "primary.db").exists()
