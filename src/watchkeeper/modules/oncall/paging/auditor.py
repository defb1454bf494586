"""Who watches the watcher: what must be so of every page that is due, looked at every 30 seconds, and told outside.

The word that leaves is a page itself: the audit runs in the lane that pages, orders the word in its transaction, and
the lane that sends delivers it. So it stops when the database can't be written, when either lane hangs, or when nothing
leaves the machine. Whoever gets it (any URL as of Healthchecks, another Watchkeeper's heartbeat) raises the alarm.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from watchkeeper.kernel import work
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.outbound import DeliveryFailed, DestinationRefused, Outbound
from watchkeeper.kernel.work import Recurring, Task
from watchkeeper.kernel.work import store as work_store
from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.alerts.public import GroupFilter, Status
from watchkeeper.modules.notify import public as notify
from watchkeeper.modules.oncall import service
from watchkeeper.modules.oncall.paging import store
from watchkeeper.modules.oncall.paging.calling import tell
from watchkeeper.modules.oncall.paging.events import AuditFailed, AuditPassed
from watchkeeper.modules.oncall.settings import OncallSettings

EVERY = timedelta(seconds=30)
LATE = timedelta(seconds=60)
HEARTBEAT = "oncall.heartbeat"
_OURS = ("oncall.", "notify.", "alerts.")
_log = structlog.get_logger("watchkeeper.oncall")


@dataclass(frozen=True)
class Auditor:
    """The recurring work of the lane that pages."""

    db: Database
    clock: Clock
    settings: OncallSettings

    def recurring(self) -> Recurring:
        """Every 30 seconds, by whichever replica comes first."""
        return Recurring("oncall.audit", EVERY, self)

    def act(self, task: Task) -> tuple[str, ...]:  # noqa: ARG002
        """What is wrong, in a few words each."""
        with self.db.read() as session:
            return findings(session, self.clock.now(), self.db.database_now(session))

    def finish(self, session: Session, task: Task, result: tuple[str, ...]) -> None:
        now = self.clock.now()
        before = store.watch(session)
        store.put_watch(session, result, at=now)
        if result and not (before and before.findings):
            tell(session, AuditFailed(findings=list(result)), now)
        elif before and before.findings and not result:
            tell(session, AuditPassed(), now)
        if not result and self.settings.heartbeat_url:
            key = f"{HEARTBEAT}:{task.token}:{int(now.timestamp())}"
            work.enqueue(session, kind=HEARTBEAT, key=key, due_at=now, payload={"at": now.timestamp()})


@dataclass(frozen=True)
class Heartbeat:
    """The handler that sends the word, in the lane of messages. One that is late is not sent: it would lie."""

    clock: Clock
    settings: OncallSettings
    outbound: Outbound

    def act(self, task: Task) -> str | None:
        """None when it was taken, else why not."""
        url = self.settings.heartbeat_url
        if not url or self.clock.now().timestamp() - float(task.payload["at"]) > LATE.total_seconds():
            return "too late to be true"
        try:
            self.outbound.post(url, b"")
        except (DeliveryFailed, DestinationRefused) as error:
            return str(error)
        return None

    def finish(self, session: Session, task: Task, result: str | None) -> None:  # noqa: ARG002
        if result is None:
            store.note_heartbeat(session, self.clock.now())
        else:
            _log.warning("the heartbeat was not taken", reason=result)


def findings(session: Session, now: datetime, database_now: datetime) -> tuple[str, ...]:
    """What breaks a promise of paging. Database time for work, whose leases go by it."""
    found = [
        f"{number} {kind} are due and were not begun within a minute"
        for kind, number in sorted(work_store.overdue_kinds(session, before=database_now - LATE).items())
        if kind.startswith(_OURS) or kind.startswith(tuple(f"recurring.{one}" for one in _OURS))
    ]
    found += _uncalled(session, now)
    found += [f"the channel {one.name} misses" for one in notify.channels(session) if one.is_degraded]
    people = [one.id for one in service.staff_of(session).people.values() if one.active and one.responds]
    if people and not any(reach.verified for reach in notify.reach(session, people).values()):
        found.append("nobody who may respond has a verified contact")
    return tuple(found)


def _uncalled(session: Session, now: datetime) -> list[str]:
    """Groups that page and for which nobody is being called."""
    wanted = GroupFilter(statuses=(Status.TRIGGERED,), suppressed=False)
    waiting = [
        one.id
        for one in alerts.groups(session, wanted)
        if now - one.updated_at > LATE and not (one.snoozed_until is not None and one.snoozed_until > now)
    ]
    called = store.called(session, waiting)
    return [f"nobody is called for {one}" for one in waiting if one not in called]
