"""Due work and the journal under kill -9: every row done at least once, no fact without its change, none lost.

`python -m bench.work_kills [--kills 200] [--rows 2000] [--database sqlite|postgresql|both]`

A worker process takes 2,000 due rows one by one. Its act appends the key of the row to a file outside the database and
syncs it, as a page that was sent can't be taken back; its finish changes a probe row and appends a fact. The process is
killed at random and started anew, 200 times. At the end the file, the probe rows, the rows of work and the journal must
agree.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import Column, Integer, MetaData, String, Table, func, insert, select
from sqlalchemy.orm import Session

from watchkeeper.app import migrations
from watchkeeper.kernel import journal, work
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.db.database import Database, open_database
from watchkeeper.kernel.db.lock import ServerLock
from watchkeeper.kernel.db.migrations import Migrations
from watchkeeper.kernel.journal import Event, FactFilter
from watchkeeper.kernel.work import Backoff, Task, Worker
from watchkeeper.kernel.work.tables import work as rows

LEASE = timedelta(seconds=1)
_probe = Table("bench_probe", MetaData(), Column("key", String(40), primary_key=True), Column("times", Integer))


@dataclass(frozen=True, kw_only=True)
class Rung(Event):
    kind: ClassVar[str] = "bench.rung"

    key: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{data['key']} was rung"


@dataclass(frozen=True)
class Ring:
    """Sends a page that can't be taken back, then records it."""

    outside: Path

    def act(self, task: Task) -> None:
        descriptor = os.open(self.outside, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, f"{task.key}\n".encode())
        os.fsync(descriptor)
        os.close(descriptor)

    def finish(self, session: Session, task: Task, result: Any) -> None:  # noqa: ARG002
        session.execute(insert(_probe).values(key=task.key, times=1))
        journal.append(session, Rung(key=task.key), by="system:worker", source="bench", at=SystemClock().now())


def run_worker(url: str | None, data: Path) -> None:
    """What is killed: one worker on the database."""
    with ServerLock(data):
        db = open_database(url, data)
        # One thread: then a kill can interrupt one row at most, which is what the bound on duplicates says.
        worker = Worker(
            db, SystemClock(), {"ring": Ring(data / "outside")}, threads=1, lease=LEASE, backoff=Backoff(timedelta(0))
        )
        while True:
            if worker.run_once() == 0:
                time.sleep(0.01)


def prepare(url: str | None, data: Path, count: int) -> Database:
    """The schema, the probe table and the due rows."""
    db = open_database(url, data)
    Migrations(Path(migrations.__file__).parent).migrate(db.engine)
    with db.begin() as session:
        _probe.create(session.connection())
        due = db.database_now(session)
        for number in range(count):
            work.enqueue(session, kind="ring", key=f"ring-{number}", due_at=due, payload={})
    return db


def kill_at_random(url: str | None, data: Path, kills: int, count: int, seed: int) -> int:
    """Start and kill until the kills are used up, then let it finish; answers the kills that hit a running worker."""
    rnd = random.Random(seed)
    command = [sys.executable, "-m", "bench.work_kills", "--worker", str(data)] + (["--url", url] if url else [])
    done_kills = 0
    for _ in range(kills):
        process = subprocess.Popen(command)
        # The kills are spread over the whole of the work: each waits until its share of the rows is done.
        _wait_for(data / "outside", int(count * done_kills / (kills + 2)), process)
        time.sleep(rnd.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.wait()
        done_kills += 1
    process = subprocess.Popen(command)
    try:
        _wait_until_done(url, data, count)
    finally:
        process.kill()
        process.wait()
    return done_kills


def _wait_for(outside: Path, least: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        if outside.exists() and outside.stat().st_size >= least * 9:
            return
        time.sleep(0.005)
    raise SystemExit("the worker ended by itself")


def _wait_until_done(url: str | None, data: Path, count: int) -> None:
    deadline = time.monotonic() + 300
    reader = _Reader(url, data)
    while reader.done() < count:
        if time.monotonic() > deadline:
            raise SystemExit("the rows were not done within five minutes of the last kill")
        time.sleep(0.2)
    reader.db.close()


class _Reader:
    def __init__(self, url: str | None, data: Path) -> None:
        from watchkeeper.kernel.db import engines

        engine = engines.sqlite_readers(data / "watchkeeper.db", 1) if url is None else engines.postgresql(url, 1)
        self.db = Database(engine, engine, threads=1)

    def done(self) -> int:
        with self.db.read() as session:
            return session.execute(select(func.count()).where(rows.c.state == "done")).scalar_one()


def judge(db: Database, data: Path, count: int, kills: int) -> list[tuple[str, object, bool]]:
    """Each law, what was found, and whether it held."""
    sent = Counter((data / "outside").read_text().split())
    with db.read() as session:
        done = session.execute(select(func.count()).where(rows.c.state == "done")).scalar_one()
        changed = dict(session.execute(select(_probe.c.key, _probe.c.times)).all())  # type: ignore[arg-type]
        facts: list[str] = []
        seqs: list[int] = []
        after = 0
        while page := journal.read_facts(session, FactFilter(after_seq=after), limit=1000, newest_first=False):
            after = page[-1].seq
            seqs += [fact.seq for fact in page]
            facts += [str(fact.data["key"]) for fact in page]
    twice = sum(times - 1 for times in sent.values())
    return [
        ("rows done", f"{done} of {count}", done == count),
        ("rows never sent", count - len(sent), len(sent) == count),
        ("rows sent again", f"{twice} in {kills} kills", twice <= kills),
        ("changes without a fact", len(set(changed) - set(facts)), set(changed) <= set(facts)),
        ("facts without a change", len(set(facts) - set(changed)), set(facts) <= set(changed)),
        ("facts written twice", len(facts) - len(set(facts)), len(facts) == len(set(facts))),
        ("gaps in the journal", len(set(range(1, len(seqs) + 1)) - set(seqs)), seqs == list(range(1, len(seqs) + 1))),
    ]


def run(kind: str, kills: int, count: int, seed: int) -> bool:
    """One database; prints the table and answers whether every law held."""
    from tests.support.postgres import PostgresServer

    server = PostgresServer(durable=True) if kind == "postgresql" else None
    try:
        if server is not None:
            server.execute("CREATE DATABASE bench")
        url = server.url("bench") if server is not None else None
        with tempfile.TemporaryDirectory(prefix="wk-bench-") as folder:
            data = Path(folder)
            started = time.monotonic()
            prepare(url, data, count).close()
            done_kills = kill_at_random(url, data, kills, count, seed)
            db = open_database(url, data)
            found = judge(db, data, count, done_kills)
            db.close()
            print(f"  {kind}: {done_kills} kills over {count} rows in {time.monotonic() - started:.0f} s")
            for law, value, held in found:
                print(f"    {'ok    ' if held else 'BROKEN'}  {law:26} {value}")
            return all(held for _, _, held in found)
    finally:
        if server is not None:
            server.close()


def main() -> None:
    """Run, print, and exit with 1 when a law is broken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        run_worker(options.url, options.worker)
    # Here and not above: the worker is started anew for each kill, and must be quick at it.
    from bench.support import headline

    headline("Due work under kill -9")
    kinds = ["sqlite", "postgresql"] if options.database == "both" else [options.database]
    outcomes = [run(kind, options.kills, options.rows, options.seed) for kind in kinds]
    if not all(outcomes):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
