"""The groups and alerts that one transaction works on: read in a few queries, written in a few at its end.

Everything that changes a group goes through a board, one after another: the first thing it does is to take the turn in
which facts are written. So two replicas that hear the same word at once open one group, and nobody waits in a circle.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.journal import Event
from watchkeeper.modules.alerts import store, timing
from watchkeeper.modules.alerts.events import GroupResolved
from watchkeeper.modules.alerts.model import AlertState, GroupState, Status, with_change
from watchkeeper.modules.alerts.settings import AlertSettings
from watchkeeper.modules.alerts.suppressing import Suppressor
from watchkeeper.modules.alerts.telling import fact_of
from watchkeeper.modules.alerts.watching import GroupWatchers

SYSTEM = "system:alerts"


@dataclass(frozen=True)
class Author:
    """Who changes something, and by way of what."""

    by: str = SYSTEM
    source: str = "worker"


class Board:
    """Groups and alerts on one session, at one instant."""

    def __init__(
        self, session: Session, at: datetime, watchers: GroupWatchers, settings: AlertSettings, author: Author
    ) -> None:
        journal.take_turn(session)
        self.session, self.at, self.settings, self.author = session, at, settings, author
        self.groups: dict[str, GroupState] = {}
        self.alerts: dict[str, AlertState] = {}
        self._watchers = watchers
        self._before: dict[str, GroupState] = {}
        self._fresh: set[str] = set()
        self._changed_alerts: dict[str, AlertState] = {}
        self._opened: list[tuple[str, str]] = []
        self._told: list[tuple[str, str]] = []
        self._facts: list[Event] = []
        self.suppressor = Suppressor(session, at, self.groups)

    # What is on the board.

    def load_groups(self, ids: Iterable[str | None]) -> None:
        """Bring these groups onto the board."""
        wanted = {one for one in ids if one is not None and one not in self.groups}
        for one in store.groups_by_id(self.session, wanted).values():
            self.hold(one)

    def load_alerts(self, identities: Iterable[str]) -> None:
        """Bring the newest rows of these identities and their groups onto the board."""
        for identity, alert in store.live_alerts(self.session, identities).items():
            self.alerts.setdefault(identity, alert)
        self.load_groups(alert.group_id for alert in self.alerts.values())

    def load_firing(self, group_ids: Iterable[str]) -> None:
        """Bring every firing alert of these groups onto the board."""
        for one in store.firing_of(self.session, group_ids):
            self.alerts.setdefault(one.identity, one)

    def hold(self, group: GroupState) -> GroupState:
        """A group as it was read."""
        held = self.groups.setdefault(group.id, group)
        self._before.setdefault(group.id, group)
        return held

    def group_of(self, alert: AlertState | None) -> GroupState | None:
        """The group of an alert on the board."""
        return self.groups.get(alert.group_id) if alert is not None and alert.group_id is not None else None

    # Changes.

    def put_alert(self, alert: AlertState, *, fresh: bool = False) -> None:
        """An alert as it is from now on."""
        if fresh:
            self._fresh.add(alert.id)
        if alert.live:
            self.alerts[alert.identity] = alert
        elif self.alerts.get(alert.identity, alert).id == alert.id:
            self.alerts.pop(alert.identity, None)
        self._changed_alerts[alert.id] = alert

    def put(self, group: GroupState, what: str | None = None, fact: Event | None = None) -> GroupState:
        """A group as it is from now on. `what` is told to the watchers, and makes a new version."""
        if what is not None:
            group = replace(group, version=group.version + 1, updated_at=self.at)
            self._told.append((group.id, what))
        elif group.updated_at != self.at:
            group = replace(group, updated_at=self.at)
        self.groups[group.id] = group
        # What a synthetic page goes through, once a minute, would bury what happened.
        if fact is not None and not group.is_synthetic:
            self._facts.append(fact)
        return group

    def open(self, group: GroupState, what: str = "opened") -> GroupState:
        """A group that begins (again): whether it pages is decided once all of this transaction is known."""
        if what == "opened":
            self._fresh.add(group.id)
        self._opened.append((group.id, what))
        self.groups[group.id] = group
        return group

    def resolve(self, group: GroupState, reason: str, *, by: str | None = None) -> GroupState:
        """It is over. What still fires of it is forgotten: its next word opens it anew."""
        if group.firing_count:
            self.load_firing([group.id])
        for alert in list(self.alerts.values()):
            if alert.group_id == group.id and alert.firing:
                ended = replace(alert, firing=False, live=False, ends_at=self.at, last_at=self.at)
                self.put_alert(ended)
        done = replace(
            group,
            status=Status.RESOLVED,
            resolved_at=self.at,
            resolved_by=by or self.author.by,
            firing_count=0,
            loud_count=0,
            snoozed_until=None,
            acknowledged_until=None,
            suppressed=None,
            suppressed_by=None,
            flapping=False,
            changes=with_change(group.changes, self.at, self.settings.flap_window),
        )
        lasted = int((self.at - group.opened_at).total_seconds())
        return self.put(done, "resolved", fact_of(done, GroupResolved, reason=reason, lasted_seconds=lasted))

    def write(self) -> None:
        """Decide who is paged, and write all of it: rows, facts, work that comes due, word to the watchers."""
        self._decide()
        fresh = frozenset(self._fresh)
        changed = [one for one in self.groups.values() if one.id in fresh or one != self._before.get(one.id)]
        store.write_groups(self.session, changed, fresh)
        store.write_alerts(self.session, list(self._changed_alerts.values()), fresh)
        for fact in self._facts:
            journal.append(self.session, fact, by=self.author.by, source=self.author.source, at=self.at)
        for one in changed:
            timing.enqueue_for_group(self.session, self._before.get(one.id), one, self.settings.flap_window)
        for group_id, what in self._told:
            self._watchers.tell(self.session, self.groups[group_id], what, self.at)

    def _decide(self) -> None:
        later, self._told = self._told, []
        facts, self._facts = self._facts, []
        # One that was opened, ended and opened again at once was opened.
        whats = dict(reversed(self._opened))
        for one in self.suppressor.called_first(self.groups[group_id] for group_id in whats):
            group, fact = self.suppressor.opened(self.groups[one.id], whats[one.id])
            self.put(group, whats[one.id], fact)
        self._told += later
        self._facts += facts
        self.reconsider([one for one in list(self.groups.values()) if one != self._before.get(one.id)])
        # Those that were quiet because of a group that no longer pages have to speak for themselves.
        gone = [
            before.id for before in self._before.values() if is_root(before) and not is_root(self.groups[before.id])
        ]
        quiet = [self.hold(one) for cause in gone for one in store.suppressed_by(self.session, cause)]
        self.reconsider(self.suppressor.called_first(quiet))

    def reconsider(self, groups: Iterable[GroupState]) -> None:
        """Whether the open ones among these are quiet for the right reason."""
        for one in groups:
            current = self.groups[one.id]
            if not current.is_open:
                continue
            changed = self.suppressor.reconsidered(current)
            if changed is not None:
                group, what, fact = changed
                self.put(group, what, fact)


def is_root(group: GroupState) -> bool:
    """Whether callers of its service may be quiet because of it."""
    return group.is_open and group.suppressed is None and group.firing_count > 0
