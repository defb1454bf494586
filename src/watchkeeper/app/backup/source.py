"""What is backed up: state as one snapshot, and the files that belong to exactly that snapshot.

The order is what makes it consistent. Checkpoints and the intake log are taken first: a checkpoint must not know facts
that the state lacks, and a segment that is stored meanwhile is recognised by its name. Then the state's snapshot. Then
the Parquet parts that this snapshot lists, which stay on disk for five minutes after they are merged.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

import watchkeeper
from watchkeeper.app.backup.errors import StateUnreadable
from watchkeeper.app.backup.format import About, Part
from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import rfc3339
from watchkeeper.kernel.db import engines
from watchkeeper.kernel.db.database import DATABASE_FILE
from watchkeeper.kernel.journal.verifier import GENESIS
from watchkeeper.kernel.journal.verify import sealed_rows
from watchkeeper.kernel.keys import KEY_BYTES, KEY_FILE
from watchkeeper.modules.telemetry import store
from watchkeeper.modules.telemetry.model import Dataset

SQLITE, DUMP = "state.sqlite.gz", "state.pgdump"
CHECKPOINTS, INTAKE, PARTS = "checkpoints/", "telemetry/intake/", "telemetry/parts/"
STAGING = "backup-staging"
_LINKS = ".backup-"
_BLOCK = 1024 * 1024
_PAGES = 4096
_LEFTOVERS_KEPT = timedelta(days=2)
_END_OF_TIME = 2**62

Between = Callable[[], None]


@dataclass(frozen=True)
class Where:
    """Where this Watchkeeper keeps what is backed up."""

    data: Path
    database_url: str | None
    parts: Path
    checkpoints: Path

    @property
    def intake(self) -> Path:
        return self.data / "telemetry" / "intake"


@dataclass(frozen=True)
class Snapshot:
    """What goes into one backup; good until its `snapshot` block ends."""

    about: About
    parts: tuple[Part, ...]


@contextmanager
def snapshot(
    where: Where, *, backup_id: str, taken_at: datetime, key: bytes | None = None, between: Between = lambda: None
) -> Iterator[Snapshot]:
    """A consistent view of everything while the server goes on. `key` is the installation's, to be included.

    `between` is called often and may raise, to stop. Raises StateUnreadable or ToolMissing.
    """
    staging = where.data / STAGING
    shutil.rmtree(staging, ignore_errors=True)  # what a crash left: one data directory has one server
    staging.mkdir(mode=0o700, parents=True)
    links = where.parts / f"{_LINKS}{backup_id}"
    about = About(backup_id, rfc3339(taken_at), watchkeeper.__version__, "", "", 0, GENESIS)
    parts = [_bytes_part(KEY_FILE, key.hex().encode())] if key is not None and len(key) == KEY_BYTES else []
    try:
        _forget_old_links(where.parts, taken_at)
        parts += _checkpoints(where.checkpoints)
        parts += _intake(where.intake, staging / "intake")
        with _state(where, staging, between) as (session, state, engine):
            schema, seq, own = _head(session)
            about = replace(about, engine=engine, schema=schema, journal_seq=seq, journal_hash=own)
            listed, missing = _telemetry(session, where.parts, links, between)
            yield Snapshot(replace(about, missing=missing), (*parts, state, *listed))
    finally:
        shutil.rmtree(links, ignore_errors=True)
        shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def _state(where: Where, staging: Path, between: Between) -> Iterator[tuple[Session, Part, str]]:
    """A session on the snapshot, the part that holds it, and which engine that is."""
    if where.database_url is not None:
        with _exported(where.database_url) as (session, part):
            yield session, part, "postgresql"
        return
    copy = staging / DATABASE_FILE
    copy_sqlite(where.data / DATABASE_FILE, copy, between)
    engine = engines.sqlite_readers(copy.absolute(), 1)
    try:
        with Session(engine) as session:
            yield session, Part(SQLITE, lambda: packed(read_file(copy))), "sqlite"
    finally:
        engine.dispose()


def copy_sqlite(source: Path, copy: Path, between: Between = lambda: None) -> None:
    """The database as it is at one instant, by a connection that can't write; writers go on. Raises StateUnreadable."""
    address = f"file:{quote(str(source.absolute()))}?mode=ro"
    try:
        with (
            closing(sqlite3.connect(address, uri=True, isolation_level=None)) as reading,
            closing(sqlite3.connect(copy, isolation_level=None)) as writing,
        ):
            reading.execute("PRAGMA busy_timeout=5000")
            # One read transaction around all steps: without it, each write of the server would begin the copy anew.
            reading.execute("BEGIN")
            reading.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
            writing.execute("PRAGMA synchronous=OFF")
            reading.backup(writing, pages=_PAGES, progress=lambda *_: between(), sleep=0)
            writing.execute("PRAGMA journal_mode=DELETE").fetchone()  # one file, readable without a log beside it
    except sqlite3.Error as error:
        raise StateUnreadable(f"The database can't be copied: {error}.") from None


@contextmanager
def _exported(url: str) -> Iterator[tuple[Session, Part]]:
    from watchkeeper.app.backup import postgres  # here: its driver takes a while to load

    engine = engines.postgresql(url, 1)
    try:
        with Session(engine) as session, session.begin():
            session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            # It waits for pg_dump, which reads the same snapshot.
            session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            session.execute(text("SET LOCAL statement_timeout = 0"))
            tools = postgres.Tools.find("pg_dump", least=postgres.server_major(session))
            name = session.execute(text("SELECT pg_export_snapshot()")).scalar_one()
            yield session, Part(DUMP, lambda: postgres.dump(tools, url, name))
    except DBAPIError as error:
        raise StateUnreadable(f"The database can't be read: {type(error).__name__}.") from error
    finally:
        engine.dispose()


def _head(session: Session) -> tuple[str, int, str]:
    seq = journal.head(session)
    newest = next(iter(sealed_rows(session, after=seq - 1)), None) if seq else None
    schema = str(session.execute(text("SELECT version_num FROM alembic_version")).scalar_one())
    return schema, seq, newest["hash"] if newest else GENESIS


def _telemetry(session: Session, root: Path, links: Path, between: Between) -> tuple[list[Part], int]:
    """The files that the snapshot lists, held by links of our own, and how many are gone."""
    found: list[Part] = []
    missing = 0
    for dataset in Dataset:
        for listed in store.live(session, dataset, 0, _END_OF_TIME):
            between()
            held = links / listed.path
            try:
                _hold(root / listed.path, held)
            except FileNotFoundError:
                missing += 1
            else:
                found.append(_file_part(PARTS + listed.path, held))
    return found, missing


def _intake(folder: Path, held: Path) -> list[Part]:
    found = []
    for segment in sorted(folder.glob("*.log")) if folder.is_dir() else []:
        try:
            _hold(segment, held / segment.name)
        except FileNotFoundError:
            continue  # stored meanwhile: the snapshot that follows has its parts
        found.append(_file_part(INTAKE + segment.name, held / segment.name))
    return found


def _checkpoints(folder: Path) -> list[Part]:
    """Read whole: they are small, and grow while we look."""
    found = []
    for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
        if path.is_file():
            content = path.read_bytes()
            whole = content[: content.rfind(b"\n") + 1] if path.suffix == ".ndjson" else content
            found.append(_bytes_part(CHECKPOINTS + path.relative_to(folder).as_posix(), whole))
    return found


def _hold(source: Path, held: Path) -> None:
    """Keep a file's content, whatever happens to its name: by a link, or a copy where there can be none."""
    held.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.link(source, held)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, held)


def _forget_old_links(root: Path, now: datetime) -> None:
    """What a crash left. Another replica may be making a backup of the same files: only old ones go."""
    for path in root.glob(f"{_LINKS}*"):
        if datetime.fromtimestamp(path.stat().st_mtime, UTC) < now - _LEFTOVERS_KEPT:
            shutil.rmtree(path, ignore_errors=True)


def _bytes_part(name: str, content: bytes) -> Part:
    return Part(name, lambda: [content])


def _file_part(name: str, path: Path) -> Part:
    return Part(name, lambda: read_file(path))


def read_file(path: Path) -> Iterator[bytes]:
    """Its bytes, block by block."""
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            yield block


def packed(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """As gzip, quickly: what is encrypted afterwards can't be made smaller any more."""
    squeeze = zlib.compressobj(1, wbits=31)
    for block in blocks:
        if small := squeeze.compress(block):
            yield small
    yield squeeze.flush()


def unpacked(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """What `packed` was given. Raises StateUnreadable."""
    expand = zlib.decompressobj(wbits=31)
    try:
        for block in blocks:
            rest = block
            while rest:
                yield expand.decompress(rest, _BLOCK)
                rest = expand.unconsumed_tail
        yield expand.flush()
    except zlib.error as error:
        raise StateUnreadable(f"The database in the backup can't be unpacked: {error}.") from None
