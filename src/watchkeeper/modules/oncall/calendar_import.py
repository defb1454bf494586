"""Makes overrides, or a temporary schedule, of a calendar's events."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.web.access import Actor
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.oncall import store
from watchkeeper.modules.oncall.calendar_file import Event, Read, read
from watchkeeper.modules.oncall.definition import MOST_SHIFTS, Schedule, Shift, Temporary
from watchkeeper.modules.oncall.errors import CalendarInvalid
from watchkeeper.modules.oncall.service import Definitions
from watchkeeper.modules.oncall.shifts import Shifts, Stretch
from watchkeeper.modules.oncall.store import Stored

_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"]+@[^\s<>()\[\],;:\"]+")


async def read_apart(text: str, since: datetime, until: datetime, zone: ZoneInfo) -> Read:
    """As `read`, beside the event loop: a large file takes a second. Raises CalendarInvalid."""
    if not since < until:
        raise CalendarInvalid("Nothing to read.", complaints=[Complaint("until", "an instant after `since`")])
    return await asyncio.to_thread(read, text, since, until, zone)


def assigned(session: Session, found: Read) -> tuple[list[Shift], list[str]]:
    """Events as shifts of people who are known, and what could not be."""
    staff = [one for one in identity.staff(session) if one.active]
    by_address = {one.email.strip().casefold(): one.id for one in staff if one.email is not None}
    by_name = {one.name.casefold(): one.id for one in staff}
    shifts, not_read = [], list(found.not_read)
    for event in found.events:
        who = _who(event, by_address, by_name)
        if who is None:
            called = event.summary or "An event without a summary"
            not_read.append(f"{called}, {event.since:%Y-%m-%d %H:%M} UTC: names nobody who is known")
        else:
            shifts.append(Shift(who=who, since=event.since, until=event.until))
    return shifts, not_read


def _who(event: Event, by_address: dict[str, str], by_name: dict[str, str]) -> str | None:
    """The first attendee who is known, else an address or exactly one name in the summary."""
    for address in (*event.attendees, *_ADDRESS.findall(event.summary)):
        if address.casefold() in by_address:
            return by_address[address.casefold()]
    words = event.summary.casefold()
    named = {who for name, who in by_name.items() if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", words)}
    return named.pop() if len(named) == 1 else None


def make(
    session: Session,
    clock: Clock,
    stored: Stored[Schedule],
    shifts: list[Shift],
    *,
    as_temporary: str | None,
    by: Actor,
    source: str = "api",
) -> int:
    """Make them and answer how many are new; read again, the same calendar makes nothing twice."""
    now = clock.now().replace(microsecond=0)
    ahead = [one.model_copy(update={"since": max(one.since, now)}) for one in shifts if one.until > now]
    if not ahead:
        return 0
    if as_temporary is not None:
        return _make_temporary(session, clock, stored, ahead, as_temporary, by, source)
    there = {
        (one.who, one.until): one.since
        for one in store.kept_overrides(session, schedule_id=stored.id, since=now)
        if one.instead_of is None
    }
    fresh = [one for one in ahead if max(there.get((one.who, one.until), one.until), now) > one.since]
    verbs = Shifts(session, clock, source)
    for one in fresh:
        stretch = Stretch(one.since, one.until)
        verbs.override(stored.name, who=one.who, stretch=stretch, reason="From a calendar", by=by)
    return len(fresh)


def _make_temporary(
    session: Session, clock: Clock, stored: Stored[Schedule], shifts: list[Shift], name: str, by: Actor, source: str
) -> int:
    if len(shifts) > MOST_SHIFTS:
        raise CalendarInvalid(
            "Too much for one temporary schedule.",
            complaints=[Complaint("calendar", f"at most {MOST_SHIFTS} shifts; choose a shorter time")],
        )
    said = Temporary.model_validate(
        {
            "name": name,
            "since": min(one.since for one in shifts),
            "until": max(one.until for one in shifts),
            "shifts": [one.model_dump() for one in shifts],
        }
    )
    others = tuple(one for one in stored.content.temporary if one.name != name)
    content = Schedule.model_validate({**stored.content.model_dump(), "temporary": [
        *(one.model_dump() for one in others), said.model_dump()
    ]})  # fmt: skip
    Definitions(session, clock).put(content, by=by.id, source=source, managed_by="api")
    return len(shifts)
