"""Backups of a running server: one at a time, each with its fact, by whoever asks or by the clock."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import structlog

from watchkeeper.app.backup import status
from watchkeeper.app.backup.errors import BackupDamaged, BackupNotFound, BackupRunning, Interrupted, TargetRefused
from watchkeeper.app.backup.events import BackupFailed, BackupMade, BackupRemoved, RestoreDrilled
from watchkeeper.app.backup.locks import Keys, Lock, lock_by_key, lock_by_passphrase, passphrase_in
from watchkeeper.app.backup.make import Made, Maker
from watchkeeper.app.backup.model import Drilled, outdated
from watchkeeper.app.backup.settings import BackupSettings
from watchkeeper.app.backup.targets import Place, place_of
from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Refusal

_log = structlog.get_logger("watchkeeper.backup")
_GRACE_SECONDS = 10
BY_SCHEDULE = "system:backup"


@dataclass(frozen=True)
class Order:
    """What somebody wants made. Without a target or a lock those of the settings are used."""

    backup_id: str
    by: str
    source: str
    target: str | None = None
    lock: Lock | None = None

    @property
    def scheduled(self) -> bool:
        return self.by == BY_SCHEDULE


@dataclass
class Running:
    """What is being done now; `done` counts bytes, written and read back."""

    backup_id: str
    what: Literal["backup", "drill"]
    done: int = 0


class Backups:
    """Makes backups and drills for the API, the console and the schedule. `make` and `drill` block."""

    def __init__(self, db: Database, clock: Clock, settings: BackupSettings, maker: Maker) -> None:
        self.settings = settings
        self._db = db
        self._clock = clock
        self._maker = maker
        self._running: Running | None = None
        self._refusal: tuple[str, str] = ("", "")
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> Running | None:
        return self._running

    def refusal(self, backup_id: str) -> str | None:
        """Why the last backup failed, in full, while this process remembers: the fact names no folder."""
        return self._refusal[1] if self._refusal[0] == backup_id else None

    def reserve(self, backup_id: str, what: Literal["backup", "drill"] = "backup") -> Running:
        """Be the one that runs. Raises BackupRunning."""
        with self._lock:
            if self._running is not None:
                raise BackupRunning(f"A {self._running.what} is running: wait for its end.")
            self._running = Running(backup_id, what)
            return self._running

    def release(self) -> None:
        """Let the next one run."""
        self._running = None

    def start(self, order: Order) -> None:
        """Make the backup that was reserved, in a thread of its own; its fact tells how it ended."""
        self._thread = threading.Thread(target=self._run_unseen, args=(order,), name="backup", daemon=True)
        self._thread.start()

    def start_drill(self, by: str, source: str) -> None:
        """Drill the newest backup of the target, reserved before, in a thread of its own."""
        self._thread = threading.Thread(target=self._drill_unseen, args=(by, source), name="backup-drill", daemon=True)
        self._thread.start()

    def require_target(self, order: Order) -> Place:
        """Where an order goes. Raises TargetRefused."""
        target = order.target or self.settings.target
        if target is None:
            raise TargetRefused("Say where the backup goes: a directory or s3://bucket/prefix, or set backup.target.")
        return place_of(target, self.settings)

    def make(self, order: Order) -> Made:
        """Make the backup that was reserved, and record how it ended. Raises what it was refused with."""
        started = self._clock.monotonic()
        try:
            place, made = self._make_or_tell(order)
            self._record(order, place, made, self._clock.monotonic() - started)
            if self.settings.target is not None and place.mark == place_of(self.settings.target, self.settings).mark:
                self._remove_outdated(order, place)
        finally:
            self.release()
        return made

    def drill(self, by: str, source: str) -> Drilled:
        """Drill the newest backup of the target, which was reserved, and record the result, also where nothing could be
        restored at all."""
        name = "none"
        try:
            place, name = self._newest()
            found = self._drilled(place, name)
        except Refusal as refusal:
            found = Drilled("unknown", name, 0.0, 0, 0, _safe(refusal))
            _log.error("a restore drill failed", reason=refusal.detail)
        finally:
            self.release()
        self.record_drill(found, by=by, source=source)
        return found

    def record_drill(self, found: Drilled, *, by: str, source: str) -> int:
        """Write down how a drill ended, wherever it was held; answers the fact's seq."""
        event = RestoreDrilled(
            backup_id=found.backup_id,
            name=found.name,
            ok=found.ok,
            seconds=found.seconds,
            bytes=found.size,
            journal_seq=found.journal_seq,
            finding=found.finding,
            scheduled=by == BY_SCHEDULE,
        )
        with self._db.begin() as session:
            return journal.append(session, event, by=by, source=source, at=self._clock.now())

    def keys(self) -> Keys:
        """What this server opens its backups with."""
        file = self.settings.passphrase_file
        return Keys(self._maker.key, lambda: passphrase_in(file) if file is not None else None)

    def stop(self) -> None:
        """End what runs, within 10 s; it leaves nothing that looks like a backup."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_GRACE_SECONDS)

    def _make_or_tell(self, order: Order) -> tuple[Place, Made]:
        try:
            place = self.require_target(order)
            return place, self._maker.make(place, order.lock or self._own_lock(), order.backup_id, self._progress)
        except Refusal as refusal:
            self._refusal = (order.backup_id, refusal.detail)
            self._record_failure(order, refusal.code, _safe(refusal))
            raise
        except Exception as error:
            self._record_failure(order, "backup.failed", type(error).__name__)
            raise

    def _newest(self) -> tuple[Place, str]:
        """The last good backup of this Watchkeeper in its target; others may keep theirs there too."""
        if self.settings.target is None:
            raise TargetRefused("There is no target to take a backup from: set backup.target.")
        place = place_of(self.settings.target, self.settings)
        with self._db.read() as session:
            kept = status.kept_backups(session, place.mark)
        if not kept:
            raise BackupNotFound("No good backup was made to the target yet.")
        return place, kept[-1].name

    def _drilled(self, place: Place, name: str) -> Drilled:
        from watchkeeper.app.backup.drill import drill  # here: a start needs none of it

        where = self._maker.where
        return drill(
            name,
            place.open(name),
            self.keys().open,
            self._clock,
            database_url=where.database_url,
            work=where.data,
            progress=self._progress,
        )

    def _own_lock(self) -> Lock:
        if self.settings.passphrase_file is not None:
            return lock_by_passphrase(passphrase_in(self.settings.passphrase_file))
        return lock_by_key(self._maker.key)

    def _progress(self, size: int) -> None:
        if self._stopping.is_set():
            raise Interrupted("The server stops: the backup was not finished.")
        if self._running is not None:
            self._running.done += size

    def _run_unseen(self, order: Order) -> None:
        with _logged("a backup failed", order.backup_id):
            self.make(order)

    def _drill_unseen(self, by: str, source: str) -> None:
        with _logged("a restore drill failed", ""):
            self.drill(by, source)

    def _record(self, order: Order, place: Place, made: Made, seconds: float) -> None:
        about = made.manifest.about
        event = BackupMade(
            backup_id=order.backup_id,
            name=made.name,
            place=place.mark,
            place_kind=place.kind,
            locked_by=made.locked_by,
            scheduled=order.scheduled,
            taken_at=about.taken_at,
            bytes=made.size,
            parts=len(made.manifest.parts),
            missing=about.missing,
            seconds=round(seconds, 1),
            journal_seq=about.journal_seq,
            journal_hash=about.journal_hash,
            schema=about.schema,
        )
        with self._db.begin() as session:
            journal.append(session, event, by=order.by, source=order.source, at=self._clock.now())

    def _record_failure(self, order: Order, code: str, reason: str) -> None:
        event = BackupFailed(backup_id=order.backup_id, code=code, reason=reason, scheduled=order.scheduled)
        with self._db.begin() as session:
            journal.append(session, event, by=order.by, source=order.source, at=self._clock.now())

    def _remove_outdated(self, order: Order, place: Place) -> None:
        """Delete what is older than backups are kept; that one was made and recorded just now is why it may go."""
        with self._db.read() as session:
            kept = status.kept_backups(session, place.mark)
        for one in outdated(kept, self._clock.now(), self.settings.keep):
            place.remove(one.name)
            event = BackupRemoved(backup_id=one.backup_id, name=one.name, place=place.mark)
            with self._db.begin() as session:
                journal.append(session, event, by=BY_SCHEDULE, source=order.source, at=self._clock.now())


def _safe(refusal: Refusal) -> str:
    """Words for the journal: of a damage where it is, of anything else its title, which names no file and nobody."""
    return refusal.detail.rstrip(".") if isinstance(refusal, BackupDamaged) else refusal.title


@contextmanager
def _logged(what: str, backup_id: str) -> Iterator[None]:
    try:
        yield
    except Refusal as refusal:
        # Whoever began it is told, and it is a fact.
        _log.info(what, backup=backup_id, reason=refusal.detail)
    except Exception:  # noqa: BLE001 (an edge: nobody waits for this thread, so the log is where it is seen)
        _log.exception(what, backup=backup_id)
