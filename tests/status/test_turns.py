"""Maintenance begins and ends: subscribers hear of each once, whoever works it off."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.status.readers import Inbox, subscribed
from tests.status.support import BY, Stage
from tests.support.running import eventually
from watchkeeper.modules.status import wiring
from watchkeeper.modules.status.maintaining import Planned
from watchkeeper.modules.status.model import Maintenance


def plan(stage: Stage, begins_in: float = 60, minutes: float = 60) -> Maintenance:
    component = stage.component("disks")
    begin = stage.clock.now() + timedelta(minutes=begins_in)
    said = Planned(title="New disks", body="We change disks.", components=(component.id,))
    times = {"starts_at": begin, "ends_at": begin + timedelta(minutes=minutes)}
    return stage.maintaining(lambda one: one.schedule(said, **times, **BY))  # type: ignore[no-any-return]


def heard(inbox: Inbox) -> list[str]:
    """What subscribers were told of it, but for the question at the beginning."""
    return [str(one["Subject"]).removeprefix("[Status] ").removesuffix(": New disks") for one in inbox.mails[1:]]


def told_at_each_hour(stage: Stage, hours: int = 3) -> None:
    stage.work_off()
    for _ in range(hours):
        stage.clock.advance(timedelta(hours=1))
        stage.work_off()


def test_subscribers_hear_of_its_announcement_its_beginning_and_its_end(stage: Stage, inbox: Inbox) -> None:
    subscribed(stage, inbox)
    plan(stage)
    stage.work_off()
    assert heard(inbox) == ["Maintenance"]
    stage.clock.advance(timedelta(minutes=59))
    stage.work_off()
    assert heard(inbox) == ["Maintenance"]
    stage.clock.advance(timedelta(minutes=1))
    stage.work_off()
    assert heard(inbox) == ["Maintenance", "In progress"]
    told_at_each_hour(stage)
    assert heard(inbox) == ["Maintenance", "In progress", "Completed"]
    assert stage.kinds()[-2:] == ["maintenance_began", "maintenance_completed"]


def test_work_that_begins_at_once_is_told_once(stage: Stage, inbox: Inbox) -> None:
    subscribed(stage, inbox)
    plan(stage, begins_in=0)
    told_at_each_hour(stage)
    assert heard(inbox) == ["Maintenance", "Completed"]


def test_what_was_cancelled_neither_begins_nor_ends(stage: Stage, inbox: Inbox) -> None:
    subscribed(stage, inbox)
    made = plan(stage)
    stage.work_off()
    stage.maintaining(lambda one: one.end(made.id, **BY))
    told_at_each_hour(stage)
    assert heard(inbox) == ["Maintenance", "Cancelled"]


def test_what_ended_early_does_not_end_again(stage: Stage, inbox: Inbox) -> None:
    subscribed(stage, inbox)
    made = plan(stage)
    stage.work_off()
    stage.clock.advance(timedelta(minutes=90))
    stage.work_off()
    stage.maintaining(lambda one: one.end(made.id, **BY))
    told_at_each_hour(stage)
    assert heard(inbox) == ["Maintenance", "In progress", "Ended early"]


def test_after_a_long_absence_nobody_is_told_that_something_begins_which_is_over(stage: Stage, inbox: Inbox) -> None:
    subscribed(stage, inbox)
    plan(stage)
    stage.work_off()
    stage.clock.advance(timedelta(hours=5))
    stage.work_off()
    assert heard(inbox) == ["Maintenance", "Completed"]


def test_two_replicas_and_a_restart_tell_each_turn_once(stage: Stage, inbox: Inbox) -> None:
    subscribed(stage, inbox)
    plan(stage)
    stage.work_off()
    stage.clock.advance(timedelta(minutes=60))
    stage.work_off(rounds=1)

    def replicas() -> list[Any]:
        return [wiring.worker(stage.parts, stage.database, stage.clock) for _ in range(2)]

    pair = replicas()
    for one in pair:
        one.start()
    eventually(lambda: "In progress" in heard(inbox))
    for one in pair:
        one.stop()
    stage.clock.advance(timedelta(minutes=60))
    stage._keep_hours()
    pair = replicas()
    for one in pair:
        one.start()
    eventually(lambda: "Completed" in heard(inbox))
    for one in pair:
        one.stop()
    stage.work_off()
    assert heard(inbox) == ["Maintenance", "In progress", "Completed"]


def test_what_was_announced_by_an_older_release_is_told_too(stage: Stage, inbox: Inbox) -> None:
    from watchkeeper.kernel.work.tables import work
    from watchkeeper.modules.status.maintaining import TURN

    subscribed(stage, inbox)
    plan(stage)
    stage.write(lambda session: session.execute(work.delete().where(work.c.kind == TURN)))
    for _ in range(2):
        stage.maintaining(lambda one: one.look_ahead())
    told_at_each_hour(stage)
    stage.maintaining(lambda one: one.look_ahead())
    stage.work_off()
    assert heard(inbox) == ["Maintenance", "In progress", "Completed"]


def test_the_summary_and_the_feed_tell_each_turn_with_its_time(stage: Stage) -> None:
    plan(stage)
    stage.clock.advance(timedelta(minutes=61))
    (running,) = stage.json("scheduled-maintenances/active.json")["scheduled_maintenances"]
    assert [one["status"] for one in running["incident_updates"]] == ["in_progress", "scheduled"]
    assert running["updated_at"] == running["scheduled_for"]
    stage.clock.advance(timedelta(minutes=60))
    (over,) = stage.json("scheduled-maintenances.json")["scheduled_maintenances"]
    assert [one["status"] for one in over["incident_updates"]] == ["completed", "in_progress", "scheduled"]
    assert over["updated_at"] == over["scheduled_until"]
    assert "completed" in stage.reader.get("/status/history.rss").text
