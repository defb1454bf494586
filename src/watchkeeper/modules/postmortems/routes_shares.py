"""The API of public versions."""

# Annotations are kept as objects for FastAPI.
from typing import Annotated

from fastapi import Path
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.parts import part
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.postmortems import store_shares
from watchkeeper.modules.postmortems.permissions import SHARE_POSTMORTEMS
from watchkeeper.modules.postmortems.routes import Db, Now, PostmortemId, Settings, Viewer
from watchkeeper.modules.postmortems.service import Postmortems
from watchkeeper.modules.postmortems.sharing import ShareLinks, Sharing
from watchkeeper.modules.postmortems.store_shares import Share
from watchkeeper.modules.postmortems.wire import PublicView, ShareOrder, ShareView

router = api_router("postmortems")

Sharer = Annotated[Actor, requires(SHARE_POSTMORTEMS)]
Links = Annotated[ShareLinks, part(ShareLinks)]
ShareId = Annotated[str, Path(min_length=1, max_length=40)]


@router.get("/postmortems/{postmortem_id}/public")
async def preview(who: Viewer, postmortem_id: PostmortemId, db: Db, clock: Now, settings: Settings) -> PublicView:
    """What others would read, and how much the rule took out of it."""
    made = await db.ask(lambda session: Sharing(session, clock, settings).preview(postmortem_id))
    return PublicView(content=dict(made.content), removed=dict(made.removed), tag=made.tag)


@router.get("/postmortems/{postmortem_id}/shares")
async def list_shares(
    who: Viewer, postmortem_id: PostmortemId, db: Db, clock: Now, settings: Settings, links: Links
) -> list[ShareView]:
    """Every link that was made, the newest first."""

    def read(session: Session) -> list[Share]:
        Postmortems(session, clock, settings).get(postmortem_id)
        return store_shares.of_postmortem(session, postmortem_id)

    return [share_view(one, links) for one in await db.ask(read)]


@router.post("/postmortems/{postmortem_id}/shares", status_code=201)
async def share(
    who: Sharer, postmortem_id: PostmortemId, order: ShareOrder, db: Db, clock: Now, settings: Settings, links: Links
) -> ShareView:
    """Share what was looked at by a link that nobody can guess."""
    made = await db.write(
        lambda session: Sharing(session, clock, settings).share(postmortem_id, tag=order.tag, by=who.id, source="api")
    )
    return share_view(made, links)


@router.delete("/postmortems/{postmortem_id}/shares/{share_id}", status_code=204)
async def revoke(
    who: Sharer, postmortem_id: PostmortemId, share_id: ShareId, db: Db, clock: Now, settings: Settings
) -> Response:
    """Have a link open nothing any more."""
    await db.write(
        lambda session: Sharing(session, clock, settings).revoke(postmortem_id, share_id, by=who.id, source="api")
    )
    return Response(status_code=204)


def share_view(one: Share, links: ShareLinks) -> ShareView:
    """With its address while it opens something."""
    url = links.url_of(one.id) if one.revoked_at is None else None
    return ShareView(id=one.id, url=url, at=one.at, by=one.by, revoked_at=one.revoked_at)
