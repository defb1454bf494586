"""The scenarios of OpenFeature's specification, through the real SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import EventDetails, ProviderEvent
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagEvaluationOptions, Reason
from openfeature.hook import Hook
from openfeature.provider import ProviderStatus

from tests.support.running import eventually, running_server
from watchkeeper_client import Client
from watchkeeper_client.openfeature import WatchkeeperProvider
from watchkeeper_client.testing import client_with, override


def flag(variants: dict[str, Any], default: str, off: str, **more: Any) -> dict[str, Any]:
    return {"type": "flag", "variants": variants, "default": default, "off": off, "salt": "s", **more}


NO_CUSTOMER = {
    "all": [
        {"attribute": "fn", "op": "equals", "value": "Sulisław"},
        {"attribute": "customer", "op": "equals", "value": False},
    ]
}
PICTURES = {"showImages": True, "title": "Check out these pics!", "imagesPerPage": 100}
INTERNAL = {
    "rules": [{"when": NO_CUSTOMER, "serve": {"variant": "internal"}}],
    "serve": {"variant": "external"},
}
FLAGS: dict[str, Any] = {
    "boolean-flag": flag({"on": True, "off": False}, "on", "off"),
    "string-flag": flag({"greeting": "hi", "parting": "bye"}, "greeting", "parting"),
    "integer-flag": {"type": "integer", "default": 10},
    "float-flag": {"type": "float", "default": 0.5},
    "object-flag": {"type": "json", "default": PICTURES},
    "wrong-flag": {"type": "string", "default": "uno"},
    "a-secret": {"type": "secret", "default": {"env": "HOME"}},
    "boolean-zero-flag": flag({"zero": False, "other": True}, "other", "zero", value={"serve": {"variant": "zero"}}),
    "string-zero-flag": {"type": "string", "default": "x", "value": ""},
    "integer-zero-flag": {"type": "integer", "default": 1, "value": 0},
    "float-zero-flag": {"type": "float", "default": 1.5, "value": 0.0},
    "object-zero-flag": {"type": "json", "default": {"a": 1}, "value": {}},
    "whole-float-flag": {"type": "float", "default": 10.0},
    "huge-integer-flag": {"type": "integer", "default": 2**53 - 1},
    "disabled-flag": flag({"on": True, "off": False}, "on", "off", value={"enabled": False}),
    "context-aware": flag({"internal": "INTERNAL", "external": "EXTERNAL"}, "external", "external", value=INTERNAL),
}


ZEROS: list[tuple[str, Any, Any, Any]] = [
    ("boolean", True, False, True),
    ("string", "hi", "", "one"),
    ("integer", 1, 0, 1),
    ("float", 0.1, 0.0, 1.0),
    ("object", {"a": 1}, {}, {"b": 1}),
]


def targeted(zero: Any, one: Any) -> dict[str, Any]:
    when = {"attribute": "email", "op": "equals", "value": "ballmer@macrosoft.com"}
    rules = {"rules": [{"name": "him", "when": when, "serve": {"variant": "zero"}}]}
    return flag({"zero": zero, "one": one}, "one", "one", value=rules)


FLAGS |= {f"{kind}-targeted-zero-flag": targeted(zero, one) for kind, _, zero, one in ZEROS}


def details_of(client: OpenFeatureClient, kind: str, key: str, default: Any, *context: EvaluationContext) -> Any:
    return getattr(client, f"get_{kind}_details")(key, default, *context)


@pytest.fixture
def client() -> Iterator[OpenFeatureClient]:
    api.set_provider_and_wait(WatchkeeperProvider(client_with(FLAGS)), "scenarios")
    yield api.get_client("scenarios")
    api.clear_providers()


def test_values_of_every_type_resolve(client: OpenFeatureClient) -> None:
    assert client.get_boolean_value("boolean-flag", False) is True
    assert client.get_string_value("string-flag", "bye") == "hi"
    assert client.get_integer_value("integer-flag", 1) == 10
    assert client.get_float_value("float-flag", 0.1) == 0.5
    assert client.get_object_value("object-flag", {})["imagesPerPage"] == 100


def test_details_have_variant_and_reason(client: OpenFeatureClient) -> None:
    details = client.get_string_details("string-flag", "bye")
    assert (details.value, details.variant, details.reason, details.error_code) == (
        "hi",
        "greeting",
        Reason.DEFAULT,
        None,
    )
    assert details.flag_metadata == {"layer": "code"}


def test_the_context_decides(client: OpenFeatureClient) -> None:
    who = EvaluationContext("u1", {"fn": "Sulisław", "ln": "Świętopełk", "age": 29, "customer": False})
    details = client.get_string_details("context-aware", "EXTERNAL", who)
    assert (details.value, details.reason) == ("INTERNAL", Reason.TARGETING_MATCH)
    assert client.get_string_value("context-aware", "?") == "EXTERNAL"


def test_a_flag_that_is_not_there_gives_the_default_and_says_why(client: OpenFeatureClient) -> None:
    for key in ("missing-flag", "a-secret"):
        details = client.get_string_details(key, "uh-oh")
        assert (details.value, details.error_code, details.reason) == ("uh-oh", ErrorCode.FLAG_NOT_FOUND, Reason.ERROR)


def test_a_flag_of_another_type_gives_the_default_and_says_why(client: OpenFeatureClient) -> None:
    for details in (
        client.get_integer_details("wrong-flag", 13),
        client.get_integer_details("boolean-flag", 13),
        client.get_integer_details("float-flag", 13),
        client.get_boolean_details("integer-flag", True),
        client.get_float_details("boolean-flag", 0.1),
        client.get_object_details("wrong-flag", {}),
    ):
        assert (details.error_code, details.reason) == (ErrorCode.TYPE_MISMATCH, Reason.ERROR), details.flag_key


@pytest.mark.parametrize(("kind", "default", "zero", "one"), ZEROS)
def test_false_zero_and_empty_are_values(
    client: OpenFeatureClient, kind: str, default: Any, zero: Any, one: Any
) -> None:
    plain = details_of(client, kind, f"{kind}-zero-flag", default)
    assert (plain.value, plain.reason, plain.error_code, plain.error_message) == (zero, Reason.STATIC, None, None)
    him = EvaluationContext("u1", {"email": "ballmer@macrosoft.com"})
    found = details_of(client, kind, f"{kind}-targeted-zero-flag", default, him)
    assert (found.value, found.variant, found.reason) == (zero, "zero", Reason.TARGETING_MATCH)
    assert found.flag_metadata == {"layer": "system_config", "detail": "him"}


@pytest.mark.parametrize(("kind", "default", "zero", "one"), ZEROS)
@pytest.mark.parametrize("attributes", [{}, {"email": None}, {"email": "ballmer@none.com"}, {"email": {"a": []}}])
def test_whom_no_rule_matches_gets_the_default_variant(
    client: OpenFeatureClient, kind: str, default: Any, zero: Any, one: Any, attributes: dict[str, Any]
) -> None:
    found = details_of(client, kind, f"{kind}-targeted-zero-flag", default, EvaluationContext("u1", attributes))
    assert (found.value, found.variant, found.error_code) == (one, "one", None)


def test_a_disabled_flag_serves_its_off_variant_and_says_so(client: OpenFeatureClient) -> None:
    details = client.get_boolean_details("disabled-flag", True)
    assert (details.value, details.reason, details.error_code) == (False, Reason.DISABLED, None)


def test_numbers_pass_as_either_kind_where_nothing_is_lost(client: OpenFeatureClient) -> None:
    value = client.get_integer_value("whole-float-flag", 1)
    assert (value, type(value)) == (10, int)
    assert client.get_integer_value("huge-integer-flag", 1) == 2**53 - 1
    assert client.get_integer_details("float-flag", 1).error_code is ErrorCode.TYPE_MISMATCH


def test_what_a_caller_changes_in_an_object_nobody_else_sees() -> None:
    reader = client_with(FLAGS)
    api.set_provider_and_wait(WatchkeeperProvider(reader), "objects")
    client = api.get_client("objects")
    client.get_object_value("object-flag", {})["title"] = "mine"  # type: ignore[index]
    assert client.get_object_value("object-flag", {}) == reader.get("object-flag") == PICTURES


def test_durations_and_times_are_text_also_when_a_test_overrides_them() -> None:
    reader = client_with({"PATIENCE": timedelta(minutes=5), "OPENS": time(9)})
    api.set_provider_and_wait(WatchkeeperProvider(reader), "texts")
    client = api.get_client("texts")
    assert (client.get_string_value("PATIENCE", ""), client.get_string_value("OPENS", "")) == ("5m", "09:00")
    with override(PATIENCE=timedelta(hours=1), OPENS=time(8, 30)):
        assert (client.get_string_value("PATIENCE", ""), client.get_string_value("OPENS", "")) == ("1h", "08:30")


def test_a_whole_number_is_fine_where_a_float_is_asked_for(client: OpenFeatureClient) -> None:
    value = client.get_float_value("integer-flag", 0.1)
    assert (value, type(value)) == (10.0, float)


def test_the_async_verbs_answer_the_same(client: OpenFeatureClient) -> None:
    async def ask() -> tuple[Any, ...]:
        return (
            await client.get_boolean_value_async("boolean-flag", False),
            await client.get_integer_value_async("integer-flag", 1),
            await client.get_float_value_async("float-flag", 0.1),
            await client.get_string_value_async("string-flag", ""),
            (await client.get_object_details_async("object-flag", {})).value["title"],
        )

    assert asyncio.run(ask()) == (True, 10, 0.5, "hi", "Check out these pics!")


class Recorder(Hook):
    def __init__(self) -> None:
        self.seen: list[str] = []
        self.last: Any = None

    def before(self, hook_context: Any, hints: Any) -> None:
        self.seen.append("before")

    def after(self, hook_context: Any, details: Any, hints: Any) -> None:
        self.seen.append(f"after {details.value}")

    def error(self, hook_context: Any, exception: Exception, hints: Any) -> None:
        self.seen.append("error")

    def finally_after(self, hook_context: Any, details: Any, hints: Any) -> None:
        self.seen.append("finally")
        self.last = details


def test_hooks_run_around_an_evaluation_and_on_an_error(client: OpenFeatureClient) -> None:
    hook = Recorder()
    client.get_boolean_value("boolean-flag", False, flag_evaluation_options=FlagEvaluationOptions(hooks=[hook]))
    assert hook.seen == ["before", "after True", "finally"]
    assert (hook.last.flag_key, hook.last.variant, hook.last.error_code) == ("boolean-flag", "on", None)
    for key, code in (("missing-flag", ErrorCode.FLAG_NOT_FOUND), ("wrong-flag", ErrorCode.TYPE_MISMATCH)):
        hook.seen.clear()
        client.get_integer_value(key, 13, flag_evaluation_options=FlagEvaluationOptions(hooks=[hook]))
        assert hook.seen == ["before", "error", "finally"]
        told = hook.last
        assert (told.flag_key, told.value, told.variant, told.reason) == (key, 13, None, Reason.ERROR)
        assert told.error_code is code


def test_the_providers_own_hooks_run_too() -> None:
    hook = Recorder()
    api.set_provider_and_wait(WatchkeeperProvider(client_with(FLAGS), hooks=[hook]), "hooked")
    api.get_client("hooked").get_boolean_value("boolean-flag", False)
    assert hook.seen == ["before", "after True", "finally"]


def test_the_provider_has_a_name(client: OpenFeatureClient) -> None:
    assert WatchkeeperProvider(client_with({})).get_metadata().name == "watchkeeper"
    assert client.get_provider_status() is ProviderStatus.READY


def test_a_provider_without_any_configuration_is_not_ready() -> None:
    lonely = Client("http://127.0.0.1:9", "t", cache_dir=False)
    with pytest.raises(Exception, match=r"refused|arrived"):
        api.set_provider_and_wait(WatchkeeperProvider(lonely, ready_seconds=0.3), "lonely")
    assert api.get_client("lonely").get_provider_status() is ProviderStatus.ERROR
    details = api.get_client("lonely").get_boolean_details("boolean-flag", True)
    assert (details.value, details.error_code) == (True, ErrorCode.PROVIDER_NOT_READY)
    lonely.close()


def test_events_tell_of_changes_and_of_a_server_that_is_not_heard(tmp_path: Path) -> None:
    changed: list[EventDetails] = []
    states: list[str] = []
    with running_server(tmp_path / "data") as server:
        made = server.client.post("/api/v1/tokens", json={"name": "of", "scopes": ["read"]}).json()
        server.client.post(
            "/api/v1/config/parameters", json={"key": "N", "type": "integer", "default": 3}
        ).raise_for_status()
        provider = WatchkeeperProvider(Client(server.url, made["secret"], cache_dir=False))
        api.set_provider_and_wait(provider, "live")
        client = api.get_client("live")
        client.add_handler(ProviderEvent.PROVIDER_READY, lambda _: states.append("ready"))
        client.add_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, changed.append)
        client.add_handler(ProviderEvent.PROVIDER_STALE, lambda _: states.append("stale"))
        body = {"environment": "production", "reason": "x", "operations": [{"key": "N", "value": 5}]}
        server.client.post("/api/v1/config/changes", json=body).raise_for_status()
        eventually(lambda: [one.flags_changed for one in changed] == [["N"]])
        assert client.get_integer_value("N", 0) == 5
    eventually(lambda: states == ["ready", "stale"])
    assert client.get_provider_status() is ProviderStatus.STALE
    assert client.get_integer_value("N", 0) == 5
    with running_server(tmp_path / "data", port=httpx.URL(server.url).port or 0):
        eventually(lambda: states == ["ready", "stale", "ready"])
        assert client.get_provider_status() is ProviderStatus.READY
    provider.shutdown()
