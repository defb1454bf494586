"""What the journal knows about backups; there is no table beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from watchkeeper.app.backup.events import BackupFailed, BackupMade, BackupRemoved, RestoreDrilled
from watchkeeper.app.backup.model import BackupStatus, Kept
from watchkeeper.app.backup.settings import BackupSettings
from watchkeeper.kernel.clock import parse_rfc3339
from watchkeeper.kernel.journal import Fact, FactFilter, read_facts

_PAGE = 1_000
KINDS = (BackupMade.kind, BackupFailed.kind, RestoreDrilled.kind)


def backup_status(session: Session, settings: BackupSettings, *, place: str | None = None) -> BackupStatus:
    """How safe things are, by what was made, failed and drilled; `place` asks for one target's backups only."""
    made = _newest(session, BackupMade.kind, place=place)
    failed = _newest(session, BackupFailed.kind)
    drilled = _newest(session, RestoreDrilled.kind)
    good_drill = drilled if drilled is None or drilled.data["ok"] else _newest(session, RestoreDrilled.kind, ok=True)
    stands = failed is not None and (made is None or made.seq < failed.seq)
    return BackupStatus(
        last_good_at=parse_rfc3339(made.data["taken_at"]) if made else None,
        last_drill_at=drilled.at if drilled else None,
        last_drill_ok=bool(drilled.data["ok"]) if drilled else None,
        target_configured=settings.target is not None,
        last_failed_at=failed.at if stands and failed else None,
        last_failure=str(failed.data["reason"]) if stands and failed else None,
        last_good_drill_at=good_drill.at if good_drill else None,
        last_drill_seconds=float(drilled.data["seconds"]) if drilled else None,
    )


def kept_backups(session: Session, place: str) -> list[Kept]:
    """Good backups that this Watchkeeper made in a place and has not deleted, oldest first."""
    removed = {fact.data["backup_id"] for fact in _all(session, BackupRemoved.kind)}
    return [
        Kept(fact.data["backup_id"], fact.data["name"], parse_rfc3339(fact.data["taken_at"]))
        for fact in _all(session, BackupMade.kind)
        if fact.data["place"] == place and fact.data["backup_id"] not in removed
    ]


@dataclass(frozen=True)
class Made:
    """A backup as the list shows it, and whether retention has deleted it since."""

    fact: Fact
    removed: bool

    @property
    def taken_at(self) -> datetime:
        return parse_rfc3339(self.fact.data["taken_at"])


def made_backups(session: Session, limit: int, before_seq: int | None = None) -> list[Made]:
    """Backups that were made, newest first."""
    made = read_facts(session, FactFilter(kinds=(BackupMade.kind,), before_seq=before_seq), limit=limit)
    ids = tuple(fact.data["backup_id"] for fact in made)
    gone = read_facts(session, FactFilter(kinds=(BackupRemoved.kind,), subjects=ids), limit=_PAGE) if ids else []
    removed = {fact.data["backup_id"] for fact in gone}
    return [Made(fact, fact.data["backup_id"] in removed) for fact in made]


def outcome(session: Session, backup_id: str) -> Fact | None:
    """How a backup ended."""
    wanted = FactFilter(kinds=(BackupMade.kind, BackupFailed.kind), subjects=(backup_id,))
    return next(iter(read_facts(session, wanted, limit=1)), None)


def _newest(session: Session, kind: str, *, place: str | None = None, ok: bool | None = None) -> Fact | None:
    before: int | None = None
    while page := read_facts(session, FactFilter(kinds=(kind,), before_seq=before), limit=50):
        for fact in page:
            if place in (None, fact.data.get("place")) and ok in (None, fact.data.get("ok")):
                return fact
        before = page[-1].seq
    return None


def _all(session: Session, kind: str) -> list[Fact]:
    found: list[Fact] = []
    while page := read_facts(
        session, FactFilter(kinds=(kind,), after_seq=found[-1].seq if found else None), limit=_PAGE, newest_first=False
    ):
        found += page
    return found
