"""Planned maintenance: of the page's own, and stretches of windows of alerts that somebody chose to show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal, work
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.ids import new_id
from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.status import store
from watchkeeper.modules.status.errors import MaintenanceNotFound, MaintenanceOver, StatusInvalid
from watchkeeper.modules.status.events import (
    MaintenanceBegan,
    MaintenanceCompleted,
    MaintenanceEnded,
    MaintenanceScheduled,
    WindowShown,
)
from watchkeeper.modules.status.model import Maintenance, Progress, Turn
from watchkeeper.modules.status.publishing import LONGEST_BODY, LONGEST_TITLE
from watchkeeper.modules.status.sending import FAN_OUT

LONGEST = timedelta(days=31)
FURTHEST = timedelta(days=366)
# So long before it begins is a stretch of a weekly window announced.
AHEAD = timedelta(days=7)
SYSTEM = "system:status"
TURN = "status.turn"


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What the public is told of planned work."""

    title: str
    body: str
    components: tuple[str, ...]


@dataclass(frozen=True)
class Maintaining:
    """The verbs of maintenance, on one session."""

    session: Session
    clock: Clock

    def schedule(self, said: Planned, *, starts_at: datetime, ends_at: datetime, by: str, source: str) -> Maintenance:
        """Announce work; subscribers are told. Raises StatusInvalid."""
        now = self.clock.now()
        self._require_sound(said)
        starts_at = max(starts_at, now)
        if not starts_at < ends_at <= starts_at + LONGEST or starts_at > now + FURTHEST:
            complaint = Complaint("ends_at", "after its beginning, at most 31 days after it; a beginning within a year")
            raise StatusInvalid("The maintenance has no sound time.", complaints=[complaint])
        made = self._made(said, starts_at, ends_at, by)
        store.add_maintenance(self.session, made)
        self._announce(made, by, source)
        return made

    def end(self, maintenance_id: str, *, by: str, source: str) -> Maintenance:
        """It is over now; one that has not begun is cancelled. Raises MaintenanceNotFound, MaintenanceOver."""
        found = store.maintenance(self.session, maintenance_id)
        if found is None:
            raise MaintenanceNotFound(f"The status page has no maintenance {maintenance_id}.")
        now = self.clock.now()
        if found.progress(now) is Progress.COMPLETED:
            raise MaintenanceOver("This maintenance is over already.")
        return self._end(found, now, by, source)

    def turned(self, maintenance_id: str, turn: Turn) -> None:
        """Its hour has come: subscribers are told, once. Nothing where it was cancelled or ended early, or where its
        end came before anybody could be told that it began."""
        now = self.clock.now()
        found = store.maintenance(self.session, maintenance_id)
        if found is None or found.ended_early_at is not None:
            return
        # The row was due by the database's clock: that this one's may be a little behind loses no turn.
        if turn is Turn.BEGAN and found.over_at <= now:
            return
        key = f"{FAN_OUT}:{found.id}:{turn}"
        payload = {"maintenance": found.id, turn.value: True}
        if work.enqueue(self.session, kind=FAN_OUT, key=key, due_at=now, payload=payload):
            fact = MaintenanceBegan if turn is Turn.BEGAN else MaintenanceCompleted
            said = fact(maintenance=found.id, title=found.title)
            journal.append(self.session, said, by=SYSTEM, source="worker", at=now)

    def show_window(self, window_id: str, said: Planned, *, by: str, source: str) -> list[Maintenance]:
        """Show a maintenance window of alerts, each stretch of a weekly one a week ahead.

        Raises MaintenanceNotFound, StatusInvalid.
        """
        self._require_sound(said)
        window = alerts.maintenance_window(self.session, window_id)
        if window is None or window.next_stretch(self.clock.now()) is None:
            raise MaintenanceNotFound(f"There is no maintenance window {window_id} that is not over.")
        values = {
            "title": said.title.strip(),
            "body": said.body.strip(),
            "components": list(said.components),
            "shown_at": self.clock.now(),
            "shown_by": by,
        }
        store.show_window(self.session, window_id, values)
        fact = WindowShown(window=window_id, title=said.title.strip())
        journal.append(self.session, fact, by=by, source=source, at=self.clock.now())
        return self._stretch(window, said, by, source, AHEAD if window.weekly else FURTHEST)

    def look_ahead(self) -> None:
        """Announce stretches of shown windows that have come near, and plan the turns of what was announced before
        there were any. Harmless when repeated."""
        now = self.clock.now()
        for one in store.maintenances_since(self.session, now):
            if one.ended_early_at is None:
                self._plan_turns(one, now)
        for row in store.shown_windows(self.session):
            window = alerts.maintenance_window(self.session, row.window)
            if window is None or window.next_stretch(self.clock.now()) is None:
                store.hide_window(self.session, row.window)
                continue
            known = {one.id for one in store.components(self.session)}
            still = tuple(one for one in row.components if one in known)
            said = Planned(title=row.title, body=row.body, components=still)
            self._stretch(window, said, SYSTEM, "worker", AHEAD if window.weekly else FURTHEST)

    def window_ended(self, window_id: str) -> None:
        """The window of alerts is over for good: so is what the page says of it. Harmless when repeated."""
        now = self.clock.now()
        store.hide_window(self.session, window_id)
        for one in store.maintenances_of(self.session, window_id, now):
            if one.progress(now) is not Progress.COMPLETED:
                self._end(one, now, SYSTEM, "worker")

    def _stretch(
        self, window: alerts.MaintenanceWindow, said: Planned, by: str, source: str, ahead: timedelta
    ) -> list[Maintenance]:
        now = self.clock.now()
        found = []
        for starts_at, ends_at in sorted(window.stretches(now)):
            if ends_at > now and starts_at <= now + ahead:
                made = self._made(said, starts_at, ends_at, by, window.id)
                if store.add_maintenance(self.session, made):
                    self._announce(made, by, source)
                    found.append(made)
        return found

    def _made(
        self, said: Planned, starts_at: datetime, ends_at: datetime, by: str, window: str | None = None
    ) -> Maintenance:
        return Maintenance(
            id=new_id("smt"),
            title=said.title.strip(),
            body=said.body.strip(),
            components=tuple(dict.fromkeys(said.components)),
            starts_at=starts_at,
            ends_at=ends_at,
            created_at=self.clock.now(),
            created_by=by,
            window=window,
        )

    def _announce(self, made: Maintenance, by: str, source: str) -> None:
        fact = MaintenanceScheduled(
            maintenance=made.id,
            title=made.title,
            components=list(made.components),
            starts_at=made.starts_at,
            ends_at=made.ends_at,
            window=made.window,
        )
        now = self.clock.now()
        journal.append(self.session, fact, by=by, source=source, at=now)
        payload = {"maintenance": made.id}
        work.enqueue(self.session, kind=FAN_OUT, key=f"{FAN_OUT}:{made.id}", due_at=now, payload=payload)
        self._plan_turns(made, now)

    def _plan_turns(self, one: Maintenance, now: datetime) -> None:
        """Rows of due work for what is still to come of it; of work that begins at once, its announcement says so."""
        for turn, at in ((Turn.BEGAN, one.starts_at), (Turn.COMPLETED, one.ends_at)):
            if at > now:
                payload = {"maintenance": one.id, "turn": turn.value}
                work.enqueue(self.session, kind=TURN, key=f"{TURN}:{one.id}:{turn}", due_at=at, payload=payload)

    def _end(self, found: Maintenance, now: datetime, by: str, source: str) -> Maintenance:
        ended = replace(found, ended_early_at=now)
        store.put_maintenance(self.session, ended)
        fact = MaintenanceEnded(maintenance=ended.id, title=ended.title, cancelled=ended.is_cancelled)
        journal.append(self.session, fact, by=by, source=source, at=now)
        payload = {"maintenance": ended.id, "ended": True}
        work.enqueue(self.session, kind=FAN_OUT, key=f"{FAN_OUT}:{ended.id}:ended", due_at=now, payload=payload)
        return ended

    def _require_sound(self, said: Planned) -> None:
        complaints = []
        title = said.title.strip()
        if not 1 <= len(title) <= LONGEST_TITLE or any(ord(one) < 32 for one in title):
            complaints.append(Complaint("title", f"one to {LONGEST_TITLE} characters on one line"))
        if len(said.body) > LONGEST_BODY:
            complaints.append(Complaint("body", f"at most {LONGEST_BODY:,} characters"))
        known = {one.id for one in store.components(self.session)}
        if not said.components or not set(said.components) <= known:
            complaints.append(Complaint("components", "at least one component of the page"))
        if complaints:
            raise StatusInvalid("The maintenance can't be shown so.", complaints=complaints)
