"""The record as an auditor reads it: the timeline's facts with their numbers and where they came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import orjson
from pydantic import Field
from sqlalchemy.orm import Session

from watchkeeper.app.timeline.tail import read_told
from watchkeeper.app.timeline.views import FactView
from watchkeeper.kernel.clock import rfc3339
from watchkeeper.kernel.journal import FactFilter
from watchkeeper.kernel.journal.store import private_values
from watchkeeper.kernel.web.csv_table import csv_text
from watchkeeper.kernel.web.paging import Page, decode_cursor, page_of

# One export answers at most so many facts; the whole record leaves as the sealed export.
LARGEST_EXPORT = 100_000
_PAGE = 1_000
_COLUMNS = ("seq", "at", "who", "actor", "from", "address", "what", "kind", "service", "subject", "old to new",
            "reason", "trace id")  # fmt: skip


class Entry(FactView):
    """A fact with what only auditors see."""

    seq: int = Field(description="Its number in the sealed journal, which `audit verify` names.")
    address: str | None = Field(description="Network address it came from; null once forgotten.")


def read_entries(session: Session, wanted: FactFilter, limit: int, cursor: str | None) -> Page[Entry]:
    """One page, newest first. Raises BadCursor."""
    before = decode_cursor(cursor, int) if cursor else None
    return page_of(_entries(session, replace(wanted, before_seq=before), limit + 1), limit, lambda entry: entry.seq)


def all_entries(session: Session, wanted: FactFilter) -> Iterator[Entry]:
    """At most 100,000 of them, newest first."""
    before, left = wanted.before_seq, LARGEST_EXPORT
    while left > 0 and (page := _entries(session, replace(wanted, before_seq=before), min(_PAGE, left))):
        yield from page
        before, left = page[-1].seq, left - len(page)


def entries_as_csv(entries: Iterable[Entry]) -> str:
    """One row a fact; no cell starts a formula."""
    return csv_text(_COLUMNS, (_row(entry) for entry in entries))


def entries_as_ndjson(entries: Iterable[Entry]) -> bytes:
    """One JSON object a line, as the API gives them."""
    return b"".join(orjson.dumps(entry.model_dump(mode="json")) + b"\n" for entry in entries)


def _entries(session: Session, wanted: FactFilter, limit: int) -> list[Entry]:
    told = read_told(session, wanted, limit=limit, newest_first=True)
    private = private_values(session, (one.fact.seq for one in told)) if told else {}
    found = []
    for one in told:
        fields = FactView.of(one).model_dump()
        known = private.get(one.fact.seq, {})
        reason = fields["reason"] or known.get("reason")
        more = {"seq": one.fact.seq, "address": known.get("address"), "reason": reason}
        found.append(Entry.model_validate({**fields, **more}))
    return found


def _row(entry: Entry) -> list[Any]:
    changes = "; ".join(f"{change.field}: {change.before} → {change.after}" for change in entry.changes)
    subject = f"{entry.subject_type} {entry.subject_id}" if entry.subject_id else None
    # The number goes as a number; everything that somebody may have typed goes through the guard against formulas.
    return [
        entry.seq,
        rfc3339(entry.at),
        entry.actor_name,
        entry.actor,
        entry.source,
        entry.address,
        entry.sentence,
        entry.kind,
        entry.service,
        subject,
        changes,
        entry.reason,
        entry.trace_id,
    ]
