"""Where counts come from: the embedded telemetry. Prometheus-compatible servers are in `sources_prometheus`."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Protocol

from watchkeeper.modules.slo.definition import (
    Availability,
    Chosen,
    Counted,
    Definition,
    Freshness,
    Latency,
    Objective,
    Ratio,
    Responses,
)
from watchkeeper.modules.slo.model import Counts
from watchkeeper.modules.slo.series import HOUR, MINUTE
from watchkeeper.modules.slo.store import Stored
from watchkeeper.modules.telemetry import public as telemetry
from watchkeeper.modules.telemetry.public import RequestCount, Telemetry

Minutes = dict[int, Counts]
Key = tuple[str, str]
_LONGEST_GAP = HOUR  # a source may be silent so long, whatever an SLO says, before its minutes are not measured


@dataclass
class Reading:
    """Counts by objective and minute. `newest` is by source (`service:…` or `data_source:…`) the end of the last minute
    in which it said anything; `problems` why one did not answer."""

    counts: dict[Key, Minutes] = field(default_factory=dict)
    newest: dict[str, float] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def take(self, other: Reading) -> None:
        """Add what another source said."""
        self.counts |= other.counts
        self.newest |= other.newest
        self.problems |= other.problems


class Source(Protocol):
    """Answers for the SLOs that are its own."""

    def owns(self, definition: Definition) -> bool:
        """Whether it answers for this SLO."""
        ...

    def read(self, wanted: Sequence[Stored], since: int, until: int, now: float) -> Reading:
        """Counts of whole minutes in [since, until), Unix seconds; the one that holds `now` is told so far.

        Never raises for a source that does not answer: that is a problem of the reading.
        """
        ...

    def hours(self, wanted: Sequence[Stored], since: int, until: int) -> dict[Key, dict[int, Counts]]:
        """History by whole hours, of which no minutes are asked any more; what it can't tell is left out."""
        ...

    def forget(self, before: int) -> None:
        """Drop what is remembered of the time before an instant."""
        ...


def source_of(definition: Definition) -> str:
    """What has to answer for an SLO, as a name: `service:gateway` or `data_source:prometheus`."""
    indicator = definition.indicator
    if isinstance(indicator, Ratio):
        if indicator.total.data_source is not None:
            return f"data_source:{indicator.total.data_source}"
        return f"service:{indicator.total.service}"
    if isinstance(indicator, (Availability, Latency, Responses, Freshness)):
        return f"service:{indicator.service}"
    return ""


class Embedded:
    """The telemetry of this server. Knows which minutes it heard from each service."""

    def __init__(self, store: Telemetry) -> None:
        self._store = store
        self._seen: dict[str, set[int]] = defaultdict(set)
        self._seen_since: int | None = None

    def owns(self, definition: Definition) -> bool:
        return source_of(definition).startswith("service:")

    def read(self, wanted: Sequence[Stored], since: int, until: int, now: float) -> Reading:
        found = Reading()
        if not wanted:
            return found
        self._look(since, until)
        by_requests = [one for one in wanted if isinstance(one.definition.indicator, Chosen)]
        counted = self._requests(by_requests, since, until)
        for stored in wanted:
            definition = stored.definition
            source = source_of(definition)
            heard = self._seen.get(source.removeprefix("service:"), set())
            if heard:
                found.newest[source] = min(now, max(heard) + MINUTE)
            measured = _measured(heard, definition.alerting.silent_after, since, until, now)
            for objective in definition.objectives:
                key = (definition.name, objective.name)
                if isinstance(definition.indicator, Freshness):
                    found.counts[key] = self._freshness(definition.indicator, objective, since, until, now)
                    continue
                events = counted[key] if key in counted else self._events(stored, objective, since, until, now)
                found.counts[key] = _whole(events, measured)
        return found

    def hours(self, wanted: Sequence[Stored], since: int, until: int) -> dict[Key, dict[int, Counts]]:
        chosen = [one for one in wanted if isinstance(one.definition.indicator, Chosen) and not one.definition.slices]
        found: dict[Key, dict[int, Counts]] = {}
        for service, of_service in _by_service(chosen).items():
            rows = telemetry.request_counts(self._store, since, until, hourly=True, service=service)
            heard = {row.at for row in rows}
            for stored in of_service:
                for objective in stored.definition.objectives:
                    counts = count_of(_chosen(stored), objective, rows)
                    key = (stored.name, objective.name)
                    found[key] = {hour: Counts(*counts.get(hour, (0.0, 0.0)), float(HOUR)) for hour in heard}
        return found

    def _look(self, since: int, until: int) -> None:
        """Hear who said something; also shortly before, as a short silence is none."""
        start = (
            since if self._seen_since is not None and self._seen_since <= since - _LONGEST_GAP else since - _LONGEST_GAP
        )
        for service, minutes in telemetry.minutes_seen(self._store, start, until).items():
            self._seen[service] |= minutes
        self._seen_since = min(start, self._seen_since if self._seen_since is not None else start)

    def forget(self, before: int) -> None:
        """Drop what was heard before an instant."""
        for service, minutes in self._seen.items():
            self._seen[service] = {minute for minute in minutes if minute >= before}
        self._seen_since = max(before, self._seen_since or before)

    def _requests(self, wanted: Sequence[Stored], since: int, until: int) -> dict[Key, dict[int, tuple[float, float]]]:
        by_service = _by_service(wanted)
        if not by_service:
            return {}
        only = next(iter(by_service)) if len(by_service) == 1 else None
        rows_of: dict[str, list[RequestCount]] = defaultdict(list)
        for row in telemetry.request_counts(self._store, since, until, service=only):
            if row.service in by_service:
                rows_of[row.service].append(row)
        return {
            (stored.name, objective.name): count_of(_chosen(stored), objective, rows_of[service])
            for service, of_service in by_service.items()
            for stored in of_service
            for objective in stored.definition.objectives
        }

    def _events(
        self, stored: Stored, objective: Objective, since: int, until: int, now: float
    ) -> dict[int, tuple[float, float]]:
        indicator = stored.definition.indicator
        if isinstance(indicator, Ratio):
            return self._ratio(indicator, since, until)
        if isinstance(indicator, Responses):
            return self._responses(indicator, objective, since, until, now)
        raise AssertionError(indicator.kind)

    def _counted(self, counted: Counted, since: int, until: int) -> Mapping[int, float]:
        service = counted.service or ""
        if counted.counter is not None:
            return telemetry.counter_growth(self._store, service, counted.counter, counted.where, since, until)
        return telemetry.event_counts(self._store, service, counted.event or "", counted.where, since, until)

    def _ratio(self, indicator: Ratio, since: int, until: int) -> dict[int, tuple[float, float]]:
        total = self._counted(indicator.total, since, until)
        one = indicator.good or indicator.bad
        part = self._counted(one, since, until) if one is not None else {}
        return ratio_counts(total, part, part_is_good=indicator.good is not None)

    def _responses(
        self, indicator: Responses, objective: Objective, since: int, until: int, now: float
    ) -> dict[int, tuple[float, float]]:
        within = (objective.threshold or timedelta(0)).total_seconds()
        end = min(float(until), now)
        begun = telemetry.event_times(
            self._store, indicator.service, indicator.started, indicator.where, indicator.key, since - within - 1, end
        )
        ended = telemetry.event_times(
            self._store, indicator.service, indicator.finished, {}, indicator.key, since - within - 1, end
        )
        return paired(begun, ended, within, since, end)

    def _freshness(self, indicator: Freshness, objective: Objective, since: int, until: int, now: float) -> Minutes:
        within = (objective.threshold or timedelta(0)).total_seconds()
        if indicator.gauge is not None:
            values = telemetry.gauge_values(
                self._store, indicator.service, indicator.gauge, indicator.where, since, until
            )
            return {
                minute: Counts(float(value <= within), 1.0, float(MINUTE))
                for minute, value in values.items()
                if minute + MINUTE <= now
            }
        start = since - int(within) // MINUTE * MINUTE - MINUTE
        if indicator.event is not None:
            came: Iterable[int] = telemetry.event_counts(
                self._store, indicator.service, indicator.event, indicator.where, start, until
            )
        else:
            grown = telemetry.counter_growth(
                self._store, indicator.service, indicator.counter or "", indicator.where, start, until
            )
            came = [minute for minute, by in grown.items() if by > 0]
        return fresh(sorted(came), within, since, until, now)


def ratio_counts(
    total: Mapping[int, float], part: Mapping[int, float], *, part_is_good: bool
) -> dict[int, tuple[float, float]]:
    """(good, total) by minute. Good never exceeds total: two counters that are sent apart may disagree by a moment."""
    found = {}
    for minute in total.keys() | part.keys():
        whole = max(total.get(minute, 0.0), 0.0)
        some = part.get(minute, 0.0)
        good = some if part_is_good else whole - some
        found[minute] = (min(whole, max(0.0, good)), whole)
    return found


def paired(
    begun: Sequence[tuple[str, float]], ended: Sequence[tuple[str, float]], within: float, since: float, now: float
) -> dict[int, tuple[float, float]]:
    """(good, total) by the minute in which it was decided: when it ended in time, or when its time was over.

    A key that begins twice before it ends began the first time; what is not decided yet is not counted.
    """
    ends: dict[str, list[float]] = defaultdict(list)
    for key, at in ended:
        ends[key].append(at)
    found: dict[int, tuple[float, float]] = {}
    open_until: dict[str, float] = {}
    for key, at in begun:
        if at < open_until.get(key, 0.0):
            continue
        times = ends.get(key, [])
        place = bisect_right(times, at - 1e-9)
        end = times[place] if place < len(times) else None
        in_time = end is not None and end - at <= within
        decided = end if in_time and end is not None else at + within
        open_until[key] = end if end is not None else at + within
        if since <= decided <= now:
            minute = int(decided) // MINUTE * MINUTE
            good, total = found.get(minute, (0.0, 0.0))
            found[minute] = (good + in_time, total + 1)
    return found


def fresh(came: Sequence[int], within: float, since: int, until: int, now: float) -> Minutes:
    """For each minute that is over, from the first in which anything came: whether the newest was young enough."""
    found: Minutes = {}
    for minute in range(since, until, MINUTE):
        place = bisect_right(came, minute)
        if minute + MINUTE > now:
            break
        if place:
            age = minute - came[place - 1]
            found[minute] = Counts(float(age <= within), 1.0, float(MINUTE))
        else:
            # Nothing within the threshold. Whether anything ever came is the tracker's to know.
            found[minute] = Counts(0.0, 1.0, float(MINUTE))
    return found


def _chosen(stored: Stored) -> Chosen:
    indicator = stored.definition.indicator
    if not isinstance(indicator, Chosen):
        raise TypeError(f"{stored.name} does not count requests")
    return indicator


def _by_service(wanted: Iterable[Stored]) -> dict[str, list[Stored]]:
    found: dict[str, list[Stored]] = defaultdict(list)
    for stored in wanted:
        if isinstance(stored.definition.indicator, Chosen):
            found[stored.definition.indicator.service].append(stored)
    return found


def count_of(indicator: Chosen, objective: Objective, rows: Sequence[RequestCount]) -> dict[int, tuple[float, float]]:
    """(good, total) by step."""
    found: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
    chosen: dict[tuple[str, str, str], bool] = {}
    limit = (objective.threshold or timedelta(0)) / timedelta(microseconds=1) * 1_000
    shares: dict[int, float] = {}
    for row in rows:
        group = (row.environment, row.route, row.method)
        if group not in chosen:
            chosen[group] = fits(indicator, *group)
        if not chosen[group]:
            continue
        total = row.requests
        if not isinstance(indicator, Availability):
            share = shares.get(row.bucket)
            if share is None:
                share = shares[row.bucket] = telemetry.share_below(row.bucket, limit)
            good = row.requests * share
        else:
            bad, total = judged(indicator, row)
            good = total - bad
        counts = found[row.at]
        counts[0] += good
        counts[1] += total
    return {at: (good, total) for at, (good, total) in found.items()}


class Answered(Protocol):
    """Requests, and how many of them failed, or told of a mistake of the caller."""

    @property
    def requests(self) -> int: ...
    @property
    def errors(self) -> int: ...
    @property
    def client_errors(self) -> int: ...


def judged(indicator: Availability, row: Answered) -> tuple[int, int]:
    """(bad, total) of what counts."""
    bad = ("5xx" in indicator.bad) * row.errors + ("4xx" in indicator.bad) * row.client_errors
    return bad, row.requests - ("4xx" in indicator.uncounted) * row.client_errors


def fits(chosen: Chosen, environment: str, route: str, method: str) -> bool:
    """Whether requests of this kind count."""
    return (
        (chosen.environment is None or chosen.environment == environment)
        and (not chosen.routes or any(fnmatchcase(route, one) for one in chosen.routes))
        and not any(fnmatchcase(route, one) for one in chosen.exclude_routes)
        and (not chosen.methods or method in chosen.methods)
    )


def _measured(heard: set[int], silent_after: timedelta, since: int, until: int, now: float) -> Minutes:
    """The minutes that were measured: something was heard in them, or not long before."""
    gap = min(int(silent_after.total_seconds()), _LONGEST_GAP)
    found: Minutes = {}
    last = max((minute for minute in heard if minute < since), default=None)
    for minute in range(since, until, MINUTE):
        if minute > now:
            break
        if minute in heard:
            last = minute
        if last is not None and minute - last < max(gap, MINUTE):
            found[minute] = Counts(0.0, 0.0, min(float(MINUTE), now - minute))
    return found


def _whole(events: Mapping[int, tuple[float, float]], measured: Minutes) -> Minutes:
    found = dict(measured)
    for minute, (good, total) in events.items():
        seconds = found[minute].measured if minute in found else float(MINUTE)
        found[minute] = Counts(good, total, seconds)
    return found
