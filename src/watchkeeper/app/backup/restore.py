"""Brings a backup back: into an empty place, whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sqlalchemy import text
from sqlalchemy.orm import Session

from watchkeeper.app import migrations
from watchkeeper.app.backup import postgres, source
from watchkeeper.app.backup.errors import BackupDamaged, OtherEngine, PlaceNotEmpty, StateUnreadable
from watchkeeper.app.backup.events import BackupRestored
from watchkeeper.app.backup.format import About, Container, PartInfo
from watchkeeper.app.backup.targets import sync_folder
from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import DATABASE_FILE, Database, open_database
from watchkeeper.kernel.db.lock import LOCK_FILE, ServerLock
from watchkeeper.kernel.db.migrations import DatabaseTooNew, Migrations
from watchkeeper.kernel.journal.verifier import CheckpointsUnusable, read_checkpoints
from watchkeeper.kernel.journal.verify import ChainBroken, Verified, verify_chain
from watchkeeper.kernel.keys import KEY_FILE, InstallationKey

SCRIPTS = Path(migrations.__file__).parent
_STAGING = ".restoring"
_FOLDERS = (source.CHECKPOINTS, source.INTAKE, source.PARTS)
_FILES = (KEY_FILE, source.SQLITE, source.DUMP)

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Destination:
    """Where a backup is brought: a data directory, and a PostgreSQL database where it is of one.

    `parts` is where telemetry's files go when that is not inside the data directory.
    """

    data: Path
    database_url: str | None = None
    parts: Path | None = None


@dataclass(frozen=True)
class Restored:
    """What came back. `broken` says why the journal does not verify, if it does not: then it did not before, either."""

    about: About
    parts: int
    size: int
    verified: Verified | None
    broken: str | None
    key_file: Path | None


def restore(
    container: Container,
    to: Destination,
    clock: Clock,
    *,
    key: InstallationKey | None = None,
    drill: bool = False,
    progress: Progress = lambda _size: None,
) -> Restored:
    """Bring everything back. Raises a refusal, and then the place is as empty as it was.

    Nothing is put in its place, and no database is touched, before every part was read and found right. `key` goes
    beside a SQLite database whose backup does not hold it. A drill leaves no fact in what it restored.
    """
    about = container.manifest.about
    _require_fit(about, to)
    _require_empty(to)
    with ServerLock(to.data), _staged(to.data) as staging, ExitStack() as landings:
        parts = landings.enter_context(_staged(to.parts)) if to.parts is not None else None
        for number, part in enumerate(container.manifest.parts):
            _write(_place(part, staging, parts), _content(container, number, part), progress)
        _furnish(staging, about, key)
        verified, broken = _load(staging, to, about, clock, drill=drill)
        if parts is not None and to.parts is not None:
            _settle(parts, to.parts)
        _settle(staging, to.data)
    size = sum(part.size for part in container.manifest.parts)
    key_file = to.data / KEY_FILE if (to.data / KEY_FILE).exists() else None
    return Restored(about, len(container.manifest.parts), size, verified, broken, key_file)


def _require_fit(about: About, to: Destination) -> None:
    if about.engine == "postgresql" and to.database_url is None:
        raise OtherEngine("This is a backup of a PostgreSQL database: name an empty one with --database-url.")
    if about.engine == "sqlite" and to.database_url is not None:
        raise OtherEngine("This is a backup of a SQLite database: restore it without --database-url.")
    known = {path.stem.split("_", 1)[1] for path in (SCRIPTS / "versions").glob("*_[0-9]*.py")}
    if about.schema not in known:
        raise DatabaseTooNew(
            f"The backup was made by Watchkeeper {about.watchkeeper} and has the schema {about.schema}, which this "
            "version does not know: restore it with that version."
        )


def _require_empty(to: Destination) -> None:
    for folder in (to.data, to.parts):
        # A staging folder is what an interrupted restore left; a lock file that nobody holds is nothing.
        found = [path.name for path in folder.iterdir()] if folder is not None and folder.exists() else []
        if set(found) - {_STAGING, LOCK_FILE}:
            raise PlaceNotEmpty(f"{folder} is not empty: name another directory, or move away what is there.")
    if to.database_url is not None and not postgres.is_empty(to.database_url):
        raise PlaceNotEmpty("The database is not empty: make a new one and name that.")


@contextmanager
def _staged(final: Path) -> Iterator[Path]:
    """A folder inside the final one: on the same file system even where that is a mount of its own."""
    staging = final / _STAGING
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(mode=0o700, parents=True)
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _place(part: PartInfo, staging: Path, parts: Path | None) -> Path:
    """Where a part is written. The name is ours, but nothing in a file may say where to write outside."""
    path = PurePosixPath(part.name)
    known = part.name in _FILES or part.name.startswith(_FOLDERS)
    if not known or path.is_absolute() or ".." in path.parts:
        raise BackupDamaged(f"part {part.name}", "nothing of this name is restored")
    if parts is not None and part.name.startswith(source.PARTS):
        return parts / part.name.removeprefix(source.PARTS)
    return staging / (DATABASE_FILE if part.name == source.SQLITE else part.name)


def _content(container: Container, number: int, part: PartInfo) -> Iterator[bytes]:
    blocks = container.read(number)
    return source.unpacked(blocks) if part.name == source.SQLITE else blocks


def _write(path: Path, blocks: Iterable[bytes], progress: Progress) -> None:
    _make_private(path.parent)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            for block in blocks:
                file.write(block)
                progress(len(block))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise StateUnreadable(f"{path.name} can't be written: {reason}. Nothing was restored.") from None


def _make_private(folder: Path) -> None:
    """`mkdir(parents=True)` would leave those in between to the umask."""
    if not folder.exists():
        _make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def _furnish(staging: Path, about: About, key: InstallationKey | None) -> None:
    """Without its key a SQLite installation would make a new one at its start, which does not fit the database."""
    file = staging / KEY_FILE
    if key is not None and about.engine == "sqlite" and not file.exists():
        _write(file, [key.secret.hex().encode()], lambda _size: None)


def _load(
    staging: Path, to: Destination, about: About, clock: Clock, *, drill: bool
) -> tuple[Verified | None, str | None]:
    """State in a database of this version's schema, looked over; and, unless it is a drill, the fact that it was."""
    dump = staging / source.DUMP
    if to.database_url is not None:
        postgres.load(dump, to.database_url)
        dump.unlink()
    db = open_database(to.database_url, staging)
    try:
        _require_integrity(db)
        Migrations(SCRIPTS).migrate(db.engine)
        verified, broken = _verify(db, about, staging)
        if not drill:
            with db.begin() as session:
                fact = BackupRestored(backup_id=about.backup_id, taken_at=about.taken_at, journal_seq=about.journal_seq)
                journal.append(session, fact, by="local:restore", source="cli", at=clock.now())
    finally:
        db.close()
    return verified, broken


def _require_integrity(db: Database) -> None:
    if db.dialect == "sqlite":
        with db.read() as session:
            found = session.execute(text("PRAGMA integrity_check(1)")).scalar()
        if found != "ok":
            raise StateUnreadable(f"The database in the backup is not whole: {found}.")


def _verify(db: Database, about: About, staging: Path) -> tuple[Verified | None, str | None]:
    try:
        with db.read() as session:
            _wait_as_long_as_it_takes(session)
            folder = staging / source.CHECKPOINTS.rstrip("/")
            found = verify_chain(session, read_checkpoints(folder) if folder.is_dir() else [])
    except (ChainBroken, CheckpointsUnusable) as error:
        return None, str(error)
    if (found.rows, found.hash) != (about.journal_seq, about.journal_hash):
        return None, f"its head is {found.rows}, and the backup was made at {about.journal_seq}"
    return found, None


def _wait_as_long_as_it_takes(session: Session) -> None:
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET LOCAL statement_timeout = 0"))


def _settle(staging: Path, final: Path) -> None:
    """Move what is complete to where it belongs, the database last: without it the place is nobody's."""
    for folder in (path for path in staging.rglob("*") if path.is_dir()):
        sync_folder(folder)
    for path in sorted(staging.iterdir(), key=lambda path: path.name.startswith(DATABASE_FILE)):
        path.rename(final / path.name)
    sync_folder(final)
