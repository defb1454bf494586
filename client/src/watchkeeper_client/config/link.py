"""The connection to a server: what is asked, and what its answers mean."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx

from watchkeeper_client.rules import Definition, DocumentInvalid, apply_delta, parse_snapshot

SILENCE_SECONDS = 25.0  # the server says something each 10 s
LARGEST_LINE = 64_000_000
_BASE = "/api/v1/config"


class LinkFailed(Exception):
    """The server can't be asked, or not like this; the text says why. `is_final` where asking again soon is no use."""

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


class Link:
    """Asks one server. Belongs to one process: a forked child makes its own."""

    def __init__(self, url: str, token: str | None, environment: str, timeout: float) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._environment = environment
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout)

    def close(self) -> None:
        """Let go of the connections; a stream that is open ends."""
        self._http.close()

    def fetch(self) -> Mapping[str, Any]:
        """The snapshot as it is now. Raises LinkFailed."""
        try:
            answer = self._http.get(f"{_BASE}/snapshot", params={"environment": self._environment})
        except (httpx.HTTPError, RuntimeError) as error:
            raise LinkFailed(_words(error)) from None
        _require_success(answer)
        return _document(answer.content)

    def follow(self, held: Mapping[str, Any]) -> Iterator[Mapping[str, Any] | None]:
        """Snapshots as they come, and None for each other sign of life; ends when the server ends the stream.

        Raises LinkFailed, also when nothing was heard for 25 s.
        """
        query = {"environment": self._environment, "etag": held["etag"]}
        patience = httpx.Timeout(10.0, read=SILENCE_SECONDS)
        try:
            with self._http.stream("GET", f"{_BASE}/stream", params=query, timeout=patience) as answer:
                if not answer.is_success:
                    answer.read()
                _require_success(answer)
                yield None
                for event, data in _events(answer):
                    held = self._next(held, event, data) if event else held
                    yield held if event else None
        except (httpx.HTTPError, httpx.StreamError, RuntimeError) as error:
            raise LinkFailed(_words(error)) from None

    def register(self, service: str, definitions: Sequence[Definition]) -> list[Mapping[str, Any]]:
        """Declare parameters; what became of each. Raises LinkFailed."""
        body = {"service": service, "parameters": [one.said() for one in definitions]}
        return list(self._post("/register", body).json()["items"])

    def report(self, body: Mapping[str, Any]) -> None:
        """Tell what this program sees and served. Raises LinkFailed."""
        self._post("/report", {**body, "environment": self._environment})

    def send_subjects(self, subjects: Sequence[Mapping[str, Any]]) -> None:
        """Tell of users. Raises LinkFailed."""
        self._post("", {"subjects": list(subjects)}, base="/api/v1/subjects")

    def _post(self, path: str, body: Any, base: str = _BASE) -> httpx.Response:
        try:
            answer = self._http.post(f"{base}{path}", json=body)
        except (httpx.HTTPError, RuntimeError, ValueError) as error:
            raise LinkFailed(_words(error)) from None
        _require_success(answer)
        return answer

    def _next(self, held: Mapping[str, Any], event: str, data: str) -> Mapping[str, Any]:
        if event == "snapshot":
            return _document(data)
        try:
            made = apply_delta(held, json.loads(data)) if event == "change" else held
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise LinkFailed("the server sent a change that can't be read") from None
        # A change was missed: what counts is what the server holds now.
        return self.fetch() if made is None else made


def _events(answer: httpx.Response) -> Iterator[tuple[str, str]]:
    """(event, data), and ("", "") for a comment."""
    event = ""
    data: list[str] = []
    for line in _lines(answer):
        name, _, said = line.partition(":")
        said = said.removeprefix(" ")
        if not line and data:
            yield event or "message", "\n".join(data)
        if not line:
            event, data = "", []
        elif name == "event":
            event = said
        elif name == "data":
            data.append(said)
        elif not name:
            yield "", ""


def _lines(answer: httpx.Response) -> Iterator[str]:
    """Lines, of bounded length: httpx's own would gather for ever from a server that never ends one."""
    held = bytearray()
    for part in answer.iter_bytes():
        held += part
        if len(held) > LARGEST_LINE:
            raise LinkFailed("the server sent more than can be a configuration")
        *whole, rest = held.split(b"\n")
        held = bytearray(rest)
        for line in whole:
            yield line.decode("utf-8", "replace").rstrip("\r")


def _document(body: bytes | str) -> Mapping[str, Any]:
    if len(body) > LARGEST_LINE:
        raise LinkFailed("the server sent more than can be a configuration")
    try:
        return parse_snapshot(json.loads(body))
    except (ValueError, RecursionError, DocumentInvalid) as error:
        raise LinkFailed(f"the server sent no snapshot: {error}") from None


def _require_success(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    detail = ""
    with contextlib.suppress(ValueError, AttributeError, httpx.StreamError):
        detail = str(answer.json().get("detail", ""))[:300]
    final = answer.status_code in (401, 403, 404, 422)
    raise LinkFailed(f"{answer.status_code} {detail or answer.reason_phrase}".strip(), is_final=final)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
