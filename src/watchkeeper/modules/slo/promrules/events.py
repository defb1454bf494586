"""What an objective counts, as PromQL: events a second over a base window, good and bad. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from watchkeeper.modules.slo.definition import (
    Availability,
    Chosen,
    Composite,
    Counted,
    DataSource,
    Definition,
    Latency,
    Objective,
    Ratio,
    Slices,
)
from watchkeeper.modules.slo.sources_prometheus import SCRAPES, step_of, tells_increase, with_window
from watchkeeper_client.rules import duration_text

TOTAL = "watchkeeper:slo_events_total:rate"
BAD = "watchkeeper:slo_events_bad:rate"
LABEL = r"^[a-zA-Z_][a-zA-Z0-9_]*$"
_REQUESTS = "http_server_request_duration_seconds"
# What SDKs of OpenTelemetry use unless a view says otherwise.
_USUAL_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)


class NotExpressible(Exception):
    """PromQL can't say it; the text says why, for people."""


@dataclass(frozen=True)
class Setting:
    """What the rules are written for. `service_label` is the label that names a service in requests' metrics;
    `scrape_interval` is of the Prometheus that scrapes them. `slos` are those that composites may be made of."""

    data_sources: Mapping[str, DataSource] = field(default_factory=dict)
    slos: Mapping[str, Definition] = field(default_factory=dict)
    service_label: str = "job"
    scrape_interval: timedelta = timedelta(seconds=15)


@dataclass(frozen=True)
class Events:
    """`bad` and `total` are expressions without labels, in events a second; they are evaluated every `interval`
    seconds. `notes` say what has to be so for them to be right."""

    bad: str
    total: str
    interval: int
    notes: tuple[str, ...] = ()


def events_of(definition: Definition, objective: Objective, setting: Setting) -> Events:
    """Raises NotExpressible."""
    indicator, slices = definition.indicator, definition.slices
    window = slices.length.total_seconds() if slices is not None else 0.0
    if isinstance(indicator, Composite):
        found = _composite(indicator, setting, window)
    elif isinstance(indicator, Ratio):
        found = _ratio(indicator, setting, window)
    elif isinstance(indicator, (Availability, Latency)):
        found = _requests(indicator, objective, setting, window)
    else:
        raise NotExpressible(f"{indicator.kind} is counted from log records, which Prometheus does not have")
    return found if slices is None else _sliced(found, slices)


def duration(span: timedelta | float) -> str:
    """As PromQL writes it."""
    return duration_text(span if isinstance(span, timedelta) else timedelta(seconds=span))


def number(value: float) -> str:
    """Without the noise of floating point."""
    return f"{value:.12g}"


def selector(name: str, slo: str, objective: str) -> str:
    """A recorded series of an objective."""
    return f'{name}{{slo="{slo}",objective="{objective}"}}'


def _ratio(indicator: Ratio, setting: Setting, window: float) -> Events:
    if indicator.total.data_source is None:
        raise NotExpressible(
            "its counters and events are those of the embedded telemetry, whose names in Prometheus depend on units"
        )
    source = setting.data_sources.get(indicator.total.data_source)
    interval = step_of(source.scrape_interval if source is not None else setting.scrape_interval)
    window = max(window, float(SCRAPES * interval))
    total = f"{_counted(indicator.total, interval, window)} >= 0"
    part = indicator.good or indicator.bad
    if part is None:
        raise AssertionError(indicator)
    # Where there is a total and nothing of the part, there was nothing of it.
    some = f"(({_counted(part, interval, window)} >= 0) or 0 * ({total}))"
    if indicator.good is not None:
        return Events(f"clamp_min(({total}) - {some}, 0)", total, interval)
    return Events(some, total, interval)


def _counted(counted: Counted, interval: int, window: float) -> str:
    """Events a second over the window; a query with one result stays what it is."""
    query = (counted.query or "").strip()
    if counted.counter_value:
        return f"sum(increase(({query})[{duration(window)}:{duration(interval)}])) / {number(window)}"
    told = _summed(with_window(query, duration(window)))
    return f"{told} / {number(window)}" if tells_increase(query) else told


def _summed(query: str) -> str:
    """Without labels, whatever the query leaves."""
    depth = 0
    for place, letter in enumerate(query):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if not depth and letter == ")":
            return query if query.startswith("sum(") and place == len(query) - 1 else f"sum({query})"
    return f"sum({query})"


def _requests(indicator: Availability | Latency, objective: Objective, setting: Setting, window: float) -> Events:
    interval = step_of(setting.scrape_interval)
    within = duration(max(window, float(SCRAPES * interval)))
    matchers, notes = _matchers(indicator, setting.service_label)

    def rate(suffix: str, *more: str) -> str:
        return f"rate({_REQUESTS}_{suffix}{{{','.join([*matchers, *more])}}}[{within}])"

    total = f"sum({rate('count')})"
    if isinstance(indicator, Availability):
        classes = "|".join(f"{one[0]}.." for one in sorted(indicator.bad))
        failed = rate("count", f'http_response_status_code=~"{classes}"')
        if "5xx" in indicator.bad:
            failed += " or " + rate("count", 'http_response_status_code=""', 'error_type!=""')
        return Events(f"sum({failed}) or 0 * {total}", total, interval, tuple(notes))
    seconds = (objective.threshold or timedelta(0)).total_seconds()
    if seconds not in _USUAL_BOUNDS:
        notes.append(
            f"{_REQUESTS} needs a bucket that ends at {number(seconds)} s, which OpenTelemetry makes only if told to; "
            "without it nothing is measured"
        )
    # Clients write a whole bound as 1 or as 1.0.
    bound = quoted(number(seconds)) if seconds % 1 else quoted(f"{number(seconds)}|{number(seconds)}\\.0")
    quick = rate("bucket", f"le={'' if seconds % 1 else '~'}{bound}")
    return Events(f"clamp_min({total} - sum({quick}), 0)", total, interval, tuple(notes))


def _matchers(indicator: Chosen, service_label: str) -> tuple[list[str], list[str]]:
    """Label matchers of the requests that count, and what they rest on."""
    found, notes = [f"{service_label}={quoted(indicator.service)}"], []
    if indicator.environment is not None:
        found.append(f"deployment_environment_name={quoted(indicator.environment)}")
        notes.append("the metrics need the resource attribute deployment.environment.name as a label")
    if indicator.routes:
        found.append(f"http_route=~{quoted('|'.join(map(regex_of, indicator.routes)))}")
    if indicator.exclude_routes:
        found.append(f"http_route!~{quoted('|'.join(map(regex_of, indicator.exclude_routes)))}")
    if indicator.methods:
        found.append(f"http_request_method=~{quoted('|'.join(map(re.escape, indicator.methods)))}")
    return found, notes


def regex_of(pattern: str) -> str:
    """A pattern of shells as a regular expression of RE2, which Prometheus anchors at both ends."""
    found, rest = "", pattern
    while rest:
        one, rest = rest[0], rest[1:]
        end = rest.find("]", 2 if rest.startswith("!") else 1) if one == "[" else -1
        if end > 0:
            inside, rest = rest[:end].replace("\\", "\\\\"), rest[end + 1 :]
            found += f"[^{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
        else:
            found += {"*": ".*", "?": "."}.get(one) or re.escape(one)
    return found


def quoted(text: str) -> str:
    """A string of PromQL."""
    return json.dumps(text, ensure_ascii=False)


def _sliced(events: Events, slices: Slices) -> Events:
    """Each evaluation is one slice: bad when less than its target of the events in it were good."""
    length = int(slices.length.total_seconds())
    return Events(
        # Nothing divided by nothing is no number, and not above anything: a slice without events is good.
        f"(({events.bad}) / ({events.total}) > bool {number(1 - slices.target)}) / {length}",
        f"(({events.total}) >= bool 0) / {length}",
        length,
        (*events.notes, "slices begin when Prometheus evaluates, not at whole minutes"),
    )


def _composite(composite: Composite, setting: Setting, window: float) -> Events:
    parts, interval = [], 0
    for one in composite.parts:
        of = setting.slos.get(one.slo)
        if of is None:
            raise NotExpressible(f"its part {one.slo} is not in these rules")
        objective = next(each for each in of.objectives if one.objective in (None, each.name))
        try:
            interval = max(interval, events_of(of, objective, setting).interval)
        except NotExpressible as why:
            raise NotExpressible(f"its part {one.slo} can't be said: {why}") from None
        parts.append((one.slo, objective.name, one.weight))
    if composite.method == "weighted":
        # What has no value in one part has none in the sum: a minute is measured when every part is.
        bad, total = (
            " + ".join(f"{number(weight)} * sum({_over(window, name, slo, main)})" for slo, main, weight in parts)
            for name in (BAD, TOTAL)
        )
        return Events(bad, total, interval)
    return _worst(sorted({(slo, main) for slo, main, _ in parts}), interval, window)


def _worst(parts: list[tuple[str, str]], interval: int, window: float) -> Events:
    """The events of the part of which the largest share is bad now."""

    def all_of(name: str) -> str:
        return " or ".join(_over(window, name, slo, main) for slo, main in parts)

    bad, total = all_of(BAD), all_of(TOTAL)
    chosen = f"and on (slo, objective) topk(1, ({bad}) / ({total}))"
    measured = f"and on () count({total}) == {len(parts)}"
    return Events(f"sum(({bad}) {chosen}) {measured}", f"sum(({total}) {chosen}) {measured}", interval)


def _over(window: float, name: str, slo: str, objective: str) -> str:
    """A recorded rate now, or its mean over a slice."""
    now = selector(name, slo, objective)
    return f"avg_over_time({now}[{duration(window)}])" if window else now
