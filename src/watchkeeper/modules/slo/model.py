"""What is computed of an objective, and how: counts, budgets, burn rates, forecasts. No I/O, no clock."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from watchkeeper.modules.slo.definition import AlertRule, Definition, ExclusionKind, Objective

# SRE Workbook, chapter 5: share of a budget, over which window, and whom it calls.
_WORKBOOK: tuple[tuple[float, timedelta, timedelta, Literal["page", "ticket"]], ...] = (
    (0.02, timedelta(hours=1), timedelta(minutes=5), "page"),
    (0.05, timedelta(hours=6), timedelta(minutes=30), "page"),
    (0.10, timedelta(days=1), timedelta(hours=2), "ticket"),
    (0.10, timedelta(days=3), timedelta(hours=6), "ticket"),
)
_MONTH = timedelta(days=30)
BURN_WINDOWS = (timedelta(hours=1), timedelta(hours=6), timedelta(days=1), timedelta(days=3))
_LEAST_MEASURED = 60.0  # seconds: of less no pace is known
_Z = 1.645  # 90 % of a normal distribution lies within it


@dataclass(frozen=True, slots=True)
class Counts:
    """Events of a stretch of time: `good` of `total`, and how many seconds of it were `measured`."""

    good: float = 0.0
    total: float = 0.0
    measured: float = 0.0

    @property
    def bad(self) -> float:
        """Never below zero, whatever late corrections did to the two sums."""
        return max(0.0, self.total - self.good)

    @property
    def share(self) -> float | None:
        """Good of all, 0..1; None of nothing."""
        return min(1.0, self.good / self.total) if self.total > 0 else None

    def is_near(self, other: Counts) -> bool:
        """The same but for the rounding of sums."""
        room = 1e-6 * max(1.0, self.total, other.total)
        pairs = ((self.good, other.good), (self.total, other.total), (self.measured, other.measured))
        return all(abs(one - another) <= room for one, another in pairs)

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.good + other.good, self.total + other.total, self.measured + other.measured)

    def __sub__(self, other: Counts) -> Counts:
        return Counts(
            max(0.0, self.good - other.good),
            max(0.0, self.total - other.total),
            max(0.0, self.measured - other.measured),
        )


def added(counts: Iterable[Counts]) -> Counts:
    """The sum: percentages are of events, never a mean of percentages."""
    return sum(counts, Counts())


@dataclass(frozen=True)
class Budget:
    """What may go wrong in a window, and what of it did.

    `expected` is how many events the whole window has: those that were counted, and as many again for each stretch of
    it that was not measured (yet). `allowed` is what of them may be bad; `spent` is bad events (less what was given
    back) as a share of `allowed`, never negative; `remaining` = 1 - spent but at least 0; `overspent` what is beyond.
    `minutes` and `minutes_left` are those of a full outage at even traffic.
    """

    expected: float
    allowed: float
    bad: float
    given_back: float
    spent: float
    minutes: float

    @property
    def remaining(self) -> float:
        return max(0.0, 1.0 - self.spent)

    @property
    def overspent(self) -> float:
        return max(0.0, self.spent - 1.0)

    @property
    def minutes_left(self) -> float:
        return self.minutes * self.remaining

    @property
    def events_left(self) -> float:
        return self.allowed * self.remaining


def budget_of(counts: Counts, target: float, window: timedelta, *, given_back: float = 0.0) -> Budget:
    """Event-weighted: spent = bad / ((1 - target) x expected), where expected = total x window / measured time.

    A month that has only begun, or an SLO without history, thus has the budget of a whole window from its first hour
    on, as a burn rate has: burning 14.4 times too fast for an hour spends 2 % of 30 days, whatever day it is.
    """
    unmeasured = window.total_seconds() / max(1.0, counts.measured) if counts.measured > 0 else 1.0
    expected = counts.total * max(1.0, unmeasured)
    allowed = (1.0 - target) * expected
    bad = max(0.0, counts.bad - max(0.0, given_back))
    return Budget(
        expected=expected,
        allowed=allowed,
        bad=counts.bad,
        given_back=min(counts.bad, max(0.0, given_back)),
        spent=bad / allowed if allowed > 0 else 0.0,
        minutes=(1.0 - target) * (window / timedelta(minutes=1)),
    )


@dataclass(frozen=True)
class Burn:
    """How fast the budget went over a window: `rate` 1 spends exactly all of it in the SLO's window.

    `covered` is the measured share of the window, 0..1. The rate counts only what was measured: time without
    measurement spends nothing, so a window that is just beginning does not look like one that has burned all along.
    """

    window: timedelta
    rate: float
    counts: Counts
    covered: float

    @property
    def measured_rate(self) -> float:
        """As if the whole window had been like what was measured of it."""
        return self.rate / self.covered if self.covered > 0 else 0.0


def burn_of(counts: Counts, target: float, window: timedelta) -> Burn:
    """(bad / total) / (1 - target) x covered; 0 of nothing."""
    covered = min(1.0, counts.measured / window.total_seconds())
    rate = counts.bad / counts.total / (1.0 - target) * covered if counts.total > 0 else 0.0
    return Burn(window, rate, counts, covered)


def detection_time(error_share: float, target: float, rule_burn: float, long: timedelta) -> timedelta | None:
    """How long a constant share of errors takes to fire: (1 - SLO) / error share x window x burn rate (SRE Workbook,
    chapter 5). None: it never does."""
    if error_share <= 0 or error_share / (1.0 - target) < rule_burn * (1 - 1e-9):
        return None
    return long * ((1.0 - target) / error_share * rule_burn)


def can_fire(rule: AlertRule, target: float, window: timedelta) -> bool:
    """Whether even a total outage reaches the rule's burn rate."""
    return rule.misses is not None or rule.burn_rate(window) <= 1.0 / (1.0 - target) * (1 + 1e-9)


def workbook_rules(window: timedelta) -> tuple[AlertRule, ...]:
    """The Workbook's four pairs. Their time windows scale with the SLO's window below 30 days, so that the same
    share of the budget fires them; above it the windows stay and the burn rates grow."""
    scale = min(1.0, window / _MONTH)
    rules = []
    for budget, long, short, action in _WORKBOOK:
        scaled = max(timedelta(minutes=2), _whole_seconds(long * scale))
        brief = max(timedelta(minutes=1), _whole_seconds(short * scale))
        rules.append(AlertRule(burn=round(budget * (window / scaled), 6), long=scaled, short=brief, action=action))
    return tuple(rules)


def _whole_seconds(span: timedelta) -> timedelta:
    return timedelta(seconds=round(span.total_seconds()))


def rules_of(definition: Definition) -> tuple[AlertRule, ...]:
    """The rules an SLO alerts by: its own, or the Workbook's."""
    if not definition.alerting.enabled:
        return ()
    return definition.alerting.rules or workbook_rules(definition.window.length)


@dataclass(frozen=True)
class Forecast:
    """When the budget will be gone if it goes on as lately: between `earliest` and `latest`
    with 90 % likelihood (Poisson bounds of the bad events); `latest` None: perhaps never."""

    exhausted_at: datetime | None
    earliest: datetime | None
    latest: datetime | None


def forecast(budget: Budget, lately: Counts, now: datetime, until: datetime | None) -> Forecast:
    """From what is left and the bad events in an hour of what was measured `lately`. `until`: a calendar window's end,
    after which the budget begins anew; what falls later is None."""
    left = budget.allowed * budget.remaining
    if budget.allowed > 0 and budget.remaining <= 0:
        return Forecast(now, now, now)
    bad = lately.bad
    hours = max(_LEAST_MEASURED, lately.measured) / 3_600
    high = (math.sqrt(bad) + _Z / 2) ** 2 + 1 if bad > 0 else 0.0
    low = max(0.0, (math.sqrt(bad) - _Z / 2) ** 2) if bad > _Z**2 / 4 else 0.0
    return Forecast(*(_when(left, one / hours, now, until) for one in (bad, high, low)))


def _when(left: float, per_hour: float, now: datetime, until: datetime | None) -> datetime | None:
    if per_hour <= 0 or left <= 0:
        return None
    hours = left / per_hour
    if hours > 24 * 366:
        return None
    moment = now + timedelta(hours=hours)
    return None if until is not None and moment >= until else moment


class Status(StrEnum):
    """How an objective does, worst first."""

    EXHAUSTED = "exhausted"
    BURNING = "burning"
    SILENT = "silent"
    AT_RISK = "at_risk"
    NO_DATA = "no_data"
    MET = "met"


AlertKind = Literal["burn", "source_silent"]


@dataclass(frozen=True)
class AlertState:
    """One episode of an alert: from its first firing until it stays clear.

    `dedup_key` is the same for each episode of the same objective and action. `rules` are those that hold now, or held
    last, as texts such as `14.4x over 1h and 5m`. `fired` counts how often it came back within the episode: whoever
    was paged is not paged again.
    """

    id: str
    slo: str
    objective: str
    service: str
    kind: AlertKind
    action: Literal["page", "ticket"]
    dedup_key: str
    started_at: datetime
    resolved_at: datetime | None
    last_fired_at: datetime
    fired: int
    rules: tuple[str, ...]
    burn: float
    budget_spent: float
    detail: str = ""

    @property
    def is_open(self) -> bool:
        return self.resolved_at is None


@dataclass(frozen=True)
class Exclusion:
    """A recorded stretch whose events do not count for the SLOs it names: all of a service, or those listed."""

    id: str
    kind: ExclusionKind
    service: str | None
    slos: tuple[str, ...]
    since: datetime
    until: datetime | None
    reason: str
    created_by: str
    created_at: datetime
    withdrawn_at: datetime | None = None

    def covers(self, definition: Definition, at: datetime) -> bool:
        """Whether it is about this SLO at this instant."""
        return (
            self.withdrawn_at is None
            and (definition.name in self.slos or self.service == definition.service)
            and self.since <= at
            and (self.until is None or at < self.until)
        )


@dataclass(frozen=True)
class Adjustment:
    """Bad events that are given back to the budget of the window that holds `at`, once a second person agreed."""

    id: str
    slo: str
    objective: str
    events: float
    at: datetime
    reason: str
    incident: str | None
    state: Literal["waiting", "approved", "rejected"]
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None


@dataclass(frozen=True)
class Revision:
    """Late data changed an hour that had been told already."""

    slo: str
    objective: str
    hour: datetime
    before: Counts
    after: Counts
    found_at: datetime


@dataclass(frozen=True)
class Cause:
    """Who spent: bad events of a route, a release or an incident, and their share of all bad ones (0..1)."""

    name: str
    bad: float
    total: float
    share: float
    href: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Spending:
    """The bad events of a stretch of time by cause; each list adds up to what is known of them, largest first."""

    bad: float
    routes: Sequence[Cause] = ()
    releases: Sequence[Cause] = ()
    incidents: Sequence[Cause] = ()


@dataclass(frozen=True)
class Point:
    """One step of a series; `counts` None where nothing was measured."""

    at: datetime
    until: datetime
    counts: Counts | None


@dataclass(frozen=True)
class Figures:
    """All of one objective at one instant.

    `counts` are those of the current window [since, until) without what is excluded; `ends` is when a calendar window
    begins anew, None for a rolling one. `burns` are by window. `problem` says why there is nothing to measure.
    """

    definition: Definition
    objective: Objective
    status: Status
    now: datetime
    since: datetime
    ends: datetime | None
    counts: Counts
    excluded: Counts
    covered: float
    budget: Budget
    burns: Mapping[timedelta, Burn]
    forecast: Forecast
    alerts: tuple[AlertState, ...] = ()
    newest: datetime | None = None
    problem: str | None = None
    warnings: tuple[str, ...] = field(default=())

    @property
    def share(self) -> float | None:
        """Good of all in the window, 0..1."""
        return self.counts.share

    @property
    def burn(self) -> float:
        """Over the shortest of the windows, which is an hour."""
        return next(iter(self.burns.values())).rate if self.burns else 0.0
