"""The laws of form tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernel.web.support import browser, small_app
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.web.csrf import Csrf, is_unsafe

CSRF = Csrf(b"s" * 32)
names = st.text(min_size=1, max_size=40)


@given(names, names)
def test_a_token_opens_its_own_session_and_no_other(mine, other):
    token = CSRF.token(mine)
    assert CSRF.accepts(token, session_id=mine, nonce=None)
    assert CSRF.accepts(token, session_id=other, nonce=None) == (mine == other)


@given(names)
def test_a_session_and_a_cookie_of_the_same_name_are_two_things(name):
    assert not CSRF.accepts(CSRF.token(name), session_id=None, nonce=name)
    assert not CSRF.accepts(CSRF.anonymous_token(name), session_id=name, nonce=None)


@given(names, st.none() | names)
def test_after_sign_in_a_form_opened_before_it_still_works_in_that_browser(nonce, session):
    assert CSRF.accepts(CSRF.anonymous_token(nonce), session_id=session, nonce=nonce)


@given(st.text(max_size=80), st.none() | names, st.none() | names)
def test_no_other_text_is_ever_accepted(text, session, nonce):
    assert not CSRF.accepts(text, session_id=session, nonce=nonce)


def test_with_neither_session_nor_cookie_nothing_is_accepted():
    assert not CSRF.accepts("", session_id=None, nonce=None)
    assert not CSRF.accepts(CSRF.anonymous_token(""), session_id=None, nonce="")


@given(names)
def test_another_installation_makes_other_tokens(name):
    assert Csrf(b"t" * 32).token(name) != CSRF.token(name)


@pytest.mark.parametrize(
    ("method", "unsafe"),
    [("GET", False), ("HEAD", False), ("OPTIONS", False), ("POST", True), ("DELETE", True), ("BREW", True)],
)
def test_only_methods_that_change_nothing_are_safe(method, unsafe):
    assert is_unsafe(method) is unsafe


def test_behind_a_proxy_the_configured_address_is_an_own_origin():
    from typing import Annotated

    from watchkeeper.kernel.web.access import Actor, public
    from watchkeeper.kernel.web.wire import page_router

    pages = page_router()

    @pages.post("/form")
    async def form(who: Annotated[Actor | None, public("a test")]) -> str:
        return "in"

    app = small_app(pages, parts={ServerSettings: ServerSettings(base_url="https://ops.example.org")})
    csrf = app.state.parts[Csrf]
    client = browser(app, base_url="https://ops.example.org")
    client.cookies.set(csrf.cookie, "nonce")
    sent = {"csrf_token": csrf.anonymous_token("nonce")}
    internal = {"host": "watchkeeper:8700"}
    assert client.post("/form", data=sent, headers={"origin": "https://ops.example.org", **internal}).text == "in"
    assert client.post("/form", data=sent, headers={"origin": "https://ops.example.com", **internal}).status_code == 403
