"""Requests that a browser was tricked into: refused by their origin and by a token that only our pages know."""

from __future__ import annotations

import hmac
from hashlib import sha256
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request

from watchkeeper.kernel.errors import Forbidden
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.web.parts import parts_of

FIELD = "csrf_token"
HEADER = "X-CSRF-Token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class NotFromHere(Forbidden):
    """The request does not prove that a page of this console sent it."""

    code = "kernel.not_from_here"


class Csrf:
    """Makes and checks form tokens: an HMAC over the session, or over a cookie before anybody signed in."""

    def __init__(self, secret: bytes, *, secure: bool = False) -> None:
        self._secret = secret
        self.secure = secure
        # The prefix makes browsers refuse the cookie from a sub-domain or over plain HTTP.
        self.cookie = "__Host-wk_form" if secure else "wk_form"

    def token(self, session_id: str) -> str:
        """The token of a session's forms."""
        return self._mac(f"session:{session_id}")

    def anonymous_token(self, nonce: str) -> str:
        """The token of forms shown before sign-in, bound to the nonce in the browser's cookie."""
        return self._mac(f"cookie:{nonce}")

    def accepts(self, token: str, *, session_id: str | None, nonce: str | None) -> bool:
        """Whether `token` was made for this session or this cookie; takes the same time for any wrong one."""
        offered = token.encode("utf-8", "replace")
        expected = []
        if session_id is not None:
            expected.append(self.token(session_id))
        if nonce:
            expected.append(self.anonymous_token(nonce))
        return any([hmac.compare_digest(offered, good.encode("ascii")) for good in expected])  # noqa: C419 (no short cut)

    def _mac(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(), sha256).hexdigest()


def is_unsafe(method: str) -> bool:
    """Whether a request by this method may change something."""
    return method not in _SAFE


def check_origin(request: HTTPConnection) -> None:
    """Raise NotFromHere when the browser says that another site sent this request."""
    fetch_site = request.headers.get("sec-fetch-site")
    if fetch_site is not None:
        if fetch_site not in ("same-origin", "none"):
            raise NotFromHere("The browser says that another site sent this request.")
        return
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc not in _own_addresses(request):
        raise NotFromHere("The request's Origin is not this console.")


async def check_token(request: Request, session_id: str | None) -> None:
    """Raise NotFromHere unless the header or the form field carries a token made for this session or cookie."""
    csrf = parts_of(request)[Csrf]
    token = request.headers.get(HEADER)
    if token is None and request.headers.get("content-type", "").startswith(_FORMS):
        field = (await request.form()).get(FIELD)
        token = field if isinstance(field, str) else None
    nonce = request.cookies.get(csrf.cookie)
    if token is None or not csrf.accepts(token, session_id=session_id, nonce=nonce):
        raise NotFromHere(
            "This form is not from this session, or the page is too old. Reload the page and send it again."
        )


def _own_addresses(request: HTTPConnection) -> set[str]:
    own = {request.headers.get("host", "")}
    settings = parts_of(request).find(ServerSettings)
    if settings is not None and settings.base_url:
        own.add(urlsplit(settings.base_url).netloc)
    return own
