"""How long a backup of a journal of a million rows takes, and bringing it back.

`python -m bench.restore_drill [--rows 1000000] [--postgresql]`: write rows, back up to a directory and verify, drill
(restore to a temporary place, check the database, verify the whole chain), then restore for good.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

from sqlalchemy import text

from bench.support import headline
from tests.support.postgres import PostgresServer
from watchkeeper.app.backup.drill import drill
from watchkeeper.app.backup.format import Container
from watchkeeper.app.backup.locks import Keys, lock_by_passphrase
from watchkeeper.app.backup.make import Maker
from watchkeeper.app.backup.restore import SCRIPTS, Destination, restore
from watchkeeper.app.backup.source import Where
from watchkeeper.app.backup.targets import Directory
from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.db.database import Database, open_database
from watchkeeper.kernel.db.migrations import Migrations
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.journal import Event, Subject
from watchkeeper.kernel.keys import InstallationKey

T = TypeVar("T")
PASSPHRASE = "only for this measurement"
_AT_ONCE = 5_000
_GOAL_SECONDS = 15 * 60


@dataclass(frozen=True, kw_only=True)
class Changed(Event):
    """As large as a usual change of a parameter."""

    kind: ClassVar[str] = "bench.changed"
    parameter: str
    before: str
    after: str
    reason: str

    def subject(self) -> Subject:
        return Subject("parameter", self.parameter)


def main() -> None:
    """Write, back up, drill, restore, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--postgresql", action="store_true", help="on a private PostgreSQL with fsync")
    options = parser.parse_args()
    headline(f"Backup and restore of {options.rows:,} facts on {'PostgreSQL' if options.postgresql else 'SQLite'}")
    home = Path(tempfile.mkdtemp(prefix="wk-bench-"))
    try:
        with _urls(options.postgresql) as (url, empty):
            _measure(home, url, empty, options.rows)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _urls(postgresql: bool) -> Iterator[tuple[str | None, str | None]]:
    if not postgresql:
        yield None, None
        return
    server = PostgresServer(durable=True)
    try:
        server.execute("CREATE DATABASE wk")
        server.execute("CREATE DATABASE restored")
        yield server.url("wk"), server.url("restored")
    finally:
        server.close()


def _measure(home: Path, url: str | None, empty: str | None, rows: int) -> None:
    clock = SystemClock()
    place = Directory(home / "elsewhere")
    place.folder.mkdir()
    db = open_database(url, home / "data")
    (home / "data").mkdir(exist_ok=True)
    Migrations(SCRIPTS).migrate(db.engine)
    _, took = timed(lambda: _write(db, clock, rows))
    print(f"  write the rows          {took:7.1f} s  {rows / took:,.0f} rows/s")
    where = Where(home / "data", url, home / "data/telemetry/parts", home / "data/checkpoints")
    maker = Maker(where, clock, InstallationKey(bytes(32)))
    lock = lock_by_passphrase(PASSPHRASE)
    made, took = timed(lambda: maker.make(place, lock, new_id("bak"), lambda _size: None))
    megabytes = _state_size(db, home) / 1e6
    print(f"  back up and verify      {took:7.1f} s  {megabytes / took:,.0f} MB/s of state")
    keys = Keys(passphrase=lambda: PASSPHRASE)
    found, _ = timed(lambda: drill(made.name, place.open(made.name), keys.open, clock, database_url=url, work=home))
    assert found.ok, found.finding
    facts = f"{found.journal_seq:,} facts verified"
    print(f"  drill                   {found.seconds:7.1f} s  {megabytes / found.seconds:,.0f} MB/s, {facts}")
    container = Container.open(place.open(made.name), keys.open)
    _, took = timed(lambda: restore(container, Destination(home / "restored", empty), clock))
    print(f"  restore                 {took:7.1f} s  {megabytes / took:,.0f} MB/s of state")
    print(f"  state {megabytes:,.0f} MB, stored {made.size / 1e6:,.0f} MB; goal of the drill: {_GOAL_SECONDS} s")
    db.close()


def _write(db: Database, clock: SystemClock, rows: int) -> None:
    for start in range(0, rows, _AT_ONCE):
        with db.begin() as session:
            for number in range(start, min(rows, start + _AT_ONCE)):
                event = Changed(
                    parameter=f"matching.weights.parameter_{number % 152}",
                    before=str(number / 1000),
                    after=str((number + 1) / 1000),
                    reason=f"experiment {number % 977}: the share of answered introductions was below its goal",
                )
                journal.append(session, event, by=f"per_{number % 20:026d}", source="api", at=clock.now())


def _state_size(db: Database, home: Path) -> int:
    if db.dialect == "sqlite":
        return (home / "data/watchkeeper.db").stat().st_size
    with db.read() as session:
        return int(session.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


def timed(action: Callable[[], T]) -> tuple[T, float]:
    """What it answers, and its seconds."""
    started = time.perf_counter()
    found = action()
    return found, time.perf_counter() - started


if __name__ == "__main__":
    main()
