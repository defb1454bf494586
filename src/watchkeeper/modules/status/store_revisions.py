"""SQL of what updates said before they were edited."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from watchkeeper.modules.status.model import Revision, Stage, State, Update
from watchkeeper.modules.status.tables import revisions


def keep(session: Session, before: Update, *, until: datetime, changed_by: str) -> None:
    """Write down what an update says, before it says something else."""
    values = {
        "update": before.id,
        "version": before.version,
        "stage": before.stage,
        "body": before.body,
        "components": dict(before.components),
        "until": until,
        "changed_by": changed_by,
    }
    session.execute(insert(revisions).values(**values))


def of_updates(session: Session, update_ids: Sequence[str]) -> dict[str, list[Revision]]:
    """By update, what was changed last first; of an update that was never edited nothing."""
    found: dict[str, list[Revision]] = {}
    for at in range(0, len(update_ids), 400):
        wanted = select(revisions).where(revisions.c.update.in_(update_ids[at : at + 400]))
        for row in session.execute(wanted.order_by(revisions.c.version.desc())):
            found.setdefault(row.update, []).append(_revision(row))
    return found


def _revision(row: Any) -> Revision:
    said = {name: State(value) for name, value in row.components.items()}
    return Revision(**dict(row._mapping) | {"components": said, "stage": Stage(row.stage)})
