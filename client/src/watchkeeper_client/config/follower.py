"""The two threads of a client: one listens to the server, one keeps time and reports."""

from __future__ import annotations

import logging
import random
import threading
import weakref
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from watchkeeper_client.config.link import Link, LinkFailed
from watchkeeper_client.config.parameter import Parameter
from watchkeeper_client.config.status import Source, Status
from watchkeeper_client.rules import Program

_log = logging.getLogger("watchkeeper_client")
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 10.0
REPORT_SECONDS = 60.0


class Followed(Protocol):
    """The client, as its threads see it."""

    parameters: tuple[Parameter, ...]
    service: str
    instance: str
    _document: Mapping[str, Any]
    _program: Program
    _environ: Mapping[str, str]
    _source: Source
    _connected: bool

    def status(self) -> Status: ...
    def _take(self, document: Mapping[str, Any]) -> None: ...
    def _heard(self) -> None: ...
    def _lost(self, reason: str) -> None: ...
    def _act_on_time(self) -> None: ...
    def _take_counts(self) -> dict[tuple[str, str], int]: ...
    def _return_counts(self, counts: Mapping[tuple[str, str], int]) -> None: ...


class Follower(threading.Thread):
    """Holds the stream, and comes back with growing pauses when it breaks."""

    def __init__(self, client: Followed, link: Link, stopping: threading.Event) -> None:
        super().__init__(name="watchkeeper-config", daemon=True)
        # Weakly: a client that nobody holds any more ends its threads.
        self._client, self._link, self._stopping = weakref.ref(client), link, stopping
        self._registered = not client.parameters

    def run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                heard = self._follow_once()
            except LinkFailed as failure:
                heard = False
                self._lost(str(failure))
                pause = _LONGEST_PAUSE if failure.is_final else pause
            except Exception as error:  # noqa: BLE001 (an edge: the thread must outlive any surprise)
                heard = False
                _log.exception("following the configuration failed")
                self._lost(type(error).__name__)
            if self._client() is None:
                return
            pause = _FIRST_PAUSE if heard else min(pause * 2, _LONGEST_PAUSE)
            self._stopping.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 (spreads clients out; no secret)

    def _follow_once(self) -> bool:
        """Whether anything was heard before the stream ended."""
        client = self._client()
        if client is None:
            return False
        held = client._document
        if client._source != "server":
            client._take(self._link.fetch())
            held = client._document
        del client
        for document in self._link.follow(held):
            client = self._client()
            if client is None or self._stopping.is_set():
                return True
            if document is None:
                client._heard()
            else:
                client._take(document)
            self._register(client)
            del client
        return True

    def _register(self, client: Followed) -> None:
        if self._registered:
            return
        self._registered = True
        try:
            for said in self._link.register(client.service, [one.definition for one in client.parameters]):
                if said.get("outcome") in ("differs", "refused"):
                    _log.warning("parameter %s: %s", said.get("key"), said.get("detail"))
        except LinkFailed as failure:
            _log.warning("parameters could not be declared: %s", failure)
            self._registered = failure.is_final

    def _lost(self, reason: str) -> None:
        client = self._client()
        if client is not None:
            client._lost(reason)


class Ticker(threading.Thread):
    """Looks at the wall clock each second, so that scheduled changes act on time even when it is set."""

    def __init__(self, client: Followed, link: Link, stopping: threading.Event) -> None:
        super().__init__(name="watchkeeper-config-ticker", daemon=True)
        self._client, self._link, self._stopping = weakref.ref(client), link, stopping
        self._reporting = True

    def run(self) -> None:
        seconds, compiled_for = 0.0, datetime.now(UTC)
        while not self._stopping.wait(self._until_next()):
            client = self._client()
            if client is None:
                return
            now = datetime.now(UTC)
            due = client._program.next_change_at
            # Set back: what was scheduled between is to come again.
            if (due is not None and due <= now) or (now < compiled_for and client._document.get("scheduled")):
                client._act_on_time()
            compiled_for = now
            seconds += 1
            if seconds >= REPORT_SECONDS and client._connected:
                seconds = 0
                self.report()
            del client

    def report(self) -> None:
        """Tell the server what this program sees and served; what could not be told is told next time."""
        client = self._client()
        if client is None or not self._reporting:
            return
        counts = client._take_counts()
        kinds = client._program.kinds
        status = client.status()
        body = {
            "service": client.service,
            "instance": client.instance,
            "version": status.version or 0,
            "stale_seconds": status.stale_seconds or 0.0,
            "layers": [
                {"key": key, "env": None if kinds.get(key) == "secret" else said[:4_000]}
                for key, said in list(client._environ.items())[:2_000]
            ],
            "counts": [
                {"key": key, "variant": variant, "count": count}
                for (key, variant), count in list(counts.items())[:10_000]
            ],
        }
        try:
            self._link.report(body)
        except LinkFailed as failure:
            client._return_counts(counts)
            if failure.is_final:
                # Such as a token that may only read: no reason to ask each minute.
                self._reporting = False
                _log.info("usage is not reported: %s", failure)

    def _until_next(self) -> float:
        client = self._client()
        due = client._program.next_change_at if client is not None else None
        if due is None:
            return 1.0
        return min(1.0, max(0.001, (due - datetime.now(UTC)).total_seconds()))
