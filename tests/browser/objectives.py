"""Objectives of the shop: one that burns, one with two targets, one that counts nothing, and what is around them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

from tests.browser.shop import GATEWAY, ORDERS
from watchkeeper.kernel.clock import SystemClock, rfc3339

BURNING, TARGETS, EMPTY = "orders-availability", "gateway-latency", "gateway-probes"
_DEFINITIONS: list[dict[str, Any]] = [
    {
        "name": BURNING,
        "display_name": "Orders can be read",
        "service": ORDERS,
        "indicator": {"kind": "availability", "service": ORDERS},
        "objectives": [{"target": 0.9999}],
        "window": {"rolling": "30d"},
    },
    {
        "name": TARGETS,
        "service": GATEWAY,
        "indicator": {"kind": "latency", "service": GATEWAY},
        "objectives": [
            {"name": "quick", "target": 0.5, "threshold": "500ms"},
            {"name": "bearable", "target": 0.9, "threshold": "2s"},
        ],
        "window": {"calendar": "month", "time_zone": "Europe/Oslo"},
    },
    {
        "name": EMPTY,
        "service": GATEWAY,
        "indicator": {"kind": "freshness", "service": GATEWAY, "event": "probe.seen"},
        "objectives": [{"target": 0.9, "threshold": "5m"}],
        "window": {"rolling": "7d"},
    },
]


def define_objectives(client: httpx.Client) -> None:
    """A few of everything that the pages of objectives show."""

    def post(path: str, body: dict[str, Any]) -> None:
        client.post(f"/api/v1{path}", json=body).raise_for_status()

    hour_ago = rfc3339(SystemClock().now() - timedelta(hours=1))
    for one in _DEFINITIONS:
        post("/slos", one)
    outage = {"kind": "third_party_outage", "slos": [EMPTY], "since": hour_ago, "reason": "the prober was away"}
    post("/slo/exclusions", outage)
    given = {"slo": BURNING, "objective": "main", "events": 2, "at": hour_ago, "reason": "a load test of ours"}
    post("/slo/adjustments", given)
    source = {"name": "prometheus", "url": "https://prometheus.shop.example", "description": "what the shop had before"}
    client.put("/api/v1/slo/data-sources/prometheus", json=source).raise_for_status()
    policy = {"name": "shop", "services": [ORDERS], "steps": [{"burn": 2, "action": "freeze_all"}]}
    client.put("/api/v1/slo/policies/shop", json=policy).raise_for_status()


def burns(client: httpx.Client) -> bool:
    """Whether the alert of the one that burns is open."""
    found = client.get("/api/v1/slos").raise_for_status().json()["items"]
    return any(one["slo"] == BURNING and one["status"] in ("burning", "exhausted") for one in found)
