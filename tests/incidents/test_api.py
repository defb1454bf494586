"""The API of incidents: who may, what is answered, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.incidents.support import ID, Stage
from tests.kernel.web.support import bearer, browser, small_app
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.modules.incidents import wiring
from watchkeeper.modules.incidents.public import Incidenting
from watchkeeper.modules.incidents.rules import Rule, put_rule

URL = "/api/v1/incidents"


class Api:
    """The API by the scope of a token."""

    def __init__(self, stage: Stage, clients: ExitStack) -> None:
        parts = {Database: stage.database, SystemClock: stage.clock, Incidenting: stage.incidenting}
        self._app, self._clients, self.stage = small_app(*wiring.ROUTERS, parts=parts), clients, stage

    def __call__(self, scope: str = "respond") -> TestClient:
        return self._clients.enter_context(browser(self._app, headers=bearer(scope)))

    def made(self, **said: Any) -> dict[str, Any]:
        answer = self().post(URL, json={"title": "Checkout is down", **said})
        assert answer.status_code == 201, answer.text
        return answer.json()  # type: ignore[no-any-return]


@pytest.fixture
def api(stage: Stage) -> Iterator[Api]:
    with ExitStack() as clients:
        yield Api(stage, clients)


def test_whoever_reads_sees_incidents_and_changes_none(api: Api) -> None:
    one = api.made()
    reader = api("read")
    assert reader.get(URL).json()["items"][0]["id"] == one["id"]
    assert reader.get(f"{URL}/{one['name']}").json()["id"] == one["id"]
    assert reader.post(URL, json={"title": "x"}).status_code == 403
    assert reader.post(f"{URL}/{one['id']}/resolve", json={}).status_code == 403
    assert api("intake").get(URL).status_code == 403


def test_the_whole_way_of_an_incident(api: Api) -> None:
    client, one = api(), api.made(severity="SEV-2", services=["shop"], impact="Nobody can pay")
    where = f"{URL}/{one['id']}"
    assert [clock["kind"] for clock in one["clocks"]] == ["update", "respond"]
    for role, name in (("commander", "ann"), ("fixer", "ben")):
        assert client.put(f"{where}/roles/{role}", json={"person": ID[name]}).status_code == 200
    assert client.put(f"{where}/severity", json={"severity": "SEV-1"}).json()["severity"] == "SEV-1"
    assert client.put(f"{where}/status", json={"status": "identified"}).json()["identified_at"] is not None
    posted = client.post(f"{where}/updates", json={"text": "Rolling back", "public": True, "status": "monitoring"})
    assert (posted.status_code, posted.json()["status"]) == (201, "monitoring")
    assert client.post(f"{where}/notes", json={"text": "Roll back", "kind": "decision"}).status_code == 201
    url = {"kind": "url", "target": "https://graphs.example/1"}
    assert client.post(f"{where}/links", json=url).status_code == 201
    assert client.patch(where, json={"users_affected": 120}).json()["users_affected"] == 120
    assert client.post(f"{where}/resolve", json={}).json()["status"] == "resolved"
    shown = client.get(where).json()
    assert shown["roles"] == {"commander": ID["ann"], "fixer": ID["ben"]}
    assert [update["text"] for update in shown["updates"]] == ["Rolling back"]
    assert {entry["kind"] for entry in shown["entries"]} == {"decision", "link"}
    assert client.post(f"{where}/reopen", json={"reason": "again"}).json()["reopened"] == 1


def test_the_rules_that_open_incidents_can_be_read(api: Api) -> None:
    with api.stage.database.begin() as session:
        rule = Rule.model_validate({"name": "critical", "severities": ["critical"], "open": "SEV-1"})
        put_rule(session, rule, by="test", at=api.stage.clock.now())
    found = api("read").get(f"{URL}/rules").json()
    assert [(one["name"], one["open"]) for one in found["items"]] == [("critical", "SEV-1")]
    assert found["otherwise"] == ""


def test_two_who_take_command_at_once_do_not_both_get_it(api: Api) -> None:
    client, one = api(), api.made()
    read = client.get(f"{URL}/{one['id']}")
    seen = {"if-match": read.headers["etag"]}
    where = f"{URL}/{one['id']}/roles/commander"
    first = client.put(where, json={"person": ID["ann"]}, headers=seen)
    second = client.put(where, json={"person": ID["ben"], "hand_over": True}, headers=seen)
    third = client.put(where, json={"person": ID["ben"]})
    assert (first.status_code, second.status_code, third.status_code) == (200, 412, 409)
    assert third.json()["code"] == "incidents.role_taken"
    said = {"person": ID["ben"], "hand_over": True}
    assert client.put(where, json=said, headers={"if-match": first.headers["etag"]}).status_code == 200


def test_a_lost_answer_declares_nothing_twice(api: Api) -> None:
    client = api()
    said, key = {"title": "Checkout is down"}, {"idempotency-key": "k-1"}
    answers = [client.post(URL, json=said, headers=key) for _ in range(2)]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert len(client.get(URL).json()["items"]) == 1


def test_an_alert_with_an_open_incident_is_answered_with_that(api: Api) -> None:
    api.stage.fire()
    group = api.stage.group()
    assert group is not None
    first = api.made(alert_groups=[group.id])
    api.stage.clock.advance(timedelta(seconds=1))
    again = api().post(URL, json={"title": "Another", "alert_groups": [group.id]})
    assert (again.status_code, again.json()["id"]) == (200, first["id"])


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ({"title": ""}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": "x", "severity": "SEV-0"}, "severity"),
        ({"title": "x", "services": ["s"] * 51}, "services"),
        ({"title": "x", "users_affected": -1}, "users_affected"),
        ({"title": "x", "alert_groups": ["alg_none"]}, "alert_groups"),
        ({"title": "x", "started_at": "2030-01-01T00:00:00Z"}, "started_at"),
        ({"title": "x", "started_at": "2026-01-01T00:00:00"}, "started_at"),
        ({"title": "x", "oops": 1}, "oops"),
        ({"title": "a\0b"}, ""),
    ],
)
def test_what_is_wrong_is_told_with_its_place(api: Api, said: dict[str, Any], where: str) -> None:
    answer = api().post(URL, json=said)
    assert answer.status_code == 422
    assert where in str(answer.json()["errors"])


def test_files_are_small_of_known_kinds_and_only_ever_saved(api: Api) -> None:
    client, one = api(), api.made()
    where = f"{URL}/{one['id']}/files"
    png = b"\x89PNG\r\n\x1a\n rest"
    kept = client.post(f"{where}?file_name=..%2F..%2Fgraph.png", content=png)
    assert (kept.status_code, kept.json()["file_name"]) == (201, "graph.png")
    got = client.get(f"{where}/{kept.json()['id']}")
    assert got.content == png
    assert got.headers["content-disposition"] == 'attachment; filename="graph.png"'
    assert got.headers["x-content-type-options"] == "nosniff"
    for name, content, status in (
        ("page.html", b"<script>", 422),
        ("picture.svg", b"<svg>", 422),
        ("no-end", b"x", 422),
        ("fake.png", b"<html>", 422),
        ("empty.txt", b"", 422),
        ("large.txt", b"x" * 1_000_001, 413),
    ):
        assert client.post(f"{where}?file_name={name}", content=content).status_code == status
    other = api.made(title="Other")
    assert client.get(f"{URL}/{other['id']}/files/{kept.json()['id']}").status_code == 404


def test_a_list_goes_on_where_it_ended_worst_and_newest_first(api: Api) -> None:
    for number, severity in enumerate(("SEV-3", "SEV-1", "SEV-3", "SEV-2")):
        api.made(title=f"Number {number}", severity=severity)
        api.stage.clock.advance(timedelta(minutes=1))
    client = api()
    closed = client.get(URL).json()["items"][-1]
    client.post(f"{URL}/{closed['id']}/resolve", json={})
    seen, cursor = [], ""
    while cursor is not None:
        page = client.get(URL, params={"limit": 1, **({"cursor": cursor} if cursor else {})}).json()
        seen += [one["title"] for one in page["items"]]
        cursor = page["next"]
    assert seen == ["Number 1", "Number 3", "Number 2", "Number 0"]
    assert client.get(URL, params={"cursor": "nonsense"}).status_code == 422
    assert [one["title"] for one in client.get(URL, params={"q": "-number-3"}).json()["items"]] == ["Number 3"]
