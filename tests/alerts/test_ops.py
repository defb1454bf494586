"""`ops/oncall/*.yaml`: integrations and heartbeats as code."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from watchkeeper.app.ops.kinds import KINDS
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal import FactFilter, read_facts
from watchkeeper.kernel.ops import OpsInvalid, Plan, PlanOutdated, apply_plan, export_files, make_plan, read_files
from watchkeeper.modules.alerts import store_heartbeats, store_integrations
from watchkeeper.modules.alerts.beats import BeatState, PingKind
from watchkeeper.modules.alerts.heartbeats import Heartbeats
from watchkeeper.modules.alerts.integrations import Integrations
from watchkeeper.modules.alerts.model import Severity, Status, Urgency
from watchkeeper.modules.alerts.ops import ops_kinds
from watchkeeper.modules.alerts.public import Alerting, GroupFilter, GroupWatchers, groups
from watchkeeper.modules.alerts.settings import AlertSettings
from watchkeeper.modules.alerts.wire_ways import HeartbeatBody, IntegrationBody

ALERTING = Alerting(AlertSettings.model_validate({}), GroupWatchers())
WAYS = ops_kinds(ALERTING)
FILE = """\
integrations:
  - name: checks
    kind: generic
    service: shop
    group_by: [service, host]
    group_minutes: 30
    severity_map: {bad: critical}
    mapping: {title: check.name}
heartbeats:
  - name: backup
    cron: "15 3 * * *"
    time_zone: Europe/Oslo
    service: shop
"""


def apply(database: Database, clock: ManualClock, text: str | None) -> Plan:
    files = {"oncall/ways.yaml": text} if text is not None else {}
    with database.begin() as session:
        return apply_plan(session, read_files(files, WAYS), WAYS, by="per_ops", at=clock.now())


def said(plan: Plan) -> list[tuple[str, str]]:
    return sorted((change.action, change.name) for change in plan.changes)


def kinds(database: Database) -> list[str]:
    with database.read() as session:
        facts = read_facts(session, FactFilter(kinds=("alerts.",)), limit=100, newest_first=False)
    return [fact.kind.removeprefix("alerts.") for fact in facts]


def test_what_files_say_is_there_after_one_apply_and_a_second_changes_nothing(
    database: Database, clock: ManualClock
) -> None:
    assert said(apply(database, clock, FILE)) == [("create", "backup"), ("create", "checks")]
    assert said(apply(database, clock, FILE)) == [("unchanged", "backup"), ("unchanged", "checks")]
    assert kinds(database) == ["integration_put", "heartbeat_put"]
    with database.read() as session:
        (made,) = store_integrations.all_integrations(session)
        (beat,) = store_heartbeats.all_heartbeats(session)
    assert (made.integration.service, made.integration.grouping.window) == ("shop", timedelta(minutes=30))
    assert (beat.plan.cron, beat.plan.zone) == ("15 3 * * *", "Europe/Oslo")


def test_a_new_integration_has_no_key_until_somebody_makes_one_and_then_keeps_it(
    database: Database, clock: ManualClock
) -> None:
    apply(database, clock, FILE)
    with database.begin() as session:
        verbs = Integrations(session, clock)
        assert verbs.get("checks").keys == ()
        stored, secret = verbs.rotate("checks", by="per_ann", source="console")
    assert [key.ends_with for key in stored.keys] == [secret[-4:]]
    apply(database, clock, FILE.replace("group_minutes: 30", "group_minutes: 45"))
    with database.read() as session:
        after = Integrations(session, clock).get("checks")
    assert (after.keys, after.integration.grouping.window) == (stored.keys, timedelta(minutes=45))


def test_what_the_console_made_is_exported_without_secrets_and_an_apply_of_it_changes_nothing(
    database: Database, clock: ManualClock
) -> None:
    with database.begin() as session:
        body = IntegrationBody(
            name="prod", kind="alertmanager", policy="night", urgency_map={Severity.WARNING: Urgency.HIGH}
        )
        _, secret = Integrations(session, clock).add(body.parsed(), by="per_ann", source="console")
        beat = Heartbeats(session, clock, ALERTING).add(
            HeartbeatBody(name="mail", period_seconds=600).parsed(), by="per_ann", source="console"
        )
        before = export_files(session, WAYS).files
    assert sorted(before) == ["oncall/heartbeats.yaml", "oncall/integrations.yaml"]
    whole = "".join(before.values())
    assert secret not in whole
    assert beat.ping_key not in whole
    with database.begin() as session:
        plan = apply_plan(session, read_files(before, WAYS), WAYS, by="per_ops", at=clock.now())
        assert said(plan) == [("adopt", "mail"), ("adopt", "prod")]
        again = make_plan(session, read_files(before, WAYS), WAYS)
        assert said(again) == [("unchanged", "mail"), ("unchanged", "prod")]
        assert export_files(session, WAYS).files == before
        assert Integrations(session, clock).get("prod").keys, "its key opens what it opened"


def test_a_change_in_the_console_is_drift_until_it_is_applied_again(database: Database, clock: ManualClock) -> None:
    apply(database, clock, FILE)
    with database.begin() as session:
        ways, beats = Integrations(session, clock), Heartbeats(session, clock, ALERTING)
        body = IntegrationBody(name="checks", kind="generic", service="web", mapping={"title": "check.name"})
        ways.change("checks", body.parsed(), by="per_ann", source="console")
        later = HeartbeatBody(name="backup", cron="30 4 * * *", time_zone="Europe/Oslo", service="shop")
        beats.change("backup", later.parsed(), by="per_ann", source="console")
    with database.read() as session:
        [way], [beat] = (kind.drift(session) for kind in WAYS)
    assert way.fields["service"] == ("shop", "web")
    assert beat.fields == {"cron": ("15 3 * * *", "30 4 * * *")}
    plan = apply(database, clock, FILE)
    assert {change.name: change.drift for change in plan.changes}["backup"] == ("cron",)
    with database.read() as session:
        assert [kind.drift(session) for kind in WAYS] == [[], []]


def test_a_ping_is_no_drift(database: Database, clock: ManualClock) -> None:
    apply(database, clock, FILE)
    with database.begin() as session:
        beats = Heartbeats(session, clock, ALERTING)
        beats.ping(beats.get("backup").ping_key, PingKind.SUCCESS)
        assert beats.get("backup").beat.state is BeatState.UP
    assert said(apply(database, clock, FILE)) == [("unchanged", "backup"), ("unchanged", "checks")]


def test_what_leaves_the_files_goes_and_what_never_was_in_them_stays(database: Database, clock: ManualClock) -> None:
    apply(database, clock, FILE)
    with database.begin() as session:
        beats = Heartbeats(session, clock, ALERTING)
        beats.add(HeartbeatBody(name="mail", period_seconds=600).parsed(), by="per_ann", source="console")
        beats.ping(beats.get("backup").ping_key, PingKind.FAIL)
    assert said(apply(database, clock, None)) == [("delete", "backup"), ("delete", "checks")]
    with database.read() as session:
        assert [one.name for one in store_heartbeats.all_heartbeats(session)] == ["mail"]
        assert store_integrations.all_integrations(session) == []
        (group,) = groups(session, GroupFilter(statuses=tuple(Status)))
    assert group.status is Status.RESOLVED, "nothing is expected of it any more, so its alert is over"


def test_a_plan_that_somebody_overtook_is_not_applied(database: Database, clock: ManualClock) -> None:
    apply(database, clock, FILE)
    desired = read_files({"oncall/ways.yaml": FILE.replace("service: shop", "service: web")}, WAYS)
    with database.read() as session:
        plan = make_plan(session, desired, WAYS)
    change = next(one for one in plan.changes if one.name == "backup")
    with database.begin() as session:
        body = HeartbeatBody(name="backup", cron="15 3 * * *", time_zone="Europe/Oslo", service="chat")
        Heartbeats(session, clock, ALERTING).change("backup", body.parsed(), by="per_ann", source="console")
    with database.begin() as session, pytest.raises(PlanOutdated):
        WAYS[1].apply(session, change, body, by="per_ops", at=clock.now())


@pytest.mark.parametrize(
    ("old", "new", "where", "expected"),
    [
        ("kind: generic", "kind: nagios", "3:11", "'generic'"),
        ("name: checks", "name: Checks!", "2:11", "text that should match"),
        ("group_minutes: 30", "group_minutes: 0", "6:20", "at least 1"),
        ("group_by: [service, host]", "group_by: [service, '1 2']", "5:15", "one to ten of service"),
        ("{bad: critical}", "{bad: awful}", "7:25", "'critical'"),
        ("title: check.name", "titel: check.name", "8:22", "one of alerts, title"),
        ("    mapping: {title: check.name}\n", "", "2:5", "where the title is"),
        ('cron: "15 3 * * *"', 'cron: "15 3 * *"', "11:11", "five fields"),
        ('cron: "15 3 * * *"', "period_seconds: 5", "11:21", "at least 60"),
        ('    cron: "15 3 * * *"\n', "", "10:5", "either a period or a cron expression"),
        ("time_zone: Europe/Oslo", "time_zone: Europe/Olso", "12:16", "a name of the IANA database"),
        ("service: shop\n    group", "key: secret\n    group", "4:5", "found 'key'"),
        ("heartbeats:", "heartbeat:", "9:1", "one of heartbeats, integrations"),
    ],
)
def test_a_mistake_is_named_by_line_and_column_and_changes_nothing(
    database: Database, clock: ManualClock, old: str, new: str, where: str, expected: str
) -> None:
    with pytest.raises(OpsInvalid) as refused:
        apply(database, clock, FILE.replace(old, new))
    told: Any = [(one.where, one.expected) for one in refused.value.complaints]
    assert any(at == f"oncall/ways.yaml:{where}" and expected in text for at, text in told), told
    assert kinds(database) == []


def test_an_integration_keeps_its_format(database: Database, clock: ManualClock) -> None:
    apply(database, clock, FILE)
    other = "integrations:\n  - {name: checks, kind: grafana}\n"
    with pytest.raises(OpsInvalid) as refused:
        apply(database, clock, other)
    assert [(one.where, one.expected) for one in refused.value.complaints] == [
        ("oncall/ways.yaml:2:26", "expected generic, which it is and stays: add another one")
    ]


def test_one_file_may_hold_all_of_on_call(database: Database, clock: ManualClock) -> None:
    text = FILE + "policies: []\nschedules: []\n"
    with database.begin() as session:
        desired = read_files({"oncall/all.yaml": text}, KINDS)
        plan = apply_plan(session, desired, KINDS, by="per_ops", at=clock.now())
    assert said(plan) == [("create", "backup"), ("create", "checks")]
