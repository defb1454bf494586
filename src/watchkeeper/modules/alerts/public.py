"""What other modules may ask of alerts, and how they are told of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock, ManualClock
from watchkeeper.modules.alerts import store, store_heartbeats, store_integrations, store_noise, synthetic
from watchkeeper.modules.alerts.around import FactLinks
from watchkeeper.modules.alerts.buttons import GroupButton, GroupButtons
from watchkeeper.modules.alerts.events_noise import MaintenanceEnded
from watchkeeper.modules.alerts.history import Happened, Moment, happened_to
from watchkeeper.modules.alerts.matching import parse_matcher
from watchkeeper.modules.alerts.model import (
    Action,
    AlertState,
    GroupState,
    Severity,
    Status,
    Suppression,
    Urgency,
    digest,
)
from watchkeeper.modules.alerts.muting import muted
from watchkeeper.modules.alerts.noise import Noise
from watchkeeper.modules.alerts.permissions import ACT_ON_ALERTS, SILENCE_ALERTS
from watchkeeper.modules.alerts.quiet import Silence
from watchkeeper.modules.alerts.quiet import Window as MaintenanceWindow
from watchkeeper.modules.alerts.service import ESCALATED, Alerts, OwnAlert, own_signal
from watchkeeper.modules.alerts.settings import AlertSettings
from watchkeeper.modules.alerts.store import GroupFilter
from watchkeeper.modules.alerts.watching import GroupWatcher, GroupWatchers

__all__ = [
    "ACT_ON_ALERTS",
    "SILENCE_ALERTS",
    "AlertState",
    "Alerting",
    "FactLinks",
    "GroupButton",
    "GroupButtons",
    "GroupFilter",
    "GroupState",
    "GroupWatcher",
    "GroupWatchers",
    "Happened",
    "MaintenanceEnded",
    "MaintenanceWindow",
    "Moment",
    "OwnAlert",
    "Severity",
    "Status",
    "Suppression",
    "Urgency",
    "alerts_of",
    "escalated",
    "forget_synthetic",
    "group",
    "groups",
    "happened_to",
    "known_names",
    "maintenance_window",
    "maintenance_windows",
    "muted",
    "named_policies",
    "open_counts",
    "opened_between",
    "own_group",
    "synthetic_group",
    "waiting",
]

MOST = 1_000
_NAMES_OF_LATE = 2_000


class Alerting:
    """The verbs for whoever has a session: a part of the server, which knows the watchers and the settings."""

    def __init__(self, settings: AlertSettings, watchers: GroupWatchers) -> None:
        self.settings, self.watchers = settings, watchers

    def on(self, session: Session, clock: Clock) -> Alerts:
        """All verbs, on this session."""
        return Alerts(session, clock, self.settings, self.watchers)

    def acknowledge(
        self, session: Session, group_id: str, *, by: str, at: datetime, source: str, until: datetime | None = None
    ) -> GroupState:
        """Somebody has it. Raises GroupNotFound or GroupResolved."""
        return self.on(session, ManualClock(at)).acknowledge(group_id, by=by, source=source, until=until)

    def unacknowledge(
        self, session: Session, group_id: str, *, by: str, at: datetime, source: str, reason: str
    ) -> GroupState:
        """Nobody has it any more."""
        return self.on(session, ManualClock(at)).unacknowledge(group_id, by=by, source=source, reason=reason)

    def snooze(
        self, session: Session, group_id: str, *, until: datetime, by: str, at: datetime, source: str, reason: str = ""
    ) -> GroupState:
        """Nobody is paged for it until then."""
        return self.on(session, ManualClock(at)).snooze(group_id, until=until, by=by, source=source, reason=reason)

    def resolve(
        self, session: Session, group_id: str, *, by: str, at: datetime, source: str, reason: str
    ) -> GroupState:
        """It is over."""
        return self.on(session, ManualClock(at)).resolve(group_id, by=by, source=source, reason=reason)

    def note(self, session: Session, group_id: str, note: str, *, by: str, at: datetime, source: str) -> None:
        """A line on its timeline, such as who has it now."""
        self.on(session, ManualClock(at)).note(group_id, note, by=by, source=source)

    def silence(
        self,
        session: Session,
        matchers: Sequence[str],
        *,
        ends_at: datetime,
        reason: str,
        by: str,
        at: datetime,
        source: str,
    ) -> Silence:
        """Keep alerts quiet that fulfil all of these, such as `service=shop`. Raises SilenceInvalid."""
        noise = Noise(session, ManualClock(at), self.settings, self.watchers)
        parsed = [parse_matcher(one) for one in matchers]
        return noise.silence(parsed, ends_at=ends_at, reason=reason, by=by, source=source)

    def end_silence(
        self, session: Session, silence_id: str, *, reason: str, by: str, at: datetime, source: str
    ) -> Silence:
        """It is over now; what it kept quiet and still fires pages. Raises SilenceNotFound or AlreadyEnded."""
        noise = Noise(session, ManualClock(at), self.settings, self.watchers)
        return noise.end_silence(silence_id, reason=reason, by=by, source=source)

    def raise_own(self, session: Session, alert: OwnAlert, *, at: datetime) -> None:
        """Something that Watchkeeper noticed itself. Harmless when repeated."""
        self.on(session, ManualClock(at)).take([own_signal(alert, Action.TRIGGER, at)])

    def resolve_own(self, session: Session, alert: OwnAlert, *, at: datetime) -> None:
        """It is over; known by its source and key."""
        self.on(session, ManualClock(at)).take([own_signal(alert, Action.RESOLVE, at)])


def group(session: Session, group_id: str) -> GroupState | None:
    """The group of this id."""
    return store.groups_by_id(session, [group_id]).get(group_id)


def own_group(session: Session, source: str, key: str) -> GroupState | None:
    """The group that an alert of Watchkeeper's own belongs to, by what `raise_own` was told."""
    identity = digest(f"own:{source}", key[:255])
    found = store.live_alerts(session, [identity]).get(identity)
    return group(session, found.group_id) if found is not None and found.group_id is not None else None


def groups(session: Session, wanted: GroupFilter, *, limit: int = MOST) -> list[GroupState]:
    """Open ones first, the worst first; at most 1,000."""
    return store.list_groups(session, wanted, limit=min(limit, MOST))


def opened_between(session: Session, since: datetime, until: datetime, *, limit: int) -> list[GroupState]:
    """Groups that opened from `since` (included) to `until` (not included), the newest first."""
    return store.opened_between(session, since, until, limit=limit)


def alerts_of(session: Session, group_id: str, *, limit: int = MOST) -> list[AlertState]:
    """Alerts of a group, those that fire first."""
    return store.alerts_of(session, group_id, limit=min(limit, MOST))


def escalated(session: Session, group: GroupState) -> bool:
    """Whether calls for it begin with the second step of its policy; only alerts of Watchkeeper's own can say so."""
    own = group.integration.startswith("own:")
    return own and any(ESCALATED in one.labels for one in store.alerts_of(session, group.id, limit=1))


def open_counts(session: Session) -> Mapping[Status, int]:
    """Groups that are open and page (nothing keeps them quiet), by status."""
    found = {Status.TRIGGERED: 0, Status.ACKNOWLEDGED: 0}
    for (status, quiet), number in store.counts(session).items():
        if not quiet:
            found[status] += number
    return found


def waiting(session: Session, *, before: datetime, now: datetime) -> list[str]:
    """Ids of all groups that page, that nobody has, that are not snoozed, and that did not change since `before`."""
    return store.waiting(session, before=before, now=now)


def named_policies(session: Session) -> frozenset[str]:
    """Escalation policies that a way in names."""
    found = (one.integration.policy for one in store_integrations.all_integrations(session))
    return frozenset(one for one in found if one is not None)


def known_names(session: Session) -> frozenset[str]:
    """What alerts are called here: heartbeats, and what those that are kept of late call themselves."""
    beats = {one.name for one in store_heartbeats.all_heartbeats(session)}
    labels = store.newest_labels(session, limit=_NAMES_OF_LATE)
    said = {name for one in labels for name in (one.get("alertname"), one.get("family"), one.get("slo")) if name}
    return frozenset(beats | said)


def maintenance_window(session: Session, window_id: str) -> MaintenanceWindow | None:
    """The maintenance window of this id."""
    return store_noise.window(session, window_id)


def maintenance_windows(session: Session, at: datetime) -> list[MaintenanceWindow]:
    """Those that are not over for good at an instant."""
    return store_noise.windows_after(session, at)


def synthetic_group(session: Session, family: str) -> GroupState | None:
    """The group of one synthetic page; None before it was taken in, and after it was forgotten."""
    return synthetic.group_of(session, family)


def forget_synthetic(session: Session, *, before: datetime) -> Sequence[str]:
    """Delete all that is of synthetic pages which began before an instant; answers the ids of their groups."""
    return synthetic.forget(session, before=before)
