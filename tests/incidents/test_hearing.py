"""What incidents make of alerts: opened by rules, told who has it, and never resolved by themselves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.incidents.support import ID, Stage, by
from watchkeeper.modules.incidents import public
from watchkeeper.modules.incidents.model import Severity, Status
from watchkeeper.modules.incidents.rules import Rule, put_rule


@pytest.fixture
def opening(stage: Stage) -> Stage:
    """Critical alerts open a SEV-1 by themselves, errors a SEV-2."""
    stage.said = {"open_for": "critical=SEV-1, error=SEV-2"}
    return stage


def rule(stage: Stage, priority: int, **said: object) -> None:
    with stage.database.begin() as session:
        put_rule(session, Rule.model_validate({**said, "priority": priority}), by="test", at=stage.clock.now())


def texts(stage: Stage, incident_id: str) -> list[str]:
    found = stage.ask(lambda session: public.entries(session, incident_id))
    return [one.text for one in found]


def test_nothing_opens_an_incident_unless_somebody_says_so(stage: Stage) -> None:
    stage.fire()
    assert stage.all() == []


def test_an_alert_opens_one_incident_however_often_it_is_told_of(opening: Stage) -> None:
    for _ in range(3):
        opening.fire()
    one = opening.only()
    assert (one.severity, one.services, one.title) == (Severity.SEV1, ("shop",), "disk is bad")
    # The alert of its own would open another one for ever.
    assert opening.group("incidents", one.id) is None


def test_a_storm_of_one_service_is_one_incident_as_bad_as_its_worst_alert(opening: Stage) -> None:
    opening.fire("slow", severity="error")
    opening.fire("dead", severity="critical")
    opening.fire("other", service="cart")
    one = next(found for found in opening.all() if found.services == ("shop",))
    assert one.severity is Severity.SEV1
    linked = opening.ask(lambda session: public.links(session, one.id))
    assert sorted(link.label for link in linked) == ["dead is bad", "slow is bad"]
    assert len(opening.all()) == 2


def test_the_first_rule_that_fits_says_what_is_opened(opening: Stage) -> None:
    rule(opening, 0, name="not-in-tests", environments=["staging"], open="nothing")
    rule(opening, 1, name="payments", labels={"team": "payments"}, open="SEV-1")
    opening.fire("a", environment="staging")
    opening.fire("b", severity="warning", labels={"team": "payments"})
    one = opening.only()
    assert (one.title, one.severity) == ("b is bad", Severity.SEV1)
    assert [fact.data["rule"] for fact in opening.facts("opened")] == ["payments"]


def test_whoever_acknowledges_the_page_has_the_incident(opening: Stage) -> None:
    opening.fire()
    group = opening.group()
    assert group is not None
    opening.clock.advance(timedelta(minutes=4))
    acknowledged_at = opening.clock.now()
    with opening.database.begin() as session:
        opening.alerting.acknowledge(session, group.id, by=ID["ben"], at=acknowledged_at, source="test")
    opening.clock.advance(timedelta(minutes=1))
    opening.hear()
    opening.hear()
    one = opening.only()
    assert (one.acknowledged_at, one.responded_at) == (acknowledged_at, acknowledged_at)
    assert [fact.data["person"] for fact in opening.facts("acknowledged")] == [ID["ben"]]


def test_an_alert_that_somebody_has_already_makes_an_incident_that_somebody_has(stage: Stage) -> None:
    stage.fire()
    group = stage.group()
    assert group is not None
    with stage.database.begin() as session:
        stage.alerting.acknowledge(session, group.id, by=ID["ben"], at=stage.clock.now(), source="test")
    one = stage.open(groups=[group.id])
    assert one.acknowledged_at == stage.clock.now()


def test_when_the_last_alert_ends_it_says_so_and_stays_open(opening: Stage) -> None:
    opening.fire("one")
    opening.fire("two")
    opening.settle("one")
    assert opening.only().settled_at is None
    opening.settle("two")
    one = opening.only()
    assert (one.status, one.settled_at) == (Status.INVESTIGATING, opening.clock.now())
    assert texts(opening, one.id)[-1].startswith("All of its alert groups are resolved")
    opening.clock.advance(timedelta(minutes=1))
    opening.fire("one")
    assert opening.only().settled_at is None
    assert texts(opening, one.id)[-1] == "one is bad fires again"


def test_what_fires_again_soon_after_the_end_opens_its_incident_again(opening: Stage) -> None:
    opening.fire()
    opening.settle()
    first = opening.only()
    opening.do(lambda verbs: verbs.resolve(first.id, **by("ann")))
    opening.clock.advance(timedelta(minutes=10))
    opening.fire()
    one = opening.only()
    assert (one.id, one.reopened, one.is_open) == (first.id, 1, True)


def test_what_fires_again_much_later_is_another_incident(opening: Stage) -> None:
    opening.fire()
    opening.settle()
    opening.do(lambda verbs: verbs.resolve(opening.only().id, **by("ann")))
    opening.clock.advance(timedelta(days=1))
    opening.fire()
    assert [one.is_open for one in opening.all()] == [True, False]
