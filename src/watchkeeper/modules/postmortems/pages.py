"""Pages of the library: postmortems, action items, themes, where issues go, and what a shared link opens."""

# Annotations are kept as objects for FastAPI.
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Form, Path, Query, Request
from pydantic import AwareDatetime, Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.errors import Invalid, Refusal
from watchkeeper.kernel.web.access import Actor, public
from watchkeeper.kernel.web.csv_table import csv_response, csv_text
from watchkeeper.kernel.web.pages import NavItem, render
from watchkeeper.kernel.web.paging import Cursor, decode_cursor, page_of
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.postmortems import store, store_actions
from watchkeeper.modules.postmortems.actions import Actions
from watchkeeper.modules.postmortems.github import API
from watchkeeper.modules.postmortems.model import ActionItem, ActionState, State
from watchkeeper.modules.postmortems.permissions import (
    EDIT_POSTMORTEMS,
    MANAGE_TRACKER,
    VIEW_POSTMORTEMS,
)
from watchkeeper.modules.postmortems.rendering import html_beside
from watchkeeper.modules.postmortems.routes import (
    Db,
    Editor,
    Now,
    Settings,
    TheGatherer,
    Viewer,
    drafted,
    themes_over_time,
)
from watchkeeper.modules.postmortems.routes_actions import ActionId, TheGitHub, TrackerManager, action_views
from watchkeeper.modules.postmortems.routes_shares import Links
from watchkeeper.modules.postmortems.sharing import Sharing
from watchkeeper.modules.postmortems.store import PostmortemFilter
from watchkeeper.modules.postmortems.store_actions import ActionFilter
from watchkeeper.modules.postmortems.trackers import Trackers

router = page_router()
NAV = (NavItem("Postmortems", "/postmortems", "postmortem", order=36, permission=VIEW_POSTMORTEMS, key="p"),)
_PER_PAGE = 50
_THEMES_SINCE = timedelta(days=366)
_TABS = (
    ("Postmortems", "/postmortems"),
    ("Action items", "/postmortems/actions"),
    ("Themes", "/postmortems/themes"),
    ("Issues", "/postmortems/tracker"),
)


def tabs(current: str) -> list[tuple[str, str, bool]]:
    """The tabs of the library."""
    return [(label, href, href == current) for label, href in _TABS]


@dataclass(frozen=True)
class Asked:
    """What the list is to show, as it stands in the address."""

    q: str
    severity: str
    theme: str
    service: str
    show: str

    def filter(self, now: datetime) -> PostmortemFilter:
        states = {"drafts": (State.DRAFT,), "review": (State.IN_REVIEW,), "library": (State.PUBLISHED,)}
        return PostmortemFilter(
            words=self.q,
            severities=(self.severity,) if self.severity else (),
            theme=self.theme or None,
            service=self.service or None,
            states=states.get(self.show, ()),
            overdue_at=now if self.show == "overdue" else None,
            drills=True if self.show == "drills" else None,
        )

    @property
    def query(self) -> str:
        return urlencode({name: value for name, value in vars(self).items() if value})


def _asked(
    q: Annotated[str, Query(max_length=200)] = "",
    severity: Annotated[str, Query(max_length=10)] = "",
    theme: Annotated[str, Query(max_length=60)] = "",
    service: Annotated[str, Query(max_length=300)] = "",
    show: Annotated[str, Query(max_length=10)] = "",
) -> Asked:
    return Asked(q.strip(), severity, theme, service, show)


class DraftForm(PageForm):
    incident: str = Field("", max_length=100)


class StateForm(PageForm):
    state: ActionState
    back: str = Field("", max_length=40)


class TrackerForm(PageForm):
    repository: str = Field("", max_length=300)
    api_url: str = Field("", max_length=400)
    token: str = Field("", max_length=300)
    forget: str = Field("", max_length=3)


@router.get("/postmortems")
async def library(
    who: Viewer, request: Request, db: Db, clock: Now, asked: Annotated[Asked, Depends(_asked)], cursor: Cursor = None
) -> Response:
    """Postmortems, those that are overdue first, with a search."""
    now = clock.now()
    after = decode_cursor(cursor, tuple[AwareDatetime, str]) if cursor else None

    def read(session: Session) -> dict[str, Any]:
        found = store.listed(session, asked.filter(now), limit=_PER_PAGE + 1, after=after)
        page = page_of(found, _PER_PAGE, lambda one: (one.created_at, one.id))
        return {
            "found": page.items,
            "next": page.next,
            "late": store.overdue(session, now),
            "themes": sorted({theme for theme, _ in store.theme_counts(session, drills=True)}),
            "names": identity.names(session, [one.lead for one in page.items if one.lead]),
        }

    href = f"/postmortems?{asked.query}" if asked.query else "/postmortems"
    context = await db.ask(read)
    return render(
        request,
        "postmortems/library.html",
        asked=asked,
        href=href,
        tab_items=tabs("/postmortems"),
        may_edit=who.may(EDIT_POSTMORTEMS),
        States=State,
        **context,
    )


@router.post("/postmortems/draft")
async def draft(
    who: Editor, form: Annotated[DraftForm, Form()], db: Db, clock: Now, settings: Settings, gatherer: TheGatherer
) -> Response:
    """The button of an incident: its postmortem, made or read again."""

    def make(session: Session) -> str:
        return drafted(session, clock, settings, gatherer, form.incident, by=who.id, source="console").id

    return RedirectResponse(f"/postmortems/{await db.write(make)}", status_code=303)


@router.get("/postmortems/of/{incident}")
async def of_incident(
    who: Viewer, request: Request, incident: Annotated[str, Path(min_length=1, max_length=100)], db: Db
) -> Response:
    """Where the page of an incident leads: to its postmortem, or to the button that drafts it."""
    found = await db.ask(lambda session: store.of_incident(session, incident))
    if found is not None:
        return RedirectResponse(f"/postmortems/{found.id}", status_code=303)
    return render(
        request,
        "postmortems/none.html",
        incident=incident,
        may_edit=who.may(EDIT_POSTMORTEMS),
        tab_items=tabs("/postmortems"),
    )


@router.get("/postmortems/actions")
async def actions(
    who: Viewer,
    request: Request,
    db: Db,
    clock: Now,
    show: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """What is to be done, what is due first in front."""
    wanted = ActionFilter(
        owner=who.id if show == "mine" else None,
        open_only=show != "all",
        due_before=clock.now().date() if show == "overdue" else None,
    )

    def read(session: Session) -> dict[str, Any]:
        found = store_actions.listed(session, wanted)
        return {
            "found": action_views(session, found, clock),
            "names": identity.names(session, [one.owner for one in found if one.owner]),
        }

    context = await db.ask(read)
    return render(
        request,
        "postmortems/actions.html",
        show=show,
        tab_items=tabs("/postmortems/actions"),
        may_edit=who.may(EDIT_POSTMORTEMS),
        States=ActionState,
        **context,
    )


@router.get("/postmortems/actions.csv")
async def actions_csv(who: Viewer, db: Db) -> Response:
    """Every action item as CSV."""

    def read(session: Session) -> str:
        found = store_actions.listed(session, ActionFilter())
        names = identity.names(session, [one.owner for one in found if one.owner])
        header = ["title", "state", "priority", "owner", "due", "severity", "services", "issue", "postmortem"]
        return csv_text(header, (_row(one, names.get(one.owner or "", "")) for one in found))

    return csv_response("action-items.csv", await db.ask(read))


@router.post("/postmortems/actions/{action_id}/state")
async def set_state(
    who: Editor, action_id: ActionId, form: Annotated[StateForm, Form()], db: Db, clock: Now
) -> Response:
    """The button beside an action item."""
    changed = await db.write(
        lambda session: Actions(session, clock).change(action_id, {"state": form.state}, by=who.id, source="console")
    )
    back = "/postmortems/actions" if form.back == "list" else f"/postmortems/{changed.postmortem}#actions"
    return RedirectResponse(back, status_code=303)


@router.post("/postmortems/actions/{action_id}/issue")
async def want_issue(
    who: Editor, action_id: ActionId, form: Annotated[PageForm, Form()], db: Db, clock: Now
) -> Response:
    """Have an issue opened for it."""
    wanted = await db.write(lambda session: Actions(session, clock).want_issue(action_id, by=who.id, source="console"))
    return RedirectResponse(f"/postmortems/{wanted.postmortem}#actions", status_code=303)


@router.get("/postmortems/themes")
async def themes(who: Viewer, request: Request, db: Db, clock: Now) -> Response:
    """What contributes again and again: themes over the last year, by month."""
    now = clock.now()
    found = themes_over_time(await db.ask(lambda session: store.theme_counts(session, now - _THEMES_SINCE)))
    months = [f"{_month_back(now, back):%Y-%m}" for back in range(11, -1, -1)]
    most = max((one.count for one in found), default=1)
    return render(
        request,
        "postmortems/themes.html",
        found=found,
        months=months,
        most=most,
        tab_items=tabs("/postmortems/themes"),
    )


@router.get("/postmortems/tracker")
async def tracker(who: Viewer, request: Request, db: Db) -> Response:
    """Where issues go."""
    return await _tracker_page(request, db, who)


@router.post("/postmortems/tracker")
async def put_tracker(
    who: TrackerManager, request: Request, form: Annotated[TrackerForm, Form()], db: Db, clock: Now, github: TheGitHub
) -> Response:
    """Say where issues go, or that they go nowhere."""

    def put(session: Session) -> None:
        verbs = Trackers(session, clock, github)
        if form.forget:
            verbs.forget(by=who.id, source="console")
        else:
            verbs.put(form.repository, form.api_url or API, form.token or None, by=who.id, source="console")

    try:
        await db.write(put)
    except Invalid as refusal:
        return await _tracker_page(request, db, who, form=form, refusal=refusal)
    return RedirectResponse("/postmortems/tracker", status_code=303)


@router.get("/shared/postmortems/{secret}")
async def shared(
    who: Annotated[Actor | None, public("whoever was given the link reads the public version, and nothing else")],
    request: Request,
    secret: Annotated[str, Path(min_length=1, max_length=120)],
    db: Db,
    clock: Now,
    settings: Settings,
    links: Links,
) -> Response:
    """The public version, as it was when it was shared."""
    one = await db.ask(lambda session: Sharing(session, clock, settings).opened(links.share_of(secret)))
    html_of = await html_beside([section["text"] for section in one.content["sections"]])
    answer = render(request, "postmortems/shared.html", content=one.content, html_of=html_of, shared_at=one.at)
    # The address is the secret: no other site and no search engine is told of it.
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["X-Robots-Tag"] = "noindex, nofollow"
    return answer


async def _tracker_page(
    request: Request, db: Db, who: Actor, *, form: TrackerForm | None = None, refusal: Refusal | None = None
) -> Response:
    held = await db.ask(store_actions.tracker)
    shown = form or TrackerForm.model_construct(
        repository=held.repository if held else "", api_url=held.api_url if held else API, token="", forget=""
    )
    return render(
        request,
        "postmortems/tracker.html",
        status=200 if refusal is None else refusal.status,
        held=held,
        form=shown,
        errors={one.where: one.expected for one in refusal.complaints} if refusal is not None else {},
        may_manage=who.may(MANAGE_TRACKER),
        tab_items=tabs("/postmortems/tracker"),
    )


def _month_back(now: datetime, back: int) -> datetime:
    months = now.year * 12 + now.month - 1 - back
    return now.replace(year=months // 12, month=months % 12 + 1, day=1)


def _row(one: ActionItem, owner: str) -> list[object]:
    return [
        one.title,
        one.state.value,
        one.priority.value,
        owner,
        one.due_on.isoformat() if one.due_on else None,
        one.severity,
        "; ".join(one.services),
        one.issue.url,
        one.postmortem,
    ]
