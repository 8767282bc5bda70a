"""S3: objects by `s3://bucket/key`, every byte and request counted.

A configured bucket may be `bucket/folder`; the folder is then the head of every
key below it. (Legacy also puts the folder before keys of *other* buckets, where
nothing can be found: not repeated here.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from reflector_migrate.errors import TerminalStepError, TransientStepError
from reflector_migrate.pipeline.meter import UsageMeter

CHUNK_BYTES = 1 << 20
SCHEME = "s3://"


class Stored(NamedTuple):
    """Size and hex SHA-256 of an object that went through here."""

    size_bytes: int
    sha256: str


class Listed(NamedTuple):
    """An object found in a listing."""

    address: str
    size_bytes: int


def address(bucket: str, key: str) -> str:
    """The address of a key in a bucket or `bucket/folder`."""
    return f"{SCHEME}{bucket.strip('/')}/{key}"


class Storage:
    """Reads everywhere, writes only below `writable` (buckets or `bucket/folder`); None is all."""

    def __init__(
        self, client: Any, meter: UsageMeter, writable: frozenset[str] | None = None
    ) -> None:
        self._client, self._meter, self._writable = client, meter, writable

    def put_file(self, to: str, path: Path) -> Stored:
        """Store a file without naming its content type, as legacy does."""
        bucket, key = self._own(to)
        stored = hash_file(path)
        with _judged(to), path.open("rb") as body:
            self._client.put_object(Bucket=bucket, Key=key, Body=body)
        self._count(stored.size_bytes)
        return stored

    def get_file(self, source: str, path: Path) -> Stored:
        """Fetch an object into a file."""
        with path.open("wb") as out:
            return self._stream(source, out.write)

    def checksum(self, source: str) -> Stored:
        """Size and hash of an object, read once and not kept."""
        return self._stream(source, lambda _chunk: None)

    def size(self, source: str) -> int:
        """Bytes of an object; TerminalStepError when it is not there."""
        bucket, key = _split(source)
        with _judged(source):
            found = self._client.head_object(Bucket=bucket, Key=key)
        self._count(0)
        return int(found["ContentLength"])

    def presign(self, source: str, expires_s: int) -> str:
        """A URL that reads the object for `expires_s` seconds; never log it."""
        bucket, key = _split(source)
        with _judged(source):
            return str(
                self._client.generate_presigned_url(
                    "get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=expires_s
                )
            )

    def delete(self, target: str) -> None:
        """Delete an object; a missing one is not an error."""
        bucket, key = self._own(target)
        with _judged(target):
            self._client.delete_object(Bucket=bucket, Key=key)
        self._count(0)

    def copy(self, source: str, to: str) -> None:
        """Copy an object within this S3."""
        from_bucket, from_key = _split(source)
        bucket, key = self._own(to)
        with _judged(source):
            self._client.copy_object(
                Bucket=bucket, Key=key, CopySource={"Bucket": from_bucket, "Key": from_key}
            )
        self._count(0)

    def list(self, prefix: str) -> tuple[Listed, ...]:
        """Every object whose address starts with `prefix` (`s3://bucket/` at least)."""
        bucket, _, key = prefix.removeprefix(SCHEME).partition("/")
        found: list[Listed] = []
        with _judged(prefix):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=bucket, Prefix=key):
                self._count(0)
                rows = page.get("Contents", ())
                found += [Listed(f"{SCHEME}{bucket}/{o['Key']}", int(o["Size"])) for o in rows]
        return tuple(found)

    def _stream(self, source: str, take: Callable[[bytes], Any]) -> Stored:
        bucket, key = _split(source)
        digest, size = hashlib.sha256(), 0
        with _judged(source):
            body = self._client.get_object(Bucket=bucket, Key=key)["Body"]
            for chunk in body.iter_chunks(CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
                take(chunk)
        self._count(size)
        return Stored(size, digest.hexdigest())

    def _count(self, size_bytes: int) -> None:
        self._meter.add(s3_requests=1, s3_bytes=size_bytes)

    def _own(self, target: str) -> tuple[str, str]:
        allowed = self._writable
        if allowed is not None and not any(
            target.startswith(f"{SCHEME}{place.strip('/')}/") for place in allowed
        ):
            raise TerminalStepError(f"{target} lies outside this run's namespace")
        return _split(target)


def hash_file(path: Path) -> Stored:
    """Size and hash of a local file."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
    return Stored(path.stat().st_size, digest.hexdigest())


def _split(where: str) -> tuple[str, str]:
    bucket, _, key = where.removeprefix(SCHEME).partition("/")
    if not where.startswith(SCHEME) or not bucket or not key:
        shown = where.partition("?")[0][:200]
        raise TerminalStepError(f"an object's address must be s3://bucket/key, not {shown!r}")
    return bucket, key


@contextmanager
def _judged(where: str) -> Iterator[None]:
    from botocore import exceptions as s3

    try:
        yield
    except s3.ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        code = error.response.get("Error", {}).get("Code", "unknown")
        is_hopeless = 400 <= status < 500 and status not in {408, 409, 429}
        kind = TerminalStepError if is_hopeless else TransientStepError
        raise kind(f"{where}: S3 answered {code} (HTTP {status})") from None
    except (s3.ParamValidationError, s3.NoCredentialsError, s3.PartialCredentialsError) as error:
        raise TerminalStepError(f"{where}: {type(error).__name__}") from None
    except s3.BotoCoreError as error:
        raise TransientStepError(f"{where}: {type(error).__name__}") from None
