"""Requests are measured by the route that served them, and only those that somebody waits for."""

import asyncio
import re
from typing import Annotated

import pytest
from fastapi import APIRouter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from starlette.requests import Request
from starlette.testclient import TestClient

from watchkeeper.kernel.telemetry import metrics, tracing
from watchkeeper.kernel.web.access import Actor, Public, public
from watchkeeper.kernel.web.app_factory import create_app
from watchkeeper.kernel.web.sse import ServerSentEvent, event_stream

inner = APIRouter()
router = APIRouter(prefix="/api/v1")
Anybody = Annotated[Actor | None, public("a test")]


@inner.get("/lamps/{id}")
async def lamp(id: str, who: Anybody) -> str:  # noqa: A002
    if id == "broken":
        raise RuntimeError("a bug")
    return tracing.current_trace_id() or "no trace"


@router.get("/stream")
async def stream(request: Request, who: Anybody):
    async def source():
        yield ServerSentEvent("x")

    return event_stream(request, source())


router.include_router(inner, prefix="/rooms/{room}")


class Intake:
    permission = Public("a test")

    async def __call__(self, scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})


@pytest.fixture
def spans():
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.use_provider(provider)
    yield exporter
    tracing.use_provider(None)


@pytest.fixture
def client():
    return TestClient(create_app(parts={}, routers=[router], mounts={"/v1/traces": Intake()}))


def counted(route: str, status: int) -> float:
    labels = rf'{{[^}}]*status_code="{status}",http_route="{re.escape(route)}"}}'
    found = re.findall(rf"http_server_request_duration_seconds_count{labels} (\S+)", metrics.render()[0].decode())
    return sum(map(float, found))


def test_a_request_is_one_server_span_named_by_its_whole_route(client, spans):
    trace_id = client.get("/api/v1/rooms/kitchen/lamps/7").json()
    (span,) = spans.get_finished_spans()
    assert span.name == "GET /api/v1/rooms/{room}/lamps/{id}"
    assert span.attributes["http.route"] == "/api/v1/rooms/{room}/lamps/{id}"
    assert (span.attributes["http.response.status_code"], span.kind.name) == (200, "SERVER")
    assert trace_id == f"{span.context.trace_id:032x}"


def test_its_duration_is_counted_by_route_and_status(client):
    route = "/api/v1/rooms/{room}/lamps/{id}"
    before = counted(route, 200)
    for room in ("kitchen", "hall"):
        client.get(f"/api/v1/rooms/{room}/lamps/7")
    assert counted(route, 200) == before + 2


def test_a_bug_is_an_error_of_the_route(client, spans):
    before = counted("/api/v1/rooms/{room}/lamps/{id}", 500)
    client.get("/api/v1/rooms/kitchen/lamps/broken")
    (span,) = spans.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert counted("/api/v1/rooms/{room}/lamps/{id}", 500) == before + 1


def test_a_path_that_nobody_serves_makes_no_label_of_its_own(client, spans):
    before = counted("", 404)
    client.get("/made/up/by/a/scanner")
    assert counted("", 404) == before + 1
    assert spans.get_finished_spans()[0].name == "GET"


def test_a_made_up_method_makes_no_label_of_its_own(client, spans):
    client.request("BREW", "/api/v1/rooms/a/lamps/7")
    assert spans.get_finished_spans()[0].attributes["http.request.method"] == "_OTHER"


def test_the_callers_trace_goes_on(client, spans):
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert client.get("/api/v1/rooms/a/lamps/7", headers={"traceparent": parent}).json() == parent.split("-")[1]


@pytest.mark.parametrize("path", ["/v1/traces", "/healthz", "/readyz", "/metrics", "/static/x/y.css"])
def test_what_machines_ask_every_few_seconds_is_not_watched(client, spans, path):
    answer = client.request("POST" if path == "/v1/traces" else "GET", path)
    assert spans.get_finished_spans() == ()
    assert answer.headers["x-request-id"].startswith("req_")


def test_a_stream_is_no_latency(client, spans):
    before = counted("/api/v1/stream", 200)
    client.get("/api/v1/stream")
    assert counted("/api/v1/stream", 200) == before
    assert len(spans.get_finished_spans()) == 1


def test_requests_at_the_same_time_keep_their_own_ids(client):
    import httpx

    async def go():
        transport = httpx.ASGITransport(client.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as many:
            return await asyncio.gather(*(many.get("/api/v1/rooms/a/lamps/7") for _ in range(20)))

    assert len({answer.headers["x-request-id"] for answer in asyncio.run(go())}) == 20


def test_without_self_telemetry_there_is_no_trace(client):
    assert client.get("/api/v1/rooms/a/lamps/7").json() == "no trace"
