"""What every reader of this process is served from: each environment's snapshot, compiled, as new as the database.

One thread looks five times a second, and at once when something was changed here. A look is one small query; only a
version that moved is read. Whoever waits for a change waits on the event loop and costs nothing meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.modules.config import snapshot, store
from watchkeeper.modules.config.errors import EnvironmentNotFound
from watchkeeper.modules.subjects import public as subjects
from watchkeeper_client.rules import Program, apply_delta, compile_snapshot, delta_between

EVERY_SECONDS = 0.2
COUNTS_SECONDS = 30.0
_log = structlog.get_logger("watchkeeper.config")


@dataclass(frozen=True)
class Held:
    """One version of an environment. `delta` leads here from the version `previous`, as a stream sends it."""

    document: Mapping[str, Any]
    etag: str
    body: bytes
    program: Program
    previous: str | None
    delta: bytes

    @property
    def version(self) -> int:
        version: int = self.document["version"]
        return version


class Hub:
    """The current snapshots of all environments."""

    def __init__(
        self, db: Database, clock: Clock, environ: Mapping[str, str], *, every_seconds: float = EVERY_SECONDS
    ) -> None:
        self._db, self._clock, self.environ = db, clock, environ
        self._every = every_seconds
        self._held: dict[str, Held] = {}
        self._seen: dict[str, tuple[int, int]] = {}
        self._looking = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._waiting: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self._waiting_lock = threading.Lock()
        self._followers: list[Callable[[Session], None]] = []
        self._drained: dict[str, dict[tuple[str, str], int]] = {}

    async def catch_up(self) -> None:
        """Take in what was just written here, so that whoever wrote it is served with it from now on."""
        with contextlib.suppress(Unavailable):
            await asyncio.to_thread(self.look)

    def environments(self) -> list[str]:
        """The names of those that were seen."""
        return sorted(self._held)

    def current(self, environment: str) -> Held:
        """The newest version known here. Raises EnvironmentNotFound, or Unavailable before the first look."""
        held = self._held.get(environment)
        if held is None:
            if not self._held:
                raise Unavailable("The configuration was not read yet; try again shortly.", retry_after_seconds=1)
            raise EnvironmentNotFound(
                f"There is no environment {environment[:64]!r}; there are: {', '.join(self.environments())}."
            )
        return held

    def drain(self) -> dict[str, list[tuple[str, str, int]]]:
        """By environment, (key, variant, count) of what was evaluated here since the last call."""
        with self._looking:
            found = self._drained
            self._drained = {}
            for name, held in self._held.items():
                self._keep_counts(name, held, found)
        return {name: [(key, variant, n) for (key, variant), n in counts.items()] for name, counts in found.items()}

    async def fresh(self, environment: str) -> Held:
        """The newest version in the database, for whoever must see what was just written."""
        await self.catch_up()
        return self.current(environment)

    async def moved(self, environment: str, since: str, *, seconds: float) -> Held | None:
        """The version after `since` as soon as there is one; None when nothing moved for so many seconds."""
        event = asyncio.Event()
        loop = asyncio.get_running_loop()
        with self._waiting_lock:
            self._waiting[event] = loop
        try:
            deadline = loop.time() + seconds
            while (held := self.current(environment)).etag == since:
                left = deadline - loop.time()
                if left <= 0:
                    return None
                try:
                    await asyncio.wait_for(event.wait(), left)
                except TimeoutError:
                    return None
                event.clear()
            return held
        finally:
            with self._waiting_lock:
                self._waiting.pop(event, None)

    def look(self) -> bool:
        """Read what moved; whether anything did. Raises Unavailable."""
        with self._looking:
            with self._db.read() as session:
                found = self._versions(session)
                moved = [name for name, version in found.items() if self._seen.get(name) != version]
                documents = {name: snapshot.build(session, name) for name in moved}
                for follower in self._followers if moved else ():
                    follower(session)
            for name, document in documents.items():
                self._take(name, document)
                self._seen[name] = found[name]
            for name in set(self._held) - set(found):
                del self._held[name], self._seen[name]
        if documents:
            self._tell()
        return bool(documents)

    def follow(self, act: Callable[[Session], None]) -> None:
        """Call `act` with a reading session whenever something moved."""
        self._followers.append(act)

    def act_on_time(self) -> None:
        """Let scheduled changes act at their time, whether or not anybody has made them in the database yet."""
        with self._looking:
            found = self._recompile_due()
        if found:
            self._tell()

    @asynccontextmanager
    async def running(self, keep_counts: Callable[[Session], None]) -> AsyncIterator[None]:
        """Look while the block lasts, and hand counts to `keep_counts` each half minute and at the end."""
        self._keep = keep_counts
        thread = threading.Thread(target=self._run, name="config-hub", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            self._wake.set()
            await asyncio.to_thread(thread.join, 10)
            await asyncio.to_thread(self._hand_over)

    def _versions(self, session: Session) -> dict[str, tuple[int, int]]:
        segments = subjects.segments_version(session)
        return {name: (version, segments) for name, version in store.versions(session).items()}

    def _take(self, name: str, document: Mapping[str, Any]) -> None:
        before = self._held.get(name)
        if before is not None and before.etag == document["etag"]:
            return
        if before is not None:
            self._keep_counts(name, before, self._drained)
        delta = delta_between(before.document, document) if before is not None else {}
        # The same content in the objects of before, where nothing moved: they need not be compiled again.
        kept = apply_delta(before.document, delta) if before is not None else document
        assert kept is not None  # noqa: S101 (the delta starts from there)
        self._held[name] = Held(
            document=kept,
            etag=document["etag"],
            body=orjson.dumps(document),
            program=self._compiled(kept, before),
            previous=before.etag if before is not None else None,
            delta=orjson.dumps(delta),
        )

    def _compiled(self, document: Mapping[str, Any], before: Held | None) -> Program:
        now, reuse = self._clock.now(), before.program if before is not None else None
        return compile_snapshot(document, now=now, environ=self.environ, clock=self._clock.now, reuse=reuse)

    def _recompile_due(self) -> bool:
        now, found = self._clock.now(), False
        for name, held in list(self._held.items()):
            due = held.program.next_change_at
            if due is not None and due <= now:
                self._keep_counts(name, held, self._drained)
                fields = {**held.__dict__, "program": self._compiled(held.document, held)}
                self._held[name] = Held(**fields)
                found = True
        return found

    def _keep_counts(self, name: str, held: Held, into: dict[str, dict[tuple[str, str], int]]) -> None:
        kept = into.setdefault(name, {})
        for what, count in held.program.counts().items():
            kept[what] = kept.get(what, 0) + count

    def _tell(self) -> None:
        with self._waiting_lock:
            waiting = list(self._waiting.items())
        for event, loop in waiting:
            _call(loop, event.set)

    def _hand_over(self) -> None:
        try:
            if any(one.count for held in self._held.values() for one in held.program.outcomes()) or self._drained:
                with self._db.begin() as session:
                    self._keep(session)
        except Unavailable:
            _log.warning("counts of evaluations could not be kept")

    def _run(self) -> None:
        kept_at = self._clock.monotonic()
        while not self._stopping.is_set():
            if self._clock.monotonic() - kept_at > COUNTS_SECONDS:
                kept_at = self._clock.monotonic()
                self._hand_over()
            try:
                self.act_on_time()
                self.look()
            except Unavailable:
                _log.warning("the configuration can't be read; serving what was read last")
            except Exception:  # noqa: BLE001 (an edge: the thread must outlive any surprise)
                _log.exception("looking for changes of the configuration failed")
            self._wake.wait(self._every)
            self._wake.clear()


def _call(loop: asyncio.AbstractEventLoop, act: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(act)
    except RuntimeError:
        # The loop has ended, and with it whoever waited.
        return
