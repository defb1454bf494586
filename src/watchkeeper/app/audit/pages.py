"""The record as pages."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated

from fastapi import Form, Query, Request
from pydantic import BaseModel
from starlette.responses import RedirectResponse, Response

from watchkeeper.app.audit import store
from watchkeeper.app.audit.api import (
    RESTART_CHECKPOINTS,
    SOURCES,
    VERIFY_AUDIT,
    VIEW_AUDIT,
    Auditor,
    AuditWanted,
    Db,
    Now,
    Server,
    Settings,
    TheSealer,
    read_status,
    run_verification,
)
from watchkeeper.app.audit.record import read_entries
from watchkeeper.app.timeline.filters import query_of
from watchkeeper.app.timeline.pages import RANGES, choices
from watchkeeper.app.timeline.views import icon_of
from watchkeeper.kernel.journal.verifier import ChainBroken, CheckpointsUnusable
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.pages import NavItem, render
from watchkeeper.kernel.web.paging import Cursor
from watchkeeper.kernel.web.wire import page_router

pages = page_router()
NAV = (NavItem("Audit", "/audit", "key", order=920, permission=VIEW_AUDIT),)
_ON_A_PAGE = 100
_FILTERS = ("service", "kind", "actor", "since", "until", "subject", "address")


class RestartForm(BaseModel):
    reason: str = ""


@pages.get("/audit")
async def audit(who: Auditor, request: Request, db: Db, wanted: AuditWanted, cursor: Cursor = None) -> Response:
    """Who did what, old and new value, reason and address."""
    page, offered = await db.ask(
        lambda session: (read_entries(session, wanted, _ON_A_PAGE, cursor), choices(session, wanted))
    )
    return render(
        request,
        "app/audit.html",
        entries=page.items,
        following=page.next,
        icon_of=icon_of,
        asked={name: request.query_params.get(name, "") for name in _FILTERS},
        query=query_of(request, *_FILTERS),
        ranges=RANGES,
        **offered,
    )


@pages.get("/audit/seal")
async def seal(
    who: Auditor,
    request: Request,
    db: Db,
    settings: Settings,
    server: Server,
    sealer: TheSealer,
    done: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """The proof: how far the journal is sealed, and where checkpoints go."""
    return await _seal(request, db, settings, server, sealer, message=_DONE.get(done))


@pages.post("/audit/seal/verify")
async def verify(
    who: Annotated[Actor, requires(VERIFY_AUDIT)],
    request: Request,
    db: Db,
    clock: Now,
    settings: Settings,
    server: Server,
    sealer: TheSealer,
) -> Response:
    """Verify now and show what was found."""
    try:
        found = await run_verification(db, clock, settings.folder(server.data), who)
    except ChainBroken as broken:
        problem = f"Fact {broken.seq}: {broken.reason}."
        return await _seal(request, db, settings, server, sealer, problem=problem)
    except CheckpointsUnusable as error:
        return await _seal(request, db, settings, server, sealer, problem=f"The checkpoints can't be used: {error}.")
    message = (
        f"{found.rows:,} facts verify. {found.checkpoints:,} checkpoints cover {found.covered:,} of them; "
        f"{found.exposed:,} are newer than the last checkpoint."
    )
    return await _seal(request, db, settings, server, sealer, message=message)


@pages.post("/audit/seal/restart")
async def restart(
    who: Annotated[Actor, requires(RESTART_CHECKPOINTS)],
    request: Request,
    form: Annotated[RestartForm, Form()],
    db: Db,
    settings: Settings,
    server: Server,
    sealer: TheSealer,
) -> Response:
    """Trust the journal as it is, with a reason."""
    reason = form.reason.strip()
    if not 10 <= len(reason) <= 1_000:
        problem = "Say why, in 10 to 1,000 characters: it stays in the record."
        return await _seal(request, db, settings, server, sealer, problem=problem)
    source = SOURCES.get(who.kind, "api")
    await db.write(lambda session: sealer.restart(session, by=who.id, source=source, reason=reason))
    return RedirectResponse("/audit/seal?done=restarted", status_code=303)


_DONE = {"restarted": "Checkpoints begin anew. The reason is in the record."}


async def _seal(
    request: Request,
    db: Db,
    settings: Settings,
    server: Server,
    sealer: TheSealer,
    *,
    message: str | None = None,
    problem: str | None = None,
) -> Response:
    return render(
        request,
        "app/audit_seal.html",
        status=422 if problem else 200,
        seal=await read_status(db, settings, server, sealer),
        others=await db.ask(store.witnesses),
        message=message,
        problem=problem,
        every=settings.checkpoint_seconds,
        rows=settings.checkpoint_rows,
    )
