"""The console's pages and the API of the status page."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from tests.kernel.web.support import bearer
from tests.status.support import Stage
from watchkeeper.modules.status import store
from watchkeeper.modules.status.model import State
from watchkeeper.modules.status.waiting import WaitingDrafts


def form_token(text: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]*)"', text)
    assert found is not None
    return found[1]


def send(stage: Stage, path: str, at: str = "/status-page", who: str = "alice", **fields: Any) -> Any:
    client = stage.client(who, headers={"accept": "text/html"})
    token = form_token(client.get(at).text)
    return client.post(path, data={"csrf_token": token, **fields})


def test_a_draft_is_reviewed_changed_and_published_in_the_console(stage: Stage) -> None:
    component = stage.component(title="Sign-in")
    made = send(stage, "/status-page/updates", title="Sign-in is slow", status="investigating", body="Hm.")
    assert made.status_code == 303
    (draft,) = stage.drafts()
    shown = stage.client("alice").get("/status-page").text
    assert "Publish it" in shown
    assert "Hm." in shown
    done = send(
        stage,
        f"/status-page/updates/{draft.id}",
        status="identified",
        body="We found it.\r\n\r\nSoon.",
        states=["sign-in=partial_outage"],
        version=draft.version,
        then="publish",
    )
    assert done.status_code == 303
    assert stage.state() is State.PARTIAL
    assert "We found it.\n\nSoon." in stage.html()
    assert component.id in stage.read(store.recent_updates)[0].components


def test_what_somebody_else_changed_meanwhile_is_shown_again_instead(stage: Stage) -> None:
    draft = stage.draft()
    fields = {"status": "investigating", "body": "Mine", "then": "publish"}
    assert (
        send(stage, f"/status-page/updates/{draft.id}", version=draft.version, **{**fields, "then": "save"}).status_code
        == 303
    )
    again = send(stage, f"/status-page/updates/{draft.id}", version=draft.version, **{**fields, "body": "Yours"})
    assert again.status_code == 409
    assert "Nothing was changed" in again.text
    assert stage.read(store.recent_updates) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"body": ""},
        {"title": ""},
        {"title": "x" * 250},
        {"status": "broken"},
        {"states": ["nobody=major_outage"]},
        {"states": ["sign-in=on_fire"]},
        {"incident": "pin_nobody"},
    ],
)
def test_a_wrong_draft_gets_a_page_that_says_so(stage: Stage, wrong: dict[str, Any]) -> None:
    stage.component()
    fields = {"title": "Slow", "status": "investigating", "body": "Hm.", **wrong}
    answer = send(stage, "/status-page/updates", **fields)
    assert answer.status_code in (404, 422)
    assert "Nothing was changed" in answer.text
    assert stage.drafts() == []


def test_hostile_names_are_text_in_the_console(stage: Stage) -> None:
    bad = '<script>alert(1)</script>"'
    stage.component(title=bad, description=bad, group=bad)
    stage.draft(bad, body=bad)
    stage.told(bad, body=bad)
    for path in ("/status-page", "/status-page/components", "/status-page/maintenance", "/status/subscribe"):
        assert "<script>alert" not in stage.client("alice").get(path).text


def test_components_and_the_page_are_edited_in_the_console(stage: Stage) -> None:
    at = "/status-page/components"
    fields = {"name": "chat", "title": "Chat", "order": "3", "services": "chat, gateway", "slos": "", "group": "Core"}
    assert send(stage, at, at, **fields).status_code == 303
    (one,) = stage.read(store.components)
    assert one.said.services == ("chat", "gateway")
    assert send(stage, at, at, **{**fields, "order": "many"}).status_code == 422
    assert send(stage, at, at, **{**fields, "name": "Not a name"}).status_code == 422
    assert send(stage, "/status-page/page", at, title="Duet", url="javascript:x").status_code == 422
    assert send(stage, "/status-page/page", at, title="Duet", url="https://status.example").status_code == 303
    assert "<h1>Duet</h1>" in stage.html()
    assert send(stage, at, at, name="chat", remove="yes").status_code == 303
    assert stage.read(store.components) == []


def test_maintenance_is_announced_and_ended_in_the_console(stage: Stage) -> None:
    stage.component()
    at = "/status-page/maintenance"
    fields = {
        "title": "Disks",
        "components": ["sign-in"],
        "starts_at": "2026-03-02T13:00",
        "ends_at": "2026-03-02T14:00",
    }
    assert send(stage, at, at, **fields).status_code == 303
    for wrong in ({"ends_at": ""}, {"ends_at": "soon"}, {"components": []}, {"components": ["nobody"]}):
        assert send(stage, at, at, **{**fields, **wrong}).status_code == 422
    (one,) = stage.read(lambda session: store.maintenances_since(session, stage.clock.now()))
    assert send(stage, f"{at}/{one.id}/end", at).status_code == 303
    assert send(stage, f"{at}/{one.id}/end", at).status_code == 409
    window = stage.window(begins_in=10)
    assert "new disks" in stage.client("alice").get(at).text
    assert send(stage, at, at, window=window.id, title="Disks again", components=["sign-in"]).status_code == 303
    assert "Disks again" in stage.html()


def test_who_may_only_read_sees_no_buttons_and_changes_nothing(stage: Stage) -> None:
    stage.component()
    draft = stage.draft()
    shown = stage.client("bob").get("/status-page").text
    assert "Publish it" not in shown
    assert (
        stage.client(headers=bearer("read")).post(f"/api/v1/status/updates/{draft.id}/publish", json={}).status_code
        == 403
    )


def test_a_responder_drafts_and_somebody_else_publishes(stage: Stage) -> None:
    stage.component()
    order = {
        "title": "Slow",
        "status": "investigating",
        "body": "Hm.",
        "components": {"sign-in": "degraded_performance"},
    }
    responder = stage.client(headers=bearer("respond"))
    made = responder.post("/api/v1/status/updates", json=order)
    assert made.status_code == 201, made.text
    update = made.json()
    assert responder.post(f"/api/v1/status/updates/{update['id']}/publish", json={}).status_code == 403
    api = stage.api()
    first = api.post(f"/api/v1/status/updates/{update['id']}/publish", json={"version": 1})
    assert first.json()["review"] == "published"
    again = api.post(f"/api/v1/status/updates/{update['id']}/publish", json={"version": 1})
    assert again.json() == first.json()
    edited = api.patch(f"/api/v1/status/updates/{update['id']}", json={"body": "Better."})
    assert edited.json()["edited_at"] is not None
    assert (
        api.post(f"/api/v1/status/updates/{update['id']}/discard", json={}).json()["code"] == "status.update_published"
    )


def test_the_api_names_components_and_counts_subscribers(stage: Stage) -> None:
    api = stage.api()
    assert api.put("/api/v1/status/components/chat", json={"title": "Chat", "order": 1}).status_code == 200
    assert api.put("/api/v1/status/components/Bad%20name", json={}).status_code == 422
    assert api.get("/api/v1/status/components").json()["items"][0]["managed_by"] == "people"
    assert api.put("/api/v1/status/page", json={"title": "Duet", "support_url": "https://x.example"}).status_code == 200
    assert api.get("/api/v1/status/page").json()["title"] == "Duet"
    assert api.get("/api/v1/status/subscribers").json() == {"items": []}
    ends = (stage.clock.now() + timedelta(hours=2)).isoformat()
    made = api.post("/api/v1/status/maintenances", json={"title": "Disks", "components": ["chat"], "ends_at": ends})
    assert made.json()["status"] == "in_progress"
    found = api.get("/api/v1/status").json()
    assert found["components"][0]["status"] == "under_maintenance"
    assert len(found["maintenances"]) == 1
    assert api.post(f"/api/v1/status/maintenances/{made.json()['id']}/end").status_code == 200
    window = stage.window(begins_in=5)
    shown = api.put(f"/api/v1/status/windows/{window.id}", json={"title": "W", "components": ["chat"]})
    assert shown.json()["items"][0]["window"] == window.id
    assert api.put("/api/v1/status/windows/mnt_no", json={"title": "W", "components": ["chat"]}).status_code == 404
    assert "index.html" in api.get("/api/v1/status/export").json()["files"]
    assert api.delete("/api/v1/status/components/chat").status_code == 204
    assert api.delete("/api/v1/status/components/chat").status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": None},
        {"incident": "pin_x"},
        {"components": {"nobody": "major_outage"}},
        {"components": {"sign-in": "on_fire"}},
        {"components": {"sign-in": "under_maintenance"}},
        {"status": "broken"},
        {"body": "a\0b"},
        {"colour": "red"},
    ],
)
def test_a_wrong_order_is_refused(stage: Stage, wrong: dict[str, Any]) -> None:
    stage.component()
    order = {"title": "Slow", "status": "investigating", "body": "Hm.", **wrong}
    assert stage.api().post("/api/v1/status/updates", json=order).status_code == 422
    assert stage.drafts() == []


def test_the_side_bar_counts_what_waits_for_those_who_may_publish(stage: Stage) -> None:
    from tests.kernel.web.support import ALICE, BOB

    waiting = stage.parts[WaitingDrafts]
    assert waiting.badges(ALICE) == {}
    stage.draft()
    stage.read(waiting.look)
    assert waiting.badges(ALICE)["/status-page"].count == 1
    assert waiting.badges(BOB) == {}
