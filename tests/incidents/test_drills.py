"""Drills: played from the real intake on, calling nobody unless somebody says so, and in no measure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from tests.incidents.support import ID, Stage, by
from tests.oncall.support import give_contact
from watchkeeper.kernel.work.tables import work
from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.catalog.model import Description
from watchkeeper.modules.catalog.service import Catalog
from watchkeeper.modules.incidents.drill import Report, Scenario, in_words, play
from watchkeeper.modules.incidents.model import Severity, Status
from watchkeeper.modules.incidents.store import IncidentFilter, count_open, listed
from watchkeeper.modules.oncall.paging import store as paging_store
from watchkeeper.modules.oncall.paging.engine import CHANGED, Engine
from watchkeeper.modules.oncall.paging.measures import measure
from watchkeeper.modules.oncall.policy import Policy
from watchkeeper.modules.oncall.service import Definitions


def played(stage: Stage, **said: Any) -> Report:
    scenario = Scenario(**{"title": "Nobody can pay", "severity": Severity.SEV1, "service": "shop", **said})
    with stage.database.begin() as session:
        return play(session, stage.clock, stage.incidenting, scenario, **by("cleo"))


def paging(stage: Stage) -> list[Any]:
    """Work by which people are called."""
    found: list[Any] = stage.ask(lambda session: session.execute(select(work).where(work.c.kind == CHANGED)).all())
    return found


def policy(stage: Stage) -> None:
    steps = [{"notify": [{"person": ID["ann"]}], "wait": "5m"}, {"notify": [{"everyone": True}], "wait": "10m"}]
    late = [{"after": "1h", "severities": ["critical"], "notify": [{"person": ID["cleo"]}]}]
    said = {"name": "shop", "default": True, "steps": steps, "repeat": 0, "unresolved": late}
    with stage.database.begin() as session:
        Catalog(session, stage.clock).declare("shop", Description(), by="test", source="test")
        Definitions(session, stage.clock).put(Policy.model_validate(said), by="test", source="test", checked=True)


def is_open(stage: Stage, report: Report) -> bool:
    """Whether the alert of the play fires still."""
    group = stage.ask(lambda session: alerts.group(session, report.group))
    assert group is not None
    return bool(group.is_open)


def test_a_drill_says_who_would_be_called_when_and_calls_nobody(stage: Stage) -> None:
    policy(stage)
    report = played(stage)
    assert [(call.after, call.people) for call in report.calls] == [
        (timedelta(0), ("Ann",)),
        (timedelta(minutes=5), ("Ann", "Ben", "Cleo")),
        (timedelta(hours=1), ("Cleo",)),
    ]
    said = {due.after: due.what for due in report.clocks}
    assert said[timedelta(minutes=5)] == "nobody responded: whoever comes next is called"
    assert said[timedelta(minutes=15)] == "an update is due"
    assert paging(stage) == []
    assert "+5 min: Ann, Ben, Cleo (step 2)" in in_words(report)


def test_a_drill_that_calls_nobody_is_over_when_it_is_told_of(stage: Stage) -> None:
    report = played(stage)
    assert (report.incident.drill, report.incident.status, is_open(stage, report)) == (True, Status.RESOLVED, False)
    stage.pass_time(timedelta(hours=2))
    assert stage.kinds()[-1] == "resolved"
    assert stage.ask(count_open) == 0
    assert stage.ask(lambda session: listed(session, IncidentFilter(), limit=10)) == []


def test_a_drill_finds_what_would_go_wrong_tonight(stage: Stage) -> None:
    report = played(stage, service="nowhere")
    problems = " ".join(report.problems)
    assert "the catalog has no service nowhere" in problems
    assert "the last resort would be called" in problems
    assert "there is no way to Ann" in problems
    assert report.opened_by.startswith("by nobody")
    stage.said = {"open_for": "critical=SEV-1"}
    assert played(stage).opened_by == "as SEV-1 by incidents.open_for"


def test_a_drill_with_pages_goes_the_real_way_until_people_end_it(stage: Stage) -> None:
    policy(stage)
    report = played(stage, page=True)
    assert len(paging(stage)) == 1
    with stage.database.begin() as session:
        give_contact(session, ID["ann"], "ann", stage.clock.now())
        Engine(stage.clock, stage.alerting, "https://watch.example").look(session, report.group)
    one = stage.now_is(report.incident)
    assert one.is_open
    stage.hear()
    assert len(stage.all()) == 1
    with stage.database.begin() as session:
        stage.alerting.acknowledge(session, report.group, by=ID["ben"], at=stage.clock.now(), source="test")
    stage.hear()
    assert stage.now_is(one).acknowledged_at is not None
    # Nobody is paged more for it by any measure.
    pages = stage.ask(lambda session: paging_store.latest(session))
    groups = {report.group: stage.ask(lambda session: alerts.group(session, report.group))}
    since = stage.clock.now() - timedelta(days=1)
    assert len(pages) == 1
    assert measure(pages, groups, since, stage.clock.now()).people == ()
    # No reason is asked for: the critical alert that is open is the play's own, and ends with it.
    over = stage.do(lambda verbs: verbs.resolve(one.id, **by("ben")))
    assert (over.status, is_open(stage, report)) == (Status.RESOLVED, False)
