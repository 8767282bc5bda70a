"""The sockets of this process: one pool for HTTP, one S3 client, one Redis client per server."""

from __future__ import annotations

import logging
import os
import ssl
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import httpx

from reflector_migrate.settings import S3Settings, Settings

if TYPE_CHECKING:
    from redis import Redis

POOL = httpx.Limits(max_connections=64, max_keepalive_connections=16, keepalive_expiry=15)
REDIS_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Connections:
    """Thread-safe clients; every request still names its own timeout."""

    http: httpx.Client
    s3: Any


def connections(settings: Settings) -> Connections:
    """This process's clients; a forked or spawned child makes its own on first use."""
    return _connections(os.getpid(), settings.s3)


def redis_at(url: str, timeout_s: float = REDIS_TIMEOUT_S) -> Redis:
    """This process's Redis client of a server; no retries."""
    return _redis(os.getpid(), url, timeout_s)


@lru_cache(maxsize=1)
def trusted_hosts() -> ssl.SSLContext:
    """The certificates that HTTPS clients trust, read once: reading them takes 20 ms and more."""
    return httpx.create_ssl_context()


@lru_cache(maxsize=8)
def _connections(_pid: int, s3: S3Settings) -> Connections:
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs whole URLs at INFO
    return Connections(http=httpx.Client(limits=POOL, verify=trusted_hosts()), s3=_s3(s3))


@lru_cache(maxsize=16)
def _redis(_pid: int, url: str, timeout_s: float) -> Redis:
    import redis

    return redis.Redis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s)


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
