"""Servers on loopback that fail as providers do: they hang, drip, lie about who they are, or answer too late."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_PATIENCE = 60.0


class Hostile:
    """A TCP server that treats each connection as it is told, in a thread of its own, until it is closed."""

    def __init__(self, treat: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> None:
        self._treat, self._tls = treat, tls
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Ends every connection, and so whatever waits for one."""
        for one in (self._listening, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                made, _ = self._listening.accept()
                self._open.append(made)
                threading.Thread(target=self._serve, args=(made,), daemon=True).start()

    def _serve(self, made: socket.socket) -> None:
        with contextlib.suppress(OSError):
            made.settimeout(_PATIENCE)
            self._treat(self._tls.wrap_socket(made, server_side=True) if self._tls is not None else made)
        with contextlib.suppress(OSError):
            made.close()


@dataclass
class Took:
    """What a server was sent, whatever it answered: the idempotency key and the body of each request."""

    keys: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def note(self, key: str, body: bytes) -> None:
        self.keys.append(key)
        self.bodies.append(body)


def request_of(peer: socket.socket, took: Took) -> None:
    """Read one HTTP request."""
    held = b""
    while b"\r\n\r\n" not in held:
        held += _some(peer)
    head, _, body = held.partition(b"\r\n\r\n")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head.decode().split("\r\n")[1:])
    }
    while len(body) < int(headers.get("content-length", 0)):
        body += _some(peer)
    took.note(headers.get("idempotency-key") or headers.get("i-twilio-idempotency-token") or "", body)


def answers(status: int, took: Took, headers: Mapping[str, str] | None = None) -> Callable[[socket.socket], None]:
    """HTTP with this status."""

    def treat(peer: socket.socket) -> None:
        request_of(peer, took)
        more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        peer.sendall(f'HTTP/1.1 {status} Said\r\n{more}Content-Length: 11\r\n\r\n{{"ok":true}}'.encode())

    return treat


def hangs(peer: socket.socket) -> None:
    """Accepts, and never says a word."""
    _until_gone(peer)


def drips(beginning: bytes) -> Callable[[socket.socket], None]:
    """Begins well, and goes on byte by byte for ever: each read succeeds."""

    def treat(peer: socket.socket) -> None:
        peer.sendall(beginning)
        while True:
            peer.sendall(b"x")
            time.sleep(0.02)

    return treat


def answers_late(took: Took) -> Callable[[socket.socket], None]:
    """Takes it, and says so to whoever is no longer there."""

    def treat(peer: socket.socket) -> None:
        request_of(peer, took)
        _until_gone(peer)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    return treat


def speaks_smtp(said: str, took: Took, tls: ssl.SSLContext | None = None) -> Callable[[socket.socket], None]:
    """A server that answers so to a message; `late`: when nobody listens any more."""

    def treat(peer: socket.socket) -> None:
        peer.sendall(b"220 mail\r\n")
        held = b""
        while True:
            while b"\r\n" not in held:
                held += _some(peer)
            line, _, held = held.partition(b"\r\n")
            verb = line[:4].upper()
            if verb == b"EHLO":
                peer.sendall(b"250-mail\r\n250-STARTTLS\r\n250 8BITMIME\r\n" if tls else b"250 mail\r\n")
            elif verb == b"STAR" and tls is not None:
                peer.sendall(b"220 go\r\n")
                peer = tls.wrap_socket(peer, server_side=True)
            elif verb == b"DATA":
                peer.sendall(b"354 go\r\n")
                while b"\r\n.\r\n" not in held:
                    held += _some(peer)
                body, _, held = held.partition(b"\r\n.\r\n")
                found = re.search(rb"Message-ID: (\S+)", body)
                took.note(found[1].decode() if found else "", body)
                if said == "late":
                    _until_gone(peer)
                peer.sendall(b"250 taken\r\n" if said == "late" else f"{said}\r\n".encode())
            elif verb == b"QUIT":
                return
            else:
                peer.sendall(b"250 ok\r\n")

    return treat


def _some(peer: socket.socket) -> bytes:
    chunk = peer.recv(65_536)
    if not chunk:
        raise ConnectionResetError
    return chunk


def _until_gone(peer: socket.socket) -> None:
    while peer.recv(65_536):
        pass


@dataclass(frozen=True)
class Authority:
    """Signs certificates; whoever trusts `file` trusts them."""

    file: Path
    folder: Path
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def founded(cls, folder: Path) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        made = _certificate("Authority of these tests", key, None)
        file = folder / "authority.pem"
        file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        return cls(file, folder, made, key)

    def server_of(self, name: str) -> ssl.SSLContext:
        """Shows a certificate for this name."""
        key = ec.generate_private_key(ec.SECP256R1())
        return self._context(name, key, _certificate(name, key, self))

    def unsigned(self) -> ssl.SSLContext:
        """Shows a certificate for 127.0.0.1 that nobody but itself has signed."""
        key = ec.generate_private_key(ec.SECP256R1())
        return self._context("unsigned", key, _certificate("127.0.0.1", key, None))

    def _context(self, name: str, key: ec.EllipticCurvePrivateKey, made: x509.Certificate) -> ssl.SSLContext:
        file = self.folder / f"{name}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def _certificate(name: str, key: ec.EllipticCurvePrivateKey, signer: Authority | None) -> x509.Certificate:
    import ipaddress

    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer = signer.certificate.subject if signer is not None else subject
    names: list[x509.GeneralName] = (
        [x509.IPAddress(ipaddress.ip_address(name))] if name[0].isdigit() else [x509.DNSName(name.replace(" ", "-"))]
    )
    began = datetime(2020, 1, 1, tzinfo=UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(began)
        .not_valid_after(began + timedelta(days=40_000))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
        .sign(signer.key if signer is not None else key, hashes.SHA256())
    )


@contextlib.contextmanager
def serving(treat: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> Iterator[Hostile]:
    """One of them while the block lasts."""
    made = Hostile(treat, tls)
    try:
        yield made
    finally:
        made.close()


def closed_port() -> int:
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])
