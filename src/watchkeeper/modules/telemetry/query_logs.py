"""Log lines: search, and how many there were when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from watchkeeper.modules.telemetry.answers import LogRow
from watchkeeper.modules.telemetry.model import HOUR, Dataset
from watchkeeper.modules.telemetry.query import Telemetry, json_path, like
from watchkeeper.modules.telemetry.ranges import Range

LINES_OF_A_TRACE = 100
_COLUMNS = (
    "time",
    "service",
    "environment",
    "severity",
    "severity_text",
    "body",
    "trace_id",
    "span_id",
    "attributes",
    "scope",
    "resource",
    # Orders lines of the same instant, so that a cursor can stand between them.
    "hash(service, body, attributes, observed, coalesce(span_id, '')) // 2 AS hash",
)
_HASH = "hash(service, body, attributes, observed, coalesce(span_id, '')) // 2"


@dataclass(frozen=True)
class LogFilter:
    """Which lines. `severity` is the least one as a number; `text` is found anywhere in the body, in any case."""

    service: str | None = None
    environment: str | None = None
    severity: int | None = None
    text: str | None = None
    trace_id: str | None = None
    attributes: dict[str, str] = field(default_factory=dict)


def search(
    telemetry: Telemetry, span: Range, wanted: LogFilter, limit: int, after: tuple[int, int] | None
) -> list[tuple[LogRow, int]]:
    """Lines newest first with the number that, beside its time, is a line's place in the list."""
    where, parameters = _conditions(wanted)
    if after is not None:
        where.append(f"(time < ? OR (time = ? AND {_HASH} < ?))")
        parameters += [after[0], after[0], after[1]]
    rows = telemetry.newest_first(
        Dataset.LOGS, span, _COLUMNS, limit=limit, where=where, parameters=parameters, service=wanted.service
    )
    found = []
    for row in rows:
        place = row.pop("hash")
        row["attributes"] = orjson.loads(row["attributes"] or "{}")
        row["resource"] = orjson.loads(row["resource"] or "{}")
        found.append((LogRow(**row), place))
    return found


def of_trace(telemetry: Telemetry, trace_id: str, started: int, duration: int) -> list[LogRow]:
    """Lines that carry the id of a trace, oldest first: at most 100, of an hour before it to an hour after."""
    around = Range(started - HOUR, started + duration + HOUR)
    found = search(telemetry, around, LogFilter(trace_id=trace_id), LINES_OF_A_TRACE, None)
    return [row for row, _ in reversed(found)]


def histogram(telemetry: Telemetry, span: Range, wanted: LogFilter, step: int) -> dict[int, dict[str, int]]:
    """Lines per step and severity name; steps without lines are left out."""
    where, parameters = _conditions(wanted)
    rows = telemetry.select(
        Dataset.LOGS,
        span,
        [f"time // {step} * {step} AS at", "coalesce(severity_text, 'UNSET') AS level", "count(*) AS lines"],
        where=where,
        parameters=parameters,
        service=wanted.service,
        tail="GROUP BY ALL",
    ).dicts()
    found: dict[int, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row["at"], {})[row["level"]] = row["lines"]
    return found


def _conditions(wanted: LogFilter) -> tuple[list[str], list[Any]]:
    where: list[str] = []
    parameters: list[Any] = []
    for sql, value in (
        ("environment = ?", wanted.environment),
        ("severity >= ?", wanted.severity),
        ("body ILIKE ? ESCAPE '\\'", like(wanted.text) if wanted.text else None),
        ("trace_id = ?", wanted.trace_id),
    ):
        if value is not None:
            where.append(sql)
            parameters.append(value)
    for key, text in wanted.attributes.items():
        where.append("json_extract_string(attributes, ?) = ?")
        parameters += [json_path(key), text]
    return where, parameters
