"""The client of a service: a snapshot kept current by a thread, and answers that never wait for it."""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from watchkeeper_client.config import reading
from watchkeeper_client.config.cache import Cache
from watchkeeper_client.config.follower import Follower, Ticker
from watchkeeper_client.config.gauges import watch_staleness
from watchkeeper_client.config.link import Link, LinkFailed
from watchkeeper_client.config.parameter import Parameter
from watchkeeper_client.config.reading import EMPTY, Reader
from watchkeeper_client.config.status import Source, Status

_log = logging.getLogger("watchkeeper_client")
_DEFAULT_URL = "http://127.0.0.1:8700"
_MOST_SUBJECTS = 1_000
_clients: weakref.WeakSet[Client] = weakref.WeakSet()

OnChange = Callable[[frozenset[str]], None]


class Client(Reader):
    """Reads an environment's configuration; one for the process is enough.

    What is left out comes from WATCHKEEPER_URL, WATCHKEEPER_TOKEN, WATCHKEEPER_ENVIRONMENT and OTEL_SERVICE_NAME. The
    token needs the scope read, and intake to declare parameters and report usage. Starts at once with the last snapshot
    that was kept in `cache_dir` (None: the user's cache directory; False: nowhere) and connects in the background: a
    server that is away holds nobody up. `env_prefix` stands before a key in the names of environment variables.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        environment: str | None = None,
        service: str | None = None,
        cache_dir: str | Path | bool | None = None,
        env_prefix: str = "",
        parameters: Iterable[Parameter] = (),
        timeout: float = 10.0,
    ) -> None:
        self.url = (url or os.environ.get("WATCHKEEPER_URL") or _DEFAULT_URL).rstrip("/")
        self._token = token or os.environ.get("WATCHKEEPER_TOKEN")
        self.environment = environment or os.environ.get("WATCHKEEPER_ENVIRONMENT") or "production"
        self.service = service or os.environ.get("OTEL_SERVICE_NAME") or "unnamed"
        self.parameters = tuple(parameters)
        self._timeout = timeout
        self._env_prefix = env_prefix
        folder = Path(cache_dir) if isinstance(cache_dir, (str, Path)) else None
        self._cache = None if cache_dir is False else Cache(folder, self.url, self.environment)
        super().__init__(EMPTY)
        self._callbacks: list[OnChange] = []
        self._connection_callbacks: list[Callable[[bool], None]] = []
        self._source: Source = "none"
        self._confirmed_at: float | None = None
        self._connected = False
        self._error: str | None = None
        self._closed = False
        self._counts: dict[tuple[str, str], int] = {}
        self._counting = threading.Lock()
        self._read_cache()
        self._begin()
        _clients.add(self)
        watch_staleness(self)
        atexit.register(_close, weakref.ref(self))

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def status(self) -> Status:
        """How current this client is."""
        document = self._document
        known = self._source != "none"
        return Status(
            connected=self._connected,
            source=self._source,
            environment=self.environment,
            version=document["version"] if known else None,
            etag=document["etag"] if known else None,
            stale_seconds=None if self._confirmed_at is None else max(0.0, time.monotonic() - self._confirmed_at),
            last_error=self._error,
        )

    def wait_until_ready(self, timeout: float = 10.0) -> bool:
        """Wait for a snapshot from the server; False when none came in time (what was kept on disk serves anyway)."""
        return self._ready.wait(timeout)

    def on_change(self, callback: OnChange) -> Callable[[], None]:
        """Call with the keys that changed, from a thread of the client; the answer ends it. Errors are logged."""
        self._callbacks.append(callback)

        def unsubscribe() -> None:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

        return unsubscribe

    def on_connection(self, callback: Callable[[bool], None]) -> Callable[[], None]:
        """Call with whether a server is heard, whenever that changes, from a thread of the client."""
        self._connection_callbacks.append(callback)

        def unsubscribe() -> None:
            if callback in self._connection_callbacks:
                self._connection_callbacks.remove(callback)

        return unsubscribe

    def sync_subjects(self, subjects: Sequence[Mapping[str, Any]]) -> bool:
        """Tell Watchkeeper of the product's users, `{"id": …, "country": …, "attributes": {…}}` each; whether it took.

        Waits for the answer; in batches of 1,000. Sending the same again is harmless. A refusal is logged.
        """
        try:
            for start in range(0, len(subjects), _MOST_SUBJECTS):
                self._link.send_subjects(subjects[start : start + _MOST_SUBJECTS])
        except LinkFailed as failure:
            _log.warning("users could not be told to Watchkeeper: %s", failure)
            return False
        return True

    def close(self) -> None:
        """Report once more, stop the threads, let go of the connections. Values stay readable."""
        if self._closed:
            return
        self._closed = True
        self._stopping.set()
        if self._connected:
            self._ticker.report()
        self._link.close()
        self._connected = False
        # The other thread may wait for the server's next word; it is a daemon and ends with it.
        if self._ticker.is_alive() and self._ticker is not threading.current_thread():
            self._ticker.join(2)

    def _begin(self) -> None:
        """Everything that belongs to one process."""
        self.instance = secrets.token_hex(8)
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._counting = threading.Lock()
        self._link = Link(self.url, self._token, self.environment, self._timeout)
        self._follower = Follower(self, self._link, self._stopping)
        self._ticker = Ticker(self, self._link, self._stopping)
        self._follower.start()
        self._ticker.start()

    def _begin_in_child(self) -> None:
        if self._closed:
            return
        # Kept, not closed: the connections are the parent's, and it goes on with them.
        self._parents = self._link
        self._connected = False
        self._program.counts()
        self._counts = {}
        self._begin()

    def _read_cache(self) -> None:
        found = self._cache.read() if self._cache is not None else None
        if found is not None:
            document, age = found
            self._source, self._confirmed_at = "disk", time.monotonic() - age
            self._adopt(document)

    def _take(self, document: Mapping[str, Any]) -> None:
        """A snapshot from the server."""
        before = self._document
        self._source = "server"
        self._heard()
        if document is not before:
            self._adopt(document)
            if self._cache is not None:
                self._cache.write(document)
            self._tell(_changed(before, document))
        self._ready.set()

    def _heard(self) -> None:
        """A sign of life: what we hold is what the server holds."""
        self._confirmed_at = time.monotonic()
        if not self._connected:
            self._connected, self._error = True, None
            self._call(self._connection_callbacks, True)

    def _lost(self, reason: str) -> None:
        was, self._connected = self._connected, False
        if was and not self._closed:
            self._call(self._connection_callbacks, False)
        if reason and reason != self._error and not self._closed:
            _log.warning("the configuration of %s is not followed at the moment: %s", self.url, reason)
        self._error = reason or self._error

    def _adopt(self, document: Mapping[str, Any]) -> None:
        prefix = self._env_prefix
        said = {key: os.environ[prefix + key] for key in document["parameters"] if prefix + key in os.environ}
        same, self._environ = said == self._environ, said
        with reading.overriding_lock():
            self._keep_counts()
            program = self._compiled(document, self._program if same else None)
            self._install(document, program)

    def _act_on_time(self) -> None:
        """Scheduled changes fall due, or the wall clock was set back before one that was made."""
        before = self._program
        with reading.overriding_lock():
            self._keep_counts()
            self._install(self._document, self._compiled(self._document, None))
        self._tell(
            frozenset(key for key in self._program.table if _answers(before, key) != _answers(self._program, key))
        )

    def _keep_counts(self) -> None:
        with self._counting:
            for what, count in self._program.counts().items():
                self._counts[what] = self._counts.get(what, 0) + count

    def _take_counts(self) -> dict[tuple[str, str], int]:
        self._keep_counts()
        with self._counting:
            counts, self._counts = self._counts, {}
        return counts

    def _return_counts(self, counts: Mapping[tuple[str, str], int]) -> None:
        with self._counting:
            for what, count in counts.items():
                self._counts[what] = self._counts.get(what, 0) + count

    def _tell(self, keys: frozenset[str]) -> None:
        if keys:
            self._call(self._callbacks, keys)

    def _call(self, callbacks: Sequence[Callable[[Any], None]], said: Any) -> None:
        for callback in list(callbacks):
            try:
                callback(said)
            except Exception:  # noqa: BLE001 (the service's own code; the next one is called all the same)
                _log.exception("a callback for changes of the configuration failed")


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> frozenset[str]:
    old, new = before["parameters"], after["parameters"]
    if before.get("segments") != after.get("segments"):
        return frozenset({*old, *new})
    return frozenset(key for key in {*old, *new} if old.get(key) != new.get(key))


def _answers(program: Any, key: str) -> list[tuple[str, str, Any]]:
    return [(one.layer, one.variant, one.wire) for one in program.outcomes_of(key)] if key in program.table else []


def _close(held: weakref.ref[Client]) -> None:
    client = held()
    if client is not None:
        client.close()


def _go_on_in_child() -> None:
    reading.forget_the_parents_lock()
    for client in list(_clients):
        client._begin_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_go_on_in_child)
