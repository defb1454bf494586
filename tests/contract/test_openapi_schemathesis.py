"""Whatever is sent to the API, it answers as its contract says, and never with a server's error."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.browser.shop import GATEWAY, Shop
from tests.house.tree import ROOT
from tests.support.running import RunningServer, eventually, running_server

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# The same requests each time: a change is refused for what it broke, not for what chance found meanwhile.
BOUNDED = settings(max_examples=3, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
# The committed one, which tests/house compares with the app's. A stream never ends; its tests are in tests/app.
schema = schemathesis.openapi.from_path(ROOT / "docs/contracts/openapi.json").exclude(path_regex="/stream$")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("contract") / "data") as server:
        Shop(server.url).be_busy(10)
        eventually(lambda: server.client.get(f"/api/v1/services/{GATEWAY}").is_success)
        yield server


@pytest.fixture(scope="module")
def admin(server: RunningServer) -> dict[str, str]:
    made = server.client.post("/api/v1/tokens", json={"name": "contract", "scopes": ["admin"]}).raise_for_status()
    return {"Authorization": f"Bearer {made.json()['secret']}"}


@schema.parametrize()
@BOUNDED
def test_every_operation_keeps_its_contract(
    case: schemathesis.Case, server: RunningServer, admin: dict[str, str]
) -> None:
    case.call_and_validate(base_url=server.url, headers=admin, checks=CHECKS)


@schema.parametrize()
@settings(BOUNDED, max_examples=1)
def test_no_operation_answers_somebody_unknown(case: schemathesis.Case, server: RunningServer) -> None:
    answer = case.call(base_url=server.url, headers={"Authorization": "Bearer wkt_nobody"})
    # 405 and 404: it also tries methods that a path has not, and values that make another path.
    assert answer.status_code in (400, 401, 404, 405, 413, 415, 422)
    assert answer.status_code == 401 or answer.headers["content-type"] == ["application/problem+json"]
