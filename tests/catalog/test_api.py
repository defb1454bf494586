"""The catalog's API: lists, one service, changes bound to a version, readiness."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from tests.catalog.support import GATEWAY, Stage
from watchkeeper.kernel.ids import is_id
from watchkeeper.modules.catalog.model import ALIVE_FOR

URL = "/api/v1/services"


def _add(stage: Stage, name: str = "duet-gateway", **fields: Any) -> Any:
    answer = stage.api().post(URL, json={"name": name, **fields})
    assert answer.status_code == 201, answer.text
    return answer


def test_a_service_added_by_hand_is_answered_as_it_is_kept(stage: Stage) -> None:
    answer = _add(stage, **GATEWAY, reason="It starts on Monday")
    body = answer.json()
    assert is_id(body["id"], "svc")
    assert {name: body[name] for name in GATEWAY} == GATEWAY
    assert (body["managed_by"], body["seen"], body["last_seen"]) == ("people", [], None)
    assert body["created_at"] == "2026-03-02T12:00:00Z"
    shown = stage.api("read").get(f"{URL}/duet-gateway")
    assert shown.json() == body
    assert shown.headers["etag"] == answer.headers["etag"]


def test_adding_twice_with_one_idempotency_key_adds_once(stage: Stage) -> None:
    client, order = stage.api(), {"name": "web", "owner": "Team Web"}
    first, again = (client.post(URL, json=order, headers={"Idempotency-Key": "k1"}) for _ in range(2))
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert stage.kinds() == ["service_declared"]
    assert client.post(URL, json=order).status_code == 409


def test_services_are_listed_page_by_page_in_order(stage: Stage) -> None:
    stage.discover(*((f"service-{number:02}", "production") for number in range(7)))
    client, names, cursor = stage.api("read"), [], ""
    while True:
        page = client.get(f"{URL}?limit=3{cursor}").json()
        names += [item["name"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert names == [f"service-{number:02}" for number in range(7)]


def test_the_list_can_be_of_one_owner_or_tier(stage: Stage) -> None:
    _add(stage, "a", owner="Team A", tier=1)
    _add(stage, "b", owner="Team B", tier=1)
    client = stage.api("read")
    assert [one["name"] for one in client.get(f"{URL}?owner=Team A").json()["items"]] == ["a"]
    assert [one["name"] for one in client.get(f"{URL}?tier=1").json()["items"]] == ["a", "b"]
    assert client.get(f"{URL}?tier=9").status_code == 422


def test_put_replaces_and_patch_changes_only_what_is_given(stage: Stage) -> None:
    tag = _add(stage, **GATEWAY).headers["etag"]
    client, url = stage.api(), f"{URL}/duet-gateway"
    patched = client.patch(url, json={"owner": "Team New", "tier": None}, headers={"If-Match": tag})
    assert patched.status_code == 200
    assert {name: patched.json()[name] for name in GATEWAY} == {**GATEWAY, "owner": "Team New", "tier": None}
    put = client.put(url, json={"title": "Gate"}, headers={"If-Match": patched.headers["etag"]})
    assert (put.json()["title"], put.json()["owner"], put.json()["links"]) == ("Gate", None, [])
    assert stage.kinds() == ["service_declared", "service_changed", "service_changed"]


@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_change_needs_the_version_it_is_based_on(stage: Stage, method: str) -> None:
    tag = _add(stage).headers["etag"]
    client, url = stage.api(), f"{URL}/duet-gateway"
    change = getattr(client, method)
    assert change(url, json={"owner": "A"}).status_code == 428
    assert change(url, json={"owner": "A"}, headers={"If-Match": tag}).status_code == 200
    late = change(url, json={"owner": "B"}, headers={"If-Match": tag})
    assert (late.status_code, late.json()["code"]) == (412, "kernel.precondition_failed")
    assert client.get(url).json()["owner"] == "A"


def test_telemetry_does_not_change_the_version_that_people_edit(stage: Stage) -> None:
    stage.discover(("web", "production"))
    client = stage.api()
    tag = client.get(f"{URL}/web").headers["etag"]
    stage.clock.advance(timedelta(minutes=5))
    stage.discover(("web", "production"), ("web", "staging"))
    assert client.patch(f"{URL}/web", json={"owner": "A"}, headers={"If-Match": tag}).status_code == 200
    assert client.get(f"{URL}/web", headers={"If-None-Match": tag}).status_code == 200
    fresh = client.get(f"{URL}/web").headers["etag"]
    assert client.get(f"{URL}/web", headers={"If-None-Match": fresh}).status_code == 304


@pytest.mark.parametrize("name", ["team a/web", "näme", "100%", "a?b#c", "x" * 200])
def test_whatever_telemetry_calls_a_service_it_has_an_address(stage: Stage, name: str) -> None:
    stage.discover((name, "production"))
    client, url = stage.api(), f"{URL}/{quote(name, safe='')}"
    found = client.get(url)
    assert found.json()["name"] == name
    assert client.patch(url, json={"tier": 2}, headers={"If-Match": found.headers["etag"]}).json()["tier"] == 2
    assert client.get(f"{url}/readiness").status_code == 200


def test_an_archived_service_is_gone_from_the_api(stage: Stage) -> None:
    stage.discover(("web", "production"))
    client = stage.api()
    alive = client.delete(f"{URL}/web")
    assert (alive.status_code, alive.json()["code"]) == (409, "catalog.service_is_alive")
    stage.clock.advance(ALIVE_FOR)
    assert client.delete(f"{URL}/web?reason=Switched off").status_code == 204
    assert client.get(f"{URL}/web").json()["code"] == "catalog.service_not_found"
    assert client.delete(f"{URL}/web").status_code == 404
    assert stage.facts()[-1].data["reason"] == "Switched off"


def test_readiness_names_what_is_missing_first_and_how_to_mend_it(stage: Stage) -> None:
    _add(stage, "web", owner="Team Web", description="Serves pages.")
    card = stage.api("read").get(f"{URL}/web/readiness").json()
    assert (card["passed"], card["counted"], card["share"]) == (2, 4, 0.5)
    assert [(one["key"], one["outcome"]) for one in card["findings"]] == [
        ("catalog.tier", "missing"),
        ("catalog.repository", "missing"),
        ("catalog.owner", "ok"),
        ("catalog.description", "ok"),
    ]
    assert card["findings"][0]["href"] == "/services/web/about#edit"
    assert card["findings"][0]["how_to_fix"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "a\nb"},
        {"name": "x" * 201},
        {"name": "a", "tier": 0},
        {"name": "a", "tier": "first"},
        {"name": "a", "repository": "ftp://x"},
        {"name": "a", "links": [{"title": "x", "url": "javascript:alert(1)"}]},
        {"name": "a", "links": [{"title": "x", "url": "https://a", "more": 1}]},
        {"name": "a", "dependencies": ["a"]},
        {"name": "a", "environments": ["x", "x"]},
        {"name": "a", "ownr": "Team"},
        {"name": "a", "title": "\0"},
        {"name": "a", "description": "x" * 2_001},
    ],
)
def test_what_is_not_as_expected_is_refused_and_nothing_is_kept(stage: Stage, wrong: dict[str, Any]) -> None:
    answer = stage.api().post(URL, json=wrong)
    assert answer.status_code == 422
    assert answer.json()["errors"]
    assert stage.services() == []


@pytest.mark.parametrize(
    ("scope", "reads", "writes"), [("read", 200, 403), ("write", 200, 428), ("admin", 200, 428), ("intake", 403, 403)]
)
def test_readers_read_and_writers_write(stage: Stage, scope: str, reads: int, writes: int) -> None:
    stage.discover(("web", ""))
    client = stage.api(scope)
    assert [client.get(url).status_code for url in (URL, f"{URL}/web", f"{URL}/web/readiness")] == [reads] * 3
    assert client.put(f"{URL}/web", json={}).status_code == writes
    assert (client.post(URL, json={"name": "x"}).status_code == 201) is (writes == 428)


def test_nobody_reads_without_being_somebody(stage: Stage) -> None:
    assert stage.client().get(URL).status_code == 401
