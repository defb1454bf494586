"""An .ics file as events in a stretch of time, with bounds that hold whatever the file says. Pure.

Read are single events, and those that repeat daily or weekly with INTERVAL, BYDAY, COUNT, UNTIL, EXDATE and RDATE, and
single changes of them (RECURRENCE-ID). Rules that repeat otherwise are named as not read: that on-call calendars need
them was never seen, and rules by the second or with dates that never come are how such files are made into bombs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar

from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.zones import zone_named
from watchkeeper.modules.oncall.errors import CalendarInvalid

MOST_BYTES = 1_000_000
MOST_COMPONENTS = 5_000
MOST_OCCURRENCES = 400
_LONGEST_RULE = timedelta(days=366 * 20)
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_KNOWN_PARTS = {"FREQ", "INTERVAL", "BYDAY", "COUNT", "UNTIL", "WKST"}
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Event:
    """One occurrence: when, and whom it may mean."""

    since: datetime
    until: datetime
    summary: str
    attendees: tuple[str, ...]


@dataclass
class Read:
    """The occurrences that touch the stretch, and what of the file was not read."""

    events: list[Event] = field(default_factory=list)
    not_read: list[str] = field(default_factory=list)


def read(text: str, since: datetime, until: datetime, zone: ZoneInfo) -> Read:
    """Every occurrence that touches [since, until). `zone` is that of times that name none.

    Raises CalendarInvalid for what is no calendar, is too large, or has too many occurrences.
    """
    _refuse_bombs(text)
    try:
        calendar = Calendar.from_ical(text)
        components = list(calendar.walk("VEVENT"))
        zone = _zone_of(calendar) or zone
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        said = " ".join(str(error).split())[:200]
        raise _invalid(f"an iCalendar file; it can't be read: {said}") from None
    found = Read()
    changed = {_key(one, zone) for one in components if "RECURRENCE-ID" in one}
    for component in components:
        summary = " ".join(str(component.get("SUMMARY", "")).split())[:200]
        try:
            for begins, ends in _occurrences(component, zone, until, changed):
                if begins < until and ends > since and begins < ends:
                    found.events.append(Event(begins, ends, summary, _attendees(component)))
                if len(found.events) > MOST_OCCURRENCES:
                    raise _invalid(
                        f"at most {MOST_OCCURRENCES} occurrences in the stretch of time; choose a shorter one"
                    )
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError) as error:
            found.not_read.append(f"{summary or 'An event without a summary'}: {' '.join(str(error).split())[:200]}")
    found.events.sort(key=lambda one: (one.since, one.until))
    return found


def _refuse_bombs(text: str) -> None:
    if len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise _invalid(f"at most {MOST_BYTES // 1_000} KB")
    if text.upper().count("BEGIN:") > MOST_COMPONENTS:
        raise _invalid(f"at most {MOST_COMPONENTS:,} components")
    if "BEGIN:VCALENDAR" not in text[:10_000].upper():
        raise _invalid("an iCalendar file, which begins with BEGIN:VCALENDAR")


def _occurrences(
    component: Any, zone: ZoneInfo, until: datetime, changed: set[tuple[str, datetime]]
) -> Iterator[tuple[datetime, datetime]]:
    start = component.decoded("DTSTART")
    length = _length(component, start, zone)
    if "RRULE" not in component or "RECURRENCE-ID" in component:
        begins = _instant(start, zone)
        yield begins, begins + length
        return
    left_out = set(_dates(component.get("EXDATE"), zone))
    uid = str(component.get("UID", ""))
    starts = [*_repeated(component["RRULE"], start, zone, until), *_dates(component.get("RDATE"), zone)]
    for begins in sorted(set(starts)):
        if begins not in left_out and (uid, begins) not in changed:
            yield begins, begins + length


def _repeated(rule: Any, start: Any, zone: ZoneInfo, until: datetime) -> Iterator[datetime]:
    """The rule's occurrences up to `until`: counted in local days, so that an hour stays an hour through DST."""
    if isinstance(rule, list):
        raise ValueError("several rules in one event are not read")
    said = {str(name).upper(): value for name, value in rule.items()}
    kind = str(said.get("FREQ", [""])[0]).upper()
    if kind not in ("DAILY", "WEEKLY") or not set(said) <= _KNOWN_PARTS:
        others = sorted(set(said) - _KNOWN_PARTS)
        raise ValueError(f"its rule is not read: FREQ={kind}{''.join(f';{one}' for one in others)}")
    step = int(said.get("INTERVAL", [1])[0])
    count = int(said["COUNT"][0]) if "COUNT" in said else None
    if not 1 <= step <= 1_000 or (count is not None and count < 1):
        raise ValueError("its rule has no sound INTERVAL or COUNT")
    last = _instant(said["UNTIL"][0], zone) if "UNTIL" in said else None
    if last is not None and not isinstance(said["UNTIL"][0], datetime):
        last += _DAY - timedelta(seconds=1)
    first = _instant(start, zone)
    if until - first > _LONGEST_RULE:
        raise ValueError("its rule began more than 20 years ago")
    for begins in _days_of(kind, step, _weekdays(said), start, zone, until):
        if begins < first:
            continue
        if last is not None and begins > last:
            return
        yield begins
        count = count - 1 if count is not None else None
        if count == 0:
            return


def _days_of(
    kind: str, step: int, weekdays: set[int] | None, start: Any, zone: ZoneInfo, until: datetime
) -> Iterator[datetime]:
    local = start if not isinstance(start, datetime) else start.date()
    at = start.time() if isinstance(start, datetime) else time(0)
    where = start.tzinfo if isinstance(start, datetime) and start.tzinfo is not None else zone
    if kind == "WEEKLY" and weekdays is None:
        weekdays = {local.weekday()}
    monday = local - local.weekday() * _DAY
    day = local
    while (begins := datetime.combine(day, at, tzinfo=where).astimezone(UTC)) < until:
        in_step = (day - local).days % step == 0 if kind == "DAILY" else (day - monday).days // 7 % step == 0
        if in_step and (weekdays is None or day.weekday() in weekdays):
            yield begins
        day += _DAY


def _weekdays(said: dict[str, Any]) -> set[int] | None:
    if "BYDAY" not in said:
        return None
    named = [str(one).upper() for one in said["BYDAY"]]
    if not set(named) <= set(_DAYS):
        raise ValueError("its rule is not read: numbered weekdays")
    return {_DAYS.index(one) for one in named}


def _length(component: Any, start: Any, zone: ZoneInfo) -> timedelta:
    if "DTEND" in component:
        return _instant(component.decoded("DTEND"), zone) - _instant(start, zone)
    if "DURATION" in component:
        found: timedelta = component.decoded("DURATION")
        return found
    return timedelta(0) if isinstance(start, datetime) else _DAY


def _key(component: Any, zone: ZoneInfo) -> tuple[str, datetime]:
    try:
        return str(component.get("UID", "")), _instant(component.decoded("RECURRENCE-ID"), zone)
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", datetime.min.replace(tzinfo=UTC)


def _dates(said: Any, zone: ZoneInfo) -> Iterator[datetime]:
    listed: Iterable[Any] = said if isinstance(said, list) else [] if said is None else [said]
    for one in listed:
        for stamped in one.dts:
            yield _instant(stamped.dt, zone)


def _instant(value: Any, zone: ZoneInfo) -> datetime:
    """A time of the file in UTC; a date is its midnight."""
    if isinstance(value, datetime):
        found = value if value.tzinfo is not None else value.replace(tzinfo=zone)
    elif isinstance(value, date):
        found = datetime.combine(value, time(0), tzinfo=zone)
    else:
        raise ValueError("a date or a time was expected")
    found = found.astimezone(UTC)
    if not 1970 <= found.year < 3000:
        raise ValueError("a year between 1970 and 2999 was expected")
    return found.replace(microsecond=0)


def _attendees(component: Any) -> tuple[str, ...]:
    said = component.get("ATTENDEE")
    listed = said if isinstance(said, list) else [] if said is None else [said]
    return tuple(str(one).split(":", 1)[-1].strip() for one in listed[:50])


def _zone_of(calendar: Any) -> ZoneInfo | None:
    said = calendar.get("X-WR-TIMEZONE")
    try:
        return zone_named(str(said)) if said is not None else None
    except ValueError:
        return None


def _invalid(expected: str) -> CalendarInvalid:
    return CalendarInvalid(
        "The calendar can't be read; nothing was changed.", complaints=[Complaint("calendar", expected)]
    )
