"""Watchkeeper's own settings: parameters like any other; those that are live change in a server that runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from watchkeeper.app.configuration import GROUPS, load_configuration
from watchkeeper.app.own_settings import own_settings
from watchkeeper.app.server import Watchkeeper
from watchkeeper.kernel.journal import FactFilter, read_facts
from watchkeeper.kernel.settings import LiveSettings
from watchkeeper.modules.config import store
from watchkeeper.modules.config.values import check_definition
from watchkeeper.modules.identity.control import ControlToken

MINUTE_DAYS = "watchkeeper.telemetry.minute_days"


@dataclass
class Served:
    """A server with a client that may do everything."""

    watchkeeper: Watchkeeper
    client: TestClient

    def get(self, path: str, **parameters: str) -> Any:
        answer = self.client.get(f"/api/v1/config{path}", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def put(self, key: str, value: Any, environment: str = "production", slot: str = "value") -> Any:
        operation = {"key": key, "slot": slot, "value": value}
        order = {"environment": environment, "reason": "tried out", "operations": [operation]}
        return self.client.post("/api/v1/config/changes", json=order)

    def layers(self, key: str) -> dict[str, Any]:
        found = self.get(f"/parameters/{key}/explain")
        return {one["layer"]: (one["value"], one["won"]) for one in found["layers"]}


@contextmanager
def served(data: Path, **environ: str) -> Iterator[Served]:
    settings = {f"WATCHKEEPER_{name.upper()}": value for name, value in environ.items()}
    with Watchkeeper.open(load_configuration(settings, data=data), background=False) as watchkeeper:
        control = ControlToken.read(data)
        assert control is not None
        headers = {"Authorization": f"Bearer {control.secret}"}
        yield Served(watchkeeper, TestClient(watchkeeper.app, client=("127.0.0.1", 40_000), headers=headers))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path / "data", telemetry_minute_days="30") as opened:
        yield opened


def test_every_setting_is_a_sound_parameter() -> None:
    for one in own_settings(GROUPS):
        definition = one.definition()
        assert check_definition(definition) == [], one.key
        assert (definition.key, definition.service) == (one.key, "watchkeeper")
        assert definition.description


def test_what_is_live_is_a_setting_of_its_group() -> None:
    for group in GROUPS:
        assert group.live <= set(group.model_fields), group


def test_types_and_bounds_come_from_the_fields() -> None:
    by_key = {one.key: one.definition() for one in own_settings(GROUPS)}
    days = by_key[MINUTE_DAYS]
    assert (days.type, days.default, days.minimum, days.maximum) == ("integer", 90, 1, 1200)
    assert by_key["watchkeeper.server.log_level"].choices == ("debug", "info", "warning", "error")
    assert by_key["watchkeeper.identity.oidc_default_role"].type == "enum"
    assert by_key["watchkeeper.server.database_url"].default is None


def test_a_live_setting_is_set_like_a_parameter_and_holds_at_once(server: Served) -> None:
    telemetry = server.watchkeeper.store.settings
    assert telemetry.minute_days == 30
    assert server.put(MINUTE_DAYS, 45).json()["state"] == "applied"
    assert telemetry.minute_days == 45
    assert server.layers(MINUTE_DAYS) == {"system_config": (45, True), "env": (30, False), "code": (90, False)}
    assert server.put(MINUTE_DAYS, None).status_code == 201
    assert telemetry.minute_days == 30
    assert server.layers(MINUTE_DAYS) == {"system_config": (None, False), "env": (30, True), "code": (90, False)}


def test_what_is_set_survives_a_restart(tmp_path: Path) -> None:
    with served(tmp_path / "other") as first:
        first.put("watchkeeper.identity.login_link_minutes", 5)
    with served(tmp_path / "other", identity_login_link_minutes="30") as again:
        assert again.watchkeeper.configuration.identity.login_link.total_seconds() == 300


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        (MINUTE_DAYS, 0, "from 1 to 1200"),
        (MINUTE_DAYS, "many", "a whole number"),
        ("watchkeeper.backup.at", "25:00", "text that matches"),
        ("watchkeeper.server.port", 80, "is read at the start: set WATCHKEEPER_PORT and restart"),
        ("watchkeeper.nope", 1, "a key of the registry"),
    ],
)
def test_what_does_not_fit_or_needs_a_restart_is_refused(server: Served, key: str, value: Any, line: str) -> None:
    answer = server.put(key, value)
    assert answer.status_code == 422
    assert line in answer.json()["errors"][0]["expected"]


def test_a_setting_is_the_same_for_everybody_and_in_one_environment(server: Served) -> None:
    assert "the same for everybody" in server.put(MINUTE_DAYS, 5, slot="user:u1").text
    server.client.post("/api/v1/config/environments", json={"name": "staging"}).raise_for_status()
    assert "the environment production" in server.put(MINUTE_DAYS, 5, "staging").text
    server.put(MINUTE_DAYS, 45)
    assert server.get("/diff", **{"from": "production", "to": "staging"})["items"] == []


def test_only_admins_change_watchkeeper_itself(server: Served) -> None:
    made = server.client.post("/api/v1/tokens", json={"name": "writer", "scopes": ["write"]}).json()
    writer = {"Authorization": f"Bearer {made['secret']}"}
    operation = {"key": MINUTE_DAYS, "value": 5}
    order = {"environment": "production", "reason": "mine", "operations": [operation]}
    answer = server.client.post("/api/v1/config/changes", json=order, headers=writer)
    assert (answer.status_code, answer.json()["detail"]) == (403, "Watchkeeper's own settings are changed by admins.")
    asked = server.client.get(f"/api/v1/config/parameters/{MINUTE_DAYS}/explain", headers=writer)
    assert asked.status_code == 403


def test_the_product_sees_none_of_it(server: Served) -> None:
    server.put(MINUTE_DAYS, 45)
    assert server.get("/snapshot")["parameters"] == {}
    assert server.get("/parameters")["items"] == []
    listed = server.get("/parameters", group="watchkeeper/telemetry", limit="200")["items"]
    assert MINUTE_DAYS in {one["definition"]["key"] for one in listed}
    assert MINUTE_DAYS not in server.get("/documentation")["text"]
    assert server.client.get("/api/v1/ops/export").json()["files"] == {}


def test_nobody_else_takes_a_key_of_watchkeepers(server: Served) -> None:
    for key in (MINUTE_DAYS, "watchkeeper.mine"):
        body = {"key": key, "type": "integer", "default": 1}
        assert server.client.post("/api/v1/config/parameters", json=body).status_code in (409, 422)
        declared = server.client.post("/api/v1/config/register", json={"service": "orders", "parameters": [body]})
        assert declared.json()["items"][0]["outcome"] == "refused"
    assert server.client.delete(f"/api/v1/config/parameters/{MINUTE_DAYS}").status_code == 409


def test_the_registry_follows_the_code_without_a_fact(server: Served) -> None:
    watchkeeper = server.watchkeeper
    with watchkeeper.db.read() as session:
        own = [one for one in store.all_parameters(session) if one.managed_by == "watchkeeper"]
        assert len(own) == sum(len(group.model_fields) for group in GROUPS)
        assert {one.version for one in own} == {1}
        assert read_facts(session, FactFilter(kinds=("config.parameter_defined",))) == []


def test_a_secret_is_not_shown(tmp_path: Path) -> None:
    secret = tmp_path / "hunter2"
    secret.write_text("x", encoding="utf-8")
    environ = {
        "identity_oidc_issuer": "https://id.example.com",
        "identity_oidc_client_id": "wk",
        "identity_oidc_client_secret_file": str(secret),
    }
    with served(tmp_path / "data", **environ) as opened:
        assert opened.layers("watchkeeper.identity.oidc_client_secret_file")["env"] == ("(set)", True)


def test_what_can_not_be_used_changes_nothing() -> None:
    telemetry = LiveSettings(load_configuration({}).telemetry)
    telemetry.use({"minute_days": 5})
    with pytest.raises(ValueError, match="minute_days"):
        telemetry.use({"minute_days": 0})
    assert telemetry.minute_days == 5
    telemetry.use({})
    assert telemetry.minute_days == 90


def test_the_page_of_settings_shows_what_holds_now(server: Served) -> None:
    server.put(MINUTE_DAYS, 45)
    text = server.client.get("/settings", headers={"Accept": "text/html"}).text
    assert "<strong>45</strong>" in text
    assert "/config?group=watchkeeper" in text
