"""SQL of what people say: definitions, data sources, policies, exclusions, adjustments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar, cast

from pydantic import BaseModel
from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.modules.slo.definition import DataSource, Definition, Policy
from watchkeeper.modules.slo.model import Adjustment, Exclusion
from watchkeeper.modules.slo.tables import adjustments, definitions, exclusions, generation, records

ManagedBy = Literal["console", "api", "ops"]
Kind = Literal["data_source", "policy"]
R = TypeVar("R", bound="DataSource | Policy")
_MODELS: Mapping[type[BaseModel], Kind] = {DataSource: "data_source", Policy: "policy"}


@dataclass(frozen=True)
class Stored:
    """A definition as it is kept. `counted_as` names what is measured: it changes when the numbers begin anew."""

    id: str
    definition: Definition
    version: int
    counted_as: str
    managed_by: ManagedBy
    created_at: datetime
    updated_at: datetime
    updated_by: str
    applied: Mapping[str, Any] | None = None
    differs_since: datetime | None = None

    @property
    def name(self) -> str:
        return self.definition.name


@dataclass(frozen=True)
class Record:
    """A data source or a policy as it is kept."""

    content: DataSource | Policy
    managed_by: ManagedBy
    updated_at: datetime
    updated_by: str
    applied: Mapping[str, Any] | None = None
    differs_since: datetime | None = None


def generation_of(session: Session) -> int:
    """Grows when what is measured, left out or given back changes."""
    found: int = session.execute(select(generation.c.number)).scalar_one()
    return found


def move_generation(session: Session) -> None:
    """Tell the engines of every replica to look again."""
    session.execute(update(generation).values(number=generation.c.number + 1))


def all_definitions(session: Session, *, service: str | None = None) -> list[Stored]:
    """Every SLO by name."""
    query = select(definitions).order_by(definitions.c.name)
    if service is not None:
        query = query.where(definitions.c.service == service)
    return [_stored(row) for row in session.execute(query)]


def by_name(session: Session, name: str, *, lock: bool = False) -> Stored | None:
    """The SLO of this name; with `lock`, nobody else changes it until the transaction ends."""
    query = select(definitions).where(definitions.c.name == name)
    row = session.execute(query.with_for_update() if lock else query).first()
    return None if row is None else _stored(row)


def add(session: Session, stored: Stored) -> bool:
    """Insert an SLO; False when the name is taken."""
    statement = insert_for(session, definitions).values({"name": stored.name, **_columns(stored)})
    statement = statement.on_conflict_do_nothing(index_elements=["name"])
    return session.execute(statement.returning(definitions.c.name)).first() is not None


def change(session: Session, stored: Stored) -> None:
    """Replace an SLO."""
    session.execute(update(definitions).where(definitions.c.name == stored.name).values(_columns(stored)))


def remove(session: Session, name: str) -> None:
    """Delete an SLO; what was counted stays until its time is over."""
    session.execute(delete(definitions).where(definitions.c.name == name))


def record(session: Session, model: type[R], name: str, *, lock: bool = False) -> Record | None:
    """The data source or policy of this name."""
    query = select(records).where(records.c.kind == _MODELS[model], records.c.name == name)
    row = session.execute(query.with_for_update() if lock else query).first()
    return None if row is None else _record(model, row)


def all_records(session: Session, model: type[R]) -> list[Record]:
    """Every data source or policy by name."""
    query = select(records).where(records.c.kind == _MODELS[model]).order_by(records.c.name)
    return [_record(model, row) for row in session.execute(query)]


def data_sources(session: Session) -> list[DataSource]:
    """What the data sources are."""
    return [cast("DataSource", one.content) for one in all_records(session, DataSource)]


def policies(session: Session) -> list[Policy]:
    """What the policies say."""
    return [cast("Policy", one.content) for one in all_records(session, Policy)]


def put_record(session: Session, kept: Record) -> None:
    """Insert or replace a data source or policy."""
    row = {
        "kind": _MODELS[type(kept.content)],
        "name": kept.content.name,
        "content": kept.content.model_dump(mode="json"),
        "managed_by": kept.managed_by,
        "applied": kept.applied,
        "differs_since": kept.differs_since,
        "updated_at": kept.updated_at,
        "updated_by": kept.updated_by,
    }
    statement = insert_for(session, records).values(row)
    session.execute(statement.on_conflict_do_update(index_elements=["kind", "name"], set_=row))


def remove_record(session: Session, model: type[R], name: str) -> None:
    """Delete a data source or policy."""
    session.execute(delete(records).where(records.c.kind == _MODELS[model], records.c.name == name))


def exclusion(session: Session, exclusion_id: str, *, lock: bool = False) -> Exclusion | None:
    """One exclusion."""
    query = select(exclusions).where(exclusions.c.id == exclusion_id)
    row = session.execute(query.with_for_update() if lock else query).first()
    return None if row is None else _exclusion(row)


def all_exclusions(
    session: Session,
    *,
    service: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    withdrawn: bool = True,
) -> list[Exclusion]:
    """Exclusions that touch [since, until), newest first."""
    query = select(exclusions).order_by(exclusions.c.since.desc(), exclusions.c.id)
    if service is not None:
        query = query.where(exclusions.c.service == service)
    if since is not None:
        query = query.where(or_(exclusions.c.until.is_(None), exclusions.c.until > since))
    if until is not None:
        query = query.where(exclusions.c.since < until)
    if not withdrawn:
        query = query.where(exclusions.c.withdrawn_at.is_(None))
    return [_exclusion(row) for row in session.execute(query)]


def put_exclusion(session: Session, kept: Exclusion) -> None:
    """Insert or replace an exclusion."""
    row = {**vars(kept), "slos": list(kept.slos)}
    statement = insert_for(session, exclusions).values(row)
    session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=row))


def adjustment(session: Session, adjustment_id: str, *, lock: bool = False) -> Adjustment | None:
    """One adjustment."""
    query = select(adjustments).where(adjustments.c.id == adjustment_id)
    row = session.execute(query.with_for_update() if lock else query).first()
    return None if row is None else Adjustment(**row._mapping)


def all_adjustments(session: Session, *, slo: str | None = None, approved: bool = False) -> list[Adjustment]:
    """Adjustments, newest first."""
    query = select(adjustments).order_by(adjustments.c.proposed_at.desc(), adjustments.c.id)
    if slo is not None:
        query = query.where(adjustments.c.slo == slo)
    if approved:
        query = query.where(adjustments.c.state == "approved")
    return [Adjustment(**row._mapping) for row in session.execute(query)]


def add_adjustment(session: Session, kept: Adjustment) -> None:
    """Insert an adjustment."""
    session.execute(insert(adjustments).values(vars(kept)))


def change_adjustment(session: Session, kept: Adjustment) -> None:
    """Replace an adjustment."""
    session.execute(update(adjustments).where(adjustments.c.id == kept.id).values(vars(kept)))


def _columns(stored: Stored) -> dict[str, Any]:
    return {
        "id": stored.id,
        "service": stored.definition.service,
        "definition": stored.definition.model_dump(mode="json"),
        "version": stored.version,
        "counted_as": stored.counted_as,
        "managed_by": stored.managed_by,
        "applied": stored.applied,
        "differs_since": stored.differs_since,
        "created_at": stored.created_at,
        "updated_at": stored.updated_at,
        "updated_by": stored.updated_by,
    }


def _stored(row: Any) -> Stored:
    return Stored(
        id=row.id,
        definition=Definition.model_validate(row.definition),
        version=row.version,
        counted_as=row.counted_as,
        managed_by=row.managed_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
        applied=row.applied,
        differs_since=row.differs_since,
    )


def _record(model: type[R], row: Any) -> Record:
    return Record(
        content=model.model_validate(row.content),
        managed_by=row.managed_by,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
        applied=row.applied,
        differs_since=row.differs_since,
    )


def _exclusion(row: Any) -> Exclusion:
    return Exclusion(**{**row._mapping, "slos": tuple(row.slos)})
