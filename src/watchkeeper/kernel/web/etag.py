"""Versions of what people edit together: strong ETags, 304, 412 and 428."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import orjson
from pydantic_core import to_jsonable_python
from starlette.requests import Request
from starlette.responses import Response

from watchkeeper.kernel.errors import PreconditionFailed, Refusal


class PreconditionRequired(Refusal):
    """A change to something shared came without the version it is based on."""

    code = "kernel.precondition_required"
    status = 428
    title = "Say which version you changed"


def etag_of(value: Any) -> str:
    """A strong ETag of anything JSON can hold: equal values have equal tags, whatever the order of their keys."""
    plain = orjson.dumps(to_jsonable_python(value), option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return f'"{sha256(plain).hexdigest()[:32]}"'


def not_modified(request: Request, etag: str) -> Response | None:
    """A 304 when `If-None-Match` says that the client has this version; None otherwise."""
    offered = request.headers.get("if-none-match")
    if offered is None:
        return None
    # RFC 9110 13.1.2: If-None-Match compares weakly, so a proxy that marked our tag W/ still matches.
    tags = {tag.removeprefix("W/") for tag in _tags(offered)}
    if "*" in tags or etag in tags:
        return Response(status_code=304, headers={"ETag": etag, "Cache-Control": "private, no-cache"})
    return None


def require_match(request: Request, etag: str) -> None:
    """Raise PreconditionRequired without `If-Match`, PreconditionFailed when it names another version."""
    offered = request.headers.get("if-match")
    if offered is None:
        raise PreconditionRequired("Send If-Match with the ETag of the version you read.")
    check_match(request, etag)


def check_match(request: Request, etag: str) -> None:
    """Raise PreconditionFailed when `If-Match` is there and names another version."""
    offered = request.headers.get("if-match")
    if offered is None:
        return
    tags = _tags(offered)
    if "*" not in tags and etag not in tags:
        raise PreconditionFailed(
            "It changed since you read it. Read it again and repeat the change.", headers={"ETag": etag}
        )


def with_etag(response: Response, etag: str) -> Response:
    """The response, marked with its version and to be revalidated before it is used again."""
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _tags(header: str) -> set[str]:
    return {tag.strip() for tag in header.split(",") if tag.strip()}
