"""What people and time do to a group, on a board."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from watchkeeper.modules.alerts.board import Board
from watchkeeper.modules.alerts.events import (
    GroupAcknowledged,
    GroupSnoozed,
    GroupSnoozeEnded,
    GroupUnacknowledged,
)
from watchkeeper.modules.alerts.model import GroupState, Status
from watchkeeper.modules.alerts.telling import fact_of


def acknowledge(board: Board, group: GroupState, *, by: str, until: datetime | None = None) -> GroupState:
    """Somebody has it, until `until` or until it is over."""
    taken = replace(
        group,
        status=Status.ACKNOWLEDGED,
        acknowledged_at=board.at,
        acknowledged_by=by,
        acknowledged_until=until,
        snoozed_until=None,
    )
    return board.put(taken, "acknowledged", fact_of(taken, GroupAcknowledged, until=until))


def unacknowledge(board: Board, group: GroupState, reason: str) -> GroupState:
    """Nobody has it any more."""
    free = replace(group, status=Status.TRIGGERED, acknowledged_at=None, acknowledged_by=None, acknowledged_until=None)
    return board.put(free, "unacknowledged", fact_of(free, GroupUnacknowledged, reason=reason))


def snooze(board: Board, group: GroupState, *, until: datetime, reason: str) -> GroupState:
    """Nobody is paged for it until then; after that it pages again, acknowledged or not."""
    asleep = replace(group, snoozed_until=until)
    return board.put(asleep, "snoozed", fact_of(asleep, GroupSnoozed, until=until, reason=reason))


def wake(board: Board, group: GroupState) -> GroupState:
    """The snooze is over."""
    awake = replace(
        group,
        snoozed_until=None,
        status=Status.TRIGGERED,
        acknowledged_at=None,
        acknowledged_by=None,
        acknowledged_until=None,
    )
    return board.put(awake, "snooze_ended", fact_of(awake, GroupSnoozeEnded))
