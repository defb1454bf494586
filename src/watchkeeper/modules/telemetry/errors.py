"""How telemetry says no."""

from __future__ import annotations

from watchkeeper.kernel.errors import Invalid, NotFound, Refusal, TooLarge, TooManyRequests, Unavailable


class MalformedRequest(Refusal):
    code = "telemetry.malformed"
    status = 400
    title = "Not an OTLP request"


class WrongContentType(Refusal):
    code = "telemetry.content_type"
    status = 415
    title = "Unsupported content type"


class BodyTooLarge(TooLarge):
    code = "telemetry.too_large"


class Busy(TooManyRequests):
    code = "telemetry.busy"


class DiskFull(Unavailable):
    code = "telemetry.disk_full"
    title = "The disk is full"


class TraceNotFound(NotFound):
    code = "telemetry.trace_not_found"
    title = "No such trace"


class QueryInvalid(Invalid):
    code = "telemetry.query_invalid"


class QueryTooSlow(Refusal):
    code = "telemetry.query_too_slow"
    status = 504
    title = "The query took too long"
