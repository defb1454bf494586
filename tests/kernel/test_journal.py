"""The journal: facts are written with their change, numbered without gaps, kept as they are, and heard."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from tests.conftest import NOON
from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal import Event, Fact, FactFilter, Subject, describe_fact, listeners
from watchkeeper.kernel.journal.listeners import MOST_ATTEMPTS, Dispatcher, Listener
from watchkeeper.kernel.journal.store import FactRefused
from watchkeeper.kernel.journal.tables import journal_parked


@dataclass(frozen=True, kw_only=True)
class KettleBoiled(Event):
    kind: ClassVar[str] = "kitchen.kettle_boiled"

    kettle: str
    degrees: float = 100.0
    room: str | None = None

    def subject(self) -> Subject:
        return Subject("kettle", self.kettle)

    def service(self) -> str | None:
        return self.room

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The kettle {data['kettle']} boiled"


def _boil(session: Session, kettle: str = "ket_1", **fields: Any) -> int:
    event = KettleBoiled(kettle=kettle, **fields)
    return journal.append(session, event, by="per_alice", source="test", at=NOON)


def _all(database: Database, wanted: FactFilter | None = None) -> list[Fact]:
    with database.read() as session:
        return journal.read_facts(session, wanted or FactFilter(), newest_first=False)


def test_a_fact_is_read_back_as_it_was_told(database: Database) -> None:
    with database.begin() as session:
        seq = _boil(session, degrees=99.5, room="kitchen")
    (fact,) = _all(database)
    assert fact == Fact(
        seq=seq,
        at=NOON,
        actor="per_alice",
        source="test",
        kind="kitchen.kettle_boiled",
        version=1,
        service="kitchen",
        subject_type="kettle",
        subject_id="ket_1",
        data={"kettle": "ket_1", "degrees": 99.5, "room": "kitchen"},
        trace_id=None,
    )
    assert describe_fact(fact) == "The kettle ket_1 boiled"


def test_a_change_that_is_rolled_back_leaves_no_fact_and_no_gap(database: Database) -> None:
    with pytest.raises(LookupError), database.begin() as session:
        _boil(session)
        raise LookupError
    with database.begin() as session:
        assert _boil(session) == 1


def test_writers_at_the_same_time_leave_no_gap_and_no_double(database: Database) -> None:
    def write() -> None:
        for _ in range(20):
            with database.begin() as session:
                _boil(session)

    threads = [threading.Thread(target=write) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [fact.seq for fact in _all(database)] == list(range(1, 101))


@pytest.mark.parametrize("statement", ["UPDATE journal SET actor = 'mallory'", "DELETE FROM journal"])
def test_a_fact_can_be_neither_edited_nor_deleted(database: Database, statement: str) -> None:
    with database.begin() as session:
        _boil(session)
    with pytest.raises(DBAPIError, match="append-only"), database.begin() as session:
        session.execute(text(statement))
    assert [fact.actor for fact in _all(database)] == ["per_alice"]


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"degrees": float("nan")}, "not finite JSON"),
        ({"room": "x" * 70_000}, "larger than 64 KB"),
        ({"room": "a\x00b"}, "NUL"),
        ({"degrees": object()}, "not finite JSON"),
    ],
)
def test_data_that_could_not_be_read_back_is_refused_and_the_change_with_it(
    database: Database, fields: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(FactRefused, match=complaint), database.begin() as session:
        _boil(session, **fields)
    assert _all(database) == []


def test_facts_are_found_by_service_kind_actor_time_and_place(database: Database) -> None:
    with database.begin() as session:
        for room in ("kitchen", "office", "kitchen"):
            _boil(session, room=room)
    assert [f.seq for f in _all(database, FactFilter(services=("kitchen",)))] == [1, 3]
    assert [f.seq for f in _all(database, FactFilter(kinds=("kitchen.",), after_seq=1))] == [2, 3]
    assert [f.seq for f in _all(database, FactFilter(kinds=("kitchen.kettle",)))] == []
    assert [f.seq for f in _all(database, FactFilter(kinds=("kit%.",)))] == []
    assert [f.seq for f in _all(database, FactFilter(actors=("per_bob",)))] == []
    assert [f.seq for f in _all(database, FactFilter(until=NOON))] == []
    assert [f.seq for f in _all(database, FactFilter(since=NOON, before_seq=3))] == [1, 2]


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.none(), max_size=4))
def test_a_fact_of_another_version_is_shown_by_its_kind_rather_than_as_an_error(data: dict[str, Any]) -> None:
    fact = Fact(1, NOON, "per_a", "test", "kitchen.kettle_boiled", 9, None, None, None, data, None)
    assert describe_fact(fact)


def test_two_modules_can_not_publish_the_same_kind() -> None:
    with pytest.raises(TypeError, match="published by"):
        type("Impostor", (Event,), {"kind": "kitchen.kettle_boiled"})


def _dispatcher(database: Database, clock: ManualClock, heard: list[int], fails_at: set[int]) -> Dispatcher:
    def handle(session: Session, fact: Fact) -> None:
        if fact.seq in fails_at:
            raise LookupError("the kettle is missing")
        heard.append(fact.seq)

    return Dispatcher(database, clock, [Listener("tea", ("kitchen.",), handle)])


def test_a_listener_hears_each_fact_once_and_in_order(database: Database, clock: ManualClock) -> None:
    heard: list[int] = []
    dispatcher = _dispatcher(database, clock, heard, set())
    with database.begin() as session:
        for _ in range(5):
            _boil(session)
    assert dispatcher.run_once() == 5
    assert dispatcher.run_once() == 0
    assert heard == [1, 2, 3, 4, 5]


def test_a_failing_listener_is_tried_again_later_and_keeps_its_order(database: Database, clock: ManualClock) -> None:
    heard: list[int] = []
    fails_at = {2}
    dispatcher = _dispatcher(database, clock, heard, fails_at)
    with database.begin() as session:
        for _ in range(3):
            _boil(session)
    dispatcher.run_once()
    fails_at.clear()
    dispatcher.run_once()
    assert heard == [1]
    clock.advance(timedelta(seconds=2))
    dispatcher.run_once()
    assert heard == [1, 2, 3]


def test_a_fact_that_never_works_is_parked_and_silences_no_other(database: Database, clock: ManualClock) -> None:
    heard: list[int] = []
    dispatcher = _dispatcher(database, clock, heard, {1})
    with database.begin() as session:
        _boil(session)
        _boil(session)
    for _ in range(MOST_ATTEMPTS):
        dispatcher.run_once()
        clock.advance(timedelta(minutes=5))
    dispatcher.run_once()
    assert heard == [2]
    with database.read() as session:
        parked = session.execute(select(journal_parked)).one()
        assert (parked.listener, parked.seq, parked.error) == ("tea", 1, "LookupError")


def test_what_a_listener_did_before_it_failed_is_undone(database: Database, clock: ManualClock) -> None:
    def handle(session: Session, fact: Fact) -> None:
        _boil(session, kettle="second")
        raise LookupError

    with database.begin() as session:
        _boil(session)
    Dispatcher(database, clock, [Listener("tea", ("kitchen.",), handle)]).run_once()
    assert len(_all(database)) == 1


def test_two_replicas_serve_a_listener_without_telling_it_twice(database: Database, clock: ManualClock) -> None:
    heard: list[int] = []
    with database.begin() as session:
        for _ in range(30):
            _boil(session)
    replicas = [_dispatcher(database, clock, heard, set()) for _ in range(3)]
    threads = [threading.Thread(target=replica.run_once) for replica in replicas]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for replica in replicas:
        replica.run_once()
    assert sorted(heard) == list(range(1, 31))


def test_a_listener_that_hears_nothing_of_its_kind_is_not_read_through_again(
    database: Database, clock: ManualClock
) -> None:
    with database.begin() as session:
        for _ in range(3):
            _boil(session)
    silent = Dispatcher(database, clock, [Listener("fire", ("fire.",), lambda _s, _f: None)])
    assert silent.run_once() == 0
    with database.read() as session:
        assert session.execute(select(func.count()).select_from(text("journal_receipts WHERE seq = 3"))).scalar() == 1


def test_a_fact_that_comes_while_a_listener_looks_is_heard_by_its_next_look(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []
    dispatcher = _dispatcher(database, clock, heard, set())
    read = listeners.read_facts

    def slow(*args: Any, **more: Any) -> list[Fact]:
        found = read(*args, **more)
        if not heard and database.engine.dialect.name == "postgresql":  # SQLite lets nobody else write meanwhile
            monkeypatch.setattr(listeners, "read_facts", read)
            with database.begin() as other:
                _boil(other)
        return found

    monkeypatch.setattr(listeners, "read_facts", slow)
    dispatcher.run_once()
    if not heard:
        with database.begin() as session:
            _boil(session)
        dispatcher.run_once()
    assert heard[0] == 1
