"""Operations as code over the API: a plan, an apply bound to it, and every mistake by its place."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from tests.kernel.web.support import bearer, browser, small_app
from watchkeeper.app.ops import api
from watchkeeper.kernel.clock import ManualClock, SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal import FactFilter, read_facts
from watchkeeper.kernel.ops import PlanOutdated
from watchkeeper.modules.catalog import store
from watchkeeper.modules.catalog.ops import ServiceKind

WEB = "name: web\nowner: Team Web\ntier: 2\n"
FILES = {"services/web.yaml": WEB, "deploy/later.yaml": "[["}


@pytest.fixture
def clients() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def admin(database: Database, clock: ManualClock, clients: ExitStack) -> TestClient:
    parts = {Database: database, SystemClock: clock}
    app = small_app(api.router, parts=parts, body_limits={"/api/v1/ops": api.LARGEST_BODY})
    return clients.enter_context(browser(app, headers=bearer("admin")))


def _plan(client: TestClient, files: dict[str, str]) -> httpx.Response:
    return client.post("/api/v1/ops/plan", json={"files": files})


def _apply(client: TestClient, files: dict[str, str], **more: Any) -> httpx.Response:
    return client.post("/api/v1/ops/apply", json={"files": files, **more})


def _owner(database: Database) -> str | None:
    with database.read() as session:
        service = store.by_name(session, "web")
    return service.about.owner if service else None


def test_a_plan_is_answered_and_nothing_happens(admin: TestClient, database: Database) -> None:
    body = _plan(admin, FILES).json()
    (change,) = body["changes"]
    assert (change["action"], change["kind"], change["name"]) == ("create", "service", "web")
    assert change["fields"] == {"owner": [None, "Team Web"], "tier": [None, 2]}
    assert change["where"] == "services/web.yaml:1:1"
    assert body["notices"] == ["deploy/later.yaml: not read by this version"]
    assert _owner(database) is None


def test_what_was_looked_at_is_what_is_applied_and_only_once(admin: TestClient, database: Database) -> None:
    fingerprint = _plan(admin, FILES).json()["fingerprint"]
    assert _apply(admin, FILES, fingerprint=fingerprint).status_code == 200
    again = _apply(admin, FILES).json()
    assert [change["action"] for change in again["changes"]] == ["unchanged"]
    with database.read() as session:
        facts = read_facts(session, FactFilter(), newest_first=False)
    assert [(fact.kind, fact.actor, fact.source) for fact in facts] == [
        ("catalog.service_declared", "tok_admin", "ops"),
        ("ops.applied", "tok_admin", "ops"),
    ]


def test_an_outdated_plan_is_answered_with_the_plan_as_it_is_now(admin: TestClient, database: Database) -> None:
    fingerprint = _plan(admin, FILES).json()["fingerprint"]
    _apply(admin, {"services/web.yaml": "name: web\nowner: Bob\n"})
    answer = _apply(admin, FILES, fingerprint=fingerprint)
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "kernel.plan_outdated"
    assert problem["plan"]["changes"][0]["fields"]["owner"] == ["Bob", "Team Web"]
    assert _owner(database) == "Bob"
    assert _apply(admin, FILES, fingerprint=problem["plan"]["fingerprint"]).status_code == 200
    assert _owner(database) == "Team Web"


def test_two_people_applying_at_once_one_wins_and_the_other_plans_again(admin: TestClient, database: Database) -> None:
    both = [{"services/web.yaml": WEB.replace("Web", team)} for team in ("A", "B")]
    prints = [_plan(admin, files).json()["fingerprint"] for files in both]
    ready, answers = threading.Barrier(2), list[int]()

    def apply(number: int) -> None:
        ready.wait()
        answers.append(_apply(admin, both[number], fingerprint=prints[number]).status_code)

    threads = [threading.Thread(target=apply, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 409]
    with database.read() as session:
        assert len(read_facts(session, FactFilter(kinds=("catalog.",)))) == 1


def test_who_is_overtaken_between_plan_and_change_gets_the_fresh_plan_too(
    admin: TestClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(*_: object, **__: object) -> None:
        raise PlanOutdated("web was changed by somebody else just now. Plan again.")

    with monkeypatch.context() as patched:
        patched.setattr(ServiceKind, "apply", overtaken)
        answer = _apply(admin, FILES)
    assert (answer.status_code, answer.json()["code"]) == (409, "kernel.plan_outdated")
    assert answer.json()["plan"]["changes"][0]["action"] == "create"
    assert _owner(database) is None
    assert _apply(admin, FILES, fingerprint=answer.json()["plan"]["fingerprint"]).status_code == 200


def test_every_mistake_is_named_and_nothing_is_changed(admin: TestClient, database: Database) -> None:
    files = {"services/web.yaml": WEB, "services/bad.yaml": "name: bad\ntier: high\nownr: x\n", "notes.txt": "x"}
    for answer in (_plan(admin, files), _apply(admin, files)):
        assert (answer.status_code, answer.json()["code"]) == (422, "kernel.ops_invalid")
        assert [error["where"] for error in answer.json()["errors"]] == [
            "notes.txt:1:1",
            "services/bad.yaml:2:7",
            "services/bad.yaml:3:1",
        ]
        assert all(error["expected"].startswith("expected ") for error in answer.json()["errors"])
    assert _owner(database) is None


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("name: web\n\n  \nowner: \0\n", "4:8"),
        ("\n\n  name: web\n  tier: 9\n", "4:9"),
        ("name: web\r\ntier: 9\r\n", "2:7"),
    ],
)
def test_places_count_the_text_exactly_as_it_was_sent(admin: TestClient, text: str, where: str) -> None:
    (error,) = _plan(admin, {"services/web.yaml": text}).json()["errors"]
    assert error["where"] == f"services/web.yaml:{where}"


def test_more_than_anybody_keeps_is_refused(admin: TestClient) -> None:
    assert _plan(admin, {f"services/{number}.yaml": "" for number in range(5_001)}).status_code == 422
    assert _plan(admin, {f"services/{number}.yaml": "x" * 900_000 for number in range(5)}).status_code == 422
    huge = {f"services/{number}.yaml": "x" * 900_000 for number in range(12)}
    assert _plan(admin, huge).status_code == 413
    assert admin.post("/api/v1/ops/plan", json={"files": {}, "force": True}).status_code == 422


def test_readers_plan_and_only_admins_apply(admin: TestClient) -> None:
    for scope, plans, applies in (("read", 200, 403), ("write", 200, 403), ("intake", 403, 403), ("admin", 200, 200)):
        headers = bearer(scope)
        assert admin.post("/api/v1/ops/plan", json={"files": {}}, headers=headers).status_code == plans
        assert admin.post("/api/v1/ops/apply", json={"files": {}}, headers=headers).status_code == applies


def test_editors_get_the_schema_of_a_kind(admin: TestClient) -> None:
    schema = admin.get("/api/v1/ops/schemas/service").json()
    assert schema["properties"]["tier"]["description"].startswith("How soon users notice")
    assert schema["required"] == ["name"]
    assert admin.get("/api/v1/ops/schemas/lamp").json()["code"] == "ops.kind_not_found"
