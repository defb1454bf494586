"""What every answer carries, and which requests are for this server at all."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.web.problems import problem_response

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
_ALWAYS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


class SecurityHeaders:
    """ASGI: the headers that keep a browser on our side; nothing is cached unless its route says so."""

    def __init__(self, app: ASGIApp, *, https: bool = False) -> None:
        self._app = app
        always = _ALWAYS | ({"Strict-Transport-Security": "max-age=31536000"} if https else {})
        # As the wire wants them: this runs for every answer.
        self._always = [(name.lower().encode(), value.encode()) for name, value in always.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                missing = [header for header in self._always if header[0] not in present]
                message = {**message, "headers": [*message["headers"], *missing]}
            await send(message)

        await self._app(scope, receive, with_headers)


class Misdirected(Refusal):
    """The Host header names a server that this one is not."""

    code = "kernel.misdirected"
    status = 421
    title = "Not this server"


class HostGuard:
    """ASGI: refuses names of elsewhere that point here, the trick called DNS rebinding.

    It needs a public name, so IP addresses and names without a dot are always let through.
    """

    def __init__(self, app: ASGIApp, *, base_url: str | None, allowed: frozenset[str]) -> None:
        self._app = app
        own = urlsplit(base_url).hostname if base_url else None
        self._allowed = allowed | ({own} if own else set())
        self._any = "*" in allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._any:
            host = Headers(scope=scope).get("host", "")
            if not self._is_ours(host):
                refusal = Misdirected(
                    "This server does not go by that host name. If it should, add it to the setting web.allowed_hosts."
                )
                await problem_response(refusal)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self._allowed or name.endswith(".localhost"):
            return True
        return _is_address(name) or (name != "" and "." not in name)


class TrustedProxies:
    """ASGI: believes X-Forwarded-* of the configured proxies, and of nobody else."""

    def __init__(self, app: ASGIApp, *, networks: Iterable[IPv4Network | IPv6Network]) -> None:
        self._app = app
        self._networks = tuple(networks)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if self._networks and scope["type"] == "http" and client and self._trusts(client[0]):
            scope = self._as_the_proxy_saw_it(scope)
        await self._app(scope, receive, send)

    def _as_the_proxy_saw_it(self, scope: Scope) -> Scope:
        headers = Headers(scope=scope)
        seen = dict(scope)
        scheme = headers.get("x-forwarded-proto", "")
        if scheme in ("http", "https"):
            seen["scheme"] = scheme
        host = headers.get("x-forwarded-host")
        if host:
            others = [(name, value) for name, value in scope["headers"] if name != b"host"]
            seen["headers"] = [*others, (b"host", host.encode("latin-1"))]
        # The nearest address that is no proxy of ours: everything left of it could be made up.
        hops = [hop.strip() for hop in headers.get("x-forwarded-for", "").split(",") if hop.strip()]
        for hop in reversed(hops):
            if not _is_address(hop):
                break
            seen["client"] = (hop, 0)
            if not self._trusts(hop):
                break
        return seen

    def _trusts(self, address: str) -> bool:
        return _is_address(address) and any(ip_address(address) in network for network in self._networks)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
