"""Nothing leaves: any library's connection to a host that no setting names is refused."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from reflector_migrate.errors import RefusedError
from reflector_migrate.pipeline.connection_guard import ConnectionGuard, configured_hosts
from reflector_migrate.settings import Settings
from tests.answering import answering

pytestmark = pytest.mark.heavy

STEP = """
import json, sys
import boto3, httpx, redis
from botocore.config import Config
from reflector_migrate.pipeline.connection_guard import guard_connections
from reflector_migrate.pipeline.runner import as_step_errors
from reflector_migrate.settings import Settings

port = sys.argv[1]
settings = Settings.model_validate({"services": {"llm_url": f"http://127.0.0.1:{port}/v1"}})
guard_connections(settings)

def ways(host):
    yield "httpx", lambda: httpx.get(f"http://{host}:{port}/x", timeout=5)
    yield "redis", lambda: redis.Redis(host=host, port=port, socket_timeout=1).ping()
    yield "s3", lambda: boto3.client(
        "s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1",
        aws_access_key_id="a", aws_secret_access_key="b",
        config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"})).list_buckets()

def tried(way):
    try:
        with as_step_errors():
            way()
        return "answered"
    except Exception as error:
        return f"{type(error).__name__}: {error}"

print(json.dumps({host: {name: tried(way) for name, way in ways(host)}
                  for host in ("127.0.0.1", "127.0.0.2", "customer.example")}))
"""
"""What a step could try, in a process whose settings name 127.0.0.1 alone."""


def test_a_step_that_tries_to_leave_is_stopped():
    """By HTTP, Redis or S3, by address or by name; the configured host answers."""
    asked = []

    def answer(method, path):
        asked.append(path)
        return 200, {}

    with answering(answer) as url:
        port = url.removesuffix("/api").rpartition(":")[2]
        done = subprocess.run(
            [sys.executable, "-c", STEP, port], capture_output=True, text=True, check=True
        )
    found = json.loads(done.stdout)
    assert found["127.0.0.1"]["httpx"] == "answered"
    for host in ("127.0.0.2", "customer.example"):
        assert all("was refused" in said for said in found[host].values()), found[host]
    assert found["127.0.0.2"]["httpx"].startswith("TerminalStepError")
    assert asked.count("/x") == 1


@pytest.mark.parametrize(
    ("event", "arguments", "is_refused"),
    [
        pytest.param("socket.getaddrinfo", ("llm.internal", 443), False, id="a configured name"),
        pytest.param("socket.getaddrinfo", (b"evil.example", 443), True, id="another name"),
        pytest.param("socket.connect", (None, ("10.0.0.7", 443)), False, id="its address"),
        pytest.param("socket.connect", (None, ("10.0.0.8", 443)), True, id="another address"),
        pytest.param("socket.connect", (None, "/run/redis.sock"), False, id="a local socket"),
        pytest.param("socket.getaddrinfo", ("b.s3.amazonaws.com", 443), False, id="a bucket"),
        pytest.param("socket.getaddrinfo", ("amazonaws.com.evil", 443), True, id="only ends so"),
        pytest.param("open", ("/etc/passwd",), False, id="no connection"),
    ],
)
def test_what_is_refused(event, arguments, is_refused):
    """Hosts that settings name, and the addresses they have."""
    settings = Settings.model_validate({"services": {"llm_url": "https://llm.internal/v1"}})
    addresses = {"llm.internal": ["10.0.0.7"]}
    guard = ConnectionGuard(configured_hosts(settings), lambda host: addresses.get(host, ()))
    if is_refused:
        with pytest.raises(RefusedError, match="no setting names that host"):
            guard.hook(event, arguments)
    else:
        guard.hook(event, arguments)
