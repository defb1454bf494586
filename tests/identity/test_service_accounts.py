"""Programs with a name, teams with a page: what admins do there, what others see, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.identity.support import Browser, Console
from tests.identity.test_people import BOB, WHY, bob_moves_in, edit, person_id, post
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.modules.identity import store_teams
from watchkeeper.modules.identity.public import TeamHoldings
from watchkeeper.modules.identity.teams import Teams

OWNED = {"team-edge": ["gateway", "web"]}


@pytest.fixture
def console(database: Database, clock: ManualClock) -> Iterator[Console]:
    """One where `team-edge` owns two services."""
    holdings = TeamHoldings((lambda _session, team: OWNED.get(team, []),))
    with Console.open(database, clock, extra={TeamHoldings: holdings}) as opened:
        yield opened


@pytest.fixture
def machine(console: Console, alice: Browser) -> TestClient:
    return console.program(console.control.secret, "127.0.0.1")


def _account(machine: TestClient, name: str = "deployer") -> str:
    return str(post(machine, "/service-accounts", {"name": name, "reason": WHY}).json()["id"])


def _make_team(machine: TestClient, name: str) -> dict[str, Any]:
    made = post(machine, "/teams", {"name": name, "description": "The door", "reason": WHY})
    assert made.status_code == 201, made.text
    return dict(made.json())


# --- tokens that somebody made ----------------------------------------------------------------------------------------


def test_tokens_of_who_is_disabled_go_on_until_somebody_says_otherwise(console: Console, machine: TestClient) -> None:
    bob = bob_moves_in(console, machine, role="admin")
    account = _account(machine)
    plain, accounts = (_token_made_by(bob, of) for of in ("", account))
    them = person_id(console, "bob@example.org")
    assert edit(machine, them, disabled=True).status_code == 200
    assert _works(console, plain)
    assert _works(console, accounts)
    assert edit(machine, them, revoke_tokens=True).status_code == 200
    assert not _works(console, plain)
    assert not _works(console, accounts)


def test_the_page_says_how_many_tokens_go_on_and_offers_to_end_them(
    console: Console, machine: TestClient, alice: Browser
) -> None:
    bob = bob_moves_in(console, machine, role="admin")
    secret = _token_made_by(bob, "")
    them = f"/settings/people/{person_id(console, 'bob@example.org')}"
    assert "1 token that they made goes on working" in alice.get(them).text
    form = {"reason": "he left", "revoke_tokens": "true"}
    assert alice.submit(f"{them}/disable", form, page=them).status_code == 303
    assert not _works(console, secret)


def _token_made_by(browser: Browser, account: str) -> str:
    form = {"name": "bot", "scope": "read", "expires": "30", "account": account}
    page = browser.submit("/settings/tokens", form).text
    found = re.search(r"wkt_[A-Za-z0-9_-]{43}", page)
    assert found is not None, page
    return found[0]


def _works(console: Console, secret: str) -> bool:
    return console.program(secret).get("/api/v1/teams").status_code == 200


# --- service accounts -------------------------------------------------------------------------------------------------


def test_an_account_is_named_otherwise_and_no_name_is_given_twice(console: Console, machine: TestClient) -> None:
    first, _ = _account(machine), _account(machine, "gateway")
    path = f"/api/v1/service-accounts/{first}"
    assert machine.patch(path, json={"name": "ship it", "reason": WHY}).json()["name"] == "ship it"
    taken = machine.patch(path, json={"name": "gateway", "reason": WHY})
    assert (taken.status_code, taken.json()["code"]) == (422, "identity.account_refused")
    assert machine.patch(path, json={"name": "x", "colour": "red", "reason": WHY}).status_code == 422
    assert machine.patch(path, json={"name": "x"}).status_code == 422
    assert [one["name"] for one in machine.get("/api/v1/service-accounts").json()["items"]] == ["gateway", "ship it"]


def test_an_admin_makes_an_account_gives_it_a_token_and_switches_it_off_on_the_pages(
    console: Console, alice: Browser
) -> None:
    made = alice.submit("/settings/service-accounts", {"name": "deployer", "description": "ships", "reason": WHY})
    page = made.headers["location"]
    account = page.rpartition("/")[2]
    assert f'<option value="{account}" selected>' in alice.get(f"/settings/tokens?account={account}").text
    secret = _token_made_by(alice, account)
    assert "bot" in alice.get(page).text
    assert _works(console, secret)
    assert alice.submit(f"{page}/disable", {"reason": ""}, page=page).status_code == 422
    assert alice.submit(f"{page}/disable", {"reason": "it leaked"}, page=page).status_code == 303
    assert not _works(console, secret)
    assert "none of its tokens works" in alice.get(page).text
    assert alice.submit(f"{page}/enable", {"reason": "found it"}, page=page).status_code == 303
    assert _works(console, secret)
    renamed = {"name": "shipper", "description": "ships", "reason": "a better name"}
    assert alice.submit(f"{page}/describe", renamed, page=page).status_code == 303
    assert "shipper" in alice.get("/settings/service-accounts").text


def test_a_switch_that_is_none_does_not_exist(alice: Browser, machine: TestClient) -> None:
    page = f"/settings/service-accounts/{_account(machine)}"
    assert alice.submit(f"{page}/explode", {"reason": WHY}, page=page).status_code in (404, 422)


def test_a_token_follows_its_account_into_a_team_at_once_here(console: Console, machine: TestClient) -> None:
    _make_team(machine, "team-edge")
    account = _account(machine)
    body = {"name": "ci", "scopes": ["write"], "account_id": account}
    secret = post(machine, "/tokens", body).json()["secret"]
    assert _works(console, secret)
    machine.put(f"/api/v1/teams/team-edge/members/{account}?reason=deploys+it")
    accounts = machine.get("/api/v1/service-accounts").json()["items"]
    assert [one["teams"] for one in accounts] == [["team-edge"]]


# --- teams ------------------------------------------------------------------------------------------------------------


def test_a_team_that_owns_something_is_not_deleted(console: Console, machine: TestClient, alice: Browser) -> None:
    _make_team(machine, "team-edge")
    refused = machine.delete("/api/v1/teams/team-edge?reason=reorganised")
    assert (refused.status_code, refused.json()["code"]) == (409, "identity.team_owns")
    assert "gateway, web" in refused.json()["detail"]
    page = alice.get("/settings/teams/team-edge").text
    assert "Give them to another team first" in page
    assert "Delete team-edge" not in page
    form = {"reason": "by hand", "csrf_token": ""}
    assert alice.submit("/settings/teams/team-edge/delete", form, page="/settings/teams/team-edge").status_code == 403


def test_a_team_that_files_describe_is_changed_there_only(console: Console, machine: TestClient) -> None:
    def by_files(db: Any) -> None:
        Teams(db, console.clock.now(), by="local", source="ops").create("team-ops", "Files", managed_by="ops")

    console.change(by_files)
    for answer in (
        machine.patch("/api/v1/teams/team-ops", json={"description": "Mine", "reason": WHY}),
        machine.delete("/api/v1/teams/team-ops?reason=no+more"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "identity.team_of_files")
    team = console.look(store_teams.team, "team-ops")
    assert (team.description, team.managed_by) == ("Files", "ops")
    account = _account(machine)
    joined = machine.put(f"/api/v1/teams/team-ops/members/{account}?reason=new+here")
    assert joined.json()["members"] == [account]


def test_a_description_is_bound_to_the_version_that_was_read(machine: TestClient) -> None:
    version = _make_team(machine, "team-edge")["version"]
    path = "/api/v1/teams/team-edge"
    first = machine.patch(path, json={"description": "One", "reason": WHY}, headers={"If-Match": version})
    late = machine.patch(path, json={"description": "Two", "reason": WHY}, headers={"If-Match": version})
    assert (first.status_code, late.status_code) == (200, 412)


def test_two_admins_on_one_page_do_not_overwrite_each_other(
    console: Console, machine: TestClient, alice: Browser
) -> None:
    bob = bob_moves_in(console, machine)
    assert bob.is_signed_in()
    them = f"/settings/people/{person_id(console, 'bob@example.org')}"
    version = re.search(r'name="version" value="([^"]+)"', alice.get(them).text)
    assert version is not None
    edit(machine, person_id(console, "bob@example.org"), role="responder")
    stale = {"role": "admin", "reason": WHY, "version": version[1].replace("&#34;", '"')}
    answer = alice.submit(f"{them}/place", stale, page=them)
    assert answer.status_code == 409
    assert "Somebody else changed this person" in answer.text
    assert alice.submit(f"{them}/place", {"role": "operator", "reason": WHY}, page=them).status_code == 303


def test_an_admin_fills_describes_and_deletes_a_team_on_its_page(
    console: Console, machine: TestClient, alice: Browser
) -> None:
    bob_moves_in(console, machine)
    bob = person_id(console, "bob@example.org")
    page = alice.submit("/settings/teams", {"name": "team-chat", "reason": WHY}).headers["location"]
    assert page == "/settings/teams/team-chat"
    for path, form in (
        ("describe", {"description": "The chat"}),
        ("join", {"member": bob}),
        ("leave", {"member": bob}),
    ):
        assert alice.submit(f"{page}/{path}", {**form, "reason": ""}, page=page).status_code == 422
        assert alice.submit(f"{page}/{path}", {**form, "reason": WHY}, page=page).status_code == 303
    assert "The chat" in alice.get(page).text
    gone = alice.submit(f"{page}/delete", {"reason": "reorganised"}, page=page)
    assert gone.headers["location"] == "/settings/teams"
    assert alice.get(page).status_code == 404


def test_colleagues_see_people_and_teams_and_may_change_nothing(console: Console, machine: TestClient) -> None:
    _make_team(machine, "team-edge")
    bob = bob_moves_in(console, machine, role="operator", teams=["team-edge"])
    people, teams, team = (
        bob.get(path).text for path in ("/settings/people", "/settings/teams", "/settings/teams/team-edge")
    )
    assert "Alice Archer" in people
    assert "alice@example.org" not in people
    assert BOB["name"] in team
    assert 'action="/settings/' not in people + teams + team
    assert bob.get("/settings/service-accounts").status_code == 403
    assert bob.get(f"/settings/people/{person_id(console, 'bob@example.org')}").status_code == 403


def test_one_person_is_read_with_the_version_that_a_change_needs(console: Console, machine: TestClient) -> None:
    bob_moves_in(console, machine)
    path = f"/api/v1/people/{person_id(console, 'bob@example.org')}"
    read = machine.get(path)
    assert read.json()["email"] == "bob@example.org"
    change = {"role": "responder", "reason": WHY}
    assert machine.patch(path, json=change, headers={"If-Match": read.headers["ETag"]}).status_code == 200
    assert machine.patch(path, json=change, headers={"If-Match": read.headers["ETag"]}).status_code == 412
    assert machine.get("/api/v1/people/nobody").status_code == 404


def test_the_foot_of_a_persons_page_names_the_program_and_not_a_version_of_theirs(
    console: Console, machine: TestClient, alice: Browser
) -> None:
    foots = [
        re.search(r"<footer.*?</footer>", alice.get(path).text, re.DOTALL)
        for path in ("/settings/people", f"/settings/people/{person_id(console, 'alice@example.org')}")
    ]
    assert foots[0] is not None
    assert foots[1] is not None
    assert foots[0][0] == foots[1][0]
