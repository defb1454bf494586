"""`ops/oncall/*.yaml`: schedules and policies as code."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oncall.support import ID, SHOP, URL, WEEK, Stage
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.ops import OpsInvalid, Plan, apply_plan, export_files, make_plan, read_files
from watchkeeper.modules.oncall.ops import OPS_KINDS

FILE = """\
schedules:
  - name: primary
    title: On call
    time_zone: Europe/Oslo
    layers:
      - name: week
        people: [ANN@example.com, ben@example.com]
        weekday: monday
        start: 2026-01-05
policies:
  - name: shop
    default: true
    steps:
      - {notify: [{schedule: primary}], wait: 5m}
      - {notify: [{everyone: true}], wait: 10m}
"""


def plan(stage: Stage, **files: str) -> Plan:
    with stage.database.read() as session:
        return make_plan(session, read_files(_paths(files), OPS_KINDS), OPS_KINDS)


def apply(stage: Stage, **files: str) -> Plan:
    desired = read_files(_paths(files), OPS_KINDS)
    with stage.database.begin() as session:
        return apply_plan(session, desired, OPS_KINDS, by="per_ops", at=stage.clock.now())


def _paths(files: dict[str, str]) -> dict[str, str]:
    return {f"oncall/{name}.yaml": text for name, text in files.items()}


def said(found: Plan) -> list[tuple[str, str]]:
    return [(change.action, change.name) for change in found.changes]


def test_what_files_say_is_there_after_one_apply_and_a_second_changes_nothing(stage: Stage) -> None:
    assert said(apply(stage, all=FILE)) == [("create", "primary"), ("create", "shop")]
    [now] = stage.api("read").get(f"{URL}/now").json()["items"]
    assert now["who"]["name"] == "Ann"
    assert said(apply(stage, all=FILE)) == [("unchanged", "primary"), ("unchanged", "shop")]
    assert stage.kinds() == ["schedule_defined", "policy_defined"]


def test_what_the_console_made_is_exported_and_an_apply_of_it_changes_nothing(stage: Stage) -> None:
    stage.make(policy=SHOP)
    with stage.database.read() as session:
        files = export_files(session, OPS_KINDS).files
    assert sorted(files) == ["oncall/policies-shop.yaml", "oncall/schedules-primary.yaml"]
    assert "ann@example.com" in files["oncall/schedules-primary.yaml"]
    assert ID["ann"] not in "".join(files.values())
    with stage.database.read() as session:
        found = make_plan(session, read_files(files, OPS_KINDS), OPS_KINDS)
    assert said(found) == [("adopt", "primary"), ("adopt", "shop")]


def test_what_leaves_the_files_goes_policies_before_schedules(stage: Stage) -> None:
    apply(stage, all=FILE)
    assert said(apply(stage)) == [("delete", "primary"), ("delete", "shop")]
    assert stage.kinds()[2:] == ["policy_removed", "schedule_removed"]


def test_a_change_in_the_console_is_drift_until_it_is_applied_again(stage: Stage) -> None:
    apply(stage, all=FILE)
    client = stage.api()
    tag = client.get(f"{URL}/schedules/primary").headers["etag"]
    assert client.put(
        f"{URL}/schedules/primary", json={**WEEK, "title": "Nights"}, headers={"If-Match": tag}
    ).is_success
    with stage.database.read() as session:
        [drifted] = OPS_KINDS[0].drift(session)
    assert drifted.fields == {"title": ("On call", "Nights")}
    [change] = plan(stage, all=FILE).effective
    assert (change.fields, change.drift) == ({"title": ("Nights", "On call")}, ("title",))


def test_services_may_move_from_one_policy_to_another_in_one_apply(stage: Stage) -> None:
    def files(first: str, second: str) -> str:
        step = "steps: [{notify: [{everyone: true}]}]"
        return (
            f"policies:\n  - {{name: a, services: [{first}], {step}}}\n  - {{name: b, services: [{second}], {step}}}\n"
        )

    apply(stage, all=files("web", "chat"))
    assert said(apply(stage, all=files("chat", "web"))) == [("update", "a"), ("update", "b")]


@pytest.mark.parametrize(
    ("old", "new", "where", "expected"),
    [
        ("ben@", "zoe@", "7:35", "nobody has 'zoe@example.com'"),
        ("schedule: primary", "schedule: nights", "14:30", "the name of a schedule, found 'nights'"),
        ("Europe/Oslo", "Europe/Olso", "4:16", "a time zone such as Europe/Oslo"),
        ("weekday: monday", "weekday: mondays", "8:18", "'monday'"),
        ("wait: 5m", "wiat: 5m", "14:41", "did you mean wait?"),
        ("default: true", "default: maybe", "12:14", "a valid boolean"),
    ],
)
def test_a_mistake_is_named_by_line_and_column_and_changes_nothing(
    stage: Stage, old: str, new: str, where: str, expected: str
) -> None:
    with pytest.raises(OpsInvalid) as refused:
        apply(stage, all=FILE.replace(old, new))
    first: Any = refused.value.complaints[0]
    assert first.where == f"oncall/all.yaml:{where}"
    assert expected in first.expected
    assert stage.facts() == []


def test_a_schedule_that_others_made_is_adopted(database: Database, clock: ManualClock) -> None:
    with Stage.open(database, clock) as stage:
        stage.make()
        assert said(apply(stage, all=FILE))[0] == ("adopt", "primary")
        assert stage.api("read").get(f"{URL}/schedules/primary").json()["managed_by"] == "ops"
