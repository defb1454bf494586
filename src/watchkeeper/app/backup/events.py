"""Facts about backups. `place` tells targets apart without saying where they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from watchkeeper.kernel.journal import Event, Subject


@dataclass(frozen=True, kw_only=True)
class _AboutBackup(Event):
    backup_id: str

    def subject(self) -> Subject:
        return Subject("backup", self.backup_id)


@dataclass(frozen=True, kw_only=True)
class BackupMade(_AboutBackup):
    """It was written, read back and found whole."""

    kind: ClassVar[str] = "backup.made"
    name: str
    place: str
    place_kind: str
    locked_by: str
    scheduled: bool
    taken_at: str
    bytes: int
    parts: int
    missing: int
    seconds: float
    journal_seq: int
    journal_hash: str
    schema: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The backup {data['name']} was made and verified: facts up to {data['journal_seq']}."


@dataclass(frozen=True, kw_only=True)
class BackupFailed(_AboutBackup):
    kind: ClassVar[str] = "backup.failed"
    code: str
    reason: str
    scheduled: bool

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"A backup failed: {data['reason']}."


@dataclass(frozen=True, kw_only=True)
class BackupRemoved(_AboutBackup):
    """Its time was over, and a newer good one is there."""

    kind: ClassVar[str] = "backup.removed"
    name: str
    place: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"The backup {data['name']} was deleted: it was older than backups are kept."


@dataclass(frozen=True, kw_only=True)
class RestoreDrilled(_AboutBackup):
    """A backup was restored to a temporary place and looked over. `finding` says what was wrong."""

    kind: ClassVar[str] = "backup.drilled"
    name: str
    ok: bool
    seconds: float
    bytes: int
    journal_seq: int
    finding: str | None
    scheduled: bool

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        if data["ok"]:
            return f"The backup {data['name']} was restored to a temporary place in {data['seconds']} s, and verifies."
        return f"The restore drill of {data['name']} failed: {data['finding']}."


@dataclass(frozen=True, kw_only=True)
class BackupRestored(_AboutBackup):
    """What there is now came from a backup: facts of the time after it are not in this journal."""

    kind: ClassVar[str] = "backup.restored"
    taken_at: str
    journal_seq: int

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"Everything was restored from the backup of {data['taken_at']}, which had {data['journal_seq']} facts."
