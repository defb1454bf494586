"""What belongs to an incident: alerts, pages, deployments, changes, runs; an id of nothing is refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.incidents.story.support import OPERATOR, Stage
from tests.incidents.story.test_telling import ROLLBACK
from tests.incidents.support import ID, by
from tests.kernel.web.support import PAGE, bearer, browser, small_app
from tests.oncall.support import give_contact
from watchkeeper.app.timeline.marks import mark_of
from watchkeeper.kernel.clock import ManualClock, SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.journal import FactFilter, read_facts
from watchkeeper.modules.incidents import public, wiring
from watchkeeper.modules.incidents.errors import IncidentInvalid
from watchkeeper.modules.incidents.model import Incident, LinkKind
from watchkeeper.modules.incidents.public import Incidenting
from watchkeeper.modules.oncall.paging.engine import Engine
from watchkeeper.modules.oncall.policy import Policy
from watchkeeper.modules.oncall.service import Definitions
from watchkeeper.modules.runbooks.public import Running


@pytest.fixture
def stage(database: Database, clock: ManualClock) -> Stage:
    made = Stage(database, clock)
    made.add_people()
    made.services(shop=())
    return made


def links(stage: Stage, one: Incident) -> list[tuple[LinkKind, str, str]]:
    found = stage.ask(lambda session: public.links(session, one.id))
    return [(link.kind, link.target, link.label) for link in found]


def fact_mark(stage: Stage, kind: str) -> str:
    (fact,) = stage.ask(lambda session: read_facts(session, FactFilter(kinds=(kind,)), limit=2))
    return mark_of(fact)


def run(stage: Stage, about: tuple[str, str] | None) -> str:
    with stage.database.begin() as session:
        runs = Running(stage.actions).on(session, stage.clock)
        started = runs.start("shop", ["previous"], {}, by=OPERATOR.id, source="test", about=about)
    stage.hear()
    return started.id


def test_changes_deployments_and_runs_are_looked_up_and_get_their_words(stage: Stage) -> None:
    stage.parameter()
    change = stage.set(4)
    stage.deployed(summary="Deployed 42")
    stage.keep(ROLLBACK)
    ran, one = run(stage, None), stage.open(services=["shop"], page=False)
    deployment = fact_mark(stage, "alerts.change_recorded")
    for kind, target in ((LinkKind.CHANGE, change.id), (LinkKind.DEPLOYMENT, deployment), (LinkKind.RUNBOOK_RUN, ran)):
        for _ in range(2):
            stage.do(lambda verbs, kind=kind, target=target: verbs.link(one.id, kind, target, **by("ann")))
    words = {kind: label for kind, _, label in links(stage, one)}
    assert len(links(stage, one)) == 3
    assert words[LinkKind.CHANGE] == "WORKERS in production"
    assert "Deployed 42" in words[LinkKind.DEPLOYMENT]
    assert words[LinkKind.RUNBOOK_RUN] == "Shop"


@pytest.mark.parametrize("kind", [kind for kind in LinkKind if kind is not LinkKind.URL])
def test_an_id_of_nothing_is_refused_and_changes_nothing(stage: Stage, kind: LinkKind) -> None:
    one, before = stage.open(page=False), len(stage.facts())
    stage.parameter()
    # A fact that deploys nothing is no deployment.
    other = fact_mark(stage, "config.parameter_defined") if kind is LinkKind.DEPLOYMENT else new_id("run")
    for target in (new_id("inc"), "nothing", "' OR 1=1 --", "fct_" + "z" * 26, other, one.id):
        with pytest.raises(IncidentInvalid) as refusal:
            stage.do(lambda verbs, target=target: verbs.link(one.id, kind, target, **by("ann")))
        assert refusal.value.complaints[0].where == "target"
    assert links(stage, one) == []
    assert len(stage.facts()) == before
    assert stage.now_is(one).version == one.version


def test_a_run_that_is_started_from_an_incident_or_its_alert_belongs_to_it(stage: Stage) -> None:
    stage.keep(ROLLBACK)
    one = stage.burst()
    group = stage.group(key="shop")
    assert group is not None
    started = [run(stage, about) for about in (("incident", one.id), ("alert_group", group.id), ("incident", "gone"))]
    stage.hear()
    runs = [target for kind, target, _ in links(stage, one) if kind is LinkKind.RUNBOOK_RUN]
    assert sorted(runs) == sorted(started[:2])


def test_what_is_undone_from_the_story_belongs_to_it(stage: Stage) -> None:
    stage.parameter()
    change = stage.set(4)
    stage.after(1)
    one = stage.burst()
    stage.undo(one, stage.story(one).changes[0].mark)
    changes = [target for kind, target, _ in links(stage, one) if kind is LinkKind.CHANGE]
    assert len(changes) == 2
    assert change.id in changes
    assert change.id in stage.story(one).linked


def call_ann(stage: Stage, group_id: str) -> None:
    """What the lane of pages does, by a policy that calls Ben first, to whom there is no way."""
    said = {"name": "shop", "default": True, "steps": [{"notify": [{"person": ID[who]} for who in ("ben", "ann")]}]}
    with stage.database.begin() as session:
        Definitions(session, stage.clock).put(Policy.model_validate(said), by="test", source="test", checked=True)
        give_contact(session, ID["ann"], "ann", stage.clock.now())
        Engine(stage.clock, stage.alerting, "https://watch.example").look(session, group_id)


@pytest.fixture
def client(stage: Stage) -> Iterator[TestClient]:
    parts = {Database: stage.database, SystemClock: stage.clock, Incidenting: stage.incidenting}
    options = {"templates": wiring.TEMPLATES, "static": wiring.STATIC, "nav": wiring.NAV}
    app = small_app(*wiring.ROUTERS, parts=parts, **options)
    with browser(app, "alice", headers={**PAGE, **bearer("read")}) as made:
        yield made


def test_who_was_called_for_its_alerts_stands_with_it(stage: Stage, client: TestClient) -> None:
    one = stage.burst()
    group = stage.group(key="shop")
    assert group is not None
    call_ann(stage, group.id)
    pages = client.get(f"/api/v1/incidents/{one.id}").json()["pages"]
    assert {page["person"]: page["messages"] for page in pages} == {ID["ben"]: 0, ID["ann"]: 1}
    assert {(page["alert_group"], page["why"]) for page in pages} == {(group.id, "named by the policy")}
    text = client.get(f"/incidents/{one.id}").text
    for words in ("Who was called", "waits for an answer", "not reached"):
        assert words in text
