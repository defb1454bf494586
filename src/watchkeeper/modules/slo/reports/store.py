"""SQL of reports: closed statements, schedules, what was sent."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, cast

from pydantic import TypeAdapter
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.kernel.ids import new_id
from watchkeeper.modules.slo.definition import Definition
from watchkeeper.modules.slo.reports.content import Reopening, SloReport
from watchkeeper.modules.slo.reports.schedule import Schedule
from watchkeeper.modules.slo.reports.tables import schedules, sendings, statements

_CONTENT = TypeAdapter(SloReport)
SendingState = Literal["planned", "sent", "failed"]


@dataclass(frozen=True)
class Statement:
    """What was said of an SLO for a period; `definition` is what had been promised then."""

    slo_id: str
    counted_as: str
    definition: Definition
    period: str
    content: SloReport
    why: tuple[str, ...]
    ended_at: datetime

    @property
    def slo(self) -> str:
        return self.definition.name


@dataclass(frozen=True)
class Sending:
    """The intent to send one report to one address."""

    id: str
    schedule_id: str
    period: str
    recipient: str
    state: SendingState
    error: str | None
    planned_at: datetime
    sent_at: datetime | None


def add_statement(session: Session, kept: Statement) -> bool:
    """Insert a version; False when another replica did."""
    content = kept.content
    row = {
        "slo": kept.slo,
        "period": kept.period,
        "version": content.version,
        "slo_id": kept.slo_id,
        "counted_as": kept.counted_as,
        "definition": kept.definition.model_dump(mode="json"),
        "content": _CONTENT.dump_python(content, mode="json"),
        "why": list(kept.why),
        "ended_at": kept.ended_at,
        "made_at": content.made_at,
    }
    statement = insert_for(session, statements).values(row)
    statement = statement.on_conflict_do_nothing(index_elements=["slo", "period", "version"])
    return session.execute(statement.returning(statements.c.slo)).first() is not None


def latest(session: Session, period: str) -> dict[str, Statement]:
    """By SLO, the newest version of what was said of a period, with how often it was opened again."""
    rows = session.execute(
        select(statements).where(statements.c.period == period).order_by(statements.c.slo, statements.c.version)
    )
    return _newest(rows)


def one_latest(session: Session, slo: str, period: str) -> Statement | None:
    """That of one SLO."""
    wanted = select(statements).where(statements.c.slo == slo, statements.c.period == period)
    return _newest(session.execute(wanted.order_by(statements.c.version))).get(slo)


def versions(session: Session, slo: str, period: str) -> list[Statement]:
    """All that was said of one, the first first."""
    wanted = select(statements).where(statements.c.slo == slo, statements.c.period == period)
    rows = list(session.execute(wanted.order_by(statements.c.version)))
    return [_statement(rows[: number + 1]) for number in range(len(rows))]


def closed_of(session: Session, periods: Collection[str]) -> set[tuple[str, str]]:
    """(SLO, period) of what was closed of these periods."""
    keys = select(statements.c.slo, statements.c.period).where(statements.c.version == 1)
    return {(row.slo, row.period) for row in session.execute(keys.where(statements.c.period.in_(periods)))}


def keys_since(session: Session, ended_after: datetime) -> list[tuple[str, str]]:
    """(SLO, period) of what was closed and ended lately: months before quarters, which are made of them."""
    rows = session.execute(
        select(statements.c.slo, statements.c.period).where(statements.c.ended_at >= ended_after).distinct()
    )
    return sorted(((row.slo, row.period) for row in rows), key=lambda key: ("Q" in key[1], key))


def closed_periods(session: Session) -> list[str]:
    """Labels of all that is stored, newest first."""
    return sorted(session.execute(select(statements.c.period).distinct()).scalars(), reverse=True)


def add_schedule(session: Session, kept: Schedule) -> None:
    """Insert a schedule."""
    session.execute(insert(schedules).values({**vars(kept), "recipients": list(kept.recipients)}))


def all_schedules(session: Session) -> list[Schedule]:
    """Oldest first."""
    rows = session.execute(select(schedules).order_by(schedules.c.created_at, schedules.c.id))
    return [_schedule(row) for row in rows]


def schedule(session: Session, schedule_id: str, *, lock: bool = False) -> Schedule | None:
    """One schedule."""
    query = select(schedules).where(schedules.c.id == schedule_id)
    row = session.execute(query.with_for_update() if lock else query).first()
    return None if row is None else _schedule(row)


def change_schedule(session: Session, kept: Schedule) -> None:
    """Replace it. Who is no recipient any more gets nothing that was not sent yet."""
    values = {**vars(kept), "recipients": list(kept.recipients)}
    session.execute(update(schedules).where(schedules.c.id == kept.id).values(values))
    unsent = delete(sendings).where(sendings.c.schedule_id == kept.id, sendings.c.state == "planned")
    session.execute(unsent.where(sendings.c.recipient.not_in(kept.recipients)))


def remove_schedule(session: Session, schedule_id: str) -> None:
    """Delete it with its addresses, also those of what was sent."""
    session.execute(delete(sendings).where(sendings.c.schedule_id == schedule_id))
    session.execute(delete(schedules).where(schedules.c.id == schedule_id))


def plan_sending(session: Session, of: Schedule, period: str, recipient: str, now: datetime) -> str | None:
    """Note the intent; None when it was noted before, so that nobody gets a period's report twice."""
    row = {
        "id": new_id("snd"),
        "schedule_id": of.id,
        "period": period,
        "recipient": recipient,
        "state": "planned",
        "planned_at": now,
    }
    statement = insert_for(session, sendings).values(row)
    statement = statement.on_conflict_do_nothing(index_elements=["schedule_id", "period", "recipient"])
    return cast("str | None", session.execute(statement.returning(sendings.c.id)).scalar())


def is_planned(session: Session, schedule_id: str, period: str) -> bool:
    """Whether the period's report was sent to somebody already, or is about to be."""
    wanted = select(func.count()).where(sendings.c.schedule_id == schedule_id, sendings.c.period == period)
    return bool(session.execute(wanted).scalar_one())


def sending(session: Session, sending_id: str) -> Sending | None:
    """One sending."""
    row = session.execute(select(sendings).where(sendings.c.id == sending_id)).first()
    return None if row is None else Sending(**row._mapping)


def newest_sendings(session: Session, schedule_id: str, limit: int = 20) -> list[Sending]:
    """The newest of a schedule."""
    wanted = select(sendings).where(sendings.c.schedule_id == schedule_id)
    rows = session.execute(wanted.order_by(sendings.c.planned_at.desc(), sendings.c.id).limit(limit))
    return [Sending(**row._mapping) for row in rows]


def forget_sendings(session: Session, *, before: datetime) -> None:
    """Delete what was planned before an instant, with its addresses."""
    session.execute(delete(sendings).where(sendings.c.planned_at < before))


def record_sent(session: Session, sending_id: str, now: datetime) -> None:
    """It was handed to the mail server."""
    values = {"state": "sent", "sent_at": now, "error": None}
    session.execute(update(sendings).where(sendings.c.id == sending_id).values(values))


def record_failed(session: Session, sending_id: str, error: str, *, for_good: bool) -> None:
    """It could not be handed over; unless `for_good`, it is tried again."""
    values = {"state": "failed" if for_good else "planned", "error": error[:200]}
    session.execute(update(sendings).where(sendings.c.id == sending_id).values(values))


def _newest(rows: Any) -> dict[str, Statement]:
    versions: dict[str, list[Any]] = {}
    for row in rows:
        versions.setdefault(row.slo, []).append(row)
    return {slo: _statement(several) for slo, several in versions.items()}


def _statement(versions: Sequence[Any]) -> Statement:
    row = versions[-1]
    reopened = tuple(Reopening(one.made_at, one.version, tuple(one.why)) for one in versions if one.version > 1)
    content = _CONTENT.validate_python(row.content)
    return Statement(
        slo_id=row.slo_id,
        counted_as=row.counted_as,
        definition=Definition.model_validate(row.definition),
        period=row.period,
        content=replace(content, reopened=reopened),
        why=tuple(row.why),
        ended_at=row.ended_at,
    )


def _schedule(row: Any) -> Schedule:
    return Schedule(**{**row._mapping, "recipients": tuple(row.recipients)})
