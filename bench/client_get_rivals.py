"""The part of `bench.client_get` that runs beside the other clients; prints question, client and nanoseconds a read."""

from __future__ import annotations

import json
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

USERS = [f"user-{number}" for number in range(1_000)]
ELSEWHERE = {"country": "SE"}
ROUNDS = 7
Read = Callable[[str], Any]


def main() -> None:
    """Measure every client in turn, seven times, and print the median."""
    logging.disable(logging.CRITICAL)
    asked = list(_questions())
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(ROUNDS):
        for question, who, read, expected in asked:
            share = sum(bool(read(user)) for user in USERS) / len(USERS)
            if not expected[0] <= share <= expected[1]:
                raise SystemExit(f"{who} does not answer the question {question}: {share:.3f}")
            times.setdefault((question, who), []).append(_nanoseconds(read))
    for (question, who), found in times.items():
        print(f"{question}\t{who}\t{statistics.median(found):.1f}")


def _nanoseconds(read: Read) -> float:
    """Of one read, with the loop's own cost taken away."""
    rounds = 1
    while True:
        began = time.perf_counter()
        for _ in range(rounds):
            for user in USERS:
                read(user)
        spent = time.perf_counter() - began
        if spent > 0.15:
            break
        rounds *= 2
    began = time.perf_counter()
    for _ in range(rounds):
        for user in USERS:
            _nothing(user)
    return (spent - (time.perf_counter() - began)) / rounds / len(USERS) * 1e9


def _nothing(_user: str) -> None:
    return None


def _questions() -> Iterator[tuple[str, str, Read, tuple[float, float]]]:
    everybody, quarter = (1.0, 1.0), (0.2, 0.3)
    for who, make in (
        ("dict", _dict),
        ("watchkeeper", _watchkeeper),
        ("openfeature-sdk (in memory)", _openfeature),
        ("UnleashClient", _unleash),
        ("GrowthBook", _growthbook),
        ("Flagsmith (local)", _flagsmith),
    ):
        static, rule = make()
        yield "static", who, static, everybody
        if rule is not None:
            yield "rule", who, rule, quarter
        else:
            yield "rule", who, static, everybody


def _dict() -> tuple[Read, Read | None]:
    held = {"STATIC": True}
    return lambda _user: held["STATIC"], None


def _watchkeeper() -> tuple[Read, Read]:
    from watchkeeper_client.testing import client_with

    flag = {"type": "flag", "variants": {"on": True, "off": False}, "default": "off", "off": "off", "salt": "bench"}
    norway = {"segment": "norway", "value": "on", "priority": 0}
    quarter = {"serve": {"percent": 25, "variants": {"on": 1}}}
    client = client_with(
        {
            "STATIC": {**flag, "value": {"serve": {"variant": "on"}}},
            "RULE": {**flag, "value": quarter, "segments": [norway]},
        },
        segments={"norway": {"when": {"attribute": "country", "op": "equals", "value": "NO"}}},
    )
    get = client.get
    return lambda _user: get("STATIC", False), lambda user: get("RULE", False, user=user, attributes=ELSEWHERE)


def _openfeature() -> tuple[Read, Read]:
    from openfeature import api
    from openfeature.evaluation_context import EvaluationContext
    from openfeature.flag_evaluation import FlagResolutionDetails, Reason
    from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

    from watchkeeper_client.rules import bucket

    def evaluate(_flag: Any, context: EvaluationContext) -> FlagResolutionDetails[bool]:
        inside = context.attributes.get("country") == "NO" or bucket("bench", context.targeting_key or "") < 2**30
        return FlagResolutionDetails(inside, reason=Reason.TARGETING_MATCH, variant="on" if inside else "off")

    both = {"on": True, "off": False}
    flags = {"STATIC": InMemoryFlag("on", both), "RULE": InMemoryFlag("off", both, context_evaluator=evaluate)}
    api.set_provider(InMemoryProvider(flags))
    client = api.get_client()
    return (
        lambda _user: client.get_boolean_value("STATIC", False),
        lambda user: client.get_boolean_value("RULE", False, EvaluationContext(user, ELSEWHERE)),
    )


def _unleash() -> tuple[Read, Read]:
    from UnleashClient import UnleashClient
    from UnleashClient.cache import FileCache

    norway = {"contextName": "country", "operator": "IN", "values": ["NO"]}
    quarter = {"rollout": "25", "stickiness": "userId", "groupId": "bench"}
    features = [
        {"name": "STATIC", "enabled": True, "strategies": [{"name": "default", "parameters": {}}]},
        {
            "name": "RULE",
            "enabled": True,
            "strategies": [
                {"name": "default", "parameters": {}, "constraints": [norway]},
                {"name": "flexibleRollout", "parameters": quarter},
            ],
        },
    ]
    cache = FileCache("bench", directory=tempfile.mkdtemp())
    cache.bootstrap_from_dict({"version": 2, "features": features})
    client = UnleashClient("http://127.0.0.1:9", "bench", cache=cache, disable_metrics=True, disable_registration=True)
    client.initialize_client(fetch_toggles=False)
    is_enabled = client.is_enabled
    return (
        lambda _user: is_enabled("STATIC"),
        lambda user: is_enabled("RULE", {"userId": user, "properties": ELSEWHERE}),
    )


def _growthbook() -> tuple[Read, Read]:
    from growthbook import GrowthBook

    features = {
        "STATIC": {"defaultValue": True},
        "RULE": {
            "defaultValue": False,
            "rules": [
                {"condition": {"country": "NO"}, "force": True},
                {"force": True, "coverage": 0.25, "hashAttribute": "id"},
            ],
        },
    }
    client = GrowthBook(attributes={"id": "u"}, features=features)

    def rule(user: str) -> Any:
        client.set_attributes({"id": user, "country": "SE"})
        return client.is_on("RULE")

    return lambda _user: client.is_on("STATIC"), rule


def _flagsmith() -> tuple[Read, Read]:
    from flagsmith import Flagsmith
    from flagsmith.offline_handlers import LocalFileHandler

    file = Path(tempfile.mkdtemp()) / "environment.json"
    file.write_text(json.dumps(_flagsmith_environment()))
    client = Flagsmith(offline_mode=True, offline_handler=LocalFileHandler(str(file)))
    return (
        lambda _user: client.get_environment_flags().is_feature_enabled("STATIC"),
        lambda user: client.get_identity_flags(user, traits=ELSEWHERE).is_feature_enabled("RULE"),
    )


def _flagsmith_environment() -> dict[str, Any]:
    def state(number: int, name: str, enabled: bool, segment: int | None = None) -> dict[str, Any]:
        return {
            "feature": {"id": number, "name": name, "type": "STANDARD"},
            "enabled": enabled,
            "django_id": number,
            "featurestate_uuid": f"00000000-0000-0000-0000-00000000000{number}",
            "feature_state_value": None,
            "multivariate_feature_state_values": [],
            "feature_segment": {"priority": segment} if segment is not None else None,
        }

    def segment(number: int, operator: str, trait: str | None, value: str) -> dict[str, Any]:
        condition = {"operator": operator, "property_": trait, "value": value}
        rule = {"type": "ALL", "conditions": [], "rules": [{"type": "ANY", "conditions": [condition], "rules": []}]}
        return {
            "id": number,
            "name": f"segment {number}",
            "rules": [rule],
            "feature_states": [state(2, "RULE", True, number)],
        }

    return {
        "id": 1,
        "api_key": "bench",
        "name": "bench",
        "updated_at": "2026-01-01T00:00:00Z",
        "project": {
            "id": 1,
            "name": "bench",
            "hide_disabled_flags": False,
            "organisation": {
                "id": 1,
                "name": "bench",
                "feature_analytics": False,
                "stop_serving_flags": False,
                "persist_trait_data": True,
            },
            "segments": [segment(1, "EQUAL", "country", "NO"), segment(2, "PERCENTAGE_SPLIT", None, "25")],
        },
        "feature_states": [state(1, "STATIC", True), state(2, "RULE", False)],
        "identity_overrides": [],
    }


if __name__ == "__main__":
    main()
