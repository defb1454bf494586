"""Asks the sources, and makes of their answers what objectives count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from watchkeeper.modules.slo.definition import Composite
from watchkeeper.modules.slo.model import Counts
from watchkeeper.modules.slo.shaping import composed, sliced
from watchkeeper.modules.slo.sources import Key, Reading, Source
from watchkeeper.modules.slo.store import Stored

Shaped = dict[Key, dict[int, Counts]]


class Gatherer:
    """`newest` is by source the end of the last minute in which it said anything; `problems` what keeps one from
    answering, and since when."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = tuple(sources)
        self.newest: dict[str, float] = {}
        self.problems: dict[str, tuple[str, datetime]] = {}

    def read(
        self, wanted: Iterable[Stored], everything: Mapping[str, Stored], since: int, until: int, now: datetime
    ) -> Shaped:
        """Counts by objective and minute of these SLOs and of what their composites are made of."""
        return self._read(_with_parts({one.name: one for one in wanted}, everything), since, until, now)

    def _read(
        self, wanted: Mapping[str, Stored], since: int, until: int, now: datetime
    ) -> dict[Key, dict[int, Counts]]:
        """Counts by objective and minute, as the objectives count: slices made, composites composed."""
        at = now.timestamp()
        reading = Reading()
        for source in self.sources:
            reading.take(source.read([one for one in wanted.values() if source.owns(one.definition)], since, until, at))
        self._note(reading, now)
        found: dict[Key, dict[int, Counts]] = {}
        for key, minutes in reading.counts.items():
            slices = wanted[key[0]].definition.slices
            found[key] = minutes if slices is None else sliced(minutes, slices, at)
        for stored in wanted.values():
            if isinstance(stored.definition.indicator, Composite):
                for objective in stored.definition.objectives:
                    self._compose(stored, objective.name, wanted, found, at)
        return found

    def _compose(
        self, stored: Stored, objective: str, wanted: Mapping[str, Stored],
        found: dict[Key, dict[int, Counts]], at: float,
    ) -> dict[int, Counts]:  # fmt: skip
        key = (stored.name, objective)
        indicator = stored.definition.indicator
        if key in found or not isinstance(indicator, Composite):
            return found.get(key, {})
        parts = []
        for part in indicator.parts:
            of = wanted.get(part.slo)
            name = part.objective or (of.definition.objectives[0].name if of is not None else "")
            parts.append(self._compose(of, name, wanted, found, at) if of is not None else {})
        minutes = composed(indicator, parts)
        found[key] = minutes if stored.definition.slices is None else sliced(minutes, stored.definition.slices, at)
        return found[key]

    def _note(self, reading: Reading, now: datetime) -> None:
        for source, newest in reading.newest.items():
            self.newest[source] = max(newest, self.newest.get(source, 0.0))
            self.problems.pop(source, None)
        answered = {f"slo:{slo}" for slo, _ in reading.counts}
        for name in [name for name in self.problems if name in answered]:
            del self.problems[name]
        for source, problem in reading.problems.items():
            since = self.problems[source][1] if source in self.problems else now
            self.problems[source] = (problem, since)


def _with_parts(wanted: Mapping[str, Stored], by_name: Mapping[str, Stored]) -> dict[str, Stored]:
    found = dict(wanted)
    waiting = list(found.values())
    while waiting:
        indicator = waiting.pop().definition.indicator
        if isinstance(indicator, Composite):
            for part in indicator.parts:
                if part.slo not in found and part.slo in by_name:
                    found[part.slo] = by_name[part.slo]
                    waiting.append(by_name[part.slo])
    return found
