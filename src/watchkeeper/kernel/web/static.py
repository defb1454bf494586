"""The console's own files: listed at the start, named by their content, cached for ever."""

from __future__ import annotations

import gzip
import mimetypes
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from watchkeeper.kernel.errors import NotFound
from watchkeeper.kernel.web.access import Actor, Public, public
from watchkeeper.kernel.web.parts import parts_of
from watchkeeper.kernel.web.problems import problem_response

FOLDER = Path(__file__).parent / "static"
_URL = re.compile(rb'url\("([a-z0-9/._-]+)"\)', re.IGNORECASE)
_TEXT = (".js", ".css", ".svg", ".json", ".txt", ".webmanifest")
_TYPES = {
    ".js": "text/javascript",
    ".woff2": "font/woff2",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}


router = APIRouter(include_in_schema=False)


@router.get("/favicon.ico")
async def favicon(
    request: Request,
    who: Annotated[Actor | None, public("browsers ask for it by themselves, also on pages that name another")],  # noqa: ARG001
) -> RedirectResponse:
    """Our icon, for answers that are no pages of ours."""
    return RedirectResponse(parts_of(request)[StaticFiles].url("favicon.svg"))


@dataclass
class _Asset:
    content: bytes
    media_type: str
    digest: str
    compressed: bytes | None = field(default=None)


class StaticFiles:
    """ASGI app for `/static`: serves exactly the files that were there at the start."""

    permission = Public("style sheets, scripts and fonts of the console hold nothing of anybody's")

    def __init__(self, folders: Mapping[str, Path] | None = None) -> None:
        """`folders` maps a module's name to its own files, which are then called `module/file`."""
        found = dict(_files(FOLDER, ""))
        for module, folder in (folders or {}).items():
            found.update(_files(folder, f"{module}/"))
        self._assets: dict[str, _Asset] = {}
        # Style sheets last: they name other files, and are served with those files' addresses.
        for name, file in sorted(found.items(), key=lambda one: one[1].suffix == ".css"):
            content = file.read_bytes()
            self._assets[name] = _asset(name, self._with_addresses(content) if file.suffix == ".css" else content)

    def url(self, name: str) -> str:
        """The address of a file, which changes with its content; raises KeyError for a file that is not there."""
        return f"/static/{self._assets[name].digest}/{name}"

    def _with_addresses(self, style: bytes) -> bytes:
        def address(found: re.Match[bytes]) -> bytes:
            name = found[1].decode()
            return f'url("{self.url(name)}")'.encode() if name in self._assets else found[0]

        return _URL.sub(address, style)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/")
        digest, _, name = path.partition("/")
        asset = self._assets.get(name)
        if asset is None or asset.digest != digest or scope["method"] not in ("GET", "HEAD"):
            await problem_response(NotFound("There is no such file."))(scope, receive, send)
            return
        await self._answer(asset, Headers(scope=scope))(scope, receive, send)

    def _answer(self, asset: _Asset, headers: Headers) -> Response:
        response = Response(media_type=asset.media_type)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        if asset.compressed is not None:
            response.headers["Vary"] = "Accept-Encoding"
        if asset.compressed is not None and "gzip" in headers.get("accept-encoding", ""):
            response.headers["Content-Encoding"] = "gzip"
            response.body = asset.compressed
        else:
            response.body = asset.content
        response.headers["Content-Length"] = str(len(response.body))
        return response


def _files(folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.name.startswith("."):
            yield prefix + file.relative_to(folder).as_posix(), file


def _asset(name: str, content: bytes) -> _Asset:
    suffix = Path(name).suffix
    media_type = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    compressed = gzip.compress(content, 6, mtime=0) if suffix in _TEXT and len(content) > 512 else None
    return _Asset(content, media_type, sha256(content).hexdigest()[:12], compressed)
