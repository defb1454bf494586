"""What people have besides a password, made in Python: an authenticator app, and a device with a passkey."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pyotp
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from tests.identity.support import Browser, Console, hidden_fields

ORIGIN, HOST = "http://console", "console"


def set_up_app(console: Console, browser: Browser) -> str:
    """The secret of an authenticator app that is set up and confirmed. Its code is used up."""
    assert browser.submit("/account/factors/app", {}, page="/account/factors").status_code == 303
    secret = shown_secret(browser)
    done = browser.submit("/account/factors/app/confirm", {"code": code_of(console, secret)}, page="/account/factors")
    assert done.status_code == 200, done.text
    console.clock.advance(timedelta(seconds=30))
    return secret


def shown_secret(browser: Browser) -> str:
    found = re.search(r"Secret: <code[^>]*>([A-Z2-7]+)<", browser.get("/account/factors").text)
    assert found is not None
    return found[1]


def code_of(console: Console, secret: str, steps: int = 0) -> str:
    """What the app shows now, or so many half minutes later."""
    return pyotp.HOTP(secret).at(int(console.clock.now().timestamp()) // 30 + steps)


def recovery_codes(browser: Browser) -> list[str]:
    page = browser.submit("/account/factors/recovery", {}, page="/account/factors").text
    return codes_on(page)


def codes_on(page: str) -> list[str]:
    return re.findall(r"\b[a-z0-9]{4}(?:-[a-z0-9]{4}){3}\b", page)


def post_json(browser: Browser, path: str, body: object, *, page: str) -> httpx.Response:
    """As the page's script does: with the token that stands in its head."""
    text = browser.get(page).text
    found = re.search(r'name="csrf-token" content="([^"]*)"', text)
    token = html.unescape(found[1]) if found else hidden_fields(text)["csrf_token"]
    headers = {"X-CSRF-Token": token, "Sec-Fetch-Site": "same-origin", "Accept": "application/json"}
    return browser.client.post(path, json=body, headers=headers)


def add_passkey(browser: Browser, device: Device, name: str = "My laptop") -> httpx.Response:
    where = "/account/factors/passkeys"
    options = post_json(browser, f"{where}/options", {}, page="/account/factors").json()
    return post_json(browser, where, {"credential": device.create(options), "name": name}, page="/account/factors")


@dataclass
class Device:
    """An authenticator with one passkey: ES256, the person verified, no attestation (WebAuthn § 6)."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    counter: int = 0
    origin: str = ORIGIN
    host: str = HOST
    verified: bool = True

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """What `navigator.credentials.create` answers."""
        client = self._client("webauthn.create", options["challenge"])
        numbers = self.key.public_key().public_numbers()
        cose = _cbor({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})
        held = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + cose
        attestation = _cbor({"fmt": "none", "attStmt": {}, "authData": self._data(0x40) + held})
        return self._answer({"clientDataJSON": b64(client), "attestationObject": b64(attestation)})

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """What `navigator.credentials.get` answers."""
        self.counter += 1
        client = self._client("webauthn.get", options["challenge"])
        data = self._data(0)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        response = {"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature)}
        return self._answer(response)

    def _client(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def _data(self, flags: int) -> bytes:
        present = 0x01 | (0x04 if self.verified else 0) | flags
        return hashlib.sha256(self.host.encode()).digest() + bytes([present]) + self.counter.to_bytes(4, "big")

    def _answer(self, response: dict[str, str]) -> dict[str, Any]:
        own = b64(self.credential_id)
        return {"id": own, "rawId": own, "type": "public-key", "response": response}


def b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _cbor(value: Any) -> bytes:
    """As much CBOR (RFC 8949) as an attestation needs."""
    match value:
        case int() if value >= 0:
            return _head(0, value)
        case int():
            return _head(1, -1 - value)
        case bytes():
            return _head(2, len(value)) + value
        case str():
            return _head(3, len(value.encode())) + value.encode()
        case dict():
            return _head(5, len(value)) + b"".join(_cbor(name) + _cbor(one) for name, one in value.items())
    raise TypeError(value)


def _head(major: int, value: int) -> bytes:
    if value < 24:
        return bytes([major << 5 | value])
    size = 1 if value < 256 else 2
    return bytes([major << 5 | (23 + size)]) + value.to_bytes(size, "big")
