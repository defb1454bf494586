"""A real OpenID provider as a process of its own, with a login form, a consent page, and knobs to make it lie.

`with running_provider() as provider:` starts it on a free port. Tests set its knobs over HTTP.
"""

from __future__ import annotations

import base64
import hmac
import html
import json
import re
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import httpx
import uvicorn
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jws
from joserfc.jwk import JWKRegistry, Key
from joserfc.jws import JWSRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from watchkeeper.kernel.clock import SystemClock

ROOT = Path(__file__).parents[2]
CLIENT = "watchkeeper"
# With what has to be encoded before it stands in a header.
SECRET = "s3cret:with/odd+signs %"
USERS = {
    "alice": {"sub": "a-1", "name": "Alice Archer", "email": "alice@example.org", "email_verified": True},
    "bob": {"sub": "b-2", "name": "Bob Baker", "email": "bob@example.org", "email_verified": True},
    "mallory": {"sub": "m-3", "name": "Mallory", "email": "alice@example.org", "email_verified": False},
}
PASSWORD = "correct at the provider"
_KEYS: dict[str, tuple[Any, ...]] = {"RS256": ("RSA", 2048), "ES256": ("EC", "P-256"), "EdDSA": ("OKP", "Ed25519")}


@dataclass
class Knobs:
    """How the provider behaves; as a fresh one does unless a test says otherwise."""

    now: float | None = None  # seconds since 1970; None: as the machine's clock says
    algorithm: str = "RS256"  # also "none", "HS256 by public key" and "HS256 by client secret"
    claims: dict[str, Any] = field(default_factory=dict)  # laid over the ID token's; null leaves one out
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    document: dict[str, Any] = field(default_factory=dict)  # laid over the discovery document
    answers: dict[str, list[Any]] = field(default_factory=dict)  # by path: [status, body, headers]
    email_in_userinfo: bool = False
    kid: str | None = "own"  # "own": the key's; None: leave it out
    broken_signature: bool = False
    redirect_uri: str | None = None  # None: any, as registered by the first who comes
    public_client: bool = False
    authorize_error: str | None = None


class Provider:
    """The state of one provider."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.knobs = Knobs()
        self.codes: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, dict[str, Any]] = {}
        self.sessions: dict[str, str] = {}
        self.seen: list[str] = []
        self.keys: dict[str, Key] = {}
        self.rotate()

    def rotate(self) -> None:
        self.keys = {
            name: JWKRegistry.generate_key(*kind, {"kid": secrets.token_hex(4), "use": "sig"})
            for name, kind in _KEYS.items()
        }

    def routes(self) -> list[Route]:
        return [
            Route("/.well-known/openid-configuration", self.discovery),
            Route("/jwks", self.jwks),
            Route("/authorize", self.authorize),
            Route("/login", self.login, methods=["POST"]),
            Route("/consent", self.consent, methods=["POST"]),
            Route("/token", self.token, methods=["POST"]),
            Route("/userinfo", self.userinfo),
            Route("/favicon.ico", lambda _: Response(status_code=204)),
            Route("/test/knobs", self.set_knobs, methods=["PUT"]),
            Route("/test/rotate", self.rotate_now, methods=["POST"]),
            Route("/test/seen", self.tell_seen),
        ]

    # --- what a provider has ---

    async def discovery(self, request: Request) -> Response:
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": list(_KEYS),
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }
        return self._answer(request, document | self.knobs.document)

    async def jwks(self, request: Request) -> Response:
        return self._answer(request, {"keys": [key.as_dict(private=False) for key in self.keys.values()]})

    async def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self.seen.append("/authorize")
        wrong = [
            name
            for name, wanted in (("response_type", "code"), ("client_id", CLIENT), ("code_challenge_method", "S256"))
            if asked.get(name) != wanted
        ]
        wrong += [name for name in ("state", "nonce", "code_challenge", "redirect_uri") if not asked.get(name)]
        if self.knobs.redirect_uri not in (None, asked.get("redirect_uri")):
            wrong.append("redirect_uri")
        if "openid" not in asked.get("scope", "").split():
            wrong.append("scope")
        if wrong:
            return HTMLResponse(f"wrong: {', '.join(wrong)}", status_code=400)
        if self.knobs.authorize_error:
            return self._back(asked, {"error": self.knobs.authorize_error, "error_description": "<b>secret</b>"})
        fields = "".join(
            f'<input type="hidden" name="{name}" value="{html.escape(value)}">' for name, value in asked.items()
        )
        return _page(
            "Sign in at the provider",
            f'<form method="post" action="/login">{fields}<label>User <input name="user"></label>'
            '<label>Password <input name="password" type="password"></label><button>Continue</button></form>',
        )

    async def login(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        user, password = form.pop("user", ""), form.pop("password", "")
        if user not in USERS | self.knobs.users or password != PASSWORD:
            return _page("Wrong user or password", "", status=403)
        session = secrets.token_urlsafe()
        self.sessions[session] = user
        fields = "".join(
            f'<input type="hidden" name="{name}" value="{html.escape(value)}">' for name, value in form.items()
        )
        return _page(
            "Let Watchkeeper know who you are?",
            f'<form method="post" action="/consent">{fields}<input type="hidden" name="session" value="{session}">'
            '<button name="answer" value="yes">Allow</button><button name="answer" value="no">Deny</button></form>',
        )

    async def consent(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        user = self.sessions.pop(form.get("session", ""))
        if form.get("answer") != "yes":
            return self._back(form, {"error": "access_denied", "error_description": "<b>secret</b>"})
        code = secrets.token_urlsafe()
        self.codes[code] = form | {"user": user}
        return self._back(form, {"code": code})

    async def token(self, request: Request) -> Response:
        self.seen.append("/token")
        if "/token" in self.knobs.answers:
            return self._answer(request, {})
        form = {name: str(value) for name, value in (await request.form()).items()}
        if not self._knows_client(request, form):
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        asked = self.codes.pop(form.get("code", ""), None)
        if (
            asked is None
            or form.get("grant_type") != "authorization_code"
            or form.get("redirect_uri") != asked["redirect_uri"]
            or create_s256_code_challenge(form.get("code_verifier", "")) != asked["code_challenge"]
        ):
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        access = secrets.token_urlsafe()
        user = (USERS | self.knobs.users)[asked["user"]]
        self.tokens[access] = user
        return JSONResponse(
            {"access_token": access, "token_type": "Bearer", "id_token": self._id_token(user, asked["nonce"])}
        )

    async def userinfo(self, request: Request) -> Response:
        user = self.tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        return self._answer(request, user) if user else JSONResponse({"error": "invalid_token"}, status_code=401)

    # --- what tests ask for ---

    async def set_knobs(self, request: Request) -> Response:
        self.knobs = Knobs(**await request.json())
        self.seen.clear()
        return JSONResponse({})

    async def rotate_now(self, request: Request) -> Response:
        self.rotate()
        return JSONResponse({})

    async def tell_seen(self, request: Request) -> Response:
        return JSONResponse(self.seen)

    # --- inside ---

    def _answer(self, request: Request, body: dict[str, Any]) -> Response:
        path = request.url.path
        if path != "/token":
            self.seen.append(path)
        if path not in self.knobs.answers:
            return JSONResponse(body)
        status, text, headers = self.knobs.answers[path]
        return Response(text, status, headers, media_type="application/json")

    def _back(self, asked: dict[str, Any], answer: dict[str, str]) -> Response:
        query = answer | {"state": asked["state"], "iss": self.issuer}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(query)}", status_code=303)

    def _knows_client(self, request: Request, form: dict[str, str]) -> bool:
        if self.knobs.public_client:
            return form.get("client_id") == CLIENT and "client_secret" not in form
        kind, _, encoded = request.headers.get("authorization", "").partition(" ")
        if kind == "Basic":
            name, _, secret = base64.b64decode(encoded).decode().partition(":")
            return unquote(name) == CLIENT and unquote(secret) == SECRET
        return form.get("client_id") == CLIENT and form.get("client_secret") == SECRET

    def _id_token(self, user: dict[str, Any], nonce: str) -> str:
        now = int(SystemClock().now().timestamp() if self.knobs.now is None else self.knobs.now)
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce, **user}
        if self.knobs.email_in_userinfo:
            claims = {name: value for name, value in claims.items() if not name.startswith("email")}
        claims |= self.knobs.claims
        return self._sign({name: value for name, value in claims.items() if value is not None})

    def _sign(self, claims: dict[str, Any]) -> str:
        algorithm = self.knobs.algorithm
        payload = json.dumps(claims)
        if algorithm == "none":
            return f"{_encoded(json.dumps({'alg': 'none'}))}.{_encoded(payload)}."
        key = self.keys.get(algorithm) or self.keys["RS256"]
        if algorithm == "HS256 by public key":
            # An old confusion: who takes the public key's text for a shared secret accepts this.
            pem = key.as_pem(private=False)  # type: ignore[union-attr]
            return _by_secret(pem, {"alg": "HS256", "kid": key.kid}, payload)
        if algorithm == "HS256 by client secret":
            return _by_secret(SECRET.encode(), {"alg": "HS256"}, payload)
        header = {"alg": algorithm, "kid": key.kid}
        if self.knobs.kid is None:
            del header["kid"]
        elif self.knobs.kid != "own":
            header["kid"] = self.knobs.kid
        token = jws.serialize_compact(header, payload, key, registry=_AnyAlgorithm())
        if self.knobs.broken_signature:
            head, body, signature = token.split(".")
            return f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
        return token


class _AnyAlgorithm(JWSRegistry):
    """Signs by whatever a test wants."""

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


def _by_secret(secret: bytes, header: dict[str, Any], payload: str) -> str:
    signed = f"{_encoded(json.dumps(header))}.{_encoded(payload)}"
    return f"{signed}.{_encoded(hmac.digest(secret, signed.encode(), 'sha256'))}"


def _encoded(text: str | bytes) -> str:
    plain = text.encode() if isinstance(text, str) else text
    return base64.urlsafe_b64encode(plain).rstrip(b"=").decode()


def _page(title: str, body: str, status: int = 200) -> Response:
    return HTMLResponse(f"<!doctype html><title>{title}</title><h1>{title}</h1>{body}", status_code=status)


# --- the test's side --------------------------------------------------------------------------------------------------


@dataclass
class RunningProvider:
    """A provider's process, and somebody with a browser who signs in there."""

    issuer: str
    http: httpx.Client

    def set(self, **knobs: Any) -> None:
        """As a fresh provider behaves, but for these knobs."""
        self.http.put("/test/knobs", json=knobs).raise_for_status()

    def rotate(self) -> None:
        """From now on other keys sign, and only they are listed."""
        self.http.post("/test/rotate").raise_for_status()

    def seen(self, path: str) -> int:
        """How often this path was asked for since the knobs were set."""
        return list(self.http.get("/test/seen").json()).count(path)

    def sign_in(self, url: str, user: str = "alice", answer: str = "yes") -> str:
        """Follow the console's redirect, sign in, consent; answers where the provider sends the browser."""
        form = _fields(self._ok(self.http.get(url)))
        if "session" not in form:
            form = _fields(self._ok(self.http.post("/login", data={**form, "user": user, "password": PASSWORD})))
        back = self.http.post("/consent", data={**form, "answer": answer})
        assert back.status_code == 303, back.text
        return back.headers["location"]

    @staticmethod
    def _ok(response: httpx.Response) -> str:
        assert response.status_code == 200, response.text
        return response.text


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def _fields(page: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return {name: html.unescape(value) for name, value in found}


@contextmanager
def running_provider() -> Iterator[RunningProvider]:
    """A provider until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.oidc_provider"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        issuer = process.stdout.readline().strip()
        assert issuer.startswith("http://127.0.0.1:"), "the provider did not start"
        with httpx.Client(base_url=issuer, trust_env=False, follow_redirects=False) as http:
            yield RunningProvider(issuer, http)
    finally:
        process.terminate()
        process.wait(10)


def main() -> None:
    """Serve on a free port, and say on which."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        issuer = f"http://127.0.0.1:{listening.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(Starlette(routes=Provider(issuer).routes()), log_level="error"))
        print(issuer, flush=True)
        server.run(sockets=[listening])


if __name__ == "__main__":
    main()
