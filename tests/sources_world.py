"""A local S3 with the four buckets, and tracks in it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import boto3
import numpy as np
from moto.server import ThreadedMotoServer

from tests.recorded_world import RUNS

if TYPE_CHECKING:
    from tests.pipeline_world import World

BUCKETS = ("daily-tracks", "reflector-media", "shadow-tracks", "shadow-media")


@contextmanager
def local_s3() -> Iterator[str]:
    """A real S3 API on a free port, with the four buckets."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = s3_client(url)
    for bucket in BUCKETS:
        client.create_bucket(Bucket=bucket)
    yield url
    server.stop()


def s3_client(url: str) -> Any:
    """A plain client of the local S3."""
    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip


def put_tracks(world: World, where: Path, *, is_brief: bool, first_s: float = 0.2) -> None:
    """The source tracks, in production's bucket and in the candidate's."""
    for bucket in BUCKETS:
        found = world.s3.list_objects_v2(Bucket=bucket).get("Contents", ())
        keys = [{"Key": one["Key"]} for one in found]
        if keys:
            world.s3.delete_objects(Bucket=bucket, Delete={"Objects": keys})
    own = where / "tracks"
    folder = own if own.is_dir() else RUNS / "tracks"
    for number, key in enumerate(world.scenario["keys"]):
        kind = "screen-audio" if "screen-audio" in key else "cam-audio"
        person = key.rsplit("/", 1)[-1].split("-", 1)[1][:8]
        path = folder / f"{person}-{kind}.webm"
        path = path if path.exists() else RUNS / "tracks" / path.name
        body = tone(first_s + number / 10) if is_brief else path.read_bytes()
        world.s3.put_object(Bucket="daily-tracks", Key=key, Body=body)
        world.s3.put_object(Bucket="shadow-tracks", Key=f"{world.run_id}/{key}", Body=body)


@lru_cache(maxsize=8)
def tone(start_s: float) -> bytes:
    """One second of a tone as Opus in WebM, starting at `start_s`."""
    out = io.BytesIO()
    with av.open(out, "w", format="webm") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono")
        at = np.arange(960) / 48_000
        for number in range(50):
            wave = (np.sin(2 * np.pi * 440 * at) * 8000).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
            frame.rate, frame.pts = 48_000, int(start_s * 48_000) + number * 960
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()
