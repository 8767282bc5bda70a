"""Sources behind a real HTTP server that refuses, stalls and vanishes."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from reflector_migrate.pipeline import audio

pytestmark = pytest.mark.heavy

TRACK = Path(__file__).resolve().parent.parent / "fixtures/runs/tracks/12f0b87c-cam-audio.webm"
BODY = TRACK.read_bytes()
HALF = 80_000
SECRET = "user:password@"
QUERY = "?X-Amz-Signature=SECRET&Expires=1"
QUICK = audio.Limits(open_timeout_s=0.6, read_timeout_s=0.6, reconnect_s=1)


class Storage(BaseHTTPRequestHandler):
    """Serves one track with ranges; the path's first word says what goes wrong."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Stay quiet."""

    def do_GET(self) -> None:
        """Answer as the path demands."""
        kind = self.path.partition("?")[0].strip("/")
        asked = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        if kind.isdigit() or (kind == "deleted" and start):
            self._refuse(int(kind) if kind.isdigit() else 404)
        elif kind == "hangs":
            self.server.released.wait(10)
        else:
            self._serve(kind, start)

    def _refuse(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _serve(self, kind: str, start: int) -> None:
        self.send_response(206)
        self.send_header("Content-Length", str(len(BODY) - start))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Range", f"bytes {start}-{len(BODY) - 1}/{len(BODY)}")
        self.end_headers()
        end = len(BODY) if kind == "good" or (kind == "returns" and start) else HALF
        self.wfile.write(BODY[start : max(start, end)])
        self.wfile.flush()
        if kind == "stalls":
            self.server.released.wait(10)
        self.close_connection = end < len(BODY)


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    """Run the server; gives its address with a user and password in it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Storage)
    server.daemon_threads = True
    server.released = threading.Event()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://{SECRET}127.0.0.1:{server.server_port}/"
    server.released.set()
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_a_url_gives_what_the_file_gives(storage, tmp_path):
    """The way in changes nothing in the result."""
    url = f"{storage}good{QUERY}"
    assert audio.track_start_s(url, limits=QUICK) == audio.track_start_s(TRACK)
    audio.pad_track(url, tmp_path / "a.webm", 8.116, limits=QUICK)
    audio.pad_track(TRACK, tmp_path / "b.webm", 8.116)
    assert (tmp_path / "a.webm").read_bytes() == (tmp_path / "b.webm").read_bytes()


def test_a_connection_lost_once_is_taken_up_again(storage, tmp_path):
    """A connection that drops in the middle costs nothing but a second request."""
    audio.pad_track(f"{storage}returns{QUERY}", tmp_path / "a.webm", 8.116, limits=QUICK)
    audio.pad_track(TRACK, tmp_path / "b.webm", 8.116)
    assert (tmp_path / "a.webm").read_bytes() == (tmp_path / "b.webm").read_bytes()


FAULTS = [
    pytest.param("404", audio.HopelessAudioError, id="no such key"),
    pytest.param("403", audio.HopelessAudioError, id="signature refused"),
    pytest.param("429", audio.TransientAudioError, id="too many requests"),
    pytest.param("500", audio.TransientAudioError, id="server error"),
    pytest.param("503", audio.TransientAudioError, id="slow down"),
    pytest.param("hangs", audio.TransientAudioError, id="never answers"),
    pytest.param("stalls", audio.TransientAudioError, id="stops in the middle"),
    pytest.param("drops", audio.TransientAudioError, id="drops the connection every time"),
    pytest.param("deleted", audio.TransientAudioError, id="deleted while it is read"),
]


@pytest.mark.parametrize(("kind", "expected"), FAULTS)
def test_each_fault_is_bounded_classified_and_discreet(storage, tmp_path, kind, expected):
    """Every fault ends in time, says whether a retry helps, names the key and no secret."""
    url, out = f"{storage}{kind}{QUERY}", tmp_path / "out.webm"
    began_s = time.monotonic()
    with pytest.raises(expected) as caught:
        audio.pad_track(url, out, 8.116, limits=QUICK)
    assert time.monotonic() - began_s < 8
    assert caught.value.source.endswith(f"/{kind}")
    assert f"/{kind}: " in str(caught.value)
    shown = str(caught.value) + repr(caught.value.__cause__) + repr(vars(caught.value))
    assert not [word for word in ("SECRET", "Signature", "password") if word in shown]
    assert list(tmp_path.iterdir()) == []


def test_an_unreachable_server_is_transient(tmp_path):
    """Nothing listens there: worth a retry."""
    with pytest.raises(audio.TransientAudioError, match="refused"):
        audio.pad_track("http://127.0.0.1:9/x?SECRET", tmp_path / "out", 1.0, limits=QUICK)


@pytest.mark.parametrize("kind", ["500", "deleted", "stalls"])
def test_a_mix_never_drops_a_track_because_the_network_failed(storage, tmp_path, kind):
    """A participant may be left out for a bad file, not for a bad moment."""
    with pytest.raises(audio.TransientAudioError):
        audio.mixdown([TRACK, f"{storage}{kind}{QUERY}"], tmp_path / "out.mp3", limits=QUICK)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["404", "403"])
def test_a_mix_of_tracks_that_are_not_all_there_is_refused(storage, tmp_path, kind):
    """Deleted or refused says nothing of the sound; the reason carries no signature."""
    sources = [TRACK, f"{storage}{kind}{QUERY}"]
    with pytest.raises(audio.AbsentAudioError, match=kind) as caught:
        audio.mixdown(sources, tmp_path / "out.mp3", limits=QUICK)
    assert "SECRET" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
