"""Appending facts and reading them back."""

from __future__ import annotations

import dataclasses
import json
import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, bindparam, delete, insert, or_, select, update
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import require_utc, rfc3339
from watchkeeper.kernel.errors import Invalid
from watchkeeper.kernel.journal.model import Event, Fact
from watchkeeper.kernel.journal.origin import current_origin
from watchkeeper.kernel.journal.tables import journal, journal_head, journal_private
from watchkeeper.kernel.journal.verifier import canonical_json, commitment, row_hash

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
    subjects: tuple[str, ...] = ()
    address: str | None = None


def append(
    session: Session,
    event: Event,
    *,
    by: str,
    source: str,
    at: datetime,
    trace_id: str | None = None,
    private: Mapping[str, str] | None = None,
) -> int:
    """Write the fact in the caller's transaction and answer its `seq`: without the row, the change does not happen.

    `by` is an actor's id, `source` where the act came from (`api`, `console`, `cli`, `worker`). `private` are values
    that may have to be forgotten one day: the sealed row holds only commitments to them. The address of the request
    that is being served is one of them. Raises FactRefused for data that is no finite JSON or larger than 64 KB.
    """
    data = _canonical(event)
    origin = current_origin()
    connection = session.connection()
    held = connection.execute(_LOCK_HEAD).one()
    seq: int = held.seq + 1
    subject = event.subject()
    row = {
        "seq": seq,
        "at": rfc3339(at),
        "actor": by,
        "source": source,
        "kind": event.kind,
        "version": event.version,
        "service": event.service(),
        "subject_type": subject.type if subject else None,
        "subject_id": subject.id if subject else None,
        "data": data,
        "trace_id": trace_id or origin.trace_id,
        "commitments": _commit(session, seq, origin.private() | dict(private or {})),
    }
    sealed = row_hash(held.hash, row)
    connection.execute(_ADD, row | {"at": require_utc(at), "prev_hash": held.hash, "hash": sealed})
    connection.execute(_MOVE_HEAD, {"new_seq": seq, "new_hash": sealed})
    return seq


def take_turn(session: Session) -> None:
    """Wait for the turn in which facts are written, and keep it until the transaction ends.

    For a verb that decides by what others may be deciding at the same moment: whoever takes the turn first and locks
    rows only then can't wait in a circle with anybody who appends a fact. On SQLite a write transaction has it anyway.
    """
    session.connection().execute(_LOCK_HEAD).one()


# Made once: every change of state passes here, under a lock that the others wait for.
_LOCK_HEAD = select(journal_head.c.seq, journal_head.c.hash).where(journal_head.c.id == 1).with_for_update()
_ADD = insert(journal)
_MOVE_HEAD = (
    update(journal_head).where(journal_head.c.id == 1).values(seq=bindparam("new_seq"), hash=bindparam("new_hash"))
)


def private_values(session: Session, seqs: Iterable[int]) -> dict[int, dict[str, str]]:
    """What is still kept in clear beside these facts, such as `address`; a fact without any is left out."""
    rows = session.execute(select(journal_private).where(journal_private.c.seq.in_(sorted(set(seqs)))))
    found: dict[int, dict[str, str]] = defaultdict(dict)
    for row in rows:
        found[row.seq][row.name] = row.value
    return dict(found)


def forget_private(session: Session, *, before: datetime | None = None, actor: str | None = None) -> int:
    """Delete private values and their salts, of facts before an instant or by an actor; the chain still verifies.

    Answers how many values went.
    """
    conditions = [condition for condition in (_before(before), _by(actor)) if condition is not None]
    if not conditions:
        raise ValueError("say whose, or from before when")
    seqs = select(journal.c.seq).where(*conditions)
    gone = session.execute(delete(journal_private).where(journal_private.c.seq.in_(seqs)))
    return int(cast("CursorResult[Any]", gone).rowcount)


def _before(instant: datetime | None) -> ColumnElement[bool] | None:
    return None if instant is None else journal.c.at < instant


def _by(actor: str | None) -> ColumnElement[bool] | None:
    return None if actor is None else journal.c.actor == actor


def _commit(session: Session, seq: int, private: Mapping[str, str]) -> str | None:
    if not private:
        return None
    committed = {}
    for name, value in private.items():
        salt = secrets.token_hex(32)
        session.execute(insert(journal_private).values(seq=seq, name=name, value=value, salt=salt))
        committed[name] = commitment(seq, name, value, salt)
    return canonical_json(committed)


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
    if wanted.subjects:
        yield journal.c.subject_id.in_(wanted.subjects)
    if wanted.address is not None:
        known = (journal_private.c.name == "address") & (journal_private.c.value == wanted.address)
        yield journal.c.seq.in_(select(journal_private.c.seq).where(known))
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
        text = canonical_json(event.data())
        size = len(text.encode())
    except (TypeError, ValueError) as error:
        raise FactRefused(f"The data of {event.kind} is not finite JSON: {error}.") from None
    if "\\u0000" in text:
        raise FactRefused(f"The data of {event.kind} holds a NUL character.")
    if size > LARGEST_DATA:
        raise FactRefused(f"The data of {event.kind} is larger than {LARGEST_DATA // 1024} KB.")
    return text


def _fact(row: Any) -> Fact:
    return Fact(**{name: row[name] for name in _FACT} | {"data": json.loads(row["data"])})


_FACT = [field.name for field in dataclasses.fields(Fact)]
