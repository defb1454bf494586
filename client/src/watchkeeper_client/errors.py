"""What can go wrong when Watchkeeper is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class Complaint:
    """One thing wrong with what was sent: where, and what was expected there."""

    where: str
    expected: str


@dataclass(frozen=True)
class Problem:
    """A refusal in Watchkeeper's words (RFC 9457). `code` is stable; decide by it, not by the texts."""

    status: int
    code: str
    title: str
    detail: str
    complaints: tuple[Complaint, ...] = ()


class WatchkeeperError(Exception):
    """Base of all errors of this client."""


class Unreachable(WatchkeeperError):
    """No answer, or one that says try later, however often it was tried."""


class Refused(WatchkeeperError):
    """Watchkeeper said no; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.status} {problem.code}: {problem.detail}")
        self.problem = problem


def problem_of(answer: httpx.Response) -> Problem:
    """The problem in an answer, also one that a proxy gave without Watchkeeper's words."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    said: dict[str, Any] = body if isinstance(body, dict) else {}
    listed = said.get("errors")
    complaints = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return Problem(
        status=answer.status_code,
        code=str(said.get("code", "http.error")),
        title=str(said.get("title", answer.reason_phrase)),
        detail=str(said.get("detail", answer.reason_phrase)),
        complaints=tuple(Complaint(str(one.get("where", "")), str(one.get("expected", ""))) for one in complaints),
    )
