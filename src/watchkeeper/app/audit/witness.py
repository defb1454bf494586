"""Keeping the checkpoints of another Watchkeeper, and noticing when its journal changes its past."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from watchkeeper.app.audit import store
from watchkeeper.app.audit.events import ForeignMismatch
from watchkeeper.kernel import journal
from watchkeeper.kernel.errors import Conflict, Invalid
from watchkeeper.kernel.journal.verifier import (
    Checkpoint,
    CheckpointsUnusable,
    canonical_json,
    key_id,
    parse_checkpoint,
)


class CheckpointRefused(Invalid):
    code = "audit.checkpoint_refused"
    title = "This is no checkpoint"


class PastChanged(Conflict):
    """It does not follow from the checkpoints that this key sent before."""

    code = "audit.past_changed"
    title = "The journal's past was changed"


@dataclass(frozen=True)
class Kept:
    """What is held of the other journal now; `finding` says why the checkpoint does not follow, where it does not."""

    journal: str
    seq: int
    finding: str | None


def receive(session: Session, offered: object, public_key: str, *, by: str, at: datetime) -> Kept:
    """Check a checkpoint, and keep it when it goes on from the last of its key.

    One that does not is answered with a finding and told as a fact (the caller commits it); what is held stays. Raises
    CheckpointRefused.
    """
    found = _parse(offered, public_key)
    held = store.witness(session, found.first, found.key)
    last = _stored(held) if held else None
    finding = _contradiction(last, found) if last else None
    if finding is None:
        if last is None or found.seq > last.seq:
            line, seq = found.line(), found.seq
            store.keep_witness(session, store.Witnessed(found.first, found.key, public_key, seq, line, at))
    else:
        event = ForeignMismatch(journal=found.first[:16], seq=found.seq, finding=finding)
        journal.append(session, event, by=by, source="api", at=at)
    return Kept(found.first, max(found.seq, last.seq) if last and finding is None else found.seq, finding)


def _parse(offered: object, public_key: str) -> Checkpoint:
    try:
        public = bytes.fromhex(public_key)
        return parse_checkpoint(canonical_json(offered), {key_id(public): public}, "checkpoint")
    except (CheckpointsUnusable, ValueError, TypeError) as error:
        raise CheckpointRefused(f"A checkpoint signed by the key beside it was expected: {error}.") from None


def _stored(held: store.Witnessed) -> Checkpoint:
    fields = json.loads(held.checkpoint)
    fields.pop("version")
    return Checkpoint(**fields)


def _contradiction(last: Checkpoint, found: Checkpoint) -> str | None:
    """Checkpoints of one key follow each other without a gap; one that was lost on its way leaves one."""
    if found.seq == last.seq and found.hash != last.hash:
        return f"fact {found.seq} is another one than it was"
    if found.since < last.seq < found.seq and found.witnessed(last.seq) != last.hash[: len(found.witnessed(last.seq))]:
        return f"fact {last.seq} is another one than it was"
    if found.seq < last.seq and found.at > last.at:
        return f"there were {last.seq} facts, and now there are {found.seq}"
    return None
