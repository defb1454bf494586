"""Requests that leave the machine go to where they may, once, and bring little back."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
