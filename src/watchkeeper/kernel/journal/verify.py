"""The journal in a database, as rows for the verifier."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Text, select, type_coerce
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import rfc3339
from watchkeeper.kernel.journal.tables import journal, journal_head, journal_private
from watchkeeper.kernel.journal.verifier import ChainBroken, Checkpoint, Verified, verify

_PAGE = 5_000

__all__ = ["ChainBroken", "Verified", "sealed_rows", "verify_chain"]


def verify_chain(session: Session, checkpoints: Sequence[Checkpoint] = ()) -> Verified:
    """Check every row of the session's snapshot, its private values and the head. Raises ChainBroken.

    About 100,000 rows a second on one core; memory does not grow with the journal.
    """
    head = session.execute(select(journal_head.c.seq, journal_head.c.hash).where(journal_head.c.id == 1)).one_or_none()
    return verify(sealed_rows(session), checkpoints, head=(head.seq, head.hash) if head else (0, "missing"))


def sealed_rows(session: Session, *, after: int = 0, until: int | None = None) -> Iterator[dict[str, Any]]:
    """Rows after a seq in its order, with `at` as text and what is still kept of their private values."""
    columns = _columns(session)
    while True:
        query = select(*columns).where(journal.c.seq > after).order_by(journal.c.seq).limit(_PAGE)
        if until is not None:
            query = query.where(journal.c.seq <= until)
        page = session.execute(query).mappings().all()
        if not page:
            return
        private = _private(session, page[0]["seq"], page[-1]["seq"])
        for row in page:
            at = row["at"]
            written = rfc3339(at) if isinstance(at, datetime) else at
            yield {**row, "at": written, "private": private.get(row["seq"], {})}
        after = page[-1]["seq"]


def _columns(session: Session) -> list[ColumnElement[Any]]:
    """On SQLite the instant as it stands there: what somebody made of it may be none."""
    is_text = session.get_bind().dialect.name == "sqlite"
    return [
        type_coerce(column, Text).label(column.name) if is_text and column.name == "at" else column
        for column in journal.columns
    ]


def _private(session: Session, first: int, last: int) -> dict[int, dict[str, dict[str, str]]]:
    held = journal_private
    found: dict[int, dict[str, dict[str, str]]] = defaultdict(dict)
    for row in session.execute(select(held).where(held.c.seq.between(first, last))):
        found[row.seq][row.name] = {"value": row.value, "salt": row.salt}
    return found
