"""Watchkeeper's own settings among the parameters: shown as they are, changed live by admins only."""

from __future__ import annotations

from typing import Any

import pytest

from tests.config.pages.support import Pages, pages, words
from tests.config.support import Stage
from watchkeeper.modules.config.own import Own, OwnParameter
from watchkeeper_client.rules import Definition

DAYS, HOST = "watchkeeper.telemetry.minute_days", "watchkeeper.mail.host"


def setting(key: str, kind: str, default: Any, started: Any, *, live: bool) -> OwnParameter:
    definition = Definition.of({"key": key, "type": kind, "default": default, "group": "watchkeeper/x"})
    return OwnParameter(definition, live, key.upper().replace(".", "_"), started, "the file")


@pytest.fixture
def own(stage: Stage) -> Own:
    found = Own(
        [setting(DAYS, "integer", 90, 30, live=True), setting(HOST, "string", None, "mail.example", live=False)],
        "production",
        lambda values: None,
    )
    with stage.database.begin() as session:
        found.register(session, stage.clock)
    stage.hub.follow(found.read)
    return found


def page(stage: Stage, own: Own, who: str = "alice") -> Pages:
    return pages(stage, who, parts={Own: own})


def test_the_list_keeps_them_apart_and_shows_what_the_server_works_with(stage: Stage, own: Own) -> None:
    assert "No parameters yet" in page(stage, own).text("/config")
    text = page(stage, own).text("/config?group=watchkeeper")
    assert f"{DAYS} integer 30 environment variable" in text
    assert f"{HOST} string mail.example environment variable" in text


def test_an_admin_changes_a_live_one_without_a_restart(stage: Stage, own: Own) -> None:
    alice = page(stage, own)
    text = alice.text(f"/config/parameters/{DAYS}")
    assert "it changes live in every replica" in text
    assert "Override for some" not in text
    made = alice.change(f"/config/parameters/{DAYS}/value", value="60", version="0")
    assert "nothing → 60" in alice.text(made)
    text = alice.text(f"/config/parameters/{DAYS}")
    assert "system_config 60 decides" in text
    assert "the file 30 the value that is set goes first" in text


def test_what_is_read_at_the_start_has_no_form(stage: Stage, own: Own) -> None:
    text = page(stage, own).get(f"/config/parameters/{HOST}").text
    assert 'method="post"' not in text
    assert "it is read at the start" in words(text)


def test_who_is_no_admin_changes_none_and_sees_only_what_is_said_of_them(stage: Stage, own: Own) -> None:
    dora = page(stage, own, "dora")
    text = dora.get(f"/config/parameters/{DAYS}").text
    assert 'method="post"' not in text
    assert "mail.example" not in dora.get(f"/config/parameters/{HOST}").text
    form = {"environment": "production", "value": "60", "version": "0", "reason": "x"}
    assert dora.post(f"/config/parameters/{DAYS}/value", **form).status_code == 403
