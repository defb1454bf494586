"""Facts reach their listeners while the server runs, and `/metrics` tells how the database, work and journal do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from sqlalchemy.orm import Session

from tests.support.running import eventually, running_server
from watchkeeper.app.configuration import load_configuration
from watchkeeper.app.gauges import OwnState
from watchkeeper.app.listening import Deliveries
from watchkeeper.app.server import Watchkeeper
from watchkeeper.app.server import listeners as all_listeners
from watchkeeper.kernel import journal, work
from watchkeeper.kernel.clock import ManualClock, SystemClock
from watchkeeper.kernel.db.database import Database, open_database
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.kernel.journal import Event, Fact
from watchkeeper.kernel.journal.listeners import Listener
from watchkeeper.kernel.telemetry import metrics
from watchkeeper.kernel.work import store as work_store


@dataclass(frozen=True, kw_only=True)
class BellRung(Event):
    kind: ClassVar[str] = "listening.bell_rung"

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return "A bell was rung"


def ring(database: Database, times: int = 1) -> None:
    with database.begin() as session:
        for _ in range(times):
            journal.append(session, BellRung(), by="per_alice", source="test", at=SystemClock().now())


def gauge(name: str) -> dict[str, float]:
    """Values of a gauge by their labels."""
    lines = metrics.render()[0].decode().splitlines()
    found = [line.rsplit(" ", 1) for line in lines if line.startswith((f"{name}{{", f"{name} "))]
    return {labels.removeprefix(name): float(value) for labels, value in found}


def test_facts_are_delivered_while_the_server_runs(database: Database) -> None:
    heard: list[int] = []
    listener = Listener("bells", (BellRung.kind,), lambda _session, fact: heard.append(fact.seq))

    async def run() -> None:
        deliveries = Deliveries(database, SystemClock(), (listener,), every_seconds=0.02)
        async with deliveries.running():
            ring(database, 3)
            await asyncio.to_thread(eventually, lambda: len(heard) == 3)

    asyncio.run(run())
    assert heard == [1, 2, 3]


def test_a_listener_that_has_to_wait_holds_up_no_other(database: Database, clock: ManualClock) -> None:
    heard: list[int] = []

    def wait(_session: Session, _fact: Fact) -> None:
        raise Unavailable("The chat is away.")

    waiting = Listener("waits", (BellRung.kind,), wait)
    hearing = Listener("hears", (BellRung.kind,), lambda _session, fact: heard.append(fact.seq))
    deliveries = Deliveries(database, clock, (waiting, hearing))
    ring(database, 2)
    assert deliveries.run_once() == 2
    assert heard == [1, 2]


def test_nobody_listens_twice_under_one_name(tmp_path: Path) -> None:
    with Watchkeeper.open(load_configuration({}, data=tmp_path / "data"), background=False) as watchkeeper:
        named = [listener.name for listener in all_listeners(SystemClock(), watchkeeper.app.state.parts)]
    assert named
    assert len(set(named)) == len(named)


@pytest.fixture
def listeners() -> tuple[Listener, ...]:
    def refuse(_session: Session, _fact: Fact) -> None:
        raise ValueError

    return (Listener("bells", (BellRung.kind,), refuse),)


def test_gauges_tell_how_the_journal_and_due_work_do(
    database: Database, clock: ManualClock, listeners: tuple[Listener, ...]
) -> None:
    ring(database, 2)
    deliveries = Deliveries(database, clock, listeners)
    for _ in range(8):
        deliveries.run_once()
        clock.advance(timedelta(minutes=3))
    ring(database)
    with database.begin() as session:
        due = database.database_now(session) - timedelta(minutes=5)
        work.enqueue(session, kind="bell.oil", key="oil", due_at=due, payload={})
        work.enqueue(session, kind="bell.oil", key="later", due_at=due + timedelta(hours=1), payload={})

    async def look() -> dict[str, dict[str, float]]:
        own = OwnState(database, listeners)
        async with own.running():
            await own.look()
            names = ("journal_head", "journal_parked", "journal_undelivered", "work_due", "work_overdue_seconds")
            return {name: gauge(f"watchkeeper_{name}") for name in (*names, "db_connections_max", "db_reachable")}

    seen = asyncio.run(look())
    assert seen["journal_head"] == {"": 3}
    assert seen["journal_parked"] == {'{listener="bells"}': 1}
    assert seen["journal_undelivered"] == {'{listener="bells"}': 2}
    assert seen["work_due"] == {'{kind="bell.oil"}': 1}
    assert 300 <= seen["work_overdue_seconds"][""] < 330
    assert seen["db_reachable"] == {"": 1}
    pools = {"sqlite": {'{pool="readers"}', '{pool="writer"}'}, "postgresql": {'{pool="main"}', '{pool="listeners"}'}}
    assert set(seen["db_connections_max"]) == pools[database.dialect]
    assert gauge("watchkeeper_journal_head") == {}


def test_a_database_that_is_away_is_told_and_the_last_numbers_stand(tmp_path: Path) -> None:
    async def look(database: Database) -> tuple[float, float]:
        own = OwnState(database, ())
        own.seen = type(own.seen)(head=7)
        await own.look()
        return own.reachable, own.seen.head

    away = open_database("postgresql://nobody@127.0.0.1:1/nothing", tmp_path)
    assert asyncio.run(look(away)) == (False, 7)
    away.close()


def test_recurring_rows_of_replicas_that_are_gone_are_cleaned_up(database: Database) -> None:
    with database.begin() as session:
        now = database.database_now(session)
        for key, age in (("recurring.gone", 8), ("recurring.late", 1), ("once", 8)):
            work.enqueue(session, kind=key, key=key, due_at=now - timedelta(days=age), payload={})
        assert work_store.prune(session, before=now - timedelta(days=7)) == 1
        assert not work_store.exists(session, "recurring.gone")


def test_a_running_server_shows_its_gauges(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server:

        def shown() -> str:
            return httpx.get(f"{server.url}/metrics", trust_env=False).text

        eventually(lambda: "watchkeeper_journal_head" in shown())
        assert 'watchkeeper_db_connections_max{pool="writer"} 1.0' in shown()
        assert 'watchkeeper_journal_parked{listener="none"} 0.0' in shown()
