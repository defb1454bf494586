"""OTLP over HTTP: one bare ASGI app for `/v1/traces`, `/v1/metrics` and `/v1/logs`.

An answer of 200 means that the records are on disk. Source: opentelemetry.io/docs/specs/otlp/#otlphttp.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from starlette.requests import HTTPConnection, Request
from starlette.types import Receive, Scope, Send

from watchkeeper.kernel.clock import Clock, to_unix_nano
from watchkeeper.kernel.errors import Forbidden, Refusal, Unauthenticated
from watchkeeper.kernel.telemetry import metrics
from watchkeeper.kernel.web.access import Permission, current_actor
from watchkeeper.kernel.web.access import Scope as Grant
from watchkeeper.modules.telemetry.decoding import Decoder, Reservation
from watchkeeper.modules.telemetry.errors import BodyTooLarge, MalformedRequest, WrongContentType
from watchkeeper.modules.telemetry.intake_log import IntakeLog
from watchkeeper.modules.telemetry.model import Decoded, Signal
from watchkeeper.modules.telemetry.wire_otlp import parse
from watchkeeper.modules.telemetry.wire_otlp_json import parse_json

SEND_TELEMETRY = Permission("telemetry.send", Grant.INTAKE)
PROTOBUF = "application/x-protobuf"
JSON = "application/json"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")

_records = metrics.counter("watchkeeper.telemetry.records_received", "Records taken in, by signal.")
_rejected = metrics.counter("watchkeeper.telemetry.records_rejected", "Records answered as rejected, by signal.")
_refused = metrics.counter("watchkeeper.telemetry.requests_refused", "Intake requests refused as a whole, by code.")

# Response message, name of its count of rejected records.
_RESPONSES: dict[Signal, tuple[type[Any], str]] = {
    Signal.TRACES: (ExportTraceServiceResponse, "rejected_spans"),
    Signal.METRICS: (ExportMetricsServiceResponse, "rejected_data_points"),
    Signal.LOGS: (ExportLogsServiceResponse, "rejected_log_records"),
}


@dataclass(frozen=True)
class Answer:
    """Status, body, and headers besides the content type."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Intake:
    """Takes requests in: parse, convert, write to the log, and only then answer."""

    def __init__(self, log: IntakeLog, decoder: Decoder, clock: Clock) -> None:
        self._log = log
        self._decoder = decoder
        self._clock = clock
        # One thread: conversion holds the interpreter anyway, and order is kept.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="otlp-decode")

    def reservation(self) -> Reservation:
        """Room for a request that is about to be read."""
        return Reservation(self._decoder)

    async def accept(self, signal: Signal, body: bytes, room: Reservation, *, is_json: bool = False) -> Decoded:
        """Durable when it returns. Raises MalformedRequest, DiskFull or Unavailable, and then keeps nothing."""
        received_at = to_unix_nano(self._clock.now())
        loop = asyncio.get_running_loop()
        decoded, kept = await loop.run_in_executor(self._thread, self._convert, signal, body, is_json, received_at)
        if len(decoded.batch):
            # Shielded: a sender that hangs up now has its records written all the same.
            await asyncio.shield(asyncio.wrap_future(self._append(decoded, kept, received_at, room)))
        return decoded

    def accept_own(self, signal: Signal, body: bytes) -> None:
        """The same for Watchkeeper's own telemetry, from a thread of its own. Raises Busy too."""
        with self.reservation() as room:
            room.add(len(body))
            received_at = to_unix_nano(self._clock.now())
            decoded, kept = self._convert(signal, body, False, received_at)
            if len(decoded.batch):
                self._append(decoded, kept, received_at, room).result()

    def _append(self, decoded: Decoded, kept: bytes, received_at: int, room: Reservation) -> Future[None]:
        decoded.bytes = room.hand_over()
        future = self._log.append(decoded, received_at, kept)
        future.add_done_callback(lambda done: self._decoder.release([decoded]) if done.exception() else None)
        return future

    def _convert(self, signal: Signal, body: bytes, is_json: bool, received_at: int) -> tuple[Decoded, bytes]:
        message = parse_json(signal, body) if is_json else parse(signal, body)
        decoded = self._decoder.decode(signal, message, received_at)
        # The log keeps protobuf only, so that a replay has one form to read.
        return decoded, message.SerializeToString() if is_json else body

    def close(self) -> None:
        self._thread.shutdown(wait=True)


class OtlpApp:
    """The HTTP face of the intake for one signal, to be mounted at its path."""

    permission = SEND_TELEMETRY

    def __init__(
        self, signal: Signal, intake: Intake, *, max_body_bytes: int, token_rule: str, server_is_local: bool
    ) -> None:
        self._signal = signal
        self._intake = intake
        self._most = max_body_bytes
        self._rule = token_rule
        self._server_is_local = server_is_local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        is_json = media_type == JSON
        try:
            answer = await self._take(request, media_type, is_json)
        except Refusal as refusal:
            _refused.add(code=refusal.code)
            answer = Answer(refusal.status, _status(refusal.detail, is_json), tuple(refusal.headers.items()))
        await _send(send, answer, JSON if is_json else PROTOBUF)

    async def _take(self, request: Request, media_type: str, is_json: bool) -> Answer:
        if request.method != "POST":
            return Answer(405, _status("OTLP is sent by POST.", is_json), (("Allow", "POST"),))
        if media_type not in (PROTOBUF, JSON):
            raise WrongContentType(f"Send {PROTOBUF} or {JSON}.")
        await self._authorise(request)
        with self._intake.reservation() as room:
            body = await read_body(request, self._most, room)
            decoded = await self._intake.accept(self._signal, body, room, is_json=is_json)
        _records.add(len(decoded.batch), signal=self._signal.value)
        if decoded.rejected:
            _rejected.add(decoded.rejected, signal=self._signal.value)
        return Answer(200, _response(decoded, is_json))

    async def _authorise(self, request: Request) -> None:
        actor = await current_actor(request)
        if actor is not None and actor.session_id is None:
            if not actor.may(SEND_TELEMETRY):
                raise Forbidden("This token lacks the scope 'intake'.")
            return
        if not self._is_open_to(request):
            raise Unauthenticated(
                "Send a token with the scope 'intake' as 'Authorization: Bearer …'.",
                headers={"WWW-Authenticate": "Bearer"},
            )

    def _is_open_to(self, request: HTTPConnection) -> bool:
        if "origin" in request.headers:
            # A page of some site in a browser on this machine: it can reach loopback, but holds no token.
            return False
        if self._rule == "auto":
            return self._server_is_local and request.client is not None and request.client.host in _LOOPBACK
        return self._rule == "never"


async def read_body(request: Request, most: int, room: Reservation) -> bytes:
    """The body, decompressed, never holding more than `most` bytes of it or than there is room for.

    Raises BodyTooLarge, MalformedRequest, WrongContentType or Busy.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("gzip", "deflate", "identity", ""):
        raise WrongContentType(f"Content-Encoding {encoding[:20]!r} is not supported: use gzip, deflate or identity.")
    # 32 + 15: zlib finds out by itself whether the header is gzip's or zlib's.
    unpack = zlib.decompressobj(32 + zlib.MAX_WBITS) if encoding in ("gzip", "deflate") else None
    chunks: list[bytes] = []
    size = 0
    async for received in request.stream():
        try:
            chunk = unpack.decompress(received, most + 1 - size) if unpack else received
        except zlib.error:
            raise MalformedRequest(f"The body is not {encoding}.") from None
        size += len(chunk)
        if size > most or (unpack is not None and unpack.unconsumed_tail):
            raise BodyTooLarge(f"The request is larger than {most // 1_000_000} MB decoded: send smaller batches.")
        room.add(len(chunk))
        chunks.append(chunk)
    if unpack is not None and size and not unpack.eof:
        raise MalformedRequest(f"The {encoding} body ends too early.")
    return b"".join(chunks)


def _response(decoded: Decoded, is_json: bool) -> bytes:
    kind, count_name = _RESPONSES[decoded.signal]
    if is_json:
        camel = count_name.split("_")
        name = camel[0] + "".join(word.capitalize() for word in camel[1:])
        partial = {name: str(decoded.rejected), "errorMessage": decoded.reason}
        return json.dumps({"partialSuccess": partial} if decoded.rejected else {}).encode()
    if not decoded.rejected:
        return b""
    message = kind()
    setattr(message.partial_success, count_name, decoded.rejected)
    message.partial_success.error_message = decoded.reason
    encoded: bytes = message.SerializeToString()
    return encoded


def _status(text: str, is_json: bool) -> bytes:
    """A google.rpc.Status, which is what OTLP answers errors with."""
    if is_json:
        return json.dumps({"message": text}).encode()
    encoded: bytes = Status(message=text).SerializeToString()
    return encoded


async def _send(send: Send, answer: Answer, media_type: str) -> None:
    headers = [(b"content-type", media_type.encode()), (b"content-length", str(len(answer.body)).encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
