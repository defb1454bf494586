"""Pages of the public version: looking at it, sharing it, taking it back."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Form, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Conflict, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.postmortems import store_shares
from watchkeeper.modules.postmortems.permissions import EDIT_POSTMORTEMS, SHARE_POSTMORTEMS
from watchkeeper.modules.postmortems.rendering import html_beside
from watchkeeper.modules.postmortems.routes import Db, Now, PostmortemId, Settings, Viewer
from watchkeeper.modules.postmortems.routes_shares import Links, ShareId, Sharer
from watchkeeper.modules.postmortems.service import Postmortems
from watchkeeper.modules.postmortems.settings import PostmortemSettings
from watchkeeper.modules.postmortems.sharing import Sharing

router = page_router()


class ShareForm(PageForm):
    tag: str = Field("", max_length=64)


@router.get("/postmortems/{postmortem_id}/public")
async def preview(
    who: Viewer, request: Request, postmortem_id: PostmortemId, db: Db, clock: Now, settings: Settings, links: Links
) -> Response:
    """What others would read, and the links that were made."""
    return await _preview_page(request, db, clock, settings, links, who, postmortem_id)


@router.post("/postmortems/{postmortem_id}/shares")
async def share(
    who: Sharer,
    request: Request,
    postmortem_id: PostmortemId,
    form: Annotated[ShareForm, Form()],
    db: Db,
    clock: Now,
    settings: Settings,
    links: Links,
) -> Response:
    """Share what is on the page."""
    try:
        await db.write(
            lambda session: Sharing(session, clock, settings).share(
                postmortem_id, tag=form.tag, by=who.id, source="console"
            )
        )
    except Conflict as refusal:
        return await _preview_page(request, db, clock, settings, links, who, postmortem_id, refusal=refusal)
    return RedirectResponse(f"/postmortems/{quote(postmortem_id)}/public", status_code=303)


@router.post("/postmortems/{postmortem_id}/shares/{share_id}/revoke")
async def revoke(
    who: Sharer,
    postmortem_id: PostmortemId,
    share_id: ShareId,
    form: Annotated[PageForm, Form()],
    db: Db,
    clock: Now,
    settings: Settings,
) -> Response:
    """Have a link open nothing any more."""
    await db.write(
        lambda session: Sharing(session, clock, settings).revoke(postmortem_id, share_id, by=who.id, source="console")
    )
    return RedirectResponse(f"/postmortems/{quote(postmortem_id)}/public", status_code=303)


async def _preview_page(
    request: Request,
    db: Database,
    clock: Clock,
    settings: PostmortemSettings,
    links: Any,
    who: Actor,
    postmortem_id: str,
    *,
    refusal: Refusal | None = None,
) -> Response:
    def read(session: Session) -> dict[str, Any]:
        found = Postmortems(session, clock, settings).get(postmortem_id)
        shares = store_shares.of_postmortem(session, found.id)
        return {
            "one": found,
            "made": Sharing(session, clock, settings).preview(found.id),
            "shares": [(one, links.url_of(one.id)) for one in shares],
            "names": identity.names(session, [one.by for one in shares]),
        }

    found = await db.ask(read)
    html_of = await html_beside([one["text"] for one in found["made"].content["sections"]])
    return render(
        request,
        "postmortems/public.html",
        status=200 if refusal is None else refusal.status,
        refusal=refusal,
        may_share=who.may(SHARE_POSTMORTEMS),
        may_edit=who.may(EDIT_POSTMORTEMS),
        html_of=html_of,
        **found,
    )
