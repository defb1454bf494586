"""The registry: who may say otherwise of a parameter, and what happens to it at once with a change."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.config.support import MATCHES, VIDEO, Stage
from watchkeeper.kernel.errors import Refusal
from watchkeeper.modules.config import service, store
from watchkeeper.modules.config.changes import Changes
from watchkeeper.modules.config.errors import ChangeInvalid, DefinitionInvalid
from watchkeeper.modules.config.model import ChangeState, Operation
from watchkeeper.modules.config.service import Config
from watchkeeper_client.rules import Definition, check_value

BASE = "/api/v1/config"


def declare(stage: Stage, **said: Any) -> Any:
    order = {"service": "orders", "parameters": [{"key": "BATCH_SIZE", "type": "integer", "default": 10, **said}]}
    return stage.api("intake").post(f"{BASE}/register", json=order).json()["items"][0]


def put(stage: Stage, scope: str, key: str, **changes: Any) -> Any:
    api = stage.api(scope)
    before = api.get(f"{BASE}/parameters/{key}")
    body = {**before.json()["definition"], **changes, "reason": "tried"}
    return api.put(f"{BASE}/parameters/{key}", json=body, headers={"If-Match": before.headers["ETag"]})


def definition(stage: Stage, key: str) -> Any:
    return stage.api("read").get(f"{BASE}/parameters/{key}").json()["definition"]


def test_what_code_declares_anew_leaves_what_people_said_beside_it(stage: Stage) -> None:
    declare(stage, maximum=50)
    said = {"description": "How many at once.", "group": "orders/batches", "deprecated_since": "2026-01-01"}
    assert put(stage, "admin", "BATCH_SIZE", **said).status_code == 200
    assert declare(stage, default=20, maximum=60)["outcome"] == "known"
    assert definition(stage, "BATCH_SIZE") == {
        "key": "BATCH_SIZE",
        "type": "integer",
        "default": 20,
        "maximum": 60,
        "service": "orders",
        **said,
    }


def test_a_program_that_starts_does_not_get_around_the_second_person(stage: Stage) -> None:
    declare(stage)
    assert put(stage, "admin", "BATCH_SIZE", needs_approval=True).status_code == 200
    assert declare(stage, default=20)["outcome"] == "differs"
    assert definition(stage, "BATCH_SIZE")["needs_approval"] is True
    assert stage.get("BATCH_SIZE") == 10
    assert stage.set("BATCH_SIZE", 20).state is ChangeState.WAITING_APPROVAL


def test_what_two_people_decide_is_not_redefined_by_one(stage: Stage) -> None:
    stage.define({**MATCHES, "needs_approval": True}, VIDEO)
    for otherwise in ({"needs_approval": False}, {"default": 9}):
        assert put(stage, "write", "MATCHES_PER_DAY", **otherwise).status_code == 403, otherwise
    assert stage.api().delete(f"{BASE}/parameters/MATCHES_PER_DAY", params={"reason": "x"}).status_code == 403
    assert put(stage, "write", "MATCHES_PER_DAY", description="Only words.").status_code == 200
    assert put(stage, "write", "ENABLE_VIDEO", default="on").status_code == 200, "values of this one need nobody"
    stage.config(lambda c: c.set_needs_approval("production", True, reason="care", by="alice", source="api"))
    assert put(stage, "write", "ENABLE_VIDEO", default="off").status_code == 403
    assert put(stage, "write", "ENABLE_VIDEO", salt="another").status_code == 403
    assert put(stage, "admin", "ENABLE_VIDEO", default="off").status_code == 200


def test_a_file_by_hand_does_not_get_around_the_second_person_either(stage: Stage) -> None:
    stage.define({**MATCHES, "needs_approval": True})
    text = "parameters: [{key: MATCHES_PER_DAY, type: integer, default: 3, min: 1, max: 10, service: matching}]"
    answer = stage.api().post(f"{BASE}/import", json={"text": text, "reason": "tried"})
    assert answer.status_code == 403, answer.text
    assert definition(stage, "MATCHES_PER_DAY")["needs_approval"] is True


def test_a_key_that_only_looks_right_is_refused_with_the_letter_that_is_wrong(stage: Stage) -> None:
    stage.define(MATCHES)
    key = "M\u0410TCHES_PER_DAY"
    change = {"environment": "production", "reason": "x", "operations": [{"key": key, "value": 5}]}
    answers = [
        stage.api().post(f"{BASE}/changes", json=change),
        stage.api("read").get(f"{BASE}/parameters/{key}"),
        stage.api("read").get(f"{BASE}/parameters/{key}/explain"),
    ]
    assert [one.status_code for one in answers] == [422, 404, 404]
    assert all("CYRILLIC CAPITAL LETTER A" in one.text for one in answers)


def test_the_registry_is_not_filled_without_end_by_whoever_declares(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_PARAMETERS", 2)
    stage.define(MATCHES, VIDEO)
    refused = declare(stage)
    assert refused["outcome"] == "refused"
    assert "the registry holds 2" in refused["detail"]
    stage.define({**MATCHES, "description": "What is there can still be described."})


def test_who_killed_a_flag_keeps_the_rules_that_somebody_else_makes_at_once(stage: Stage) -> None:
    stage.define(VIDEO)

    def kill() -> Any:
        with stage.database.begin() as session:
            changes = Changes(session, stage.clock)
            operation = changes.switch("production", "ENABLE_VIDEO", on=False)
            return changes.propose("production", [operation], reason="smoke", by="bob", source="console")

    for percent in range(1, 9):
        stage.set("ENABLE_VIDEO", {"serve": {"percent": 50 + percent, "variants": {"on": 1}}})
        state = {"serve": {"percent": percent, "variants": {"on": 1}}}
        killed, made = at_once(kill, lambda state=state: stage.set("ENABLE_VIDEO", state))
        assert not isinstance(killed, Refusal), killed
        with stage.database.read() as session:
            held = store.held(session, "production", ["ENABLE_VIDEO"]).setting("ENABLE_VIDEO", "value")
        assert held is not None
        assert not isinstance(made, Refusal)
        assert held.value["serve"] == state["serve"], "whoever was first, the rules are the newest"


def at_once(*verbs: Callable[[], Any]) -> list[Any]:
    together = threading.Barrier(len(verbs))

    def run(verb: Callable[[], Any]) -> Any:
        together.wait(10)
        try:
            return verb()
        except Refusal as refusal:
            return refusal

    with ThreadPoolExecutor(len(verbs)) as threads:
        return list(threads.map(run, verbs))


@pytest.mark.parametrize("first", [None, 4])
def test_a_value_that_is_set_while_bounds_narrow_fits_them_or_is_refused(stage: Stage, first: int | None) -> None:
    stage.config(
        lambda c: c.add_environment("a", copy_from=None, needs_approval=False, reason="", by="x", source="api")
    )

    def within(session_verb: Callable[[Any], Any]) -> Callable[[], Any]:
        def run() -> Any:
            with stage.database.begin() as session:
                return session_verb(session)

        return run

    def narrow(session: Any) -> None:
        found = Definition.of({**MATCHES, "key": key, "maximum": 5})
        Config(session, stage.clock).define(found, managed_by="people", by="bob", source="api")

    def raise_it(session: Any) -> None:
        operation = [Operation(key, "value", 9)]
        Changes(session, stage.clock).propose("production", operation, reason="x", by="alice", source="api")

    for number in range(8):
        key = f"KEY_{number}"
        stage.define({**MATCHES, "key": key})
        if first is not None:
            stage.set(key, first)
        narrowed, raised = at_once(within(narrow), within(raise_it))
        assert (narrowed is None) != (raised is None), (narrowed, raised)
        assert isinstance(narrowed or raised, (DefinitionInvalid, ChangeInvalid)), narrowed or raised
        found = Definition.of(definition(stage, key))
        check_value(found, stage.get(key))
