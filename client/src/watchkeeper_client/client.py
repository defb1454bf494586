"""Asks a Watchkeeper server."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any

import httpx

from watchkeeper_client.errors import Refused, Unreachable, problem_of
from watchkeeper_client.model import Fact, Service

_TRY_LATER = frozenset({429, 502, 503, 504})
_ATTEMPTS = 4
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0


class Watchkeeper:
    """A server and the rights of a token; close it, or use it as a context manager.

    Every method raises Refused when the server says no, and Unreachable when it can't be asked: reads are tried a few
    times first, with growing pauses or those that the server names.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout: float = 10.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            base_url=url, headers=headers | {"Accept": "application/json"}, timeout=timeout, transport=transport
        )

    def __enter__(self) -> Watchkeeper:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def ready(self) -> bool:
        """Whether the server answers and can do its work now; never raises for a server that is away."""
        try:
            return self._http.get("/readyz").is_success
        except httpx.TransportError:
            return False

    def services(self) -> Iterator[Service]:
        """The catalog, by name."""
        return map(Service.parse, self._pages("/api/v1/services", {}))

    def timeline(
        self,
        *,
        service: str | None = None,
        kind: str | None = None,
        actor: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[Fact]:
        """What happened, newest first, as far back as it is read. A `kind` that ends in a dot is a prefix.

        Raises ValueError for a time without a zone.
        """
        asked = {"service": service, "kind": kind, "actor": actor, "since": _text(since), "until": _text(until)}
        query = {name: value for name, value in asked.items() if value is not None}
        return map(Fact.parse, self._pages("/api/v1/timeline", query))

    def _pages(self, path: str, query: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        cursor: str | None = None
        while True:
            page = self._read(path, {**query, **({"cursor": cursor} if cursor else {})})
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def _read(self, path: str, query: Mapping[str, str]) -> Any:
        pause, reason = _FIRST_PAUSE, ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 (spreads callers out; no secret)
                pause *= 2
            try:
                answer = self._http.get(path, params=query)
            except httpx.TransportError as error:
                reason = str(error) or type(error).__name__
                continue
            if answer.is_success:
                return answer.json()
            if answer.status_code not in _TRY_LATER:
                raise Refused(problem_of(answer))
            reason = problem_of(answer).detail
            pause = max(pause, _pause_asked(answer))
        raise Unreachable(f"{self._http.base_url}: {reason}")


def _pause_asked(answer: httpx.Response) -> float:
    try:
        return min(_LONGEST_PAUSE, float(answer.headers.get("retry-after", "0")))
    except ValueError:  # a date: our own pause has to do
        return 0.0


def _text(instant: datetime | None) -> str | None:
    if instant is None:
        return None
    if instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no time zone")
    return instant.isoformat()
