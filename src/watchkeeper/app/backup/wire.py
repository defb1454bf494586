"""Shapes of the backup API."""

# Annotations are kept as objects for FastAPI.
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from watchkeeper.app.backup.locks import PASSPHRASE, Cost, Lock
from watchkeeper.app.backup.model import BackupStatus
from watchkeeper.app.backup.service import Running
from watchkeeper.app.backup.status import Made
from watchkeeper.kernel.journal import Fact
from watchkeeper.kernel.web.wire import StrictModel

_HEX_16, _HEX_32 = r"^[0-9a-f]{32}$", r"^[0-9a-f]{64}$"


class StretchedPassphrase(StrictModel):
    """A passphrase as the command line stretched it with scrypt: the passphrase itself is not sent."""

    salt: str = Field(pattern=_HEX_16)
    key: str = Field(pattern=_HEX_32, repr=False)

    def lock(self) -> Lock:
        return Lock({"kind": PASSPHRASE, "salt": self.salt, **vars(Cost())}, bytes.fromhex(self.key))


class BackupOrder(StrictModel):
    """A backup to be made. Only the command line on the server's own machine names another target or passphrase."""

    target: str | None = Field(
        None, min_length=1, max_length=1000, description="Full path of a directory, or `s3://bucket/prefix`."
    )
    passphrase: StretchedPassphrase | None = None


class BackupState(BaseModel):
    """How far a backup is, or how it ended."""

    id: str
    state: Literal["running", "made", "failed"]
    done_bytes: int = Field(default=0, description="Written and read back so far.")
    name: str | None = None
    bytes: int | None = None
    journal_seq: int | None = None
    journal_hash: str | None = None
    locked_by: str | None = Field(default=None, description="`passphrase` or `installation`.")
    reason: str | None = Field(default=None, description="Why it failed.")

    @classmethod
    def of_running(cls, running: Running) -> "BackupState":
        return cls(id=running.backup_id, state="running", done_bytes=running.done)

    @classmethod
    def of_fact(cls, fact: Fact, refusal: str | None) -> "BackupState":
        data = fact.data
        if fact.kind == "backup.failed":
            return cls(id=data["backup_id"], state="failed", reason=refusal or data["reason"])
        return cls(
            id=data["backup_id"],
            state="made",
            name=data["name"],
            bytes=data["bytes"],
            journal_seq=data["journal_seq"],
            journal_hash=data["journal_hash"],
            locked_by=data["locked_by"],
        )


class BackupView(BaseModel):
    """A backup that was made and verified."""

    id: str
    name: str
    taken_at: datetime = Field(description="Instant of its snapshot.")
    bytes: int
    seconds: float = Field(description="To make and verify it.")
    journal_seq: int = Field(description="Facts in it.")
    locked_by: str = Field(description="`passphrase` or `installation` (the installation's key).")
    place: str = Field(description="`directory` or `s3`.")
    scheduled: bool
    removed: bool = Field(description="Deleted by retention since.")

    @classmethod
    def of(cls, made: Made) -> "BackupView":
        data = made.fact.data
        return cls(
            id=data["backup_id"],
            name=data["name"],
            taken_at=made.taken_at,
            bytes=data["bytes"],
            seconds=data["seconds"],
            journal_seq=data["journal_seq"],
            locked_by=data["locked_by"],
            place=data["place_kind"],
            scheduled=data["scheduled"],
            removed=made.removed,
        )


class BackupStatusView(BaseModel):
    """How much could be lost now, and whether anybody knows that it can be brought back."""

    target_configured: bool
    last_good_at: datetime | None
    last_failed_at: datetime | None = Field(description="Set only while the last attempt failed.")
    last_failure: str | None
    last_drill_at: datetime | None
    last_drill_ok: bool | None
    last_drill_seconds: float | None
    last_good_drill_at: datetime | None

    @classmethod
    def of(cls, status: BackupStatus) -> "BackupStatusView":
        return cls.model_validate(vars(status))


class DrillResult(StrictModel):
    """A restore drill that was held somewhere, to be recorded."""

    backup_id: str = Field(pattern=r"^(bak_[0-9a-z]{26}|unknown)$")
    name: str = Field(pattern=r"^watchkeeper-[0-9TZ]{16}-[0-9a-z]{8}\.wkbackup$")
    seconds: float = Field(ge=0, le=10_000_000)
    bytes: int = Field(ge=0, le=2**60)
    journal_seq: int = Field(ge=0, le=2**60)
    finding: str | None = Field(
        None, max_length=300, pattern=r"^[\x20-\x7e]+$", description="What was wrong; null where all was well."
    )


class DrillRecorded(BaseModel):
    """The fact that holds it."""

    seq: int
