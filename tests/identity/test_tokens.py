"""API tokens: shown once, limited by scope and time, dead within seconds of being revoked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.identity.support import Browser, Console, hidden_fields
from watchkeeper.kernel.clock import rfc3339
from watchkeeper.kernel.web.access import Scope
from watchkeeper.modules.identity import store
from watchkeeper.modules.identity.model import digest
from watchkeeper.modules.identity.tables import tokens


def test_a_token_is_shown_once_and_never_again(console: Console) -> None:
    token_id, secret = console.token("read", name="duet")
    assert secret.startswith("wkt_")
    listed = console.program(console.control.secret, "127.0.0.1").get("/api/v1/tokens")
    assert [item["id"] for item in listed.json()["items"]] == [token_id]
    assert secret not in listed.text
    assert "secret" not in listed.json()["items"][0]
    rows = console.look(lambda session: session.execute(tokens.select()).all())
    assert secret not in repr(rows)
    assert console.look(store.token_by_digest, digest(secret)).id == token_id


def test_a_token_says_what_it_is_for_and_how_long(console: Console) -> None:
    until = console.clock.now() + timedelta(days=30)
    console.token("read", "intake", name="  duet\n gateway ", expires_at=rfc3339(until))
    item = console.program(console.control.secret, "127.0.0.1").get("/api/v1/tokens").json()["items"][0]
    assert item["name"] == "duet gateway"
    assert item["scopes"] == ["intake", "read"]
    assert item["created_by"] == "local"
    assert item["created_at"].endswith("Z")
    assert item["expires_at"].startswith("2026-04-01T12:00:00")
    assert (item["last_used_at"], item["revoked_at"]) == (None, None)


@pytest.mark.parametrize(("scope", "status"), [("read", 403), ("write", 403), ("intake", 403), ("admin", 200)])
def test_only_an_admin_token_may_see_tokens(console: Console, scope: str, status: int) -> None:
    _, secret = console.token(scope)
    assert console.program(secret).get("/api/v1/tokens").status_code == status


def test_nobody_else_may(console: Console, alice: Browser) -> None:
    assert console.program().get("/api/v1/tokens").status_code == 401
    assert console.program().post("/api/v1/tokens", json={}).status_code == 401
    assert console.program().delete("/api/v1/tokens/tok_x").status_code == 401


def test_a_revoked_token_is_dead_at_once_here_and_within_five_seconds_everywhere(console: Console) -> None:
    token_id, secret = console.token("admin")
    here, there = console.program(secret), console.another().program(secret)
    assert here.get("/api/v1/tokens").status_code == there.get("/api/v1/tokens").status_code == 200
    admin = console.program(console.control.secret, "127.0.0.1")
    assert admin.delete(f"/api/v1/tokens/{token_id}").status_code == 204
    assert here.get("/api/v1/tokens").status_code == 401
    assert there.get("/api/v1/tokens").status_code == 200
    console.clock.advance(timedelta(seconds=5))
    assert there.get("/api/v1/tokens").status_code == 401


def test_a_busy_token_is_asked_for_again_all_the_same(console: Console) -> None:
    token_id, secret = console.token("admin")
    busy = console.another().program(secret)
    assert busy.get("/api/v1/tokens").status_code == 200
    console.program(console.control.secret, "127.0.0.1").delete(f"/api/v1/tokens/{token_id}")
    answers = []
    for _ in range(6):
        console.clock.advance(timedelta(seconds=1))
        answers.append(busy.get("/api/v1/tokens").status_code)
    assert answers == [200, 200, 200, 200, 401, 401]


def test_revoking_twice_changes_nothing_and_tells_nothing(console: Console) -> None:
    token_id, _ = console.token("read")
    admin = console.program(console.control.secret, "127.0.0.1")
    assert [admin.delete(f"/api/v1/tokens/{token_id}").status_code for _ in range(2)] == [204, 204]
    assert len(console.facts("identity.token_revoked")) == 1


@pytest.mark.parametrize("token_id", ["tok_x", "tok_" + "0" * 26, "per_" + "0" * 26, "%F0%9F%98%80", "a" * 900])
def test_an_unknown_token_can_not_be_revoked(console: Console, token_id: str) -> None:
    answer = console.program(console.control.secret, "127.0.0.1").delete(f"/api/v1/tokens/{token_id}")
    assert (answer.status_code, answer.json()["code"]) == (404, "identity.token_not_found")


def test_an_expired_token_is_dead_even_while_it_is_remembered(console: Console) -> None:
    _, secret = console.token("admin", expires_at=rfc3339(console.clock.now() + timedelta(seconds=2)))
    program = console.program(secret)
    assert program.get("/api/v1/tokens").status_code == 200
    console.clock.advance(timedelta(seconds=2))
    assert program.get("/api/v1/tokens").status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "x"},
        {"name": "x", "scopes": []},
        {"name": "", "scopes": ["read"]},
        {"name": "\u200b", "scopes": ["read"]},
        {"name": "x" * 101, "scopes": ["read"]},
        {"name": "x", "scopes": ["root"]},
        {"name": "x", "scopes": ["read"], "expires_at": "2026-03-02T12:00:00Z"},
        {"name": "x", "scopes": ["read"], "expires_at": "2026-04-28T09:00:00"},
        {"name": "x", "scopes": ["read"], "expires_at": "9999-12-31T23:59:59-23:00"},
        {"name": "x", "scopes": ["read"], "secret": "wkt_mine"},
        {"name": "x", "scopes": ["read"], "created_by": "per_alice"},
    ],
)
def test_a_wrong_order_is_refused_and_makes_nothing(console: Console, body: dict[str, object]) -> None:
    answer = console.program(console.control.secret, "127.0.0.1").post("/api/v1/tokens", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"]
    assert console.facts("identity.token_created") == []


def test_pages_of_tokens_show_each_exactly_once(console: Console) -> None:
    made = [console.token("read", name=f"n{number}")[0] for number in range(7)]
    admin, seen, cursor = console.program(console.control.secret, "127.0.0.1"), [], None
    while True:
        page = admin.get("/api/v1/tokens", params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(made)


@given(cursor=st.text(max_size=40))
def test_a_made_up_cursor_is_refused(cursor: str) -> None:
    from watchkeeper.kernel.web.paging import BadCursor
    from watchkeeper.modules.identity.routes import place_of

    with pytest.raises(BadCursor):
        place_of(cursor or "x")


# --- repeated requests ---


def test_the_same_order_sent_twice_makes_one_token_and_shows_the_secret_once(console: Console) -> None:
    admin = console.program(console.control.secret, "127.0.0.1")
    body, headers = {"name": "duet", "scopes": ["read"]}, {"Idempotency-Key": "order-1"}
    first = admin.post("/api/v1/tokens", json=body, headers=headers)
    second = admin.post("/api/v1/tokens", json=body, headers=headers)
    assert first.status_code == second.status_code == 201
    assert second.headers["Idempotency-Replayed"] == "true"
    assert first.json()["secret"].startswith("wkt_")
    assert second.json() == first.json() | {"secret": None}
    assert len(console.facts("identity.token_created")) == 1


def test_no_secret_lies_in_the_memory_of_repeated_requests(console: Console) -> None:
    from watchkeeper.kernel.db.shared_tables import idempotency_keys

    admin = console.program(console.control.secret, "127.0.0.1")
    body = {"name": "duet", "scopes": ["read"]}
    secret = admin.post("/api/v1/tokens", json=body, headers={"Idempotency-Key": "order-1"}).json()["secret"]
    rows = console.look(lambda session: session.execute(idempotency_keys.select()).all())
    assert len(rows) == 1
    assert secret not in repr(rows)
    assert "wkt_" not in repr(rows)


def test_another_order_under_the_same_key_is_refused(console: Console) -> None:
    admin = console.program(console.control.secret, "127.0.0.1")
    headers = {"Idempotency-Key": "order-1"}
    admin.post("/api/v1/tokens", json={"name": "a", "scopes": ["read"]}, headers=headers)
    again = admin.post("/api/v1/tokens", json={"name": "b", "scopes": ["admin"]}, headers=headers)
    assert again.status_code == 422
    assert len(console.facts("identity.token_created")) == 1


# --- the page ---


def _make(browser: Browser, **fields: str):  # type: ignore[no-untyped-def]
    form = {"name": "duet-gateway", "scope": "intake", "expires": "90"} | fields
    return browser.submit("/settings/tokens", form)


def test_the_page_shows_the_secret_once_with_what_opentelemetry_needs(console: Console, alice: Browser) -> None:
    page = _make(alice)
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    secret = page.text.split("<code>")[1].split("<")[0]
    assert f"OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20{secret}" in page.text
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://console\n" in page.text
    assert "WATCHKEEPER_TOKEN" not in page.text
    assert secret not in alice.get("/settings/tokens").text
    assert console.look(store.token_by_digest, digest(secret)).scopes == frozenset({Scope.INTAKE})


def test_a_token_for_reading_comes_with_what_the_command_line_needs(console: Console, alice: Browser) -> None:
    page = _make(alice, scope="read", expires="never").text
    assert "WATCHKEEPER_TOKEN=wkt_" in page
    assert "OTEL_EXPORTER" not in page


def test_reloading_the_answer_makes_no_second_token(console: Console, alice: Browser) -> None:
    form = {"name": "duet", "scope": "read", "expires": "30", **hidden_fields(alice.get("/settings/tokens").text)}
    first, second = (alice.client.post("/settings/tokens", data=form) for _ in range(2))
    assert "WATCHKEEPER_TOKEN=wkt_" in first.text
    assert "This page was sent twice" in second.text
    assert "wkt_" not in second.text
    assert len(console.facts("identity.token_created")) == 1


@pytest.mark.parametrize(
    ("wrong", "message"), [({"name": " "}, "1 to 100 visible"), ({"scope": "root"}, "at least one")]
)
def test_a_wrong_form_says_so_beside_the_field(
    console: Console, alice: Browser, wrong: dict[str, str], message: str
) -> None:
    answer = _make(alice, **wrong)
    assert answer.status_code == 422
    assert message in answer.text
    assert console.facts("identity.token_created") == []


def test_a_hostile_token_name_is_only_text(console: Console, alice: Browser) -> None:
    page = _make(alice, name="<img src=x onerror=alert(1)>").text
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_the_button_revokes(console: Console, alice: Browser) -> None:
    token_id, secret = console.token("read", name="laptop")
    assert alice.submit(f"/settings/tokens/{token_id}/revoke", {}, page="/settings/tokens").status_code == 303
    assert "revoked" in alice.get("/settings/tokens").text
    assert console.program(secret).get("/account").status_code == 401


def test_an_empty_list_teaches_the_next_step(console: Console, alice: Browser) -> None:
    assert "watchkeeper token create --name duet-gateway --scope intake" in alice.get("/settings/tokens").text


def test_tokens_are_facts_without_name_or_secret(console: Console, alice: Browser) -> None:
    token_id, secret = console.token("read", name="Alice's laptop")
    console.program(console.control.secret, "127.0.0.1").delete(f"/api/v1/tokens/{token_id}")
    [created], [revoked] = console.facts("identity.token_created"), console.facts("identity.token_revoked")
    assert (created.actor, created.source, created.subject_id) == ("local", "cli", token_id)
    assert (revoked.kind, revoked.subject_id) == ("identity.token_revoked", token_id)
    assert "laptop" not in repr([created, revoked])
    assert secret not in repr([created, revoked])
