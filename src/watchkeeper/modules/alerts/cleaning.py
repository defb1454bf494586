"""What senders write, made fit to be kept and shown: no control characters, no tricks of writing direction, bounded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from watchkeeper.kernel.errors import Complaint
from watchkeeper.modules.alerts.errors import EventInvalid
from watchkeeper.modules.alerts.model import Link

LONGEST_KEY = 255
MOST_LABELS = 64
LONGEST_LABEL = 1_000
MOST_LINKS = 10
_LONGEST_TEXT = 4_000
_MOST_DETAILS = 16_000
_MOST_ITEMS = 200
_DEEPEST = 8
_INT64 = 2**63
# C0 and C1 but for tab and line feed, halves of characters, and marks that turn the direction of what follows.
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u200e\u200f\u202a-\u202e\u2066-\u2069]")
CUT = "…"


def clean(text: object, most: int = _LONGEST_TEXT) -> str:
    """Text as it can be kept: at most `most` characters, the last of them an ellipsis when some were cut."""
    if text is None:
        return ""
    if isinstance(text, bool):
        return str(text).lower()
    said = _UNFIT.sub("", text if isinstance(text, str) else str(text)).strip()
    return said if len(said) <= most else f"{said[: most - 1]}{CUT}"


def one_line(text: object, most: int) -> str:
    """The same without line breaks, for titles and names."""
    return clean(" ".join(clean(text, most * 2).split()), most)


def clean_labels(labels: object) -> dict[str, str]:
    """Names and texts; what has more than 64 loses the last of them."""
    if not isinstance(labels, Mapping):
        return {}
    found = {}
    for name, value in list(labels.items())[:MOST_LABELS]:
        key = one_line(name, 200)
        if key:
            found[key] = clean(value, LONGEST_LABEL)
    return found


def clean_details(details: Mapping[str, Any]) -> dict[str, Any]:
    """JSON of at most 16,000 characters or so; what is beyond is left out and said to be."""
    room = [_MOST_DETAILS]
    found = _cleaned(details, room, _DEEPEST)
    return found if isinstance(found, dict) else {}


def clean_links(links: object) -> tuple[Link, ...]:
    """Links to http and https; anything else could be run by a click."""
    found = [
        Link(one_line(one.get("text"), 200) or url[:200], url)
        for one in (links if isinstance(links, list) else [])
        if isinstance(one, Mapping) and (url := http_url(one.get("href")))
    ]
    return tuple(found[:MOST_LINKS])


def http_url(text: object) -> str | None:
    """The address, if a browser may be led there."""
    url = clean(text, 2_000)
    return url if re.match(r"https?://[^\s/]", url, re.IGNORECASE) and CUT not in url else None


def required_text(value: object, where: str, most: int) -> str:
    """A text that has to be there. Raises EventInvalid."""
    if not isinstance(value, str) or not (said := one_line(value, most)):
        raise EventInvalid(f"{where} is missing.", complaints=[Complaint(where, "a text")])
    return said


def _cleaned(value: Any, room: list[int], depth: int) -> Any:
    if room[0] <= 0 or depth == 0:
        return CUT
    if isinstance(value, Mapping):
        found: dict[str, Any] = {}
        for name, one in list(value.items())[:_MOST_ITEMS]:
            if room[0] <= 0:
                found[CUT] = "more was sent"
                break
            key = one_line(name, 200)
            room[0] -= len(key) + 4
            found[key] = _cleaned(one, room, depth - 1)
        return found
    if isinstance(value, (list, tuple)):
        items = []
        for one in value[:_MOST_ITEMS]:
            if room[0] <= 0:
                items.append(CUT)
                break
            items.append(_cleaned(one, room, depth - 1))
        return items
    if value is None or isinstance(value, (bool, float)):
        room[0] -= 8
        return value
    if isinstance(value, int):
        room[0] -= 8
        return value if -_INT64 <= value < _INT64 else str(value)
    said = clean(value, min(_LONGEST_TEXT, max(16, room[0])))
    room[0] -= len(said) + 2
    return said
