"""Pages of runs: starting one, and one that goes on, on a phone."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Form, Path, Query, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.errors import Conflict, Forbidden, Invalid, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.runbooks import store_runs
from watchkeeper.modules.runbooks.model import How, Runbook, Step
from watchkeeper.modules.runbooks.pages import STATES
from watchkeeper.modules.runbooks.permissions import RUN_RUNBOOKS
from watchkeeper.modules.runbooks.public import Running
from watchkeeper.modules.runbooks.rendering import words_of
from watchkeeper.modules.runbooks.routes import Db, Name, Now, Responder, RunId, StepNumber, TheRunning, Viewer
from watchkeeper.modules.runbooks.running import Runs
from watchkeeper.modules.runbooks.runs import Run, inputs_of
from watchkeeper.modules.runbooks.service import Runbooks

router = page_router()
_INPUT = "input."
_MOST_FIELDS = 200
Verb = Annotated[str, Path(pattern="^(confirm|check|skip|undo)$")]
WORDS = {
    "turn": "its turn has not come",
    "confirmation": "waits for you",
    "second_person": "waits for a second person",
    "check": "waits for somebody to do it",
    "runner": "waits for a runner",
    "": "",
}


class NoteForm(PageForm):
    """A word about a step."""

    note: str = Field("", max_length=500)


@router.get("/runbooks/{name}/start")
async def start_page(
    who: Viewer,
    request: Request,
    name: Name,
    db: Db,
    clock: Now,
    section: Annotated[str, Query(max_length=200)] = "",
    about: Annotated[str, Query(max_length=150)] = "",
) -> Response:
    """What will be done, and what it asks for; who may not run it reads it all the same."""
    return await _start_page(request, who, db, clock, name, section, about)


@router.post("/runbooks/{name}/start")
async def start(who: Responder, request: Request, name: Name, db: Db, clock: Now, running: TheRunning) -> Response:
    """Start it; nothing begins before it is confirmed."""
    async with request.form(max_fields=_MOST_FIELDS) as form:
        said = {key: value for key, value in form.multi_items() if isinstance(value, str)}
        steps = [value for key, value in form.multi_items() if key == "step" and isinstance(value, str)]
    inputs = {key.removeprefix(_INPUT): value for key, value in said.items() if key.startswith(_INPUT)}
    kind, _, about_id = said.get("about", "").partition(":")

    def begin(session: Session) -> Run:
        return running.on(session, clock).start(
            name,
            steps,
            inputs,
            by=who.id,
            source="console",
            about=(kind[:40], about_id[:100]) if about_id else None,
            dry_run="dry_run" in said,
            reason=said.get("reason", ""),
        )

    try:
        run = await db.write(begin)
    except (Conflict, Invalid, Forbidden) as refusal:
        return await _start_page(
            request, who, db, clock, name, said.get("section", ""), said.get("about", ""), refusal=refusal, said=said
        )
    return RedirectResponse(f"/runs/{run.id}", status_code=303)


@router.get("/runs")
async def runs(who: Viewer, request: Request, db: Db) -> Response:
    """Every run, the newest first."""

    def read(session: Session) -> tuple[list[Run], dict[str, str]]:
        found = store_runs.find(session, limit=100)
        return found, identity.names(session, {one.started_by for one in found})

    found, names = await db.ask(read)
    return render(request, "runbooks/runs.html", runs=found, names=names, states=STATES)


@router.get("/runs/{run_id}")
async def run(who: Viewer, request: Request, run_id: RunId, db: Db, clock: Now, running: TheRunning) -> Response:
    """One run: what is asked of you now, and what the steps wrote."""
    return await _run_page(request, who, db, clock, running, run_id)


@router.post("/runs/{run_id}/cancel")
async def cancel(
    who: Responder,
    request: Request,
    run_id: RunId,
    form: Annotated[PageForm, Form()],
    db: Db,
    clock: Now,
    running: TheRunning,
) -> Response:
    """Begin nothing more, and stop what runs."""
    return await _act(
        request, who, db, clock, running, run_id, lambda runs: runs.cancel(run_id, by=who.id, source="console")
    )


@router.post("/runs/{run_id}/steps/{number}/{verb}")
async def act(
    who: Responder,
    request: Request,
    run_id: RunId,
    number: StepNumber,
    verb: Verb,
    form: Annotated[NoteForm, Form()],
    db: Db,
    clock: Now,
    running: TheRunning,
) -> Response:
    """Let a step begin, say that it was done, go on without it, or take it back."""

    def do(runs: Runs) -> Run:
        said: dict[str, Any] = {"by": who.id, "source": "console"}
        if verb == "confirm":
            return runs.confirm(run_id, number, **said)
        if verb == "check":
            return runs.check(run_id, number, note=form.note, **said)
        if verb == "skip":
            return runs.skip(run_id, number, reason=form.note, **said)
        return runs.undo(run_id, number, **said)

    return await _act(request, who, db, clock, running, run_id, do)


async def _act(
    request: Request,
    who: Actor,
    db: Db,
    clock: Now,
    running: Running,
    run_id: str,
    verb: Callable[[Runs], Run],
) -> Response:
    try:
        found = await db.write(lambda session: verb(running.on(session, clock)))
    except (Conflict, Invalid, Forbidden) as refusal:
        return await _run_page(request, who, db, clock, running, run_id, refusal)
    return RedirectResponse(f"/runs/{found.id}", status_code=303)


async def _run_page(
    request: Request, who: Actor, db: Db, clock: Now, running: Running, run_id: str, refusal: Refusal | None = None
) -> Response:
    def read(session: Session) -> dict[str, Any]:
        found = running.on(session, clock).run(run_id)
        people = {found.started_by, *(one.confirmed_by for one in found.steps if one.confirmed_by)}
        people |= {found.cancelled_by} if found.cancelled_by else set()
        return {"run": found, "names": identity.names(session, people), "runners": store_runs.all_runners(session)}

    found = await db.ask(read)
    now = found["run"].current
    return render(
        request,
        "runbooks/run.html",
        status=refusal.status if refusal else 200,
        **found,
        refusal=refusal,
        states=STATES,
        words=WORDS,
        how=How,
        step_words=words_of,
        may_run=who.may(RUN_RUNBOOKS),
        waits_for_me=now is not None and now.waits_for.value in ("confirmation", "second_person", "check"),
        about_href=_about_href(found["run"]),
    )


async def _start_page(
    request: Request,
    who: Actor,
    db: Db,
    clock: Now,
    name: str,
    section: str,
    about: str,
    *,
    refusal: Refusal | None = None,
    said: dict[str, str] | None = None,
) -> Response:
    held = await db.ask(lambda session: Runbooks(session, clock).runbook(name))
    steps = _steps_of(held, section)
    asked = set(inputs_of(held.content, steps))
    return render(
        request,
        "runbooks/start.html",
        status=refusal.status if refusal else 200,
        runbook=held,
        section=next((one for one in held.sections if one.anchor == section), None),
        steps=steps,
        inputs=[one for one in held.content.inputs if one.name in asked],
        said=said or {},
        about=about,
        refusal=refusal,
        may_run=who.may(RUN_RUNBOOKS),
        how=How,
    )


def _steps_of(held: Runbook, section: str) -> list[Step]:
    procedures = held.content.procedures()
    if section in procedures:
        return list(procedures[section])
    return [one for steps in procedures.values() for one in steps]


def _about_href(found: Run) -> str | None:
    if found.about is None:
        return None
    pages = {"alert_group": "/alerts/", "incident": "/incidents/"}
    page = pages.get(found.about[0])
    return f"{page}{quote(found.about[1])}" if page else None
