"""The demo's way in: a link that asks before it is used, works once and for minutes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.identity.support import Browser, Console
from watchkeeper.modules.identity import public


@pytest.fixture
def link(console: Console) -> str:
    def make(session):  # type: ignore[no-untyped-def]
        person = public.ensure_demo_person(session, console.clock, console.settings)
        return public.make_login_link(session, console.clock, console.settings, person)

    return f"/login/link/{console.change(make)}"


def test_the_link_asks_and_the_button_signs_in(console: Console, link: str) -> None:
    browser = console.browser()
    page = browser.get(link)
    assert page.status_code == 200
    assert "Sign in as Demo" in page.text
    assert "wk_session" not in page.headers.get("set-cookie", "")
    answer = browser.submit(link, {})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert browser.is_signed_in()


def test_a_program_that_previews_links_does_not_burn_it(console: Console, link: str) -> None:
    previewer = console.program()
    for _ in range(3):
        previewer.get(link)
        previewer.head(link)
    assert console.browser().submit(link, {}).status_code == 303


def test_the_link_works_once(console: Console, link: str) -> None:
    first, second = console.browser(), console.browser()
    late = second.get(link)
    assert late.status_code == 200
    assert first.submit(link, {}).status_code == 303
    token = late.text.split('name="csrf_token" value="')[1].split('"')[0]
    assert second.client.post(link, data={"csrf_token": token}).status_code == 404
    assert not second.is_signed_in()


def test_the_link_dies_after_minutes(console: Console, link: str) -> None:
    console.clock.advance(timedelta(minutes=15))
    assert console.browser().get(link).status_code == 404


def test_using_it_needs_a_page_of_ours(console: Console, link: str) -> None:
    assert console.browser().client.post(link).status_code == 403
    assert console.browser().submit(link, {}).status_code == 303


def test_the_demo_has_one_person_however_often_it_starts(console: Console) -> None:
    for _ in range(2):
        console.change(public.ensure_demo_person, console.clock, console.settings)
    assert [person.name for person in console.look(public.people)] == ["Demo"]


def test_no_password_opens_the_demo_account(console: Console, link: str) -> None:
    for email in ("", "Demo", "demo", "None"):
        assert console.browser().sign_in(email, "").status_code == 403


def test_the_demo_account_offers_no_password_to_change(console: Console, link: str) -> None:
    browser = console.browser()
    browser.submit(link, {})
    page = browser.get("/account").text
    assert "Change the password" not in page
    form = {"current": "", "new": "plum tractor winter seven", "again": "plum tractor winter seven"}
    assert browser.submit("/account/password", form, page="/account").status_code == 422


def test_a_data_directory_that_saw_a_demo_can_still_be_set_up(console: Console, link: str) -> None:
    assert console.set_up().is_signed_in()


def test_a_set_up_link_is_no_sign_in_link(console: Console, alice: Browser, link: str) -> None:
    assert console.browser().get(link.replace("/login/link/", "/setup/")).status_code == 409
