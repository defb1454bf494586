"""Pages of the product's users: how many there are, and single ones for those whose duty it is."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated

from fastapi import Form, Query, Request
from pydantic import Field
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.csv_table import csv_response, csv_text
from watchkeeper.kernel.web.pages import NavItem, render
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.subjects import store
from watchkeeper.modules.subjects.errors import SubjectNotFound, SubjectsInvalid
from watchkeeper.modules.subjects.model import LONGEST_ID, age_of
from watchkeeper.modules.subjects.permissions import ERASE_SUBJECTS, LOOK_UP_SUBJECTS, VIEW_COUNTS, VIEW_SEGMENTS
from watchkeeper.modules.subjects.routes import Counter, Db, Looker, Now
from watchkeeper.modules.subjects.service import Subjects

router = page_router()
NAV = (
    NavItem("Segments", "/segments", "team", order=33, permission=VIEW_SEGMENTS),
    NavItem("Users", "/subjects", "user", order=34, permission=VIEW_COUNTS),
)
_COUNTRIES_SHOWN = 30


class EraseForm(PageForm):
    id: str = Field("", max_length=LONGEST_ID)
    sure: str = Field("", max_length=LONGEST_ID)


@router.get("/subjects")
async def subjects(who: Counter, request: Request, db: Db) -> Response:
    """How many there are by country and status, and a look-up for those who may."""
    counts = await db.ask(store.counts)
    countries = list(counts.by_country.items())
    return render(
        request,
        "subjects/subjects.html",
        counts=counts,
        countries=countries[:_COUNTRIES_SHOWN],
        others=countries[_COUNTRIES_SHOWN:],
        may_look=who.may(LOOK_UP_SUBJECTS),
    )


@router.get("/subjects.csv")
async def subjects_csv(who: Counter, db: Db) -> Response:
    """The counts as CSV."""
    counts = await db.ask(store.counts)
    rows = [("status", name, number) for name, number in counts.by_status.items()]
    rows += [("country", code or "unknown", number) for code, number in counts.by_country.items()]
    return csv_response("subjects.csv", csv_text(["by", "value", "subjects"], rows))


@router.get("/subjects/one")
async def one_subject(
    who: Looker,
    request: Request,
    db: Db,
    clock: Now,
    subject_id: Annotated[str, Query(alias="id", max_length=LONGEST_ID)] = "",
) -> Response:
    """One of the product's users. Who looked is on record."""
    wanted, missing = subject_id.strip(), ""
    subject, listed_in = None, list[str]()
    try:
        subject, listed_in = await db.write(
            lambda session: Subjects(session, clock).look_up(wanted, by=who.id, source="console")
        )
    except SubjectNotFound as refusal:
        missing = refusal.detail
    now = clock.now()
    return render(
        request,
        "subjects/subject.html",
        status=404 if subject is None else 200,
        wanted=wanted,
        subject=subject,
        missing=missing,
        age=age_of(subject.birth_year, now) if subject is not None and subject.birth_year is not None else None,
        listed_in=listed_in,
        may_erase=who.may(ERASE_SUBJECTS),
    )


@router.post("/subjects/erase")
async def erase(
    who: Annotated[Actor, requires(ERASE_SUBJECTS)], form: Annotated[EraseForm, Form()], db: Db, clock: Now
) -> Response:
    """Forget one of the product's users."""
    if form.sure != form.id:
        raise SubjectsInvalid("The id that was typed is another one; nobody was erased.")
    await db.write(lambda session: Subjects(session, clock).erase(form.id, by=who.id, source="console"))
    return RedirectResponse("/subjects", status_code=303)
