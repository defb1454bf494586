"""Several writers on one journal, and the same rows inserted plainly: is it one chain, and what does the chain cost?

As a program it is one writing process: it reads `append 1000` or `plain 1000` and answers with the seconds that took.
"""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from watchkeeper.app import migrations
from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.db.database import Database, open_database
from watchkeeper.kernel.db.migrations import Migrations
from watchkeeper.kernel.journal import Event, Subject
from watchkeeper.kernel.journal.tables import journal as journal_table
from watchkeeper.kernel.journal.verifier import canonical_json
from watchkeeper.kernel.journal.verify import verify_chain

How = Literal["append", "plain"]
_SCRIPTS = Path(migrations.__file__).parent
_AT_ONCE = 32

# The same columns and indexes; only its number is given by the database, and nothing links a row to the one before.
_number = Column("seq", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True)
_others = [Column(one.name, one.type, nullable=one.nullable) for one in journal_table.columns if one.name != "seq"]
plain = Table(
    "plain_facts",
    MetaData(),
    _number,
    *_others,
    Index("ix_plain_service_seq", "service", "seq"),
    Index("ix_plain_kind_seq", "kind", "seq"),
    Index("ix_plain_actor_seq", "actor", "seq"),
    Index("ix_plain_at", "at"),
    Index("ix_plain_hash", "hash"),
)


@dataclass(frozen=True, kw_only=True)
class Tuned(Event):
    kind: ClassVar[str] = "durability.tuned"

    name: str
    before: str
    after: str
    reason: str

    def subject(self) -> Subject:
        return Subject("parameter", self.name)

    def service(self) -> str:
        return "duet-gateway"

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{data['name']} was changed from {data['before']} to {data['after']}"


def one_row(session: Session, how: How, number: int) -> None:
    """Write one fact, or the same row without the journal."""
    event = Tuned(name=f"limits.{number % 150}", before="0.25", after="0.75", reason="Measured on Monday at noon.")
    now = SystemClock().now()
    if how == "append":
        journal.append(session, event, by="per_alice", source="api", at=now)
        return
    row = {
        "at": now,
        "actor": "per_alice",
        "source": "api",
        "kind": event.kind,
        "version": event.version,
        "service": event.service(),
        "subject_type": event.subject().type,
        "subject_id": event.subject().id,
        "data": canonical_json(event.data()),
        "trace_id": None,
        "commitments": None,
        "prev_hash": f"{number:064x}",
        "hash": f"{number:064x}",
    }
    session.connection().execute(_PLAIN, row)


_PLAIN = insert(plain)


def prepare(url: str | None, data: Path) -> Database:
    """The schema, and the table of plain rows."""
    db = open_database(url, data)
    Migrations(_SCRIPTS).migrate(db.engine)
    with db.begin() as session:
        plain.create(session.connection())
    return db


@dataclass(frozen=True)
class Cost:
    """Wall seconds for so many rows of each."""

    rows: int
    append_seconds: float
    plain_seconds: float

    @property
    def ratio(self) -> float:
        return self.append_seconds / self.plain_seconds


def replicas_on_postgresql(url: str, *, processes: int, rows_each: int, rounds: int) -> Cost:
    """Processes that write at the same time, each row a transaction; plain rows and facts take turns."""
    seconds: dict[str, float] = {"append": 0.0, "plain": 0.0}
    with ExitStack() as stack:
        writers = [stack.enter_context(_process(url)) for _ in range(processes)]
        for writer in writers:
            _tell(writer, "plain", 20)  # connections are opened before it counts
            _hear(writer)
        for _, how in itertools.product(range(rounds), ("plain", "append")):
            started = time.perf_counter()
            for writer in writers:
                _tell(writer, how, rows_each // rounds)
            for writer in writers:
                _hear(writer)
            seconds[how] += time.perf_counter() - started
    return Cost(processes * (rows_each // rounds) * rounds, seconds["append"], seconds["plain"])


def threads_on_sqlite(db: Database, *, rows: int, rounds: int) -> Cost:
    """One process, many requests at a time, as the API writes; those that wait share a commit."""
    seconds: dict[How, float] = {"append": 0.0, "plain": 0.0}
    hows: tuple[How, ...] = ("plain", "append")
    for _, how in itertools.product(range(rounds), hows):
        started = time.perf_counter()
        asyncio.run(_write_at_once(db, how, rows // rounds))
        seconds[how] += time.perf_counter() - started
    return Cost(rows // rounds * rounds, seconds["append"], seconds["plain"])


async def _write_at_once(db: Database, how: How, count: int) -> None:
    numbers = iter(range(count))

    async def writer() -> None:
        for number in numbers:
            await db.write(lambda session, number=number: one_row(session, how, number))  # type: ignore[misc]

    await asyncio.gather(*(writer() for _ in range(_AT_ONCE)))


def write_in_threads(db: Database, threads: int, rows_each: int) -> None:
    """Facts, each in a transaction of its own."""

    def run() -> None:
        for number in range(rows_each):
            with db.begin() as session:
                one_row(session, "append", number)

    running = [threading.Thread(target=run) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def require_one_chain(db: Database, facts: int) -> None:
    """Raise ChainBroken or AssertionError unless these are so many facts in one line, and a fork is refused."""
    with db.read() as session:
        numbers = select(func.count(), func.max(journal_table.c.seq), func.min(journal_table.c.seq))
        count, last, first = session.execute(numbers).one()
        assert (count, last, first) == (facts, facts, 1), (count, last, first)
        assert verify_chain(session).rows == facts
        newest = dict(session.execute(select(journal_table).where(journal_table.c.seq == facts)).mappings().one())
    try:
        with db.begin() as session:
            session.execute(insert(journal_table).values(newest | {"seq": facts + 1, "hash": "f" * 64}))
    except IntegrityError:
        return
    raise AssertionError("two rows could follow the same one")


@contextmanager
def _process(url: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.durability.replica_appends", url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _tell(process: subprocess.Popen[str], how: str, count: int) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{how} {count}\n")
    process.stdin.flush()


def _hear(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "done", "a writing process ended"


def _serve(url: str) -> None:
    db = open_database(url, Path())
    for line in sys.stdin:
        how, count = line.split()
        for number in range(int(count)):
            with db.begin() as session:
                one_row(session, "append" if how == "append" else "plain", number)
        print("done", flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1])
