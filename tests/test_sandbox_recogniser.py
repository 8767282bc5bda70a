"""The stand-in recogniser over HTTP: its contract, its refusals and its noise."""

from __future__ import annotations

import asyncio
import functools
import http.server
import threading
from pathlib import Path

import httpx
import jiwer
import pytest

from reflector_migrate.sandbox.recordings import load_recordings
from reflector_migrate.sandbox.standins.faults import Fault, Faults
from reflector_migrate.sandbox.standins.hearing.corpus import load_corpus
from reflector_migrate.sandbox.standins.hearing.listen import HeardWord
from reflector_migrate.sandbox.standins.hearing.mishear import Noise, Vocabulary, with_noise
from reflector_migrate.sandbox.standins.recogniser import PATH, build_recogniser

ROOT = Path(__file__).parents[1] / "fixtures" / "recordings"
RECORDINGS = load_recordings(ROOT)
SOLO, GERMAN, DEBATE = (RECORDINGS[n] for n in ("solo", "german", "four-overlapping"))


class Client:
    """Calls the application itself, without a socket."""

    def __init__(self, faults):
        self._app = build_recogniser(ROOT, faults)

    def post(self, path, **request):
        """One request, answered."""
        return asyncio.run(self._post(path, request))

    async def _post(self, path, request):
        transport = httpx.ASGITransport(app=self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://recogniser") as http:
            return await http.post(path, timeout=30, **request)


class Files(http.server.SimpleHTTPRequestHandler):
    """The recordings' folder, quietly; `/broken` answers 500."""

    def log_message(self, *_arguments):
        """Say nothing."""

    def do_GET(self):
        """Serve a file, or fail on request."""
        if self.path.startswith("/broken"):
            self.send_error(500)
        else:
            super().do_GET()


@pytest.fixture(scope="module")
def files():
    """The base URL of a real server that has the tracks."""
    handler = functools.partial(Files, directory=str(ROOT))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(5)


@pytest.fixture(scope="module")
def shared_faults():
    """The switches of the recogniser under test."""
    return Faults()


@pytest.fixture(scope="module")
def shared_client(shared_faults):
    """One recogniser for all tests: it knows the whole corpus."""
    return Client(shared_faults)


@pytest.fixture
def faults(shared_faults):
    """The switches, all off before and after."""
    yield shared_faults
    shared_faults.clear()
    shared_faults.clear_noise()


@pytest.fixture
def client(shared_client, faults):
    """A recogniser without faults or noise."""
    return shared_client


def url_of(files, recording, index):
    """Where a track can be fetched; presigned addresses have queries."""
    return f"{files}/{recording.name}/{recording.tracks[index].file}?Signature=x&Expires=1"


def ask(client, url, **fields):
    """Ask as the legacy pipeline does."""
    body = {"audio_file_url": url, "language": "en", "batch": True} | fields
    return client.post(PATH, json=body, headers={"Authorization": "Bearer gpu-key"})


def words_of(answer):
    """The words of an answer, without their trailing blanks."""
    return [word["word"].removesuffix(" ") for word in answer.json()["words"]]


def truth_of(recording, index):
    """What was said in a track, word by word."""
    return [w.word for u in recording.said_in(index) for w in u.words]


def test_words_come_with_trailing_blanks_and_times(client, files):
    """The answer has the shape that legacy joins without a separator."""
    answer = ask(client, url_of(files, SOLO, 0))
    assert answer.status_code == 200
    document = answer.json()
    assert words_of(answer) == truth_of(SOLO, 0)
    assert all(set(w) == {"word", "start", "end"} for w in document["words"])
    assert all(w["word"].endswith(" ") and 0 <= w["start"] < w["end"] for w in document["words"])
    assert document["text"] == " ".join(truth_of(SOLO, 0))
    assert document["gpu_seconds"] == pytest.approx(0.02 * SOLO.tracks[0].duration_s, abs=0.01)


def test_the_same_audio_is_answered_the_same(client, files):
    """Without noise two calls do not differ in anything."""
    url = url_of(files, SOLO, 0)
    assert ask(client, url).json() == ask(client, url).json()


def test_silence_is_an_empty_list(client, files):
    """A track without speech is not an error."""
    answer = ask(client, url_of(files, RECORDINGS["no-words"], 0))
    assert (answer.status_code, answer.json()["words"]) == (200, [])


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        pytest.param({"language": "en"}, 400, "audio_file_url", id="no address"),
        pytest.param({"audio_file_url": "file:///etc/hosts"}, 400, "audio_file_url", id="no http"),
        pytest.param({"audio_file_url": 7}, 400, "audio_file_url", id="not a text"),
        pytest.param({"audio_file_url": "{files}/gone.webm"}, 400, "404", id="missing object"),
        pytest.param({"audio_file_url": "{files}/broken"}, 502, "500", id="storage is down"),
        pytest.param({"audio_file_url": "http://127.0.0.1:9/x"}, 502, "Connect", id="unreachable"),
        pytest.param({"audio_file_url": "{files}/README.md"}, 422, "decoded", id="not audio"),
        pytest.param({"audio_file_url": "{melody}"}, 422, "not known", id="unknown sound"),
        pytest.param({"audio_file_url": "{solo}", "language": "xx"}, 400, "'xx'", id="language"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_reason(body, status, told, client, files):
    """Hopeless requests are 4xx, the storage's failures 5xx; neither is ever an empty list."""
    places = {
        "files": files,
        "melody": url_of(files, RECORDINGS["unknown-sound"], 1),
        "solo": url_of(files, SOLO, 0),
    }
    filled = {k: v.format(**places) if isinstance(v, str) else v for k, v in body.items()}
    answer = client.post(PATH, json=filled)
    assert answer.status_code == status
    assert told in answer.json()["detail"]


@pytest.mark.parametrize("content", [b"{", b"[]", b""], ids=["cut", "list", "empty"])
def test_a_body_that_is_not_an_object_is_refused(content, client):
    """A broken request is the caller's fault."""
    assert client.post(PATH, content=content).status_code == 400


def test_german_is_understood_when_asked_for(client, files):
    """Another language of the corpus is served as a Whisper-like service would."""
    answer = ask(client, url_of(files, GERMAN, 0), language="de")
    assert words_of(answer) == truth_of(GERMAN, 0)


def test_the_wrong_language_gives_wrong_words(client, files):
    """A pipeline that ignores the transcript's language cannot go unnoticed."""
    heard = words_of(ask(client, url_of(files, GERMAN, 0), language="en"))
    truth = truth_of(GERMAN, 0)
    assert len(heard) == len(truth)
    assert not any(one == other for one, other in zip(heard, truth, strict=True))


def test_a_fault_comes_before_everything(client, faults, files):
    """A switched-on fault answers in the recogniser's place, then is spent."""
    faults.put(Fault(service="recogniser", kind="http_500", times=1))
    url = url_of(files, SOLO, 0)
    assert [ask(client, url).status_code, ask(client, url).status_code] == [500, 200]


def test_noise_differs_between_calls_and_repeats_with_the_seed(faults, files):
    """Two calls hear two noises; the same seed from the start gives the same two again."""
    url = url_of(files, DEBATE, 0)
    faults.set_noise("recogniser", {"wer": 0.2, "seed": 1})
    runs = []
    for _ in range(2):
        fresh = Client(faults)
        runs.append([words_of(ask(fresh, url)) for _ in range(2)])
    faults.set_noise("recogniser", {"wer": 0.2, "seed": 2})
    other = words_of(ask(Client(faults), url))
    assert runs[0] == runs[1]
    assert runs[0][0] != runs[0][1]
    assert other != runs[0][0]


def test_noise_may_be_the_same_for_every_call(client, faults, files):
    """With vary = request, the same audio gives the same noise."""
    faults.set_noise("recogniser", {"wer": 0.2, "seed": 1, "vary": "request"})
    url = url_of(files, DEBATE, 0)
    first = words_of(ask(client, url))
    assert first == words_of(ask(client, url))
    assert first != truth_of(DEBATE, 0)


@pytest.mark.parametrize("wer", [0.02, 0.1, 0.3])
def test_noise_is_as_strong_as_asked(wer):
    """The rate over many calls is the one that was asked for, in all three kinds."""
    truth = [HeardWord(word, k, k + 1) for k, word in enumerate(truth_of(DEBATE, 0) * 10)]
    vocabulary = Vocabulary(load_corpus(ROOT), "en")
    measured = jiwer.process_words(
        [" ".join(w.word for w in truth)] * 10,
        [
            " ".join(w.word for w in with_noise(truth, Noise(wer, seed), "audio", vocabulary))
            for seed in range(10)
        ],
    )
    assert measured.wer == pytest.approx(wer, rel=0.15)
    assert min(measured.substitutions, measured.deletions, measured.insertions) > 0


def test_noisy_words_stay_in_order_of_time(client, faults, files):
    """Noise changes words, never the rule that starts rise."""
    faults.set_noise("recogniser", {"wer": 0.5, "seed": 3})
    words = ask(client, url_of(files, SOLO, 0)).json()["words"]
    assert [w["start"] for w in words] == sorted(w["start"] for w in words)
