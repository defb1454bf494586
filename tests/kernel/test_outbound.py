"""Requests that leave the machine go to where they may, once, and bring little back."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.notify.faults import Authority, Took, answers, drips, serving
from watchkeeper.kernel import resolving
from watchkeeper.kernel.bounded import Bounded
from watchkeeper.kernel.mail import Mail, Mailer, MailFailed, MailSettings
from watchkeeper.kernel.outbound import (
    LARGEST_ANSWER,
    DeliveryFailed,
    DestinationRefused,
    Outbound,
    OutboundSettings,
    parse_networks,
)

LOOPBACK = Outbound(parse_networks("127.0.0.0/8"))


class _Handler(BaseHTTPRequestHandler):
    seen: list[str] = []  # noqa: RUF012 (shared on purpose)
    status = 200
    answer = b"thank you"

    def do_POST(self) -> None:
        type(self).seen.append(self.headers["Host"])
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(type(self).status)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.send_header("Content-Length", str(len(type(self).answer)))
        self.end_headers()
        self.wfile.write(type(self).answer)

    def log_message(self, *_args: Any) -> None: ...


@pytest.fixture
def port() -> Iterator[int]:
    _Handler.seen, _Handler.status, _Handler.answer = [], 200, b"thank you"
    server = HTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield int(server.server_address[1])
    server.shutdown()
    server.server_close()


def _resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: found)


def test_it_brings_back_the_answer_from_where_it_may_go(port: int) -> None:
    answer = LOOPBACK.post(f"http://127.0.0.1:{port}/", b"{}")
    assert (answer.status, answer.body) == (200, b"thank you")


def test_a_private_address_is_refused_unless_it_was_named(port: int) -> None:
    with pytest.raises(DestinationRefused, match="PRIVATE_NETWORKS"):
        Outbound().post(f"http://127.0.0.1:{port}/", b"{}")
    assert _Handler.seen == []


def test_a_name_that_leads_into_the_own_network_is_refused(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    _resolving(monkeypatch, "127.0.0.1")
    with pytest.raises(DestinationRefused):
        Outbound().post(f"http://hooks.example:{port}/", b"{}")
    assert _Handler.seen == []


def test_one_private_address_among_public_ones_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    _resolving(monkeypatch, "93.184.216.34", "169.254.169.254")
    with pytest.raises(DestinationRefused):
        Outbound().post("https://hooks.example/", b"{}")


def test_the_connection_goes_to_the_address_that_was_looked_at(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """A name that is resolved a second time could lead elsewhere by then."""
    real = socket.getaddrinfo
    looked: list[str] = []

    def once(host: str, *args: Any, **more: Any) -> Any:
        looked.append(host)
        return real("127.0.0.1" if host == "hooks.example" else host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", once)
    LOOPBACK.post(f"http://hooks.example:{port}/", b"{}")
    assert looked.count("hooks.example") == 1
    assert _Handler.seen == [f"hooks.example:{port}"]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(port: int, status: int) -> None:
    _Handler.status = status
    with pytest.raises(DeliveryFailed, match=str(status)):
        LOOPBACK.post(f"http://127.0.0.1:{port}/", b"{}")


def test_a_long_answer_is_cut(port: int) -> None:
    _Handler.answer = b"x" * (LARGEST_ANSWER * 4)
    assert len(LOOPBACK.post(f"http://127.0.0.1:{port}/", b"{}").body) == LARGEST_ANSWER


def test_nobody_there_is_a_failure_that_names_no_more_than_the_host() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(DeliveryFailed) as failed:
        LOOPBACK.post(f"http://127.0.0.1:{port}/a-secret-path", b"{}")
    assert "secret" not in str(failed.value)


@given(address=st.ip_addresses())
def test_only_public_addresses_may_be_named_without_leave(address: Any) -> None:
    host = f"[{address}]" if address.version == 6 else str(address)
    mapped = getattr(address, "ipv4_mapped", None) or address
    if mapped.is_global and not mapped.is_multicast:
        assert Outbound().require(f"https://{host}/").host
    else:
        with pytest.raises(DestinationRefused):
            Outbound().require(f"https://{host}/")


@given(text=st.text(max_size=60))
def test_any_text_is_a_url_that_may_be_asked_or_is_refused(text: str) -> None:
    with contextlib.suppress(DestinationRefused):
        assert Outbound().require(text).scheme in ("http", "https")


def test_wrong_networks_stop_the_start() -> None:
    with pytest.raises(ValueError, match="private_networks"):
        OutboundSettings(private_networks="10.0.0.0/8, nonsense")


def test_a_request_ends_at_its_deadline_however_well_the_answer_drips() -> None:
    for beginning in (b"", b"HTTP/1.1 200 OK\r\nX-More: ", b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n"):
        with serving(drips(beginning)) as slow, pytest.raises(DeliveryFailed, match=r"did not answer within 0\.2 s"):
            Outbound(LOOPBACK.allowed, seconds=0.2).post(f"http://127.0.0.1:{slow.port}/", b"{}")


def test_an_answer_without_end_is_read_to_its_limit_only() -> None:
    def talks(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            peer.sendall(b"400\r\n" + b"x" * 1024 + b"\r\n")

    with serving(talks) as endless:
        assert len(LOOPBACK.ask(f"http://127.0.0.1:{endless.port}/", b"", largest=5_000).body) == 5_000


def test_headers_without_end_are_a_failure() -> None:
    def talks(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            peer.sendall(b"X-More: " + b"x" * 1024 + b"\r\n")

    with serving(talks) as endless, pytest.raises(DeliveryFailed):
        LOOPBACK.post(f"http://127.0.0.1:{endless.port}/", b"")


def test_a_certificate_counts_for_its_name_and_by_an_authority_that_is_trusted(tmp_path: Path) -> None:
    authority = Authority.founded(tmp_path)
    trusting = Outbound(LOOPBACK.allowed, authority.file)
    with serving(answers(200, Took()), authority.server_of("127.0.0.1")) as good:
        assert trusting.post(f"https://127.0.0.1:{good.port}/", b"").status == 200
        with pytest.raises(DeliveryFailed, match="not trusted"):
            LOOPBACK.post(f"https://127.0.0.1:{good.port}/", b"")
    with (
        serving(answers(200, Took()), authority.server_of("other.example")) as other,
        pytest.raises(DeliveryFailed, match="not trusted: IP address mismatch"),
    ):
        trusting.post(f"https://127.0.0.1:{other.port}/", b"")


@pytest.mark.parametrize(("said", "meant"), [("90", 90), ("soon", None), ("-1", None), ("9" * 9, None)])
def test_it_tells_for_how_long_the_other_side_wants_to_be_left_alone(said: str, meant: int | None) -> None:
    with serving(answers(429, Took(), {"Retry-After": said})) as busy:
        assert LOOPBACK.ask(f"http://127.0.0.1:{busy.port}/", b"").retry_after == meant


def test_a_name_that_nobody_resolves_takes_no_longer_than_the_whole_may(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: over.wait(60))
    try:
        with pytest.raises(DeliveryFailed, match=r"hooks\.example was not resolved in time"):
            Outbound(seconds=0.2).post("https://hooks.example/", b"{}")
        with pytest.raises(MailFailed, match="did not answer within"):
            Mailer(MailSettings.model_validate({"host": "mail.example"}), 0.2).send(Mail("a@example.org", "s", "t"))
    finally:
        over.set()


def test_names_that_hang_leave_no_more_than_a_few_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: over.wait(60))
    monkeypatch.setattr(resolving, "_resolver", Bounded(most=2, name="resolve-test"))
    try:
        for _ in range(4):
            with pytest.raises(DeliveryFailed, match="was not resolved in time"):
                Outbound(seconds=0.1).post("https://hooks.example/", b"{}")
        assert sum(one.name == "resolve-test" for one in threading.enumerate()) == 2
    finally:
        over.set()
