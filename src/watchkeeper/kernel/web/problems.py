"""How Watchkeeper says no: RFC 9457 problem+json to programs, a readable page to people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watchkeeper.kernel.errors import (
    Complaint,
    Forbidden,
    Invalid,
    NotFound,
    Refusal,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from watchkeeper.kernel.ids import new_id

PROBLEM_JSON = "application/problem+json"
_PROGRAMS_ONLY = ("/api/", "/v1/", "/v2/", "/ofrep/", "/integrations/", "/ping/", "/openapi.json", "/metrics")
_log = structlog.get_logger("watchkeeper.web")


class ProblemError(BaseModel):
    """One thing wrong with the input."""

    where: str = Field(description="Where it stands, such as `body.name` or `query.limit`.")
    expected: str = Field(description="What was expected there.")


class Problem(BaseModel):
    """An RFC 9457 problem."""

    type: str = Field(description="`urn:watchkeeper:problem:` and the code.")
    title: str
    status: int
    detail: str
    code: str = Field(description="Stable name of the refusal, `module.reason`.")
    errors: list[ProblemError] = Field(default_factory=list)


class MalformedRequest(Refusal):
    code = "kernel.malformed"
    status = 400
    title = "The request can't be read"


class MethodNotAllowed(Refusal):
    code = "kernel.method_not_allowed"
    status = 405
    title = "Method not allowed"


class Unexpected(Refusal):
    """What a caller learns of a bug: an id to quote, and nothing else."""

    code = "kernel.unexpected"
    status = 500
    title = "Something went wrong here"


_BY_STATUS: dict[int, type[Refusal]] = {
    400: MalformedRequest,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    413: TooLarge,
    422: Invalid,
}


def problem_of(refusal: Refusal) -> Problem:
    """The refusal as a problem."""
    return Problem(
        type=f"urn:watchkeeper:problem:{refusal.code}",
        title=refusal.title,
        status=refusal.status,
        detail=refusal.detail,
        code=refusal.code,
        errors=[ProblemError(where=one.where, expected=one.expected) for one in refusal.complaints],
    )


def problem_response(refusal: Refusal) -> Response:
    """The refusal as problem+json, with its headers."""
    headers = dict(refusal.headers)
    if refusal.status == 401:
        headers.setdefault("WWW-Authenticate", "Bearer")
    body = orjson.dumps(problem_of(refusal).model_dump())
    return Response(body, status_code=refusal.status, headers=headers, media_type=PROBLEM_JSON)


def wants_page(request: Request) -> bool:
    """Whether a person with a browser waits for the answer, rather than a program."""
    if request.url.path.startswith(_PROGRAMS_ONLY) or request.headers.get("hx-request") == "true":
        return False
    return "text/html" in request.headers.get("accept", "")


async def refuse(request: Request, refusal: Refusal) -> Response:
    """The answer to a refused request, in the form its sender understands."""
    if refusal.status >= 500 and not isinstance(refusal, Unexpected):
        _log.warning("refused", code=refusal.code, detail=refusal.detail, path=request.url.path)
    elsewhere = _way_in(request, refusal)
    if elsewhere is not None and request.headers.get("hx-request") == "true":
        return _with_header(problem_response(refusal), "HX-Redirect", elsewhere)
    if not wants_page(request):
        return problem_response(refusal)
    if elsewhere is not None:
        return RedirectResponse(elsewhere, status_code=303)
    from watchkeeper.kernel.web.pages import render_refusal  # pages needs access, which the handlers serve

    return await render_refusal(request, refusal)


def add_problem_handlers(app: FastAPI) -> None:
    """Answer every refusal and every malformed request of the app as a problem."""

    async def answer(request: Request, error: Exception) -> Response:
        return await refuse(request, _refusal_of(request, error))

    for handled in (Refusal, RequestValidationError, HTTPException):
        app.add_exception_handler(handled, answer)


def refusal_of_validation(errors: Sequence[Any]) -> Refusal:
    """Pydantic's errors as one refusal; a body that is no JSON at all is malformed rather than invalid."""
    complaints = [Complaint(".".join(str(step) for step in one["loc"]), str(one["msg"])) for one in errors]
    if any(one["type"] == "json_invalid" for one in errors):
        return MalformedRequest("The body is not valid JSON.", complaints=complaints)
    named = ", ".join(complaint.where for complaint in complaints[:5])
    return Invalid(f"Not as expected: {named}.", complaints=complaints)


def _refusal_of(request: Request, error: Exception) -> Refusal:
    match error:
        case Refusal():
            return error
        case RequestValidationError():
            return refusal_of_validation(error.errors())
        case HTTPException():
            return _refusal_of_http(request, error)
        case _:
            raise error


def _refusal_of_http(request: Request, error: HTTPException) -> Refusal:
    cls = _BY_STATUS.get(error.status_code)
    headers: Mapping[str, str] = error.headers or {}
    if cls is NotFound and error.detail == "Not Found":
        return NotFound(f"There is nothing at {request.url.path}.", headers=headers)
    if cls is MethodNotAllowed:
        return MethodNotAllowed(f"{request.method} is not possible on {request.url.path}.", headers=headers)
    if cls is not None:
        return cls(str(error.detail), headers=headers)
    other = Unavailable(str(error.detail)) if error.status_code == 503 else Refusal(str(error.detail), headers=headers)
    other.status = error.status_code  # type: ignore[misc]  # a foreign status keeps its number
    return other


def _way_in(request: Request, refusal: Refusal) -> str | None:
    """Where a person goes to be let in: to sign in, or to do what is missing."""
    if refusal.way_on is not None:
        return f"{refusal.way_on}?{urlencode({'next': _page_of(request)})}"
    return _login_url(request) if refusal.status == 401 else None


def _page_of(request: Request) -> str:
    """The page itself, or the one whose form was sent."""
    if request.method == "GET":
        return request.url.path
    referer = urlsplit(request.headers.get("referer", ""))
    return safe_next(referer.path) if referer.netloc == request.headers.get("host") else "/account"


def _login_url(request: Request) -> str:
    came_from = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.method != "GET" or request.headers.get("hx-request") == "true" or came_from == "/":
        return "/login"
    return f"/login?{urlencode({'next': came_from})}"


def safe_next(path: str | None) -> str:
    """Where to go after signing in: a path of this console, never another site."""
    if not path or not path.startswith("/") or path.startswith(("//", "/\\")) or any(c < " " for c in path):
        return "/"
    return path


def _with_header(response: Response, name: str, value: str) -> Response:
    response.headers[name] = value
    return response


class CatchUnexpected:
    """ASGI: a bug becomes a logged error id and a 500 that says nothing else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Refusal as refusal:
            if started:
                raise
            await (await refuse(Request(scope, receive), refusal))(scope, receive, send)
        except Exception as error:
            # The outermost edge: whatever it is, the caller gets an answer.
            error_id = new_id("err")
            _log.error("unexpected error", error_id=error_id, path=scope["path"], exc_info=error)
            if started:
                raise
            answer = await refuse(Request(scope, receive), Unexpected(f"Quote {error_id} when you report this."))
            await answer(scope, receive, send)
