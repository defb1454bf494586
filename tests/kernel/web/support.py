"""A small app with a cast: Alice may everything, Bob may read, Charlie is nobody; tokens by scope."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient

from watchkeeper.kernel.errors import Unauthenticated
from watchkeeper.kernel.web.access import Actor, Authenticator, Permission, Scope
from watchkeeper.kernel.web.app_factory import create_app

VIEW = Permission("things.view", Scope.READ)
CHANGE = Permission("things.change", Scope.WRITE)
MANAGE = Permission("things.manage", Scope.ADMIN)
SEND = Permission("things.send", Scope.INTAKE)

ALICE = Actor("per_alice", "person", "Alice", frozenset({Scope.ADMIN}), session_id="ses_alice")
BOB = Actor("per_bob", "person", "Bob", frozenset({Scope.READ}), session_id="ses_bob")
PEOPLE = {"alice": ALICE, "bob": BOB}
PAGE = {"accept": "text/html,application/xhtml+xml"}


class CastAuthenticator:
    """Believes the cookie `who` and bearer tokens that are named like a scope."""

    def __init__(self) -> None:
        self.asked = 0

    async def authenticate(self, request: HTTPConnection) -> Actor | None:
        self.asked += 1
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme == "Bearer":
            if token not in set(Scope):
                raise Unauthenticated("This token is not one of ours.")
            return Actor(f"tok_{token}", "token", f"the {token} token", frozenset({Scope(token)}))
        who = request.cookies.get("who")
        if who == "stale":
            raise Unauthenticated("This session is over.")
        return PEOPLE.get(who or "")

    def require_proof(self, actor: Actor) -> None:
        """The cast has shown who they are just now."""


def small_app(*routers: APIRouter, parts: dict[Any, Any] | None = None, **options: Any) -> FastAPI:
    """An app with these routers and the cast."""
    return create_app(parts={Authenticator: CastAuthenticator(), **(parts or {})}, routers=routers, **options)


def browser(app: FastAPI, who: str | None = None, **options: Any) -> TestClient:
    """A browser that doesn't follow redirects, with or without somebody's cookie."""
    client = TestClient(app, follow_redirects=False, **options)
    if who:
        client.cookies.set("who", who)
    return client


def bearer(scope: str) -> dict[str, str]:
    """The header of the token with this scope."""
    return {"authorization": f"Bearer {scope}"}


def messages_of(body: Sequence[bytes]) -> list[dict[str, Any]]:
    """A request body in several ASGI messages, as a chunked one arrives."""
    last = len(body) - 1
    return [{"type": "http.request", "body": part, "more_body": at < last} for at, part in enumerate(body)]
