"""SQL of runs, their steps and runners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.modules.runbooks.actions import Undoing
from watchkeeper.modules.runbooks.model import State, WaitsFor, step_from
from watchkeeper.modules.runbooks.runs import Run, RunStep
from watchkeeper.modules.runbooks.tables import runners, runs, steps

_OPEN = (State.WAITING.value, State.RUNNING.value)


def add(session: Session, run: Run) -> None:
    """A new run with its steps."""
    session.execute(
        insert(runs).values(
            id=run.id,
            runbook=run.runbook,
            title=run.title,
            service=run.service,
            revision=run.revision,
            text=run.text,
            state=run.state.value,
            inputs=dict(run.inputs),
            dry_run=run.dry_run,
            about_type=run.about[0] if run.about else None,
            about_id=run.about[1] if run.about else None,
            started_by=run.started_by,
            source=run.source,
            reason=run.reason,
            undoes_run=run.undoes[0] if run.undoes else None,
            undoes_step=run.undoes[1] if run.undoes else None,
            cancelled_by=None,
            started_at=run.started_at,
            finished_at=None,
        )
    )
    session.execute(insert(steps), [_row(run.id, one) for one in run.steps])


def _row(run_id: str, one: RunStep) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "number": one.number,
        "definition": one.step.plain(),
        "state": one.state.value,
        "waits_for": one.waits_for.value,
        "output": "",
        "output_bytes": 0,
        "detail": "",
        "attempts": 0,
        "token": 0,
    }


def run(session: Session, run_id: str, *, lock: bool = False) -> Run | None:
    """A run; with `lock`, nobody else changes it or its steps until the transaction ends."""
    query = select(runs).where(runs.c.id == run_id)
    row = session.execute(query.with_for_update() if lock else query).mappings().one_or_none()
    return _runs(session, [row])[0] if row is not None else None


def find(
    session: Session,
    *,
    runbook: str | None = None,
    about: tuple[str, str] | None = None,
    service: str | None = None,
    open_only: bool = False,
    limit: int = 50,
) -> list[Run]:
    """The newest first."""
    query = select(runs).order_by(runs.c.started_at.desc(), runs.c.id).limit(limit)
    if runbook is not None:
        query = query.where(runs.c.runbook == runbook)
    if service is not None:
        query = query.where(runs.c.service == service)
    if about is not None:
        query = query.where((runs.c.about_type == about[0]) & (runs.c.about_id == about[1]))
    if open_only:
        query = query.where(runs.c.state.in_(_OPEN))
    return _runs(session, session.execute(query).mappings().all())


def waiting_for_runner(session: Session, *, limit: int = 20) -> list[str]:
    """Ids of runs with a step that a runner may take, the oldest first."""
    query = (
        select(runs.c.id)
        .join(steps, steps.c.run_id == runs.c.id)
        .where(
            (steps.c.waits_for == WaitsFor.RUNNER.value)
            & (steps.c.state == State.WAITING.value)
            & steps.c.lease_until.is_(None)
        )
        .order_by(runs.c.started_at)
        .limit(limit)
    )
    return list(session.execute(query).scalars())


def leased_until(session: Session, *, before: datetime) -> list[str]:
    """Ids of runs with a step whose lease ended before an instant."""
    late = steps.c.lease_until.is_not(None) & (steps.c.lease_until < before)
    query = select(steps.c.run_id).where(late & steps.c.state.in_(_OPEN)).distinct()
    return list(session.execute(query).scalars())


def that_run(session: Session) -> list[str]:
    """Ids of runs of which a step runs somewhere."""
    query = select(steps.c.run_id).where(steps.c.state == State.RUNNING.value).distinct()
    return list(session.execute(query).scalars())


def save_step(session: Session, run_id: str, number: int, **values: Any) -> None:
    """Change some columns of a step."""
    session.execute(update(steps).where((steps.c.run_id == run_id) & (steps.c.number == number)).values(**values))


def save_run(session: Session, run_id: str, **values: Any) -> None:
    """Change some columns of a run."""
    session.execute(update(runs).where(runs.c.id == run_id).values(**values))


def note_runner(session: Session, name: str, actor: str, at: datetime) -> None:
    """A runner was here."""
    row = {"name": name, "actor": actor, "seen_at": at}
    replaced = {"actor": actor, "seen_at": at}
    session.execute(
        insert_for(session, runners).values(row).on_conflict_do_update(index_elements=["name"], set_=replaced)
    )


def all_runners(session: Session) -> list[tuple[str, datetime]]:
    """(name, when it was last here), the newest first."""
    return [(row.name, row.seen_at) for row in session.execute(select(runners).order_by(runners.c.seen_at.desc()))]


def forget(session: Session, *, before: datetime) -> None:
    """Delete runs that ended before an instant, and runners that were not here since."""
    gone = select(runs.c.id).where(runs.c.finished_at < before)
    session.execute(delete(steps).where(steps.c.run_id.in_(gone)))
    session.execute(delete(runs).where(runs.c.finished_at < before))
    session.execute(delete(runners).where(runners.c.seen_at < before))


def _runs(session: Session, rows: Sequence[Any]) -> list[Run]:
    ids = [row["id"] for row in rows]
    found: dict[str, list[RunStep]] = {one: [] for one in ids}
    query = select(steps).where(steps.c.run_id.in_(ids)).order_by(steps.c.number)
    for row in session.execute(query).mappings():
        found[row["run_id"]].append(_step(row))
    return [_run(row, tuple(found[row["id"]])) for row in rows]


def _run(row: Any, of_it: tuple[RunStep, ...]) -> Run:
    same = ("id", "runbook", "title", "service", "revision", "text", "inputs", "dry_run", "started_by", "source")
    return Run(
        **{name: row[name] for name in (*same, "reason", "cancelled_by", "started_at", "finished_at")},
        state=State(row["state"]),
        about=(row["about_type"], row["about_id"]) if row["about_type"] else None,
        undoes=(row["undoes_run"], row["undoes_step"]) if row["undoes_run"] else None,
        steps=of_it,
    )


def _step(row: Any) -> RunStep:
    same = ("number", "confirmed_by", "confirmed_at", "started_at", "finished_at", "output", "output_bytes")
    undo: Mapping[str, Any] | None = row["undo"]
    return RunStep(
        **{name: row[name] for name in (*same, "exit_code", "detail", "attempts", "token", "lease_until", "runner")},
        step=step_from(row["definition"]),
        state=State(row["state"]),
        waits_for=WaitsFor(row["waits_for"]),
        undo=Undoing(undo["action"], undo["inputs"]) if undo else None,
    )
