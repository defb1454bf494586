"""Components and the page as code and in the console, maintenance, and what comes from incidents and objectives."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from tests.status.support import BY, Stage
from watchkeeper.kernel.journal import Fact
from watchkeeper.kernel.ops import OpsInvalid, apply_plan, export_files, read_files
from watchkeeper.modules.alerts.public import Alerting, GroupWatchers
from watchkeeper.modules.alerts.quiet import Weekly
from watchkeeper.modules.alerts.settings import AlertSettings
from watchkeeper.modules.incidents import public as incidents
from watchkeeper.modules.incidents.settings import IncidentSettings
from watchkeeper.modules.status import store
from watchkeeper.modules.status.errors import ComponentIsManaged, MaintenanceOver, StatusInvalid
from watchkeeper.modules.status.listeners import listeners
from watchkeeper.modules.status.maintaining import Planned
from watchkeeper.modules.status.model import PageSaid, Review, State
from watchkeeper.modules.status.ops import OPS_KINDS
from watchkeeper.modules.status.service import StatusPage

FILES = {
    "status.yaml": """\
pages:
  - name: public
    title: Duet
    url: https://status.duet.example
components:
  - name: chat
    title: Chat
    order: 2
    services: [chat]
  - name: sign-in
    title: Sign-in
    group: Accounts
    order: 1
    slos: [gateway-availability]
"""
}


def applied(stage: Stage, files: dict[str, str]) -> list[str]:
    """Apply; the actions of the plan, those that change nothing among them."""
    desired = read_files(files, OPS_KINDS)

    def write(session: Any) -> list[str]:
        plan = apply_plan(session, desired, OPS_KINDS, by="per_alice", at=stage.clock.now())
        return [f"{one.action} {one.name}" for one in plan.changes]

    return stage.write(write)  # type: ignore[no-any-return]


def test_files_describe_the_page_and_say_the_same_again(stage: Stage) -> None:
    assert sorted(applied(stage, FILES)) == ["create chat", "create public", "create sign-in"]
    assert sorted(applied(stage, FILES)) == ["unchanged chat", "unchanged public", "unchanged sign-in"]
    assert [one.title for one in stage.read(store.components)] == ["Sign-in", "Chat"]
    exported = stage.read(lambda session: export_files(session, OPS_KINDS)).files
    again = applied(stage, dict(exported))
    assert all(one.startswith("unchanged") for one in again)


def test_what_leaves_the_files_is_gone_and_what_people_made_stays(stage: Stage) -> None:
    stage.component("by-hand")
    applied(stage, FILES)
    applied(stage, {"status.yaml": "components:\n  - name: chat\n    title: Chat\n"})
    assert [one.name for one in stage.read(store.components)] == ["by-hand", "chat"]


def test_a_change_in_the_console_is_drift_and_removal_is_refused(stage: Stage) -> None:
    applied(stage, FILES)
    stage.component("chat", title="Talk")
    (drifted,) = stage.read(OPS_KINDS[1].drift)
    assert drifted.fields["title"] == ("Chat", "Talk")
    with pytest.raises(ComponentIsManaged):
        stage.write(lambda session: StatusPage(session, stage.clock).remove_component("chat", reason="", **BY))
    assert "update chat" in applied(stage, FILES)
    assert stage.read(OPS_KINDS[1].drift) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("components:\n  - name: Not A Name\n", "status.yaml:2"),
        ("components:\n  - name: chat\n    colour: red\n", "colour"),
        ("components:\n  - name: chat\n  - name: chat\n", "chat"),
        ("pages:\n  - name: private\n", "public"),
        ("pages:\n  - name: public\n    url: javascript:alert(1)\n", "https://"),
        ("components: {}\n", "a list"),
        ("things: []\n", "components"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(stage: Stage, text: str, expected: str) -> None:
    with pytest.raises(OpsInvalid) as refused:
        applied(stage, {"status.yaml": text})
    assert expected in "\n".join(f"{one.where}: {one.expected}" for one in refused.value.complaints)
    assert stage.read(store.components) == []


def test_a_title_with_a_line_end_or_an_address_that_is_none_is_refused(stage: Stage) -> None:
    with pytest.raises(StatusInvalid):
        stage.component(title="two\nlines")
    for url in ("javascript:alert(1)", "status.example", "http://", "https://x\n"):
        with pytest.raises(StatusInvalid):
            stage.write(lambda session, url=url: StatusPage(session, stage.clock).put_page(PageSaid(url=url), **BY))


def planned(stage: Stage, begins_in: int = 1, hours: int = 1) -> Any:
    component = stage.component()
    said = Planned(title="New disks", body="Sign-in is slower.", components=(component.id,))
    now = stage.clock.now()
    times = {"starts_at": now + timedelta(hours=begins_in), "ends_at": now + timedelta(hours=begins_in + hours)}
    return stage.maintaining(lambda one: one.schedule(said, **times, **BY))


def test_maintenance_is_announced_runs_and_is_over(stage: Stage) -> None:
    planned(stage)
    assert stage.state() is State.OPERATIONAL
    assert "New disks" in stage.html()
    assert stage.json("scheduled-maintenances/upcoming.json")["scheduled_maintenances"][0]["status"] == "scheduled"
    stage.clock.advance(timedelta(hours=1))
    assert stage.state() is State.MAINTENANCE
    assert stage.json("summary.json")["status"]["indicator"] == "maintenance"
    assert stage.json("scheduled-maintenances/active.json")["scheduled_maintenances"][0]["status"] == "in_progress"
    stage.clock.advance(timedelta(hours=1))
    assert stage.state() is State.OPERATIONAL
    assert stage.uptime() == 1


def test_maintenance_ends_early_or_is_cancelled(stage: Stage) -> None:
    one = planned(stage)
    stage.maintaining(lambda verbs: verbs.end(one.id, **BY))
    stage.clock.advance(timedelta(hours=1, minutes=30))
    assert stage.state() is State.OPERATIONAL
    with pytest.raises(MaintenanceOver):
        stage.maintaining(lambda verbs: verbs.end(one.id, **BY))
    other = planned(stage, begins_in=0)
    stage.clock.advance(timedelta(minutes=10))
    assert stage.state() is State.MAINTENANCE
    stage.maintaining(lambda verbs: verbs.end(other.id, **BY))
    assert stage.state() is State.OPERATIONAL


def heard(stage: Stage, kind: str) -> None:
    """Deliver facts of a kind, twice, as may happen."""
    for listener in listeners(stage.clock):
        for fact in stage.facts(kind):
            if fact.kind in listener.kinds:
                for _ in range(2):
                    stage.write(lambda session, fact=fact, listener=listener: listener.handle(session, fact))


def test_a_window_of_alerts_is_secret_until_it_is_shown_and_the_page_follows_its_end(stage: Stage) -> None:
    component = stage.component()
    window = stage.window(begins_in=30)
    assert "new disks" not in stage.html()
    said = Planned(title="Work on disks", body="", components=(component.id,))
    stage.maintaining(lambda one: one.show_window(window.id, said, **BY))
    stage.maintaining(lambda one: one.show_window(window.id, said, **BY))
    shown = stage.html()
    assert "Work on disks" in shown
    assert "new disks" not in shown
    assert stage.kinds().count("maintenance_scheduled") == 1
    stage.clock.advance(timedelta(minutes=40))
    assert stage.state() is State.MAINTENANCE
    stage.end_window(window)
    heard(stage, "alerts.maintenance_ended")
    assert stage.state() is State.OPERATIONAL
    assert stage.kinds().count("maintenance_ended") == 1


def test_a_weekly_window_is_announced_a_week_ahead_stretch_by_stretch(stage: Stage) -> None:
    component = stage.component()
    weekly = Weekly((6,), time(3, 0), "Europe/Oslo", timedelta(minutes=90))
    window = stage.window(weekly=weekly, ends_at=None)
    said = Planned(title="Weekly work", body="", components=(component.id,))
    (first,) = stage.maintaining(lambda one: one.show_window(window.id, said, **BY))
    assert first.starts_at == datetime(2026, 3, 8, 2, 0, tzinfo=UTC)
    stage.maintaining(lambda one: one.look_ahead())
    assert stage.kinds().count("maintenance_scheduled") == 1
    stage.clock.advance(timedelta(days=7))
    stage.maintaining(lambda one: one.look_ahead())
    assert stage.kinds().count("maintenance_scheduled") == 2


@pytest.mark.parametrize(
    "wrong", [{"title": ""}, {"components": ()}, {"components": ("cmp_x",)}, {"body": "x" * 10_001}]
)
def test_maintenance_without_sense_is_refused(stage: Stage, wrong: dict[str, Any]) -> None:
    component = stage.component()
    values: dict[str, Any] = {"title": "t", "body": "", "components": (component.id,), **wrong}
    now = stage.clock.now()
    with pytest.raises(StatusInvalid):
        stage.maintaining(
            lambda one: one.schedule(Planned(**values), starts_at=now, ends_at=now + timedelta(hours=1), **BY)
        )


@pytest.mark.parametrize("hours", [0, -1, 24 * 32])
def test_maintenance_ends_after_it_begins_and_within_a_month(stage: Stage, hours: int) -> None:
    with pytest.raises(StatusInvalid):
        planned(stage, hours=hours)


def incident_verbs(stage: Stage, verb: Any) -> Any:
    alerting = Alerting(AlertSettings.model_validate({}), GroupWatchers())
    part = incidents.Incidenting(IncidentSettings.model_validate({}), alerting)
    return stage.write(lambda session: verb(part.on(session, stage.clock)))


def opened(stage: Stage, **said: Any) -> Any:
    values = {"severity": incidents.Severity.SEV2, "services": ("chat",), **said}
    return incident_verbs(stage, lambda one: one.open("Chat is broken", **values, **BY))


def test_a_public_update_of_an_incident_waits_as_a_draft_with_states_by_severity(stage: Stage) -> None:
    chat = stage.component("chat", services=("chat",))
    stage.component("other", services=("shop",))
    inside = opened(stage)
    incident_verbs(stage, lambda one: one.post_update(inside.id, "Between us: it was Bob.", **BY))
    incident_verbs(stage, lambda one: one.post_update(inside.id, "Chat is slow.", public=True, **BY))
    heard(stage, "incidents.")
    (draft,) = stage.drafts()
    assert draft.body == "Chat is slow."
    assert draft.components == {chat.id: State.PARTIAL}
    assert "Chat is slow." not in stage.html()
    stage.publish(draft)
    shown = stage.html()
    assert "Chat is slow." in shown
    assert "Bob" not in shown
    (fact,) = stage.facts("status.update_published")
    assert (fact.subject_type, fact.subject_id) == ("incident", inside.id)


def test_an_incident_that_is_resolved_inside_asks_to_be_resolved_outside(stage: Stage) -> None:
    stage.component("chat", services=("chat",))
    inside = opened(stage)
    incident_verbs(stage, lambda one: one.post_update(inside.id, "Chat is slow.", public=True, **BY))
    heard(stage, "incidents.")
    stage.publish(stage.drafts()[0])
    stage.clock.advance(timedelta(minutes=30))
    incident_verbs(stage, lambda one: one.resolve(inside.id, **BY))
    heard(stage, "incidents.")
    (draft,) = stage.drafts()
    stage.publish(draft)
    assert stage.state("chat") is State.OPERATIONAL
    assert stage.snapshot().open_incidents == []


def test_what_was_never_public_is_not_resolved_outside(stage: Stage) -> None:
    inside = opened(stage)
    incident_verbs(stage, lambda one: one.resolve(inside.id, **BY))
    heard(stage, "incidents.")
    assert stage.drafts() == []


def burn(stage: Stage, kind: str = "slo.alert_fired") -> Fact:
    data = {"slo": "chat-availability", "alert": "alr_1", "alert_kind": "burn"}
    return Fact(1, stage.clock.now(), "system", "worker", kind, 1, "chat", "slo", "chat-availability", data, None)


def say(stage: Stage, fact: Fact) -> None:
    for listener in listeners(stage.clock):
        if fact.kind in listener.kinds:
            for _ in range(2):
                stage.write(lambda session, listener=listener: listener.handle(session, fact))


def test_a_burning_objective_writes_a_draft_where_the_page_wants_that(stage: Stage) -> None:
    chat = stage.component("chat", slos=("chat-availability",))
    say(stage, burn(stage))
    assert stage.drafts() == []
    stage.write(lambda session: StatusPage(session, stage.clock).put_page(PageSaid(slo_drafts=True), **BY))
    say(stage, burn(stage))
    (draft,) = stage.drafts()
    assert draft.components == {chat.id: State.DEGRADED}
    say(stage, burn(stage, "slo.alert_resolved"))
    assert stage.drafts() == []


def test_what_was_published_of_a_burn_asks_to_be_resolved(stage: Stage) -> None:
    stage.component("chat", slos=("chat-availability",))
    stage.write(lambda session: StatusPage(session, stage.clock).put_page(PageSaid(slo_drafts=True), **BY))
    say(stage, burn(stage))
    stage.publish(stage.drafts()[0])
    stage.clock.advance(timedelta(minutes=5))
    say(stage, burn(stage, "slo.alert_resolved"))
    (draft,) = stage.drafts()
    assert draft.review is Review.DRAFT
    stage.publish(draft)
    assert stage.state("chat") is State.OPERATIONAL
