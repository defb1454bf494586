"""From a snapshot to what is served: pages, feeds and JSON, as bytes that need nothing more."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from watchkeeper.kernel.clock import rfc3339
from watchkeeper.modules.status import feeds, wire_statuspage
from watchkeeper.modules.status.letters import words
from watchkeeper.modules.status.model import HISTORY_DAYS, Day, State
from watchkeeper.modules.status.snapshot import Shown, Snapshot, Told

HTML, RSS, ATOM, JSON = (
    "text/html; charset=utf-8",
    "application/rss+xml; charset=utf-8",
    "application/atom+xml; charset=utf-8",
    "application/json; charset=utf-8",
)
RECENT = timedelta(days=14)
MOST_RECENT = 20
# However much is published, a page stays one that a phone can load: so many characters of updates on the first page,
# so many in everything else, and so many days of components that say what they were when they are pointed at.
MOST_NOW, MOST_TEXT = 40_000, 400_000
MOST_LABELS = 4_000
# Where the age stands that nobody can know when a page is made; filled in when it is served.
AGE = b"<!--age-->"
_STYLE = "<!--style-->"
_FOLDER = Path(__file__).parent / "templates" / "public"


@dataclass(frozen=True)
class Where:
    """Addresses of one rendering: `home` and the others as links of its pages, `url` of the page for feeds and JSON."""

    url: str
    home: str = "/status"
    history: str = "/status/history"
    rss: str = "/status/history.rss"
    atom: str = "/status/history.atom"
    subscribe: str = "/status/subscribe"
    api: str = "/api/v2/summary.json"
    rss_url: str = ""
    atom_url: str = ""


@dataclass(frozen=True)
class Document:
    """One thing that is served, also as gzip."""

    media_type: str
    body: bytes
    packed: bytes
    etag: str

    @classmethod
    def of(cls, media_type: str, body: bytes) -> Document:
        return cls(media_type, body, gzip.compress(body, 6, mtime=0), f'"{sha256(body).hexdigest()[:32]}"')


@dataclass(frozen=True)
class Rendering:
    """All of it, by path below `/status` or `/api/v2`."""

    at: datetime
    documents: Mapping[str, Document]


def render(snapshot: Snapshot, where: Where) -> dict[str, tuple[str, bytes]]:
    """Media type and bytes by name: `index.html`, `history.html`, `history.rss`, `history.atom`, `api/v2/…`."""
    now, snapshot = snapshot.within(MOST_NOW), snapshot.within(MOST_TEXT)
    found: dict[str, tuple[str, str]] = {
        "index.html": (HTML, _page("page.html", now, where)),
        "history.html": (HTML, _page("history.html", snapshot, where)),
        "history.rss": (RSS, feeds.rss(snapshot, where.url, where.rss_url or where.rss)),
        "history.atom": (ATOM, feeds.atom(snapshot, where.url, where.atom_url or where.atom)),
    }
    for name, document in wire_statuspage.documents(snapshot, where.url).items():
        found[f"api/v2/{name}"] = (JSON, json.dumps(document, ensure_ascii=False, separators=(",", ":")))
    return {name: (kind, text.encode("utf-8", "replace")) for name, (kind, text) in found.items()}


@cache
def style() -> str:
    """The pages' style sheet; it goes into them, so that nothing else has to be fetched."""
    return (_FOLDER / "status.css").read_text(encoding="utf-8")


@cache
def content_security_policy() -> str:
    """Nothing but this style sheet, by its hash."""
    digest = base64.b64encode(sha256(style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    )


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(words=words, when=_when, iso=rfc3339, percent=_percent)
    made.globals.update(history_days=HISTORY_DAYS)
    return made


def _page(template: str, snapshot: Snapshot, where: Where) -> str:
    word, sentence = snapshot.indicator
    html = (
        _environment()
        .get_template(template)
        .render(
            snapshot=snapshot,
            page=snapshot.page,
            where=where,
            word=word,
            sentence=sentence if snapshot.components else "No components are described yet",
            names=snapshot.names,
            groups=snapshot.groups(),
            bars=_bars(snapshot),
            open_incidents=snapshot.open_incidents[:MOST_RECENT],
            days=_days(snapshot),
            months=_months(snapshot),
            planned=snapshot.planned,
        )
    )
    # No text of anybody's can hold the mark: its angle brackets would be escaped.
    return html.replace(_STYLE, f"<style>{style()}</style>", 1)


@dataclass(frozen=True)
class Bar:
    """Days in a row that are alike: where they begin, how many they are, and what they were."""

    x: int
    width: int
    kind: str
    label: str


def _bars(snapshot: Snapshot) -> dict[str, list[Bar]]:
    """By component."""
    found: dict[str, list[Bar]] = {}
    room = MOST_LABELS
    for one in snapshot.components:
        found[one.component.id] = _bars_of(one, labelled=room > 0)
        room -= len(found[one.component.id])
    return found


def _bars_of(shown: Shown, *, labelled: bool) -> list[Bar]:
    """Days in a row with the same state as one bar: a calm quarter costs a few bytes."""
    found, x = [], 0
    for state, run in groupby(shown.days, key=lambda one: one.state):
        alike = list(run)
        pieces = [[one] for one in alike] if labelled and state not in (None, State.OPERATIONAL) else [alike]
        for piece in pieces:
            label = _label(piece) if labelled else ""
            found.append(Bar(x, len(piece), state.value if state else "none", label))
            x += len(piece)
    return found


def _label(alike: Sequence[Day]) -> str:
    first, last = alike[0], alike[-1]
    when = _day(first.day) if first is last else f"{_day(first.day)} to {_day(last.day)}"
    if first.state is None:
        return f"{when}: not there yet"
    if first.state is State.OPERATIONAL:
        return f"{when}: operational"
    lengths = ", ".join(
        f"{words(state)} {_length(seconds)}"
        for state, seconds in first.seconds.items()
        if state is not State.OPERATIONAL
    )
    return f"{when}: {lengths}"


def _length(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"


def _days(snapshot: Snapshot) -> list[tuple[str, list[Told]]]:
    """What the last two weeks told, by day of their beginning, the newest first; open incidents stand above it."""
    since = snapshot.at - RECENT
    recent = [
        one
        for one in snapshot.incidents
        if not one.is_open and (one.incident.resolved_at or one.incident.started_at) >= since
    ]
    return list(_by(recent[:MOST_RECENT], lambda at: _day(at.date())))


def _months(snapshot: Snapshot) -> list[tuple[str, list[Told]]]:
    return list(_by(snapshot.incidents, lambda at: f"{at:%B %Y}"))


def _by(told: Sequence[Told], name: Any) -> Iterator[tuple[str, list[Told]]]:
    for title, found in groupby(told, key=lambda one: str(name(one.incident.started_at.astimezone(UTC)))):
        yield title, list(found)


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def _when(at: datetime) -> str:
    return f"{at.day} {at:%b %Y, %H:%M} UTC"


def _percent(share: float | None) -> str:
    """Cut, not rounded: 99.999 % with a fault in it is not 100 %."""
    if share is None:
        return "no history yet"
    return "100 %" if share >= 1 else f"{int(share * 100_000) / 1_000:.3f} %"
