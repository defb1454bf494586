"""People get in by invitation, may what their role says, and are out the moment they are disabled."""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.identity.support import ALICE, Browser, Console
from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.web.access import Actor, Scope
from watchkeeper.modules.identity import store
from watchkeeper.modules.identity.model import Role
from watchkeeper.modules.identity.people import People

BOB = {"name": "Bob Baker", "password": "walnut harbour in the fog", "again": "walnut harbour in the fog"}
WHY = "joins the team"


@pytest.fixture
def machine(console: Console, alice: Browser) -> TestClient:
    """The command line, which may everything; Alice is there already."""
    return console.program(console.control.secret, "127.0.0.1")


_keys = iter(range(10_000))


def post(client: TestClient, path: str, body: dict[str, Any]) -> Any:
    return client.post(f"/api/v1{path}", json=body, headers={"Idempotency-Key": f"people-{next(_keys)}"})


def invite(machine: TestClient, email: str = "bob@example.org", **more: Any) -> str:
    """The path of an invitation's link."""
    answer = post(machine, "/invitations", {"email": email, "reason": WHY, **more})
    assert answer.status_code == 201, answer.text
    return "/" + answer.json()["link"].split("/", 3)[3]


def person_id(console: Console, email: str) -> str:
    person = console.look(store.person_by_email, email)
    assert person is not None
    return str(person.id)


def bob_moves_in(console: Console, machine: TestClient, **granted: Any) -> Browser:
    browser = console.browser("198.51.100.30")
    answer = browser.submit(invite(machine, **granted), BOB)
    assert answer.status_code == 303, answer.text
    return browser


def edit(machine: TestClient, person: str, **changes: Any) -> Any:
    return machine.patch(f"/api/v1/people/{person}", json={"reason": WHY, **changes})


# --- invitations ------------------------------------------------------------------------------------------------------


def test_the_invited_get_the_role_duties_and_teams_they_were_given(console: Console, machine: TestClient) -> None:
    post(machine, "/teams", {"name": "team-edge", "reason": WHY})
    granted = {"role": "operator", "duties": ["safety"], "teams": ["team-edge"]}
    bob = bob_moves_in(console, machine, **granted)
    assert bob.is_signed_in()
    people = {one["name"]: one for one in machine.get("/api/v1/people").json()["items"]}
    assert {name: people["Bob Baker"][name] for name in granted} == granted
    told = repr(console.facts())
    assert "bob@example.org" not in told
    assert "Bob" not in told


def test_looking_at_an_invitation_does_not_use_it_up(console: Console, machine: TestClient) -> None:
    path = invite(machine, role="responder")
    for _ in range(3):
        page = console.browser("198.51.100.31").get(path)
        assert "invited as responder" in page.text
        assert "bob@example.org" in page.text
    assert console.browser("198.51.100.30").submit(path, BOB).status_code == 303


def test_an_invitation_works_once_also_for_many_at_once(console: Console, machine: TestClient) -> None:
    path = invite(machine)
    browsers = [console.browser(f"198.51.100.{number}") for number in range(40, 44)]
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda one=one: answers.append(one.submit(path, BOB).status_code)) for one in browsers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Who came too late for the form has none to send.
    assert answers.count(303) == 1
    assert set(answers) - {303} <= {403, 404}
    assert console.browser("198.51.100.50").get(path).status_code == 404


def test_an_invitation_is_over_after_three_days_or_when_it_is_withdrawn(console: Console, machine: TestClient) -> None:
    old, withdrawn = invite(machine), invite(machine, "carol@example.org")
    open_ones = {one["email"]: one["id"] for one in machine.get("/api/v1/invitations").json()["items"]}
    gone = machine.delete(f"/api/v1/invitations/{open_ones['carol@example.org']}?reason=a+mistake")
    assert gone.status_code == 204
    assert console.browser("198.51.100.30").get(withdrawn).status_code == 404
    console.clock.advance(timedelta(hours=72))
    assert console.browser("198.51.100.30").get(old).status_code == 404
    assert machine.get("/api/v1/invitations").json()["items"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"email": "no address"},
        {"email": ALICE["email"]},
        {"email": "bob@example.org", "role": "emperor"},
        {"email": "bob@example.org", "teams": ["nobody-knows-it"]},
        {"email": "bob@example.org", "is_admin": True},
        {"email": "bob@example.org", "reason": ""},
    ],
)
def test_a_wrong_invitation_is_refused_and_leaves_nothing(
    console: Console, machine: TestClient, body: dict[str, Any]
) -> None:
    before = len(console.facts())
    assert post(machine, "/invitations", {"reason": WHY, **body}).status_code == 422
    assert len(console.facts()) == before


def test_a_repeated_request_is_answered_without_the_link(machine: TestClient) -> None:
    body = {"email": "bob@example.org", "reason": WHY}
    first, again = (
        machine.post("/api/v1/invitations", json=body, headers={"Idempotency-Key": "same"}).json() for _ in range(2)
    )
    assert first["id"] == again["id"]
    assert first["link"]
    assert again["link"] is None


def test_a_second_invitation_for_an_address_replaces_the_first(console: Console, machine: TestClient) -> None:
    first, second = invite(machine), invite(machine, "Bob@Example.org")
    assert console.browser("198.51.100.30").get(first).status_code == 404
    assert console.browser("198.51.100.30").submit(second, BOB).status_code == 303


@pytest.mark.parametrize("change", [{"role": "viewer"}, {"disabled": True}])
def test_what_an_admin_has_open_ends_with_them(console: Console, machine: TestClient, change: dict[str, Any]) -> None:
    bob = bob_moves_in(console, machine, role="admin")
    form = {"email": "carol@example.org", "role": "admin", "reason": WHY}
    page = bob.submit("/settings/people/invite", form, page="/settings/people").text
    found = re.search(r"http://console(/invite/wki_[A-Za-z0-9_-]+)", page)
    assert found is not None
    assert edit(machine, person_id(console, "bob@example.org"), **change).status_code == 200
    assert console.browser("198.51.100.35").get(found[1]).status_code == 404


# --- roles ------------------------------------------------------------------------------------------------------------


def test_a_new_role_counts_from_the_next_request_on(console: Console, machine: TestClient) -> None:
    bob = bob_moves_in(console, machine, role="viewer")
    assert bob.get("/settings/tokens").status_code == 403
    assert edit(machine, person_id(console, "bob@example.org"), role="admin").status_code == 200
    assert bob.get("/settings/tokens").status_code == 200


def test_an_admin_has_no_duty_by_being_one() -> None:
    assert Role.ADMIN.scope is Scope.ADMIN
    admin = Actor(id="per_x", kind="person", name="x", scopes=frozenset({Scope.ADMIN}))
    from watchkeeper.kernel.web.access import Permission

    assert not admin.may(Permission("safety.look", Scope.SAFETY))
    assert not admin.may(Permission("privacy.look", Scope.PRIVACY))
    assert admin.may(Permission("anything.else", Scope.WRITE))


def test_the_last_admin_stays_one(console: Console, machine: TestClient) -> None:
    alice = person_id(console, ALICE["email"])
    for changes in ({"role": "viewer"}, {"disabled": True}):
        answer = edit(machine, alice, **changes)
        assert (answer.status_code, answer.json()["code"]) == (409, "identity.last_admin")


def test_of_two_admins_who_demote_each_other_at_once_one_stays(console: Console, machine: TestClient) -> None:
    bob_moves_in(console, machine, role="admin")
    ids = [person_id(console, ALICE["email"]), person_id(console, "bob@example.org")]
    start = threading.Barrier(2)

    def demote(me: str, other: str) -> None:
        start.wait()
        by = Actor(id=me, kind="person", name="", scopes=frozenset({Scope.ADMIN}))

        def run(db: Any) -> None:
            people = People(db, console.clock, console.settings)
            people.place(people.get(other, lock=True), role=Role.VIEWER, duties=frozenset(), reason=WHY, by=by)

        try:
            console.change(run)
        except Refusal:
            return

    threads = [threading.Thread(target=demote, args=pair) for pair in (ids, ids[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    people = machine.get("/api/v1/people").json()["items"]
    assert [one["role"] for one in people].count("admin") == 1


def test_nobody_changes_their_own_role(console: Console, machine: TestClient, alice: Browser) -> None:
    bob_moves_in(console, machine, role="admin")
    form = {"role": "viewer", "reason": WHY}
    me = f"/settings/people/{person_id(console, ALICE['email'])}"
    answer = alice.submit(f"{me}/place", form, page=me)
    assert answer.status_code == 409
    assert "another admin" in answer.text


def test_an_edit_of_an_older_version_is_refused(console: Console, machine: TestClient) -> None:
    bob_moves_in(console, machine)
    bob = person_id(console, "bob@example.org")
    first = edit(machine, bob, role="responder").headers["ETag"]
    edit(machine, bob, role="operator")
    late = machine.patch(f"/api/v1/people/{bob}", json={"role": "viewer", "reason": WHY}, headers={"If-Match": first})
    assert late.status_code == 412


def test_colleagues_see_names_and_admins_see_addresses(console: Console, machine: TestClient) -> None:
    _, secret = console.token("read")
    seen = console.program(secret).get("/api/v1/people").json()["items"]
    assert [(one["name"], one["email"], one["has_second_factor"]) for one in seen] == [("Alice Archer", None, None)]


# --- disabling and helping back in ------------------------------------------------------------------------------------


def test_a_disabled_person_is_out_at_once_and_can_not_come_back(console: Console, machine: TestClient) -> None:
    bob = bob_moves_in(console, machine, role="admin")
    them = person_id(console, "bob@example.org")
    link = post(machine, f"/people/{them}/reset-link", {"reason": WHY}).json()["link"]
    assert edit(machine, them, disabled=True).status_code == 200
    assert not bob.is_signed_in()
    again = console.browser("198.51.100.33")
    assert again.sign_in("bob@example.org", BOB["password"]).status_code == 403
    assert again.get("/" + link.split("/", 3)[3]).status_code == 404
    assert edit(machine, them, disabled=False).status_code == 200
    assert not bob.is_signed_in()
    assert again.sign_in("bob@example.org", BOB["password"]).status_code == 303


def test_a_forgotten_password_is_set_anew_by_a_link_that_works_once(console: Console, machine: TestClient) -> None:
    bob = bob_moves_in(console, machine)
    them = person_id(console, "bob@example.org")
    old = post(machine, f"/people/{them}/reset-link", {"reason": WHY}).json()["link"]
    link = post(machine, f"/people/{them}/reset-link", {"reason": WHY}).json()["link"]
    path = "/" + link.split("/", 3)[3]
    other = console.browser("198.51.100.34")
    assert other.get("/" + old.split("/", 3)[3]).status_code == 404
    assert other.submit(path, {"password": "too short", "again": "too short"}).status_code == 422
    new = {"password": "another walnut in spring", "again": "another walnut in spring"}
    assert other.submit(path, new).headers["location"] == "/login"
    assert not bob.is_signed_in()
    assert other.get(path).status_code == 404
    assert other.sign_in("bob@example.org", BOB["password"]).status_code == 403
    assert other.sign_in("bob@example.org", new["password"]).status_code == 303
    assert not re.search("wkr_|walnut", repr(console.facts()))


# --- on the pages -----------------------------------------------------------------------------------------------------


def test_an_admin_does_it_all_on_the_pages(console: Console, alice: Browser) -> None:
    team = {"name": "team-edge", "description": "The door", "reason": WHY}
    assert alice.submit("/settings/teams", team).status_code == 303
    form = {"email": "bob@example.org", "role": "operator", "team": "team-edge", "reason": WHY}
    page = alice.submit("/settings/people/invite", form, page="/settings/people").text
    found = re.search(r"http://console(/invite/wki_[A-Za-z0-9_-]+)", page)
    assert found is not None
    bob = console.browser("198.51.100.30")
    assert bob.submit(found[1], BOB).status_code == 303
    assert "team-edge" in alice.get("/settings/people").text
    them = f"/settings/people/{person_id(console, 'bob@example.org')}"
    assert alice.submit(f"{them}/place", {"role": "responder", "reason": ""}, page=them).status_code == 422
    assert alice.submit(f"{them}/disable", {"reason": "left us"}, page=them).status_code == 303
    assert "Disabled" in alice.get(them).text
    console.clock.advance(timedelta(minutes=11))
    late = alice.submit(f"{them}/enable", {"reason": "came back"}, page=them)
    assert late.headers["location"].startswith("/account/prove")
