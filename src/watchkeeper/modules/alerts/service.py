"""The verbs of alerts: what people do to groups, and what comes of Watchkeeper's own sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Complaint
from watchkeeper.modules.alerts import acting
from watchkeeper.modules.alerts.board import SYSTEM, Author, Board
from watchkeeper.modules.alerts.errors import AlertInvalid, GroupNotFound, GroupResolved
from watchkeeper.modules.alerts.events import GroupNoted
from watchkeeper.modules.alerts.intake import Intake
from watchkeeper.modules.alerts.model import Action, GroupState, Integration, Kind, Link, Signal, Status
from watchkeeper.modules.alerts.settings import AlertSettings
from watchkeeper.modules.alerts.telling import fact_of
from watchkeeper.modules.alerts.timing import calm_at, enqueue
from watchkeeper.modules.alerts.watching import GroupWatchers

# A label of alerts of Watchkeeper's own.
ESCALATED = "escalated"
LONGEST_SNOOZE = timedelta(days=7)


@dataclass(frozen=True)
class Alerts:
    """Groups of alerts, on one session. A verb never commits, and is harmless when it is repeated."""

    session: Session
    clock: Clock
    settings: AlertSettings
    watchers: GroupWatchers = field(default_factory=GroupWatchers)

    def take(self, signals: Sequence[Signal]) -> None:
        """Take these in, in their order."""
        Intake(self.settings, self.watchers).take(self.session, signals, self.clock.now())

    def acknowledge(self, group_id: str, *, by: str, source: str, until: datetime | None = None) -> GroupState:
        """Somebody has it. Raises GroupNotFound or GroupResolved; of one that this person has already, nothing changes.

        After `until` it counts as not acknowledged again.
        """
        board, group = self._open(group_id, by, source)
        self._require_future(until)
        mine = group.status is Status.ACKNOWLEDGED and group.acknowledged_by == by
        if mine and group.acknowledged_until == until:
            return group
        acting.acknowledge(board, group, by=by, until=until)
        return self._write(board, group_id)

    def unacknowledge(self, group_id: str, *, by: str, source: str, reason: str) -> GroupState:
        """Nobody has it any more: it pages again."""
        board, group = self._open(group_id, by, source)
        if group.status is not Status.ACKNOWLEDGED:
            return group
        acting.unacknowledge(board, group, reason)
        return self._write(board, group_id)

    def snooze(self, group_id: str, *, until: datetime, by: str, source: str, reason: str = "") -> GroupState:
        """Nobody is paged for it until then, at most seven days; after that it pages again if it still is open."""
        board, group = self._open(group_id, by, source)
        self._require_future(until)
        if until - self.clock.now() > LONGEST_SNOOZE:
            raise AlertInvalid(
                "A snooze lasts seven days at most.", complaints=[Complaint("until", "within seven days")]
            )
        if group.snoozed_until == until:
            return group
        acting.snooze(board, group, until=until, reason=reason)
        return self._write(board, group_id)

    def resolve(self, group_id: str, *, by: str, source: str, reason: str) -> GroupState:
        """It is over. If one of its alerts still fires, its next word opens the group again: nothing is lost."""
        board, group = self._group(group_id, by, source)
        if not group.is_open:
            return group
        board.resolve(group, reason)
        return self._write(board, group_id)

    def note(self, group_id: str, note: str, *, by: str, source: str) -> None:
        """Write a line onto its timeline."""
        board, group = self._group(group_id, by, source)
        board.put(group, None, fact_of(group, GroupNoted, note=note))
        board.write()

    def time_has_come(self, group_id: str, at: datetime) -> None:
        """Whatever time alone changes of a group at `at`. Harmless when it is early, late or repeated."""
        board = Board(self.session, max(at, self.clock.now()), self.watchers, self.settings, Author(SYSTEM))
        board.load_groups([group_id])
        group = board.groups.get(group_id)
        if group is None or not group.is_open:
            return
        self._by_time(board, group)
        board.write()

    def _by_time(self, board: Board, group: GroupState) -> None:
        now = board.at
        if group.auto_resolve is not None:
            over = group.last_event_at + group.auto_resolve
            if over <= now:
                board.resolve(group, f"nothing was heard of it for {_minutes(group.auto_resolve)}", by=SYSTEM)
                return
            enqueue(self.session, "group", group.id, over)
        if group.flapping:
            group = self._calm_down(board, group)
        if group.snoozed_until is not None and group.snoozed_until <= now:
            group = acting.wake(board, group)
        if group.acknowledged_until is not None and group.acknowledged_until <= now:
            acting.unacknowledge(board, group, "the acknowledgement has run out")

    def _calm_down(self, board: Board, group: GroupState) -> GroupState:
        calm = calm_at(group, self.settings.flap_window)
        if calm > board.at:
            enqueue(self.session, "group", group.id, calm)
            return group
        if group.firing_count == 0:
            return board.resolve(group, f"it was calm for {_minutes(self.settings.flap_window)}", by=SYSTEM)
        return board.put(replace(group, flapping=False))

    def _group(self, group_id: str, by: str, source: str) -> tuple[Board, GroupState]:
        board = Board(self.session, self.clock.now(), self.watchers, self.settings, Author(by, source))
        board.load_groups([group_id])
        group = board.groups.get(group_id)
        if group is None:
            raise GroupNotFound(f"There is no alert {group_id}.")
        return board, group

    def _open(self, group_id: str, by: str, source: str) -> tuple[Board, GroupState]:
        board, group = self._group(group_id, by, source)
        if not group.is_open:
            raise GroupResolved(f"{group.title} was resolved already.")
        return board, group

    def _write(self, board: Board, group_id: str) -> GroupState:
        board.write()
        return board.groups[group_id]

    def _require_future(self, until: datetime | None) -> None:
        if until is not None and until <= self.clock.now():
            raise AlertInvalid("That time is over already.", complaints=[Complaint("until", "a time to come")])


@dataclass(frozen=True, kw_only=True)
class OwnAlert:
    """Something that Watchkeeper noticed itself. `source` names which part of it; `key` is the alert's own.

    `escalated`: whoever comes first was called already, so calls for it begin with the second step of its policy.
    """

    source: str
    key: str
    title: str
    severity: str = "error"
    service: str | None = None
    environment: str | None = None
    family: str = ""
    policy: str | None = None
    slo: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    details: dict[str, object] = field(default_factory=dict)
    links: tuple[tuple[str, str], ...] = ()
    starts_at: datetime | None = None
    auto_resolve: timedelta | None = None
    escalated: bool = False


def own_signal(alert: OwnAlert, action: Action, at: datetime, *, ends_at: datetime | None = None) -> Signal:
    """As a signal of a way in that needs no key."""
    own = Integration(
        id=f"own:{alert.source}",
        name=f"watchkeeper {alert.source}",
        kind=Kind.OWN,
        policy=alert.policy,
        auto_resolve=alert.auto_resolve,
    )
    return Signal(
        integration=own,
        action=action,
        dedup_key=alert.key[:255],
        at=at,
        title=alert.title,
        severity=own.severity_of(alert.severity),
        service=alert.service,
        environment=alert.environment,
        family=alert.family,
        labels={**alert.labels, **({ESCALATED: "true"} if alert.escalated else {})},
        details=alert.details,
        links=tuple(Link(text, url) for text, url in alert.links),
        starts_at=alert.starts_at,
        ends_at=ends_at,
        slo=alert.slo,
        policy=alert.policy,
    )


def _minutes(length: timedelta) -> str:
    minutes = int(length.total_seconds() // 60)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"
