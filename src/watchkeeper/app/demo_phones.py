"""The phones of the demo's people. A page in the demo goes the way of any page, and ends here, on this machine."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_LARGEST = 100_000


@contextmanager
def phones(log: Path) -> Iterator[str]:
    """The phones of all of them: a server on loopback that speaks as ntfy does, and writes down what it gets."""
    lock = threading.Lock()

    class Phone(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(min(int(self.headers.get("content-length") or 0), _LARGEST))
            with contextlib.suppress(ValueError, LookupError, TypeError), lock, log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(_kept(json.loads(body)), ensure_ascii=False) + "\n")
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (its name there)
            """Nothing: what it got is in its file."""

    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), Phone) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _kept(said: Any) -> dict[str, Any]:
    # Not the links: they acknowledge in the name of whoever was paged.
    return {"to": said["topic"], "title": said["title"], "text": said["message"], "priority": said["priority"]}
