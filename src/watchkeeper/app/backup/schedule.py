"""Recurring work: the daily backup and the monthly drill, once across all replicas."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy.orm import Session

from watchkeeper.app.backup import status
from watchkeeper.app.backup.model import backup_is_due, drill_is_due
from watchkeeper.app.backup.service import BY_SCHEDULE, Backups, Order
from watchkeeper.app.backup.targets import place_of
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.work import Recurring, Task, Worker

_log = structlog.get_logger("watchkeeper.backup")
_LOOK_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Schedule:
    """A work Handler that looks whether a backup or a drill is due, and makes it."""

    db: Database
    clock: Clock
    backups: Backups

    def act(self, task: Task) -> None:  # noqa: ARG002
        """One look. A refusal is a fact by now, and comes back when it is due again."""
        settings = self.backups.settings
        if settings.target is None:
            return
        now = self.clock.now()
        mark = place_of(settings.target, settings).mark
        with self.db.read() as session:
            known = status.backup_status(session, settings, place=mark)
        try:
            if backup_is_due(now, settings.time_of_day, last_good=known.last_good_at, last_failed=known.last_failed_at):
                order = Order(new_id("bak"), BY_SCHEDULE, "worker")
                self.backups.reserve(order.backup_id)
                self.backups.make(order)
            elif known.last_good_at is not None and drill_is_due(
                now, settings.drill_every, last_good=known.last_good_drill_at, last=known.last_drill_at
            ):
                self.backups.reserve("", "drill")
                self.backups.drill(BY_SCHEDULE, "worker")
        except Refusal as refusal:
            _log.error("a scheduled backup or drill was refused", reason=refusal.detail)

    def finish(self, session: Session, task: Task, result: object) -> None:
        """Its facts are written by then."""


def backup_worker(db: Database, clock: Clock, backups: Backups) -> Worker:
    """A lane of its own: a backup takes minutes, and nothing else may wait for it."""
    recurring = Recurring("backup.schedule", _LOOK_EVERY, Schedule(db, clock, backups))
    return Worker(db, clock, {}, recurring=[recurring], lane="backup", threads=1)
