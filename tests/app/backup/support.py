"""A Watchkeeper with something worth keeping in it, and places to keep it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from tests.conftest import SCRIPTS
from watchkeeper.app.backup import restore as restoring
from watchkeeper.app.backup.format import Container
from watchkeeper.app.backup.locks import Cost, Keys, Lock, lock_by_key, lock_by_passphrase
from watchkeeper.app.backup.make import Made, Maker
from watchkeeper.app.backup.restore import Destination, Restored
from watchkeeper.app.backup.source import Where
from watchkeeper.app.backup.targets import Directory, Place
from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import ManualClock, to_unix_nano
from watchkeeper.kernel.db.database import Database, open_database
from watchkeeper.kernel.db.migrations import Migrations
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.journal import Event
from watchkeeper.kernel.keys import KEY_FILE, InstallationKey
from watchkeeper.modules.telemetry import store
from watchkeeper.modules.telemetry.model import Dataset, Part

KEY = InstallationKey(bytes(range(32)))
PASSPHRASE = "correct horse battery staple"
CHEAP = Cost(n=16)


@dataclass(frozen=True, kw_only=True)
class Kept(Event):
    kind: ClassVar[str] = "attic.kept"
    thing: str


def passphrase_lock(passphrase: str = PASSPHRASE) -> Lock:
    return lock_by_passphrase(passphrase, CHEAP)


def key_lock() -> Lock:
    return lock_by_key(KEY)


def keys(passphrase: str | None = PASSPHRASE, installation: InstallationKey | None = KEY) -> Keys:
    return Keys(installation, lambda: passphrase)


@dataclass
class Attic:
    """State, telemetry and checkpoints on one machine, and a directory for backups on another."""

    home: Path
    clock: ManualClock
    database: Database
    url: str | None = None
    place: Directory = field(init=False)

    def __post_init__(self) -> None:
        self.place = Directory(self.home / "elsewhere")
        self.place.folder.mkdir()
        self.where.parts.mkdir(parents=True)
        self.where.intake.mkdir(parents=True)
        (self.data / KEY_FILE).write_text(KEY.secret.hex())

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def where(self) -> Where:
        data = self.data
        return Where(data, self.url, data / "telemetry" / "parts", data / "checkpoints")

    def maker(self, *, key_in_database: bool = False) -> Maker:
        return Maker(self.where, self.clock, KEY, key_in_database)

    def keep(self, *things: str) -> int:
        """One fact each; answers the newest seq."""
        seq = 0
        for thing in things:
            with self.database.begin() as session:
                seq = journal.append(session, Kept(thing=thing), by="per_alice", source="test", at=self.clock.now())
        return seq

    def things(self, database: Database | None = None) -> list[str]:
        """What facts say that is kept, in order."""
        with (database or self.database).read() as session:
            found = journal.read_facts(session, journal.FactFilter(kinds=(Kept.kind,)), limit=1000, newest_first=False)
        return [fact.data["thing"] for fact in found]

    def store_part(self, name: str, content: bytes) -> Path:
        """A file of telemetry, listed."""
        path = f"spans/2026-03-02/12/{name}.parquet"
        file = self.where.parts / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        now = to_unix_nano(self.clock.now())
        part = Part(name, Dataset.SPANS, 0, now, now, 1, len(content), path, ("web",))
        with self.database.begin() as session:
            store.register(session, [part], segment=name, place="plc_here", at=self.clock.now())
        return file

    def back_up(self, lock: Lock | None = None, place: Place | None = None) -> Made:
        self.clock.advance(timedelta(seconds=1))
        return self.maker().make(place or self.place, lock or key_lock(), new_id("bak"), lambda _size: None)

    def file(self, made: Made) -> Path:
        return self.place.folder / made.name

    def restore(self, made: Made, to: Path | Destination, *, opened_with: Keys | None = None) -> Restored:
        container = Container.open(self.place.open(made.name), (opened_with or keys()).open)
        destination = to if isinstance(to, Destination) else Destination(to)
        return restoring.restore(container, destination, self.clock, key=KEY)


@contextmanager
def attic(home: Path, clock: ManualClock, url: str | None = None) -> Iterator[Attic]:
    """Opened, migrated and empty."""
    database = open_database(url, home / "data")
    (home / "data").mkdir(exist_ok=True)
    if url is None:
        Migrations(SCRIPTS).migrate(database.engine)
    try:
        yield Attic(home, clock, database, url)
    finally:
        database.close()


@contextmanager
def opened(data: Path, url: str | None = None) -> Iterator[Database]:
    """What was restored."""
    database = open_database(url, data)
    try:
        yield database
    finally:
        database.close()


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
