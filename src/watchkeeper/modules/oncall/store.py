"""SQL of schedules, policies, overrides, swaps and calendar links."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.modules.oncall.definition import Schedule
from watchkeeper.modules.oncall.model import Override, Roster
from watchkeeper.modules.oncall.policy import Policy
from watchkeeper.modules.oncall.tables import calendar_links, definitions, overrides, swaps

ManagedBy = Literal["console", "api", "ops"]
SwapState = Literal["asked", "accepted", "declined", "withdrawn"]
ContentT = TypeVar("ContentT", Schedule, Policy)
_KINDS: Mapping[type[Any], str] = {Schedule: "schedule", Policy: "policy"}


@dataclass(frozen=True)
class Stored(Generic[ContentT]):
    """A schedule or a policy as it is kept."""

    id: str
    content: ContentT
    version: int
    managed_by: ManagedBy
    created_at: datetime
    updated_at: datetime
    updated_by: str
    applied: Mapping[str, Any] | None = None
    differs_since: datetime | None = None

    @property
    def name(self) -> str:
        return self.content.name


@dataclass(frozen=True)
class KeptOverride:
    """An override as it is kept; `number` grows with each that is made for a schedule."""

    id: str
    schedule_id: str
    number: int
    who: str
    instead_of: str | None
    since: datetime
    until: datetime
    reason: str
    swap_id: str | None
    created_by: str
    created_at: datetime
    withdrawn_at: datetime | None = None

    @property
    def meaning(self) -> Override:
        return Override(self.id, self.who, self.since, self.until, self.instead_of)


@dataclass(frozen=True)
class Swap:
    """`asker` gives away a stretch of theirs and, where it says so, takes one of `other`'s for it."""

    id: str
    schedule_id: str
    asker: str
    other: str
    gives_since: datetime
    gives_until: datetime
    takes_since: datetime | None
    takes_until: datetime | None
    reason: str
    state: SwapState
    asked_at: datetime
    decided_at: datetime | None = None


@dataclass(frozen=True)
class CalendarLink:
    """Lets calendars read schedules in a person's name, until it is revoked."""

    id: str
    person: str
    name: str
    created_at: datetime
    revoked_at: datetime | None = None


# --- schedules and policies ---


def all_of(session: Session, model: type[ContentT]) -> list[Stored[ContentT]]:
    """Every schedule or policy by name."""
    query = select(definitions).where(definitions.c.kind == _KINDS[model]).order_by(definitions.c.name)
    return [_stored(model, row) for row in session.execute(query)]


def by_name(session: Session, model: type[ContentT], name: str, *, lock: bool = False) -> Stored[ContentT] | None:
    """The one of this name; with `lock`, nobody else changes it until the transaction ends."""
    query = select(definitions).where(definitions.c.kind == _KINDS[model], definitions.c.name == name)
    row = session.execute(query.with_for_update() if lock else query).first()
    return None if row is None else _stored(model, row)


def schedule_by_id(session: Session, schedule_id: str) -> Stored[Schedule] | None:
    """The schedule of this id, whatever it is called now."""
    row = session.execute(select(definitions).where(definitions.c.id == schedule_id)).first()
    return None if row is None or row.kind != "schedule" else _stored(Schedule, row)


def add(session: Session, stored: Stored[ContentT]) -> bool:
    """Insert one; False when the name is taken."""
    statement = insert_for(session, definitions).values(_columns(stored)).on_conflict_do_nothing()
    return session.execute(statement.returning(definitions.c.id)).first() is not None


def change(session: Session, stored: Stored[ContentT]) -> None:
    """Replace one."""
    session.execute(update(definitions).where(definitions.c.id == stored.id).values(_columns(stored)))


def remove(session: Session, one_id: str) -> None:
    """Delete a schedule or a policy; a schedule's overrides and open swaps go with it."""
    session.execute(delete(overrides).where(overrides.c.schedule_id == one_id))
    session.execute(delete(swaps).where(swaps.c.schedule_id == one_id))
    session.execute(delete(definitions).where(definitions.c.id == one_id))


def rosters(
    session: Session, *, since: datetime | None = None, until: datetime | None = None, only: str | None = None
) -> dict[str, Roster]:
    """Every schedule, or `only` that of a name, with its overrides that touch [since, until)."""
    kept = all_of(session, Schedule)
    if only is not None:
        kept = [one for one in kept if one.name == only]
    by_id: dict[str, list[Override]] = defaultdict(list)
    found = kept_overrides(session, since=since, until=until, schedule_id=kept[0].id if len(kept) == 1 else None)
    for override in found:
        by_id[override.schedule_id].append(override.meaning)
    return {one.name: Roster(one.content, tuple(by_id[one.id])) for one in kept}


# --- overrides ---


def kept_overrides(
    session: Session,
    *,
    schedule_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    swap_id: str | None = None,
) -> list[KeptOverride]:
    """Overrides that hold, in the order in which they were made."""
    query = select(overrides).where(overrides.c.withdrawn_at.is_(None)).order_by(overrides.c.number, overrides.c.id)
    if schedule_id is not None:
        query = query.where(overrides.c.schedule_id == schedule_id)
    if since is not None:
        query = query.where(overrides.c.until > since)
    if until is not None:
        query = query.where(overrides.c.since < until)
    if swap_id is not None:
        query = query.where(overrides.c.swap_id == swap_id)
    return [KeptOverride(**row._mapping) for row in session.execute(query)]


def override(session: Session, override_id: str, *, lock: bool = False) -> KeptOverride | None:
    """One override, taken back or not."""
    query = select(overrides).where(overrides.c.id == override_id)
    row = session.execute(query.with_for_update() if lock else query).first()
    return None if row is None else KeptOverride(**row._mapping)


def next_number(session: Session, schedule_id: str) -> int:
    """Of the next override of a schedule, which the caller holds locked."""
    last = session.scalar(select(func.max(overrides.c.number)).where(overrides.c.schedule_id == schedule_id))
    return 1 + (last or 0)


def add_override(session: Session, one: KeptOverride) -> None:
    """Insert an override."""
    session.execute(insert(overrides).values(vars(one)))


def end_override(session: Session, override_id: str, *, until: datetime | None, withdrawn_at: datetime | None) -> None:
    """Let an override end earlier, or take it back."""
    values = {"withdrawn_at": withdrawn_at} if until is None else {"until": until}
    session.execute(update(overrides).where(overrides.c.id == override_id).values(values))


# --- swaps ---


def swap(session: Session, swap_id: str, *, lock: bool = False) -> Swap | None:
    """One swap."""
    query = select(swaps).where(swaps.c.id == swap_id)
    row = session.execute(query.with_for_update() if lock else query).first()
    return None if row is None else Swap(**row._mapping)


def all_swaps(session: Session, *, schedule_id: str | None = None, state: SwapState | None = None) -> list[Swap]:
    """Swaps, the newest first."""
    query = select(swaps).order_by(swaps.c.asked_at.desc(), swaps.c.id).limit(200)
    if schedule_id is not None:
        query = query.where(swaps.c.schedule_id == schedule_id)
    if state is not None:
        query = query.where(swaps.c.state == state)
    return [Swap(**row._mapping) for row in session.execute(query)]


def add_swap(session: Session, one: Swap) -> None:
    """Insert a swap."""
    session.execute(insert(swaps).values(vars(one)))


def decide_swap(session: Session, swap_id: str, state: SwapState, at: datetime) -> None:
    """Note what came of a swap."""
    session.execute(update(swaps).where(swaps.c.id == swap_id).values(state=state, decided_at=at))


# --- calendar links ---


def add_link(session: Session, link: CalendarLink, digest: str) -> None:
    """Insert a link; of its secret only the digest."""
    session.execute(insert(calendar_links).values({**vars(link), "digest": digest}))


def link(session: Session, link_id: str) -> CalendarLink | None:
    """One link."""
    return _link(session.execute(select(calendar_links).where(calendar_links.c.id == link_id)).first())


def link_by_digest(session: Session, digest: str) -> CalendarLink | None:
    """The link whose secret has this digest."""
    return _link(session.execute(select(calendar_links).where(calendar_links.c.digest == digest)).first())


def links_of(session: Session, person: str) -> list[CalendarLink]:
    """A person's links that work, the newest first."""
    query = select(calendar_links).where(calendar_links.c.person == person, calendar_links.c.revoked_at.is_(None))
    rows = session.execute(query.order_by(calendar_links.c.created_at.desc(), calendar_links.c.id))
    return [found for row in rows if (found := _link(row)) is not None]


def revoke_link(session: Session, link_id: str, at: datetime) -> None:
    """From now on the link reads nothing."""
    session.execute(update(calendar_links).where(calendar_links.c.id == link_id).values(revoked_at=at))


def _link(row: Any) -> CalendarLink | None:
    return None if row is None else CalendarLink(row.id, row.person, row.name, row.created_at, row.revoked_at)


def _columns(stored: Stored[Any]) -> dict[str, Any]:
    said = {name: value for name, value in vars(stored).items() if name != "content"}
    kind = _KINDS[type(stored.content)]
    return {**said, "kind": kind, "name": stored.name, "content": stored.content.model_dump(mode="json")}


def _stored(model: type[ContentT], row: Any) -> Stored[ContentT]:
    return Stored(
        id=row.id,
        content=model.model_validate(row.content),
        version=row.version,
        managed_by=row.managed_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
        applied=row.applied,
        differs_since=row.differs_since,
    )
