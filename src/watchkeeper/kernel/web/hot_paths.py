"""Mounts that are asked tens of thousands of times a second: the way through the app would cost more than they do.

Such a mount asks for a token, limits bodies, answers errors in its own format and sends nothing that a browser would
render, all by itself. Where the app is used without a server, as in tests, it is reached like any other mount.
"""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send


class HotPaths:
    """The app for a server: hands requests below its hot prefixes straight to their mounts."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._mounts = [(f"{prefix}/", mounted) for prefix, mounted in app.state.hot.items()]
        self._exact = dict(app.state.exact)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            found = self._exact.get(path)
            if found is not None:
                scope["app"] = self._app
                await found(scope, receive, send)
                return
            for prefix, mounted in self._mounts:
                if path.startswith(prefix):
                    scope["app"] = self._app
                    await mounted(scope, receive, send)
                    return
        await self._app(scope, receive, send)
