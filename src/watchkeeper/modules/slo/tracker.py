"""What the engine holds in memory of one objective."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from watchkeeper.modules.slo.definition import Freshness, Objective
from watchkeeper.modules.slo.model import AlertState, Counts, Exclusion, rules_of
from watchkeeper.modules.slo.rules import Seen, harm_since, look, rule_text
from watchkeeper.modules.slo.series import HOUR, MINUTE, Series
from watchkeeper.modules.slo.shaping import split
from watchkeeper.modules.slo.store import Stored
from watchkeeper.modules.slo.store_counts import ALL, HourRow, net

WRITTEN_KEPT = 26 * HOUR


@dataclass
class Tracker:
    """Counts over time of an objective. `series` is without what is excluded; `excluded` holds that, by hour and kind.

    `dirty` are hours that changed since they were last stored.
    """

    stored: Stored
    objective: Objective
    series: Series = field(init=False)
    excluded: dict[int, dict[str, dict[int, Counts]]] = field(default_factory=dict)
    excluded_hours: dict[int, dict[str, Counts]] = field(default_factory=dict)
    dirty: set[int] = field(default_factory=set)
    held: dict[str, tuple[str, ...]] = field(default_factory=dict)
    clear_since: dict[str, datetime] = field(default_factory=dict)
    # What is stored of the last day's hours, as far as this process knows.
    written: dict[int, tuple[tuple[str, Counts, bool], ...]] = field(default_factory=dict)
    stored_at: datetime | None = None
    # The end of the last minute that was measured.
    told_until: float = 0.0
    # Before it came for the first time it was not late: it was not there yet.
    there_since: float = 0.0

    def __post_init__(self) -> None:
        self.series = Series(self.stored.definition.window.length)
        self.rules = rules_of(self.stored.definition)
        if isinstance(self.stored.definition.indicator, Freshness):
            self.there_since = math.inf

    @property
    def key(self) -> tuple[str, str]:
        return self.stored.name, self.objective.name

    def counts_as(self, stored: Stored) -> bool:
        """Whether what is held is what this definition counts."""
        return (self.stored.id, self.stored.counted_as) == (stored.id, stored.counted_as)

    def restore(self, hours: Mapping[int, Mapping[str, HourRow]], running: int) -> None:
        """Begin with the hours that were stored; of the one that is `running` the minutes come from the source."""
        leaving_out = self.stored.definition.excludes
        self.series.put_whole_hours(
            (hour, net(parts, leaving_out)) for hour, parts in sorted(hours.items()) if hour < running
        )
        for hour, parts in hours.items():
            if hour >= running - WRITTEN_KEPT:
                self.written[hour] = tuple((row.part, row.counts, row.settled) for row in parts.values())
            if not all(row.settled for row in parts.values()):
                self.dirty.add(hour)
            apart = {part: row.counts for part, row in parts.items() if part != ALL}
            if apart:
                self.excluded_hours[hour] = apart
        measured = (hour for hour, parts in hours.items() if any(row.counts.measured for row in parts.values()))
        self.told_until = max((float(hour + HOUR) for hour in measured if hour < running), default=0.0)
        fresh = (hour for hour, parts in hours.items() if any(row.counts.good for row in parts.values()))
        self.there_since = min(self.there_since, min(fresh, default=math.inf))

    def put(self, minutes: Mapping[int, Counts], exclusions: Sequence[Exclusion]) -> None:
        """What is known of some minutes now."""
        there = self._there(minutes)
        self._hear(there)
        for minute, counts in sorted(there.items()):
            before = self.series.minutes.bin(minute)
            shown = self._without_excluded(minute, counts, exclusions)
            if shown != before:
                self.series.put(minute, shown)
                self.dirty.add(minute // HOUR * HOUR)

    def put_hour(
        self, hour: int, minutes: Mapping[int, Counts], exclusions: Sequence[Exclusion], *, recent: bool
    ) -> None:
        """All of an hour that is over again, with the exclusions of now."""
        before = self.series.hours.bin(hour), self.parts(hour)
        self.excluded.pop(hour, None)
        self.excluded_hours.pop(hour, None)
        shown = []
        there = self._there(minutes)
        self._hear(there)
        for minute in range(hour, hour + HOUR, MINUTE):
            counts = there.get(minute, Counts())
            shown.append(self._without_excluded(minute, counts, exclusions))
        self.series.put_hour(hour, shown, recent=recent)
        if not before[0].is_near(self.series.hours.bin(hour)) or before[1] != self.parts(hour):
            self.dirty.add(hour)

    def put_whole_hour(self, hour: int, counts: Counts) -> None:
        """An hour of which no minutes are known."""
        self.series.put_whole_hours([(hour, counts)])
        self.dirty.add(hour)

    def rows(self, hour: int, *, settled: bool) -> list[HourRow]:
        """An hour as it is stored."""
        apart = self.parts(hour)
        leaving_out = self.stored.definition.excludes
        shown = self.series.hours.bin(hour)
        taken = sum((counts for kind, counts in apart.items() if kind in leaving_out), Counts())
        whole = Counts(shown.good + taken.good, shown.total + taken.total, shown.measured)
        name, objective = self.key
        kinds = dict.fromkeys((*self.excluded.get(hour, {}), *self.excluded_hours.get(hour, {})))
        return [
            HourRow(name, objective, hour, ALL, whole, settled),
            *(HourRow(name, objective, hour, kind, apart[kind], settled) for kind in kinds),
        ]

    def parts(self, hour: int) -> dict[str, Counts]:
        """What exclusions hold of an hour, by kind."""
        if hour in self.excluded:
            return {kind: sum(minutes.values(), Counts()) for kind, minutes in self.excluded[hour].items()}
        return dict(self.excluded_hours.get(hour, {}))

    def excluded_between(self, since: float, until: float) -> Counts:
        """What the SLO leaves out of [since, until), by whole hours."""
        found = Counts()
        for hour in {*self.excluded, *self.excluded_hours}:
            if since < hour + HOUR and hour < until:
                for kind, counts in self.parts(hour).items():
                    if kind in self.stored.definition.excludes:
                        found = found + counts
        return found

    def look(self, now: datetime) -> list[Seen]:
        """The rules, now."""
        definition = self.stored.definition
        held = {text for texts in self.held.values() for text in texts}
        return look(
            self.rules,
            self.series,
            self.objective.target,
            definition.window.length,
            definition.alerting,
            now,
            held=held,
        )

    def hold(self, action: str, rules: tuple[str, ...]) -> None:
        """An alert is open by these rules, whichever replica opened it."""
        if not self.held.get(action):
            self.held[action] = rules

    def remember(self, seen: Sequence[Seen], now: datetime) -> None:
        """What held, or may still hold, for hysteresis; and since when each action is clear."""
        window = self.stored.definition.window.length
        for action in ("page", "ticket"):
            before = self.held.get(action, ())
            of_action = [(rule_text(one.rule, window), one) for one in seen if one.rule.action == action]
            texts = tuple(text for text, one in of_action if one.holds or (text in before and not one.known))
            self.held[action] = texts
            if texts:
                self.clear_since.pop(action, None)
            else:
                self.clear_since.setdefault(action, now)

    def harm_since(self, alert: AlertState) -> datetime:
        """When what fired an alert began."""
        window = self.stored.definition.window.length
        return harm_since(alert, self.rules, window, lambda since, until: self.series.between(since, until).bad)

    def forget(self, before: int) -> None:
        """Drop what exclusions held before an instant; sums of it are stored."""
        for kept in (self.excluded, self.excluded_hours):
            for hour in [hour for hour in kept if hour < before]:
                del kept[hour]
        newest = max(self.written, default=0)
        for hour in [hour for hour in self.written if hour < newest - WRITTEN_KEPT]:
            del self.written[hour]

    def _hear(self, minutes: Mapping[int, Counts]) -> None:
        last = max((minute for minute, counts in minutes.items() if counts.measured > 0), default=None)
        if last is not None:
            self.told_until = max(self.told_until, last + minutes[last].measured)

    def _there(self, minutes: Mapping[int, Counts]) -> Mapping[int, Counts]:
        if not self.there_since:
            return minutes
        first = min((minute for minute, counts in minutes.items() if counts.good > 0), default=math.inf)
        self.there_since = min(self.there_since, first)
        return {minute: counts for minute, counts in minutes.items() if minute >= self.there_since}

    def _without_excluded(self, minute: int, counts: Counts, exclusions: Sequence[Exclusion]) -> Counts:
        if not exclusions:
            return counts
        found = split(self.stored.definition, exclusions, minute, counts)
        if found.kind is not None:
            hour = minute // HOUR * HOUR
            of_hour = self.excluded.setdefault(hour, defaultdict(dict))
            of_hour[found.kind][minute] = found.excluded
        return found.net
