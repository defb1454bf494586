"""Readers of the page: their mailboxes and webhooks, which are real servers on loopback ports."""

from __future__ import annotations

import email
import re
import socket
import threading
from collections.abc import Iterator
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import select

from tests.status.support import BASE, Stage
from watchkeeper.modules.status.tables import subscribers

ADA, BEN = "ada@example.org", "ben@example.org"


class Inbox:
    """Takes mails, but for recipients that it refuses."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.raw: list[bytes] = []
        self.refused: dict[str, str] = {}

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.raw.append(envelope.content)
        self.mails.append(email.message_from_bytes(envelope.content, policy=default))
        return "250 OK"

    def to(self, address: str) -> list[Message]:
        return [one for one in self.mails if one["To"] == address]


@pytest.fixture
def inbox(stage: Stage) -> Iterator[Inbox]:
    inbox = Inbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(inbox, hostname="127.0.0.1", port=port)
    controller.start()
    stage.mail = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "status@watch.example"}
    yield inbox
    controller.stop()


class Hook:
    """A webhook on a loopback port."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                hook.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(hook.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join(60)


def rows(stage: Stage) -> list[Any]:
    return stage.read(lambda session: session.execute(select(subscribers).order_by(subscribers.c.asked_at)).all())  # type: ignore[no-any-return]


def link_in(mail: Message, what: str) -> str:
    found = re.search(rf"{BASE}(/status/{what}/\S+)", str(mail.get_content()))  # type: ignore[attr-defined]
    assert found is not None
    return found[1]


def subscribe(stage: Stage, address: str = ADA, kind: str = "email", **more: str) -> Any:
    return stage.post("/status/subscribe", address=address, kind=kind, **more)


def subscribed(stage: Stage, inbox: Inbox, address: str = ADA) -> str:
    """Asked, confirmed; the link that ends it."""
    assert subscribe(stage, address).status_code == 200
    stage.work_off()
    mail = inbox.to(address)[-1]
    assert stage.post(link_in(mail, "confirm")).status_code == 200
    return str(mail["List-Unsubscribe"]).strip("<>").removeprefix(BASE)
