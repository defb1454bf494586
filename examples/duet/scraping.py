"""What a service measures for Prometheus too: the very instruments whose values it sends."""

from __future__ import annotations

import logging

from opentelemetry import metrics
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry, make_asgi_app
from starlette.types import ASGIApp, Receive, Scope, Send

PATH = "/metrics"
_log = logging.getLogger("duet.scraping")


def scraped(app: ASGIApp) -> ASGIApp:
    """`app` with `GET /metrics`, which is no request of its own. After telemetry was set up, and outside of what
    watches requests."""
    provider = metrics.get_meter_provider()
    if not isinstance(provider, MeterProvider):
        _log.warning("telemetry is off: there is nothing to scrape")
        return app
    registry = CollectorRegistry()
    provider.add_metric_reader(PrometheusMetricReader(registry=registry))
    page: ASGIApp = make_asgi_app(registry)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        asked = scope["type"] == "http" and scope["path"] == PATH
        await (page if asked else app)(scope, receive, send)

    return answer
