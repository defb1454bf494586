"""Counts from a Prometheus-compatible server, by range queries."""

from __future__ import annotations

import math
import os
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from urllib.parse import urlencode

import orjson

from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.outbound import DeliveryFailed, Outbound
from watchkeeper.modules.slo.counting import ratio_counts
from watchkeeper.modules.slo.definition import Counted, DataSource, Definition, Ratio
from watchkeeper.modules.slo.model import Counts
from watchkeeper.modules.slo.series import MINUTE
from watchkeeper.modules.slo.sources import Key, Reading
from watchkeeper.modules.slo.store import Stored

_LARGEST_ANSWER = 4_000_000
_MOST_POINTS = 10_000
_THREADS = 8
SCRAPES = 4  # in a window
_WINDOW = re.compile(r"\{\{\s*\.window\s*\}\}")
_INCREASE = re.compile(r"\bincrease\s*\(")


def step_of(scrape_interval: timedelta) -> int:
    """Seconds: about a scrape, and a part of a minute."""
    scrape = scrape_interval.total_seconds()
    return next((step for step in (5, 10, 15, 20, 30) if step >= scrape), MINUTE)


def with_window(query: str, window: str) -> str:
    """The query over this window, such as `5m`."""
    return _WINDOW.sub(window, query)


def tells_increase(query: str) -> bool:
    """Whether it counts events in its window, rather than events a second."""
    return _INCREASE.search(query) is not None


class QueryRefused(Exception):
    """The server can't tell a count by this query; the text says why, for people."""


@dataclass(frozen=True)
class Prometheus:
    """Asks the data sources of now. A query has one result, or none where nothing was counted."""

    data_sources: Callable[[], Mapping[str, DataSource]]
    outbound: Outbound
    environ: Mapping[str, str]

    @classmethod
    def of(cls, data_sources: Callable[[], Mapping[str, DataSource]], outbound: Outbound) -> Prometheus:
        """With this process's environment, where tokens are."""
        return cls(data_sources, outbound, os.environ)

    def owns(self, definition: Definition) -> bool:
        return isinstance(definition.indicator, Ratio) and definition.indicator.total.data_source is not None

    def read(self, wanted: Sequence[Stored], since: int, until: int, now: float) -> Reading:
        found = Reading()
        if not wanted:
            return found
        failed: dict[str, str] = {}
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="slo-prometheus") as threads:
            for one in threads.map(lambda stored: self._one(stored, since, until, now, failed), wanted):
                found.counts |= one.counts
                found.problems |= one.problems
                for source, newest in one.newest.items():
                    found.newest[source] = max(newest, found.newest.get(source, 0.0))
        return found

    def hours(self, wanted: Sequence[Stored], since: int, until: int) -> dict[Key, dict[int, Counts]]:  # noqa: ARG002
        # Minutes of the last days are asked; a longer history grows from then on.
        return {}

    def forget(self, before: int) -> None:
        pass

    def _one(self, stored: Stored, since: int, until: int, now: float, failed: dict[str, str]) -> Reading:
        """`failed` are the sources that did not answer in this reading: they are not asked again, as each question may
        last as long as patience does, and every other SLO waits for the look to end."""
        found = Reading()
        indicator = stored.definition.indicator
        if not isinstance(indicator, Ratio) or indicator.total.data_source is None:
            return found
        source = f"data_source:{indicator.total.data_source}"
        if source in failed:
            found.problems[source] = failed[source]
            return found
        part = indicator.good or indicator.bad
        try:
            total = self.counts(indicator.total, since, min(until, now))
            some = self.counts(part, since, min(until, now)) if part is not None else {}
        except QueryRefused as refused:
            found.problems[f"slo:{stored.name}"] = str(refused)
            return found
        except (DeliveryFailed, Refusal) as error:
            found.problems[source] = failed[source] = error.detail if isinstance(error, Refusal) else str(error)
            return found
        if total:
            found.newest[source] = max(total)
        # Where there is a total and no bad ones, nothing was bad; without a total nothing was measured.
        some = {at: some.get(at, 0.0) for at in total}
        step = self._step(indicator.total)
        minutes: dict[int, Counts] = defaultdict(Counts)
        for at, (good, whole) in ratio_counts(total, some, part_is_good=indicator.good is not None).items():
            minutes[(at - 1) // MINUTE * MINUTE] += Counts(good, whole, float(step))
        for objective in stored.definition.objectives:
            found.counts[stored.name, objective.name] = dict(minutes)
        return found

    def counts(self, counted: Counted, since: int, until: float) -> dict[int, float]:
        """Events of each step, by the step's end. Raises QueryRefused for an answer that is no count, DeliveryFailed
        for none."""
        source = self._source(counted)
        step = self._step(counted)
        found: dict[int, float] = {}
        start = since // MINUTE * MINUTE
        while start < until:
            end = min(int(until) // step * step, start + _MOST_POINTS * step)
            if counted.counter_value:
                found |= self._grown(source, counted.query or "", start, end, step)
            else:
                found |= self._windowed(source, counted.query or "", start, end, step)
            start += _MOST_POINTS * step
        return found

    def _source(self, counted: Counted) -> DataSource:
        source = self.data_sources().get(counted.data_source or "")
        if source is None:
            raise QueryRefused(f"there is no data source {counted.data_source}")
        return source

    def _step(self, counted: Counted) -> int:
        return step_of(self._source(counted).scrape_interval)

    def _windowed(self, source: DataSource, query: str, since: int, until: int, step: int) -> dict[int, float]:
        """Each step's share of the count of a window that ends with it. Windows of four scrapes overlap: that moves
        events by half a window, and none out of the sum."""
        window = SCRAPES * step
        points = self._range(source, with_window(query, f"{window}s"), since + step, until, step)
        per = 1.0 / SCRAPES if tells_increase(query) else float(step)
        return {at: value * per for at, value in points.items()}

    def _grown(self, source: DataSource, query: str, since: int, until: int, step: int) -> dict[int, float]:
        return grown(self._range(source, query, since, until, step), step)

    def _range(self, source: DataSource, query: str, since: int, until: int, step: int) -> dict[int, float]:
        if until < since:
            return {}
        form = urlencode({"query": query, "start": since, "end": until, "step": step})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        token = self.environ.get(source.token_env) if source.token_env else None
        if token:
            headers["Authorization"] = f"Bearer {token}"
        answer = self.outbound.ask(
            f"{source.url.rstrip('/')}/api/v1/query_range", form.encode(), headers, largest=_LARGEST_ANSWER
        )
        if answer.status not in (200, 400, 422):
            raise DeliveryFailed(f"{source.name} answered {answer.status}")
        return points_of(answer.body)


def grown(points: Mapping[int, float], step: int) -> dict[int, float]:
    """What a counter's value grew by in each step, by the step's end; one that goes back started anew. Steps without a
    value at both of their ends are not among them."""
    return {
        at: max(0.0, value - before if value >= before else value)
        for (before_at, before), (at, value) in pairwise(sorted(points.items()))
        if at - before_at == step
    }


def points_of(body: bytes) -> dict[int, float]:
    """The points of a range query's only result. Raises QueryRefused, DeliveryFailed for no answer of the protocol."""
    try:
        answer = orjson.loads(body)
        status = answer["status"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise DeliveryFailed("it answered something that is no answer of Prometheus") from None
    if status != "success":
        raise QueryRefused(f"the query was refused: {str(answer.get('error', 'no reason given'))[:300]}")
    try:
        kind, series = answer["data"]["resultType"], answer["data"]["result"]
        if kind != "matrix" or not isinstance(series, list):
            raise QueryRefused(f"the query answers a {str(kind)[:40]}; one number at a time was expected")
        if len(series) > 1:
            raise QueryRefused(f"the query answers a vector of {len(series)} series; wrap it in sum(…)")
        points = {int(at): float(text) for at, text in (series[0]["values"] if series else ())}
    except (KeyError, TypeError, ValueError, OverflowError):
        raise DeliveryFailed("it answered something that is no answer of Prometheus") from None
    for value in points.values():
        if not math.isfinite(value):
            raise QueryRefused(f"the query answers {value}; a count was expected: divide nothing in it")
        if value < 0:
            raise QueryRefused(f"the query answers {value:g}; a count is not negative")
    return points
