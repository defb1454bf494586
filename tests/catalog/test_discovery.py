"""Services that show themselves: telemetry names them, the first sight of each is a fact."""

from __future__ import annotations

import threading
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.orm import Session

from tests.catalog.support import Stage
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.journal import FactFilter, read_facts
from watchkeeper.modules.catalog import public
from watchkeeper.modules.catalog.model import SEEN_WITHIN, Description, Seen


class RollBack(Exception):
    pass


def test_the_first_telemetry_of_a_service_puts_it_into_the_catalog(stage: Stage) -> None:
    stage.discover(("duet-gateway", "production"))
    (service,) = stage.services()
    assert (service.name, service.managed_by, service.environments) == ("duet-gateway", "discovery", ("production",))
    assert service.first_seen == service.last_seen == stage.clock.now()
    assert [(fact.kind, fact.service, fact.actor, fact.source) for fact in stage.facts()] == [
        ("catalog.service_discovered", "duet-gateway", "system:telemetry", "telemetry"),
        ("catalog.environment_discovered", "duet-gateway", "system:telemetry", "telemetry"),
    ]


def test_seeing_it_again_only_moves_when_it_was_last_seen(stage: Stage) -> None:
    stage.discover(("duet-gateway", "production"))
    first = stage.clock.now()
    stage.clock.advance(timedelta(minutes=1))
    stage.discover(("duet-gateway", "production"))
    (service,) = stage.services()
    assert (service.first_seen, service.last_seen) == (first, stage.clock.now())
    assert len(stage.facts()) == 2


def test_a_second_environment_is_a_fact_of_its_own(stage: Stage) -> None:
    stage.discover(("duet-gateway", ""))
    stage.discover(("duet-gateway", "staging"), ("duet-gateway", ""))
    assert stage.kinds() == ["service_discovered", "environment_discovered", "environment_discovered"]
    assert stage.services()[0].environments == ("staging",)


def test_telemetry_every_few_seconds_writes_nothing_while_nothing_is_new(stage: Stage) -> None:
    seen = [(f"service-{number}", "production") for number in range(50)]
    stage.discover(*seen)
    stage.clock.advance(SEEN_WITHIN / 2)
    statements: list[str] = []
    with stage.database.begin() as session:
        event.listen(session.get_bind(), "before_cursor_execute", lambda *args: statements.append(args[2].split()[0]))
        public.discover(session, stage.clock, [Seen(*one) for one in seen])
    assert statements.count("SELECT") == 2
    assert {"INSERT", "UPDATE"}.isdisjoint(statements)


def test_names_that_no_address_could_hold_are_left_to_telemetry(stage: Stage) -> None:
    stage.discover(("x" * 201, "production"), ("", "production"), ("fits" * 50, "e" * 300))
    stage.discover(("half\ud800", "production"), ("web", "\udfff"), ("nul\0", ""), ("web", "\0"))
    assert [service.name for service in stage.services()] == ["fits" * 50]


def test_an_archived_service_that_sends_telemetry_is_back_with_all_that_was_said(stage: Stage) -> None:
    stage.verb(lambda c: c.declare("duet-chat", Description(owner="Team Chat"), by="per_alice", source="api"))
    stage.verb(lambda c: c.archive("duet-chat", by="per_alice", source="api"))
    assert stage.services() == []
    stage.discover(("duet-chat", "production"))
    (service,) = stage.services()
    assert service.about.owner == "Team Chat"
    assert stage.kinds()[-2:] == ["service_returned", "environment_discovered"]


def test_replicas_that_discover_at_once_tell_it_once(stage: Stage) -> None:
    ready = threading.Barrier(4)

    def replica() -> None:
        ready.wait()
        for number in range(5):
            stage.discover((f"service-{number}", "production"))

    threads = [threading.Thread(target=replica) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stage.services()) == 5
    assert sorted(stage.kinds()) == ["environment_discovered"] * 5 + ["service_discovered"] * 5


sights = st.lists(
    st.lists(st.tuples(st.sampled_from(["web", "chat", "match"]), st.sampled_from(["", "prod", "test"])), max_size=5),
    max_size=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(sights, st.lists(st.integers(0, 40), min_size=6, max_size=6))
def test_what_is_known_is_what_was_ever_seen_however_often(
    stage: Stage, sights: list[list[tuple[str, str]]], pauses: list[int]
) -> None:
    clock = ManualClock(stage.clock.now())
    try:
        with stage.database.begin() as session:
            for seen, pause in zip(sights, pauses, strict=False):
                clock.advance(timedelta(seconds=pause))
                for _ in range(2):
                    public.discover(session, clock, [Seen(*one) for one in seen])
            ever = {one for seen in sights for one in seen}
            known = {(one.name, where.name) for one in public.services(session) for where in one.seen}
            assert known == ever
            assert _facts(session).count("catalog.environment_discovered") == len(ever)
            assert _facts(session).count("catalog.service_discovered") == len({service for service, _ in ever})
            raise RollBack
    except RollBack:
        pass


def _facts(session: Session) -> list[str]:
    return [fact.kind for fact in read_facts(session, FactFilter(), limit=1000)]
