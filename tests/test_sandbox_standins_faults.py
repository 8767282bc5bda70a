"""Faults break exactly the requests they should, in the way they should."""

import time

import httpx
import pytest

pytestmark = pytest.mark.heavy

ASK = {"model": "m", "messages": [{"role": "user", "content": "We meet on Friday."}]}
BOT = ("bot@rig.test", "zulip-key")


@pytest.fixture
def standins(control):
    """The process with an empty memory."""
    control.reset()
    return control


def ask(standins, http, **headers):
    """One chat completion."""
    return http.post(f"{standins.url('llm')}/chat/completions", json=ASK, headers=headers)


@pytest.mark.parametrize(
    ("kind", "extra", "status"),
    [
        pytest.param("http_500", {}, 500, id="server error"),
        pytest.param("http_500", {"status": 503}, 503, id="unavailable"),
        pytest.param("http_4xx", {}, 400, id="client error"),
        pytest.param("http_4xx", {"status": 429}, 429, id="too many"),
        pytest.param("timeout", {"latency_s": 0.05}, 504, id="silence that ends"),
    ],
)
def test_a_fault_gives_its_status(standins, http, kind, extra, status):
    """The status is what was asked for, and the request is recorded with it."""
    standins.set_fault("llm", kind, **extra)
    assert ask(standins, http).status_code == status
    recorded = standins.requests("llm")[0]
    assert (recorded["status"], recorded["fault"]) == (status, kind)


def test_a_fault_strikes_after_k_and_only_n_times(standins, http):
    """The third and fourth request fail, the others do not."""
    standins.set_fault("llm", "http_500", after=2, times=2)
    statuses = [ask(standins, http).status_code for _ in range(6)]
    assert statuses == [200, 200, 500, 500, 200, 200]
    assert standins.faults()[0] | {"seen": 6, "fired": 2} == standins.faults()[0]


@pytest.mark.parametrize(
    ("match", "status"),
    [
        pytest.param("Friday", 500, id="in the body"),
        pytest.param("chat/completions", 500, id="in the path"),
        pytest.param("topic_analysis", 500, id="in the purpose"),
        pytest.param("Saturday", 200, id="nowhere"),
    ],
)
def test_a_fault_matches_path_body_or_purpose(standins, http, match, status):
    """Only requests that hold the substring are broken."""
    standins.set_fault("llm", "http_500", match=match)
    assert ask(standins, http, **{"X-Reflector-Purpose": "topic"}).status_code == status


def test_a_fault_of_one_service_leaves_the_others_alone(standins, http):
    """A broken Zulip does not break the language model."""
    standins.set_fault("zulip", "http_500")
    assert ask(standins, http).status_code == 200


def test_slow_is_late_and_true(standins, http):
    """The true answer comes, after the latency."""
    began = time.monotonic()
    standins.set_fault("llm", "slow", latency_s=0.3)
    assert ask(standins, http).json()["choices"][0]["message"]["content"]
    assert time.monotonic() - began >= 0.3


def test_silence_outlasts_the_client(standins, http):
    """A client without patience meets its own timeout, not an answer."""
    standins.set_fault("llm", "timeout")
    with pytest.raises(httpx.ReadTimeout):
        http.post(f"{standins.url('llm')}/chat/completions", json=ASK, timeout=0.3)


def test_a_reset_connection_gives_no_answer(standins, http):
    """The client sees the connection break; the record says 0."""
    standins.set_fault("llm", "connection_reset", times=1)
    with pytest.raises(httpx.ReadError):
        ask(standins, http)
    assert standins.requests("llm")[0]["status"] == 0
    assert ask(standins, http).status_code == 200


def test_a_lost_answer_has_done_its_work(standins, http):
    """The message stands although its sender never heard so: a retry must look first."""
    standins.set_fault("zulip", "lost_answer", times=1)
    form = {"type": "stream", "to": "general", "topic": "t", "content": "marker-1"}
    with pytest.raises(httpx.ReadError):
        http.post(f"{standins.url('zulip')}/api/v1/messages", data=form, auth=BOT)
    assert [m["content"] for m in standins.zulip_messages()] == ["marker-1"]


def test_a_failing_zulip_keeps_nothing(standins, http):
    """With a plain failure nothing was posted."""
    standins.set_fault("zulip", "http_500")
    form = {"type": "stream", "to": "general", "topic": "t", "content": "marker-1"}
    http.post(f"{standins.url('zulip')}/api/v1/messages", data=form, auth=BOT)
    assert standins.zulip_messages() == []


def test_the_receiver_remembers_what_it_failed_to_answer(standins, http):
    """A webhook that met a fault was still delivered, and is recorded with that status."""
    standins.set_fault("webhook", "http_500", times=1)
    standins.set_fault("webhook", "connection_reset", after=1, times=1)
    url = f"{standins.url('webhook')}/hook"
    assert http.post(url, content=b"{}").status_code == 500
    with pytest.raises(httpx.ReadError):
        http.post(url, content=b"{}")
    assert [d["status"] for d in standins.webhooks()] == [500, 0]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        pytest.param("empty", "", id="empty"),
        pytest.param("malformed_json", '{"title": "Unfini', id="broken JSON"),
    ],
)
def test_a_model_that_talks_nonsense_still_wraps_it_well(standins, http, kind, content):
    """The envelope is sound, the message inside is not: what real models do."""
    standins.set_fault("llm", kind)
    assert ask(standins, http).json()["choices"][0]["message"]["content"] == content


@pytest.mark.parametrize("service", ["llm", "daily", "zulip", "webhook"])
def test_a_malformed_body_is_not_json(standins, http, service):
    """The answer claims to be JSON and breaks off."""
    standins.set_fault(service, "malformed_body")
    paths = {"llm": "/models", "daily": "/recordings", "zulip": "/api/v1/messages"}
    method = "POST" if service == "webhook" else "GET"
    answer = http.request(method, standins.url(service) + paths.get(service, "/hook"))
    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        answer.json()


def test_latency_is_spent_on_every_call(standins, http):
    """The benchmark's `S seconds a call`."""
    standins.set_noise("llm", latency_s=0.2, rate=0.0)
    began = time.monotonic()
    ask(standins, http)
    ask(standins, http)
    assert time.monotonic() - began >= 0.4


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"service": "llm", "kind": "gremlins"}, id="unknown kind"),
        pytest.param({"service": "fax", "kind": "slow"}, id="unknown service"),
        pytest.param({"service": "llm", "kind": "slow", "often": 3}, id="unknown field"),
        pytest.param({"kind": "slow"}, id="no service"),
        pytest.param("slow", id="no object"),
    ],
)
def test_a_wrong_switch_is_refused(standins, http, fault):
    """A mistyped switch never passes for one that does nothing."""
    answer = http.put(f"{standins.base_url}/control/faults", json=fault)
    assert answer.status_code == 422
    assert standins.faults() == []


def test_switches_are_cleared_by_service(standins):
    """Clearing one service leaves the others broken."""
    standins.set_fault("llm", "http_500")
    standins.set_fault("zulip", "http_500")
    standins.clear_faults("llm")
    assert [f["service"] for f in standins.faults()] == ["zulip"]
    standins.clear_faults()
    assert standins.faults() == []
