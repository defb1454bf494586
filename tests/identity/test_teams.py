"""Teams and service accounts: who owns what, and programs that are switched off with all their keys."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.identity.support import Browser, Console
from tests.identity.test_people import WHY, bob_moves_in, person_id, post
from watchkeeper.kernel.web.access import Actor, Scope
from watchkeeper.modules.identity.authenticator import CACHE_SECONDS


@pytest.fixture
def machine(console: Console, alice: Browser) -> TestClient:
    return console.program(console.control.secret, "127.0.0.1")


def _team(machine: TestClient, name: str = "team-edge") -> None:
    assert post(machine, "/teams", {"name": name, "description": "The door", "reason": WHY}).status_code == 201


def test_a_team_is_made_described_filled_and_deleted_with_a_fact_each(console: Console, machine: TestClient) -> None:
    _team(machine)
    bob_moves_in(console, machine)
    bob = person_id(console, "bob@example.org")
    assert machine.patch("/api/v1/teams/team-edge", json={"description": "Doors", "reason": WHY}).status_code == 200
    for _ in range(2):
        joined = machine.put(f"/api/v1/teams/team-edge/members/{bob}?reason=new+here")
        assert joined.json()["members"] == [bob]
    assert machine.delete(f"/api/v1/teams/team-edge/members/{bob}?reason=moved+on").json()["members"] == []
    assert machine.delete("/api/v1/teams/team-edge?reason=reorganised").status_code == 204
    kinds = [fact.kind for fact in console.facts() if fact.kind.startswith("identity.team_")]
    assert kinds == [
        "identity.team_changed",
        "identity.team_changed",
        "identity.team_joined",
        "identity.team_left",
        "identity.team_changed",
    ]


@pytest.mark.parametrize("name", ["", "Team Edge", "-edge", "x" * 81, "a/b", "t\u0435am-edge"])
def test_a_name_that_is_none_is_refused(machine: TestClient, name: str) -> None:
    assert post(machine, "/teams", {"name": name, "reason": WHY}).status_code == 422


def test_a_team_is_made_once_and_only_of_those_who_exist(machine: TestClient) -> None:
    _team(machine)
    assert post(machine, "/teams", {"name": "team-edge", "reason": WHY}).status_code == 422
    nobody = "per_" + "0" * 26
    assert machine.put(f"/api/v1/teams/team-edge/members/{nobody}?reason=why+not").status_code == 422
    assert machine.put("/api/v1/teams/no-team/members/x?reason=why+not").status_code == 404


# --- service accounts -------------------------------------------------------------------------------------------------


def _account(machine: TestClient, name: str = "deployer") -> str:
    return str(post(machine, "/service-accounts", {"name": name, "reason": WHY}).json()["id"])


def _token(machine: TestClient, account: str, *scopes: str) -> str:
    body = {"name": "ci", "scopes": list(scopes), "account_id": account}
    answer = post(machine, "/tokens", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["secret"])


def test_a_disabled_account_takes_its_tokens_with_it(console: Console, machine: TestClient) -> None:
    account = _account(machine)
    program = console.program(_token(machine, account, "read"))
    other_server = console.another().program(_token(machine, account, "read"))
    assert program.get("/api/v1/teams").status_code == 200
    assert other_server.get("/api/v1/teams").status_code == 200
    off = machine.patch(f"/api/v1/service-accounts/{account}", json={"disabled": True, "reason": "leaked"})
    assert off.status_code == 200
    assert program.get("/api/v1/teams").status_code == 401
    from datetime import timedelta

    console.clock.advance(timedelta(seconds=CACHE_SECONDS))
    assert other_server.get("/api/v1/teams").status_code == 401
    machine.patch(f"/api/v1/service-accounts/{account}", json={"disabled": False, "reason": "all clear"})
    assert program.get("/api/v1/teams").status_code == 200


def test_a_token_of_an_account_acts_for_the_accounts_teams_only(console: Console, machine: TestClient) -> None:
    _team(machine)
    account = _account(machine)
    assert _actor(console, _token(machine, account, "write")).teams == frozenset()
    machine.put(f"/api/v1/teams/team-edge/members/{account}?reason=deploys+it")
    acting = _actor(console, _token(machine, account, "write"))
    assert acting.acts_for("team-edge")
    assert acting.acts_for(None)
    assert not acting.acts_for("team-chat")
    assert _actor(console, _token(machine, account, "admin")).acts_for("team-chat")


def _actor(console: Console, secret: str) -> Actor:
    import asyncio

    from starlette.requests import Request

    from watchkeeper.modules.identity.authenticator import IdentityAuthenticator

    scope = {"type": "http", "headers": [(b"authorization", f"Bearer {secret}".encode())], "client": ("192.0.2.1", 1)}
    authenticator = console.app.state.parts[IdentityAuthenticator]

    async def run() -> Any:
        found = await authenticator.authenticate(Request(scope))
        await authenticator.settle()
        return found

    actor = asyncio.run(run())
    assert isinstance(actor, Actor)
    return actor


@pytest.mark.parametrize("scope", [Scope.SAFETY, Scope.PRIVACY])
def test_a_duty_is_never_a_tokens(machine: TestClient, scope: Scope) -> None:
    answer = post(machine, "/tokens", {"name": "x", "scopes": [scope.value]})
    assert answer.status_code == 422
    assert "people by name" in answer.text


def test_a_token_of_no_account_or_a_disabled_one_is_refused(machine: TestClient) -> None:
    account = _account(machine)
    machine.patch(f"/api/v1/service-accounts/{account}", json={"disabled": True, "reason": "over"})
    for wrong in (account, "sva_" + "0" * 26, "nonsense"):
        assert post(machine, "/tokens", {"name": "x", "scopes": ["read"], "account_id": wrong}).status_code == 404


def test_a_name_is_given_once(machine: TestClient) -> None:
    _account(machine)
    assert post(machine, "/service-accounts", {"name": "deployer", "reason": WHY}).status_code == 422
