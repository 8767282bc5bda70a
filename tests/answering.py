"""A local server that answers as a Conductor would at a moment no real one can be brought to."""

from __future__ import annotations

import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@contextmanager
def answering(answer):
    """API address of a server; `answer(method, path)` gives status and JSON, None hangs up."""

    class Handler(BaseHTTPRequestHandler):
        """Asks `answer`."""

        def do_GET(self):
            """Ask."""
            self._answer()

        def do_POST(self):
            """Ask."""
            self._answer()

        def do_DELETE(self):
            """Ask."""
            self._answer()

        def _answer(self):
            self.rfile.read(int(self.headers.get("content-length") or 0))
            found = answer(self.command, self.path.removeprefix("/api").partition("?")[0])
            if found is None:
                self.close_connection = True
                return
            body = json.dumps(found[1]).encode()
            self.send_response(found[0])
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_about):
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def at(settings, url):
    """The same settings, with another Conductor."""
    conductor = settings.conductor.model_copy(update={"server_url": url})
    return settings.model_copy(update={"conductor": conductor})
