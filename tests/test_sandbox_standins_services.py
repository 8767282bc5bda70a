"""Daily, Zulip and the webhook receiver keep their contracts and show what they got."""

import hashlib
import json

import httpx
import pytest

BOT = ("bot@rig.test", "zulip-key")
BEARER = {"Authorization": "Bearer daily-key"}
RECORDING = {"id": "rec-1", "room_name": "room-1", "status": "finished", "mtgSessionId": "mtg-1"}
PEOPLE = [{"participant_id": "p1", "user_name": "Alice Archer", "user_id": "u1"}]


@pytest.fixture
def standins(control):
    """The process with an empty memory."""
    control.reset()
    return control


def test_daily_reports_a_recording_and_who_took_part(standins, http):
    """What was put is what is answered, by recording and by meeting."""
    standins.put_daily_recording(RECORDING, PEOPLE)
    daily = standins.url("daily")
    assert http.get(f"{daily}/recordings/rec-1", headers=BEARER).json() == RECORDING
    found = http.get(f"{daily}/meetings/mtg-1/participants", headers=BEARER)
    assert found.json() == {"data": PEOPLE}


def test_daily_lists_the_newest_first_up_to_the_limit(standins, http):
    """The poller sees the latest recordings."""
    for number in range(3):
        standins.put_daily_recording(RECORDING | {"id": f"rec-{number}"})
    listed = http.get(f"{standins.url('daily')}/recordings?limit=2", headers=BEARER).json()
    assert [r["id"] for r in listed["data"]] == ["rec-2", "rec-1"]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        pytest.param("/recordings/rec-1", {}, 401, id="no key"),
        pytest.param("/recordings/none", BEARER, 404, id="unknown recording"),
        pytest.param("/meetings/none/participants", BEARER, 404, id="unknown meeting"),
        pytest.param("/recordings?limit=many", BEARER, 400, id="limit is no number"),
    ],
)
def test_daily_refuses(standins, http, path, headers, status):
    """Wrong requests get the status that Daily gives them."""
    answer = http.get(standins.url("daily") + path, headers=headers)
    assert answer.status_code == status
    assert "error" in answer.json()


def test_daily_reports_who_is_in_a_room(standins, http):
    """Presence is empty until it is set."""
    url = f"{standins.url('daily')}/rooms/room-1/presence"
    assert http.get(url, headers=BEARER).json() == {"total_count": 0, "data": []}
    standins.put_daily_presence("room-1", [{"id": "p1"}])
    assert http.get(url, headers=BEARER).json() == {"total_count": 1, "data": [{"id": "p1"}]}


def test_zulip_posts_edits_finds_and_deletes(standins, http):
    """A message lives through its whole life under one id."""
    url = f"{standins.url('zulip')}/api/v1/messages"
    form = {"type": "stream", "to": "general", "topic": "meetings", "content": "# Ein Titel – ü"}
    posted = http.post(url, data=form, auth=BOT).json()
    assert posted["result"] == "success"
    edit = http.patch(f"{url}/{posted['id']}", data={"content": "# Edited <marker-7>"}, auth=BOT)
    assert edit.json()["result"] == "success"
    assert standins.zulip_messages()[0]["content"] == "# Edited <marker-7>"
    assert [m["id"] for m in _search(http, url, "marker-7")] == [posted["id"]]
    assert _search(http, url, "marker-8") == []
    assert http.delete(f"{url}/{posted['id']}", auth=BOT).json()["result"] == "success"
    assert standins.zulip_messages() == []


@pytest.mark.parametrize(
    ("auth", "form", "status"),
    [
        pytest.param(None, {"type": "stream", "to": "a", "content": "b"}, 401, id="no auth"),
        pytest.param(BOT, {"type": "stream", "to": "a"}, 400, id="no content"),
    ],
)
def test_zulip_refuses(standins, http, auth, form, status):
    """A refused message is not kept."""
    answer = http.post(f"{standins.url('zulip')}/api/v1/messages", data=form, auth=auth)
    assert (answer.status_code, answer.json()["result"]) == (status, "error")
    assert standins.zulip_messages() == []


def test_zulip_edits_only_what_exists(standins, http):
    """An edit of an unknown message fails as it does on a real server."""
    url = f"{standins.url('zulip')}/api/v1/messages/4711"
    assert http.patch(url, data={"content": "x"}, auth=BOT).status_code == 400


def test_the_webhook_body_is_kept_to_the_byte(standins, http):
    """A signature over the raw body can be checked afterwards."""
    body = json.dumps({"event": "transcript.completed", "title": "Über"}).encode() + b" \n"
    headers = {"X-Webhook-Signature": "t=1,v1=ab", "Authorization": "Bearer secret-key"}
    assert http.post(f"{standins.url('webhook')}/a/b", content=body, headers=headers).is_success
    delivery = standins.webhooks()[0]
    assert delivery["body"].encode() == body
    assert delivery["headers"]["x-webhook-signature"] == "t=1,v1=ab"
    assert (delivery["path"], delivery["status"]) == ("a/b", 200)
    assert "secret-key" not in json.dumps(standins.webhooks())


def test_the_webhook_answers_a_settable_status_so_many_times(standins, http):
    """A customer's server that recovers after two failures."""
    standins.set_webhook_status("hook", 503, times=2)
    url = f"{standins.url('webhook')}/hook"
    assert [http.post(url, content=b"{}").status_code for _ in range(3)] == [503, 503, 200]
    assert [d["status"] for d in standins.webhooks()] == [503, 503, 200]
    assert http.post(f"{standins.url('webhook')}/other", content=b"{}").status_code == 200


def test_every_request_is_recorded_without_its_secrets(standins, http):
    """Keys and presigned signatures are blotted out; large bodies are cut, and say so."""
    chat = f"{standins.url('llm')}/chat/completions"
    url = "http://s3/b/padded_0.webm?AWSAccessKeyId=test&Signature=abcdef&Expires=1"
    message = {"role": "user", "content": f"{url} " + "word " * 20_000}
    http.post(chat, json={"messages": [message]}, headers={"Authorization": "Bearer llm-secret"})
    recorded = standins.requests("llm")[0]
    assert recorded["headers"]["authorization"] == "[redacted]"
    assert "abcdef" not in recorded["body"]
    assert recorded["is_truncated"]
    assert recorded["size_bytes"] > 100_000
    assert len(recorded["body"]) < 70_000
    assert recorded["status"] == 200


def test_a_large_webhook_is_evidence_and_is_not_cut(standins, http):
    """What a customer was sent can be compared whole."""
    body = b"x" * 300_000
    http.post(f"{standins.url('webhook')}/hook", content=body)
    recorded = standins.requests("webhook")[0]
    assert not recorded["is_truncated"]
    kept = hashlib.sha256(recorded["body"].encode()).hexdigest()
    assert kept == hashlib.sha256(body).hexdigest()


def test_reset_forgets_all_but_what_is_kept(standins, http):
    """A test can start clean without losing what the sandbox set for Daily."""
    standins.put_daily_recording(RECORDING, PEOPLE)
    standins.set_fault("zulip", "http_500")
    http.post(f"{standins.url('webhook')}/hook", content=b"{}")
    standins.reset(keep=["daily"])
    assert (standins.faults(), standins.webhooks(), standins.requests()) == ([], [], [])
    daily = f"{standins.url('daily')}/recordings/rec-1"
    assert http.get(daily, headers=BEARER).is_success
    with pytest.raises(httpx.HTTPStatusError):
        standins.reset(keep=["dayly"])


def test_the_recogniser_answers_or_says_what_is_missing(standins, http):
    """Until the listening recogniser can be loaded, the answer is an honest error."""
    url = f"{standins.url('recogniser')}/v1/audio/transcriptions-from-url"
    answer = http.post(url, json={"audio_file_url": "http://127.0.0.1:9/none.webm"})
    assert answer.status_code >= 400


def _search(http, url, words):
    narrow = json.dumps(
        [
            {"operator": "search", "operand": words},
            {"operator": "stream", "operand": "general"},
            {"operator": "topic", "operand": "meetings"},
        ]
    )
    query = {"narrow": narrow, "anchor": "newest", "num_before": "10", "num_after": "0"}
    return http.get(url, params=query, auth=BOT).json()["messages"]
