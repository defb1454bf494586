"""Targets that the last weeks would have met: a beginning, for a team that has none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchkeeper.modules.slo.counting import count_of, fitting, grouped
from watchkeeper.modules.slo.definition import Availability, Definition, Latency, Objective, Window
from watchkeeper.modules.slo.series import HOUR
from watchkeeper.modules.telemetry import public as telemetry
from watchkeeper.modules.telemetry.public import RequestCount, Telemetry
from watchkeeper_client.rules import duration_text

LOOKS_BACK = timedelta(days=28)
_LEAST_EVENTS = 100
_TARGETS = (0.9999, 0.9995, 0.999, 0.998, 0.995, 0.99, 0.98, 0.97, 0.95, 0.9)
_THRESHOLDS = (0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10)
_DAY = 24 * HOUR


@dataclass(frozen=True)
class Suggestion:
    """An SLO as it could be, and what it rests on: shares are of `events` in `days`."""

    definition: Definition
    measured_share: float
    worst_day_share: float
    events: float
    days: float
    reason: str


@dataclass(frozen=True)
class Measured:
    """How an indicator did: shares are of `events` in `days`."""

    share: float
    worst_day: float
    events: float
    days: float


def measured(
    store: Telemetry, indicator: Availability | Latency, objectives: Iterable[Objective], now: datetime
) -> dict[str, Measured]:
    """Each objective over the last four weeks, by its name. Raises QueryTooSlow."""
    rows = _rows(store, indicator.service, now)
    found = {}
    for one in objectives:
        share, worst, events = _shares(indicator, one, rows)
        found[one.name] = Measured(share, worst, events, _days(rows))
    return found


def suggest(store: Telemetry, service: str, now: datetime) -> list[Suggestion]:
    """Availability and latency of a service; nothing for one with fewer than 100 requests. Raises QueryTooSlow."""
    rows = _rows(store, service, now)
    total = sum(row.requests for row in rows)
    if total < _LEAST_EVENTS:
        return []
    days = _days(rows)
    slug = "".join(letter if letter.isalnum() else "-" for letter in service.lower()).strip("-")[:40] or "service"
    return [_availability(rows, service, slug, days), *_latency(rows, service, slug, days)]


def _rows(store: Telemetry, service: str, now: datetime) -> list[RequestCount]:
    end = int(now.timestamp()) // HOUR * HOUR + HOUR
    since = end - int(LOOKS_BACK.total_seconds())
    return list(telemetry.request_counts(store, since, end, hourly=True, service=service))


def lasting(days: float) -> str:
    """`3.5 days`; less than two in hours."""
    return f"{days:.1f} days" if days >= 2 else f"{days * 24:.0f} h"


def _days(rows: Sequence[RequestCount]) -> float:
    return (max(row.at for row in rows) - min(row.at for row in rows) + HOUR) / _DAY if rows else 0.0


def _availability(rows: list[RequestCount], service: str, slug: str, days: float) -> Suggestion:
    indicator = Availability(service=service)
    share, worst, events = _shares(indicator, Objective(target=0.5), rows)
    target = _below(share)
    allowed = (1 - target) * events
    reason = (
        f"{share:.4%} of {events:,.0f} requests in {lasting(days)} did not fail, {worst:.4%} on the worst day; "
        f"{target:.6g} would have left {max(0.0, 1 - (1 - share) * events / allowed):.0%} of its budget"
    )
    definition = Definition(
        name=f"{slug}-availability",
        display_name=f"{service}: requests that do not fail",
        service=service,
        indicator=indicator,
        objectives=(Objective(target=target),),
        window=Window(rolling=timedelta(days=30)),
    )
    return Suggestion(definition, share, worst, events, days, reason)


def _latency(rows: list[RequestCount], service: str, slug: str, days: float) -> list[Suggestion]:
    indicator = Latency(service=service)
    for seconds in _THRESHOLDS:
        objective = Objective(name="p95", target=0.95, threshold=timedelta(seconds=seconds))
        share, worst, events = _shares(indicator, objective, rows)
        if share >= 0.96:
            definition = Definition(
                name=f"{slug}-latency",
                display_name=f"{service}: quick answers",
                service=service,
                indicator=indicator,
                objectives=(objective,),
                window=Window(rolling=timedelta(days=30)),
            )
            at_most = duration_text(timedelta(seconds=seconds))
            reason = (
                f"{share:.2%} of {events:,.0f} requests in {lasting(days)} took at most {at_most}, "
                f"{worst:.2%} on the worst day"
            )
            return [Suggestion(definition, share, worst, events, days, reason)]
    return []


def _below(share: float) -> float:
    """The strictest usual target that leaves a third of its budget; 0.9 where none does."""
    return next((target for target in _TARGETS if (1 - share) <= (1 - target) * 2 / 3), _TARGETS[-1])


def _shares(
    indicator: Availability | Latency, objective: Objective, rows: list[RequestCount]
) -> tuple[float, float, float]:
    by_day: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for at, (good, total) in count_of(indicator, objective, fitting(indicator, grouped(rows))).items():
        day = by_day[at // _DAY]
        day[0] += good
        day[1] += total
    events = sum(total for _, total in by_day.values())
    worst = min((good / total for good, total in by_day.values() if total > 0), default=1.0)
    return sum(good for good, _ in by_day.values()) / max(events, 1.0), worst, events
