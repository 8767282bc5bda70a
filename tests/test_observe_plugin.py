"""The plugin sees every outside call of a task, changes none, and fails open."""

from __future__ import annotations

import asyncio
import importlib
import sys
from hashlib import sha256

import httpx
import pytest

from reflector_migrate.plugin import FOLDER
from reflector_migrate.shadow.observe.calls import text_of

WEBHOOK = {
    "X-Webhook-Event": "transcript.completed", "X-Webhook-Signature": "t=17,v1=abcdef",
    "Authorization": "Bearer very-secret",
}  # fmt: skip


@pytest.fixture
def observe(monkeypatch):
    """The observer's file as a worker imports it, with httpx as it was afterwards."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setattr(httpx.AsyncClient, "send", httpx.AsyncClient.send)
    module = importlib.import_module("reflector_observe")
    yield module
    sys.modules.pop("reflector_observe")


def answer(request: httpx.Request) -> httpx.Response:
    """What the services answer."""
    if request.url.path.endswith("/chat/completions"):
        usage = {"prompt_tokens": 11, "completion_tokens": 5}
        return httpx.Response(200, json={"choices": [], "usage": usage})
    if request.url.path == "/down":
        raise httpx.ConnectError("down", request=request)
    return httpx.Response(200, json={"id": 3})


def call(method: str, url: str, **request) -> httpx.Response:
    """One call, as a task of theirs makes it."""

    async def made():
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            return await client.request(method, url, **request)

    return asyncio.run(made())


def everything() -> None:
    """A call of each service."""
    call("GET", "https://api.daily.co/v1/recordings/1")
    call("POST", "https://gpu/v1/audio/transcriptions-from-url", json={
        "audio_file_url": "https://s3/tracks/padded_0.webm?AWSAccessKeyId=KEY&Signature=abc",
    })  # fmt: skip
    call("POST", "https://llm/v1/chat/completions", json={"messages": ["words"]})
    call("POST", "https://zulip/api/v1/messages", data={"topic": "t", "content": "a & b"})
    call("POST", "https://customer/hook", content=b'{"event_id": "e"}', headers=WEBHOOK)


def seen_by(observe, mode: str, monkeypatch, work=everything):
    """What is collected while `work` runs as a task."""
    monkeypatch.setenv("MIGRATE_SHADOW_OBSERVE", mode)
    observe.begin("task-1")
    work()
    return observe.end("task-1")


def test_usage_has_everything_but_words(observe, monkeypatch):
    """Service, status, sizes, tokens and a digest of each call; no body, no address, no secret."""
    seen = seen_by(observe, "usage", monkeypatch)
    services = [c["service"] for c in seen.calls]
    assert services == ["daily", "recogniser", "llm", "zulip", "webhook"]
    assert {c["status"] for c in seen.calls} == {200}
    assert (seen.calls[2]["tokens_in"], seen.calls[2]["tokens_out"]) == (11, 5)
    assert seen.calls[4]["request_bytes"] == 17
    assert seen.calls[4]["request_sha256"] == sha256(b'{"event_id": "e"}').hexdigest()
    told = str(seen.calls)
    assert all(word not in told for word in ("words", "https", "KEY", "very-secret", "abcdef"))


def test_bodies_are_sent_without_keys(observe, monkeypatch):
    """What was sent is there as sent; presigned addresses and signatures are not."""
    calls = seen_by(observe, "bodies", monkeypatch).calls
    assert text_of(calls[1], "asked") == '{"audio_file_url":"https://s3/tracks/padded_0.webm"}'
    assert text_of(calls[3], "asked") == "topic=t&content=a+%26+b"
    assert text_of(calls[4], "asked") == '{"event_id": "e"}'
    digest = sha256(b"t=17,v1=abcdef").hexdigest()
    assert calls[4]["headers"]["x-webhook-signature"] == f"t=17,sha256={digest}"
    assert "very-secret" not in str(calls)


def test_nothing_wraps_nothing(observe, monkeypatch):
    """With `nothing`, httpx stays as it is."""
    before = httpx.AsyncClient.send
    assert seen_by(observe, "nothing", monkeypatch) is None
    assert httpx.AsyncClient.send is before


def test_a_call_that_fails_fails_as_before(observe, monkeypatch):
    """The exception passes through; its kind is sent."""

    def work():
        with pytest.raises(httpx.ConnectError, match="down"):
            call("GET", "https://elsewhere/down")

    (told,) = seen_by(observe, "usage", monkeypatch, work).calls
    assert (told["error"], told["status"], told["service"]) == ("ConnectError", None, "other")


def test_whatever_fails_in_here_the_call_goes_on(observe, monkeypatch):
    """An error of the observer's own is counted, and nothing else happens."""
    monkeypatch.setattr(observe, "facts_of", lambda *_: 1 / 0)
    answers = []
    seen = seen_by(
        observe, "usage", monkeypatch,
        lambda: answers.append(call("GET", "https://api.daily.co/v1/x").json()),
    )  # fmt: skip
    assert answers == [{"id": 3}]
    assert seen.calls == []
    assert observe.counts["errors"] == 1


def test_a_streamed_answer_is_left_to_its_reader(observe, monkeypatch):
    """It is noted that it was not seen; its reader gets all of it."""
    heard = []

    async def streamed():
        transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Drip()))
        url = "https://llm/v1/chat/completions"
        async with httpx.AsyncClient(transport=transport) as client, client.stream("GET", url) as r:
            heard.append(await r.aread())

    (told,) = seen_by(observe, "bodies", monkeypatch, lambda: asyncio.run(streamed())).calls
    assert heard == [b"drip"]
    assert told["unseen"] is True
    assert "answered" not in told


class Drip(httpx.AsyncByteStream):
    """A body that comes bit by bit."""

    async def __aiter__(self):
        """Two bits."""
        yield b"dr"
        yield b"ip"


def test_what_is_collected_is_bounded(observe, monkeypatch):
    """Calls beyond the bound are counted, and bodies beyond it are left out."""
    monkeypatch.setattr(observe, "MAX_CALLS", 2)
    monkeypatch.setattr(observe, "TASK_BYTES", 60)
    seen = seen_by(observe, "bodies", monkeypatch)
    assert (len(seen.calls), seen.left_out) == (2, 3)
    assert seen.body_bytes <= 60
    assert "asked" not in seen.calls[1]


def test_calls_belong_to_the_inner_step_they_were_made_in(observe, monkeypatch):
    """Also when two steps run at once."""

    async def step(name, number):
        with observe.inside(name, number):
            async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
                await client.post("https://llm/v1/chat/completions", json={})

    async def both():
        await asyncio.gather(step("generate_title", 0), step("generate_summaries", 0))

    seen = seen_by(observe, "usage", monkeypatch, lambda: asyncio.run(both()))
    assert {c["inside"] for c in seen.calls} == {"generate_title", "generate_summaries"}


def test_a_call_costs_microseconds(observe, monkeypatch):
    """The observer's own time is far below a millisecond a call."""
    seen = seen_by(observe, "usage", monkeypatch, lambda: [everything() for _ in range(20)])
    assert seen.own_s / len(seen.calls) < 0.001


@pytest.mark.parametrize(
    ("environ", "text", "found"),
    [
        pytest.param("", None, "usage", id="the default"),
        pytest.param("bodies", '[shadow]\nobserve = "nothing"', "bodies", id="the environment"),
        pytest.param("", '[shadow]\nobserve = "nothing"', "nothing", id="the file"),
        pytest.param("all", None, "usage", id="an unknown word"),
    ],
)
def test_the_mode_is_the_environments_or_the_files(
    observe, monkeypatch, tmp_path, environ, text, found
):
    """As the shadow flag is read."""
    monkeypatch.setenv("MIGRATE_SHADOW_OBSERVE", environ)
    monkeypatch.delenv("MIGRATE_CONFIG", raising=False)
    if text is not None:
        path = tmp_path / "migrate.toml"
        path.write_text(text)
        monkeypatch.setenv("MIGRATE_CONFIG", str(path))
    assert observe.mode() == found


def test_an_observer_that_fails_stops_no_step_of_theirs(observe, monkeypatch):
    """Neither one that raises nor one of another version, which lacks what is called."""
    shadow = importlib.import_module("reflector_shadow")
    monkeypatch.setattr(shadow, "_buffers", {"t": (buffer := shadow.Buffer())})
    token = shadow._current.set(buffer)

    async def pad_track():
        return "padded"

    try:
        for broken in (object(), None):
            monkeypatch.setattr(shadow, "_observer", lambda found=broken: found)
            assert asyncio.run(shadow._timed("pad_track", pad_track)()) == "padded"
    finally:
        shadow._current.reset(token)
        sys.modules.pop("reflector_shadow")
