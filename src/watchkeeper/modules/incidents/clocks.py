"""The clocks of an incident: until when somebody has to respond, and when the next update is due.

Pure functions of the incident and the targets. What was told of a clock is written on the incident (`told`), in the
transaction that tells it: so a look that comes late, twice or after a death neither loses a warning nor doubles one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Literal

from watchkeeper.modules.incidents import business
from watchkeeper.modules.incidents.business import BusinessHours
from watchkeeper.modules.incidents.model import Incident, Severity

SHARES = (50, 80, 100)
_SPAN = re.compile(r"(\d{1,5})(m|h|d)")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_LONGEST = timedelta(days=365)


class ClockKind(StrEnum):
    """What has to be done in time."""

    RESPOND = "respond"
    UPDATE = "update"


class ClockState(StrEnum):
    """`met` and `missed` are over; the others run."""

    RUNNING = "running"
    WARNED = "warned"
    BREACHED = "breached"
    MET = "met"
    MISSED = "missed"


@dataclass(frozen=True)
class Target:
    """Until when: a length of time, the end of the working day, or the end of the next sprint."""

    kind: Literal["span", "same-day", "next-sprint"]
    span: timedelta = timedelta(0)
    words: str = ""


@dataclass(frozen=True)
class Sprints:
    """Sprints of one length, counted from a first day."""

    first: date = date(2026, 1, 5)
    days: int = 14

    def end_of_next(self, day: date) -> date:
        """The day after the last one of the sprint that follows the one which holds `day`."""
        number = (day - self.first).days // self.days
        return self.first + timedelta(days=self.days * (number + 2))


@dataclass(frozen=True)
class Targets:
    """What is promised by severity, and the hours by which it is counted."""

    respond: Mapping[Severity, Target] = field(default_factory=dict)
    update_every: Mapping[Severity, timedelta] = field(default_factory=dict)
    hours: BusinessHours = field(default_factory=BusinessHours)
    # So much of business hours a day still has to have to be the same day.
    least: timedelta = timedelta(hours=2)
    sprints: Sprints = Sprints()


@dataclass(frozen=True)
class Mark:
    """An instant at which something is to be told of a clock. `share`: how much of its time is over, in percent."""

    key: str
    clock: ClockKind
    share: int
    at: datetime


@dataclass(frozen=True)
class IncidentClock:
    """One clock. `ended_at`: when what it waits for was done; None while it runs."""

    kind: ClockKind
    starts_at: datetime
    due_at: datetime
    ended_at: datetime | None
    marks: tuple[Mark, ...]
    target: str

    def state(self, now: datetime) -> ClockState:
        """How it does at an instant."""
        if self.ended_at is not None:
            return ClockState.MET if self.ended_at <= self.due_at else ClockState.MISSED
        if now >= self.due_at:
            return ClockState.BREACHED
        return ClockState.WARNED if any(one.at <= now for one in self.marks) else ClockState.RUNNING


def parse_target(text: str) -> Target:
    """`5m`, `48h`, `7d`, `same-day` or `next-sprint`. Raises ValueError."""
    said = text.strip().casefold()
    if said == "same-day":
        return Target("same-day", words="the same working day")
    if said == "next-sprint":
        return Target("next-sprint", words="the end of the next sprint")
    found = _SPAN.fullmatch(said)
    span = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found is not None else timedelta(0)
    if not timedelta(0) < span <= _LONGEST:
        raise ValueError("a length of time such as 5m, 48h or 7d, same-day, or next-sprint was expected")
    return Target("span", span, said)


def due_at(target: Target, start: datetime, targets: Targets) -> datetime:
    """Until when, for what began at `start`. What begins later is never due earlier."""
    if target.kind == "span":
        return start + target.span
    if target.kind == "same-day":
        least = business.after(targets.hours, start, targets.least)
        return max(business.closing(targets.hours, start), least)
    zone = targets.hours.zone
    day = targets.sprints.end_of_next(start.astimezone(zone).date())
    return datetime.combine(day, time(0), zone).astimezone(start.tzinfo)


def at_share(target: Target, start: datetime, due: datetime, share: int, targets: Targets) -> datetime:
    """When so many percent of the time are over; of a working day, of its business hours."""
    if target.kind == "same-day":
        whole = business.between(targets.hours, start, due)
        return min(due, business.after(targets.hours, start, whole * share / 100)) if share < 100 else due
    return start + (due - start) * share / 100


def respond_clock(incident: Incident, targets: Targets) -> IncidentClock | None:
    """Until when somebody has to have it."""
    target = targets.respond.get(incident.severity)
    if target is None:
        return None
    start = incident.clocks_from
    due = due_at(target, start, targets)
    marks = tuple(
        Mark(_key(ClockKind.RESPOND, share, start, incident), ClockKind.RESPOND, share, at)
        for share, at in ((one, at_share(target, start, due, one, targets)) for one in SHARES)
    )
    return IncidentClock(ClockKind.RESPOND, start, due, _responded(incident), marks, target.words)


def update_clock(incident: Incident, targets: Targets, now: datetime) -> IncidentClock | None:
    """Until when people want to hear of it; one reminder for each length of time that passes without."""
    every = targets.update_every.get(incident.severity)
    if every is None or not incident.is_open:
        return None
    start = max(incident.last_update_at or incident.clocks_from, incident.clocks_from)
    number = max(1, int((now - start) // every))
    marks = tuple(
        Mark(_key(ClockKind.UPDATE, one, start, incident), ClockKind.UPDATE, 100, start + every * one)
        for one in (number, number + 1)
    )
    minutes = int(every.total_seconds() // 60)
    return IncidentClock(ClockKind.UPDATE, start, start + every, None, marks, f"every {minutes} min")


def clocks_of(incident: Incident, targets: Targets, now: datetime) -> tuple[IncidentClock, ...]:
    """Every clock that it has, the one that is due first in front."""
    if incident.merged_into is not None:
        return ()
    found = (respond_clock(incident, targets), update_clock(incident, targets, now))
    return tuple(sorted((one for one in found if one is not None), key=lambda one: (one.due_at, one.kind)))


def due_marks(incident: Incident, targets: Targets, now: datetime) -> tuple[Mark, ...]:
    """What is to be told now: marks that have come, of clocks that run, and that were not told."""
    return tuple(one for one in _running(incident, targets, now) if one.at <= now)


def coming_marks(incident: Incident, targets: Targets, now: datetime) -> tuple[Mark, ...]:
    """Marks that are to be told, now or later: each is a row of due work."""
    return tuple(_running(incident, targets, now))


def _running(incident: Incident, targets: Targets, now: datetime) -> list[Mark]:
    if not incident.is_open:
        return []
    clocks = clocks_of(incident, targets, now)
    marks = (mark for one in clocks if one.ended_at is None for mark in one.marks)
    return sorted((one for one in marks if one.key not in incident.told), key=lambda one: (one.at, one.share))


def _responded(incident: Incident) -> datetime | None:
    if incident.responded_at is not None:
        return incident.responded_at
    return incident.resolved_at


def _key(clock: ClockKind, share: int, start: datetime, incident: Incident) -> str:
    return f"{clock}:{share}:{int(start.timestamp() * 1000)}:{incident.severity}"
