"""Facts about the record itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from watchkeeper.kernel.journal import Event, Subject


@dataclass(frozen=True, kw_only=True)
class CheckpointKeyAdded(Event):
    """A server signs checkpoints from now on; `public_key` is base64 of 32 bytes."""

    kind: ClassVar[str] = "audit.checkpoint_key_added"
    key: str
    public_key: str

    def subject(self) -> Subject:
        return Subject("checkpoint_key", self.key)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"Checkpoints of the journal are signed with the key {data['key']} from now on."


@dataclass(frozen=True, kw_only=True)
class MismatchFound(Event):
    """The journal is not the one that the last checkpoint was made of."""

    kind: ClassVar[str] = "audit.mismatch_found"
    checkpoint_seq: int
    journal_seq: int

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return (
            f"The journal is not the one that was sealed: a checkpoint knew fact {data['checkpoint_seq']} otherwise, "
            "or an older copy of the database was put in its place."
        )


@dataclass(frozen=True, kw_only=True)
class CheckpointsRestarted(Event):
    """Somebody says that the journal is to be trusted as it is, and why."""

    kind: ClassVar[str] = "audit.checkpoints_restarted"
    reason: str
    checkpoint_seq: int | None

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        after = (
            f", after a checkpoint of fact {data['checkpoint_seq']} that did not fit" if data["checkpoint_seq"] else ""
        )
        return f"Checkpoints of the journal begin anew{after}."


@dataclass(frozen=True, kw_only=True)
class DeliveryStopped(Event):
    kind: ClassVar[str] = "audit.delivery_stopped"
    sink: str
    error: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"Checkpoints no longer reach their {data['sink']}: {data['error']}."


@dataclass(frozen=True, kw_only=True)
class DeliveryResumed(Event):
    kind: ClassVar[str] = "audit.delivery_resumed"
    sink: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"Checkpoints reach their {data['sink']} again."


@dataclass(frozen=True, kw_only=True)
class JournalVerified(Event):
    kind: ClassVar[str] = "audit.journal_verified"
    rows: int
    covered: int
    broken_seq: int | None
    finding: str | None

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        if data["broken_seq"] is not None:
            return f"The journal does not verify: fact {data['broken_seq']}: {data['finding']}."
        return f"The journal verifies: {data['rows']} facts, {data['covered']} covered by checkpoints."


@dataclass(frozen=True, kw_only=True)
class ForeignMismatch(Event):
    """Another Watchkeeper sent a checkpoint that does not follow from those it sent before."""

    kind: ClassVar[str] = "audit.foreign_mismatch"
    journal: str
    seq: int
    finding: str

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"Another Watchkeeper's journal ({data['journal']}) changed its past at fact {data['seq']}."


@dataclass(frozen=True, kw_only=True)
class RecordExported(Event):
    """Who took a copy of the record away."""

    kind: ClassVar[str] = "audit.record_exported"
    form: str
    rows: int

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"{data['rows']} facts were exported as {data['form']}."
