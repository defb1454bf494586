"""Who watches the watcher: what must be so of every page that is due, looked at every 30 seconds, and told outside.

The word that leaves is a page itself: the audit runs in the lane that pages, orders the word in its transaction, and
the lane that sends delivers it. So it stops when the database can't be written, when either lane hangs, or when nothing
leaves the machine. That all is well is said only after a synthetic page came through every stage. Whoever gets the
word (any URL as of Healthchecks, another Watchkeeper's heartbeat) raises the alarm when it stays away, or says what is
wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit, urlunsplit

import structlog
from sqlalchemy.orm import Session

from watchkeeper.kernel import work
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.outbound import DeliveryFailed, DestinationRefused, Outbound
from watchkeeper.kernel.work import Recurring, Task
from watchkeeper.modules.oncall.paging import store, store_probes
from watchkeeper.modules.oncall.paging.calling import tell
from watchkeeper.modules.oncall.paging.events import AuditFailed, AuditPassed
from watchkeeper.modules.oncall.paging.findings import Pace, findings
from watchkeeper.modules.oncall.settings import OncallSettings

HEARTBEAT = "oncall.heartbeat"
_FRESH = 5
_log = structlog.get_logger("watchkeeper.oncall")


@dataclass(frozen=True)
class Auditor:
    """The recurring work of the lane that pages. `since` is when this process began, by the monotonic clock."""

    db: Database
    clock: Clock
    settings: OncallSettings
    since: float = float("-inf")
    pace: Pace = field(default_factory=Pace)

    def recurring(self) -> Recurring:
        """Every 30 seconds, by whichever replica comes first."""
        return Recurring("oncall.audit", timedelta(seconds=self.settings.audit_seconds), self)

    def act(self, task: Task) -> tuple[str, ...]:  # noqa: ARG002
        """What is wrong, in a few words each."""
        with self.db.read() as session:
            return self.look(session, self.db.database_now(session))

    def look(self, session: Session, database_now: datetime) -> tuple[str, ...]:
        """What breaks a promise of paging now, and whether the clock has gone since the last look."""
        found = findings(session, self.clock.now(), database_now, timedelta(seconds=self.settings.late_seconds))
        slow = self.pace.look(self.clock.monotonic(), self.clock.now())
        return (slow, *found) if slow is not None else found

    def finish(self, session: Session, task: Task, result: tuple[str, ...]) -> None:
        now = self.clock.now()
        before = store.watch(session)
        store.put_watch(session, result, at=now)
        if result and not (before and before.findings):
            tell(session, AuditFailed(findings=list(result)), now)
        elif before and before.findings and not result:
            tell(session, AuditPassed(), now)
        if self.settings.heartbeat_url and (self._is_settled() if result else self._is_proven(session, now)):
            key = f"{HEARTBEAT}:{task.token}:{int(now.timestamp())}"
            payload = {"at": now.timestamp(), "wrong": list(result)}
            work.enqueue(session, kind=HEARTBEAT, key=key, due_at=now, payload=payload)

    def _is_settled(self) -> bool:
        """Whether a fault is one: what came due while no server ran is late when it starts, and is being made good."""
        return self.clock.monotonic() - self.since >= self.settings.late_seconds

    def _is_proven(self, session: Session, now: datetime) -> bool:
        """Whether a synthetic page came through in the last five minutes."""
        last = store_probes.last_through(session)
        fresh = timedelta(seconds=_FRESH * self.settings.probe_seconds)
        return last is not None and last.sent_at is not None and now - last.sent_at <= fresh


@dataclass(frozen=True)
class Heartbeat:
    """The handler that sends the word, in the lane of messages. One that is late is not sent: it would lie."""

    clock: Clock
    settings: OncallSettings
    outbound: Outbound

    def act(self, task: Task) -> str | None:
        """None when it was taken, else why not."""
        url = self.settings.heartbeat_url
        if not url or self.clock.now().timestamp() - float(task.payload["at"]) > self.settings.late_seconds:
            return "too late to be true"
        wrong = task.payload.get("wrong", [])
        try:
            self.outbound.post(failed_at(url) if wrong else url, "\n".join(wrong).encode())
        except (DeliveryFailed, DestinationRefused) as error:
            return str(error)
        return None

    def finish(self, session: Session, task: Task, result: str | None) -> None:
        if result is not None:
            _log.warning("the heartbeat was not taken", reason=result)
        all_well = result is None and not task.payload.get("wrong")
        store.note_heartbeat(session, at=self.clock.now() if all_well else None, failure=result or "")


def failed_at(url: str) -> str:
    """Where Healthchecks, and whoever is like it, is told of a failure."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/fail"))
