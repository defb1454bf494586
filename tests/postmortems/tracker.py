"""A GitHub of our own, on loopback, that can be told to misbehave."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@dataclass
class FakeGitHub:
    """`answers`: what the next requests get in place of an answer: a status, `hang_up` after the work was done,
    or `hang` until the test is over."""

    url: str = ""
    issues: list[dict[str, Any]] = field(default_factory=list)
    answers: list[int | str] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    let_go: threading.Event = field(default_factory=threading.Event)

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[FakeGitHub]:
        github = cls()
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(github))
        github.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield github
        finally:
            github.let_go.set()
            server.shutdown()
            server.server_close()
            thread.join(60)

    def close(self, number: int, reason: str = "completed") -> None:
        self.issues[number - 1].update(state="closed", state_reason=reason)

    def open(self, number: int) -> None:
        self.issues[number - 1].update(state="open", state_reason="reopened")

    def change(self, number: int, said: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and issue. Told to refuse, it changes nothing; told to hang up, it does, and nobody hears of it."""
        if not 0 < number <= len(self.issues):
            return 404, {"message": "Not Found"}
        if not self.answers or self.answers[0] == "hang_up":
            self.issues[number - 1].update({"state_reason": None, **said})
        return 200, self.issues[number - 1]

    def add(self, said: dict[str, Any]) -> dict[str, Any]:
        number = len(self.issues) + 1
        made = {
            "number": number,
            "html_url": f"https://github.example/duet/operations/issues/{number}",
            "state": "open",
            "state_reason": None,
            "created_at": NOW.isoformat(),
            "user": {"login": "bot"},
            **said,
        }
        self.issues.append(made)
        return made


def _quiet(*_: Any) -> None:
    """Tests are quiet."""


def _handler(github: FakeGitHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            last = path.rpartition("/")[2]
            if last.isdecimal():
                known = 0 < int(last) <= len(github.issues)
                self._answer(200 if known else 404, github.issues[int(last) - 1] if known else {"message": "Not Found"})
                return
            page = int(dict(part.split("=") for part in query.split("&"))["page"])
            newest = list(reversed(github.issues))
            self._answer(200, newest[(page - 1) * 30 : page * 30])

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            # Told to refuse, it does nothing; told to hang up, it has done it, and nobody hears of it.
            made = github.add(body) if not github.answers or github.answers[0] == "hang_up" else {}
            self._answer(201, made)

        def do_PATCH(self) -> None:
            said = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(*github.change(int(self.path.rpartition("/")[2]), json.loads(said)))

        def _answer(self, status: int, body: Any) -> None:
            github.asked.append((self.command, self.path))
            github.tokens.add(self.headers.get("Authorization", ""))
            told = github.answers.pop(0) if github.answers else status
            if told == "hang":
                github.let_go.wait(60)
                self.close_connection = True
                return
            if told == "hang_up":
                self.close_connection = True
                self.connection.close()
                return
            sent = json.dumps(body if told == status else {"message": "told so"}).encode()
            self.send_response(int(told))
            if told == 429:
                self.send_header("Retry-After", "120")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        log_message = _quiet

    return Handler
