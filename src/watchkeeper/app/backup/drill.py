"""The restore drill: a backup is only known to be good once it was restored."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from watchkeeper.app.backup import postgres, source
from watchkeeper.app.backup.errors import BackupDamaged
from watchkeeper.app.backup.format import Blob, Container, KeyOf
from watchkeeper.app.backup.model import Drilled
from watchkeeper.app.backup.restore import Destination, Progress, Restored, restore
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db import engines
from watchkeeper.kernel.db.database import DATABASE_FILE
from watchkeeper.modules.telemetry import store
from watchkeeper.modules.telemetry.model import Dataset

_END_OF_TIME = 2**62
_FOLDER = "wk-drill-"


def drill(
    name: str,
    blob: Blob,
    key_of: KeyOf,
    clock: Clock,
    *,
    database_url: str | None = None,
    work: Path | None = None,
    progress: Progress = lambda _size: None,
) -> Drilled:
    """Restore to a temporary place, verify database, journal and telemetry's files there, and leave nothing.

    `work` is a folder in which nobody else drills. A PostgreSQL backup goes into a temporary database next to the one
    at `database_url`, or into a server of its own. Raises a refusal only for what says nothing about the backup: a
    missing program, a wrong key, no space.
    """
    started = clock.monotonic()
    backup_id, seq, finding = "", 0, None
    try:
        container = Container.open(blob, key_of)
        about = container.manifest.about
        backup_id, seq = about.backup_id, about.journal_seq
        with _temporary(about.engine, database_url, work, clock.now()) as to:
            restored = restore(container, to, clock, drill=True, progress=progress)
            finding = _look_over(restored, to)
    except BackupDamaged as damage:
        finding = damage.detail.rstrip(".")
    return Drilled(backup_id, name, round(clock.monotonic() - started, 1), blob.size, seq, finding)


@contextmanager
def _temporary(engine: str, database_url: str | None, work: Path | None, now: datetime) -> Iterator[Destination]:
    for left in work.glob(f"{_FOLDER}*") if work is not None else []:
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_FOLDER, dir=work))
    try:
        with ExitStack() as stack:
            url = None
            if engine == "postgresql":
                url = stack.enter_context(postgres.temporary_database(database_url, now))
            yield Destination(folder / "data", url)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _look_over(restored: Restored, to: Destination) -> str | None:
    if restored.broken is not None:
        return f"the journal does not verify: {restored.broken}"
    lost = _lost_files(to) - restored.about.missing
    return f"{lost} files of telemetry are listed and not there" if lost > 0 else None


def _lost_files(to: Destination) -> int:
    """Parquet parts that the restored state lists and that are not there or of another size."""
    root = to.data / source.PARTS
    if to.database_url is not None:
        engine = engines.postgresql(to.database_url, 1)
    else:
        engine = engines.sqlite_writer((to.data / DATABASE_FILE).absolute())
    try:
        with Session(engine) as session:
            listed = [part for dataset in Dataset for part in store.live(session, dataset, 0, _END_OF_TIME)]
    finally:
        engine.dispose()
    return sum(1 for part in listed if not _is_whole(root / part.path, part.bytes))


def _is_whole(path: Path, size: int) -> bool:
    return path.exists() and path.stat().st_size == size
