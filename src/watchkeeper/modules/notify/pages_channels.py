"""Channels: how messages leave the machine, and how each does."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Mapping
from typing import Annotated

from fastapi import Query, Request
from sqlalchemy.orm import Session
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.errors import Complaint, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import NavItem, render
from watchkeeper.kernel.web.wire import page_router
from watchkeeper.modules.notify import store
from watchkeeper.modules.notify.channels import SPECS
from watchkeeper.modules.notify.errors import ChannelInUse, ChannelInvalid
from watchkeeper.modules.notify.model import ChannelKind
from watchkeeper.modules.notify.permissions import CHANGE_CHANNELS, VIEW
from watchkeeper.modules.notify.routes import Db, NameInPath, ProvenKeeper, TheVerbs, Viewer
from watchkeeper.modules.notify.wire import ChannelView

router = page_router()
PAGE = "/notify/channels"
NAV = (NavItem("Channels", PAGE, "settings", order=92, permission=VIEW),)
_LONGEST = 2_000


@router.get(PAGE)
async def channels_page(
    request: Request, who: Viewer, db: Db, kind: Annotated[str, Query(max_length=20)] = "", edit: str = ""
) -> Response:
    """Every channel; one form adds or changes one."""
    return await _page(request, who, db, kind=kind, edit=edit)


@router.post(PAGE)
async def put_channel(request: Request, who: ProvenKeeper, db: Db, verbs: TheVerbs) -> Response:
    """Add or change one. Secrets that are left empty stay as they are."""
    form = await request.form()
    said = {name: _text(form, name) for name in form}
    name, kind = said.get("name", ""), said.get("kind", "")
    try:
        known = _kind(kind)
        settings = {one: said.get(f"settings.{one}", "") for one in SPECS[known].settings}
        secrets = {one: said.get(f"secrets.{one}", "") for one in SPECS[known].secrets}

        def write(session: Session) -> None:
            verbs.on(session).put_channel(
                _name(name), known, settings=settings, secrets=secrets, by=who.id, source="console"
            )

        await db.write(write)
    except ChannelInvalid as refusal:
        return await _page(request, who, db, kind=kind, said=said, refusal=refusal)
    return RedirectResponse(PAGE, status_code=303)


@router.post("/notify/channels/{name}/remove")
async def remove_channel(request: Request, who: ProvenKeeper, name: NameInPath, db: Db, verbs: TheVerbs) -> Response:
    """Remove a channel that nobody is reached by."""
    try:
        await db.write(lambda session: verbs.on(session).remove_channel(name, by=who.id, source="console"))
    except ChannelInUse as refusal:
        return await _page(request, who, db, refusal=refusal)
    return RedirectResponse(PAGE, status_code=303)


def _text(form: FormData, name: str) -> str:
    value = form[name]
    return value[:_LONGEST].replace("\0", "") if isinstance(value, str) else ""


def _kind(text: str) -> ChannelKind:
    found = next((one for one in SPECS if one == text), None)
    if found is None:
        complaint = Complaint("kind", f"one of {', '.join(SPECS)}")
        raise ChannelInvalid("The channel is not valid.", complaints=[complaint])
    return found


def _name(text: str) -> str:
    cleaned = text.strip()
    if not cleaned or len(cleaned) > 63 or not cleaned.replace("-", "a").isalnum() or cleaned != cleaned.lower():
        expected = "small letters, digits and dashes, at most 63"
        raise ChannelInvalid("The channel is not valid.", complaints=[Complaint("name", expected)])
    return cleaned


async def _page(
    request: Request,
    who: Actor,
    db: Db,
    *,
    kind: str = "",
    edit: str = "",
    said: Mapping[str, str] | None = None,
    refusal: Refusal | None = None,
) -> Response:
    found = [ChannelView.of(one) for one in await db.ask(store.all_channels)]
    edited = next((one for one in found if one.name == edit), None)
    chosen = edited.kind if edited is not None else next((one for one in SPECS if one == kind), None)
    values = dict(said or {})
    if edited is not None and not values:
        values = {"name": edited.name, **{f"settings.{key}": value for key, value in edited.settings.items()}}
    return render(
        request,
        "notify/channels.html",
        status=refusal.status if refusal else 200,
        found=found,
        kinds=list(SPECS),
        specs=SPECS,
        chosen=chosen,
        edited=edited,
        said=values,
        refusal=refusal,
        errors={one.where: one.expected for one in refusal.complaints} if refusal else {},
        may_change=who.may(CHANGE_CHANNELS),
    )
