"""A real application, started by OpenTelemetry's own command with nothing but an endpoint set."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.running import RunningServer, eventually, running_server
from watchkeeper_client.instrument_defaults import choose_protocol

_APPLICATION = """
import logging, sys

import httpx, uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route


async def stock(request):
    logging.getLogger("shop").warning("stock of %s is low", request.path_params["item"])
    return JSONResponse({"left": 2})


async def order(request):
    async with httpx.AsyncClient(base_url=str(request.base_url), trust_env=False) as client:
        return JSONResponse((await client.get("/stock/tea")).json())


app = Starlette(routes=[Route("/orders/{number}", order), Route("/stock/{item}", stock)])
uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("contract") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def service(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name under which an application appeared that was started, used and ended."""
    file = tmp_path_factory.mktemp("shop") / "shop.py"
    file.write_text(_APPLICATION, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "WATCHKEEPER_"))}
    command = [str(Path(sys.executable).parent / "opentelemetry-instrument"), sys.executable, str(file), str(port)]
    process = subprocess.Popen(
        command, env={**environ, "OTEL_EXPORTER_OTLP_ENDPOINT": server.url}, cwd=file.parent, stderr=subprocess.PIPE
    )
    try:
        eventually(lambda: _listens(port))
        for number in range(5):
            assert httpx.get(f"http://127.0.0.1:{port}/orders/{number}", trust_env=False).json() == {"left": 2}
    finally:
        process.send_signal(signal.SIGINT)  # after SIGTERM uvicorn ends without Python's exit handlers, which flush
        _, complaints = process.communicate(timeout=30)
    assert b"Failed to auto initialize" not in complaints
    return eventually(lambda: _unnamed(server))


def test_the_application_appears_in_the_catalog_under_the_name_that_the_sdk_gives_it(service: str) -> None:
    assert service == f"unknown_service:{Path(sys.executable).name}"


def test_its_requests_are_counted_per_route(server: RunningServer, service: str) -> None:
    def routes() -> dict[str, int]:
        found = _get(server, f"/api/v1/telemetry/services/{service}/routes")
        return {one["route"]: one["red"]["requests"] for one in found}

    assert eventually(lambda: routes() if len(routes()) >= 2 else None)["/orders/{number}"] == 5


def test_a_trace_joins_the_order_with_the_question_for_stock(server: RunningServer, service: str) -> None:
    traces = eventually(
        lambda: _get(server, "/api/v1/telemetry/traces", service=service, route="/orders/{number}")["items"]
    )
    trace = _get(server, f"/api/v1/telemetry/traces/{traces[0]['trace_id']}")
    kinds = {(span["kind"], span["name"]) for span in trace["spans"]}
    assert {("server", "GET /orders/{number}"), ("client", "GET"), ("server", "GET /stock/{item}")} <= kinds


def test_its_log_lines_lead_to_their_traces(server: RunningServer, service: str) -> None:
    lines = eventually(lambda: _get(server, "/api/v1/telemetry/logs", service=service, q="stock of tea")["items"])
    assert lines[0]["severity_text"] == "WARN"
    assert _get(server, f"/api/v1/telemetry/traces/{lines[0]['trace_id']}")["spans"]


def test_its_metrics_can_be_chosen_by_name(server: RunningServer, service: str) -> None:
    names = eventually(lambda: {one["name"] for one in _get(server, "/api/v1/telemetry/metrics", service=service)})
    assert "http.server.duration" in names or "http.server.request.duration" in names


def test_a_protocol_that_somebody_chose_stays() -> None:
    chosen = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    choose_protocol(chosen)
    assert chosen["OTEL_EXPORTER_OTLP_PROTOCOL"] == "grpc"


def test_nothing_is_chosen_for_an_application_that_sends_nowhere() -> None:
    environ: dict[str, str] = {}
    choose_protocol(environ)
    assert environ == {}


def _unnamed(server: RunningServer) -> str | None:
    names = [str(one["name"]) for one in _get(server, "/api/v1/services")["items"]]
    return next((name for name in names if name.startswith("unknown_service")), None)


def _get(server: RunningServer, path: str, **query: str) -> Any:
    answer = server.client.get(path, params=query)
    assert answer.is_success, answer.text
    return answer.json()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
