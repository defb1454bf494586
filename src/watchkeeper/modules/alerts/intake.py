"""Takes in signals: many in one transaction, each of which repeats, joins, opens or ends something."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel.ids import new_id
from watchkeeper.modules.alerts import acting, store, store_details, store_integrations
from watchkeeper.modules.alerts.board import Author, Board
from watchkeeper.modules.alerts.events import AlertJoined, GroupEscalatedSeverity, GroupFlapping
from watchkeeper.modules.alerts.model import (
    Action,
    AlertState,
    GroupState,
    Signal,
    Status,
    Step,
    Urgency,
    digest,
    step,
    with_change,
)
from watchkeeper.modules.alerts.settings import AlertSettings
from watchkeeper.modules.alerts.telling import fact_of
from watchkeeper.modules.alerts.watching import GroupWatchers

LONGEST_TITLE = 1_024
_TOLD_JOINS = 10


@dataclass(frozen=True)
class Intake:
    """What taking in needs besides a session."""

    settings: AlertSettings
    watchers: GroupWatchers = field(default_factory=GroupWatchers)

    def take(self, session: Session, signals: Sequence[Signal], at: datetime) -> None:
        """All of them, in their order, in the caller's transaction. Harmless when repeated."""
        if not signals:
            return
        board = Board(session, at, self.watchers, self.settings, Author(source="intake"))
        _Taking(board, signals).run()


class _Taking:
    def __init__(self, board: Board, signals: Sequence[Signal]) -> None:
        self._board, self._signals, self._at = board, signals, board.at
        self._joinable: dict[str, GroupState] = {}
        self._resolved: dict[str, GroupState] = {}
        self._said: dict[tuple[str, str], dict[str, Any]] = {}
        self._repeated: set[str] = set()

    def run(self) -> None:
        board = self._board
        board.load_alerts(one.identity for one in self._signals)
        self._look_for_groups()
        for signal in self._signals:
            self._one(signal)
        board.write()
        store_details.note_details(board.session, list(self._said.values()))
        store_details.trim_details(board.session, self._repeated)
        store_integrations.note_events(board.session, {one.integration.id for one in self._signals}, self._at)

    def _look_for_groups(self) -> None:
        """Groups that alerts which do not fire yet may join or reopen."""
        board = self._board
        starting = {
            signal.grouped_as()
            for signal in self._signals
            if signal.action is Action.TRIGGER and not _fires(board.alerts.get(signal.identity))
        }
        found = store.joinable(board.session, starting)
        self._joinable = {key: board.hold(one) for key, one in found.items()}
        since = self._at - board.settings.flap_window
        lately = store.lately_resolved(board.session, starting - set(found), since=since)
        self._resolved = {key: board.hold(one) for key, one in lately.items()}

    def _one(self, signal: Signal) -> None:
        alert = self._board.alerts.get(signal.identity)
        match step(alert, signal):
            case Step.OPEN:
                self._open(alert, signal)
            case Step.REPEAT if alert is not None:
                self._repeat(alert, signal)
            case Step.RESOLVE if alert is not None:
                self._resolve(alert, signal)
            case Step.REMEMBER:
                self._remember(alert, signal)
            case Step.ACKNOWLEDGE:
                group = self._board.group_of(alert)
                if group is not None and group.status is Status.TRIGGERED:
                    acting.acknowledge(self._board, group, by=f"system:{signal.integration.name}")

    def _open(self, alert: AlertState | None, signal: Signal) -> None:
        board = self._board
        silence = board.suppressor.quiet.silence_of(signal.matched_on())
        group = self._group_for(alert, signal)
        returns = alert is not None and alert.group_id == group.id
        if alert is not None and not returns:
            board.put_alert(replace(alert, live=False))
        if alert is not None and returns:
            starts = signal.starts_at or self._at
            opened = _with_words(alert, signal, firing=True, starts_at=starts, ends_at=None, silence=silence)
        else:
            opened = _new_alert(signal, group.id, self._at, silence)
        board.put_alert(opened, fresh=not returns)
        self._note(opened, signal)
        if silence is not None:
            board.suppressor.silence_by_group.setdefault(group.id, silence)
        group = replace(
            group,
            alert_count=group.alert_count + (not returns),
            firing_count=group.firing_count + 1,
            loud_count=group.loud_count + (silence is None),
            event_count=group.event_count + 1,
            joined_at=group.joined_at if returns else self._at,
            last_event_at=self._at,
        )
        if group.flapping:
            group = replace(group, changes=with_change(group.changes, self._at, board.settings.flap_window))
        worse = self._worse(group, signal, is_loud=silence is None)
        if worse is None:
            board.put(group, None, _joined(group, opened) if not returns else None)

    def _group_for(self, alert: AlertState | None, signal: Signal) -> GroupState:
        """The group that a starting alert belongs to: its own if that is open, one that takes it in, one that was
        resolved a moment ago, or a new one."""
        board, key = self._board, signal.grouped_as()
        own = board.group_of(alert)
        if own is not None and own.is_open:
            return own
        joinable = self._joinable.get(key)
        if joinable is not None:
            joinable = board.groups[joinable.id]
            if joinable.takes_in(self._at):
                return joinable
            if joinable.is_open and not joinable.left_behind:
                board.put(replace(joinable, left_behind=True))
        lately = self._resolved.get(key) or (joinable if joinable is not None and not joinable.is_open else None)
        if lately is not None and not board.groups[lately.id].is_open:
            return self._reopen(board.groups[lately.id])
        opened = board.open(_new_group(signal, self._at))
        self._joinable[key] = opened
        return opened

    def _reopen(self, group: GroupState) -> GroupState:
        board = self._board
        changes = with_change(group.changes, self._at, board.settings.flap_window)
        again = replace(
            group,
            status=Status.TRIGGERED,
            acknowledged_at=None,
            acknowledged_by=None,
            resolved_at=None,
            resolved_by=None,
            changes=changes,
            joined_at=self._at,
        )
        self._joinable[group.grouped_as] = again
        return board.open(again, "reopened")

    def _repeat(self, alert: AlertState, signal: Signal) -> None:
        board = self._board
        starts = max(alert.starts_at, signal.starts_at) if signal.starts_at is not None else alert.starts_at
        again = _with_words(alert, signal, starts_at=starts)
        group = board.group_of(alert)
        if group is None:
            return
        silence = board.suppressor.quiet.silence_of(signal.matched_on())
        if silence != alert.silence:
            louder = (silence is None) - (alert.silence is None)
            again = replace(again, silence=silence)
            group = replace(group, loud_count=group.loud_count + louder)
        board.put_alert(again, fresh=False)
        self._note(again, signal)
        self._repeated.add(alert.id)
        group = replace(group, event_count=group.event_count + 1, last_event_at=self._at)
        if self._worse(group, signal, is_loud=silence is None) is None:
            board.put(group)

    def _resolve(self, alert: AlertState, signal: Signal) -> None:
        board = self._board
        starts = max(alert.starts_at, signal.starts_at) if signal.starts_at is not None else alert.starts_at
        ended = replace(
            alert,
            firing=False,
            starts_at=starts,
            ends_at=signal.ends_at or self._at,
            last_at=self._at,
            event_count=alert.event_count + 1,
        )
        board.put_alert(ended)
        group = board.group_of(alert)
        if group is None:
            return
        group = replace(
            group,
            firing_count=group.firing_count - 1,
            loud_count=group.loud_count - (alert.silence is None),
            event_count=group.event_count + 1,
            last_event_at=self._at,
        )
        if group.firing_count > 0:
            board.put(group)
            return
        changes = with_change(group.changes, self._at, board.settings.flap_window)
        if group.flapping:
            board.put(replace(group, changes=changes))
        elif len(changes) >= board.settings.flap_changes:
            flapping = replace(group, flapping=True, changes=changes)
            board.put(flapping, None, fact_of(flapping, GroupFlapping, changes=len(changes)))
        else:
            by = f"system:{signal.integration.name}"
            done = board.resolve(group, "every alert of it ended", by=by)
            self._resolved[done.grouped_as] = done
            self._joinable.pop(done.grouped_as, None)

    def _remember(self, alert: AlertState | None, signal: Signal) -> None:
        starts = signal.starts_at or self._at
        if alert is not None:
            self._board.put_alert(replace(alert, starts_at=starts, ends_at=signal.ends_at, last_at=self._at))
            return
        ended = replace(_new_alert(signal, None, self._at, None), firing=False, ends_at=signal.ends_at)
        self._board.put_alert(ended, fresh=True)

    def _worse(self, group: GroupState, signal: Signal, *, is_loud: bool) -> GroupState | None:
        """The group, put on the board, if this makes it worse. It never becomes less bad."""
        urgency = signal.integration.urgency_of(signal.severity)
        wakes = urgency is Urgency.HIGH and group.urgency is Urgency.LOW
        if signal.severity.rank >= group.severity.rank and not wakes:
            return None
        severity = min(signal.severity, group.severity, key=lambda one: one.rank)
        worse = replace(group, severity=severity, urgency=Urgency.HIGH if wakes else group.urgency)
        if signal.severity.rank < group.severity.rank and signal.title:
            worse = replace(worse, title=signal.title[:LONGEST_TITLE])
        if is_loud:
            # Whoever took or snoozed it as it was has not heard of this yet.
            worse = replace(
                worse,
                status=Status.TRIGGERED,
                acknowledged_at=None,
                acknowledged_by=None,
                acknowledged_until=None,
                snoozed_until=None,
            )
        fact = fact_of(
            worse,
            GroupEscalatedSeverity,
            before={"severity": group.severity.value, "urgency": group.urgency.value},
            after={"severity": worse.severity.value, "urgency": worse.urgency.value},
            wakes=is_loud,
        )
        return self._board.put(worse, "escalated_severity", fact)

    def _note(self, alert: AlertState, signal: Signal) -> None:
        content = dict(signal.details)
        said = digest(alert.title, signal.severity.value, json.dumps(content, sort_keys=True, default=str))
        row = self._said.get((alert.id, said))
        if row is not None:
            row["count"] += 1
            return
        self._said[alert.id, said] = {
            "alert_id": alert.id,
            "digest": said,
            "title": alert.title,
            "severity": signal.severity,
            "content": content,
            "first_at": self._at,
            "last_at": self._at,
            "count": 1,
        }


def _fires(alert: AlertState | None) -> bool:
    return alert is not None and alert.firing


def _new_group(signal: Signal, at: datetime) -> GroupState:
    integration = signal.integration
    return GroupState(
        id=new_id("alg"),
        version=0,
        service=signal.service,
        environment=signal.environment,
        key=signal.group_family[:255],
        title=_title(signal),
        status=Status.TRIGGERED,
        severity=signal.severity,
        urgency=integration.urgency_of(signal.severity),
        opened_at=at,
        updated_at=at,
        policy=signal.policy or integration.policy,
        slo=signal.slo,
        integration=integration.id,
        grouped_as=signal.grouped_as(),
        joined_at=at,
        last_event_at=at,
        window=integration.grouping.window,
        auto_resolve=integration.auto_resolve,
        changes=(at,),
    )


def _new_alert(signal: Signal, group_id: str | None, at: datetime, silence: str | None) -> AlertState:
    return AlertState(
        id=new_id("alr"),
        group_id=group_id,
        identity=signal.identity,
        integration=signal.integration.id,
        dedup_key=signal.dedup_key,
        live=True,
        firing=True,
        starts_at=signal.starts_at or at,
        ends_at=None,
        title=_title(signal),
        severity=signal.severity,
        labels=signal.matched_on(),
        links=signal.links,
        first_at=at,
        last_at=at,
        silence=silence,
    )


def _with_words(alert: AlertState, signal: Signal, **more: Any) -> AlertState:
    """The alert with what was said of it last, and with `more` that changes."""
    return replace(
        alert,
        title=_title(signal),
        severity=signal.severity,
        labels=signal.matched_on(),
        links=signal.links,
        last_at=signal.at,
        event_count=alert.event_count + 1,
        **more,
    )


def _title(signal: Signal) -> str:
    return (signal.title or signal.family or signal.dedup_key)[:LONGEST_TITLE]


def _joined(group: GroupState, alert: AlertState) -> AlertJoined | None:
    """The fact of the first ten that join, and then of fewer and fewer."""
    number = group.alert_count
    if number < 2 or (number > _TOLD_JOINS and str(number).rstrip("0") not in ("1", "2", "5")):
        return None
    fact = fact_of(group, AlertJoined, alert_title=alert.title[:300], alert_count=number)
    return fact if isinstance(fact, AlertJoined) else None
