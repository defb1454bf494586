"""The runner inside the server: off unless the settings allow it. It speaks with the database in place of HTTP."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.outbound import Outbound
from watchkeeper.modules.runbooks.actions import Actions
from watchkeeper.modules.runbooks.leasing import Lease, Leases, Report
from watchkeeper.modules.runbooks.runner.allow import Allowed, environment_of, is_root
from watchkeeper.modules.runbooks.runner.executing import Executor
from watchkeeper.modules.runbooks.runner.loop import Runner
from watchkeeper.modules.runbooks.settings import RunbookSettings

NAME = "this server"
_ACTOR = "system:runner"
_POLL_SECONDS = 1.0
_LEAVE_SECONDS = 10.0
_log = structlog.get_logger("watchkeeper.runner")


@dataclass(frozen=True)
class DatabaseExchange:
    """A runner's way to the database of its own process."""

    db: Database
    clock: Clock
    actions: Actions
    settings: RunbookSettings
    stopping: threading.Event = field(default_factory=threading.Event)

    def claim(self) -> Lease | None:
        """Waits a second when there is nothing."""
        with self.db.read() as session:
            waiting = self._on(session).anything()
        if waiting:
            with self.db.begin() as session:
                return self._on(session).claim(NAME, by=_ACTOR)
        self.stopping.wait(_POLL_SECONDS)
        return None

    def begin(self, lease: Lease) -> None:
        with self.db.begin() as session:
            self._on(session).begin(lease.run, lease.number, lease.token)

    def progress(self, lease: Lease, output: str, output_bytes: int) -> bool:
        with self.db.begin() as session:
            return self._on(session).progress(
                lease.run, lease.number, lease.token, output=output, output_bytes=output_bytes
            )

    def finish(self, lease: Lease, report: Report) -> None:
        with self.db.begin() as session:
            self._on(session).finish(lease.run, lease.number, lease.token, report)

    def _on(self, session: Session) -> Leases:
        return Leases(session, self.clock, self.actions, self.settings, self.db.database_now)


class RunnerHere:
    """A thread that runs steps while the server does, where the settings say so."""

    def __init__(
        self, db: Database, clock: Clock, actions: Actions, settings: RunbookSettings, outbound: Outbound
    ) -> None:
        self.settings = settings
        self._stopping = threading.Event()
        names = [one.strip() for one in settings.run_here_environment.split(",") if one.strip()]
        passed = environment_of(os.environ, names)
        allowed = Allowed(passed=passed, folder=settings.run_here_folder, everything=True)
        exchange = DatabaseExchange(db, clock, actions, settings, self._stopping)
        self._runner = Runner(exchange, Executor(allowed, clock, outbound), self._stopping)
        self._thread: threading.Thread | None = None

    @property
    def may_run(self) -> bool:
        """Whether the settings allow it, also as who this process runs as."""
        return self.settings.run_here and (self.settings.run_here_as_root or not is_root())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Takes steps while the block lasts, where it may."""
        self.start()
        try:
            yield
        finally:
            await asyncio.to_thread(self.stop)

    def start(self) -> None:
        """Begin to take steps; nothing where it may not."""
        if not self.may_run:
            if self.settings.run_here:
                _log.warning("steps are not run here: this server runs as root", setting="runbooks.run_here_as_root")
            return
        self._thread = threading.Thread(target=self._runner.run, name="runner-here", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more; a step that runs is given 10 s, and is then ended with this process."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_LEAVE_SECONDS)
