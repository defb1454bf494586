"""Watchkeeper's own verbs as steps: what they change, who may, and how it is taken back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.runbooks.serving import Serving, serving
from tests.runbooks.support import block, text_of
from watchkeeper.modules.alerts.public import Alerting, GroupFilter, OwnAlert, groups

PARAMETERS = """\
environments:
  - {name: production, needs_approval: true}
  - {name: staging}
parameters:
  - {key: LIMIT, type: integer, default: 30, min: 1, max: 100}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("actions")) as opened:
        applied = opened.admin.post("/api/v1/ops/apply", json={"files": {"parameters.yaml": PARAMETERS}})
        assert applied.status_code == 200, applied.text
        yield opened


def done(server: Serving, action: str, body: str, **said: Any) -> dict[str, Any]:
    """One step of this action, that asks nobody; and the run that it was."""
    confirm = said.pop("confirm", "none")
    more = said.pop("more", "")
    server.keep(text_of(block(body, f"run={action} id=a confirm={confirm}", "yaml"), more))
    return server.run(server.start(**said))


def test_a_parameter_is_set_and_set_back_by_what_the_step_knows(server: Serving) -> None:
    body = "key: LIMIT\nvalue: ${limit}\nenvironment: staging\nreason: too many"
    run = done(server, "set-parameter", body, inputs={"limit": 7}, more="inputs: [{name: limit, type: integer}]\n")
    step = run["steps"][0]
    assert step["state"] == "succeeded", step
    assert step["output"].startswith("LIMIT in staging: None → 7\n/config/changes/chg_")
    change = server.admin.get(f"/api/v1{step['output'].splitlines()[1]}").json()
    assert change["reason"] == "too many (runbook shop, step a)"
    again = done(server, "set-parameter", body, inputs={"limit": 7}, more="inputs: [{name: limit, type: integer}]\n")
    assert (again["state"], again["steps"][0]["output"]) == ("succeeded", "LIMIT in staging has this value already.")
    assert not again["steps"][0]["can_be_undone"]
    undoing = server.admin.post(f"/api/v1/runs/{run['id']}/steps/1/undo", json={}).json()
    confirmed = server.admin.post(f"/api/v1/runs/{undoing['id']}/steps/1/confirm").json()
    assert confirmed["state"] == "succeeded", confirmed
    again = done(server, "revert-change", f"change: {change['id']}")["steps"][0]
    assert again["state"] == "failed"
    assert "undone already" in again["detail"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("key: LIMIT\nvalue: 700\nenvironment: staging", "from 1 to 100"),
        ("key: NONE\nvalue: 7\nenvironment: staging", "NONE"),
        ("key: LIMIT\nvalue: 7\nenvironment: nowhere", "nowhere"),
        ("key: LIMIT\nvalue: 7\nenvironment: production", "give the step confirm=second"),
        ("key: LIMIT\nenvironment: staging", "value: expected its new value"),
    ],
)
def test_what_configuration_would_refuse_is_refused_and_changes_nothing(server: Serving, body: str, said: str) -> None:
    before = server.admin.get("/api/v1/config/changes").json()["items"]
    step = done(server, "set-parameter", body)["steps"][0]
    assert step["state"] == "failed"
    assert said in step["detail"]
    assert server.admin.get("/api/v1/config/changes").json()["items"] == before


def test_alerts_are_silenced_heard_again_and_called_over(server: Serving) -> None:
    watchkeeper = server.watchkeeper
    alert = OwnAlert(source="test", key="slow", title="Slow", severity="error", service="shop", family="slow")
    with watchkeeper.db.begin() as session:
        watchkeeper.app.state.parts[Alerting].raise_own(session, alert, at=watchkeeper.clock.now())
        (group,) = groups(session, GroupFilter())
    run = done(server, "silence", "matchers: [service=shop]\nminutes: 30")
    step = run["steps"][0]
    assert step["state"] == "succeeded", step
    assert suppressed(server) == "silence"
    undoing = server.admin.post(f"/api/v1/runs/{run['id']}/steps/1/undo", json={}).json()
    server.admin.post(f"/api/v1/runs/{undoing['id']}/steps/1/confirm")
    assert suppressed(server) is None
    wrong = done(server, "silence", "matchers: [shop]\nminutes: 0")["steps"][0]
    assert "minutes: expected 1 to" in wrong["detail"]
    assert "no alert" in done(server, "resolve-alert", "reason: over")["steps"][0]["detail"]
    about = {"type": "alert_group", "id": group.id}
    assert done(server, "resolve-alert", "reason: over", about=about)["state"] == "succeeded"
    assert server.admin.get(f"/api/v1/alerts/{group.id}").json()["status"] == "resolved"
    (found,) = server.admin.get("/api/v1/runs", params={"about_type": "alert_group", "about_id": group.id}).json()[
        "items"
    ]
    assert found["about"] == about


def suppressed(server: Serving) -> Any:
    return server.admin.get("/api/v1/alerts").json()["items"][0]["suppressed"]
