"""The registry: who may say otherwise of a parameter, and what happens to it at once with a change."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.config.support import MATCHES, VIDEO, Stage
from watchkeeper.kernel.errors import Refusal
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
