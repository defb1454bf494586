"""Traces: lists of requests, and one trace as a tree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from watchkeeper.modules.telemetry.answers import SpanRow
from watchkeeper.modules.telemetry.errors import TraceNotFound
from watchkeeper.modules.telemetry.model import DAY, HOUR, Dataset
from watchkeeper.modules.telemetry.query import SPAN_COLUMNS, Telemetry, like
from watchkeeper.modules.telemetry.ranges import Range

MOST_SPANS = 5_000
_LIST = (
    "time",
    "duration",
    "trace_id",
    "span_id",
    "service",
    "name",
    "kind",
    "status",
    "route",
    "method",
    "status_code",
)
# The same as what rollups count, so that a list is as long as the number that led to it.
_FAILED = "(status_code >= 500 OR (status = 'error' AND coalesce(status_code, 500) >= 500))"


@dataclass(frozen=True)
class TraceFilter:
    """Which requests; durations in nanoseconds."""

    service: str | None = None
    route: str | None = None
    environment: str | None = None
    failed: bool | None = None
    min_duration: int | None = None
    max_duration: int | None = None
    text: str | None = None
    order: Literal["newest", "slowest"] = "newest"


@dataclass(frozen=True)
class Span:
    """One span of a trace, placed: depth in the tree, start and width as shares of the whole."""

    data: dict[str, Any]
    depth: int
    start: float
    width: float
    on_critical_path: bool
    parent_missing: bool

    @property
    def failed(self) -> bool:
        return self.data["status"] == "error" or (self.data["status_code"] or 0) >= 500


@dataclass(frozen=True)
class Trace:
    """A whole trace in the order to draw it."""

    trace_id: str
    spans: tuple[Span, ...]
    started: int
    duration: int
    services: tuple[str, ...]
    cut: bool


def requests(
    telemetry: Telemetry, span: Range, wanted: TraceFilter, limit: int, after: tuple[int, str] | None
) -> list[SpanRow]:
    """Requests of a service (its server and root spans), or the roots of all traces; `after` continues a list."""
    where, parameters = _conditions(wanted)
    if after is not None:
        column = "duration" if wanted.order == "slowest" else "time"
        where.append(f"({column} < ? OR ({column} = ? AND span_id < ?))")
        parameters += [after[0], after[0], after[1]]
    if wanted.order == "slowest":
        rows = telemetry.select(
            Dataset.SPANS,
            span,
            _LIST,
            where=where,
            parameters=parameters,
            service=wanted.service,
            tail=f"ORDER BY duration DESC, span_id DESC LIMIT {limit}",
        ).dicts()
    else:
        rows = telemetry.newest_first(
            Dataset.SPANS, span, _LIST, limit=limit, where=where, parameters=parameters, service=wanted.service
        )
    return [SpanRow(**row) for row in rows]


def trace(telemetry: Telemetry, trace_id: str, now: int, *, near: int | None = None) -> Trace:
    """All spans of a trace. `near`, a time one of them had, saves looking through everything. Raises TraceNotFound."""
    days = telemetry.raw_days
    rows: list[dict[str, Any]] = []
    whole = Range(now - days * DAY, now + HOUR)
    pieces: Iterable[Range] = whole.backwards()
    if near is not None:
        pieces = [Range(near - HOUR, near + HOUR), whole]
    for piece in pieces:
        found = telemetry.select(
            Dataset.SPANS,
            piece,
            SPAN_COLUMNS,
            where=["trace_id = ?"],
            parameters=[trace_id],
            tail=f"ORDER BY time, duration DESC LIMIT {MOST_SPANS + 1}",
        ).dicts()
        rows += found
        # A trace lies within minutes: once some of it was found, one slice more has the rest.
        if rows and not found:
            break
        if rows and near is not None:
            break
    if not rows:
        raise TraceNotFound(f"No span of trace {trace_id} is stored. Raw data is kept {days} days.")
    return lay_out(trace_id, [_plain(row) for row in rows])


def lay_out(trace_id: str, rows: Sequence[dict[str, Any]]) -> Trace:
    """Order the spans as a tree: each once, children under their parents by time; broken links become roots."""
    cut = len(rows) > MOST_SPANS
    unique: dict[str, dict[str, Any]] = {}
    for row in rows[:MOST_SPANS]:
        unique.setdefault(row["span_id"], row)
    children: dict[str | None, list[dict[str, Any]]] = defaultdict(list)
    for row in unique.values():
        parent = row["parent_span_id"]
        children[parent if parent in unique and parent != row["span_id"] else None].append(row)
    started = min(row["time"] for row in unique.values())
    ended = max(_end(row) for row in unique.values())
    total = max(ended - started, 1)
    ordered = list(_walk(children, unique))
    critical = _critical_path(children)
    spans = tuple(
        Span(
            data=row,
            depth=depth,
            start=(row["time"] - started) / total,
            width=row["duration"] / total,
            on_critical_path=row["span_id"] in critical,
            parent_missing=row["parent_span_id"] is not None and row["parent_span_id"] not in unique,
        )
        for row, depth in ordered
    )
    services = tuple(dict.fromkeys(row["service"] for row, _ in ordered))
    return Trace(trace_id, spans, started, ended - started, services, cut)


def _walk(
    children: dict[str | None, list[dict[str, Any]]], unique: dict[str, dict[str, Any]]
) -> Iterable[tuple[dict[str, Any], int]]:
    seen: set[str] = set()
    # Spans that only point at each other hang on no root; they are walked last, from the earliest of them.
    starts = _by_time(children[None]) + _by_time(unique.values())
    for start in starts:
        stack = [(start, 0)]
        while stack:
            row, depth = stack.pop()
            if row["span_id"] in seen:
                continue
            seen.add(row["span_id"])
            yield row, depth
            stack += [(child, depth + 1) for child in reversed(_by_time(children.get(row["span_id"], [])))]


def _critical_path(children: Mapping[str | None, list[dict[str, Any]]]) -> set[str]:
    """What the longest root waited for: from its end back, the child that ended last, then the one that ended last
    before that began, and so on inside each. Making any other span quicker would not make the whole quicker."""
    path: set[str] = set()
    waiting = [(row, _end(row)) for row in sorted(children[None], key=lambda row: -row["duration"])[:1]]
    while waiting:
        row, until = waiting.pop()
        if row["span_id"] in path:
            continue
        path.add(row["span_id"])
        # A child that goes on after its parent's end held it up only until then.
        ends = [(min(_end(child), until), child) for child in children.get(row["span_id"], [])]
        for end, child in sorted(ends, key=lambda one: (-one[0], -one[1]["duration"])):
            if end <= until and child["time"] < until:
                waiting.append((child, end))
                until = child["time"]
    return path


def _end(row: Mapping[str, Any]) -> int:
    end: int = row["time"] + row["duration"]
    return end


def _by_time(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (row["time"], -row["duration"], row["span_id"]))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    for name in ("attributes", "resource", "events", "links"):
        row[name] = orjson.loads(row[name]) if row[name] else ([] if name in ("events", "links") else {})
    return row


def _conditions(wanted: TraceFilter) -> tuple[list[str], list[Any]]:
    where = [
        "(kind IN ('server', 'consumer') OR parent_span_id IS NULL)" if wanted.service else "parent_span_id IS NULL"
    ]
    parameters: list[Any] = []
    for sql, value in (
        ("route = ?", wanted.route),
        ("environment = ?", wanted.environment),
        ("duration >= ?", wanted.min_duration),
        ("duration <= ?", wanted.max_duration),
        ("name ILIKE ? ESCAPE '\\'", like(wanted.text) if wanted.text else None),
    ):
        if value is not None:
            where.append(sql)
            parameters.append(value)
    if wanted.failed is not None:
        where.append(_FAILED if wanted.failed else f"NOT coalesce({_FAILED}, false)")
    return where, parameters
