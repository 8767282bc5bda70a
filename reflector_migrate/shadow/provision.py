"""Makes the places that are ours: the store, the candidate's database and its buckets."""

from __future__ import annotations

from reflector_migrate.errors import MigrateError
from reflector_migrate.harness import Harness
from reflector_migrate.shadow.snapshot import require_separate

FIRST_REGION = "us-east-1"


def provision(harness: Harness) -> None:
    """Bring store, candidate tables and candidate buckets up; repeatable, deletes nothing.

    Raises ConfigurationError where a place is the primary's too, RefusedError where the
    candidate's database holds rows of Reflector's and does not carry our mark.
    """
    from reflector_migrate.pipeline.rows import create_all, write_mark
    from reflector_migrate.store.migrate import upgrade

    require_separate(harness.settings)
    write_mark(harness.settings.candidate.database_url or "")
    upgrade(harness.settings.store_url)
    create_all(harness.settings.candidate.database_url or "")
    _buckets(
        harness, harness.settings.candidate.tracks_bucket, harness.settings.candidate.media_bucket
    )


def provision_stand_in(harness: Harness) -> None:
    """Make what a real Reflector would already have; never for a real deployment."""
    from reflector_migrate.pipeline.rows import create_all, write_mark

    write_mark(harness.settings.reflector.database_url or "", "stand-in")
    create_all(harness.settings.reflector.database_url or "")
    _buckets(
        harness, harness.settings.reflector.tracks_bucket, harness.settings.reflector.media_bucket
    )


def _buckets(harness: Harness, *names: str) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    s3, region = harness.connections.s3, harness.settings.s3.region
    # S3 wants to be told of every region but its first, and refuses to hear of that one
    elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        known = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
        for name in {name.split("/", 1)[0] for name in names} - known:
            s3.create_bucket(Bucket=name, **({} if region == FIRST_REGION else elsewhere))
    except (BotoCoreError, ClientError) as error:
        hint = "settings of [s3]; its keys may be needed to list and to make buckets"
        raise MigrateError(f"S3: {error}", hint=hint) from error
