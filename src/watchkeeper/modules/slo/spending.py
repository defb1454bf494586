"""Who spent a budget: routes, releases and the episodes of alerts, by their bad events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote

from sqlalchemy.orm import Session

from watchkeeper.modules.slo import store_counts
from watchkeeper.modules.slo.counting import count_of, fits, fitting, grouped, judged
from watchkeeper.modules.slo.definition import Availability, Chosen, Objective
from watchkeeper.modules.slo.engine import Engine
from watchkeeper.modules.slo.model import Cause, Spending
from watchkeeper.modules.slo.series import HOUR, MINUTE
from watchkeeper.modules.slo.store import Stored
from watchkeeper.modules.telemetry import public as telemetry
from watchkeeper.modules.telemetry.public import RequestCount, Telemetry

_MOST = 20
_MINUTES_UP_TO = 6 * HOUR


def by_cause(
    session: Session,
    engine: Engine,
    telemetry_store: Telemetry,
    stored: Stored,
    objective: Objective,
    since: datetime,
    until: datetime,
) -> Spending:
    """The bad events of [since, until). Routes and releases are known of requests in the embedded telemetry; releases
    as long as spans are kept. Raises QueryTooSlow."""
    tracker = engine.tracker(stored.name, objective.name)
    bad = 0.0
    if tracker is not None:
        with engine.lock:
            bad = tracker.series.between(since.timestamp(), until.timestamp()).bad
    routes: list[Cause] = []
    releases: list[Cause] = []
    indicator = stored.definition.indicator
    if isinstance(indicator, Chosen):
        routes = _routes(telemetry_store, indicator, objective, since, until)
        releases = _releases(telemetry_store, indicator, objective, since, until)
    return Spending(bad, routes, releases, _incidents(session, engine, stored, objective, since, until, bad))


def _routes(store: Telemetry, indicator: Chosen, objective: Objective, since: datetime, until: datetime) -> list[Cause]:
    start, end = int(since.timestamp()) // MINUTE * MINUTE, int(until.timestamp())
    hourly = end - start > _MINUTES_UP_TO
    if hourly:
        start = start // HOUR * HOUR
    by_route: dict[tuple[str, str], list[RequestCount]] = defaultdict(list)
    for row in telemetry.request_counts(
        store, start, max(end, start + MINUTE), hourly=hourly, service=indicator.service
    ):
        by_route[row.method, row.route].append(row)
    counted = []
    for (method, route), rows in by_route.items():
        counts = count_of(indicator, objective, fitting(indicator, grouped(rows))).values()
        good, total = sum(one[0] for one in counts), sum(one[1] for one in counts)
        href = f"/services/{quote(indicator.service)}/routes?route={quote(route, safe='')}"
        counted.append((f"{method} {route}".strip(), total - good, total, href))
    return _shares(counted)


def _releases(
    store: Telemetry, indicator: Chosen, objective: Objective, since: datetime, until: datetime
) -> list[Cause]:
    threshold = objective.threshold.total_seconds() if objective.threshold is not None else None
    rows = telemetry.version_counts(
        store, indicator.service, int(since.timestamp()), int(until.timestamp()), slower_than=threshold
    )
    found: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, float("inf"), 0.0])
    for row in rows:
        if not fits(indicator, row.environment, row.route, row.method):
            continue
        bad, total = judged(indicator, row) if isinstance(indicator, Availability) else (row.slow, row.requests)
        kept = found[row.version or "(no version)"]
        kept[0] += bad
        kept[1] += total
        kept[2], kept[3] = min(kept[2], row.first), max(kept[3], row.last)
    causes = _shares((name, bad, total, "") for name, (bad, total, _, _) in found.items())
    return [replace(one, since=_instant(found[one.name][2]), until=_instant(found[one.name][3])) for one in causes]


def _incidents(
    session: Session,
    engine: Engine,
    stored: Stored,
    objective: Objective,
    since: datetime,
    until: datetime,
    bad: float,
) -> list[Cause]:
    """Each stretch from when what fired an alert began until it was over; those that overlap are one."""
    tracker = engine.tracker(stored.name, objective.name)
    if tracker is None:
        return []
    episodes = [
        one
        for one in store_counts.episodes(session, slo=stored.name, since=since, until=until, limit=200)
        if one.kind == "burn" and one.objective == objective.name
    ]
    merged: list[tuple[datetime, datetime, str]] = []
    with engine.lock:
        began = {one.id: tracker.harm_since(one) for one in episodes}
    for one in sorted(episodes, key=lambda one: began[one.id]):
        start, end = max(since, began[one.id]), min(until, one.resolved_at or until)
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]), merged[-1][2])
        else:
            merged.append((start, end, one.id))
    found = []
    with engine.lock:
        for start, end, name in merged:
            counts = tracker.series.between(start.timestamp(), end.timestamp())
            share = min(1.0, counts.bad / bad) if bad > 0 else 0.0
            found.append(Cause(name, counts.bad, counts.total, share, since=start, until=end))
    return sorted(found, key=lambda one: -one.bad)[:_MOST]


def _shares(counted: Iterable[tuple[str, float, float, str]]) -> list[Cause]:
    found = [one for one in counted if one[1] > 1e-9]
    whole = sum(one[1] for one in found)
    causes = [Cause(name, bad, total, bad / whole, href) for name, bad, total, href in found]
    return sorted(causes, key=lambda one: (-one.bad, one.name))[:_MOST]


def _instant(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
