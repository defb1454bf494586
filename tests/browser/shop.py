"""A small shop that sends telemetry: a gateway that asks a service for orders, which asks its database."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

GATEWAY, ORDERS = "shop-gateway", "shop-orders"
_SERVER, _CLIENT, _INTERNAL = 2, 3, 1


@dataclass
class Shop:
    """Sends what its services would; remembers the traces it has sent."""

    url: str
    token: str | None = None
    sent: list[str] = field(default_factory=list)

    def serve(self, *, ago: float = 1.0, took: float = 0.12, fails: bool = False, note: str = "") -> str:
        """One visitor looks at an order, `ago` seconds ago. The trace's id."""
        trace = secrets.token_hex(16)
        self._send_spans(trace, time.time_ns() - int(ago * 1e9), int(took * 1e9), fails)
        self._send_line(trace, time.time_ns() - int((ago - took) * 1e9), fails, note)
        self.sent.append(trace)
        return trace

    def be_busy(self, visits: int = 60, minutes: float = 10, *, calm: bool = False) -> None:
        """Many visits over the last minutes, every twelfth of them unhappy, but for calm ones."""
        for number in range(visits):
            slow = 0.9 if number % 20 == 7 else 0.05 + number % 5 * 0.03
            self.serve(ago=2 + number * minutes * 60 / visits, took=slow, fails=not calm and number % 12 == 5)

    def _send_spans(self, trace: str, start: int, took: int, fails: bool) -> None:
        root, call, inner, query = (secrets.token_hex(8) for _ in range(4))
        status = 503 if fails else 200
        gateway = [
            _span(trace, root, "", "GET /orders/{id}", _SERVER, start, took, status),
            _span(trace, call, root, "GET", _CLIENT, start + took // 10, took * 8 // 10, status),
        ]
        orders = [
            _span(trace, inner, call, "GET /orders/{id}", _SERVER, start + took // 5, took * 6 // 10, status),
            _span(trace, query, inner, "SELECT orders", _INTERNAL, start + took // 4, took // 2, None, fails),
        ]
        resources = [
            {"resource": _resource(GATEWAY), "scopeSpans": [{"spans": gateway}]},
            {"resource": _resource(ORDERS), "scopeSpans": [{"spans": orders}]},
        ]
        self._post("/v1/traces", {"resourceSpans": resources})

    def _send_line(self, trace: str, at: int, fails: bool, note: str) -> None:
        text = note or ("The order could not be read: the database is locked" if fails else "The order was read")
        line = {
            "timeUnixNano": str(at),
            "severityNumber": 17 if fails else 9,
            "severityText": "ERROR" if fails else "INFO",
            "body": {"stringValue": text},
            "traceId": trace,
            "attributes": _attributes({"order.kind": "gift" if fails else "plain"}),
        }
        logs = [{"resource": _resource(ORDERS), "scopeLogs": [{"scope": {"name": "shop"}, "logRecords": [line]}]}]
        self._post("/v1/logs", {"resourceLogs": logs})

    def _post(self, path: str, body: dict[str, Any]) -> None:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        httpx.post(f"{self.url}{path}", json=body, headers=headers, trust_env=False).raise_for_status()


def _span(
    trace: str,
    span: str,
    parent: str,
    name: str,
    kind: int,
    start: int,
    took: int,
    status: int | None,
    bad: bool = False,
) -> dict[str, Any]:
    attributes: dict[str, str | int] = {"db.system": "sqlite"} if status is None else {
        "http.request.method": "GET",
        "http.route": "/orders/{id}",
        "http.response.status_code": status,
    }  # fmt: skip
    failed = bad or (status or 0) >= 500
    return {
        "traceId": trace,
        "spanId": span,
        **({"parentSpanId": parent} if parent else {}),
        "name": name,
        "kind": kind,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + took),
        "attributes": _attributes(attributes),
        "status": {"code": 2, "message": "database is locked"} if failed else {},
    }


def _resource(service: str) -> dict[str, Any]:
    return {"attributes": _attributes({"service.name": service, "deployment.environment.name": "production"})}


def _attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in values.items()
    ]
