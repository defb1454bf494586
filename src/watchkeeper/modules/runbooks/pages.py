"""Pages of runbooks: the list with what is wrong, and one of them to read at night."""

# Annotations are kept as objects for FastAPI.
import asyncio
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Form, Path, Query, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.errors import Conflict, Forbidden, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import NavItem, render
from watchkeeper.kernel.web.parts import part
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.runbooks import store, store_runs
from watchkeeper.modules.runbooks.lint import Problem
from watchkeeper.modules.runbooks.model import Content, How, Runbook, Step, search
from watchkeeper.modules.runbooks.permissions import APPROVE_RUNBOOKS, RUN_RUNBOOKS, VIEW_RUNBOOKS
from watchkeeper.modules.runbooks.public import Linting, LiveMetrics, for_service
from watchkeeper.modules.runbooks.rendering import html_of
from watchkeeper.modules.runbooks.routes import Approver, Db, Linter, Name, Now, Viewer
from watchkeeper.modules.runbooks.runs import Run
from watchkeeper.modules.runbooks.service import Runbooks

router = page_router()
NAV = (NavItem("Runbooks", "/runbooks", "code", order=18, permission=VIEW_RUNBOOKS, key="b"),)
Live = Annotated[LiveMetrics, part(LiveMetrics)]
ServiceName = Annotated[str, Path(min_length=1, max_length=300)]
_SHOWN_RUNS = 10
_ROLLBACK = "rollback"
STATES = {
    "waiting": "warning",
    "running": "info",
    "succeeded": "ok",
    "failed": "danger",
    "timed_out": "danger",
    "unknown": "danger",
    "skipped": "muted",
    "cancelled": "muted",
}


@dataclass(frozen=True)
class Row:
    """A runbook in the list."""

    runbook: Runbook
    problems: list[Problem]
    overdue: bool

    @property
    def rank(self) -> tuple[bool, str]:
        """What needs somebody comes first."""
        return not (self.problems or self.overdue), self.runbook.name


class ApproveForm(PageForm):
    """Sign off what was read."""

    revision: str = Field(pattern="^[0-9a-f]{64}$")


@router.get("/runbooks")
async def runbooks(
    who: Viewer,
    request: Request,
    db: Db,
    clock: Now,
    linter: Linter,
    q: Annotated[str, Query(max_length=200)] = "",
    service: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Every runbook, those that need somebody first; or the sections that a search finds."""
    today = clock.now().date()

    def read(session: Session) -> tuple[list[Row], list[Run], dict[str, str]]:
        found = store.all_runbooks(session, service=service or None)
        problems = linter.of_all(session, found, today)
        rows = sorted((Row(one, problems[one.name], is_overdue(one, today)) for one in found), key=lambda row: row.rank)
        running = store_runs.find(session, open_only=True, limit=_SHOWN_RUNS)
        return rows, running, identity.names(session, {one.started_by for one in running})

    rows, running, names = await db.ask(read)
    return render(
        request,
        "runbooks/list.html",
        rows=rows,
        hits=search([row.runbook.content for row in rows], q) if q.strip() else None,
        q=q,
        service=service,
        running=running,
        names=names,
        states=STATES,
    )


@router.get("/services/{service:path}/runbook")
async def of_service(
    who: Viewer, request: Request, service: ServiceName, db: Db, clock: Now, linter: Linter, live: Live
) -> Response:
    """The runbook of a service, or how it gets one."""
    found = await db.ask(lambda session: for_service(session, service))
    if found is None:
        tabs = catalog.service_tabs(service, "Runbook")
        return render(request, "runbooks/none.html", service=service, tabs=tabs)
    return await _page(request, who, db, clock, linter, live, found.name, service=service)


@router.get("/runbooks/{name}")
async def runbook(
    who: Viewer, request: Request, name: Name, db: Db, clock: Now, linter: Linter, live: Live
) -> Response:
    """One runbook with live values, what is wrong with it, and what can be run."""
    return await _page(request, who, db, clock, linter, live, name)


@router.post("/runbooks/{name}/approve")
async def approve(
    who: Approver,
    request: Request,
    name: Name,
    form: Annotated[ApproveForm, Form()],
    db: Db,
    clock: Now,
    linter: Linter,
    live: Live,
) -> Response:
    """Sign the revision off that was on the page."""
    try:
        await db.write(lambda session: Runbooks(session, clock).approve(name, form.revision, by=who, source="console"))
    except (Conflict, Forbidden) as refusal:
        return await _page(request, who, db, clock, linter, live, name, refusal=refusal)
    return RedirectResponse(f"/runbooks/{quote(name)}", status_code=303)


def is_overdue(one: Runbook, today: date) -> bool:
    """Whether somebody should read it whole again."""
    return one.next_review is None or one.next_review < today


async def _page(
    request: Request,
    who: Actor,
    db: Db,
    clock: Now,
    linter: Linting,
    live: LiveMetrics,
    name: str,
    *,
    service: str | None = None,
    refusal: Refusal | None = None,
) -> Response:
    today = clock.now().date()

    def read(session: Session) -> dict[str, Any]:
        held = Runbooks(session, clock).runbook(name)
        runs = store_runs.find(session, runbook=name, limit=_SHOWN_RUNS)
        people = {one.started_by for one in runs} | ({held.approved.by} if held.approved else set())
        return {
            "runbook": held,
            "problems": linter.problems(session, name, today),
            "runs": runs,
            "names": identity.names(session, people),
            "runners": store_runs.all_runners(session),
        }

    found = await db.ask(read)
    content = found["runbook"].content
    # A long text takes a while, in which nobody else should wait.
    html = await asyncio.to_thread(html_of, content)
    return render(
        request,
        "runbooks/runbook.html",
        status=refusal.status if refusal else 200,
        **found,
        refusal=refusal,
        html=html,
        values=await live.values(content.service, content.metrics),
        procedures=_procedures(content),
        overdue=is_overdue(found["runbook"], today),
        states=STATES,
        tabs=catalog.service_tabs(service, "Runbook") if service else None,
        may_run=who.may(RUN_RUNBOOKS),
        may_approve=who.may(APPROVE_RUNBOOKS),
    )


def _procedures(content: Content) -> list[tuple[str, str, tuple[Step, ...]]]:
    """Sections with steps that machines do: title, anchor and steps."""
    found = [
        (next((one.title for one in content.sections if one.anchor == anchor), anchor), anchor, steps)
        for anchor, steps in content.procedures().items()
        if any(one.how is not How.MANUAL for one in steps)
    ]
    # Whoever is in a hurry mostly wants the release before.
    return sorted(found, key=lambda one: one[1] != _ROLLBACK)
