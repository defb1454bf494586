"""Every page of identity: usable by keyboard and screen reader, without scripts, and with nothing left in caches."""

from __future__ import annotations

import re
import threading
from html.parser import HTMLParser

import pytest

from tests.identity.support import ALICE, Browser, Console
from watchkeeper.modules.identity import public
from watchkeeper.modules.identity.errors import LinkDead
from watchkeeper.modules.identity.model import Peer
from watchkeeper.modules.identity.service import Identity


class Outline(HTMLParser):
    """The inputs, labels, ids and forms of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.inputs: list[dict[str, str | None]] = []
        self.labels: set[str | None] = set()
        self.ids: list[str] = []
        self.forms: list[dict[str, str | None]] = []
        self.buttons = 0
        self.inline: list[str] = []
        self._wrapping_label = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if "style" in found or any(name.startswith("on") for name in found):
            self.inline.append(tag)
        if found.get("id"):
            self.ids.append(str(found["id"]))
        if tag == "label":
            self._wrapping_label += 1
            self.labels.add(found.get("for"))
        if tag in ("input", "select") and found.get("type") != "hidden":
            self.inputs.append(found | {"wrapped": "yes" if self._wrapping_label else None})
        if tag == "form":
            self.forms.append(found)
        self.buttons += tag == "button"

    def handle_endtag(self, tag: str) -> None:
        self._wrapping_label -= tag == "label"


@pytest.fixture(params=["login", "setup", "link", "account", "tokens", "login error", "setup error", "token made"])
def page(request: pytest.FixtureRequest, console: Console) -> str:
    return _show(console, request.param)


def _show(console: Console, name: str) -> str:
    browser = console.browser()
    if name == "setup":
        return browser.get(f"/setup/{console.setup_secret()}").text
    if name == "setup error":
        return browser.submit(f"/setup/{console.setup_secret()}", ALICE | {"name": "", "email": "x"}).text
    if name == "link":
        return browser.get(_login_link(console)).text
    alice = console.set_up()
    if name == "token made":
        return alice.submit("/settings/tokens", {"name": "x", "scope": "write", "expires": "30"}).text
    if name == "login error":
        return browser.sign_in(password="wrong but long enough").text
    if name == "login":
        return browser.get("/login?next=/account").text
    return alice.get({"account": "/account", "tokens": "/settings/tokens"}[name]).text


def _login_link(console: Console) -> str:
    def make(session):  # type: ignore[no-untyped-def]
        person = public.ensure_demo_person(session, console.clock, console.settings)
        return public.make_login_link(session, console.clock, console.settings, person)

    return f"/login/link/{console.change(make)}"


def test_every_input_has_a_label_and_every_id_is_one_of_its_kind(page: str) -> None:
    outline = Outline(page)
    for one in outline.inputs:
        hidden = one.get("aria-hidden") == "true"
        assert hidden or one.get("id") in outline.labels or one["wrapped"] or one.get("aria-label"), one
    assert len(outline.ids) == len(set(outline.ids))


def test_what_describes_an_input_is_on_the_page(page: str) -> None:
    outline = Outline(page)
    named = [name for one in outline.inputs for name in (one.get("aria-describedby") or "").split()]
    assert set(named) <= set(outline.ids)


def test_a_field_in_error_says_so_to_screen_readers(console: Console) -> None:
    wrong = [one for one in Outline(_show(console, "setup error")).inputs if one.get("aria-invalid") == "true"]
    assert [one["name"] for one in wrong] == ["name", "email"]
    assert all(str(one["aria-describedby"]).startswith("error-") for one in wrong)
    assert "autofocus" in wrong[0]


def test_every_form_posts_with_its_token_and_a_button(page: str) -> None:
    outline = Outline(page)
    posting = [form for form in outline.forms if form.get("method") == "post"]
    assert len(posting) == page.count('name="csrf_token"')
    assert len(posting) <= outline.buttons


def test_nothing_is_inline_that_the_content_policy_forbids(page: str) -> None:
    assert Outline(page).inline == []
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)


def test_password_managers_are_told_what_is_what(console: Console) -> None:
    login = {one["name"]: one.get("autocomplete") for one in Outline(_show(console, "login")).inputs if one.get("name")}
    assert login == {"email": "username", "password": "current-password"}
    alice = console.browser()
    alice.sign_in()
    account = {one.get("name"): one.get("autocomplete") for one in Outline(alice.get("/account").text).inputs}
    assert account["current"] == "current-password"
    assert account["new"] == account["again"] == "new-password"


def test_no_page_is_kept_or_framed_or_told_to_others(console: Console, alice: Browser) -> None:
    for path in ("/login", "/account", "/settings/tokens"):
        headers = (console.browser() if path == "/login" else alice).get(path).headers
        assert headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["referrer-policy"] in ("no-referrer", "same-origin", "strict-origin")


def test_a_link_with_a_secret_is_not_told_to_other_sites(console: Console) -> None:
    headers = console.browser().get(f"/setup/{console.setup_secret()}").headers
    assert headers["referrer-policy"] in ("no-referrer", "same-origin")
    assert headers["cache-control"] == "no-store"


def test_of_many_at_once_with_one_sign_in_link_exactly_one_gets_in(console: Console) -> None:
    secret = _login_link(console).rsplit("/", 1)[1]
    barrier, outcomes = threading.Barrier(6), []

    def enter() -> None:
        barrier.wait()
        try:
            with console.database.begin() as session:
                Identity(session, console.clock, console.settings).use_login_link(secret, Peer("203.0.113.7", ""))
            outcomes.append("in")
        except LinkDead:
            outcomes.append("dead")

    threads = [threading.Thread(target=enter) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["dead"] * 5 + ["in"]
