"""Every route states its permission, and what is open to anybody is a short list that somebody looked at."""

from __future__ import annotations

import pytest
from fastapi import FastAPI

from watchkeeper.app.server import Watchkeeper
from watchkeeper.kernel.web.access import Permission, Public, Scope, StatedRoute, stated_routes

# A new line here is a decision: say in the review why nobody needs to be known.
OPEN_TO_ANYBODY = {
    "/api/v2/components.json",
    "/api/v2/incidents.json",
    "/api/v2/incidents/unresolved.json",
    "/api/v2/scheduled-maintenances.json",
    "/api/v2/scheduled-maintenances/active.json",
    "/api/v2/scheduled-maintenances/upcoming.json",
    "/api/v2/status.json",
    "/api/v2/summary.json",
    "/favicon.ico",
    "/healthz",
    "/ack/{secret}",
    "/integrations/alertmanager",
    "/integrations/alertmanager/{path}",
    "/integrations/generic",
    "/integrations/generic/{path}",
    "/integrations/grafana",
    "/integrations/grafana/{path}",
    "/integrations/slack/commands",
    "/integrations/slack/interactions",
    "/integrations/twilio/sms",
    "/integrations/twilio/voice/{secret}",
    "/invite/{secret}",
    "/login",
    "/login/link/{secret}",
    "/login/passkey",
    "/login/passkey/options",
    "/login/second",
    "/login/oidc",
    "/login/oidc/callback",
    "/metrics",
    "/oncall/me.ics",
    "/oncall/schedules/{schedule_id}.ics",
    "/openapi.json",
    "/ping",
    "/ping/{path}",
    "/readyz",
    "/reset/{secret}",
    "/setup/{secret}",
    "/shared/postmortems/{secret}",
    "/static/{path}",
    "/status",
    "/status/confirm/{token}",
    "/status/history",
    "/status/history.atom",
    "/status/history.rss",
    "/status/subscribe",
    "/status/unsubscribe/{token}",
    "/v2",
    "/v2/{path}",
}
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
# They change what belongs to whoever asks, and nothing else.
ONES_OWN = {"identity.use_account", "notify.use_contacts", "oncall.use_calendar_links"}
# They only compute; POST because of their bodies.
ASKS_BY_POST = {"ops.plan", "oncall.replay", "postmortems.check"}


@pytest.fixture(scope="session")
def routes(watchkeeper: Watchkeeper) -> list[StatedRoute]:
    found = list(stated_routes(watchkeeper.app))
    assert len(found) > 40
    return found


def test_every_route_states_its_permission(routes: list[StatedRoute]) -> None:
    assert [route.path for route in routes if route.permission is None] == []


def test_only_these_routes_are_open_to_anybody(routes: list[StatedRoute]) -> None:
    assert {route.path for route in routes if isinstance(route.permission, Public)} == OPEN_TO_ANYBODY


def test_an_open_route_gives_its_reason(routes: list[StatedRoute]) -> None:
    assert all(len(route.permission.reason) > 15 for route in routes if isinstance(route.permission, Public))


def test_whoever_may_only_read_changes_nothing(routes: list[StatedRoute]) -> None:
    found = [
        f"{sorted(route.methods)} {route.path}"
        for route in routes
        if route.methods & UNSAFE
        and isinstance(route.permission, Permission)
        and route.permission.scope is Scope.READ
        and route.permission.name not in ONES_OWN | ASKS_BY_POST
    ]
    assert found == []


def test_reading_asks_for_no_more_than_the_scope_that_reads(routes: list[StatedRoute]) -> None:
    administration = {"identity.manage_tokens", "app.view_settings", "audit.view", "identity.manage_people"}
    # Ids of single users are not for everybody.
    administration |= {"subjects.look_up", "subjects.edit_segments"}
    # Nor are the addresses of those who get mails.
    administration |= {"slo.schedule_reports"}
    found = [
        route.path
        for route in routes
        if route.methods == {"GET"}
        and isinstance(route.permission, Permission)
        and route.permission.scope is not Scope.READ
        and route.permission.name not in administration
    ]
    assert found == []


def test_a_permission_has_one_name_and_one_scope(routes: list[StatedRoute]) -> None:
    scopes: dict[str, set[Scope]] = {}
    for route in routes:
        if isinstance(route.permission, Permission):
            scopes.setdefault(route.permission.name, set()).add(route.permission.scope)
    assert {name for name, found in scopes.items() if len(found) > 1} == set()


def test_a_route_that_states_nothing_is_found() -> None:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.get("/forgotten")(lambda: None)
    app.mount("/mounted", FastAPI())
    assert {route.path for route in stated_routes(app) if route.permission is None} >= {"/forgotten"}


def test_every_operation_of_the_contract_names_what_it_needs(watchkeeper: Watchkeeper) -> None:
    operations = [
        (path, method, operation)
        for path, item in watchkeeper.app.openapi()["paths"].items()
        for method, operation in item.items()
        if method in {"get", "post", "put", "patch", "delete"}
    ]
    assert len(operations) > 20
    assert [f"{method} {path}" for path, method, operation in operations if "x-permission" not in operation] == []
    assert [f"{method} {path}" for path, method, operation in operations if not operation.get("summary")] == []
