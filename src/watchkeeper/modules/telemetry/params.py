"""Query parameters that routes and pages share."""

# Annotations are kept as objects for FastAPI.
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, Query, Request
from pydantic import BeforeValidator, Field

from watchkeeper.kernel.clock import Clock, to_unix_nano
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.web.parts import clock_part, part
from watchkeeper.modules.telemetry.errors import QueryInvalid
from watchkeeper.modules.telemetry.query import Telemetry
from watchkeeper.modules.telemetry.query_logs import LogFilter
from watchkeeper.modules.telemetry.query_traces import TraceFilter
from watchkeeper.modules.telemetry.ranges import Range, range_of

Store = Annotated[Telemetry, part(Telemetry)]
Now = Annotated[Clock, clock_part()]
Moment = Annotated[
    str | None, Query(max_length=40, description="RFC 3339, or a time back from now such as 15m, 6h or 7d.")
]
Name = Annotated[str, Query(min_length=1, max_length=300)]
OptionalName = Annotated[str | None, Query(max_length=300)]
Step = Annotated[str | None, Query(max_length=10, description="Whole minutes such as 1m or 1h. Unset: fits the range.")]

# A form sends each of its fields, those that nobody filled in as nothing.
_empty_is_none = BeforeValidator(lambda value: None if value == "" else value)
Milliseconds = Annotated[
    Annotated[float, Field(ge=0, le=1e9)] | None, _empty_is_none, Query(description="Milliseconds.")
]
SEVERITIES = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "error": 17, "fatal": 21}
Severity = Annotated[
    Literal["trace", "debug", "info", "warn", "error", "fatal"] | None,
    _empty_is_none,
    Query(description="The least severity shown."),
]
TraceId = Annotated[
    Annotated[str, Field(pattern="^[0-9a-f]{32}$")] | None,
    _empty_is_none,
    Query(description="32 lower-case hexadecimal digits."),
]
_MOST_ATTRIBUTES = 8


def _span(clock: Now, since: Moment = None, until: Moment = None) -> Range:
    return range_of(since or None, until or None, clock.now())


Span = Annotated[Range, Depends(_span)]
RECENT = "15m"


def _recent_span(clock: Now, since: Moment = None, until: Moment = None) -> Range:
    return range_of(since or None, until or None, clock.now(), default=RECENT)


RecentSpan = Annotated[Range, Depends(_recent_span)]
"""Of pages that show how things are now."""


@dataclass(frozen=True)
class Moments:
    """The moment of the request."""

    now: int


def _moment(clock: Now) -> Moments:
    return Moments(to_unix_nano(clock.now()))


AtNow = Annotated[Moments, Depends(_moment)]


def _trace_filter(
    service: OptionalName = None,
    route: OptionalName = None,
    environment: OptionalName = None,
    status: Annotated[Literal["ok", "error", ""] | None, Query()] = None,
    min_duration: Milliseconds = None,
    max_duration: Milliseconds = None,
    q: Annotated[str | None, Query(max_length=200, description="Found anywhere in the name.")] = None,
    order: Literal["newest", "slowest"] = "newest",
) -> TraceFilter:
    return TraceFilter(
        service=service or None,
        route=route or None,
        environment=environment or None,
        failed={"ok": False, "error": True}.get(status or ""),
        min_duration=None if min_duration is None else int(min_duration * 1_000_000),
        max_duration=None if max_duration is None else int(max_duration * 1_000_000),
        text=q or None,
        order=order,
    )


Traces = Annotated[TraceFilter, Depends(_trace_filter)]


def _log_filter(
    request: Request,
    service: OptionalName = None,
    environment: OptionalName = None,
    severity: Severity = None,
    q: Annotated[str | None, Query(max_length=500, description="Found anywhere in the body, in any case.")] = None,
    trace_id: TraceId = None,
) -> LogFilter:
    return LogFilter(
        service=service or None,
        environment=environment or None,
        severity=SEVERITIES[severity] if severity else None,
        text=q or None,
        trace_id=trace_id,
        attributes=attributes_in(request),
    )


Logs = Annotated[LogFilter, Depends(_log_filter)]


def attributes_in(request: Request) -> dict[str, str]:
    """Filters such as `attr.http.route=/v1/offers`. Raises QueryInvalid for more than eight or for long ones."""
    found = {
        key[5:]: value for key, value in request.query_params.items() if key.startswith("attr.") and key != "attr."
    }
    if len(found) > _MOST_ATTRIBUTES or any(len(key) > 200 or len(value) > 500 for key, value in found.items()):
        complaint = Complaint(
            "query.attr.*", f"at most {_MOST_ATTRIBUTES}, names up to 200 and values up to 500 characters"
        )
        raise QueryInvalid("The query is not valid.", complaints=[complaint])
    return found
