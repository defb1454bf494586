"""Schedules as iCalendar (RFC 5545): each span of somebody's an event whose UID stays while it is the same shift."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from watchkeeper.modules.oncall.model import Cover, Roster, Span, spans

BACK = timedelta(days=35)
AHEAD = timedelta(days=180)
_LONGEST_LINE = 75


@dataclass(frozen=True)
class Shown:
    """An event: a span of a schedule."""

    schedule_id: str
    schedule: str
    span: Span


def shown(schedule_id: str, roster: Roster, at: datetime, *, only: str | None = None) -> list[Shown]:
    """Spans from five weeks ago to half a year ahead; with `only`, this person's. Gaps that nobody declared are shown.

    Looked at from so far back that the first one begins where it really does: else its UID would move with the clock.
    """
    since = at - BACK
    early = since - roster.schedule.longest_shift - timedelta(days=1)
    found = [one for one in spans(roster, early, at + AHEAD) if one.until > since]
    wanted = [one for one in found if one.duty.cover is not Cover.DECLARED_GAP]
    if only is not None:
        wanted = [one for one in wanted if one.who == only]
    title = roster.schedule.title or roster.schedule.name
    return [Shown(schedule_id, title, one) for one in wanted]


def calendar(title: str, events: Iterable[Shown], names: Mapping[str, str], at: datetime, host: str) -> bytes:
    """The calendar's text, in UTC, so that no time-zone tables have to agree."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Watchkeeper//On call//EN",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"X-WR-CALNAME:{_text(title)}",
        "REFRESH-INTERVAL;VALUE=DURATION:PT15M",
        "X-PUBLISHED-TTL:PT15M",
    ]
    for one in events:
        lines += _event(one, names, at, host)
    lines.append("END:VCALENDAR")
    return "".join(f"{_folded(line)}\r\n" for line in lines).encode()


def _event(one: Shown, names: Mapping[str, str], at: datetime, host: str) -> list[str]:
    duty = one.span.duty
    who = names.get(duty.who, duty.who) if duty.who is not None else None
    summary = f"{who} on call: {one.schedule}" if who else f"Nobody on call: {one.schedule}"
    told = f"Layer {duty.layer}" if duty.layer else "An override" if duty.override else "Temporary schedule"
    also = f" Also: {', '.join(names.get(other, other) for other in duty.also)}." if duty.also else ""
    return [
        "BEGIN:VEVENT",
        f"UID:{uid(one)}@{host}",
        f"DTSTAMP:{_stamp(at)}",
        f"DTSTART:{_stamp(one.span.since)}",
        f"DTEND:{_stamp(one.span.until)}",
        f"SUMMARY:{_text(summary)}",
        f"DESCRIPTION:{_text((told if who else 'A gap that nobody declared') + '.' + also)}",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    ]


def uid(one: Shown) -> str:
    """Of the schedule, whose shift it is and when it begins: an end that moves changes the event and makes no other."""
    said = f"{one.schedule_id}|{one.span.who or 'nobody'}|{_stamp(one.span.since)}"
    return hashlib.sha256(said.encode()).hexdigest()[:40]


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _text(value: str) -> str:
    plain = "".join(char for char in value if char in "\n\t" or char.isprintable())
    for char, instead in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        plain = plain.replace(char, instead)
    return plain


def _folded(line: str) -> str:
    """At most 75 bytes a line, cut between characters, each further line after a space."""
    parts, current, room = [], "", _LONGEST_LINE
    for char in line:
        size = len(char.encode())
        if size > room:
            parts.append(current)
            current, room = "", _LONGEST_LINE - 1
        current += char
        room -= size
    return "\r\n ".join([*parts, current])
