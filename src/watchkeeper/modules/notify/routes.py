"""The API of notifications: channels, one's own contacts and rules, and the record of what was sent."""

# Annotations are kept as objects for FastAPI.
from datetime import datetime
from typing import Annotated

from fastapi import Path, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse, Response

from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.etag import check_match, etag_of, with_etag
from watchkeeper.kernel.web.idempotency import Answer, Once, once
from watchkeeper.kernel.web.paging import DEFAULT_LIMIT, Cursor, Limit, Page, decode_cursor, page_of
from watchkeeper.kernel.web.parts import database_part, part
from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.notify import store, store_notifications
from watchkeeper.modules.notify.errors import ChannelNotFound, CodeRefused, PeopleOnly
from watchkeeper.modules.notify.model import Channel, Contact, Notification, Preferences
from watchkeeper.modules.notify.permissions import CHANGE_CHANNELS, USE_CONTACTS, VIEW
from watchkeeper.modules.notify.service import Verbs
from watchkeeper.modules.notify.wire import (
    ChannelBody,
    ChannelList,
    ChannelView,
    Code,
    ContactList,
    ContactView,
    Name,
    NewContact,
    NotificationView,
    RulesBody,
    Tested,
)

router = api_router("notify")

Viewer = Annotated[Actor, requires(VIEW)]
Own = Annotated[Actor, requires(USE_CONTACTS)]
# Where somebody is reached decides who hears of an outage: an unattended browser must not change it.
ProvenOwn = Annotated[Actor, requires(USE_CONTACTS, proved_lately=True)]
Keeper = Annotated[Actor, requires(CHANGE_CHANNELS)]
ProvenKeeper = Annotated[Actor, requires(CHANGE_CHANNELS, proved_lately=True)]
Db = Annotated[Database, database_part()]
IdInPath = Annotated[str, Path(min_length=1, max_length=40)]
NameInPath = Annotated[Name, Path()]
TheVerbs = Annotated[Verbs, part(Verbs)]


def person_of(who: Actor) -> str:
    """Raises PeopleOnly for tokens and the command line."""
    if who.kind != "person":
        raise PeopleOnly("Contacts are people's. Sign in as a person.")
    return who.id


@router.get("/notify/channels")
async def list_channels(who: Viewer, db: Db) -> ChannelList:
    """Every channel by name, and how it does."""
    found = await db.ask(store.all_channels)
    return ChannelList(items=[ChannelView.of(one) for one in found])


@router.put("/notify/channels/{name}", response_model=ChannelView)
async def put_channel(
    request: Request, who: ProvenKeeper, name: NameInPath, order: ChannelBody, db: Db, verbs: TheVerbs
) -> Response:
    """Say a channel, or say it anew; with `If-Match`, only if nobody else did meanwhile."""

    def write(session: Session) -> Channel:
        before = store.channel_named(session, name, lock=True)
        if before is not None:
            check_match(request, _tag(before))
        return verbs.on(session).put_channel(
            name, order.kind, settings=order.settings, secrets=order.secrets, by=who.id, source="api"
        )

    made = await db.write(write)
    return with_etag(JSONResponse(ChannelView.of(made).model_dump(mode="json")), _tag(made))


@router.delete("/notify/channels/{name}", status_code=204)
async def remove_channel(who: ProvenKeeper, name: NameInPath, db: Db, verbs: TheVerbs) -> None:
    """Remove a channel that nobody is reached by."""
    await db.write(lambda session: verbs.on(session).remove_channel(name, by=who.id, source="api"))


@router.get("/notify/contacts")
async def list_contacts(who: Own, db: Db) -> ContactList:
    """One's own contacts."""
    person = person_of(who)
    return ContactList(items=await db.ask(lambda session: contact_views(session, person)))


@router.post("/notify/contacts", status_code=201, response_model=ContactView)
async def add_contact(
    who: ProvenOwn, order: NewContact, db: Db, verbs: TheVerbs, once: Annotated[Once, once()]
) -> Response:
    """Add one; a code is sent to it."""
    person = person_of(who)

    def make(session: Session) -> Answer:
        made = verbs.on(session).add_contact(person, order.channel, order.address, order.label, by=who.id, source="api")
        return Answer(contact_view(session, made).model_dump(mode="json"))

    return (await db.write(lambda session: once.run(session, lambda: make(session)))).response()


@router.post("/notify/contacts/{contact_id}/verify")
async def verify_contact(who: Own, contact_id: IdInPath, order: Code, db: Db, verbs: TheVerbs) -> ContactView:
    """Enter the code that was sent to it. Five tries."""
    return await verified(db, verbs, who, contact_id, order.code, source="api")


@router.post("/notify/contacts/{contact_id}/code", status_code=204)
async def send_code(who: Own, contact_id: IdInPath, db: Db, verbs: TheVerbs) -> None:
    """Send another code."""
    person = person_of(who)
    await db.write(lambda session: verbs.on(session).send_code(person, contact_id))


@router.delete("/notify/contacts/{contact_id}", status_code=204)
async def remove_contact(who: ProvenOwn, contact_id: IdInPath, db: Db, verbs: TheVerbs) -> None:
    """Remove one, with the rules that name it."""
    person = person_of(who)
    await db.write(lambda session: verbs.on(session).remove_contact(person, contact_id, by=who.id, source="api"))


@router.get("/notify/rules")
async def get_rules(who: Own, db: Db) -> RulesBody:
    """By which contacts one is notified, and when not."""
    person = person_of(who)
    rules, preferences = await db.ask(lambda session: store.rules_of(session, person))
    return RulesBody.of(rules, preferences)


@router.put("/notify/rules")
async def put_rules(who: ProvenOwn, order: RulesBody, db: Db, verbs: TheVerbs) -> RulesBody:
    """All of one's rules at once."""
    preferences = Preferences(
        person_id=person_of(who),
        time_zone=order.time_zone,
        quiet_from=order.quiet_from,
        quiet_until=order.quiet_until,
    )
    rules = [one.meant() for one in order.rules]
    await db.write(lambda session: verbs.on(session).put_rules(rules, preferences, by=who.id, source="api"))
    return order


@router.post("/notify/test")
async def test(who: Own, db: Db, verbs: TheVerbs) -> Tested:
    """Send oneself a test message over every verified contact, now."""
    person = person_of(who)
    return Tested(contacts=await db.write(lambda session: verbs.on(session).test(person)))


@router.get("/notify/notifications")
async def list_notifications(
    who: Viewer,
    db: Db,
    about: Annotated[str | None, Query(max_length=200, description="`type:id`, such as `alert_group:grp_…`.")] = None,
    person: Annotated[str | None, Query(max_length=40)] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[NotificationView]:
    """What was sent, or not, and why; newest first. No address is told."""
    before = None if cursor is None else decode_cursor(cursor, tuple[datetime, str])
    kind, _, name = (about or "").partition(":")

    def read(session: Session) -> Page[NotificationView]:
        found = store_notifications.latest(
            session,
            about=(kind, name) if about is not None else None,
            person_id=person,
            before=before,
            limit=limit + 1,
        )
        page = page_of(found, limit, lambda one: (one.created_at, one.id))
        return Page[NotificationView](items=notification_views(session, page.items), next=page.next)

    return await db.ask(read)


async def verified(db: Database, verbs: Verbs, who: Actor, contact_id: str, code: str, *, source: str) -> ContactView:
    """Verify a contact. A wrong try is kept, so the refusal is raised only after it was committed."""
    person = person_of(who)

    def write(session: Session) -> ContactView | CodeRefused:
        try:
            made = verbs.on(session).verify(person, contact_id, code, by=who.id, source=source)
        except CodeRefused as refusal:
            return refusal
        return contact_view(session, made)

    found = await db.write(write)
    if isinstance(found, CodeRefused):
        raise found
    return found


def contact_view(session: Session, one: Contact) -> ContactView:
    """Raises ChannelNotFound for one whose channel is gone."""
    channel = store.channel(session, one.channel_id)
    if channel is None:
        raise ChannelNotFound("The channel of this contact is gone.")
    return ContactView.of(one, channel)


def contact_views(session: Session, person: str) -> list[ContactView]:
    """A person's contacts."""
    channels = {one.id: one for one in store.all_channels(session)}
    return [
        ContactView.of(one, channels[one.channel_id])
        for one in store.contacts_of(session, person)
        if one.channel_id in channels
    ]


def notification_views(session: Session, found: list[Notification]) -> list[NotificationView]:
    """With every try, and the channel by its name."""
    names = {one.id: one.name for one in store.all_channels(session)}
    attempts = store_notifications.attempts_of(session, [one.id for one in found])
    return [NotificationView.of(one, names.get(one.channel_id, one.channel_id), attempts[one.id]) for one in found]


def _tag(one: Channel) -> str:
    return etag_of([one.id, one.version])
