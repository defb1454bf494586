"""All SQL of identity. Every function takes the caller's session and never commits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    LABEL_STYLE_TABLENAME_PLUS_COL,
    CursorResult,
    Executable,
    Row,
    delete,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session as Database

from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.kernel.web.access import Scope
from watchkeeper.modules.identity.model import (
    Duty,
    Link,
    LinkPurpose,
    Person,
    Role,
    Seat,
    Session,
    SignInMethod,
    Tally,
    Token,
    normalise_email,
)
from watchkeeper.modules.identity.tables import links, people, sessions, tallies, tokens

# --- people -----------------------------------------------------------------------------------------------------------


def add_person(db: Database, person: Person, *, seat: Seat | None) -> None:
    """Raises IntegrityError when the e-mail or the seat is taken."""
    key = normalise_email(person.email) if person.email else None
    row = {
        "id": person.id,
        "name": person.name,
        "email": person.email,
        "email_key": key,
        "role": person.role.value,
        "password_hash": person.password_hash,
        "seat": seat.value if seat else None,
        "created_at": person.created_at,
        "duties": sorted(duty.value for duty in person.duties),
        "email_verified_at": person.email_verified_at,
    }
    db.execute(insert(people).values(row))


def person_in(db: Database, seat: Seat) -> Person | None:
    return _person(db.execute(select(people).where(people.c.seat == seat.value)).first())


def has_people(db: Database) -> bool:
    return db.execute(select(people.c.id).limit(1)).first() is not None


def person(db: Database, person_id: str) -> Person | None:
    return _person(db.execute(select(people).where(people.c.id == person_id)).first())


def person_by_email(db: Database, email: str) -> Person | None:
    return _person(db.execute(select(people).where(people.c.email_key == normalise_email(email))).first())


def all_people(db: Database) -> list[Person]:
    rows = db.execute(select(people).order_by(people.c.name, people.c.id))
    return [found for row in rows if (found := _person(row))]


def set_password_hash(db: Database, person_id: str, password_hash: str, *, instead_of: str | None) -> bool:
    """False when another change came first: a rehash must never bring an old password back."""
    same = people.c.password_hash == instead_of
    statement = update(people).where(people.c.id == person_id, same).values(password_hash=password_hash)
    return _changed(db, statement) == 1


def set_email(db: Database, person_id: str, email: str) -> bool:
    """False when somebody else has it. A new address is not verified."""
    key = normalise_email(email)
    holder = db.execute(select(people.c.id).where(people.c.email_key == key)).scalar()
    if holder is not None and holder != person_id:
        return False
    values = {"email": email, "email_key": key, "email_verified_at": None}
    db.execute(update(people).where(people.c.id == person_id).values(values))
    return True


def person_names(db: Database, ids: Sequence[str]) -> dict[str, str]:
    rows = db.execute(select(people.c.id, people.c.name).where(people.c.id.in_(ids)))
    return {row.id: row.name for row in rows}


# --- sessions ---------------------------------------------------------------------------------------------------------


def add_session(db: Database, session: Session, digest: str) -> None:
    db.execute(
        insert(sessions).values(
            id=session.id,
            digest=digest,
            person_id=session.person_id,
            created_at=session.created_at,
            seen_at=session.seen_at,
            device=session.device,
            address=session.address,
            method=session.method.value,
            proved_at=session.proved_at,
        )
    )


def session_by_digest(db: Database, digest: str) -> tuple[Session, Person] | None:
    joined = (
        select(sessions, people)
        .join(people, people.c.id == sessions.c.person_id)
        .set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)
    )
    row = db.execute(joined.where(sessions.c.digest == digest)).first()
    if row is None:
        return None
    fields = row._mapping
    found = _session({name: fields[f"identity_sessions_{name}"] for name in _SESSION_FIELDS})
    return found, _person_of({name: fields[f"identity_people_{name}"] for name in _PERSON_FIELDS})


def sessions_of(db: Database, person_id: str) -> list[Session]:
    """Those that were not ended, newest use first; the caller judges which have expired."""
    wanted = (sessions.c.person_id == person_id) & sessions.c.ended_at.is_(None)
    rows = db.execute(select(sessions).where(wanted).order_by(sessions.c.seen_at.desc(), sessions.c.id))
    return [_session({name: row._mapping[name] for name in _SESSION_FIELDS}) for row in rows]


def has_session_from(db: Database, person_id: str, address: str) -> bool:
    wanted = (sessions.c.person_id == person_id) & (sessions.c.address == address)
    return db.execute(select(sessions.c.id).where(wanted).limit(1)).first() is not None


def end_session(db: Database, session_id: str, person_id: str, now: datetime) -> bool:
    """False when the person has no such session, or it has ended already."""
    open_one = (sessions.c.id == session_id) & (sessions.c.person_id == person_id) & sessions.c.ended_at.is_(None)
    return _changed(db, update(sessions).where(open_one).values(ended_at=now)) == 1


def renew_session(db: Database, session_id: str, digest: str, *, proved_at: datetime) -> None:
    """Give a session another secret; the one before opens nothing any more."""
    db.execute(update(sessions).where(sessions.c.id == session_id).values(digest=digest, proved_at=proved_at))


def touch_session(db: Database, session_id: str, now: datetime) -> None:
    # Never backwards, and never for an ended one: the write comes late, from behind the request.
    open_one = (sessions.c.id == session_id) & sessions.c.ended_at.is_(None) & (sessions.c.seen_at < now)
    db.execute(update(sessions).where(open_one).values(seen_at=now))


# --- links ------------------------------------------------------------------------------------------------------------


def add_link(db: Database, link: Link, digest: str, now: datetime) -> None:
    db.execute(
        insert(links).values(
            id=link.id,
            digest=digest,
            purpose=link.purpose.value,
            person_id=link.person_id,
            created_at=now,
            expires_at=link.expires_at,
        )
    )


def link_by_digest(db: Database, digest: str, purpose: LinkPurpose) -> Link | None:
    row = db.execute(select(links).where(links.c.digest == digest, links.c.purpose == purpose.value)).first()
    if row is None:
        return None
    return Link(id=row.id, purpose=purpose, person_id=row.person_id, expires_at=row.expires_at, used_at=row.used_at)


def use_link(db: Database, link_id: str, now: datetime) -> bool:
    """True for exactly one caller: the condition is decided under the row's lock."""
    return _changed(db, update(links).where(links.c.id == link_id, links.c.used_at.is_(None)).values(used_at=now)) == 1


def drop_unused_links(db: Database, purpose: LinkPurpose) -> None:
    db.execute(delete(links).where(links.c.purpose == purpose.value, links.c.used_at.is_(None)))


# --- tokens -----------------------------------------------------------------------------------------------------------


def add_token(db: Database, token: Token, digest: str) -> None:
    db.execute(
        insert(tokens).values(
            id=token.id,
            digest=digest,
            name=token.name,
            scopes=sorted(scope.value for scope in token.scopes),
            created_by=token.created_by,
            created_at=token.created_at,
            expires_at=token.expires_at,
            account_id=token.account_id,
        )
    )


def token(db: Database, token_id: str) -> Token | None:
    row = db.execute(select(tokens).where(tokens.c.id == token_id)).first()
    return _token(row) if row else None


def token_by_digest(db: Database, digest: str) -> Token | None:
    row = db.execute(select(tokens).where(tokens.c.digest == digest)).first()
    return _token(row) if row else None


def tokens_before(db: Database, limit: int, before: tuple[datetime, str] | None) -> list[Token]:
    """Newest first; `before` is the place of the last one already seen."""
    query = select(tokens).order_by(tokens.c.created_at.desc(), tokens.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(or_(tokens.c.created_at < before[0], _same_instant_and_before(before)))
    return [_token(row) for row in db.execute(query)]


def _same_instant_and_before(before: tuple[datetime, str]) -> Any:
    return (tokens.c.created_at == before[0]) & (tokens.c.id < before[1])


def tokens_of_account(db: Database, account_id: str) -> list[Token]:
    """Newest first, dead ones too."""
    query = select(tokens).where(tokens.c.account_id == account_id)
    return [_token(row) for row in db.execute(query.order_by(tokens.c.created_at.desc(), tokens.c.id.desc()))]


def open_tokens_by(db: Database, maker: str) -> list[str]:
    """Ids of the tokens that somebody made and nobody revoked."""
    mine = (tokens.c.created_by == maker) & tokens.c.revoked_at.is_(None)
    return list(db.scalars(select(tokens.c.id).where(mine).order_by(tokens.c.id)))


def revoke_token(db: Database, token_id: str, now: datetime) -> bool:
    """False when it was revoked before."""
    open_one = (tokens.c.id == token_id) & tokens.c.revoked_at.is_(None)
    return _changed(db, update(tokens).where(open_one).values(revoked_at=now)) == 1


def touch_token(db: Database, token_id: str, now: datetime) -> None:
    older = or_(tokens.c.last_used_at.is_(None), tokens.c.last_used_at < now)
    db.execute(update(tokens).where(tokens.c.id == token_id, older).values(last_used_at=now))


def token_names(db: Database, ids: Sequence[str]) -> dict[str, str]:
    rows = db.execute(select(tokens.c.id, tokens.c.name).where(tokens.c.id.in_(ids)))
    return {row.id: row.name for row in rows}


# --- tallies of failures ----------------------------------------------------------------------------------------------


def lock_tally(db: Database, key: str, now: datetime) -> Tally | None:
    """The tally under a lock that holds until the transaction ends; None when nothing was counted yet."""
    row = {"key": key, "failures": 0, "since": now, "last": now}
    # The row must exist before it can be locked: without it two first attempts at once would count as one.
    db.execute(insert_for(db, tallies).values(row).on_conflict_do_nothing())
    found = db.execute(select(tallies).where(tallies.c.key == key).with_for_update()).one()
    return Tally(found.failures, found.since, found.last) if found.failures else None


def save_tally(db: Database, key: str, tally: Tally) -> None:
    values = {"failures": tally.failures, "since": tally.since, "last": tally.last}
    db.execute(update(tallies).where(tallies.c.key == key).values(values))


def drop_tallies(db: Database, keys: Iterable[str]) -> None:
    db.execute(delete(tallies).where(tallies.c.key.in_(list(keys))))


def refund_tallies(db: Database, keys: Iterable[str]) -> None:
    spent = tallies.c.key.in_(list(keys)) & (tallies.c.failures > 0)
    db.execute(update(tallies).where(spent).values(failures=tallies.c.failures - 1))


# --- clearing away ----------------------------------------------------------------------------------------------------


def forget(db: Database, *, sessions_before: datetime, tallies_before: datetime) -> int:
    """Delete what has been over for a while: sessions, links and tallies. Answers how many rows went."""
    return (
        _changed(db, delete(sessions).where(sessions.c.seen_at < sessions_before))
        + _changed(db, delete(links).where(links.c.expires_at < sessions_before))
        + _changed(db, delete(tallies).where(tallies.c.last < tallies_before))
    )


_SESSION_FIELDS = ("id", "person_id", "created_at", "seen_at", "ended_at", "device", "address", "method", "proved_at")
_PERSON_FIELDS = (
    "id",
    "name",
    "email",
    "role",
    "password_hash",
    "created_at",
    "duties",
    "disabled_at",
    "email_verified_at",
)


def _session(fields: dict[str, Any]) -> Session:
    method = SignInMethod(fields["method"])
    return Session(**fields | {"method": method, "proved_at": fields["proved_at"] or fields["created_at"]})


def _person(row: Row[Any] | None) -> Person | None:
    return None if row is None else _person_of({name: row._mapping[name] for name in _PERSON_FIELDS})


def _person_of(fields: dict[str, Any]) -> Person:
    duties = frozenset(Duty(duty) for duty in fields["duties"])
    return Person(**fields | {"role": Role(fields["role"]), "duties": duties})


def _token(row: Row[Any]) -> Token:
    return Token(
        id=row.id,
        name=row.name,
        scopes=frozenset(Scope(scope) for scope in row.scopes),
        created_by=row.created_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
        account_id=row.account_id,
    )


def _changed(db: Database, statement: Executable) -> int:
    return cast("CursorResult[Any]", db.execute(statement)).rowcount
