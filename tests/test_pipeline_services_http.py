"""One request, judged; and no answer, however slow or large, holds a worker for ever."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from reflector_migrate.errors import TerminalStepError, TransientStepError
from reflector_migrate.pipeline.meter import UsageMeter
from reflector_migrate.pipeline.services import http
from reflector_migrate.pipeline.services.http import Caller


class Answering(BaseHTTPRequestHandler):
    """/status/N answers N; /drip sends a byte at a time; /huge never ends."""

    asked = 0

    def do_GET(self):
        """Answer by the path."""
        Answering.asked += 1
        kind, _, number = self.path.strip("/").partition("/")
        if kind == "status":
            self.send_response(int(number))
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")
            return
        self.send_response(200)
        self.end_headers()
        chunk, pause_s = (b"x", 0.05) if kind == "drip" else (b"x" * 65536, 0)
        try:
            for _ in range(1000):
                self.wfile.write(chunk)
                time.sleep(pause_s)
        except OSError:
            return

    def log_message(self, *_args):
        """Say nothing."""


@pytest.fixture(scope="module")
def base():
    """A server on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def call(base):
    """Ask the server for a path, with so many attempts."""

    def asking(path, attempts=1, timeout_s=5.0):
        meter = UsageMeter()
        with httpx.Client(trust_env=False) as client:
            caller = Caller("thing", client, meter, timeout_s, attempts)
            try:
                return caller.send("GET", f"{base}/{path}").status_code, meter.total
            except (TransientStepError, TerminalStepError) as error:
                return error, meter.total

    return asking


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, TransientStepError),
        (400, TerminalStepError),
        (401, TerminalStepError),
        (404, TerminalStepError),
        (408, TransientStepError),
        (409, TransientStepError),
        (422, TerminalStepError),
        (425, TransientStepError),
        (429, TransientStepError),
        (500, TransientStepError),
        (503, TransientStepError),
    ],
)
def test_every_status_has_its_class(call, status, kind):
    """What a client did wrong is hopeless, all else may pass."""
    error, _ = call(f"status/{status}")
    assert type(error) is kind
    assert str(error) == f"thing answered HTTP {status}"


def test_tries_are_bounded_and_counted(call, monkeypatch):
    """So many and no more for what may pass, one for what is hopeless."""
    monkeypatch.setattr(http, "BACKOFF_S", 0.01)
    for path, calls in (("status/500", 3), ("status/400", 1), ("status/200", 1)):
        before = Answering.asked
        _, used = call(path, attempts=3)
        assert Answering.asked - before == calls == used.external_calls
        assert used.retries == calls - 1


def test_an_answer_that_drips_is_given_up_in_time(call):
    """Each byte comes within the timeout, the whole does not."""
    began = time.monotonic()
    error, _ = call("drip", timeout_s=0.5)
    assert isinstance(error, TransientStepError)
    assert "did not end within 0.5 s" in str(error)
    assert time.monotonic() - began < 5


def test_an_answer_without_end_is_given_up(call, monkeypatch):
    """None of our services answers without measure."""
    monkeypatch.setattr(http, "MAX_ANSWER_BYTES", 1 << 20)
    error, _ = call("huge")
    assert isinstance(error, TerminalStepError)


@pytest.mark.parametrize("url", ["nonsense", "ftp://x/y", "http://", "http://[::1"])
def test_an_address_that_is_none_is_hopeless(url):
    """A wrong setting is not tried again."""
    with httpx.Client(trust_env=False) as client:
        caller = Caller("thing", client, UsageMeter(), 1.0)
        with pytest.raises(TerminalStepError, match="thing"):
            caller.send("GET", url)
