"""What waits in the primary's own Redis: bounded in bytes, and announcements come first."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace
from typing import Any

import pytest
import redis

from reflector_migrate.plugin import FOLDER


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The plugin's module, which does nothing by itself while its flag is off."""
    monkeypatch.delenv("MIGRATE_SHADOW", raising=False)
    spec = importlib.util.spec_from_file_location("queue_plugin", FOLDER / "reflector_shadow.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def sender(plugin: Any, redis_server: str) -> Any:
    """The plugin's sender on a real Redis, without its thread."""
    url = f"{redis_server}/11"
    app = SimpleNamespace(conf=SimpleNamespace(broker_transport_options=None))
    made = object.__new__(plugin.Sender)
    made.app, made.queue_name, made.redis = app, "shadow", redis.Redis.from_url(url)
    made._redis_url = lambda: url
    yield made
    made.redis.delete("shadow")
    made.redis.close()


def test_timings_stop_long_before_announcements(plugin: Any, sender: Any, monkeypatch):
    """A flood of large timings fills its half; a recording is announced all the same."""
    monkeypatch.setattr(plugin, "MAX_QUEUE_BYTES", 1 << 20)
    large, small = b"t" * 50_000, b"a" * 1_000
    taken = sum(sender._publish(large, plugin.SPANS, {}) for _ in range(40))
    assert 5 <= taken <= 11
    assert sender._publish(small, plugin.DISPATCH, {}) is True
    announced = sum(sender._publish(large, plugin.DISPATCH, {}) for _ in range(40))
    assert announced <= 11
    assert sender._publish(large, plugin.DISPATCH, {}) is False
    assert sender.redis.memory_usage("shadow", samples=0) < 1.3 * (1 << 20)


def test_many_small_timings_leave_half_of_the_numbers(plugin: Any, sender: Any, monkeypatch):
    """By number too, also on a Redis that does not say how large a key is."""
    monkeypatch.setattr(plugin, "MAX_QUEUE", 10)

    def refused(*_key: object, **_how: object) -> int:
        raise redis.ResponseError("unknown command MEMORY")

    monkeypatch.setattr(sender.redis, "memory_usage", refused)
    assert [sender._publish(b"t", plugin.SPANS, {}) for _ in range(7)].count(True) == 5
    assert [sender._publish(b"a", plugin.DISPATCH, {}) for _ in range(7)].count(True) == 5
