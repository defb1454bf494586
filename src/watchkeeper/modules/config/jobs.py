"""Work of runtime configuration that comes due: scheduled changes, counts of this server, clearing up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.work import Handler, Recurring, Task, Transactional
from watchkeeper.modules.config import reports, store_reports
from watchkeeper.modules.config.changes import APPLY, Changes
from watchkeeper.modules.config.hub import Hub
from watchkeeper.modules.config.settings import ConfigSettings


def handlers(clock: Clock) -> Mapping[str, Handler]:
    """Who makes scheduled changes."""

    def apply(session: Session, task: Task) -> None:
        Changes(session, clock).apply_due(str(task.payload["change_id"]))

    return {APPLY: Transactional(apply)}


def recurring(clock: Clock, settings: ConfigSettings) -> list[Recurring]:
    """What is cleared up each hour."""

    def clean_up(session: Session, _task: Task) -> None:
        now = clock.now()
        store_reports.prune(
            session, usage_before=now - timedelta(days=settings.usage_days), seen_before=now - reports.GONE
        )

    return [Recurring("config.clean_up", timedelta(hours=1), Transactional(clean_up))]


def keep_counts(session: Session, clock: Clock, hub: Hub) -> None:
    """Add what this process evaluated since the last call."""
    for environment, counts in hub.drain().items():
        reports.add_counts(session, environment, counts, at=clock.now())
