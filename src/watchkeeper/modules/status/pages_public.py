"""What readers of the page do themselves: subscribe, confirm, end it. Whoever asks learns nothing of who subscribed."""

# Annotations are kept as objects for FastAPI.
from dataclasses import dataclass
from typing import Annotated

from fastapi import Form, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Invalid, Refusal
from watchkeeper.kernel.outbound import DestinationRefused, Outbound
from watchkeeper.kernel.web.access import Actor, public
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.parts import part
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.status import snapshot, store
from watchkeeper.modules.status.errors import LinkUnusable
from watchkeeper.modules.status.rates import Rates
from watchkeeper.modules.status.routes import Db, Now
from watchkeeper.modules.status.settings import StatusSettings
from watchkeeper.modules.status.subscribers import LinkTo, Sealing, Way
from watchkeeper.modules.status.subscribing import Subscribing
from watchkeeper.modules.status.wire import ids

router = page_router()
Reader = Annotated[Actor | None, public("readers of the status page subscribe without an account")]
# The secret in the path is what counts; mail programs post without ever having seen a form of ours.
Linked = Annotated[Actor | None, public("whoever has the link of a message to a subscriber", csrf=False)]


@dataclass(frozen=True)
class Desk:
    """What serves readers. `mail`: whether this server sends any."""

    settings: StatusSettings
    sealing: Sealing
    outbound: Outbound
    rates: Rates
    mail: bool

    def on(self, session: Session, clock: Clock) -> Subscribing:
        """Its verbs on this session."""
        return Subscribing(session, clock, self.settings, self.sealing, self.outbound)


TheDesk = Annotated[Desk, part(Desk)]


class SubscribeForm(PageForm):
    """Where news are to be sent, and of which components: of none named, of all."""

    kind: Way = Way.EMAIL
    address: str = Field(default="", max_length=600)
    components: list[str] = Field(default_factory=list, max_length=200)


@router.get("/status/subscribe")
async def subscribe_page(who: Reader, request: Request, db: Db, desk: TheDesk) -> Response:
    """The form."""
    return await _form(request, db, desk, SubscribeForm())


@router.post("/status/subscribe")
async def subscribe(
    who: Reader, request: Request, form: Annotated[SubscribeForm, Form()], db: Db, clock: Now, desk: TheDesk
) -> Response:
    """Ask for news: the answer is the same whoever has subscribed already."""
    desk.rates.require(request.client.host if request.client else "", desk.settings.subscriptions_per_hour)

    def write(session: Session) -> None:
        wanted = ids(form.components, store.components(session))
        desk.on(session, clock).ask(form.kind, form.address, wanted)

    try:
        await db.write(write)
    except (Invalid, DestinationRefused) as refusal:
        return await _form(request, db, desk, form, refusal)
    return render(request, "status/said.html", title="Look there", text=_asked(form.kind, desk.settings))


@router.get("/status/confirm/{token}")
async def confirm_page(who: Linked, request: Request, token: str, db: Db, clock: Now, desk: TheDesk) -> Response:
    """A button: programs that open every link of a mail confirm nothing."""

    def read(session: Session) -> str:
        desk.on(session, clock).of_link(LinkTo.CONFIRM, token)
        return snapshot.page_said(session).title

    try:
        title = await db.ask(read)
    except LinkUnusable as refusal:
        return _unusable(request, refusal)
    return render(
        request,
        "status/press.html",
        title=f"News of {title}",
        text="Do you want them sent to this address?",
        action=f"/status/confirm/{token}",
        button="Yes, subscribe",
    )


@router.post("/status/confirm/{token}")
async def confirm(who: Linked, request: Request, token: str, db: Db, clock: Now, desk: TheDesk) -> Response:
    """Whoever reads what is sent there wants it."""
    try:
        await db.write(lambda session: desk.on(session, clock).confirm(token))
    except LinkUnusable as refusal:
        return _unusable(request, refusal)
    text = "News are sent there from now on. Each says how to get no more."
    return render(request, "status/said.html", title="You are subscribed", text=text)


@router.get("/status/unsubscribe/{token}")
async def unsubscribe_page(who: Linked, request: Request, token: str, desk: TheDesk) -> Response:
    """A button: programs that open every link of a mail end nothing."""
    if desk.sealing.subscriber_in(LinkTo.UNSUBSCRIBE, token) is None:
        return _unusable(request, LinkUnusable("This link was not made here. Take the newest message's."))
    return render(
        request,
        "status/press.html",
        title="No more news?",
        text="Nothing is sent there any more, and the address is forgotten.",
        action=f"/status/unsubscribe/{token}",
        button="Unsubscribe",
    )


@router.post("/status/unsubscribe/{token}")
async def unsubscribe(who: Linked, request: Request, token: str, db: Db, clock: Now, desk: TheDesk) -> Response:
    """One click (RFC 8058): also when it is sent twice."""
    try:
        await db.write(lambda session: desk.on(session, clock).unsubscribe(token))
    except LinkUnusable as refusal:
        return _unusable(request, refusal)
    text = "Nothing is sent there any more, and the address is forgotten."
    return render(request, "status/said.html", title="Unsubscribed", text=text)


async def _form(request: Request, db: Db, desk: Desk, form: SubscribeForm, refusal: Refusal | None = None) -> Response:
    components, said = await db.ask(lambda session: (store.components(session), snapshot.page_said(session)))
    return render(
        request,
        "status/subscribe.html",
        status=refusal.status if refusal else 200,
        form=form,
        refusal=refusal,
        components=components,
        page=said,
        mail=desk.mail,
    )


def _asked(kind: Way, settings: StatusSettings) -> str:
    what = "a message" if kind is Way.EMAIL else "a request"
    return (
        f"If nothing is sent there yet, {what} with a link is on its way. Nothing more comes before somebody opened it "
        f"within {settings.confirmation_hours} hours and confirmed."
    )


def _unusable(request: Request, refusal: Refusal) -> Response:
    return render(request, "status/said.html", status=refusal.status, title=refusal.title, text=refusal.detail)
