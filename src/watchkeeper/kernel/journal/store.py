"""Appending facts and reading them back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, insert, or_, select, update
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import require_utc
from watchkeeper.kernel.errors import Invalid
from watchkeeper.kernel.journal.model import Event, Fact
from watchkeeper.kernel.journal.tables import journal, journal_head

LARGEST_DATA = 64 * 1024
LARGEST_PAGE = 1_000


class FactRefused(Invalid):
    code = "kernel.fact_refused"
    title = "The fact can't be written"


@dataclass(frozen=True)
class FactFilter:
    """Which facts; an empty field asks for all. A kind that ends in a dot, such as `catalog.`, is a prefix."""

    services: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    before_seq: int | None = None
    after_seq: int | None = None


def append(session: Session, event: Event, *, by: str, source: str, at: datetime, trace_id: str | None = None) -> int:
    """Write the fact in the caller's transaction and answer its `seq`: without the row, the change does not happen.

    `by` is an actor's id, `source` where the act came from (`api`, `console`, `cli`, `worker`). Raises FactRefused for
    data that is no finite JSON or larger than 64 KB.
    """
    data = _canonical(event)
    seq: int = session.execute(
        update(journal_head)
        .where(journal_head.c.id == 1)
        .values(seq=journal_head.c.seq + 1)
        .returning(journal_head.c.seq)
    ).scalar_one()
    subject = event.subject()
    session.execute(
        insert(journal).values(
            seq=seq,
            at=require_utc(at),
            actor=by,
            source=source,
            kind=event.kind,
            version=event.version,
            service=event.service(),
            subject_type=subject.type if subject else None,
            subject_id=subject.id if subject else None,
            data=data,
            trace_id=trace_id,
        )
    )
    return seq


def read_facts(session: Session, wanted: FactFilter, *, limit: int = 100, newest_first: bool = True) -> list[Fact]:
    """At most `limit` facts (no more than 1,000), in order of `seq`."""
    order = journal.c.seq.desc() if newest_first else journal.c.seq.asc()
    rows = session.execute(
        select(journal).where(*_conditions(wanted)).order_by(order).limit(min(limit, LARGEST_PAGE))
    ).mappings()
    return [_fact(row) for row in rows]


def head(session: Session) -> int:
    """The newest `seq`; 0 while nothing has happened."""
    seq: int = session.execute(select(journal_head.c.seq)).scalar_one()
    return seq


def _conditions(wanted: FactFilter) -> Iterable[ColumnElement[bool]]:
    if wanted.services:
        yield journal.c.service.in_(wanted.services)
    if wanted.kinds:
        yield or_(*(_kind(kind) for kind in wanted.kinds))
    if wanted.actors:
        yield journal.c.actor.in_(wanted.actors)
    if wanted.since is not None:
        yield journal.c.at >= wanted.since
    if wanted.until is not None:
        yield journal.c.at < wanted.until
    if wanted.before_seq is not None:
        yield journal.c.seq < wanted.before_seq
    if wanted.after_seq is not None:
        yield journal.c.seq > wanted.after_seq


def _kind(kind: str) -> ColumnElement[bool]:
    return journal.c.kind.startswith(kind, autoescape=True) if kind.endswith(".") else journal.c.kind == kind


def _canonical(event: Event) -> str:
    try:
        text = json.dumps(event.data(), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise FactRefused(f"The data of {event.kind} is not finite JSON: {error}.") from None
    if "\\u0000" in text:
        raise FactRefused(f"The data of {event.kind} holds a NUL character.")
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST_DATA:
        raise FactRefused(f"The data of {event.kind} is larger than {LARGEST_DATA // 1024} KB.")
    return text


def _fact(row: Any) -> Fact:
    return Fact(**{**row, "data": json.loads(row["data"])})
