"""What belongs to an incident: ids are looked up before they are tied, and who was called for it is found by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import NotFound
from watchkeeper.kernel.journal import Effect, describe_fact, effect_of
from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.alerts.public import FactLinks
from watchkeeper.modules.config import public as config
from watchkeeper.modules.incidents import store, store_records
from watchkeeper.modules.incidents.checking import invalid, line_of
from watchkeeper.modules.incidents.desk import Desk
from watchkeeper.modules.incidents.model import EntryKind, Incident, LinkKind
from watchkeeper.modules.oncall import public as oncall
from watchkeeper.modules.oncall.public import Page
from watchkeeper.modules.runbooks import public as runbooks

_LONGEST_URL = 700
# How ids of what can be tied begin; everything else has to be an address.
_BEGINNINGS = {
    "alg_": LinkKind.ALERT_GROUP,
    "chg_": LinkKind.CHANGE,
    "fct_": LinkKind.DEPLOYMENT,
    "run_": LinkKind.RUNBOOK_RUN,
    "inc_": LinkKind.INCIDENT,
}


def kind_of(target: str) -> LinkKind:
    """What somebody means who says nothing but an id or an address."""
    return _BEGINNINGS.get(target.strip()[:4], LinkKind.URL)


def link(desk: Desk, facts: FactLinks, incident_id: str, kind: LinkKind, target: str, label: str) -> Incident:
    """As `Incidents.link`."""
    one = desk.load(incident_id)
    where = line_of(target, "target", longest=_LONGEST_URL)
    said = line_of(label, "label", longest=300, needed=False)
    if kind is LinkKind.URL:
        if not where.startswith(("https://", "http://")) or " " in where:
            raise invalid("target", "an address that begins with https://")
        desk.enter(one, EntryKind.LINK, said or where, url=where)
        return desk.save(one) if desk.link(one, kind, where, said) else one
    if kind is LinkKind.INCIDENT:
        other = store.find(desk.session, where)
        if other is None or other.id == one.id:
            raise invalid("target", "the id of another incident")
        return desk.save(one) if desk.link(one, kind, other.id, said or other.title) else one
    found = _LOOK[kind](desk.session, desk.clock, facts, where)
    if found is None:
        raise invalid("target", _EXPECTED[kind])
    if kind is LinkKind.ALERT_GROUP and (group := alerts.group(desk.session, where)) is not None and group.is_open:
        one = replace(one, settled_at=None)
    return desk.save(one) if desk.link(one, kind, where, said or found) else one


def pages_of(session: Session, one: Incident) -> list[Page]:
    """Everybody who was called for its alert groups, its own ones, too; in the order of the calls."""
    links = store_records.links_of(session, one.id)
    groups = [each.target for each in links if each.kind is LinkKind.ALERT_GROUP]
    return oncall.pages_about(session, groups)


def _alert_group(session: Session, _clock: Clock, _facts: FactLinks, target: str) -> str | None:
    found = alerts.group(session, target)
    return found.title if found is not None and not found.is_synthetic else None


def _change(session: Session, clock: Clock, _facts: FactLinks, target: str) -> str | None:
    try:
        found = config.change(session, clock, target)
    except NotFound:
        return None
    keys = ", ".join(found.keys[:3]) + (f" and {len(found.keys) - 3} more" if len(found.keys) > 3 else "")
    return f"{keys} in {found.environment}"


def _deployment(session: Session, _clock: Clock, facts: FactLinks, target: str) -> str | None:
    found = facts.fact(session, target)
    return describe_fact(found) if found is not None and effect_of(found) is Effect.CODE else None


def _run(session: Session, _clock: Clock, _facts: FactLinks, target: str) -> str | None:
    found = runbooks.run_of(session, target)
    return f"{found.title}{' (dry run)' if found.dry_run else ''}" if found is not None else None


_LOOK: dict[LinkKind, Callable[[Session, Clock, FactLinks, str], str | None]] = {
    LinkKind.ALERT_GROUP: _alert_group,
    LinkKind.CHANGE: _change,
    LinkKind.DEPLOYMENT: _deployment,
    LinkKind.RUNBOOK_RUN: _run,
}
_EXPECTED = {
    LinkKind.ALERT_GROUP: "the id of an alert group",
    LinkKind.CHANGE: "the id of a change of configuration",
    LinkKind.DEPLOYMENT: "the id of the fact of a deployment, as the timeline and the story have it",
    LinkKind.RUNBOOK_RUN: "the id of a run of a runbook",
}
