"""OTLP over HTTP: what is taken in, what is refused, and in which words."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.rpc.status_pb2 import Status
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from starlette.requests import HTTPConnection

from tests.telemetry.support import counter, histogram, logs, now_of, spans, store_on
from watchkeeper.kernel.clock import ManualClock, SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Unauthenticated
from watchkeeper.kernel.web.access import Actor, Authenticator, Scope
from watchkeeper.kernel.web.app_factory import create_app
from watchkeeper.modules.telemetry.model import DAY, MINUTE, Dataset
from watchkeeper.modules.telemetry.ranges import Range
from watchkeeper.modules.telemetry.window import Window
from watchkeeper.modules.telemetry.wire_otlp_json import parse_json
from watchkeeper.modules.telemetry.wire_otlp_traces import decode_traces
from watchkeeper.modules.telemetry.wiring import TelemetryStore

PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}
Post = Callable[..., httpx.Response]


class Doorkeeper:
    """Knows two tokens."""

    async def authenticate(self, request: HTTPConnection) -> Actor | None:
        offered = request.headers.get("authorization")
        if offered is None:
            return None
        scopes = {"Bearer sender": Scope.INTAKE, "Bearer reader": Scope.READ}
        if offered not in scopes:
            raise Unauthenticated("unknown token")
        return Actor("tok_1", "token", "a token", frozenset({scopes[offered]}))


@pytest.fixture
def post(store: TelemetryStore, clock: ManualClock) -> Post:
    return posting(store, clock)


def posting(store: TelemetryStore, clock: ManualClock, peer: str = "127.0.0.1") -> Post:
    """A function that posts to the app as `peer`."""
    app = create_app(
        parts={SystemClock: clock, Authenticator: Doorkeeper()}, mounts=store.apps(), body_limits={"/v1": None}
    )

    def post(path: str, body: Any = b"", headers: dict[str, str] | None = None, method: str = "POST") -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app, client=(peer, 5000))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.request(method, path, content=body, headers=headers or PROTOBUF)

        return asyncio.run(send())

    return post


def stored(store: TelemetryStore, database: Database, dataset: Dataset = Dataset.SPANS) -> list[dict[str, Any]]:
    store.flusher.flush()
    telemetry = store.telemetry(database)
    rows = telemetry.select(dataset, Range(0, 2**62), ["*"]).dicts()
    telemetry.close()
    return rows


@pytest.mark.parametrize("encoding", [None, "gzip", "deflate"])
def test_spans_are_taken_in_plain_and_compressed(
    post: Post, store: TelemetryStore, database: Database, clock: ManualClock, encoding: str | None
) -> None:
    body = spans(now_of(clock), count=3).SerializeToString()
    packed = {"gzip": gzip.compress, "deflate": zlib.compress}.get(encoding or "", bytes)(body)
    answer = post("/v1/traces", packed, PROTOBUF | ({"Content-Encoding": encoding} if encoding else {}))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-protobuf"
    assert answer.content == b""
    rows = stored(store, database)
    assert len(rows) == 3
    assert {row["route"] for row in rows} == {"/v1/offers"}
    assert {row["service"] for row in rows} == {"duet-gateway"}
    assert {row["environment"] for row in rows} == {"demo"}
    assert {row["status_code"] for row in rows} == {200}


def test_logs_and_metrics_are_taken_in(
    post: Post, store: TelemetryStore, database: Database, clock: ManualClock
) -> None:
    now = now_of(clock)
    assert post("/v1/logs", logs(now, "hello", severity=17).SerializeToString()).status_code == 200
    assert post("/v1/metrics", counter([(now, 5.0)]).SerializeToString()).status_code == 200
    (line,) = stored(store, database, Dataset.LOGS)
    assert (line["body"], line["severity_text"]) == ("hello", "ERROR")
    (point,) = stored(store, database, Dataset.METRICS)
    assert (point["name"], point["value"], point["temporality"]) == ("duet.offers", 5.0, "cumulative")


def _as_json(request: ExportTraceServiceRequest) -> bytes:
    """The OTLP/JSON form, written here by hand so that the reader is not tested against itself."""
    out: dict[str, Any] = {"resourceSpans": []}
    for of_resource in request.resource_spans:
        attributes = [
            {"key": a.key, "value": {"stringValue": a.value.string_value}} for a in of_resource.resource.attributes
        ]
        found = []
        for span in of_resource.scope_spans[0].spans:
            pairs = [
                {"key": a.key, "value": {"intValue": str(a.value.int_value)}}
                if a.value.WhichOneof("value") == "int_value"
                else {"key": a.key, "value": {"stringValue": a.value.string_value}}
                for a in span.attributes
            ]
            found.append(
                {
                    "traceId": span.trace_id.hex().upper(),
                    "spanId": span.span_id.hex(),
                    "name": span.name,
                    "kind": span.kind,
                    "startTimeUnixNano": str(span.start_time_unix_nano),
                    "endTimeUnixNano": str(span.end_time_unix_nano),
                    "attributes": pairs,
                    "aFieldOfTomorrow": 1,
                }
            )
        out["resourceSpans"].append({"resource": {"attributes": attributes}, "scopeSpans": [{"spans": found}]})
    return json.dumps(out).encode()


@given(st.integers(1, 5), st.integers(0, 9), st.sampled_from([200, 404, 500]))
@settings(max_examples=25, deadline=None)
def test_json_and_protobuf_give_the_same_rows(count: int, seed: int, status: int) -> None:
    from watchkeeper.modules.telemetry.model import Signal

    now = 1_800_000_000_000_000_000
    request = spans(now, count=count, seed=seed, status_code=status)
    window = Window.at(now, 7)
    plain = decode_traces(request, window)
    from_json = decode_traces(parse_json(Signal.TRACES, _as_json(request)), window)
    assert plain.batch == from_json.batch
    assert len(plain.batch) == count


def test_json_is_answered_in_json(post: Post, store: TelemetryStore, database: Database, clock: ManualClock) -> None:
    answer = post("/v1/traces", _as_json(spans(now_of(clock), count=2)), JSON)
    assert (answer.status_code, answer.json()) == (200, {})
    assert len(stored(store, database)) == 2


def test_what_can_not_be_kept_is_counted_and_explained_and_the_rest_is_kept(
    post: Post, store: TelemetryStore, database: Database, clock: ManualClock
) -> None:
    now = now_of(clock)
    request = spans(now, count=4)
    found = request.resource_spans[0].scope_spans[0].spans
    found[0].trace_id = bytes(16)
    found[1].span_id = b"short"
    found[2].end_time_unix_nano = found[2].start_time_unix_nano - 1
    answer = post("/v1/traces", request.SerializeToString())
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert answer.status_code == 200
    assert partial.rejected_spans == 3
    assert "trace_id" in partial.error_message
    assert len(stored(store, database)) == 1


@pytest.mark.parametrize(
    ("offset", "complaint"),
    [(DAY, "ahead of the server's clock"), (-365 * DAY, "365 days old"), (11 * MINUTE, "11 minutes ahead")],
)
def test_a_clock_that_is_far_off_is_told_so(post: Post, clock: ManualClock, offset: int, complaint: str) -> None:
    answer = post("/v1/traces", spans(now_of(clock) + offset).SerializeToString())
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert partial.rejected_spans == 1
    assert complaint in partial.error_message


def test_a_clock_that_is_a_little_ahead_is_believed(
    post: Post, store: TelemetryStore, database: Database, clock: ManualClock
) -> None:
    post("/v1/traces", spans(now_of(clock) + 5 * MINUTE).SerializeToString())
    assert len(stored(store, database)) == 1


def test_a_sender_without_a_name_is_the_unknown_service(
    post: Post, store: TelemetryStore, database: Database, clock: ManualClock
) -> None:
    post("/v1/traces", spans(now_of(clock), service=None).SerializeToString())
    assert [row["service"] for row in stored(store, database)] == ["unknown_service"]


def test_ten_thousand_attributes_become_a_bounded_row(
    post: Post, store: TelemetryStore, database: Database, clock: ManualClock
) -> None:
    many = {f"key-{number}": "x" * 20_000 for number in range(400)} | {f"int-{n}": n for n in range(9_600)}
    post("/v1/traces", spans(now_of(clock), **many).SerializeToString())
    (row,) = stored(store, database)
    kept = json.loads(row["attributes"])
    assert len(kept) == 129
    assert kept["otel.dropped_attributes_count"] == 10_003 - 128
    assert max(len(str(value)) for value in kept.values()) <= 4_097


def test_names_lose_what_could_harm_a_terminal_and_keep_their_letters(
    post: Post, store: TelemetryStore, database: Database, clock: ManualClock
) -> None:
    post("/v1/traces", spans(now_of(clock), service="\x1b[31mgäte\x00way\n" + "x" * 500).SerializeToString())
    (row,) = stored(store, database)
    assert row["service"].startswith("[31mgäteway")
    assert len(row["service"]) <= 300
    assert row["service"].isprintable()


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"\xff\xff not protobuf", PROTOBUF, 400),
        (spans(1).SerializeToString()[:-7], PROTOBUF, 400),
        (b"{", JSON, 400),
        (b"[]", JSON, 400),
        (b'{"resourceSpans": 7}', JSON, 400),
        (b'{"a":' * 100 + b"1" + b"}" * 100, JSON, 400),
        (b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz"}]}]}]}', JSON, 400),
        (b"x", {"Content-Type": "text/plain"}, 415),
        (b"x", {"Content-Type": "application/x-protobuf", "Content-Encoding": "br"}, 415),
        (b"not gzip", {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}, 400),
        (gzip.compress(b"x" * 100)[:-9], {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}, 400),
    ],
    ids=[
        "noise", "truncated", "half an object", "a list", "wrong type", "too deep", "ids that are no hex", "plain text",
        "brotli", "not gzip", "truncated gzip",
    ],
)  # fmt: skip
def test_what_is_no_otlp_gets_a_clear_answer_and_changes_nothing(
    post: Post, store: TelemetryStore, database: Database, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = post("/v1/traces", body, headers)
    assert answer.status_code == status
    said = answer.json()["message"] if headers == JSON else Status.FromString(answer.content).message
    assert len(said) > 10
    assert stored(store, database) == []
    assert store.decoder.pending_bytes == 0


def test_only_post_is_answered(post: Post) -> None:
    answer = post("/v1/traces", method="GET")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_a_gzip_bomb_is_refused_before_it_fills_the_memory(post: Post, store: TelemetryStore) -> None:
    bomb = gzip.compress(bytes(200_000_000), 9)
    assert len(bomb) < 250_000
    answer = post("/v1/traces", bomb, PROTOBUF | {"Content-Encoding": "gzip"})
    assert answer.status_code == 413
    assert store.decoder.pending_bytes == 0


def test_a_body_without_an_end_is_refused_at_the_limit(post: Post, store: TelemetryStore) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(400):
            yield bytes(100_000)

    assert post("/v1/traces", endless()).status_code == 413
    assert store.decoder.pending_bytes == 0


@given(st.binary(max_size=400))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_whatever_break_the_intake(body: bytes) -> None:
    from watchkeeper.modules.telemetry.errors import MalformedRequest
    from watchkeeper.modules.telemetry.model import Signal
    from watchkeeper.modules.telemetry.wire_otlp import parse
    from watchkeeper.modules.telemetry.wire_otlp_logs import decode_logs
    from watchkeeper.modules.telemetry.wire_otlp_metrics import decode_metrics

    window = Window.at(1_800_000_000_000_000_000, 7)
    decoders = {Signal.TRACES: decode_traces, Signal.LOGS: decode_logs, Signal.METRICS: decode_metrics}
    for signal, decode in decoders.items():
        for read in (parse, parse_json):
            try:
                decode(read(signal, body), window)
            except MalformedRequest:
                continue


def test_loopback_needs_no_token_and_everybody_else_does(store: TelemetryStore, clock: ManualClock) -> None:
    body = spans(now_of(clock)).SerializeToString()
    assert posting(store, clock)("/v1/traces", body).status_code == 200
    far = posting(store, clock, peer="10.1.2.3")
    assert far("/v1/traces", body).status_code == 401
    assert far("/v1/traces", body, PROTOBUF | {"Authorization": "Bearer sender"}).status_code == 200
    assert far("/v1/traces", body, PROTOBUF | {"Authorization": "Bearer reader"}).status_code == 403
    assert far("/v1/traces", body, PROTOBUF | {"Authorization": "Bearer stolen"}).status_code == 401


def test_a_web_page_on_this_machine_can_not_send_without_a_token(post: Post, clock: ManualClock) -> None:
    body = spans(now_of(clock)).SerializeToString()
    assert post("/v1/traces", body, PROTOBUF | {"Origin": "https://evil.example"}).status_code == 401


def test_a_token_can_be_asked_of_loopback_too(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    with store_on(database, clock, tmp_path / "data", require_intake_token="always") as strict:
        body = spans(now_of(clock)).SerializeToString()
        assert posting(strict, clock)("/v1/traces", body).status_code == 401


def test_too_much_at_once_is_told_to_wait(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    with store_on(database, clock, tmp_path / "data", max_pending_mb=2) as small:
        post = posting(small, clock)
        body = logs(now_of(clock), *["x" * 10_000] * 150).SerializeToString()
        assert post("/v1/logs", body).status_code == 200
        answer = post("/v1/logs", body)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1


def test_a_full_disk_is_told_and_shown_and_over_when_there_is_space(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    with store_on(database, clock, tmp_path / "data", min_free_mb=10**9) as full:
        post = posting(full, clock)
        body = spans(now_of(clock)).SerializeToString()
        answer = post("/v1/traces", body)
        assert answer.status_code == 503
        assert "retry-after" in answer.headers
        assert full.decoder.pending_bytes == 0
        actor = Actor("per_1", "person", "Alice", frozenset({Scope.READ}))
        assert [banner.level for banner in full.banners(actor)] == ["danger"]
        full.log._min_free = 0
        assert post("/v1/traces", body).status_code == 200
        assert full.banners(actor) == []


def test_http_metrics_speak_for_a_service_without_server_spans(
    post: Post, store: TelemetryStore, database: Database, clock: ManualClock
) -> None:
    from watchkeeper.modules.telemetry import query_red

    now, bounds = now_of(clock), [0.01, 0.1, 1.0]
    for minute, counts in enumerate(([5, 0, 0, 0], [15, 4, 0, 0], [15, 5, 0, 0])):
        point = histogram(
            now + minute * MINUTE - 5 * MINUTE, counts, bounds, name="http.server.request.duration",
            http__route="/v1/offers", http__request__method="GET", http__response__status_code=200,
        )  # fmt: skip
        post("/v1/metrics", point.SerializeToString())
    store.flusher.flush()
    telemetry = store.telemetry(database)
    (found,) = query_red.services(telemetry, Range(now - 10 * MINUTE, now), now, {})
    telemetry.close()
    # The first point is a baseline: 10 + 4 and then 1 more came after it.
    assert found.red.requests == 15
    assert 0.005e9 <= (found.red.quantile(0.5) or 0) <= 0.012e9
