"""What changed before an alert: facts of its service and of what that depends on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from watchkeeper.kernel.journal import Fact, FactFilter, describe_fact, read_facts
from watchkeeper.modules.alerts.model import GroupState
from watchkeeper.modules.catalog import public as catalog

AFTER = timedelta(minutes=5)
_MOST = 40
_READ = 200


@dataclass(frozen=True)
class FactLinks:
    """The part that knows where facts lead: `page` of what one is about, `undo` of what it tells. Each may be None.

    `mark` names a fact for good, to whoever is not to see how many there are; `fact` finds one by it.
    """

    page: Callable[[Fact], str | None] = lambda _fact: None
    undo: Callable[[Fact], str | None] = lambda _fact: None
    mark: Callable[[Fact], str] = lambda fact: str(fact.seq)
    fact: Callable[[Session, str], Fact | None] = lambda _session, _mark: None


@dataclass(frozen=True)
class Told:
    """A fact as the page of an alert shows it."""

    fact: Fact
    sentence: str
    page: str | None
    undo: str | None


def changes_around(session: Session, group: GroupState, links: FactLinks) -> list[Told]:
    """What was changed from half an hour before it opened to five minutes after, newest first: at its service and at
    all that this one calls."""
    if group.service is None:
        return []
    services = tuple(catalog.reached([group.service], catalog.calls(session)))
    since, until = group.opened_at - catalog.BEFORE_IT_BROKE, group.opened_at + AFTER
    found = catalog.changes_of(session, services, since, until)
    return [Told(one.fact, one.words, links.page(one.fact), links.undo(one.fact)) for one in found][:_MOST]


def history_of(session: Session, group: GroupState, links: FactLinks) -> list[Told]:
    """Whatever was done about it, newest first: who was called, each try of a message with the provider's answer, who
    took it. Whoever writes such facts names the group as what they are about."""
    facts = read_facts(session, FactFilter(subjects=(group.id,), since=group.opened_at - AFTER), limit=_READ)
    return [Told(one, describe_fact(one), links.page(one), links.undo(one)) for one in facts]
