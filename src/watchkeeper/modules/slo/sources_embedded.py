"""Counts from the telemetry of this server."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from watchkeeper.kernel.errors import Refusal
from watchkeeper.modules.slo.counting import Group, count_of, fits, fresh, grouped, paired, ratio_counts
from watchkeeper.modules.slo.definition import Chosen, Counted, Definition, Freshness, Objective, Ratio, Responses
from watchkeeper.modules.slo.hearing import LONGEST_GAP, Heard
from watchkeeper.modules.slo.model import Counts
from watchkeeper.modules.slo.series import HOUR, MINUTE
from watchkeeper.modules.slo.sources import Key, Minutes, Reading, source_of
from watchkeeper.modules.slo.store import Stored
from watchkeeper.modules.telemetry import public as telemetry
from watchkeeper.modules.telemetry.public import RequestCount, Telemetry

Pairs = Mapping[int, tuple[float, float]]
Counters = dict[tuple[str, str, tuple[tuple[str, str], ...]], Heard]


class Embedded:
    """The telemetry of this server. Knows which minutes it heard from each service."""

    def __init__(self, store: Telemetry) -> None:
        self._store = store
        self._heard: dict[str, Heard] = defaultdict(Heard)
        self._heard_since: int | None = None
        self._counters: Counters = {}
        # Whether what an indicator chooses has the requests of a group, asked at every look.
        self._fits: dict[tuple[str, Group], bool] = {}

    def owns(self, definition: Definition) -> bool:
        return source_of(definition).startswith("service:")

    def read(self, wanted: Sequence[Stored], since: int, until: int, now: float) -> Reading:
        if not wanted:
            return Reading()
        try:
            return self._read(wanted, since, until, now)
        except Refusal as refused:
            return Reading(problems={source_of(one.definition): refused.detail for one in wanted})

    def _read(self, wanted: Sequence[Stored], since: int, until: int, now: float) -> Reading:
        found = Reading()
        self._listen(since, until, now)
        asked = _Asked(self._store, self._counters, since, until, now)
        measured_of: dict[tuple[str, timedelta], Minutes] = {}
        counted = self._requests([one for one in wanted if isinstance(one.definition.indicator, Chosen)], since, until)
        for stored in wanted:
            definition = stored.definition
            source, patience = source_of(definition), definition.alerting.silent_after
            heard = self._heard[source.removeprefix("service:")]
            if heard.newest is not None:
                found.newest[source] = min(now, heard.newest + MINUTE)
            if (source, patience) not in measured_of:
                measured_of[source, patience] = heard.measured(patience, since, until, now)
            for objective in definition.objectives:
                key = (definition.name, objective.name)
                if key in counted:
                    found.counts[key] = _whole(counted[key], measured_of[source, patience])
                else:
                    found.counts[key] = asked.counts(definition, objective, measured_of[source, patience])
        return found

    def hours(self, wanted: Sequence[Stored], since: int, until: int) -> dict[Key, dict[int, Counts]]:
        chosen = [one for one in wanted if isinstance(one.definition.indicator, Chosen) and not one.definition.slices]
        found: dict[Key, dict[int, Counts]] = {}
        for service, of_service in _by_service(chosen).items():
            rows = telemetry.request_counts(self._store, since, until, hourly=True, service=service)
            heard = {row.at for row in rows}
            groups = grouped(rows)
            for stored in of_service:
                for objective in stored.definition.objectives:
                    counts = count_of(_chosen(stored), objective, self._fitting(stored, groups))
                    key = (stored.name, objective.name)
                    found[key] = {hour: Counts(*counts.get(hour, (0.0, 0.0)), float(HOUR)) for hour in heard}
        return found

    def forget(self, before: int) -> None:
        """Drop what was heard before an instant."""
        for heard in (*self._heard.values(), *self._counters.values()):
            heard.forget(before)
        self._heard_since = max(before, self._heard_since or before)
        self._fits.clear()

    def _listen(self, since: int, until: int, now: float) -> None:
        """Hear who said something; also shortly before and after, as a short silence is none."""
        known = self._heard_since
        start = since if known is not None and known <= since - LONGEST_GAP else since - LONGEST_GAP
        end = max(until, min(until + LONGEST_GAP, int(now) + 1))
        for service, minutes in telemetry.minutes_seen(self._store, start, end).items():
            self._heard[service].add(minutes)
        self._heard_since = min(start, known if known is not None else start)

    def _requests(self, wanted: Sequence[Stored], since: int, until: int) -> dict[Key, dict[int, tuple[float, float]]]:
        by_service = _by_service(wanted)
        if not by_service:
            return {}
        only = next(iter(by_service)) if len(by_service) == 1 else None
        rows_of: dict[str, list[RequestCount]] = {service: [] for service in by_service}
        for row in telemetry.request_counts(self._store, since, until, service=only):
            if row.service in rows_of:
                rows_of[row.service].append(row)
        found: dict[Key, dict[int, tuple[float, float]]] = {}
        for service, of_service in by_service.items():
            groups = grouped(rows_of[service])
            for stored in of_service:
                rows = self._fitting(stored, groups)
                for objective in stored.definition.objectives:
                    found[stored.name, objective.name] = count_of(_chosen(stored), objective, rows)
        return found

    def _fitting(self, stored: Stored, groups: Mapping[Group, list[RequestCount]]) -> list[list[RequestCount]]:
        found = []
        for group, rows in groups.items():
            key = (stored.counted_as, group)
            fit = self._fits.get(key)
            if fit is None:
                fit = self._fits[key] = fits(_chosen(stored), *group)
            if fit:
                found.append(rows)
        return found


class _Asked:
    """What one reading asks of counters, events and gauges; the same question is asked once."""

    def __init__(self, store: Telemetry, counters: Counters, since: int, until: int, now: float) -> None:
        self._store, self._since, self._until, self._now = store, since, until, now
        self._counters = counters
        self._answers: dict[tuple[object, ...], Mapping[int, float]] = {}

    def counts(self, definition: Definition, objective: Objective, measured: Minutes) -> Minutes:
        indicator = definition.indicator
        if isinstance(indicator, Freshness):
            return self._freshness(indicator, objective)
        if isinstance(indicator, Responses):
            return _whole(self._responses(indicator, objective), measured)
        if not isinstance(indicator, Ratio):
            raise TypeError(f"{definition.name} is of another source")
        if indicator.total.counter is not None:
            measured = self._told(indicator.total, definition.alerting.silent_after) or measured
        return _whole(self._ratio(indicator), measured)

    def _told(self, total: Counted, silent_after: timedelta) -> Minutes | None:
        """A counter whose value is told at intervals, whether it grew or not, is not zero when it is told no more.
        None of one that is sent as deltas, or was never told."""
        key = (total.service or "", total.counter or "", tuple(sorted(total.where.items())))
        after = max(self._until, min(self._until + LONGEST_GAP, int(self._now) + 1))
        told = telemetry.counter_minutes(self._store, key[0], key[1], total.where, self._since - LONGEST_GAP, after)
        if told:
            self._counters.setdefault(key, Heard()).add(told)
        heard = self._counters.get(key)
        return None if heard is None else heard.measured(silent_after, self._since, self._until, self._now)

    def _growth(self, counted: Counted, since: int, until: int) -> Mapping[int, float]:
        where = tuple(sorted(counted.where.items()))
        question = (counted.service, counted.counter, counted.event, where, since, until)
        if question not in self._answers:
            service = counted.service or ""
            if counted.counter is not None:
                answer = telemetry.counter_growth(self._store, service, counted.counter, counted.where, since, until)
            else:
                events = telemetry.event_counts(self._store, service, counted.event or "", counted.where, since, until)
                answer = {at: float(count) for at, count in events.items()}
            self._answers[question] = answer
        return self._answers[question]

    def _ratio(self, indicator: Ratio) -> dict[int, tuple[float, float]]:
        total = self._growth(indicator.total, self._since, self._until)
        one = indicator.good or indicator.bad
        part = self._growth(one, self._since, self._until) if one is not None else {}
        return ratio_counts(total, part, part_is_good=indicator.good is not None)

    def _responses(self, indicator: Responses, objective: Objective) -> dict[int, tuple[float, float]]:
        within = (objective.threshold or timedelta(0)).total_seconds()
        end, start = min(float(self._until), self._now), self._since - within - 1
        ask = telemetry.event_times
        begun = ask(self._store, indicator.service, indicator.started, indicator.where, indicator.key, start, end)
        ended = ask(self._store, indicator.service, indicator.finished, {}, indicator.key, start, end)
        return paired(begun, ended, within, self._since, end)

    def _freshness(self, indicator: Freshness, objective: Objective) -> Minutes:
        within = (objective.threshold or timedelta(0)).total_seconds()
        service, where = indicator.service, indicator.where
        if indicator.gauge is not None:
            values = telemetry.gauge_values(self._store, service, indicator.gauge, where, self._since, self._until)
            return {
                minute: Counts(float(value <= within), 1.0, float(MINUTE))
                for minute, value in values.items()
                if minute + MINUTE <= self._now
            }
        counted = Counted(service=service, event=indicator.event, counter=indicator.counter, where=where)
        grown = self._growth(counted, self._since - int(within) // MINUTE * MINUTE - MINUTE, self._until)
        came = sorted(minute for minute, by in grown.items() if by > 0)
        return fresh(came, within, self._since, self._until, self._now)


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


def _whole(events: Pairs, measured: Minutes) -> Minutes:
    """Where something was counted, something was measured."""
    found = dict(measured)
    for minute, (good, total) in events.items():
        seconds = found[minute].measured if minute in found else 0.0
        found[minute] = Counts(good, total, seconds or float(MINUTE))
    return found
