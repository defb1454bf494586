"""The verbs of incidents. A verb never commits, and its caller says who acts (`by`) and from where (`source`)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.ids import new_id
from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.alerts.public import Alerting, FactLinks, GroupState
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.incidents import joining, linking, recording, store
from watchkeeper.modules.incidents.checking import checked, invalid, require_responder
from watchkeeper.modules.incidents.desk import Desk, about_it
from watchkeeper.modules.incidents.errors import AlertsStillOpen, RoleTaken
from watchkeeper.modules.incidents.events import (
    Acknowledged,
    Described,
    Opened,
    Resolved,
    RoleAssigned,
    SeverityChanged,
    StatusChanged,
)
from watchkeeper.modules.incidents.groups import call_loudly, first_symptom, groups_of, is_drill, open_for
from watchkeeper.modules.incidents.model import (
    Entry,
    Incident,
    LinkKind,
    Role,
    Severity,
    Status,
    Update,
    name_of,
    severity_of_alert,
)
from watchkeeper.modules.incidents.settings import IncidentSettings
from watchkeeper.modules.slo.public import Engine


@dataclass(frozen=True)
class Incidents:
    """All verbs, on one session. Those with `expected` refuse, when it is said, another version than that."""

    session: Session
    clock: Clock
    settings: IncidentSettings
    alerting: Alerting
    facts: FactLinks = field(default_factory=FactLinks)
    engine: Engine | None = None

    def open(
        self,
        title: str,
        *,
        by: str,
        source: str,
        severity: Severity | None = None,
        services: Collection[str] = (),
        environment: str | None = None,
        groups: Collection[str] = (),
        summary: str = "",
        impact: str = "",
        users_affected: int | None = None,
        started_at: datetime | None = None,
        drill: bool = False,
        rule: str | None = None,
        page: bool = True,
    ) -> Incident:
        """Open one, for alert groups or by hand. One that a group belongs to already is answered instead of another.

        Unless its alerts call people at least as loudly, it calls them itself; not with `page` False. Raises
        IncidentInvalid.
        """
        desk = self._desk(by, source)
        journal.take_turn(self.session)
        found = [one for one in (alerts.group(self.session, group) for group in groups) if one is not None]
        if len(found) < len(set(groups)):
            raise invalid("alert_groups", "ids of alert groups that there are")
        already = open_for(self.session, [one.id for one in found])
        if already is not None:
            return already
        said = checked(title=title, services=services, summary=summary, impact=impact, users_affected=users_affected)
        made = self._made(desk, said, found, severity=severity, environment=environment, started_at=started_at)
        made = replace(made, drill=drill)
        for group in found:
            desk.link(made, LinkKind.ALERT_GROUP, group.id, group.title)
        if page and not call_loudly(found, made.severity):
            made = desk.page(made)
        fact = Opened(**about_it(made), name=made.name, groups=tuple(one.id for one in found), rule=rule)
        taken = next((one for one in found if one.acknowledged_by is not None), None)
        made = desk.save(made, fact, fresh=True)
        if taken is not None and taken.acknowledged_by is not None:
            made = self.acknowledge(made.id, by=taken.acknowledged_by, source=source)
        return made

    def looked_at(self, incident_id: str) -> Incident:
        """As it is, and as it stays until the transaction ends. Raises IncidentNotFound."""
        return self._desk("", "").load(incident_id)

    def acknowledge(self, incident_id: str, *, by: str, source: str, alerts_too: bool = False) -> Incident:
        """Somebody has it: its clock to respond stops. `alerts_too`: they have its open alert groups as well."""
        desk = self._desk(by, source)
        one = desk.load_open(incident_id)
        if alerts_too:
            for group in groups_of(self.session, one, own=True):
                if group.is_open and group.status == "triggered":
                    self.alerting.acknowledge(self.session, group.id, by=by, at=desk.now, source=source)
        after = desk.joined(one, "acknowledged")
        if one.acknowledged_at is not None:
            return one
        after = replace(after, acknowledged_at=desk.now, responded_at=after.responded_at or desk.now)
        return desk.save(after, Acknowledged(**about_it(after), person=by))

    def describe(
        self, incident_id: str, changes: Mapping[str, Any], *, by: str, source: str, expected: int | None = None
    ) -> Incident:
        """Change `title`, `summary`, `impact`, `users_affected`, `services` or `environment`, whatever it is at."""
        desk = self._desk(by, source)
        one = desk.load(incident_id, expected)
        said = checked(**changes)
        after = replace(one, **said)
        fields = tuple(name for name in said if getattr(one, name) != getattr(after, name))
        if not fields:
            return one
        after = desk.joined(after, "described it")
        return desk.save(after, Described(**about_it(after), fields=fields))

    def change_severity(
        self,
        incident_id: str,
        severity: Severity,
        *,
        by: str,
        source: str,
        reason: str = "",
        expected: int | None = None,
    ) -> Incident:
        """Say that it is worse, or not as bad. When it is worse its clocks begin anew, and more people are called."""
        desk = self._desk(by, source)
        one = desk.load_open(incident_id, expected)
        if one.severity is severity:
            return one
        worse = severity.rank < one.severity.rank
        after = desk.joined(replace(one, severity=severity), "changed its severity")
        if worse:
            after = replace(after, clocks_from=desk.now)
        if (worse and not call_loudly(groups_of(self.session, one), severity)) or after.paged is not None:
            after = desk.page(after)
        fact = SeverityChanged(
            **about_it(after), before=one.severity.value, after=severity.value, reason=reason.strip()[:500]
        )
        return desk.save(after, fact)

    def change_status(
        self,
        incident_id: str,
        status: Status,
        *,
        by: str,
        source: str,
        reason: str = "",
        expected: int | None = None,
    ) -> Incident:
        """Say how far it is. Back is possible, too; `resolved` is `resolve`."""
        if status is Status.RESOLVED:
            return self.resolve(incident_id, by=by, source=source, reason=reason, expected=expected)
        desk = self._desk(by, source)
        one = desk.load_open(incident_id, expected)
        if one.status is status:
            return one
        after = desk.joined(replace(one, status=status), f"said {status}")
        if status is Status.IDENTIFIED and one.identified_at is None:
            after = replace(after, identified_at=desk.now)
        if status is Status.MONITORING and one.monitoring_at is None:
            after = replace(after, monitoring_at=desk.now)
        return desk.save(after, StatusChanged(**about_it(after), before=one.status.value, after=status.value))

    def assign(
        self,
        incident_id: str,
        role: Role,
        person: str | None,
        *,
        by: str,
        source: str,
        hand_over: bool = False,
        expected: int | None = None,
    ) -> Incident:
        """Give a role to somebody; None: to nobody. What another person has is only taken over with `hand_over`.

        Raises RoleTaken, or IncidentInvalid for who is nobody that may respond.
        """
        desk = self._desk(by, source)
        one = desk.load_open(incident_id, expected)
        holder = one.roles.get(role)
        if holder == person:
            return one
        if person is not None:
            require_responder(self.session, person)
        if holder is not None and not hand_over:
            name = identity.names(self.session, [holder])[holder]
            raise RoleTaken(f"{name} is the {role}. There is one at a time: hand it over.")
        store.put_role(self.session, one.id, role.value, person, at=desk.now)
        roles = {key: value for key, value in one.roles.items() if key != role}
        after = replace(one, roles={**roles, role.value: person} if person is not None else roles)
        if person is not None:
            after = desk.joined(after, role.value, person)
        fact = RoleAssigned(**about_it(after), role=role.value, person=person, before=holder)
        return desk.save(after, fact)

    def resolve(
        self, incident_id: str, *, by: str, source: str, reason: str = "", expected: int | None = None
    ) -> Incident:
        """It is over. While critical alerts of it are open, only with a reason. Raises AlertsStillOpen."""
        desk = self._desk(by, source)
        one = desk.load(incident_id, expected)
        if one.merged_into is None and not one.is_open:
            return one
        one = desk.load_open(one.id)
        still = [group for group in groups_of(self.session, one) if group.is_open]
        for group in (each for each in still if one.drill and is_drill(each)):
            # What was only played ends with the play.
            self.alerting.resolve(self.session, group.id, by=by, at=desk.now, source=source, reason="the drill is over")
        still = [group for group in still if not (one.drill and is_drill(group))]
        critical = [group for group in still if group.severity == "critical"]
        if critical and not reason.strip():
            names = ", ".join(group.title[:80] for group in critical[:3])
            raise AlertsStillOpen(
                f"Critical alerts are open: {names}. Say why it is over all the same.",
                complaints=[Complaint("reason", "why it is over although critical alerts are open")],
            )
        after = desk.joined(one, "resolved it")
        after = replace(after, status=Status.RESOLVED, resolved_at=desk.now, resolved_reason=reason.strip()[:2_000])
        if critical:
            were = "alert group was" if len(critical) == 1 else "alert groups were"
            desk.note(after, f"It was resolved while {len(critical)} critical {were} open")
        lasted = int((desk.now - after.opened_at).total_seconds())
        fact = Resolved(**about_it(after), opened_at=after.opened_at, lasted_seconds=lasted, alerts_open=len(still))
        return desk.save(after, fact)

    def reopen(
        self, incident_id: str, *, by: str, source: str, reason: str = "", expected: int | None = None
    ) -> Incident:
        """It is not over. Its clocks begin anew, and people are called unless its alerts do."""
        return joining.reopen(self._desk(by, source), incident_id, reason, expected)

    def merge(self, incident_id: str, into: str, *, by: str, source: str, expected: int | None = None) -> Incident:
        """What is the same incident goes on in the other one, which is answered. Raises MergeRefused."""
        return joining.merge(self._desk(by, source), incident_id, into, expected)

    def split(
        self,
        incident_id: str,
        title: str,
        *,
        by: str,
        source: str,
        links: Collection[str] = (),
        severity: Severity | None = None,
        services: Collection[str] = (),
        expected: int | None = None,
    ) -> Incident:
        """A part of it becomes an incident of its own: these links (by id) go there. Answers the new one."""
        said = checked(title=title, services=services)
        return joining.split(self._desk(by, source), incident_id, said, links, severity, expected, self.open)

    def note(self, incident_id: str, text: str, *, by: str, source: str, pinned: bool = False) -> Entry:
        """Write a line onto its record; also of one that is over."""
        return recording.note(self._desk(by, source), incident_id, text, pinned=pinned)

    def decide(self, incident_id: str, text: str, *, by: str, source: str) -> Entry:
        """Write down a decision."""
        return recording.note(self._desk(by, source), incident_id, text, decision=True)

    def pin(self, incident_id: str, entry_id: str, *, by: str, source: str, pinned: bool = True) -> Entry:
        """Have an entry stand at the top, or no longer."""
        return recording.pin(self._desk(by, source), incident_id, entry_id, pinned)

    def attach(
        self, incident_id: str, file_name: str, content: bytes, *, by: str, source: str, text: str = ""
    ) -> Entry:
        """Keep a small file with it. Raises AttachmentTooLarge or AttachmentRefused."""
        return recording.attach(self._desk(by, source), incident_id, file_name, content, text)

    def link(self, incident_id: str, kind: LinkKind, target: str, *, by: str, source: str, label: str = "") -> Incident:
        """Tie an alert group, change, deployment, runbook run, incident or URL to it. Harmless when it is.

        Raises IncidentInvalid for an id of nothing.
        """
        return linking.link(self._desk(by, source), self.facts, incident_id, kind, target, label)

    def post_update(
        self,
        incident_id: str,
        text: str,
        *,
        by: str,
        source: str,
        public: bool = False,
        status: Status | None = None,
        key: str | None = None,
        reason: str = "",
    ) -> Update:
        """Tell how it is, and how far. The same update, by its `key` or else by what it says, is published once."""
        desk = self._desk(by, source)
        before = recording.posted_already(desk, incident_id, text, public=public, status=status, key=key)
        if before is not None:
            return before
        if status is not None:
            self.change_status(incident_id, status, by=by, source=source, reason=reason)
        return recording.post_update(desk, incident_id, text, public=public, key=key)

    def _made(self, desk: Desk, said: dict[str, Any], found: list[GroupState], **options: Any) -> Incident:
        now = desk.now
        severities = [severity_of_alert(one.severity.value) for one in found]
        severity = options["severity"] or min(severities, key=lambda one: one.rank, default=Severity.SEV3)
        services = said["services"] or tuple(dict.fromkeys(one.service for one in found if one.service))
        detected = min([one.opened_at for one in found], default=now)
        symptoms = [first_symptom(self.session, one, self.engine) for one in found]
        started = options["started_at"] or min(symptoms, default=now)
        if started > now:
            raise invalid("started_at", "now or earlier")
        zone = self.settings.targets.hours.zone
        name = name_of(now.astimezone(zone).date(), said["title"])
        taken, number = store.names_like(self.session, name), 1
        while (unique := name_of(now.astimezone(zone).date(), said["title"], number)) in taken:
            number += 1
        return Incident(
            **{**said, "services": services},
            id=new_id("inc"),
            name=unique,
            severity=severity,
            environment=options["environment"] or next((one.environment for one in found if one.environment), None),
            started_at=min(started, detected),
            detected_at=detected,
            opened_at=now,
            opened_by=desk.by,
            clocks_from=now,
            updated_at=now,
        )

    def _desk(self, by: str, source: str) -> Desk:
        return Desk(self.session, self.clock, self.settings, self.alerting, by, source)
