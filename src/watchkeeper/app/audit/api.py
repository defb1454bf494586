"""The API of the record: who did what, its proof, and checkpoints of other Watchkeepers."""

# Annotations are kept as objects for FastAPI.
import asyncio
import functools
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session
from starlette.responses import Response, StreamingResponse

from watchkeeper.app.audit import witness
from watchkeeper.app.audit.events import JournalVerified, RecordExported
from watchkeeper.app.audit.record import Entry, all_entries, entries_as_csv, entries_as_ndjson, read_entries
from watchkeeper.app.audit.sealer import Sealer
from watchkeeper.app.audit.settings import AuditSettings
from watchkeeper.app.audit.status import AuditStatus, audit_status
from watchkeeper.app.timeline.filters import Wanted
from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Conflict
from watchkeeper.kernel.journal import FactFilter, verifier
from watchkeeper.kernel.journal.verifier import ChainBroken, Checkpoint, CheckpointsUnusable, Verified, read_checkpoints
from watchkeeper.kernel.journal.verify import sealed_rows, verify_chain
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.web.access import Actor, Permission, Scope, requires
from watchkeeper.kernel.web.csv_table import csv_response
from watchkeeper.kernel.web.paging import DEFAULT_LIMIT, Cursor, Limit, Page
from watchkeeper.kernel.web.parts import clock_part, database_part, part
from watchkeeper.kernel.web.wire import StrictModel, api_router

VIEW_AUDIT = Permission("audit.view", Scope.ADMIN)
VERIFY_AUDIT = Permission("audit.verify", Scope.ADMIN)
RESTART_CHECKPOINTS = Permission("audit.restart_checkpoints", Scope.ADMIN)
SEND_CHECKPOINTS = Permission("audit.send_checkpoints", Scope.INTAKE)
_PAGE = 5_000
SOURCES = {"person": "console", "local": "cli"}

router = api_router("audit")
Auditor = Annotated[Actor, requires(VIEW_AUDIT)]
Db = Annotated[Database, database_part()]
Now = Annotated[Clock, clock_part()]
TheSealer = Annotated[Sealer, part(Sealer)]
Settings = Annotated[AuditSettings, part(AuditSettings)]
Server = Annotated[ServerSettings, part(ServerSettings)]


class JournalBroken(Conflict):
    code = "audit.journal_broken"
    title = "The journal does not verify"


def _audit_filter(
    wanted: Wanted,
    subject: Annotated[str, Query(max_length=200, description="Id of what the facts are about.")] = "",
    address: Annotated[str, Query(max_length=64, description="Network address that the acts came from.")] = "",
) -> FactFilter:
    return replace(wanted, subjects=(subject,) if subject else (), address=address or None)


AuditWanted = Annotated[FactFilter, Depends(_audit_filter)]


class SinkView(BaseModel):
    """One way by which checkpoints leave this machine."""

    sink: str = Field(description="`email`, `webhook` or `peer`.")
    seq: int | None = Field(description="The newest fact that a delivered checkpoint covers.")
    delivered_at: datetime | None
    failing_since: datetime | None
    error: str | None


class StatusView(BaseModel):
    """How safe the record is now."""

    facts: int
    key: str = Field(description="Id of the key that this server signs checkpoints with.")
    checkpoint_seq: int = Field(description="The newest fact in a checkpoint.")
    checkpoint_at: datetime | None
    exposed: int = Field(description="Facts in no checkpoint yet.")
    outside: bool = Field(description="Whether checkpoints leave this machine's data directory.")
    exposed_outside: int | None = Field(description="Facts in no checkpoint that left; null where none does.")
    mismatch: bool = Field(description="The journal is not the one that was sealed.")
    trouble: str | None = Field(description="Why no checkpoints are made, where none are.")
    sinks: list[SinkView]

    @classmethod
    def of(cls, status: AuditStatus, sealer: Sealer) -> "StatusView":
        state = sealer.state
        return cls(
            facts=status.facts,
            key=state.key,
            checkpoint_seq=status.last_seq,
            checkpoint_at=status.last_at,
            exposed=status.exposed,
            outside=status.outside,
            exposed_outside=status.exposed_outside,
            mismatch=state.mismatch,
            trouble=state.trouble,
            sinks=[SinkView.model_validate(vars(one)) for one in status.sinks],
        )


class VerifiedView(BaseModel):
    """What a verification found."""

    facts: int
    hash: str = Field(description="Of the newest fact.")
    checkpoints: int
    covered: int = Field(description="Facts up to here are covered by a checkpoint.")
    exposed: int


class Restart(StrictModel):
    """Why the journal is to be trusted as it is."""

    reason: str = Field(min_length=10, max_length=1_000)


class Offered(StrictModel):
    """A checkpoint of another Watchkeeper, and the public key that it is signed with."""

    checkpoint: dict[str, Any]
    public_key: str = Field(pattern="^[0-9a-f]{64}$")


class KeptView(BaseModel):
    """What is held of that journal now."""

    journal: str = Field(description="Hash of its first fact.")
    seq: int


@router.get("/audit")
async def record(
    who: Auditor, db: Db, wanted: AuditWanted, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[Entry]:
    """Who did what, newest first, with the address it came from."""
    return await db.ask(lambda session: read_entries(session, wanted, limit, cursor))


@router.get("/audit/status")
async def status(who: Auditor, db: Db, settings: Settings, server: Server, sealer: TheSealer) -> StatusView:
    """How safe the record is now."""
    return await read_status(db, settings, server, sealer)


async def read_status(db: Database, settings: AuditSettings, server: ServerSettings, sealer: Sealer) -> StatusView:
    """For the API and the page."""
    last = sealer.state.last
    found = await db.ask(lambda session: audit_status(session, settings, server.data, last))
    return StatusView.of(found, sealer)


@router.post("/audit/verify")
async def verify(
    who: Annotated[Actor, requires(VERIFY_AUDIT)], db: Db, clock: Now, settings: Settings, server: Server
) -> VerifiedView:
    """Check every fact against the chain and this server's checkpoints; the result is a fact itself."""
    try:
        found = await run_verification(db, clock, settings.folder(server.data), who)
    except ChainBroken as broken:
        raise JournalBroken(f"Fact {broken.seq}: {broken.reason}.") from None
    except CheckpointsUnusable as error:
        raise JournalBroken(f"The checkpoints can't be used: {error}.") from None
    return VerifiedView(
        facts=found.rows, hash=found.hash, checkpoints=found.checkpoints, covered=found.covered, exposed=found.exposed
    )


async def run_verification(db: Database, clock: Clock, folder: Path, who: Actor) -> Verified:
    """Verify and tell the journal. Raises ChainBroken or CheckpointsUnusable."""
    # Checkpoints first: the snapshot that is read afterwards holds all they know.
    checkpoints = await asyncio.to_thread(_checkpoints_in, folder)
    try:
        found = await db.ask(lambda session: verify_chain(session, checkpoints))
    except ChainBroken as broken:
        event = JournalVerified(rows=broken.seq - 1, covered=0, broken_seq=broken.seq, finding=broken.reason)
        await db.write(lambda session: _tell(session, event, who, clock))
        raise
    told = JournalVerified(rows=found.rows, covered=found.covered, broken_seq=None, finding=None)
    await db.write(lambda session: _tell(session, told, who, clock))
    return found


def _checkpoints_in(folder: Path) -> list[Checkpoint]:
    return read_checkpoints(folder) if folder.is_dir() else []


@router.post("/audit/restart-checkpoints", status_code=204)
async def restart_checkpoints(
    who: Annotated[Actor, requires(RESTART_CHECKPOINTS)], order: Restart, db: Db, sealer: TheSealer
) -> None:
    """Trust the journal as it is, after a restore or a repair: earlier checkpoints are set aside."""
    source = SOURCES.get(who.kind, "api")
    await db.write(lambda session: sealer.restart(session, by=who.id, source=source, reason=order.reason))


@router.post("/audit/checkpoints")
async def receive_checkpoint(
    who: Annotated[Actor, requires(SEND_CHECKPOINTS)], offered: Offered, db: Db, clock: Now
) -> KeptView:
    """Keep a checkpoint of another Watchkeeper. One that contradicts an earlier one is told, and answered with 409."""
    kept = await db.write(
        lambda session: witness.receive(session, offered.checkpoint, offered.public_key, by=who.id, at=clock.now())
    )
    if kept.finding is not None:
        raise witness.PastChanged(f"In the journal {kept.journal[:16]}, {kept.finding}.")
    return KeptView(journal=kept.journal, seq=kept.seq)


@router.get("/audit/export", response_class=StreamingResponse)
async def export(who: Auditor, db: Db, clock: Now) -> Response:
    """The sealed journal as NDJSON, every fact, for the verifier that stands alone; without addresses and salts."""
    head = await db.ask(journal.head)
    await db.write(lambda session: _tell(session, RecordExported(form="the sealed journal", rows=head), who, clock))

    async def lines() -> AsyncIterator[bytes]:
        after = 0
        while page := await db.ask(functools.partial(_sealed_page, after=after)):
            yield "".join(verifier.canonical_json(row) + "\n" for row in page).encode()
            after = page[-1]["seq"]

    return StreamingResponse(lines(), media_type="application/x-ndjson", headers={"Cache-Control": "no-store"})


@router.get("/audit/verifier", response_class=Response, responses={200: {"content": {"text/x-python": {}}}})
async def verifier_program(who: Auditor) -> Response:
    """The verifier: one Python file that needs only `cryptography`."""
    text = await asyncio.to_thread(Path(verifier.__file__).read_text, encoding="utf-8")
    return Response(text, media_type="text/x-python")


class CheckpointsView(BaseModel):
    """The checkpoints that this server holds, as files for a folder."""

    files: dict[str, str] = Field(description="Path below the folder, and text.")


@router.get("/audit/checkpoints")
async def checkpoints(who: Auditor, settings: Settings, server: Server) -> CheckpointsView:
    """The checkpoints and public keys beside this server's data, to be kept elsewhere."""
    return CheckpointsView(files=await asyncio.to_thread(_files, settings.folder(server.data)))


@router.get("/audit.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
async def as_csv(who: Auditor, db: Db, clock: Now, wanted: AuditWanted) -> Response:
    """The record as a table, at most 100,000 facts."""
    text, rows = await db.ask(lambda session: _csv(session, wanted))
    await db.write(lambda session: _tell(session, RecordExported(form="CSV", rows=rows), who, clock))
    return csv_response("audit.csv", text)


@router.get("/audit.ndjson", response_class=Response, responses={200: {"content": {"application/x-ndjson": {}}}})
async def as_ndjson(who: Auditor, db: Db, clock: Now, wanted: AuditWanted) -> Response:
    """The record as one JSON object a line, at most 100,000 facts."""
    body = await db.ask(lambda session: entries_as_ndjson(all_entries(session, wanted)))
    rows = body.count(b"\n")
    await db.write(lambda session: _tell(session, RecordExported(form="NDJSON", rows=rows), who, clock))
    headers = {"Content-Disposition": 'attachment; filename="audit.ndjson"', "Cache-Control": "no-store"}
    return Response(body, media_type="application/x-ndjson", headers=headers)


def _csv(session: Session, wanted: FactFilter) -> tuple[str, int]:
    entries = list(all_entries(session, wanted))
    return entries_as_csv(entries), len(entries)


def _sealed_page(session: Session, *, after: int) -> list[dict[str, Any]]:
    page = []
    for row in sealed_rows(session, after=after, until=after + _PAGE):
        row.pop("private")
        page.append(row)
    return page


def _files(folder: Path) -> dict[str, str]:
    found = {}
    for file in [*folder.glob("*.ndjson"), *folder.glob(f"{verifier.KEYS_FOLDER}/*.pub")]:
        found[file.relative_to(folder).as_posix()] = file.read_text(encoding="utf-8")
    return dict(sorted(found.items()))


def _tell(session: Session, event: journal.Event, who: Actor, clock: Clock) -> None:
    journal.append(session, event, by=who.id, source=SOURCES.get(who.kind, "api"), at=clock.now())
