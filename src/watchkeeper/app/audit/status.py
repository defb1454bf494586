"""How safe the record is now: for the console, for `doctor`, and for whoever verifies it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from watchkeeper.app.audit import store
from watchkeeper.app.audit.settings import AuditSettings
from watchkeeper.app.audit.store import Delivery
from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import parse_rfc3339
from watchkeeper.kernel.journal.verifier import Checkpoint, read_checkpoints


@dataclass(frozen=True)
class AuditStatus:
    """`exposed` facts are in no checkpoint of the folder yet, `exposed_outside` in none that left the machine."""

    facts: int
    last_seq: int
    last_at: datetime | None
    exposed: int
    outside: bool
    exposed_outside: int | None
    sinks: tuple[Delivery, ...]


def audit_status(session: Session, settings: AuditSettings, data: Path, last: Checkpoint | None = None) -> AuditStatus:
    """The state of the record; `last` saves reading the folder. Raises CheckpointsUnusable for a damaged one."""
    folder = settings.folder(data)
    if last is None and folder.is_dir():
        last = max(read_checkpoints(folder), key=lambda one: one.seq, default=None)
    head = journal.head(session)
    sinks = tuple(store.delivery(session, name) for name in settings.sinks())
    elsewhere = settings.checkpoint_directory is not None
    reached = [one.seq for one in sinks if one.seq is not None] + ([last.seq] if elsewhere and last else [])
    outside = elsewhere or bool(sinks)
    return AuditStatus(
        facts=head,
        last_seq=last.seq if last else 0,
        last_at=parse_rfc3339(last.at) if last else None,
        exposed=max(0, head - (last.seq if last else 0)),
        outside=outside,
        exposed_outside=max(0, head - max(reached, default=0)) if outside else None,
        sinks=sinks,
    )
