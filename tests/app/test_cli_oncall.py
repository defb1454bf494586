"""`watchkeeper oncall`, as it is typed on the machine without a running server."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.oncall.support import WEEK, give_contact
from watchkeeper.app.cli import cli
from watchkeeper.app.configuration import load_configuration
from watchkeeper.app.server import Watchkeeper
from watchkeeper.kernel.ids import new_id
from watchkeeper.modules.alerts.public import Alerting, GroupWatchers, OwnAlert
from watchkeeper.modules.alerts.settings import AlertSettings
from watchkeeper.modules.identity import store as people
from watchkeeper.modules.identity.model import Person, Role
from watchkeeper.modules.oncall.definition import Schedule
from watchkeeper.modules.oncall.people import Addresses
from watchkeeper.modules.oncall.service import Definitions

EXPORT = Path(__file__).parents[1] / "oncall/exports/pagerduty.json"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ann and Ben, who take turns by the week."""
    for name in [name for name in os.environ if name.startswith("WATCHKEEPER_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "data"
    monkeypatch.setenv("WATCHKEEPER_DATA", str(folder))
    monkeypatch.setenv("WATCHKEEPER_SELF_TELEMETRY", "false")
    opened = Watchkeeper.open(load_configuration({}, data=folder), background=False)
    with opened as watchkeeper, watchkeeper.db.begin() as session:
        now = watchkeeper.clock.now()
        for name in ("ann", "ben"):
            person = Person(
                id=new_id("per"),
                name=name.title(),
                email=f"{name}@example.com",
                role=Role.RESPONDER,
                password_hash=None,
                created_at=now,
                email_verified_at=now,
            )
            people.add_person(session, person, seat=None)
            give_contact(session, person.id, name, now)
        schedule = Addresses.read(session).kept(Schedule.model_validate(WEEK))
        Definitions(session, watchkeeper.clock).put(schedule, by="x", source="cli")
    return folder


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["oncall", *words])


def test_it_says_who_is_on_call_and_who_is_next(data: Path) -> None:
    shown = run("now", "--at", "2026-07-06T06:59:00Z")
    assert shown.exit_code == 0, shown.output
    assert shown.output == "primary  Ben until 2026-07-06T07:00:00Z, then Ann\n"
    [found] = json.loads(run("now", "--at", "2026-07-06T07:00:00Z", "--json").output)["items"]
    assert found["who"]["name"] == "Ann"


def test_a_preview_is_in_the_schedules_time_zone(data: Path) -> None:
    shown = run("preview", "primary", "--since", "2026-03-23T08:00:00Z", "--until", "2026-04-06T07:00:00Z")
    assert shown.output.splitlines() == [
        "Mon 23 Mar 09:00 - Mon 30 Mar 09:00 CEST  Ben",
        "Mon 30 Mar 09:00 - Mon 06 Apr 09:00 CEST  Ann",
    ]


def test_somebody_stands_in_and_is_on_call_then(data: Path) -> None:
    opened = json.loads(run("now", "--json").output)
    at = opened["at"]
    until = opened["items"][0]["until"]
    other = {"Ann": "ben", "Ben": "ann"}[opened["items"][0]["who"]["name"]]
    made = run("override", "primary", "--since", at, "--until", until, "--who", f"{other}@example.com")
    assert made.exit_code == 0, made.output
    [now] = json.loads(run("now", "--json").output)["items"]
    assert now["who"]["name"] == other.title()
    assert "override" in run("show", "primary").output


def test_a_check_ends_with_1_when_there_is_something_to_say(data: Path) -> None:
    first = run("check")
    assert first.exit_code == 0, first.output
    ended = {**WEEK, "name": "old", "layers": [{**WEEK["layers"][0], "until": "2026-02-01T00:00:00Z"}]}
    opened = Watchkeeper.open(load_configuration({}, data=data), background=False)
    with opened as watchkeeper, watchkeeper.db.begin() as session:
        schedule = Addresses.read(session).kept(Schedule.model_validate(ended))
        Definitions(session, watchkeeper.clock).put(schedule, by="x", source="cli")
        assert watchkeeper.clock.now() > schedule.layers[0].until + timedelta(days=1)  # type: ignore[operator]
    found = run("check")
    assert found.exit_code == 1
    assert "schedule old: week ended already." in found.output


def test_an_import_writes_files_and_overwrites_none(data: Path, tmp_path: Path) -> None:
    ops = tmp_path / "ops"
    first = run("import", "pagerduty", str(EXPORT), "--to", str(ops))
    assert first.exit_code == 0, first.output
    assert sorted(one.name for one in (ops / "oncall").iterdir()) == ["policies-shop.yaml", "schedules-primary-eu.yaml"]
    again = run("import", "pagerduty", str(EXPORT), "--to", str(ops))
    assert again.exit_code == 1
    assert "is there already" in again.output


def test_an_import_is_made_at_once_when_everybody_is_here(data: Path) -> None:
    made = run("import", "pagerduty", str(EXPORT), "--apply")
    assert made.exit_code == 0, made.output
    assert "made  schedules/primary-eu" in made.output
    assert "primary-eu" in run("schedules").output
    assert "shop" in run("policies").output


def test_an_import_of_people_who_are_not_here_says_whom_to_invite(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "export.json"
    file.write_text(EXPORT.read_text(encoding="utf-8").replace("ben@example.com", "zoe@example.com"), encoding="utf-8")
    refused = run("import", "pagerduty", str(file), "--apply")
    assert refused.exit_code == 1
    assert "watchkeeper person invite zoe@example.com" in refused.output
    assert "primary-eu" not in run("schedules").output


def test_a_draft_in_a_file_is_tried_on_the_alerts_of_the_past(data: Path, tmp_path: Path) -> None:
    opened = Watchkeeper.open(load_configuration({}, data=data), background=False)
    with opened as watchkeeper, watchkeeper.db.begin() as session:
        alert = OwnAlert(source="test", key="disk", title="Disk full", severity="critical", service="gateway")
        alerting = Alerting(AlertSettings.model_validate({}), GroupWatchers())
        alerting.raise_own(session, alert, at=watchkeeper.clock.now() - timedelta(minutes=9))
    draft = "{name: %s, default: true, steps: [{notify: [{person: ben@example.com}], wait: 5m}], repeat: 0}"
    file = tmp_path / "draft.yaml"
    file.write_text(draft % "shop", encoding="utf-8")
    shown = run("replay", str(file))
    assert shown.exit_code == 0, shown.output
    assert "critical  Disk full (gateway): UNANSWERED" in shown.output
    assert "step 1: Ben" in shown.output
    assert "really sent: nothing" in shown.output
    assert shown.output.endswith("1 UNANSWERED; 3 pages, really 0.\n"), "Ben, and when he does not come, everybody"
    file.write_text(f"policies: [{draft % 'shop'}, {draft % 'night'}]\n", encoding="utf-8")
    [group] = json.loads(run("replay", str(file), "--policy", "night", "--json").output)["groups"]
    assert [who["name"] for who in group["calls"][0]["people"]] == ["Ben"]
    assert "expected, by --policy NAME where there are several; found shop, night" in run("replay", str(file)).output


def test_a_draft_that_is_no_policy_is_refused_by_line_and_column(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "draft.yaml"
    file.write_text("name: shop\nsteps:\n  - {notify: [{person: ben@example.com}], wait: soon}\n", encoding="utf-8")
    refused = run("replay", str(file))
    assert refused.exit_code == 1
    assert "draft.yaml:3:49: expected minutes, hours or days up to a week" in refused.output
