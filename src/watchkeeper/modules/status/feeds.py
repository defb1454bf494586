"""The history as RSS 2.0 and Atom: one entry for each incident and maintenance, written anew when it changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from html import escape
from xml.sax.saxutils import escape as xml
from xml.sax.saxutils import quoteattr

from watchkeeper.kernel.clock import rfc3339
from watchkeeper.modules.status.letters import words
from watchkeeper.modules.status.model import Maintenance
from watchkeeper.modules.status.snapshot import Snapshot, Told

MOST = 50


@dataclass(frozen=True)
class Entry:
    """One of a feed; `html` is escaped already."""

    id: str
    title: str
    html: str
    published: datetime
    updated: datetime


def entries(snapshot: Snapshot) -> list[Entry]:
    """The newest change first."""
    found = [_of_incident(one) for one in snapshot.incidents]
    found += [_of_maintenance(one, snapshot.at) for one in snapshot.maintenances]
    return sorted(found, key=lambda one: (one.updated, one.id), reverse=True)[:MOST]


def rss(snapshot: Snapshot, page_url: str, feed_url: str) -> str:
    """As RSS 2.0."""
    items = "".join(
        f"<item><title>{_text(one.title)}</title><description>{_text(one.html)}</description>"
        f"<pubDate>{format_datetime(one.updated, usegmt=True)}</pubDate>"
        f'<link>{_text(page_url)}#{one.id}</link><guid isPermaLink="false">{one.id}</guid></item>\n'
        for one in entries(snapshot)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel>'
        f"<title>{_text(snapshot.page.title)}: history</title><link>{_text(page_url)}</link>"
        f"<description>Incidents and maintenance of {_text(snapshot.page.title)}</description>"
        f'<atom:link href={_attribute(feed_url)} rel="self" type="application/rss+xml"/>\n'
        f"{items}</channel></rss>\n"
    )


def atom(snapshot: Snapshot, page_url: str, feed_url: str) -> str:
    """As Atom (RFC 4287)."""
    found = entries(snapshot)
    # Of a page on which nothing has happened yet, since its components are there: a feed changes when it does.
    begun = min((one.component.created_at for one in snapshot.components), default=snapshot.at)
    updated = max((one.updated for one in found), default=begun)
    items = "".join(
        f"<entry><id>{_text(page_url)}#{one.id}</id><title>{_text(one.title)}</title>"
        f"<published>{rfc3339(one.published)}</published><updated>{rfc3339(one.updated)}</updated>"
        f'<link rel="alternate" type="text/html" href={_attribute(f"{page_url}#{one.id}")}/>'
        f'<content type="html">{_text(one.html)}</content></entry>\n'
        for one in found
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
        f"<id>{_text(page_url)}</id><title>{_text(snapshot.page.title)}: history</title>"
        f"<updated>{rfc3339(updated)}</updated><author><name>{_text(snapshot.page.title)}</name></author>"
        f'<link rel="self" type="application/atom+xml" href={_attribute(feed_url)}/>'
        f'<link rel="alternate" type="text/html" href={_attribute(page_url)}/>\n'
        f"{items}</feed>\n"
    )


def _of_incident(told: Told) -> Entry:
    one = told.incident
    said = "".join(
        f"<p><strong>{update.stage.value.capitalize()}</strong> "
        f"<small>{update.happened_at:%Y-%m-%d %H:%M} UTC{' (edited)' if update.edited_at else ''}</small><br>"
        f"{_lines(update.body)}</p>"
        for update in told.shown
    )
    published = one.published_at or one.created_at
    return Entry(one.id, one.title, said, published, one.updated_at or published)


def _of_maintenance(one: Maintenance, now: datetime) -> Entry:
    when = f"{one.starts_at:%Y-%m-%d %H:%M} to {one.over_at:%Y-%m-%d %H:%M} UTC"
    word = "Cancelled maintenance" if one.is_cancelled else "Maintenance"
    said = f"<p><strong>{word}</strong> <small>{when}, {words(one.progress(now))}</small><br>{_lines(one.body)}</p>"
    if one.is_cancelled:
        said = f"<p><strong>{word}</strong> <small>{when}</small><br>{_lines(one.body)}</p>"
    return Entry(one.id, f"{word}: {one.title}", said, one.created_at, one.changed_at(now))


def _lines(text: str) -> str:
    return "<br>".join(escape(line) for line in text.splitlines())


def _text(text: str) -> str:
    return xml(_allowed(text))


def _attribute(text: str) -> str:
    return quoteattr(_allowed(text))


def _allowed(text: str) -> str:
    """What XML 1.0 may hold at all."""
    return "".join(
        one if one in "\t\n\r" or (ord(one) >= 32 and ord(one) not in (0xFFFE, 0xFFFF)) else " " for one in text
    )
