"""What changed before an alert: facts of its service and of what that depends on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from watchkeeper.kernel.journal import Fact, FactFilter, describe_fact, read_facts
from watchkeeper.modules.alerts.model import GroupState, reached
from watchkeeper.modules.catalog import public as catalog

BEFORE, AFTER = timedelta(minutes=30), timedelta(minutes=5)
_MOST = 40
_READ = 200
# What the page of an alert says elsewhere: alerts, and who was called.
_NO_CHANGE = ("alerts.", "notify.", "oncall.", "slo.alert_")


@dataclass(frozen=True)
class FactLinks:
    """The part that knows where facts lead: `page` of what one is about, `undo` of what it tells. Each may be None."""

    page: Callable[[Fact], str | None] = lambda _fact: None
    undo: Callable[[Fact], str | None] = lambda _fact: None


@dataclass(frozen=True)
class Change:
    """A fact as the page of an alert shows it."""

    fact: Fact
    sentence: str
    page: str | None
    undo: str | None


def changes_around(session: Session, group: GroupState, links: FactLinks) -> list[Change]:
    """From half an hour before it opened to five minutes after, newest first; alerts and calls are left out."""
    services = services_around(session, group.service)
    if not services:
        return []
    wanted = FactFilter(services=services, since=group.opened_at - BEFORE, until=group.opened_at + AFTER)
    facts = read_facts(session, wanted, limit=_READ)
    return [Change(one, describe_fact(one), links.page(one), links.undo(one)) for one in facts if _tells(one)][:_MOST]


def history_of(session: Session, group: GroupState, links: FactLinks) -> list[Change]:
    """Whatever was done about it, newest first: who was called, each try of a message with the provider's answer, who
    took it. Whoever writes such facts names the group as what they are about."""
    facts = read_facts(session, FactFilter(subjects=(group.id,), since=group.opened_at - AFTER), limit=_READ)
    return [Change(one, describe_fact(one), links.page(one), links.undo(one)) for one in facts]


def services_around(session: Session, service: str | None) -> tuple[str, ...]:
    """A service and everything that it calls, directly or through others."""
    if service is None:
        return ()
    return reached(service, {one.name: one.about.dependencies for one in catalog.services(session)})


def _tells(fact: Fact) -> bool:
    return fact.kind == "alerts.change_recorded" or not fact.kind.startswith(_NO_CHANGE)
