"""One's own account: where one is signed in, and the password."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.identity.support import ALICE, PASSWORD, Browser, Console
from watchkeeper.modules.identity import store
from watchkeeper.modules.identity.model import Peer, Person, Role
from watchkeeper.modules.identity.service import Identity

NEW = "another tractor in spring"
CHANGE = {"current": PASSWORD, "new": NEW, "again": NEW}


def _sessions(console: Console) -> list[str]:
    person = console.look(store.person_by_email, ALICE["email"])
    return [session.id for session in console.look(store.sessions_of, person.id)]


def test_the_account_page_shows_where_one_is_signed_in(console: Console, alice: Browser) -> None:
    console.browser("198.51.100.20").sign_in()
    page = alice.get("/account").text
    assert "Alice Archer" in page
    assert page.count("Firefox on Linux") >= 2
    assert "203.0.113.7" in page
    assert "198.51.100.20" in page
    assert page.count("this browser") == 1


def test_a_session_can_be_ended_from_another_one(console: Console, alice: Browser) -> None:
    phone = console.browser("198.51.100.20")
    phone.sign_in()
    other = _other_session(console, alice)
    answer = alice.submit(f"/account/sessions/{other}/end", {}, page="/account")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account?done=ended")
    assert "The session has ended." in alice.get("/account?done=ended").text
    assert not phone.is_signed_in()
    assert alice.is_signed_in()
    assert console.facts("identity.session_revoked")[0].data["session"] == other


def _other_session(console: Console, browser: Browser) -> str:
    page = browser.get("/account").text
    return page.split('action="/account/sessions/')[1].split("/end")[0]


def test_every_other_session_can_be_ended_in_one_go(console: Console, alice: Browser) -> None:
    others = [console.browser(f"198.51.100.{number}") for number in range(3)]
    for other in others:
        other.sign_in()
    assert alice.submit("/account/sessions/end-others", {}, page="/account").status_code == 303
    assert [other.is_signed_in() for other in others] == [False] * 3
    assert alice.is_signed_in()


@pytest.mark.parametrize("session_id", ["ses_" + "0" * 26, "x", "..%2f", "per_" + "0" * 26])
def test_a_session_that_is_not_there_can_not_be_ended(console: Console, alice: Browser, session_id: str) -> None:
    assert alice.submit(f"/account/sessions/{session_id}/end", {}, page="/account").status_code == 404


def test_the_session_of_somebody_else_can_not_be_ended_or_seen(console: Console, alice: Browser) -> None:
    bob = Person(
        id="per_" + "b" * 26,
        name="Bob",
        email="bob@example.org",
        role=Role.ADMIN,
        password_hash=console.look(store.person_by_email, ALICE["email"]).password_hash,
        created_at=console.clock.now(),
    )
    console.change(lambda session: store.add_person(session, bob, seat=None))
    his = console.browser("198.51.100.77")
    assert his.sign_in("bob@example.org").status_code == 303
    assert "198.51.100.77" not in alice.get("/account").text
    session_id = console.look(store.sessions_of, bob.id)[0].id
    assert alice.submit(f"/account/sessions/{session_id}/end", {}, page="/account").status_code == 404
    assert his.is_signed_in()


def test_an_expired_session_is_not_listed(console: Console, alice: Browser) -> None:
    console.browser("198.51.100.20").sign_in()
    console.clock.advance(timedelta(hours=11))
    assert alice.is_signed_in()
    console.settle(alice.client)
    console.clock.advance(timedelta(hours=2))
    assert "198.51.100.20" not in alice.get("/account").text


# --- the password ---


def test_a_new_password_replaces_the_old_one(console: Console, alice: Browser) -> None:
    answer = alice.submit("/account/password", CHANGE, page="/account")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account?done=password")
    assert console.browser().sign_in(password=PASSWORD).status_code == 403
    assert console.browser().sign_in(password=NEW).status_code == 303


def test_a_stolen_session_is_dead_after_a_password_change(console: Console, alice: Browser) -> None:
    thief = console.browser("198.51.100.66")
    thief.sign_in()
    assert thief.is_signed_in()
    alice.submit("/account/password", CHANGE, page="/account")
    assert not thief.is_signed_in()
    assert alice.is_signed_in()
    assert [fact.kind for fact in console.facts()][-2:] == ["identity.password_changed", "identity.session_revoked"]


def test_a_stolen_copy_of_the_very_same_cookie_is_dead_too(console: Console, alice: Browser) -> None:
    thief = console.browser("198.51.100.66")
    thief.client.cookies.set("wk_session", str(alice.session_cookie))
    assert thief.is_signed_in()
    alice.submit("/account/password", CHANGE, page="/account")
    assert alice.is_signed_in()
    assert not thief.is_signed_in()


def test_the_current_password_is_asked_for(console: Console, alice: Browser) -> None:
    answer = alice.submit("/account/password", CHANGE | {"current": "not the one at all"}, page="/account")
    assert answer.status_code == 422
    assert "That is not your current password." in answer.text
    assert NEW not in answer.text
    assert console.browser().sign_in(password=PASSWORD).status_code == 303


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"again": "something else entirely"}, "not the same"),
        ({"new": "short", "again": "short"}, "at least 15 characters"),
        ({"new": "alice archer 2026", "again": "alice archer 2026"}, "little more than a name"),
    ],
)
def test_a_new_password_obeys_the_same_rules(
    console: Console, alice: Browser, wrong: dict[str, str], message: str
) -> None:
    answer = alice.submit("/account/password", CHANGE | wrong, page="/account")
    assert answer.status_code == 422
    assert message in answer.text
    assert console.facts("identity.password_changed") == []


def test_a_sign_in_that_was_checked_before_the_change_is_refused_after_it(console: Console, alice: Browser) -> None:
    peer = Peer("198.51.100.66", "")

    def identity(session):  # type: ignore[no-untyped-def]
        return Identity(session, console.clock, console.settings)

    attempt = console.change(lambda session: identity(session).attempt(ALICE["email"], peer))
    alice.submit("/account/password", CHANGE, page="/account")
    from watchkeeper.modules.identity.errors import SignInRefused

    with pytest.raises(SignInRefused):
        console.change(lambda session: identity(session).admit(attempt, peer, rehashed=None, replaces=None))


def test_a_rehash_never_brings_an_old_password_back(console: Console, alice: Browser) -> None:
    person = console.look(store.person_by_email, ALICE["email"])
    alice.submit("/account/password", CHANGE, page="/account")
    late = console.change(
        lambda session: store.set_password_hash(session, person.id, "old", instead_of=person.password_hash)
    )
    assert late is False
    assert console.browser().sign_in(password=NEW).status_code == 303


def test_a_strange_message_in_the_url_says_nothing(console: Console, alice: Browser) -> None:
    page = alice.get("/account?done=<script>You+were+hacked</script>").text
    assert "hacked" not in page


# --- forgetting ---


def test_old_sessions_and_their_addresses_are_forgotten_after_a_month(console: Console, alice: Browser) -> None:
    console.clock.advance(timedelta(days=31, seconds=1))
    console.browser("198.51.100.20").sign_in()
    gone = console.change(lambda session: Identity(session, console.clock, console.settings).forget())
    assert gone >= 1
    assert len(_sessions(console)) == 1
