"""What people may say of a service, and what becomes of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.catalog.support import Stage
from watchkeeper.kernel.journal import describe_fact
from watchkeeper.modules.catalog import public
from watchkeeper.modules.catalog.errors import (
    DescriptionInvalid,
    ServiceExists,
    ServiceIsAlive,
    ServiceIsManaged,
    ServiceNotFound,
)
from watchkeeper.modules.catalog.model import ALIVE_FOR, Description, Link, description_from
from watchkeeper.modules.catalog.service import Catalog, version_of
from watchkeeper.modules.catalog.store import said

EDGE = Description(owner="Team Edge", tier=1)
texts = st.none() | st.text(max_size=20)
descriptions = st.builds(
    Description,
    title=texts,
    description=texts,
    owner=texts,
    tier=st.none() | st.integers(1, 4),
    repository=texts,
    links=st.lists(st.builds(Link, st.text(max_size=5), st.text(max_size=5)), max_size=3).map(tuple),
    dependencies=st.lists(st.text(min_size=1, max_size=5), max_size=3).map(tuple),
    environments=st.lists(st.text(min_size=1, max_size=5), max_size=3).map(tuple),
)


def _declare(catalog: Catalog, about: Description = EDGE) -> None:
    catalog.declare("web", about, by="per_alice", source="api", reason="It starts on Monday")


def _change(catalog: Catalog, about: Description) -> None:
    catalog.change("web", about, by="per_alice", source="console", reason="It moved")


@given(descriptions)
def test_a_description_survives_being_written_down(about: Description) -> None:
    assert description_from(said(about)) == about


@given(descriptions, descriptions)
def test_changes_name_exactly_the_fields_that_differ(one: Description, other: Description) -> None:
    changes = one.changes_to(other)
    assert {**said(one), **{name: new for name, (_, new) in changes.items()}} == said(other)
    assert all(old != new for old, new in changes.values())
    assert (changes == {}) is (one == other)


def test_a_service_can_be_described_before_it_runs(stage: Stage) -> None:
    stage.verb(_declare)
    service = stage.service("web")
    assert service is not None
    assert (service.managed_by, service.about, service.last_seen) == ("people", EDGE, None)
    (fact,) = stage.facts()
    assert fact.data == {
        "service_name": "web",
        "after": {"owner": "Team Edge", "tier": 1},
        "reason": "It starts on Monday",
    }
    assert describe_fact(fact) == "web was added to the catalog."


def test_a_service_that_is_there_can_not_be_added_again(stage: Stage) -> None:
    stage.discover(("web", ""))
    with pytest.raises(ServiceExists):
        stage.verb(_declare)


def test_a_change_tells_each_field_before_and_after(stage: Stage) -> None:
    stage.verb(_declare)
    stage.verb(lambda c: _change(c, Description(owner="Team Web", tier=1, title="Web")))
    fact = stage.facts()[-1]
    assert fact.data["before"] == {"owner": "Team Edge", "title": None}
    assert fact.data["after"] == {"owner": "Team Web", "title": "Web"}
    assert (fact.actor, fact.source, fact.data["reason"]) == ("per_alice", "console", "It moved")
    assert describe_fact(fact) == "The owner and title of web changed."


def test_a_change_that_changes_nothing_is_no_fact(stage: Stage) -> None:
    stage.verb(_declare)
    version = version_of(stage.service("web"))  # type: ignore[arg-type]
    stage.clock.advance(timedelta(minutes=1))
    stage.verb(lambda c: _change(c, EDGE))
    assert stage.kinds() == ["service_declared"]
    assert version_of(stage.service("web")) == version  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "about",
    [
        Description(dependencies=("web",)),
        Description(dependencies=("chat", "chat")),
        Description(environments=("prod", "prod")),
    ],
)
def test_a_description_that_contradicts_itself_is_refused(stage: Stage, about: Description) -> None:
    with pytest.raises(DescriptionInvalid):
        stage.verb(lambda c: _declare(c, about))
    assert stage.services() == []


def test_an_archived_service_is_out_of_sight_and_its_facts_stay(stage: Stage) -> None:
    stage.verb(_declare)
    stage.verb(lambda c: c.archive("web", by="per_alice", source="console", reason="Switched off"))
    assert stage.services() == []
    with pytest.raises(ServiceNotFound):
        stage.verb(lambda c: c.service("web"))
    fact = stage.facts()[-1]
    assert fact.data["before"] == {"owner": "Team Edge", "tier": 1}
    assert stage.kinds() == ["service_declared", "service_archived"]
    stage.verb(_declare)
    assert stage.kinds()[-1] == "service_declared"


def test_a_service_that_sends_telemetry_is_not_archived_until_it_stops(stage: Stage) -> None:
    stage.discover(("web", "production"))
    with pytest.raises(ServiceIsAlive):
        stage.verb(lambda c: c.archive("web", by="per_alice", source="api"))
    stage.clock.advance(ALIVE_FOR)
    stage.verb(lambda c: c.archive("web", by="per_alice", source="api"))
    assert stage.services() == []


def test_a_service_from_files_is_taken_away_in_the_files(stage: Stage) -> None:
    stage.verb(lambda c: c.put("web", EDGE, by="per_alice"))
    with pytest.raises(ServiceIsManaged):
        stage.verb(lambda c: c.archive("web", by="per_alice", source="api"))


def test_what_changes_beside_the_files_is_known_since_when_and_until_it_is_set_back(stage: Stage) -> None:
    stage.verb(lambda c: c.put("web", EDGE, by="per_alice"))
    stage.clock.advance(timedelta(hours=1))
    changed_at = stage.clock.now()
    stage.verb(lambda c: _change(c, Description(owner="Team Web", tier=1)))
    stage.clock.advance(timedelta(hours=1))
    stage.verb(lambda c: _change(c, Description(owner="Team Web", tier=2)))
    service = stage.service("web")
    assert service is not None
    assert (service.managed_by, service.drift, service.differs_since) == ("ops", ("owner", "tier"), changed_at)
    stage.verb(lambda c: _change(c, EDGE))
    service = stage.service("web")
    assert service is not None
    assert (service.drift, service.differs_since) == ((), None)


def test_neighbours_ask_for_services_by_name(stage: Stage) -> None:
    stage.verb(lambda c: _declare(c, Description(dependencies=("chat", "mail"))))
    stage.verb(lambda c: c.declare("old", EDGE, by="per_alice", source="api"))
    stage.verb(lambda c: c.archive("old", by="per_alice", source="api"))
    with stage.database.read() as session:
        assert [one.name for one in public.services(session)] == ["web"]
        assert public.service(session, "web") is not None
        assert public.service(session, "old") is public.service(session, "nobody") is None
        assert public.dependencies(session, "web") == ("chat", "mail")
        assert public.dependencies(session, "nobody") == ()


def test_the_tabs_of_a_service_are_the_same_on_each_of_its_pages() -> None:
    tabs = public.service_tabs("team a/web", "About")
    assert [(label, here) for label, _, here in tabs] == [
        ("Overview", False),
        ("Routes", False),
        ("Traces", False),
        ("Logs", False),
        ("Metrics", False),
        ("Runbook", False),
        ("About", True),
    ]
    assert dict(public.tabs_of("team a/web"))["About"] == "/services/team%20a/web/about"
    assert dict(public.tabs_of("team a/web"))["Logs"] == "/logs?service=team%20a%2Fweb"
