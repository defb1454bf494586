"""How I am reached: one's own contacts, rules, quiet hours, test page, and what was sent lately."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Annotated

from fastapi import Form, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from watchkeeper.kernel.errors import Complaint, Refusal
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.wire import PageForm, page_router
from watchkeeper.modules.notify import store, store_notifications
from watchkeeper.modules.notify.channels import SPECS
from watchkeeper.modules.notify.errors import (
    ChannelNotFound,
    CodeRefused,
    ContactInvalid,
    RulesInvalid,
    TooManyCodes,
)
from watchkeeper.modules.notify.model import Channel, Preferences, Rule, Urgency
from watchkeeper.modules.notify.routes import (
    Db,
    IdInPath,
    Own,
    ProvenOwn,
    TheVerbs,
    contact_views,
    notification_views,
    person_of,
    verified,
)
from watchkeeper.modules.notify.wire import ContactView, NotificationView

router = page_router()
PAGE = "/account/notifications"
_LATELY = 20
_DONE = {
    "added": "A code is on its way. Enter it below.",
    "code": "Another code is on its way.",
    "verified": "You are reached here from now on.",
    "removed": "The contact is removed, with the rules that named it.",
    "rules": "The rules are saved.",
    "test": "Test pages are on their way; what came of each stands below.",
    "none": "No contact is verified yet: nothing was sent.",
}


class ContactForm(PageForm):
    """An address of one's own."""

    channel: str = Field(default="", max_length=63)
    address: str = Field(default="", max_length=250)
    label: str = Field(default="", max_length=100)


class CodeForm(PageForm):
    """What was sent to it."""

    code: str = Field(default="", max_length=20)


class RulesForm(PageForm):
    """Rules as lines: each contact with its minutes, empty for not at all; and quiet hours."""

    high: list[str] = Field(default_factory=list, max_length=40)
    low: list[str] = Field(default_factory=list, max_length=40)
    contact: list[str] = Field(default_factory=list, max_length=40)
    time_zone: str = Field(default="UTC", max_length=64)
    quiet_from: str = Field(default="", max_length=5)
    quiet_until: str = Field(default="", max_length=5)


@dataclass(frozen=True)
class Reached:
    """Everything on the page."""

    contacts: list[ContactView]
    channels: list[Channel]
    minutes: Mapping[tuple[str, str], str]
    has_rules: bool
    preferences: Preferences
    lately: list[NotificationView]


@router.get(PAGE)
async def notifications_page(request: Request, who: Own, db: Db, done: str = "") -> Response:
    """How I am reached."""
    return await _page(request, who, db, message=_DONE.get(done))


@router.post("/account/notifications/contacts")
async def add_contact(
    request: Request, who: ProvenOwn, form: Annotated[ContactForm, Form()], db: Db, verbs: TheVerbs
) -> Response:
    """Add a contact; a code is sent to it."""
    person = person_of(who)
    try:
        await db.write(
            lambda session: verbs.on(session).add_contact(
                person, form.channel, form.address, form.label, by=who.id, source="console"
            )
        )
    except (ContactInvalid, ChannelNotFound) as refusal:
        return await _page(request, who, db, refusal=refusal, form=form)
    return _back("added")


@router.post("/account/notifications/contacts/{contact_id}/verify")
async def verify(
    request: Request, who: Own, contact_id: IdInPath, form: Annotated[CodeForm, Form()], db: Db, verbs: TheVerbs
) -> Response:
    """Enter the code that was sent to it."""
    try:
        await verified(db, verbs, who, contact_id, form.code, source="console")
    except CodeRefused as refusal:
        return await _page(request, who, db, refusal=refusal, about=contact_id)
    return _back("verified")


@router.post("/account/notifications/contacts/{contact_id}/code")
async def another_code(request: Request, who: Own, contact_id: IdInPath, db: Db, verbs: TheVerbs) -> Response:
    """Have another code sent."""
    person = person_of(who)
    try:
        await db.write(lambda session: verbs.on(session).send_code(person, contact_id))
    except TooManyCodes as refusal:
        return await _page(request, who, db, refusal=refusal, about=contact_id)
    return _back("code")


@router.post("/account/notifications/contacts/{contact_id}/remove")
async def remove_contact(who: ProvenOwn, contact_id: IdInPath, db: Db, verbs: TheVerbs) -> Response:
    """Remove a contact and the rules that name it."""
    person = person_of(who)
    await db.write(lambda session: verbs.on(session).remove_contact(person, contact_id, by=who.id, source="console"))
    return _back("removed")


@router.post("/account/notifications/rules")
async def put_rules(
    request: Request, who: ProvenOwn, form: Annotated[RulesForm, Form()], db: Db, verbs: TheVerbs
) -> Response:
    """Save all rules and quiet hours."""
    person = person_of(who)

    def write(session: Session) -> None:
        rules = [*_rules("high", form.contact, form.high), *_rules("low", form.contact, form.low)]
        preferences = Preferences(
            person_id=person,
            time_zone=form.time_zone,
            quiet_from=_time(form.quiet_from, "quiet_from"),
            quiet_until=_time(form.quiet_until, "quiet_until"),
        )
        verbs.on(session).put_rules(rules, preferences, by=who.id, source="console")

    try:
        await db.write(write)
    except RulesInvalid as refusal:
        return await _page(request, who, db, refusal=refusal, about="rules")
    return _back("rules")


@router.post("/account/notifications/test")
async def test(who: Own, db: Db, verbs: TheVerbs) -> Response:
    """A test page to every verified contact."""
    person = person_of(who)
    sent = await db.write(lambda session: verbs.on(session).test(person))
    return _back("test" if sent else "none")


def _back(done: str) -> Response:
    return RedirectResponse(f"{PAGE}?done={done}", status_code=303)


def _rules(urgency: Urgency, contacts: list[str], minutes: list[str]) -> list[Rule]:
    found = []
    for number, (contact, text) in enumerate(zip(contacts, minutes, strict=False)):
        if not text.strip():
            continue
        try:
            after = timedelta(minutes=int(text))
        except (ValueError, OverflowError):
            raise RulesInvalid(
                "The rules are not valid.", complaints=[Complaint(f"{urgency}.{number}", "whole minutes, or nothing")]
            ) from None
        found.append(Rule(urgency=urgency, contact_id=contact, after=after))
    return found


def _time(text: str, where: str) -> time | None:
    try:
        return time.fromisoformat(text) if text else None
    except ValueError:
        raise RulesInvalid("The rules are not valid.", complaints=[Complaint(where, "a time such as 22:00")]) from None


async def _page(
    request: Request,
    who: Actor,
    db: Db,
    *,
    message: str | None = None,
    refusal: Refusal | None = None,
    about: str = "",
    form: ContactForm | None = None,
) -> Response:
    person = person_of(who)

    def read(session: Session) -> Reached:
        rules, preferences = store.rules_of(session, person)
        lately = store_notifications.latest(session, person_id=person, limit=_LATELY)
        return Reached(
            contacts=contact_views(session, person),
            channels=store.all_channels(session),
            minutes={(one.urgency, one.contact_id): str(int(one.after.total_seconds() // 60)) for one in rules},
            has_rules=bool(rules),
            preferences=preferences,
            lately=notification_views(session, lately),
        )

    return render(
        request,
        "notify/mine.html",
        status=refusal.status if refusal else 200,
        reached=await db.ask(read),
        specs=SPECS,
        message=message,
        refusal=refusal,
        about=about,
        form=form or ContactForm(),
    )
