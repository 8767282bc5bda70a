"""The sockets of this process: one pool for HTTP, one S3 client, one bus client per settings."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import httpx

from reflector_migrate.settings import S3Settings, Settings

POOL = httpx.Limits(max_connections=64, max_keepalive_connections=16, keepalive_expiry=15)
BUS_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Connections:
    """Thread-safe clients; every request still names its own timeout."""

    http: httpx.Client
    s3: Any


def connections(settings: Settings) -> Connections:
    """This process's clients; a forked or spawned child makes its own on first use."""
    return _connections(os.getpid(), settings.s3)


def bus(url: str) -> Any:
    """This process's Redis client for publishing; no retries, short timeouts."""
    return _bus(os.getpid(), url)


def bus_listener(url: str) -> Any:
    """A new Redis subscriber; its caller closes it."""
    return bus(url).pubsub()


@lru_cache(maxsize=8)
def _connections(_pid: int, s3: S3Settings) -> Connections:
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs whole URLs at INFO
    return Connections(http=httpx.Client(limits=POOL), s3=_s3(s3))


@lru_cache(maxsize=8)
def _bus(_pid: int, url: str) -> Any:
    import redis

    return redis.Redis.from_url(
        url, socket_timeout=BUS_TIMEOUT_S, socket_connect_timeout=BUS_TIMEOUT_S
    )


def _s3(settings: S3Settings) -> Any:
    import boto3
    from botocore.config import Config

    key, secret = settings.access_key_id, settings.secret_access_key
    return boto3.session.Session().client(
        "s3",
        endpoint_url=settings.endpoint_url,
        region_name=settings.region,
        aws_access_key_id=key.get_secret_value() if key else None,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=Config(
            connect_timeout=settings.connect_timeout_s,
            read_timeout=settings.read_timeout_s,
            retries={"max_attempts": 3, "mode": "standard"},
            max_pool_connections=32,
            # only AWS itself is sure to know the newer checksums
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
