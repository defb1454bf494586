"""Refusals: the ways in which Watchkeeper says no. A bug is not a refusal and is never dressed as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Complaint:
    """One thing wrong with an input: where it stands and what was expected there."""

    where: str
    expected: str


class Refusal(Exception):
    """Base of every typed refusal. Subclasses fix `code` (stable, `module.reason`), `status` and `title`."""

    code: ClassVar[str] = "kernel.refused"
    status: ClassVar[int] = 400
    title: ClassVar[str] = "Refused"
    # The page on which a person can do what is missing; browsers are led there.
    way_on: ClassVar[str | None] = None

    def __init__(
        self,
        detail: str,
        *,
        complaints: Sequence[Complaint] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.complaints = tuple(complaints)
        self.headers = dict(headers or {})


class NotFound(Refusal):
    code = "kernel.not_found"
    status = 404
    title = "Not found"


class Invalid(Refusal):
    code = "kernel.invalid"
    status = 422
    title = "The input is not valid"


class Conflict(Refusal):
    code = "kernel.conflict"
    status = 409
    title = "Conflict"


class PreconditionFailed(Refusal):
    """An `If-Match` that names a version which is no longer the current one."""

    code = "kernel.precondition_failed"
    status = 412
    title = "Changed since you read it"


class Unauthenticated(Refusal):
    code = "kernel.unauthenticated"
    status = 401
    title = "Sign in first"


class Forbidden(Refusal):
    code = "kernel.forbidden"
    status = 403
    title = "Not allowed"


class TooLarge(Refusal):
    code = "kernel.too_large"
    status = 413
    title = "Too large"


class TooManyRequests(Refusal):
    code = "kernel.too_many_requests"
    status = 429
    title = "Too many requests"

    def __init__(self, detail: str, *, retry_after_seconds: int) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_seconds)})


class Unavailable(Refusal):
    """The server can't do it now (disk full, database away) and said so before anything changed."""

    code = "kernel.unavailable"
    status = 503
    title = "Unavailable"

    def __init__(self, detail: str, *, retry_after_seconds: int = 5) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_seconds)})
