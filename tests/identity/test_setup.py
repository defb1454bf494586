"""The first person: by a link that is printed at start, works once, and for one person only."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from tests.identity.support import ALICE, PASSWORD, Console
from watchkeeper.modules.identity import public, store
from watchkeeper.modules.identity.errors import LinkDead, SetupClosed
from watchkeeper.modules.identity.model import Peer, Role
from watchkeeper.modules.identity.service import Identity
from watchkeeper.modules.identity.tables import links, people

BOB = {"name": "Bob", "email": "bob@example.org", "password": PASSWORD, "again": PASSWORD}


def test_nobody_is_there_before_the_first_person_and_no_password_opens(console: Console) -> None:
    assert console.look(public.people) == []
    for email, password in (("admin", "admin"), ("admin@localhost", "watchkeeper"), ("", "")):
        assert console.browser().sign_in(email, password).status_code == 403
    assert "set-up link" in console.browser().get("/login").text


def test_the_first_person_is_an_admin_and_signed_in_at_once(console: Console) -> None:
    browser = console.browser()
    answer = browser.submit(f"/setup/{console.setup_secret()}", ALICE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert browser.is_signed_in()
    person = console.look(store.person_by_email, "alice@example.org")
    assert (person.name, person.role) == ("Alice Archer", Role.ADMIN)
    assert "set-up link" not in console.browser().get("/login").text


def test_the_link_is_kept_only_as_a_digest(console: Console) -> None:
    secret = console.setup_secret()
    rows = console.look(lambda session: session.execute(links.select()).all())
    assert len(rows) == 1
    assert secret not in repr(rows)


def test_looking_at_the_page_does_not_use_the_link_up(console: Console) -> None:
    secret = console.setup_secret()
    for _ in range(3):
        assert console.browser().get(f"/setup/{secret}").status_code == 200


def test_the_link_works_once(console: Console) -> None:
    secret = console.setup_secret()
    assert console.browser().submit(f"/setup/{secret}", ALICE).status_code == 303
    second = console.browser()
    assert second.get(f"/setup/{secret}").status_code == 409
    page = second.get("/login").text
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    refused = second.client.post(f"/setup/{secret}", data={**BOB, "csrf_token": token})
    assert refused.status_code == 409
    assert "The first person has an account already" in refused.text
    assert [person.name for person in console.look(public.people)] == ["Alice Archer"]


def test_the_link_dies_after_a_day(console: Console) -> None:
    secret = console.setup_secret()
    console.clock.advance(timedelta(hours=24))
    answer = console.browser().get(f"/setup/{secret}")
    assert answer.status_code == 404
    assert "Start `watchkeeper up` again" in answer.text.replace("&#96;", "`")


def test_each_start_makes_a_new_link_and_the_old_one_dies(console: Console) -> None:
    first, second = console.setup_secret(), console.setup_secret()
    assert console.browser().get(f"/setup/{first}").status_code == 404
    assert console.browser().get(f"/setup/{second}").status_code == 200


def test_once_somebody_is_there_no_start_makes_a_link(console: Console) -> None:
    console.set_up()
    assert console.change(public.ensure_setup_link, console.clock, console.settings) is None


@pytest.mark.parametrize("secret", ["x", "wku_" + "a" * 43, "wkl_x", "a" * 4000, "%F0%9F%98%80", "..%2f.."])
def test_a_made_up_link_is_dead(console: Console, secret: str) -> None:
    console.setup_secret()
    assert console.browser().get(f"/setup/{secret}").status_code == 404


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": ""}, "Enter your name"),
        ({"name": "\u200b\u202e"}, "Enter your name"),
        ({"email": "alice"}, "Enter an e-mail address"),
        ({"password": "short", "again": "short"}, "at least 15 characters"),
        ({"again": "something else entirely"}, "not the same"),
        ({"password": "alicearcher2026", "again": "alicearcher2026"}, "little more than a name"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field_and_the_link_lives_on(
    console: Console, wrong: dict[str, str], message: str
) -> None:
    secret = console.setup_secret()
    answer = console.browser().submit(f"/setup/{secret}", ALICE | wrong)
    assert answer.status_code == 422
    assert message in answer.text
    assert (ALICE | wrong)["password"] not in answer.text
    assert console.browser().submit(f"/setup/{secret}", ALICE).status_code == 303


def test_a_hostile_name_is_only_text(console: Console) -> None:
    browser = console.set_up(name="<script>alert(1)</script>\x1b[31m")
    page = browser.get("/account").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "\x1b" not in page


def test_a_password_may_be_long_and_of_any_script(console: Console) -> None:
    password = "私は毎朝六時に起きて犬と散歩をします" + "".join(map(chr, range(0x4E00, 0x4EE0)))
    console.set_up(password=password, again=password)
    assert console.browser().sign_in(password=password).status_code == 303


def test_the_set_up_form_needs_its_token(console: Console) -> None:
    assert console.browser().client.post(f"/setup/{console.setup_secret()}", data=ALICE).status_code == 403


# --- races: two people, one database, sqlite and postgresql ---


def _race(console: Console, secrets: list[str]) -> list[str]:
    barrier = threading.Barrier(len(secrets))
    outcomes: list[str] = []

    def run(number: int, secret: str) -> None:
        barrier.wait()
        try:
            with console.database.begin() as session:
                Identity(session, console.clock, console.settings).set_up(
                    secret,
                    name=f"Person {number}",
                    email=f"person{number}@example.org",
                    password_hash="$argon2id$",
                    peer=Peer("203.0.113.7", "Firefox"),
                )
            outcomes.append("won")
        except (SetupClosed, LinkDead):
            # Which one depends on whether the winner had committed when this one looked at the link.
            outcomes.append("refused")

    threads = [threading.Thread(target=run, args=item) for item in enumerate(secrets)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(outcomes)


def test_of_many_at_once_with_one_link_exactly_one_wins(console: Console) -> None:
    outcomes = _race(console, [console.setup_secret()] * 6)
    assert outcomes == ["refused"] * 5 + ["won"]
    assert len(console.look(public.people)) == 1
    assert len(console.facts("identity.person_created")) == 1


def test_two_links_of_two_replicas_make_one_first_person(console: Console) -> None:
    first = console.setup_secret()
    with console.database.read() as session:
        kept = session.execute(links.select()).one()
    second = console.setup_secret()
    # As if both replicas had started at the same instant, neither seeing the other's link.
    console.change(lambda session: session.execute(links.insert().values(kept._asdict())))
    assert _race(console, [first, second]) == ["refused", "won"]
    assert len(console.look(lambda session: session.execute(people.select()).all())) == 1
