"""What pages, reports and the API ask: figures of now, series, burn-downs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from watchkeeper.modules.slo import alerting, checks, store, store_counts
from watchkeeper.modules.slo.calendars import length_of, window_of
from watchkeeper.modules.slo.definition import Objective
from watchkeeper.modules.slo.engine import Computed, Engine
from watchkeeper.modules.slo.errors import SloNotFound
from watchkeeper.modules.slo.model import (
    BURN_WINDOWS,
    Adjustment,
    AlertState,
    Budget,
    Burn,
    Counts,
    Figures,
    Point,
    Status,
    budget_of,
    burn_of,
    forecast,
)
from watchkeeper.modules.slo.series import MINUTE
from watchkeeper.modules.slo.sources import source_of
from watchkeeper.modules.slo.store import Stored
from watchkeeper.modules.slo.tracker import Tracker

_WORST_FIRST = {status: number for number, status in enumerate(Status)}
_AT_RISK = 0.75  # of the budget
_MOST_POINTS = 1_000
_KEPT_FOR = timedelta(seconds=15)  # as often as the engine looks


def all_figures(session: Session, engine: Engine, now: datetime, *, service: str | None = None) -> list[Figures]:
    """Every objective, worst first: by status, then by how much of the budget is gone.

    Computed once for each look of the engine and each change that people make, whoever asks how often: of a thousand it
    takes a quarter of a second.
    """
    generation = store.generation_of(session)
    kept = engine.computed
    is_of_now = kept is not None and timedelta(0) <= now - kept.at < _KEPT_FOR
    if kept is None or not is_of_now or (kept.generation, kept.look) != (generation, engine.looks):
        kept = engine.computed = Computed(generation, engine.looks, now, tuple(_all_figures(session, engine, now)))
    return [one for one in kept.figures if service in (None, one.definition.service)]


def _all_figures(session: Session, engine: Engine, now: datetime) -> list[Figures]:
    given_back = _given_back(session)
    open_alerts = store_counts.episodes(session, open_only=True, limit=10_000)
    found = [
        _figures(engine, stored, objective, now, given_back, open_alerts)
        for stored in engine.definitions(session)
        for objective in stored.definition.objectives
    ]
    return sorted(found, key=_rank)


def figures(session: Session, engine: Engine, now: datetime, slo: str) -> list[Figures]:
    """Each objective of an SLO, in its order. Raises SloNotFound."""
    stored = _stored(session, slo)
    given_back = _given_back(session, slo)
    open_alerts = store_counts.episodes(session, open_only=True, limit=10_000)
    return [
        _figures(engine, stored, one, now, given_back, open_alerts, warn=True) for one in stored.definition.objectives
    ]


def series(
    session: Session,
    engine: Engine,
    slo: str,
    objective: str | None,
    since: datetime,
    until: datetime,
    step: timedelta | None = None,
) -> list[Point]:
    """Counts in steps of whole minutes (in whole hours, where that is all that is known), at most 1,000 of them.

    Raises SloNotFound.
    """
    stored = _stored(session, slo)
    target = _objective(stored, objective)
    wanted = step or max(timedelta(minutes=1), (until - since) / 150)
    width = max(MINUTE, round(wanted.total_seconds() / MINUTE) * MINUTE)
    width = max(width, -(-int((until - since).total_seconds()) // _MOST_POINTS // MINUTE) * MINUTE)
    tracker = engine.tracker(slo, target.name)
    if tracker is not None:
        width = max(width, tracker.series.finest(since.timestamp()).width)
    start = int(since.timestamp()) // width * width
    points = []
    with engine.lock:
        for at in range(start, int(until.timestamp()), width):
            counts = tracker.series.between(at, at + width) if tracker is not None else Counts()
            known = counts.measured > 0 or counts.total > 0
            points.append(Point(_instant(at), _instant(at + width), counts if known else None))
    return points


def burn_down(
    session: Session, engine: Engine, slo: str, objective: str | None, now: datetime
) -> list[tuple[datetime, float]]:
    """The budget that was left (1 - spent; below 0 when overspent) at each of up to 200 instants of the window.

    Of a rolling window it is that of the window that ended then. Raises SloNotFound.
    """
    stored = _stored(session, slo)
    target = _objective(stored, objective)
    tracker = engine.tracker(slo, target.name)
    since, ends = window_of(stored.definition.window, now)
    if tracker is None:
        return []
    adjusted = [one for one in store.all_adjustments(session, slo=slo, approved=True) if one.objective == target.name]
    step = max(timedelta(minutes=5), (now - since) / 150)
    length = length_of(stored.definition.window, now)
    found = []
    with engine.lock:
        moment = since + step
        while moment <= now + timedelta(seconds=1):
            began = since if ends is not None else moment - length
            counts = tracker.series.between(began.timestamp(), moment.timestamp())
            back = sum(one.events for one in adjusted if began <= one.at <= moment)
            found.append((moment, 1.0 - budget_of(counts, target.target, length, given_back=back).spent))
            moment += step
    return found


def counts_between(
    session: Session, slo: str, objective: str, since: datetime, until: datetime, leaving_out: Collection[str]
) -> Counts:
    """What was counted in [since, until), by the stored hours that begin in it, without exclusions of these kinds."""
    rows = store_counts.read_hours(
        session, int(since.timestamp()), int(until.timestamp()), slo=slo, objective=objective
    )
    hours = rows.get((slo, objective), {})
    return sum((store_counts.net(parts, leaving_out) for parts in hours.values()), Counts())


def excluded_between(session: Session, slo: str, objective: str, since: datetime, until: datetime) -> dict[str, Counts]:
    """By kind, what exclusions hold of the stored hours that begin in [since, until)."""
    rows = store_counts.read_hours(
        session, int(since.timestamp()), int(until.timestamp()), slo=slo, objective=objective
    )
    found: dict[str, Counts] = {}
    for parts in rows.get((slo, objective), {}).values():
        for part, row in parts.items():
            if part != store_counts.ALL and row.counts.total:
                found[part] = found.get(part, Counts()) + row.counts
    return found


def _figures(
    engine: Engine,
    stored: Stored,
    objective: Objective,
    now: datetime,
    given_back: Sequence[Adjustment],
    open_alerts: Sequence[AlertState],
    *,
    warn: bool = False,
) -> Figures:
    definition = stored.definition
    tracker = engine.tracker(stored.name, objective.name)
    since, ends = window_of(definition.window, now)
    length = length_of(definition.window, now)
    with engine.lock:
        counts, excluded = _window_counts(tracker, since, now)
        burns = _burns(tracker, objective, definition.window.length, now)
    back = sum(
        one.events
        for one in given_back
        if (one.slo, one.objective) == (stored.name, objective.name) and since <= one.at <= now
    )
    budget = budget_of(counts, objective.target, length, given_back=back)
    mine = tuple(one for one in alerting.of(stored, open_alerts) if one.objective in ("", objective.name))
    source = source_of(definition)
    problem = engine.problems.get(source) or engine.problems.get(f"slo:{stored.name}")
    newest = engine.newest.get(source)
    lately = _lately(burns, length, mine) or counts
    return Figures(
        definition=definition,
        objective=objective,
        status=_status(counts, budget, burns, mine),
        now=now,
        since=since,
        ends=ends,
        counts=counts,
        excluded=excluded,
        covered=min(1.0, counts.measured / max(1.0, (now - since).total_seconds())),
        budget=budget,
        burns=burns,
        forecast=forecast(budget, lately, now, ends),
        alerts=mine,
        newest=None if newest is None else _instant(newest),
        problem=problem[0] if problem is not None else None,
        warnings=tuple(checks.warnings_about(definition)) if warn else (),
    )


def _lately(burns: dict[timedelta, Burn], length: timedelta, alerts: Sequence[AlertState]) -> Counts | None:
    """The counts that a forecast goes by: of the longest window, as one bad hour is no trend; of the shortest one while
    an alert is open, as three days of peace say nothing about an outage that goes on."""
    fitting = [window for window in burns if window <= length]
    if not fitting:
        return None
    burning = any(one.kind == "burn" for one in alerts)
    return burns[min(fitting) if burning else max(fitting)].counts


def _window_counts(tracker: Tracker | None, since: datetime, now: datetime) -> tuple[Counts, Counts]:
    if tracker is None:
        return Counts(), Counts()
    counts = tracker.series.between(since.timestamp(), now.timestamp())
    return counts, tracker.excluded_between(since.timestamp(), now.timestamp())


def _burns(tracker: Tracker | None, objective: Objective, window: timedelta, now: datetime) -> dict[timedelta, Burn]:
    if tracker is None:
        return {}
    return {
        one: burn_of(tracker.series.window(one, now.timestamp()), objective.target, one)
        for one in BURN_WINDOWS
        if one <= window
    }


def _status(counts: Counts, budget: Budget, burns: dict[timedelta, Burn], alerts: Sequence[AlertState]) -> Status:
    if budget.remaining <= 0:
        return Status.EXHAUSTED
    if any(one.kind == "burn" for one in alerts):
        return Status.BURNING
    if alerts:
        return Status.SILENT
    if counts.total <= 0:
        return Status.NO_DATA
    lasting = [one.rate for one in burns.values()]
    if budget.spent >= _AT_RISK or (lasting and min(lasting) > 1):
        return Status.AT_RISK
    return Status.MET


def _rank(one: Figures) -> tuple[int, float, float, str, str]:
    return _WORST_FIRST[one.status], -one.budget.spent, -one.burn, one.definition.name, one.objective.name


def _given_back(session: Session, slo: str | None = None) -> list[Adjustment]:
    return store.all_adjustments(session, slo=slo, approved=True)


def _stored(session: Session, slo: str) -> Stored:
    found = store.by_name(session, slo)
    if found is None:
        raise SloNotFound(f"There is no SLO {slo[:63]!r}.")
    return found


def _objective(stored: Stored, name: str | None) -> Objective:
    for one in stored.definition.objectives:
        if name is None or one.name == name:
            return one
    raise SloNotFound(f"{stored.name} has no objective {str(name)[:63]!r}.")


def _instant(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
