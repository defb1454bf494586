"""Work of alerts that comes due: edges of time, and clearing up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock, parse_rfc3339
from watchkeeper.kernel.work import Handler, Recurring, Task, Transactional
from watchkeeper.modules.alerts import store
from watchkeeper.modules.alerts.heartbeats import Heartbeats
from watchkeeper.modules.alerts.noise import Noise
from watchkeeper.modules.alerts.public import Alerting
from watchkeeper.modules.alerts.timing import TIME

# An end that came before its beginning is of use for as long as that may be on its way.
_TOMBSTONES_KEPT = timedelta(days=1)


def handlers(clock: Clock, alerting: Alerting) -> Mapping[str, Handler]:
    """Who looks when the time of something has come."""

    def look(session: Session, task: Task) -> None:
        what, about = str(task.payload["what"]), str(task.payload["about"])
        at = parse_rfc3339(str(task.payload["at"]))
        if what == "group":
            alerting.on(session, clock).time_has_come(about, at)
        elif what == "quiet":
            Noise(session, clock, alerting.settings, alerting.watchers).time_has_come(about, at)
        elif what == "heartbeat":
            Heartbeats(session, clock, alerting).time_has_come(about, at)

    return {TIME: Transactional(look)}


def recurring(clock: Clock, alerting: Alerting) -> list[Recurring]:
    """A look at everything each minute, should a row of due work be missing; and what is old is forgotten."""

    def look_again(session: Session, _task: Task) -> None:
        Noise(session, clock, alerting.settings, alerting.watchers).look_again(clock.now())
        Heartbeats(session, clock, alerting).look_at_all()

    def forget(session: Session, _task: Task) -> None:
        now = clock.now()
        before = now - timedelta(days=alerting.settings.kept_days)
        store.forget(session, before=before, tombstones_before=now - _TOMBSTONES_KEPT)

    return [
        Recurring("alerts.look_again", timedelta(minutes=1), Transactional(look_again)),
        Recurring("alerts.forget", timedelta(minutes=15), Transactional(forget)),
    ]
