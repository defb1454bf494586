"""Makes one backup: snapshot, write, read back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from watchkeeper.app.backup import source
from watchkeeper.app.backup.errors import KeyInsideOnly, TargetRefused
from watchkeeper.app.backup.format import Container, Manifest, Sealing
from watchkeeper.app.backup.locks import INSTALLATION, PASSPHRASE, Lock
from watchkeeper.app.backup.source import Where
from watchkeeper.app.backup.targets import Directory, Place, name_of
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.keys import InstallationKey


@dataclass(frozen=True)
class Made:
    """A backup that is whole: it was written, read back, and every chunk and part was right."""

    name: str
    size: int
    manifest: Manifest
    locked_by: str


@dataclass(frozen=True)
class Maker:
    """Makes backups of one Watchkeeper. `key_in_database`: its key is nowhere but in the database."""

    where: Where
    clock: Clock
    key: InstallationKey
    key_in_database: bool = False

    def make(self, place: Place, lock: Lock, backup_id: str, progress: Callable[[int], None]) -> Made:
        """Write a backup and verify it; `progress` hears of bytes and may raise, to stop it.

        Raises a refusal, and then nothing in the place looks like a backup.
        """
        self._require_sense(place, lock)
        taken_at = self.clock.now()
        name = name_of(backup_id, taken_at)
        if isinstance(place, Directory):
            place.clean_up(now=taken_at)
        # A passphrase can be kept apart from this machine, so a new one can be furnished from the backup alone.
        with_key = self.key.secret if lock.kind == PASSPHRASE and not self.key_in_database else None
        with source.snapshot(
            self.where, backup_id=backup_id, taken_at=taken_at, key=with_key, between=lambda: progress(0)
        ) as snapshot:
            sealing = Sealing(snapshot.parts, snapshot.about, lock)
            place.write(name, _told(sealing, progress))
        try:
            size = _verified(place, name, lock, sealing.manifest, progress)
        except BaseException:
            place.remove(name)
            raise
        assert sealing.manifest is not None  # noqa: S101 (for mypy: it was written)
        return Made(name, size, sealing.manifest, lock.kind)

    def _require_sense(self, place: Place, lock: Lock) -> None:
        if lock.kind == INSTALLATION and self.key_in_database:
            raise KeyInsideOnly(
                "The installation's key is kept in the database, so it can't lock a backup of it. Set "
                "WATCHKEEPER_BACKUP_PASSPHRASE_FILE, or keep the key in a file (WATCHKEEPER_KEY_FILE)."
            )
        inside = isinstance(place, Directory) and _is_within(place.folder, self.where.data)
        if inside:
            raise TargetRefused("A backup inside the data directory would be lost with it: name another place.")


def _verified(place: Place, name: str, lock: Lock, written: Manifest | None, progress: Callable[[int], None]) -> int:
    """Size of the file, when reading it back finds everything that was written."""
    blob = place.open(name)
    container = Container.open(blob, lambda _public: lock.key)
    if container.manifest != written:
        raise TargetRefused("What was read back is another backup than was written.")
    container.verify(progress)
    return blob.size


def _told(blocks: Sealing, progress: Callable[[int], None]) -> Iterator[bytes]:
    for block in blocks:
        progress(len(block))
        yield block


def _is_within(folder: Path, other: Path) -> bool:
    return folder.resolve().is_relative_to(other.resolve())
