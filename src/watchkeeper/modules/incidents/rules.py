"""Which alert groups open an incident by themselves: rules of `ops/incidents.yaml`, then the setting `open_for`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.alerts.public import GroupState
from watchkeeper.modules.incidents.model import Severity
from watchkeeper.modules.incidents.settings import IncidentSettings, opened_for
from watchkeeper.modules.incidents.tables import rules

AlertSeverity = Literal["critical", "error", "warning", "info"]
Text = Annotated[str, Field(min_length=1, max_length=200)]
_MOST_ALERTS = 100


class Rule(StrictModel):
    """Alert groups that open an incident, or none. What is left out fits all; the first rule that fits holds."""

    name: str = Field(
        pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", description="Lower-case letters, digits, dashes."
    )
    severities: tuple[AlertSeverity, ...] = Field(default=(), max_length=4, description="Severities of the group.")
    services: tuple[Text, ...] = Field(default=(), max_length=200, description="Services of the group.")
    environments: tuple[Text, ...] = Field(default=(), max_length=50, description="Environments of the group.")
    labels: dict[Text, Text] = Field(
        default_factory=dict, max_length=20, description="Labels that one of its alerts has, all of them."
    )
    priority: int = Field(default=100, ge=0, le=10_000, description="Lower ones are looked at first; then by name.")
    open: Severity | Literal["nothing"] = Field(description="The severity of the incident, or `nothing`.")

    def fits(self, group: GroupState, labels: list[dict[str, str]]) -> bool:
        """Whether it is about this group, whose alerts have these labels."""
        return (
            (not self.severities or group.severity.value in self.severities)
            and (not self.services or group.service in self.services)
            and (not self.environments or group.environment in self.environments)
            and (not self.labels or any(self.labels.items() <= one.items() for one in labels))
        )


@dataclass(frozen=True)
class Chosen:
    """An incident that is to be opened, and the rule that says so; None: the setting does."""

    severity: Severity
    rule: str | None


def chosen_for(session: Session, group: GroupState, settings: IncidentSettings) -> Chosen | None:
    """What a group opens; None: nothing."""
    known = all_rules(session)
    labels = [dict(one.labels) for one in alerts.alerts_of(session, group.id, limit=_MOST_ALERTS)] if known else []
    for one in known:
        if one.fits(group, labels):
            return Chosen(one.open, one.name) if isinstance(one.open, Severity) else None
    severity = opened_for(settings.open_for).get(group.severity.value)
    return Chosen(severity, None) if severity is not None else None


def all_rules(session: Session) -> list[Rule]:
    """In the order in which they are looked at."""
    rows = session.execute(select(rules.c.content).order_by(rules.c.position, rules.c.name)).scalars()
    return [Rule.model_validate(content) for content in rows]


def put_rule(session: Session, rule: Rule, *, by: str, at: datetime) -> None:
    """Have it as it is said now."""
    remove_rule(session, rule.name)
    content = rule.model_dump(mode="json")
    session.execute(
        insert(rules).values(name=rule.name, position=rule.priority, content=content, updated_at=at, updated_by=by)
    )


def remove_rule(session: Session, name: str) -> None:
    session.execute(delete(rules).where(rules.c.name == name))
