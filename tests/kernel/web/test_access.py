"""Every route states its permission; nobody gets past it, and nothing is stated twice."""

from typing import Annotated

import pytest
from fastapi import Form, Request

from tests.kernel.web.support import (
    ALICE,
    CHANGE,
    MANAGE,
    PAGE,
    SEND,
    VIEW,
    CastAuthenticator,
    bearer,
    browser,
    small_app,
)
from watchkeeper.kernel.web.access import (
    Actor,
    Authenticator,
    Permission,
    Public,
    Scope,
    permission_of,
    public,
    requires,
    stated_routes,
)
from watchkeeper.kernel.web.csrf import Csrf
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.wire import PageForm, api_router, page_router

api = api_router("things")
pages = page_router()


class ThingForm(PageForm):
    name: str


@api.get("/things")
async def list_things(who: Annotated[Actor, requires(VIEW)]) -> dict[str, str]:
    return {"who": who.id}


@api.post("/things")
async def make_thing(who: Annotated[Actor, requires(CHANGE)]) -> dict[str, str]:
    return {"who": who.id}


@api.post("/open", name="open")
async def open_to_machines(who: Annotated[Actor | None, public("a machine has no account", csrf=False)]) -> str:
    return who.id if who else "nobody"


@pages.get("/page")
async def page(request: Request, who: Annotated[Actor, requires(VIEW)]):
    return render(request, "shell/plain.html")


@pages.post("/page")
async def post_page(who: Annotated[Actor, requires(VIEW)], form: Annotated[ThingForm, Form()]) -> str:
    return form.name


@pages.get("/sign-in")
async def sign_in(request: Request, who: Annotated[Actor | None, public("nobody is signed in yet")]):
    return render(request, "shell/plain.html")


@pages.post("/sign-in")
async def post_sign_in(who: Annotated[Actor | None, public("nobody is signed in yet")]) -> str:
    return "in"


@pytest.fixture
def app():
    return small_app(api, pages)


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        (Scope.READ, {VIEW}),
        (Scope.WRITE, {VIEW, CHANGE, SEND}),
        (Scope.ADMIN, {VIEW, CHANGE, MANAGE, SEND}),
        (Scope.INTAKE, {SEND}),
    ],
)
def test_a_scope_covers_what_the_lesser_ones_do_and_intake_only_itself(scope: Scope, allowed: set[Permission]):
    actor = Actor("tok_1", "token", "ci", frozenset({scope}))
    assert {permission for permission in (VIEW, CHANGE, MANAGE, SEND) if actor.may(permission)} == allowed


def test_an_actor_without_scopes_may_nothing():
    actor = Actor("tok_1", "token", "ci", frozenset())
    assert not any(actor.may(permission) for permission in (VIEW, CHANGE, MANAGE, SEND))


def test_a_token_with_the_scope_gets_in_and_one_without_is_refused(app):
    client = browser(app)
    assert client.get("/api/v1/things", headers=bearer("read")).json() == {"who": "tok_read"}
    refused = client.post("/api/v1/things", headers=bearer("read"))
    assert refused.status_code == 403
    assert refused.json()["code"] == "kernel.forbidden"
    assert "things.change" in refused.json()["detail"]
    assert client.get("/api/v1/things", headers=bearer("intake")).status_code == 403


def test_a_program_without_a_token_is_told_to_bring_one(app):
    answer = browser(app).get("/api/v1/things", headers=PAGE)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_person_who_is_not_signed_in_is_sent_to_sign_in_and_back(app):
    answer = browser(app).get("/page?q=a b", headers=PAGE)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=%2Fpage%3Fq%3Da%2520b"


def test_a_form_that_needs_sign_in_leads_there_without_a_way_back(app):
    answer = browser(app).post("/page", data={"name": "x"}, headers=PAGE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


def test_htmx_is_told_to_move_the_whole_page_to_sign_in(app):
    answer = browser(app).get("/page", headers={"hx-request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/login")


def test_a_page_refused_to_bob_says_so_on_a_page(app):
    answer = browser(app, "bob").post("/page", headers=PAGE, data={"name": "x"})
    assert answer.status_code == 403
    assert "<h1>Not allowed</h1>" in answer.text


def test_a_session_cookie_alone_changes_nothing(app):
    answer = browser(app, "alice").post("/api/v1/things")
    assert answer.status_code == 403
    assert answer.json()["code"] == "kernel.not_from_here"


def test_the_token_of_the_session_makes_a_change_possible_by_header_and_by_form(app):
    csrf = app.state.parts[Csrf]
    client = browser(app, "alice")
    token = csrf.token("ses_alice")
    assert client.post("/api/v1/things", headers={"X-CSRF-Token": token}).status_code == 200
    assert client.post("/page", data={"name": "x", "csrf_token": token}).text == "x"


def test_the_token_of_another_session_is_refused(app):
    token = app.state.parts[Csrf].token("ses_bob")
    assert browser(app, "alice").post("/api/v1/things", headers={"X-CSRF-Token": token}).status_code == 403


def test_a_token_that_is_not_ascii_is_refused_rather_than_a_crash(app):
    answer = browser(app, "alice").post("/page", data={"name": "x", "csrf_token": "ü" * 64})
    assert answer.json()["code"] == "kernel.not_from_here"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://testserver"}, 200),
        ({}, 200),
    ],
)
def test_a_request_that_another_site_sent_is_refused_even_with_the_token(app, headers, status):
    token = app.state.parts[Csrf].token("ses_alice")
    answer = browser(app, "alice").post("/api/v1/things", headers={"X-CSRF-Token": token, **headers})
    assert answer.status_code == status


def test_a_bearer_token_needs_no_form_token(app):
    answer = browser(app).post("/api/v1/things", headers={**bearer("write"), "origin": "https://elsewhere.example"})
    assert answer.status_code == 200


def test_the_form_before_sign_in_is_bound_to_the_browsers_cookie(app):
    client = browser(app)
    shown = client.get("/sign-in", headers=PAGE)
    token = shown.text.split('name="csrf-token" content="')[1].split('"')[0]
    assert client.post("/sign-in", data={"csrf_token": token}).text == "in"
    assert browser(app).post("/sign-in", data={"csrf_token": token}).status_code == 403
    assert client.post("/sign-in", data={}).status_code == 403


def test_the_cookie_of_the_form_is_set_once_and_not_readable_by_scripts(app):
    client = browser(app)
    cookie = client.get("/sign-in", headers=PAGE).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "set-cookie" not in client.get("/sign-in", headers=PAGE).headers


def test_a_public_route_for_machines_asks_for_no_form_token(app):
    assert browser(app).post("/api/v1/open").json() == "nobody"


def test_a_stale_cookie_does_not_lock_anybody_out_of_the_sign_in_page(app):
    client = browser(app, "stale")
    assert client.get("/sign-in", headers=PAGE).status_code == 200
    assert client.get("/page", headers=PAGE).status_code == 303


def test_the_authenticator_is_asked_once_per_request():
    authenticator = CastAuthenticator()
    app = small_app(api, pages, parts={Authenticator: authenticator})
    browser(app, "alice").get("/page", headers=PAGE)
    assert authenticator.asked == 1


def test_each_route_tells_its_permission(app):
    stated = {(route.path, method): route.permission for route in stated_routes(app) for method in route.methods}
    assert stated["/api/v1/things", "GET"] == VIEW
    assert stated["/api/v1/things", "POST"] == CHANGE
    assert stated["/api/v1/open", "POST"] == Public("a machine has no account")
    assert all(permission is not None for permission in stated.values())


def test_a_mounted_app_tells_its_permission_by_an_attribute():
    class Intake:
        permission = SEND

        async def __call__(self, scope, receive, send): ...

    app = small_app(mounts={"/v1/traces": Intake()})
    assert {route.path: route.permission for route in stated_routes(app)}["/v1/traces/{path}"] == SEND


def test_a_route_that_says_nothing_is_found_out():
    silent = api_router("silent")

    @silent.get("/silent")
    async def silently() -> None: ...

    app = small_app(silent)
    assert {route.path for route in stated_routes(app) if route.permission is None} == {"/api/v1/silent"}
    assert permission_of(object()) is None


def test_tokens_of_another_secret_do_not_fit():
    assert Csrf(b"another").token("ses_1") != Csrf(b"one").token("ses_1")


def test_over_https_the_form_cookie_is_bound_to_the_host():
    assert Csrf(b"x", secure=True).cookie.startswith("__Host-")
    assert ALICE.session_id == "ses_alice"
