"""What other modules may ask of runbooks, and what they lend them: names, live values, actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.modules.runbooks import store, store_runs
from watchkeeper.modules.runbooks.actions import Action, Actions, Asking, Outcome, Undoing
from watchkeeper.modules.runbooks.effects import Effects, effects
from watchkeeper.modules.runbooks.lint import Knowledge, Known, Problem, problems_of
from watchkeeper.modules.runbooks.model import (
    Approval,
    Confirmation,
    Content,
    How,
    Kind,
    Metric,
    Runbook,
    State,
    Step,
    WaitsFor,
)
from watchkeeper.modules.runbooks.permissions import RUN_RUNBOOKS
from watchkeeper.modules.runbooks.running import Runs
from watchkeeper.modules.runbooks.runs import Run, RunStep

__all__ = [
    "RUN_RUNBOOKS",
    "Action",
    "Actions",
    "Approval",
    "Asking",
    "Confirmation",
    "Content",
    "Effects",
    "How",
    "Kind",
    "Knowledge",
    "Known",
    "Linting",
    "LiveMetrics",
    "Metric",
    "NothingKnown",
    "NothingMeasured",
    "Outcome",
    "Problem",
    "Run",
    "RunStep",
    "Runbook",
    "Running",
    "Runs",
    "State",
    "Step",
    "Undoing",
    "Value",
    "WaitsFor",
    "effects",
    "for_alert",
    "for_service",
    "problems",
    "run_of",
    "runbook",
    "runbooks",
    "runs_about",
]


@dataclass(frozen=True)
class Value:
    """A number of now beside a runbook's text. `kind` is of a badge: ok, warning, danger or muted."""

    metric: Metric
    title: str
    text: str
    kind: str = "muted"
    href: str | None = None
    at: datetime | None = None


class LiveMetrics(Protocol):
    """Who knows what the metrics say that runbooks name; `app` puts it in."""

    async def values(self, service: str | None, metrics: Sequence[Metric]) -> list[Value]:
        """One value for each metric; one that can't be found out says so."""
        ...


@dataclass(frozen=True)
class NothingMeasured:
    """Live values where there are none."""

    async def values(self, service: str | None, metrics: Sequence[Metric]) -> list[Value]:  # noqa: ARG002
        """Every metric, without a value."""
        return [Value(one, one.title or one.name, "not measured") for one in metrics]


@dataclass(frozen=True)
class NothingKnown:
    """Names where nobody knows any: nothing is held against a runbook."""

    def known(self, session: Session) -> Known:
        """Only which runbooks there are."""
        return Known(runbooks=frozenset(one.name for one in store.all_runbooks(session)))


class Linting:
    """The part that says what is wrong with runbooks, by what this server knows."""

    def __init__(self, knowledge: Knowledge | None = None, actions: Actions | None = None) -> None:
        self.knowledge = knowledge or NothingKnown()
        self.actions = actions or Actions()

    def known(self, session: Session) -> Known:
        """Every name."""
        found = store.all_runbooks(session)
        own = Known(
            runbooks=frozenset(one.name for one in found),
            actions=self.actions.names or None,
            anchors={one.name: frozenset(part.anchor for part in one.sections) for one in found},
        )
        return self.knowledge.known(session).with_more(own)

    def problems(self, session: Session, name: str, today: date) -> list[Problem]:
        """What is wrong with one; nothing is wrong with one that is not there."""
        found = store.by_name(session, name)
        return problems_of(found.content, self.known(session), today) if found is not None else []

    def of_service(self, session: Session, service: str, today: date) -> list[Problem]:
        """What is wrong with the runbook of a service: for scorecards, and for what decides about deployments."""
        found = for_service(session, service)
        return problems_of(found.content, self.known(session), today) if found is not None else []

    def of_all(self, session: Session, found: Sequence[Runbook], today: date) -> Mapping[str, list[Problem]]:
        """By name; names of other modules' things are looked up once."""
        known = self.known(session)
        return {one.name: problems_of(one.content, known, today) for one in found}


@dataclass(frozen=True)
class Running:
    """The part that runs steps."""

    actions: Actions = field(default_factory=Actions)

    def on(self, session: Session, clock: Clock) -> Runs:
        """All verbs, on this session."""
        return Runs(session, clock, self.actions)

    def start(
        self,
        session: Session,
        clock: Clock,
        runbook: str,
        steps: Sequence[str] | None,
        inputs: Mapping[str, Any],
        *,
        by: str,
        source: str,
        about: tuple[str, str] | None = None,
        dry_run: bool = False,
        reason: str = "",
    ) -> Run:
        """Shorthand for `on(session, clock).start(…)`."""
        return self.on(session, clock).start(
            runbook, steps, inputs, by=by, source=source, about=about, dry_run=dry_run, reason=reason
        )


def runbook(session: Session, name: str) -> Runbook | None:
    """The runbook of this name."""
    return store.by_name(session, name)


def runbooks(session: Session, *, service: str | None = None) -> list[Runbook]:
    """Every runbook by name, or those of a service."""
    return store.all_runbooks(session, service=service)


def for_service(session: Session, service: str) -> Runbook | None:
    """The runbook of a service."""
    found = [one for one in store.all_runbooks(session, service=service) if one.kind is Kind.SERVICE]
    return found[0] if found else None


def for_alert(session: Session, alert_name: str, service: str | None) -> tuple[Runbook, str] | None:
    """The runbook that names this alert, and the anchor of the section about it.

    It is one of the service, one that names the service as related, or one of no service. One that is of kind alert
    comes before a section of a service's, one of the service before any other.
    """
    wanted = alert_name.casefold()
    found = [
        (one.kind is not Kind.ALERT, one.service != service, one, anchor)
        for one in store.all_runbooks(session)
        for name, anchor in one.alerts.items()
        if name.casefold() == wanted and (one.service in (service, None) or service in one.content.related)
    ]
    if not found:
        return None
    _, _, best, anchor = min(found, key=lambda each: (each[0], each[1], each[2].name))
    return best, anchor


def problems(session: Session, name: str, today: date, linting: Linting | None = None) -> list[Problem]:
    """What lint says of a runbook, by what `linting` knows."""
    return (linting or Linting()).problems(session, name, today)


def run_of(session: Session, run_id: str) -> Run | None:
    """A run with its steps."""
    return store_runs.run(session, run_id)


def runs_about(session: Session, subject_type: str, subject_id: str) -> list[Run]:
    """Runs that were started for something, such as an incident or an alert; the newest first."""
    return store_runs.find(session, about=(subject_type, subject_id))
