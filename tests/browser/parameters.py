"""Runtime configuration of the shop: a few of everything that its pages show."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

from watchkeeper.kernel.clock import SystemClock, rfc3339

PARAMETER, LIMITS, FLAG, OTHER_FLAG = "ORDERS_ON_A_PAGE", "LIMITS_BY_PLAN", "ENABLE_GIFT_WRAP", "ENABLE_GIFTS"
_NORWAY = {"all": [{"attribute": "country", "op": "equals", "value": "NO"}, {"not": {"users": ["u1"]}}]}
_DEFINITIONS: list[dict[str, Any]] = [
    {"key": PARAMETER, "type": "integer", "default": 20, "minimum": 5, "maximum": 100, "unit": "orders"},
    {"key": LIMITS, "type": "json", "default": {"free": {"orders": 3, "wishes": 10}, "paid": {"orders": 50}}},
    {"key": FLAG, "type": "flag", "default": "off", "needs_approval": True, "expires_on": "2026-01-01"},
    {"key": OTHER_FLAG, "type": "flag", "default": "on"},
    {"key": "PAYMENT_KEY", "type": "secret", "default": {"env": "PAYMENT_KEY"}, "deprecated_since": "2026-01-01"},
]
_STATE = {
    "enabled": True,
    "prerequisites": [{"key": OTHER_FLAG, "variants": ["on"]}],
    "rules": [{"name": "Norway", "when": _NORWAY, "serve": {"percent": 40, "variants": {"on": 1}}}],
    "serve": {"percent": 25, "variants": {"on": 1}},
}


def configure(client: httpx.Client) -> None:
    """Parameters, flags and changes of each kind, in two environments."""

    def post(path: str, body: dict[str, Any]) -> Any:
        return client.post(f"/api/v1{path}", json=body).raise_for_status().json()

    def change(environment: str, *operations: tuple[str, str, Any], at: str | None = None) -> Any:
        said = [{"key": key, "slot": slot, "value": value} for key, slot, value in operations]
        return post("/config/changes", {"environment": environment, "reason": "tried it", "operations": said, "at": at})

    for one in _DEFINITIONS:
        about = {"group": "shop/orders", "description": "What the shop does.", "service": "shop-orders"}
        post("/config/parameters", {**about, **one})
    post("/config/environments", {"name": "staging", "needs_approval": False, "copy_from": None, "reason": "to try"})
    post("/subjects", {"subjects": [{"id": f"u{number}", "country": "NO"} for number in range(20)]})
    change("production", (PARAMETER, "value", 30), (PARAMETER, "user:u1", 50))
    change(
        "production", (PARAMETER, "segment:all_users", {"value": 40}), (PARAMETER, "segment:country_NO", {"value": 45})
    )
    change("production", (LIMITS, "value", {"free": {"orders": 4, "wishes": 10}, "paid": {"orders": 50}}))
    change("staging", (LIMITS, "value", {"free": {"orders": 9, "wishes": 10}, "paid": {"orders": 90}}))
    change("staging", (PARAMETER, "value", 60))
    change("production", (PARAMETER, "value", 35), at=rfc3339(SystemClock().now() + timedelta(days=30)))
    change("production", (FLAG, "value", _STATE))
    report = {
        "service": "shop-orders",
        "environment": "production",
        "instance": "orders-1",
        "version": 3,
        "layers": [{"key": PARAMETER, "env": "25"}],
        "counts": [{"key": FLAG, "variant": "on", "count": 40}, {"key": FLAG, "variant": "off", "count": 160}],
    }
    client.post("/api/v1/config/report", json=report).raise_for_status()
