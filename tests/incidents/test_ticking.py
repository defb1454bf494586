"""What time does to incidents: told once, over any death, and calling whoever comes next."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete

from tests.incidents.support import ID, Stage, by
from watchkeeper.kernel.work.tables import work
from watchkeeper.modules.incidents.desk import LOOK
from watchkeeper.modules.incidents.model import Role, Severity
from watchkeeper.modules.incidents.ticking import Ticking

MINUTE = timedelta(minutes=1)


def told(stage: Stage) -> list[str]:
    kinds = stage.facts("clock_warned", "clock_breached", "update_due")
    return [f"{fact.kind.removeprefix('incidents.')} {fact.data.get('share', '')}".strip() for fact in kinds]


def test_it_warns_twice_and_then_calls_whoever_comes_next(stage: Stage) -> None:
    one = stage.open(services=["shop"], severity=Severity.SEV3, who="tok_ci")
    stage.pass_time(timedelta(hours=47))
    assert told(stage) == ["clock_warned 50", "clock_warned 80"]
    stage.pass_time(timedelta(hours=1))
    assert told(stage) == ["clock_warned 50", "clock_warned 80", "clock_breached"]
    louder = stage.group("incidents", f"{one.id}:respond")
    assert louder is not None
    # One step worse than the incident: what waited for morning wakes somebody now.
    assert (louder.severity, louder.service, louder.is_open) == ("error", "shop", True)


def test_a_response_that_comes_late_ends_the_alert_about_it(stage: Stage) -> None:
    one = stage.open(services=["shop"], severity=Severity.SEV1, who="tok_ci")
    stage.pass_time(6 * MINUTE)
    stage.do(lambda verbs: verbs.acknowledge(one.id, alerts_too=True, **by("ann")))
    louder, own = stage.group("incidents", f"{one.id}:respond"), stage.group("incidents", one.id)
    assert louder is not None
    assert own is not None
    assert not louder.is_open
    assert (own.status, own.acknowledged_by) == ("acknowledged", ID["ann"])
    stage.pass_time(timedelta(hours=2))
    assert told(stage).count("clock_breached") == 1


def test_nothing_is_told_twice_when_work_comes_again_and_nothing_is_lost_when_it_is_gone(stage: Stage) -> None:
    one = stage.open(severity=Severity.SEV1, who="tok_ci")
    ticking = Ticking(stage.clock, stage.incidenting)
    with stage.database.begin() as session:
        session.execute(delete(work).where(work.c.kind == LOOK))
    stage.clock.advance(3 * MINUTE)
    for _ in range(3):
        with stage.database.begin() as session:
            ticking.look_at_all(session)
            ticking.look(session, one.id)
    assert told(stage) == ["clock_warned 50"]


def test_a_look_that_dies_before_its_end_has_told_nothing(stage: Stage) -> None:
    one = stage.open(severity=Severity.SEV1, who="tok_ci")
    stage.clock.advance(5 * MINUTE)
    try:
        with stage.database.begin() as session:
            Ticking(stage.clock, stage.incidenting).look(session, one.id)
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert told(stage) == []
    with stage.database.begin() as session:
        Ticking(stage.clock, stage.incidenting).look(session, one.id)
    assert told(stage) == ["clock_warned 50", "clock_warned 80", "clock_breached"]


def test_updates_are_reminded_of_every_quarter_of_an_hour_until_there_is_one(stage: Stage) -> None:
    one = stage.open(severity=Severity.SEV2)
    stage.do(lambda verbs: verbs.assign(one.id, Role.COMMUNICATOR, ID["ben"], **by("ben")))
    stage.pass_time(46 * MINUTE)
    assert told(stage) == ["update_due"] * 3
    stage.do(lambda verbs: verbs.post_update(one.id, "We found it", **by("ben")))
    stage.pass_time(14 * MINUTE)
    assert told(stage) == ["update_due"] * 3
    stage.pass_time(2 * MINUTE)
    assert told(stage) == ["update_due"] * 4


def test_after_a_long_stop_a_reminder_comes_once_and_not_as_often_as_it_was_missed(stage: Stage) -> None:
    one = stage.open(severity=Severity.SEV2)
    stage.clock.advance(timedelta(hours=5))
    with stage.database.begin() as session:
        Ticking(stage.clock, stage.incidenting).look(session, one.id)
    assert told(stage).count("update_due") == 1


def test_what_is_over_ticks_no_more(stage: Stage) -> None:
    one = stage.open(severity=Severity.SEV1)
    stage.do(lambda verbs: verbs.resolve(one.id, **by("ann")))
    stage.pass_time(timedelta(days=2))
    assert told(stage) == []


def test_a_drill_ticks_and_calls_nobody(stage: Stage) -> None:
    one = stage.open(severity=Severity.SEV1, drill=True, who="tok_ci")
    stage.pass_time(timedelta(hours=1))
    assert "clock_breached" in told(stage)
    assert stage.group("incidents", one.id) is None
    assert stage.group("incidents", f"{one.id}:respond") is None
