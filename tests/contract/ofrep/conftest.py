"""A server with one flag and one parameter of each kind, and a token that may read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.support.running import RunningServer, running_server

DEFINED: tuple[dict[str, Any], ...] = (
    {"key": "COUNT", "type": "integer", "default": 3},
    {"key": "RATIO", "type": "float", "default": 2.0},
    {"key": "WORD", "type": "string", "default": "x"},
    {"key": "SHAPE", "type": "json", "default": {"a": [1, 2.5]}},
    {"key": "WAIT", "type": "duration", "default": "1h30m"},
    {"key": "HIDDEN", "type": "secret", "default": {"env": "HIDDEN"}},
    {"key": "NOTHING", "type": "string"},
    {"key": "FLAG", "type": "flag"},
    {"key": "SPLIT", "type": "flag"},
)


@dataclass(frozen=True)
class Ofrep:
    """The server, and requests in few words."""

    server: RunningServer
    token: str

    def evaluate(self, key: str | None = None, context: Any = None, **options: Any) -> httpx.Response:
        path = "/ofrep/v1/evaluate/flags" + (f"/{key}" if key is not None else "")
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        body = options.pop("content", None)
        sent: dict[str, Any] = {"content": body} if body is not None else {"json": {"context": context or {}}}
        return httpx.post(self.server.url + path, headers=headers, trust_env=False, timeout=20, **sent, **options)

    def put(self, key: str, value: Any, slot: str = "value") -> None:
        operation = {"key": key, "slot": slot, "value": value}
        body = {"environment": "production", "reason": "tried out", "operations": [operation]}
        answer = self.server.client.post("/api/v1/config/changes", json=body)
        assert answer.status_code == 201 or answer.json()["code"] == "config.nothing_changes", answer.text


@pytest.fixture(scope="module")
def ofrep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ofrep]:
    settings = {"WATCHKEEPER_CONFIG_OFREP_ORIGINS": "https://shop.example"}
    with running_server(tmp_path_factory.mktemp("ofrep") / "data", settings) as server:
        for one in DEFINED:
            server.client.post("/api/v1/config/parameters", json=one).raise_for_status()
        made = server.client.post("/api/v1/tokens", json={"name": "ofrep", "scopes": ["read"]}).json()
        running = Ofrep(server, made["secret"])
        running.put("FLAG", {"value": "on", "priority": 0}, "segment:country_NO")
        running.put("FLAG", "off", "user:u9")
        running.put("SPLIT", {"serve": {"percent": 50, "variants": {"on": 1}}})
        yield running
