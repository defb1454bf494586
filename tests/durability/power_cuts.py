"""Power cuts on SQLite: the code that writes, recorded, then stopped at any point with whatever the disk then held."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, insert, select, text, update
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from tests.durability.recorded_disk import Disk, Step, recording
from watchkeeper.app import migrations
from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.db import engines
from watchkeeper.kernel.db.database import DATABASE_FILE, Database, open_database
from watchkeeper.kernel.db.migrations import Migrations
from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.journal import Event
from watchkeeper.kernel.journal.verify import ChainBroken, verify_chain

Synchronous = Literal["FULL", "NORMAL"]
_SCRIPTS = Path(migrations.__file__).parent
_TRANSACTIONS = 330  # two or three times through the log of 1,000 pages, so that checkpoints are cut as well
_probe = Table(
    "probe",
    MetaData(),
    Column("number", Integer, primary_key=True),
    Column("times", Integer),
    Column("body", LargeBinary),
)


@dataclass(frozen=True, kw_only=True)
class Written(Event):
    kind: ClassVar[str] = "durability.written"

    number: int

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{data['number']} was written"


@dataclass(frozen=True)
class Workload:
    """What stood on the disk before, and all that was asked of it since."""

    before: Mapping[str, bytes]
    steps: list[Step]


@dataclass(frozen=True)
class Outcome:
    """What one cut left: acknowledged numbers that are gone, and what else is wrong."""

    lost: int
    damage: str | None


def write_and_record(synchronous: Synchronous, seed: int, transactions: int = _TRANSACTIONS) -> Workload:
    """Run transactions of several writers through the real code and record what they did to the disk."""
    folder = Path(tempfile.mkdtemp(prefix="wk-cuts-")).resolve()
    try:
        _prepare(folder)
        before = {DATABASE_FILE: (folder / DATABASE_FILE).read_bytes()}
        with recording(folder) as made, _opened(folder, synchronous) as db:
            asyncio.run(_work(db, made.tell, random.Random(seed), transactions))
            steps = list(made.steps)  # the power goes before anything is closed in good order
        return Workload(before, steps)
    finally:
        shutil.rmtree(folder)


def cuts(workload: Workload, count: int, seed: int) -> Iterator[Outcome]:
    """Cut the power at so many random points and look at what is left each time."""
    chance = random.Random(seed)
    disk = Disk({name: bytearray(content) for name, content in workload.before.items()})
    told: set[int] = set()
    done = 0
    for point in sorted(chance.randrange(len(workload.steps) + 1) for _ in range(count)):
        for step in workload.steps[done:point]:
            disk.take(step)
            if step.kind == "told":
                told.add(step.number)
        done = point
        yield _look(disk.after_cut(chance), told)


def _prepare(folder: Path) -> None:
    db = open_database(None, folder)
    Migrations(_SCRIPTS).migrate(db.engine)
    with db.begin() as session:
        _probe.create(session.connection())
    db.close()


@contextmanager
def _opened(folder: Path, synchronous: Synchronous) -> Iterator[Database]:
    file = folder / DATABASE_FILE
    db = Database(engines.sqlite_writer(file, synchronous=synchronous), engines.sqlite_readers(file, 2))
    try:
        yield db
    finally:
        db.close()


async def _work(db: Database, tell: Any, chance: random.Random, transactions: int) -> None:
    numbers = iter(range(transactions))

    async def writer() -> None:
        for number in numbers:
            body = chance.randbytes(chance.choice((20, 200, 3_000)))
            await db.write(lambda session, number=number, body=body: _write(session, number, body))  # type: ignore[misc]
            tell(number)
            if chance.random() < 0.2:
                await db.ask(journal.head)  # readers, so that checkpoints meet them

    await asyncio.gather(*(writer() for _ in range(3)))


def _write(session: Session, number: int, body: bytes) -> None:
    journal.append(session, Written(number=number), by="system:test", source="test", at=SystemClock().now())
    session.execute(insert(_probe).values(number=number, times=1, body=body))
    session.execute(update(_probe).where(_probe.c.number == number // 2).values(times=_probe.c.times + 1))


def _look(files: Mapping[str, bytes], told: set[int]) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="wk-cut-") as place:
        folder = Path(place)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        try:
            with _opened(folder, "FULL") as db:
                return _judge(db, told)
        except (DatabaseError, Refusal, ChainBroken) as error:
            return Outcome(0, f"{type(error).__name__}: {error}")


def _judge(db: Database, told: set[int]) -> Outcome:
    with db.begin() as session:
        sound = session.execute(text("PRAGMA integrity_check")).scalar()
        rows = set(session.execute(select(_probe.c.number)).scalars())
    with db.read() as session:
        page = journal.read_facts(session, journal.FactFilter(kinds=(Written.kind,)), limit=1_000)
        facts = {fact.data["number"] for fact in page}
        verify_chain(session)
    damage = None if sound == "ok" else str(sound)
    if facts != rows:
        damage = "a change without its fact, or a fact without its change"
    # It has to go on from there, too.
    with db.begin() as session:
        _write(session, 1_000_000, b"")
    with db.read() as session:
        verify_chain(session)
    return Outcome(len(told - facts), damage)
