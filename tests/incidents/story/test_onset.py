"""A budget burns, an alert comes, an incident is opened for it: its story begins where the burning began."""

from __future__ import annotations

from datetime import timedelta

from tests.incidents.story.support import MINUTES, Stage
from tests.slo.support import Stage as Objectives
from tests.slo.support import slo
from watchkeeper.kernel.journal.listeners import Dispatcher
from watchkeeper.modules.alerts import wiring as alerts
from watchkeeper.modules.incidents.hearing import listeners
from watchkeeper.modules.incidents.model import Severity
from watchkeeper.modules.incidents.story.model import OnsetFrom


def hear(stage: Stage) -> None:
    """Facts are delivered to alerts, then to incidents."""
    everybody = (*alerts.listeners(stage.alerting), *listeners(stage.incidenting, stage.clock))
    dispatcher = Dispatcher(stage.database, stage.clock, everybody)
    while dispatcher.run_once():
        pass


def test_the_story_of_a_burning_budget_begins_with_its_first_bad_minute(stage: Stage) -> None:
    stage.said = {"open_for": "critical=SEV-1, error=SEV-2"}
    objectives = Objectives(stage.database, stage.clock)
    stage.engine = objectives.engine
    objectives.put(slo("checkout", service="shop", indicator={"kind": "availability", "service": "shop"}))
    stage.parameter()
    objectives.steady("checkout")
    objectives.run(40 * MINUTES, every=5 * MINUTES)
    cause = stage.set(1)
    broke = stage.clock.now() + timedelta(seconds=30)
    objectives.tape.by_slo["checkout"] = lambda minute: (40, 100) if minute >= broke.timestamp() - 59 else (100, 100)
    objectives.run(3 * MINUTES, every=MINUTES)
    # Somebody turns something while it burns, before anybody was told: newer, and not to blame.
    stage.deployed("db", "Database patched")
    while not objectives.alerts(open_only=True):
        objectives.run(MINUTES, every=MINUTES)
    hear(stage)
    one = stage.only()
    assert one.severity in (Severity.SEV1, Severity.SEV2)
    story = stage.story(one)
    # The time to detect it is counted from there, too.
    assert one.started_at == story.onset.at
    assert story.onset.known_from is OnsetFrom.BURN
    assert abs(story.onset.at - broke) <= 2 * MINUTES
    assert story.onset.at < one.detected_at
    assert story.suspects[0].after == {"WORKERS": "1"}
    assert story.suspects[0].target == cause.id


def test_without_a_burning_budget_it_begins_with_the_first_symptom(stage: Stage) -> None:
    stage.engine = Objectives(stage.database, stage.clock).engine
    one = stage.burst()
    assert (stage.story(one).onset.known_from, stage.story(one).onset.at) == (OnsetFrom.SYMPTOM, one.started_at)
