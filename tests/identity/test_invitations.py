"""Links that admins give away: guessing them is slow, and what they open is what was granted, nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.identity.support import ALICE, PASSWORD, Browser, Console
from tests.identity.test_people import BOB, bob_moves_in, edit, invite, person_id, post
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.journal.store import private_values
from watchkeeper.modules.identity import store
from watchkeeper.modules.identity.model import Duty, Person, Role
from watchkeeper.modules.identity.settings import IdentitySettings
from watchkeeper.modules.identity.tables import links

ELSEWHERE = "198.51.100.77"


@pytest.fixture
def console(database: Database, clock: ManualClock) -> Iterator[Console]:
    """One that answers three dead links per address in a quarter of an hour."""
    with Console.open(database, clock, settings=IdentitySettings(failures_per_address=3)) as opened:
        yield opened


@pytest.fixture
def machine(console: Console, alice: Browser) -> TestClient:
    return console.program(console.control.secret, "127.0.0.1")


@pytest.mark.parametrize("kind", ["invite/wki", "reset/wkr"])
def test_who_tries_dead_links_waits_and_others_do_not(console: Console, machine: TestClient, kind: str) -> None:
    good, guesser = invite(machine), console.browser(ELSEWHERE)
    for number in range(3):
        assert guesser.get(f"/{kind}_{number}").status_code == 404
    paused = guesser.get(f"/{kind}_3")
    assert (paused.status_code, 0 < int(paused.headers["Retry-After"]) <= 900) == (429, True)
    assert guesser.get(good).status_code == 429
    assert console.browser("198.51.100.78").get(good).status_code == 200
    console.clock.advance(timedelta(minutes=15))
    assert guesser.get(good).status_code == 200


def test_a_pause_counts_on_every_server(console: Console, machine: TestClient) -> None:
    for number in range(3):
        console.browser(ELSEWHERE).get(f"/invite/wki_{number}")
    assert console.another().browser(ELSEWHERE).get(invite(machine)).status_code == 429


def test_a_good_link_may_be_opened_and_mistyped_at_as_often_as_one_likes(console: Console, machine: TestClient) -> None:
    path, bob = invite(machine), console.browser(ELSEWHERE)
    for _ in range(5):
        assert bob.get(path).status_code == 200
        assert bob.submit(path, {**BOB, "again": "something else entirely"}).status_code == 422
        assert bob.submit(path, {**BOB, "password": "short", "again": "short"}).status_code == 422
    assert bob.submit(path, BOB).status_code == 303


def test_a_link_is_kept_only_as_a_digest(console: Console, machine: TestClient) -> None:
    secret = invite(machine).rpartition("/")[2]
    assert secret not in repr(console.look(lambda db: db.execute(links.select()).all()))


def test_an_address_that_somebody_got_meanwhile_is_refused(console: Console, machine: TestClient) -> None:
    path = invite(machine)
    now = console.clock.now()
    other = Person(
        id=new_id("per"), name="B", email="BOB@example.org", role=Role.VIEWER, password_hash=None, created_at=now
    )
    console.change(lambda db: store.add_person(db, other, seat=None))
    answer = console.browser(ELSEWHERE).submit(path, BOB)
    assert answer.status_code == 404
    assert "has an account already" in answer.text
    assert [one["name"] for one in machine.get("/api/v1/people").json()["items"]] == ["Alice Archer", "B"]


def test_the_form_grants_nothing_of_its_own(console: Console, machine: TestClient) -> None:
    path = invite(machine, role="viewer")
    answer = console.browser(ELSEWHERE).submit(path, {**BOB, "role": "admin", "email": "root@example.org"})
    assert answer.status_code == 422
    assert console.browser(ELSEWHERE).submit(path, BOB).status_code == 303
    bob = console.look(store.person_by_email, "bob@example.org")
    assert (bob.role, bob.duties) == (Role.VIEWER, frozenset[Duty]())


def test_a_team_that_is_gone_when_an_invitation_is_accepted_is_left_out(console: Console, machine: TestClient) -> None:
    post(machine, "/teams", {"name": "team-edge", "reason": "for a while"})
    path = invite(machine, teams=["team-edge"])
    assert machine.delete("/api/v1/teams/team-edge?reason=no+longer").status_code == 204
    assert console.browser(ELSEWHERE).submit(path, BOB).status_code == 303


def test_who_is_disabled_gets_no_link_and_those_they_have_are_dead(console: Console, machine: TestClient) -> None:
    bob_moves_in(console, machine)
    bob = person_id(console, "bob@example.org")
    link = post(machine, f"/people/{bob}/reset-link", {"reason": "forgot it"}).json()["link"]
    edit(machine, bob, disabled=True)
    assert post(machine, f"/people/{bob}/reset-link", {"reason": "forgot it"}).status_code == 409
    edit(machine, bob, disabled=False)
    assert console.browser(ELSEWHERE).get("/" + link.split("/", 3)[3]).status_code == 404


def test_an_admin_who_can_not_sign_in_does_not_count_as_one(console: Console, machine: TestClient) -> None:
    now = console.clock.now()
    demo = Person(id=new_id("per"), name="Demo", email=None, role=Role.ADMIN, password_hash=None, created_at=now)
    console.change(lambda db: store.add_person(db, demo, seat=None))
    alice = person_id(console, ALICE["email"])
    assert edit(machine, alice, role="viewer").json()["code"] == "identity.last_admin"
    assert edit(machine, alice, disabled=True).json()["code"] == "identity.last_admin"
    assert edit(machine, demo.id, disabled=True).status_code == 200


def test_a_disabled_persons_right_password_tells_nothing(console: Console, machine: TestClient) -> None:
    bob_moves_in(console, machine)
    edit(machine, person_id(console, "bob@example.org"), disabled=True)
    right, wrong = (
        console.browser(ELSEWHERE).sign_in("bob@example.org", password) for password in (BOB["password"], PASSWORD)
    )
    assert (right.status_code, wrong.status_code) == (403, 403)
    assert _without_tokens(right.text) == _without_tokens(wrong.text)


def test_a_reason_stands_beside_the_sealed_fact_and_not_in_it(console: Console, machine: TestClient) -> None:
    bob_moves_in(console, machine)
    why = "he was rude to a customer"
    edit(machine, person_id(console, "bob@example.org"), disabled=True, reason=why)
    (fact,) = console.facts("identity.person_disabled")
    assert why not in repr(fact)
    assert console.look(private_values, [fact.seq])[fact.seq]["reason"] == why


def _without_tokens(page: str) -> Any:
    return [line for line in page.splitlines() if "csrf" not in line]
