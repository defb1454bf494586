"""What alerts and groups of them are, and what follows when something is heard of one: no I/O, no clock."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

# A source that says "fires" so long after "resolved" means it, whatever start it names: servers restore old starts when
# they come back. Within it, the word is a delivery that came late.
SETTLED_AFTER = timedelta(minutes=5)
MOST_CHANGES_KEPT = 40
# The way in of the synthetic page, by which Watchkeeper proves to itself that alerts reach people.
PROBE = "int_probe"
# The way in of drills, in which an incident is played.
DRILL = "own:drill"
_NUMBERS = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8,}(?:-[0-9a-f]{4,})*|\d+(?:[.,:]\d+)*", re.IGNORECASE)


class Severity(StrEnum):
    """How bad it is, in the words of PagerDuty's Events v2."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 is the worst."""
        return _RANKS[self]


_RANKS = {Severity.CRITICAL: 0, Severity.ERROR: 1, Severity.WARNING: 2, Severity.INFO: 3}


class Urgency(StrEnum):
    """Whether somebody is woken."""

    HIGH = "high"
    LOW = "low"


class Status(StrEnum):
    """Of a group."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Suppression(StrEnum):
    """Why nobody is paged for an open group. It is recorded and shown all the same."""

    SILENCE = "silence"
    MAINTENANCE = "maintenance"
    DEPENDENCY = "dependency"


class Kind(StrEnum):
    """The format that an integration speaks."""

    PAGERDUTY = "pagerduty"
    ALERTMANAGER = "alertmanager"
    GRAFANA = "grafana"
    GENERIC = "generic"
    OWN = "own"


class Action(StrEnum):
    """What a signal says."""

    TRIGGER = "trigger"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


class Step(StrEnum):
    """What follows for an alert. `remember`: it ended before it was heard of; its late start is nothing."""

    OPEN = "open"
    REPEAT = "repeat"
    RESOLVE = "resolve"
    ACKNOWLEDGE = "acknowledge"
    REMEMBER = "remember"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Link:
    """Somewhere to look: a graph, a runbook."""

    text: str
    url: str


@dataclass(frozen=True)
class Grouping:
    """Alerts that are alike in `by` join one group while the last that joined is no older than `window`.

    `by` names `service`, `environment`, `family`, `integration`, `severity`, or labels.
    """

    by: tuple[str, ...] = ("service", "environment", "family")
    window: timedelta = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Integration:
    """A way in: what its alerts belong to, and how they are read."""

    id: str
    name: str
    kind: Kind
    service: str | None = None
    environment: str | None = None
    policy: str | None = None
    default_severity: Severity = Severity.ERROR
    severity_map: Mapping[str, Severity] = field(default_factory=dict)
    urgency_map: Mapping[Severity, Urgency] = field(default_factory=dict)
    grouping: Grouping = Grouping()
    mapping: Mapping[str, str] = field(default_factory=dict)
    rate_per_minute: int = 12_000
    auto_resolve: timedelta | None = None

    def severity_of(self, said: str | None) -> Severity:
        """A foreign word for a severity as ours."""
        word = (said or "").strip().casefold()
        if not word:
            return self.default_severity
        mapped = self.severity_map.get(word)
        return mapped or _WORDS.get(word, self.default_severity)

    def urgency_of(self, severity: Severity) -> Urgency:
        """Critical and error wake somebody, unless the integration says otherwise."""
        usual = Urgency.HIGH if severity in (Severity.CRITICAL, Severity.ERROR) else Urgency.LOW
        return self.urgency_map.get(severity, usual)


_WORDS = {
    **dict.fromkeys(
        ("critical", "crit", "page", "fatal", "emergency", "alert", "disaster", "p1", "sev1"), Severity.CRITICAL
    ),
    **dict.fromkeys(("error", "err", "high", "major", "p2", "sev2"), Severity.ERROR),
    **dict.fromkeys(("warning", "warn", "medium", "average", "minor", "low", "ticket", "p3", "sev3"), Severity.WARNING),
    **dict.fromkeys(
        ("info", "informational", "information", "notice", "none", "debug", "ok", "p4", "p5"), Severity.INFO
    ),
}


@dataclass(frozen=True, kw_only=True)
class Signal:
    """One word of one alert, from whatever format. Instants are UTC; `starts_at` is None where nobody tells it."""

    integration: Integration
    action: Action
    dedup_key: str
    at: datetime
    title: str = ""
    severity: Severity = Severity.ERROR
    service: str | None = None
    environment: str | None = None
    family: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    links: tuple[Link, ...] = ()
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    slo: str | None = None
    policy: str | None = None

    @property
    def identity(self) -> str:
        """The same for each word of the same alert."""
        return digest(self.integration.id, self.dedup_key)

    @property
    def group_family(self) -> str:
        """What alerts of this sort have in common."""
        return self.family or family_of(self.title) or self.dedup_key[:120]

    def grouped_as(self) -> str:
        """The same for alerts that belong together. Another policy is never joined: its people would not be called."""
        own: dict[str, str] = {
            "service": self.service or "",
            "environment": self.environment or "",
            "family": self.group_family,
            "integration": self.integration.id,
            "severity": self.severity.value,
        }
        values = [f"{name}={own.get(name, self.labels.get(name, ''))}" for name in sorted(self.integration.grouping.by)]
        return digest(self.policy or self.integration.policy or "", *values)

    def matched_on(self) -> dict[str, str]:
        """Labels as matchers see them: the source's own, and what we made of them."""
        return {**self.labels, **own_labels(self)}


def own_labels(signal: Signal) -> dict[str, str]:
    """What every alert has, whatever its source says."""
    found = {
        "integration": signal.integration.name,
        "severity": signal.severity.value,
        "family": signal.group_family,
        "title": signal.title,
    }
    if signal.service:
        found["service"] = signal.service
    if signal.environment:
        found["environment"] = signal.environment
    return found


@dataclass(frozen=True, kw_only=True)
class GroupState:
    """What people are paged about. `version` grows with each change that they may have to hear of."""

    id: str
    version: int
    service: str | None
    environment: str | None
    key: str
    title: str
    status: Status
    severity: Severity
    urgency: Urgency
    opened_at: datetime
    updated_at: datetime
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    acknowledged_until: datetime | None = None
    snoozed_until: datetime | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    suppressed: Suppression | None = None
    suppressed_by: str | None = None
    alert_count: int = 0
    firing_count: int = 0
    # Of those that fire, how many no silence covers.
    loud_count: int = 0
    event_count: int = 0
    policy: str | None = None
    slo: str | None = None
    integration: str = ""
    grouped_as: str = ""
    joined_at: datetime
    last_event_at: datetime
    window: timedelta = timedelta(hours=1)
    auto_resolve: timedelta | None = None
    flapping: bool = False
    # A newer group takes in what is like its alerts: its window was over.
    left_behind: bool = False
    changes: tuple[datetime, ...] = ()

    @property
    def is_open(self) -> bool:
        return self.status is not Status.RESOLVED

    @property
    def is_synthetic(self) -> bool:
        """A synthetic page: it takes every step of a real one, and is in no list, no measure and no fact."""
        return self.integration == PROBE

    @property
    def is_drill(self) -> bool:
        """The alert of a drill: real in every step, and in no measure."""
        return self.integration == DRILL

    def takes_in(self, at: datetime) -> bool:
        """Whether an alert that is new at `at` may still join."""
        return self.is_open and not self.left_behind and at - self.joined_at <= self.window


@dataclass(frozen=True, kw_only=True)
class AlertState:
    """One symptom, for as long as it belongs to one group. `live` marks the newest row of its identity."""

    id: str
    group_id: str | None
    identity: str
    integration: str
    dedup_key: str
    live: bool
    firing: bool
    starts_at: datetime
    ends_at: datetime | None
    title: str
    severity: Severity
    labels: Mapping[str, str]
    links: tuple[Link, ...]
    first_at: datetime
    last_at: datetime
    event_count: int = 1
    silence: str | None = None


def step(alert: AlertState | None, signal: Signal) -> Step:
    """What a word means for what is known of its alert.

    An alert is known by its newest episode, and an end wins over its own start: so deliveries that come twice or in any
    order (within five minutes) lead to the same state.
    """
    if signal.action is Action.ACKNOWLEDGE:
        return Step.ACKNOWLEDGE if alert is not None and alert.firing else Step.NOTHING
    if signal.action is Action.TRIGGER:
        return _on_trigger(alert, signal)
    return _on_resolve(alert, signal)


def _on_trigger(alert: AlertState | None, signal: Signal) -> Step:
    if alert is None:
        return Step.OPEN
    if alert.firing:
        return Step.REPEAT
    if signal.starts_at is None or signal.at - alert.last_at > SETTLED_AFTER:
        return Step.OPEN
    if signal.starts_at <= alert.starts_at or (alert.ends_at is not None and signal.starts_at < alert.ends_at):
        return Step.NOTHING
    return Step.OPEN


def _on_resolve(alert: AlertState | None, signal: Signal) -> Step:
    starts, ends = signal.starts_at, signal.ends_at
    if alert is None:
        return Step.REMEMBER if starts is not None else Step.NOTHING
    # An episode that ended before this one began.
    if starts is not None and starts < alert.starts_at and (ends is None or ends <= alert.starts_at):
        return Step.NOTHING
    if alert.firing:
        return Step.RESOLVE
    return Step.REMEMBER if starts is not None and starts > alert.starts_at else Step.NOTHING


def worst(severities: Iterable[Severity], default: Severity = Severity.INFO) -> Severity:
    """The most severe."""
    return min(severities, key=lambda one: one.rank, default=default)


def family_of(title: str) -> str:
    """A title without its numbers and ids: `disk full on db-#` of every disk of every host."""
    return " ".join(_NUMBERS.sub("#", title).casefold().split())[:120]


def digest(*parts: str) -> str:
    """64 hexadecimal digits of these texts, which nothing else has."""
    return hashlib.sha256("\0".join(f"{len(part)}:{part}" for part in parts).encode("utf-8", "replace")).hexdigest()


def with_change(changes: Sequence[datetime], at: datetime, within: timedelta) -> tuple[datetime, ...]:
    """The changes of the last while, this one among them."""
    return (*(one for one in changes if at - one <= within), at)[-MOST_CHANGES_KEPT:]
