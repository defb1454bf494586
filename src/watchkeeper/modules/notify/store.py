"""All SQL of channels, contacts and rules."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.modules.notify.model import LOOPBACK, Channel, ChannelKind, Contact, Preferences, Reach, Rule
from watchkeeper.modules.notify.tables import channels, contacts, people


def all_channels(session: Session) -> list[Channel]:
    """By name."""
    return [_channel(row) for row in session.execute(select(channels).order_by(channels.c.name))]


def channel(session: Session, channel_id: str, *, lock: bool = False) -> Channel | None:
    """By its id."""
    if channel_id == LOOPBACK.id:
        return LOOPBACK
    return _one_channel(session, channels.c.id == channel_id, lock)


def channel_named(session: Session, name: str, *, lock: bool = False) -> Channel | None:
    """By its name."""
    if name == LOOPBACK.name:
        return LOOPBACK
    return _one_channel(session, channels.c.name == name, lock)


def sealed_secrets(session: Session, channel_id: str) -> str | None:
    """As they are stored."""
    return session.execute(select(channels.c.secrets).where(channels.c.id == channel_id)).scalar_one_or_none()


def put_channel(session: Session, one: Channel, secrets: str | None) -> None:
    """Write all of it."""
    values = {
        "id": one.id,
        "name": one.name,
        "kind": one.kind,
        "settings": dict(one.settings),
        "secrets": secrets,
        "secrets_set": list(one.secrets_set),
        "misses": one.misses,
        "degraded_since": one.degraded_since,
        "last_sent_at": one.last_sent_at,
        "last_answer": one.last_answer,
        "version": one.version,
        "updated_at": one.updated_at,
        "updated_by": one.updated_by,
    }
    statement = insert_for(session, channels).values(values)
    session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))


def set_health(
    session: Session,
    channel_id: str,
    *,
    misses: int,
    degraded_since: datetime | None,
    sent_at: datetime | None,
    answer: str,
) -> None:
    """What became of the last message over a channel."""
    values: dict[str, Any] = {"misses": misses, "degraded_since": degraded_since, "last_answer": answer[:200]}
    if sent_at is not None:
        values["last_sent_at"] = sent_at
    session.execute(update(channels).where(channels.c.id == channel_id).values(values))


def remove_channel(session: Session, channel_id: str) -> None:
    session.execute(delete(channels).where(channels.c.id == channel_id))


def degraded(session: Session) -> set[str]:
    """Ids of channels that miss."""
    return set(session.execute(select(channels.c.id).where(channels.c.degraded_since.is_not(None))).scalars())


def contacts_of(session: Session, person_id: str) -> list[Contact]:
    """In the order in which they were added."""
    rows = session.execute(
        select(contacts).where(contacts.c.person_id == person_id).order_by(contacts.c.created_at, contacts.c.id)
    )
    return [_contact(row) for row in rows]


def contact(session: Session, contact_id: str) -> Contact | None:
    row = contact_row(session, contact_id)
    return None if row is None else _contact(row)


def contact_row(session: Session, contact_id: str, *, lock: bool = False) -> Row[Any] | None:
    """With what is sealed and its code."""
    wanted = select(contacts).where(contacts.c.id == contact_id)
    return session.execute(wanted.with_for_update() if lock else wanted).one_or_none()


def sealed_contacts(session: Session, channel_id: str) -> list[Row[Any]]:
    """Everybody's on a channel, with what is sealed."""
    return list(session.execute(select(contacts).where(contacts.c.channel_id == channel_id)).all())


def add_contact(session: Session, one: Contact, address: str) -> None:
    """`address` is sealed."""
    session.execute(
        contacts.insert().values(
            id=one.id,
            person_id=one.person_id,
            channel_id=one.channel_id,
            label=one.label,
            hint=one.hint,
            address=address,
            created_at=one.created_at,
            verified_at=one.verified_at,
            code_tries=0,
            codes_sent=[],
        )
    )


def change_contact(session: Session, contact_id: str, **values: Any) -> None:
    session.execute(update(contacts).where(contacts.c.id == contact_id).values(values))


def remove_contact(session: Session, contact_id: str) -> None:
    session.execute(delete(contacts).where(contacts.c.id == contact_id))


def uses_of(session: Session, channel_id: str) -> int:
    """How many contacts a channel has."""
    counted = select(func.count()).select_from(contacts).where(contacts.c.channel_id == channel_id)
    return int(session.execute(counted).scalar_one())


def reach(session: Session, person_ids: Collection[str]) -> dict[str, Reach]:
    """Whether these people can be reached; everybody that was asked about is in the answer."""
    rows = session.execute(
        select(contacts.c.person_id, contacts.c.verified_at, channels.c.kind)
        .join(channels, channels.c.id == contacts.c.channel_id)
        .where(contacts.c.person_id.in_(sorted(person_ids)))
    ).all()
    found = {}
    for person_id in person_ids:
        mine = [row for row in rows if row.person_id == person_id]
        kinds = tuple(sorted({row.kind for row in mine if row.verified_at is not None}))
        verified = sum(row.verified_at is not None for row in mine)
        found[person_id] = Reach(verified, len(mine) - verified, kinds)
    return found


def rules_of(session: Session, person_id: str) -> tuple[tuple[Rule, ...], Preferences]:
    """A person's rules and quiet hours; empty ones for who said nothing."""
    row = session.execute(select(people).where(people.c.person_id == person_id)).one_or_none()
    if row is None:
        return (), Preferences(person_id=person_id)
    rules = tuple(
        Rule(urgency=one["urgency"], contact_id=one["contact_id"], after=timedelta(seconds=one["after_seconds"]))
        for one in row.rules
    )
    return rules, Preferences(
        person_id=person_id,
        time_zone=row.time_zone,
        quiet_from=_time(row.quiet_from),
        quiet_until=_time(row.quiet_until),
    )


def put_rules(session: Session, rules: Sequence[Rule], preferences: Preferences, *, at: datetime) -> None:
    values = {
        "person_id": preferences.person_id,
        "rules": stored_rules(rules),
        "time_zone": preferences.time_zone,
        "quiet_from": _text(preferences.quiet_from),
        "quiet_until": _text(preferences.quiet_until),
        "updated_at": at,
    }
    statement = insert_for(session, people).values(values)
    session.execute(statement.on_conflict_do_update(index_elements=["person_id"], set_=values))


def stored_rules(rules: Sequence[Rule]) -> list[Mapping[str, Any]]:
    """As JSON values."""
    return [
        {"urgency": one.urgency, "contact_id": one.contact_id, "after_seconds": int(one.after.total_seconds())}
        for one in rules
    ]


def _one_channel(session: Session, where: Any, lock: bool) -> Channel | None:
    wanted = select(channels).where(where)
    row = session.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    return None if row is None else _channel(row)


def _channel(row: Row[Any]) -> Channel:
    return Channel(
        id=row.id,
        name=row.name,
        kind=ChannelKind(row.kind),
        settings=row.settings,
        secrets_set=tuple(row.secrets_set),
        misses=row.misses,
        degraded_since=row.degraded_since,
        last_sent_at=row.last_sent_at,
        last_answer=row.last_answer,
        version=row.version,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
    )


def _contact(row: Row[Any]) -> Contact:
    return Contact(
        id=row.id,
        person_id=row.person_id,
        channel_id=row.channel_id,
        label=row.label,
        hint=row.hint,
        created_at=row.created_at,
        verified_at=row.verified_at,
    )


def _time(text: str | None) -> time | None:
    return None if text is None else time.fromisoformat(text)


def _text(value: time | None) -> str | None:
    return None if value is None else value.strftime("%H:%M")
