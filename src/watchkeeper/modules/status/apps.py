"""What the public is answered: bytes from memory, by a bare ASGI app that asks no database once there are any."""

from __future__ import annotations

import asyncio

from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.web.access import Public, current_actor
from watchkeeper.modules.status.keeping import Keeper
from watchkeeper.modules.status.permissions import VIEW_STATUS
from watchkeeper.modules.status.showing import HTML, Document, content_security_policy

Headers = list[tuple[bytes, bytes]]
_API = (
    "summary.json",
    "status.json",
    "components.json",
    "incidents.json",
    "incidents/unresolved.json",
    "scheduled-maintenances.json",
    "scheduled-maintenances/active.json",
    "scheduled-maintenances/upcoming.json",
)
PATHS = {
    "/status": "index.html",
    "/status/history": "history.html",
    "/status/history.rss": "history.rss",
    "/status/history.atom": "history.atom",
    **{f"/api/v2/{name}": f"api/v2/{name}" for name in _API},
}
# A minute's page may be a minute old anywhere on the way; when this server is gone, whoever has a copy may go on.
_CACHE = b"public, max-age=30, stale-while-revalidate=60, stale-if-error=86400"
_PRIVATE = b"private, no-cache"


class StatusApp:
    """One path each; `private` asks for a sign-in first, and then the database is asked, too."""

    permission = Public("the status page is for everybody, unless a setting makes it private")

    def __init__(self, keeper: Keeper, name: str, *, private: bool) -> None:
        self._keeper, self._name, self._private = keeper, name, private
        self._made: tuple[Document, Headers, Headers] | None = None

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] not in ("GET", "HEAD"):
            await _answer(send, 405, b"Only GET and HEAD.\n", [(b"allow", b"GET, HEAD")])
            return
        if self._private and not await _is_known(scope):
            is_page = self._name.endswith(".html")
            headers = [(b"location", b"/login")] if is_page else [(b"www-authenticate", b"Bearer")]
            await _answer(send, 303 if is_page else 401, b"Sign in first.\n", headers)
            return
        found = self._keeper.document(self._name)
        if found is None:
            # A server renders before it listens; this is a process that does no work besides answering.
            await asyncio.to_thread(self._keeper.begin)
            found = self._keeper.document(self._name)
        if found is None:
            await _answer(send, 503, b"The status page is being made. Try again.\n", [(b"retry-after", b"5")])
            return
        await self._serve(found, scope, send)

    async def _serve(self, found: Document, scope: Scope, send: Send) -> None:
        if self._made is None or self._made[0] is not found:
            self._made = (found, self._headers(found, packed=False), self._headers(found, packed=True))
        _, plain, packed = self._made
        encodings = tag = b""
        for name, value in scope["headers"]:
            if name == b"accept-encoding":
                encodings = value
            elif name == b"if-none-match":
                tag = value
        if tag and found.etag.encode() in tag:
            unchanged = [one for one in plain if one[0] not in (b"content-length", b"content-type")]
            await send({"type": "http.response.start", "status": 304, "headers": unchanged})
            await send({"type": "http.response.body", "body": b""})
            return
        zipped = b"gzip" in encodings
        await send({"type": "http.response.start", "status": 200, "headers": packed if zipped else plain})
        body = found.packed if zipped else found.body
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _headers(self, found: Document, *, packed: bool) -> Headers:
        body = found.packed if packed else found.body
        headers = [
            (b"content-type", found.media_type.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"etag", found.etag.encode()),
            (b"vary", b"accept-encoding"),
            (b"cache-control", _PRIVATE if self._private else _CACHE),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"same-origin"),
        ]
        if packed:
            headers.append((b"content-encoding", b"gzip"))
        if found.media_type == HTML:
            headers.append((b"content-security-policy", content_security_policy().encode()))
        elif not self._private:
            # Badges on other sites read the state.
            headers += [(b"access-control-allow-origin", b"*"), (b"cross-origin-resource-policy", b"cross-origin")]
        return headers


def status_apps(keeper: Keeper, *, private: bool) -> dict[str, StatusApp]:
    """By the one path of each."""
    return {path: StatusApp(keeper, name, private=private) for path, name in PATHS.items()}


async def _is_known(scope: Scope) -> bool:
    try:
        actor = await current_actor(HTTPConnection(scope))
    except Refusal:
        return False
    return actor is not None and actor.may(VIEW_STATUS)


async def _answer(send: Send, status: int, body: bytes, headers: Headers) -> None:
    always = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": [*always, *headers]})
    await send({"type": "http.response.body", "body": body})
