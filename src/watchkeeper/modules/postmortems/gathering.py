"""Reads what the record knows of an incident: its own entries, the journal, alerts, budgets and suspects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from watchkeeper.kernel.ids import is_id
from watchkeeper.kernel.journal import Fact, FactFilter, describe_fact, read_facts
from watchkeeper.modules.alerts.public import FactLinks, GroupState
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.incidents import public as incidents
from watchkeeper.modules.incidents.public import EntryKind, Incident, Link, LinkKind
from watchkeeper.modules.postmortems.drafting import Story, one_line, words_of
from watchkeeper.modules.postmortems.errors import PostmortemInvalid
from watchkeeper.modules.postmortems.model import BudgetSpent, Cause, Measures, Moment, MomentKind
from watchkeeper.modules.runbooks import public as runbooks
from watchkeeper.modules.slo import public as slo

BEFORE, AFTER = timedelta(minutes=30), timedelta(minutes=10)
MOST_FACTS = 500
_MOST_GROUPS = 50
# What an incident's own entries and updates say better, and what is only about how it is watched.
_SAID_ELSEWHERE = (
    "incidents.entry_added",
    "incidents.entry_pinned",
    "incidents.update_posted",
    "incidents.described",
    "incidents.linked",
    "postmortems.",
    "notify.",
    "work.",
    "oncall.audit_",
)
_FIRST_CLASS = frozenset(
    {
        "incidents.opened",
        "incidents.acknowledged",
        "incidents.status_changed",
        "incidents.severity_changed",
        "incidents.resolved",
        "incidents.reopened",
        "incidents.merged",
        "alerts.change_recorded",
        "slo.alert_fired",
    }
)
Suspects = Callable[[Session, Incident], Sequence[Cause]]


def no_suspects(_session: Session, _incident: Incident) -> Sequence[Cause]:
    """Nobody ranks them."""
    return ()


@dataclass(frozen=True)
class Gatherer:
    """The part that reads stories. `suspects` ranks what changed before an incident, as its own page does."""

    engine: slo.Engine
    links: FactLinks = field(default_factory=FactLinks)
    suspects: Suspects = no_suspects

    def story(self, session: Session, incident_id: str, now: datetime) -> Story:
        """All of it, as of now. Raises PostmortemInvalid for an incident that isn't there, or was merged."""
        found = incidents.incident(session, incident_id)
        if found is None:
            raise PostmortemInvalid(f"There is no incident {incident_id[:60]!r}.")
        if found.merged_into is not None:
            raise PostmortemInvalid("It was merged into another incident, whose postmortem tells of both.")
        linked = incidents.links(session, found.id)
        groups = _groups(session, found)
        causes = tuple(self.suspects(session, found))
        measures = _measures(found, groups)
        return Story(
            incident=found.id,
            name=found.name,
            title=found.title,
            severity=found.severity.value,
            services=found.services,
            environment=found.environment or "",
            drill=found.drill,
            summary=found.summary,
            impact=found.impact,
            lead=_lead(found),
            roles=_role_names(session, found),
            measures=measures,
            moments=tuple(self._moments(session, found, groups, now)),
            budgets=tuple(self._budgets(session, found, now)),
            causes=causes,
            helped=tuple(_helped(session, measures, linked)),
        )

    def _moments(
        self, session: Session, found: Incident, groups: Sequence[GroupState], now: datetime
    ) -> Iterable[Moment]:
        entries = [
            one for one in incidents.entries(session, found.id) if one.kind is not EntryKind.SYSTEM or one.pinned
        ]
        updates = incidents.updates(session, found.id)
        names = identity.names(session, [*(one.by for one in entries), *(one.by for one in updates)])
        for entry in entries:
            first = entry.pinned or entry.kind is EntryKind.DECISION
            text = entry.text or entry.file_name or entry.url or ""
            yield Moment(
                at=entry.at,
                text=f"{names[entry.by]}: {one_line(text, 1_000)}",
                kind=MomentKind.NOTE,
                origin=f"entry:{entry.id}",
                first_class=first,
            )
        for update in updates:
            where = "public update" if update.public else "update"
            yield Moment(
                at=update.at,
                text=f"{names[update.by]}, {where} ({update.status}): {one_line(update.text, 1_000)}",
                kind=MomentKind.UPDATE,
                origin=f"update:{update.id}",
                first_class=True,
            )
        for fact in _facts(session, found, groups, now):
            href = self.links.page(fact)
            yield Moment(
                at=fact.at,
                text=one_line(describe_fact(fact), 1_000),
                kind=_kind(fact),
                origin=f"fact:{fact.seq}",
                first_class=fact.kind in _FIRST_CLASS and not _of_another(fact, found.id),
                href=href if href is None or len(href) <= 500 else None,
            )

    def _budgets(self, session: Session, found: Incident, now: datetime) -> Iterable[BudgetSpent]:
        until = min(found.resolved_at or now, now)
        for service in found.services:
            for one in slo.spent_between(session, self.engine, service, found.started_at, until, now):
                yield BudgetSpent(one.slo, one.objective, service, one.bad, one.total, one.share, one.left)


def _facts(session: Session, found: Incident, groups: Sequence[GroupState], now: datetime) -> list[Fact]:
    """Of the incident and its alerts whenever they were; of its services only around it. In the order of time."""
    since, until = found.started_at - BEFORE, (found.resolved_at or now) + AFTER
    about = (found.id, *(one.id for one in groups))
    mine = read_facts(session, FactFilter(subjects=about, since=since), limit=MOST_FACTS, newest_first=False)
    around: list[Fact] = []
    if found.services:
        wanted = FactFilter(services=found.services, since=since, until=until)
        around = read_facts(session, wanted, limit=MOST_FACTS, newest_first=False)
    by_seq = {one.seq: one for one in (*mine, *around) if not one.kind.startswith(_SAID_ELSEWHERE)}
    return [by_seq[seq] for seq in sorted(by_seq)]


def _of_another(fact: Fact, incident: str) -> bool:
    """Another incident of the same services is a detail of this one, and nothing for its public version."""
    return fact.kind.startswith("incidents.") and fact.subject_id != incident


def _groups(session: Session, found: Incident) -> list[GroupState]:
    groups = sorted(incidents.alert_groups(session, found), key=lambda one: (one.opened_at, one.id))
    return groups[:_MOST_GROUPS]


def _measures(found: Incident, groups: Sequence[GroupState]) -> Measures:
    """It was an alert that noticed it when one opened before anybody had opened the incident."""
    first = next((one for one in groups if one.opened_at <= found.opened_at), None)
    return Measures(
        started_at=found.started_at,
        detected_at=found.detected_at,
        acknowledged_at=found.acknowledged_at,
        responded_at=found.responded_at,
        identified_at=found.identified_at,
        monitoring_at=found.monitoring_at,
        resolved_at=found.resolved_at,
        detected_by="alert" if first is not None else "hand",
        alert=first.title if first is not None else "",
        users_affected=found.users_affected,
    )


def _lead(found: Incident) -> str | None:
    """Who led it; else whoever opened it, if that was a person."""
    commander = found.roles.get("commander")
    if commander:
        return commander
    return found.opened_by if is_id(found.opened_by, "per") else None


def _role_names(session: Session, found: Incident) -> dict[str, str]:
    names = identity.names(session, found.roles.values())
    return {str(role): names[person] for role, person in found.roles.items() if person}


def _helped(session: Session, measures: Measures, linked: Sequence[Link]) -> Iterable[str]:
    if measures.detected_by == "alert":
        yield f"An alert noticed it {words_of(measures.to_detect)} after the first symptom."
    for one in linked:
        if one.kind is LinkKind.RUNBOOK_RUN and not _was_dry(session, one.target):
            yield f"A runbook was at hand and was run: {one.label or one.target}"


def _was_dry(session: Session, run_id: str) -> bool:
    run = runbooks.run_of(session, run_id)
    return run is not None and run.dry_run


def _kind(fact: Fact) -> MomentKind:
    family = fact.kind.partition(".")[0]
    if fact.kind == "alerts.change_recorded" or family in ("config", "catalog", "subjects"):
        return MomentKind.CHANGE
    known = {
        "alerts": MomentKind.ALERT,
        "slo": MomentKind.ALERT,
        "oncall": MomentKind.CALL,
        "incidents": MomentKind.INCIDENT,
        "runbooks": MomentKind.STEP,
        "recovery": MomentKind.STEP,
    }
    return known.get(family, MomentKind.CHANGE)
