"""Whose request is it? The command line of this machine, a token, a browser; and whoever pretends to be one."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.routing import Mount
from starlette.testclient import TestClient
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from tests.identity.support import Browser, Console
from watchkeeper.kernel.errors import Refusal, Unavailable
from watchkeeper.kernel.web.access import Scope
from watchkeeper.modules.identity import store
from watchkeeper.modules.identity.authenticator import IdentityAuthenticator, TokenCache
from watchkeeper.modules.identity.control import ControlToken
from watchkeeper.modules.identity.model import Token

# --- bearer tokens ---


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        "Bearer wkt_",
        "Bearer wkt_" + "a" * 43,
        "bearer wkt_" + "a" * 5000,
        "Basic YWxpY2U6cGFzc3dvcmQ=",
        "Token wkt_x",
        "wkt_x",
        "",
        "Bearer wks_abc",
        "Bearer wku_abc",
        "Bearer \u00e9",
    ],
)
def test_a_wrong_bearer_is_refused_and_never_falls_back_to_the_cookie(
    console: Console, alice: Browser, header: str
) -> None:
    headers = {"Authorization": header.encode("latin-1"), "Accept": "application/json"}
    answer = alice.client.get("/api/v1/tokens", headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert alice.client.get("/api/v1/tokens").status_code == 200


def test_the_cookie_of_a_session_is_no_bearer_token(console: Console, alice: Browser) -> None:
    assert console.program(alice.session_cookie).get("/api/v1/tokens").status_code == 401


def test_two_authorization_headers_are_refused(console: Console) -> None:
    _, secret = console.token("admin")
    headers = [("Authorization", f"Bearer {secret}"), ("Authorization", f"Bearer {secret}")]
    assert console.program().get("/api/v1/tokens", headers=headers).status_code == 401


def test_a_token_in_the_url_opens_nothing(console: Console) -> None:
    _, secret = console.token("admin")
    for name in ("token", "access_token", "api_key", "authorization"):
        assert console.program().get(f"/api/v1/tokens?{name}={secret}").status_code == 401
    as_cookie = console.program()
    as_cookie.cookies.set("wk_session", secret)
    assert as_cookie.get("/api/v1/tokens").status_code == 401


def test_the_scheme_may_be_written_in_any_case(console: Console) -> None:
    _, secret = console.token("admin")
    answer = console.program().get("/api/v1/tokens", headers={"Authorization": f"bearer  {secret}"})
    assert answer.status_code == 200


def test_a_bearer_token_needs_no_form_token(console: Console) -> None:
    _, secret = console.token("admin")
    answer = console.program(secret).post("/api/v1/tokens", json={"name": "x", "scopes": ["read"]})
    assert answer.status_code == 201


def test_a_token_has_no_account_page(console: Console) -> None:
    _, secret = console.token("admin")
    answer = console.program(secret).get("/account")
    assert (answer.status_code, answer.json()["code"]) == (403, "identity.people_only")


def test_last_used_is_written_behind_the_request_at_most_once_a_minute(console: Console) -> None:
    token_id, secret = console.token("admin")
    program = console.program(secret)

    def used_after(**step: int):  # type: ignore[no-untyped-def]
        console.clock.advance(timedelta(**step))
        assert program.get("/api/v1/tokens").status_code == 200
        console.settle(program)
        return console.look(store.token, token_id).last_used_at

    first = used_after(seconds=1)
    assert first == console.clock.now()
    assert used_after(seconds=30) == first
    assert used_after(seconds=29) == first
    assert used_after(seconds=1) == console.clock.now()


def test_a_full_disk_stops_last_used_and_nothing_else(console: Console, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    _, secret = console.token("admin")

    async def full(verb: object) -> None:
        raise Unavailable("Nothing was changed: the disk is full.")

    monkeypatch.setattr(console.database, "write", full)
    program = console.program(secret)
    assert program.get("/api/v1/tokens").status_code == 200
    console.settle(program)


# --- bare apps on the hot path ---


def test_a_bare_app_asks_once_and_then_remembers(console: Console) -> None:
    _, secret = console.token("intake")
    authenticator = console.app.state.parts[IdentityAuthenticator]

    async def intake(scope: AsgiScope, receive: Receive, send: Send) -> None:
        try:
            actor = await authenticator.authenticate(HTTPConnection(scope))
        except Refusal as refusal:
            await JSONResponse({}, refusal.status)(scope, receive, send)
            return
        await JSONResponse({"kind": actor.kind, "scopes": sorted(actor.scopes)})(scope, receive, send)

    with TestClient(Starlette(routes=[Mount("/", intake)])) as client:
        client.headers["Authorization"] = f"Bearer {secret}"
        assert client.get("/").json() == {"kind": "token", "scopes": ["intake"]}
        assert client.portal is not None
        client.portal.call(authenticator.settle)
        asked = []
        ask = console.database.ask
        console.database.ask = lambda query: asked.append(1) or ask(query)  # type: ignore[method-assign,func-returns-value]
        try:
            assert all(client.get("/").status_code == 200 for _ in range(20))
            assert asked == []
            console.clock.advance(timedelta(seconds=5))
            assert client.get("/").status_code == 200
            assert len(asked) == 1
        finally:
            del console.database.ask  # type: ignore[method-assign]
        client.headers["Authorization"] = "Bearer wkt_nonsense"
        assert client.get("/").status_code == 401


def _token(number: int) -> Token:
    return Token(
        id=f"tok_{number}",
        name="",
        scopes=frozenset({Scope.INTAKE}),
        created_by="local",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        expires_at=None,
        last_used_at=None,
        revoked_at=None,
    )


@given(st.lists(st.integers(0, 6000), max_size=50))
def test_what_is_remembered_stays_bounded(numbers: list[int]) -> None:
    cache = TokenCache(entries=20)
    for number in numbers:
        cache.put(str(number), _token(number), 0.0)
        assert cache.get(str(number), 4.9) == _token(number)
        assert cache.get(str(number), 5.0) is None
        assert len(cache) <= 20


# --- the command line of this machine ---


def test_the_command_line_is_an_admin_without_an_account(console: Console) -> None:
    program = console.program(console.control.secret, "127.0.0.1")
    assert program.get("/api/v1/tokens").status_code == 200
    assert program.get("/account").status_code == 403


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "127.0.0.53", "::ffff:127.0.0.1"])
def test_it_is_believed_from_this_machine(console: Console, address: str) -> None:
    assert console.program(console.control.secret, address).get("/api/v1/tokens").status_code == 200


@pytest.mark.parametrize("address", ["10.0.0.7", "192.0.2.1", "2001:db8::1", "", "localhost.evil.example"])
def test_it_is_not_believed_from_elsewhere(console: Console, address: str) -> None:
    assert console.program(console.control.secret, address).get("/api/v1/tokens").status_code == 401


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_it_is_not_believed_through_a_proxy(console: Console, header: str) -> None:
    program = console.program(console.control.secret, "127.0.0.1")
    assert program.get("/api/v1/tokens", headers={header: "127.0.0.1"}).status_code == 401


def test_a_nearly_right_control_token_is_wrong(console: Console) -> None:
    secret = console.control.secret
    for wrong in (secret[:-1], secret + "x", secret[:-1] + "d", "wkc_"):
        assert console.program(wrong, "127.0.0.1").get("/api/v1/tokens").status_code == 401


def test_the_control_token_is_readable_by_this_user_only_and_new_at_each_start(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        first = ControlToken.create(tmp_path)
    finally:
        os.umask(before)
    file = tmp_path / "control.token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert ControlToken.read(tmp_path) == first
    second = ControlToken.create(tmp_path)
    assert ControlToken.read(tmp_path) == second != first
    assert not second.fits(first.secret)
    assert first.secret not in repr(first)
    assert [path.name for path in tmp_path.iterdir()] == ["control.token"]


def test_a_link_put_in_its_place_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "somebody-elses-file"
    target.write_text("untouched")
    (tmp_path / "control.token").symlink_to(target)
    (tmp_path / ".control.token.new").symlink_to(target)
    ControlToken.create(tmp_path)
    assert target.read_text() == "untouched"
    assert not (tmp_path / "control.token").is_symlink()


def test_before_the_first_start_there_is_none(tmp_path: Path) -> None:
    assert ControlToken.read(tmp_path) is None
