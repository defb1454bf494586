"""Whoever admitted a token once, and keeps something open for it, can ask whether it still works."""

from __future__ import annotations

from datetime import timedelta

from starlette.testclient import TestClient

from tests.identity.support import Browser, Console
from tests.identity.test_people import WHY, post
from watchkeeper.modules.identity import public
from watchkeeper.modules.identity.control import LOCAL


def works(console: Console, token_id: str) -> bool:
    answer: bool = console.look(public.token_works, token_id, console.clock.now())
    return answer


def test_a_token_works_until_it_is_revoked(console: Console, alice: Browser) -> None:
    token_id, _ = console.token("read")
    assert works(console, token_id)
    assert _machine(console).delete(f"/api/v1/tokens/{token_id}").is_success
    assert not works(console, token_id)


def test_a_token_works_until_it_expires(console: Console, alice: Browser) -> None:
    token_id, _ = console.token("read", expires_at=(console.clock.now() + timedelta(days=1)).isoformat())
    assert works(console, token_id)
    console.clock.advance(timedelta(days=1))
    assert not works(console, token_id)


def test_the_tokens_of_a_disabled_account_work_no_longer(console: Console, alice: Browser) -> None:
    account = post(_machine(console), "/service-accounts", {"name": "shop", "reason": WHY}).json()["id"]
    token_id, _ = console.token("read", account_id=account)
    assert works(console, token_id)
    page = f"/settings/service-accounts/{account}"
    assert alice.submit(f"{page}/disable", {"reason": "it leaked"}, page=page).status_code == 303
    assert not works(console, token_id)


def test_a_token_that_nobody_made_does_not_work_and_the_command_lines_does(console: Console) -> None:
    assert not works(console, "tok_nobody")
    assert works(console, LOCAL.id)


def _machine(console: Console) -> TestClient:
    return console.program(console.control.secret, "127.0.0.1")
