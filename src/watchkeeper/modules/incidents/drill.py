"""A drill: an incident that is played from the alert to the report, and who would have been called for it.

The alert takes the way of every alert of Watchkeeper's own. Without `page` nobody is told of it and all is over when
the report is made, in one transaction; with `page` people are really called, and the drill goes on until they end it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.web.formats import duration
from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.alerts.public import Alerting, GroupState, GroupWatchers, OwnAlert
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.incidents.checking import invalid, line_of
from watchkeeper.modules.incidents.clocks import ClockKind, IncidentClock
from watchkeeper.modules.incidents.groups import DRILL_SOURCE
from watchkeeper.modules.incidents.model import Incident, Severity
from watchkeeper.modules.incidents.public import Incidenting
from watchkeeper.modules.incidents.rules import chosen_for
from watchkeeper.modules.notify import public as notify
from watchkeeper.modules.oncall import public as oncall
from watchkeeper.modules.oncall.public import Planned

_MOST_CALLS, _REMINDERS = 20, 4


@dataclass(frozen=True)
class Scenario:
    """What is played. `page`: people are really called."""

    title: str
    severity: Severity
    service: str | None = None
    environment: str | None = None
    page: bool = False


@dataclass(frozen=True)
class Call:
    """One step of the policy: who would be called so long after the alert, by name, if nobody did anything."""

    after: timedelta
    people: tuple[str, ...]
    channels: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Due:
    """What a clock would say so long after the opening."""

    after: timedelta
    what: str


@dataclass(frozen=True)
class Report:
    """What a drill showed. `problems`: what would go wrong tonight."""

    incident: Incident
    group: str
    paged: bool
    opened_by: str
    calls: tuple[Call, ...]
    clocks: tuple[Due, ...]
    problems: tuple[str, ...]


def play(
    session: Session, clock: Clock, incidenting: Incidenting, scenario: Scenario, *, by: str, source: str
) -> Report:
    """Play it. Raises IncidentInvalid."""
    title = line_of(scenario.title, "title")
    loud = incidenting.alerting
    alerting = loud if scenario.page else Alerting(loud.settings, GroupWatchers())
    now = clock.now()
    alert = OwnAlert(
        source=DRILL_SOURCE,
        key=new_id("drl"),
        title=f"Drill: {title}"[:300],
        severity=scenario.severity.alert,
        service=scenario.service,
        environment=scenario.environment,
        family=f"drill {title}"[:200],
        labels={"drill": "true"},
    )
    alerting.raise_own(session, alert, at=now)
    group = alerts.own_group(session, DRILL_SOURCE, alert.key)
    if group is None:
        raise invalid("service", "one whose alerts are taken in")
    part = replace(incidenting, alerting=alerting)
    verbs = part.on(session, clock)
    opened = verbs.open(
        f"Drill: {title}"[:200],
        severity=scenario.severity,
        groups=[group.id],
        by=by,
        source=source,
        drill=True,
        page=False,
    )
    report = _report(session, incidenting, scenario, opened, group, now)
    verbs.note(opened.id, "\n".join(in_words(report)), by=by, source=source)
    if not scenario.page:
        over = verbs.resolve(opened.id, reason="the drill was played", by=by, source=source)
        return Report(**{**vars(report), "incident": over})
    return report


def in_words(report: Report) -> list[str]:
    """The report, line by line."""
    one = report.incident
    said = [
        f"{one.severity}: {one.title} ({one.name})",
        "People were really called." if report.paged else "Nobody was called.",
        f"Opened: {report.opened_by}",
    ]
    told = [(call.after, f"{_whom(call)} ({call.why})") for call in report.calls]
    told += [(due.after, due.what) for due in report.clocks]
    said += [f"+{duration(after)}: {what}" for after, what in sorted(told, key=lambda each: each[0])]
    return [*said, *(f"Problem: {problem}" for problem in report.problems)]


def _whom(call: Call) -> str:
    return ", ".join((*call.people, *(f"the channel {name}" for name in call.channels))) or "nobody"


def _report(
    session: Session, incidenting: Incidenting, scenario: Scenario, one: Incident, group: GroupState, now: Any
) -> Report:
    planned = oncall.planned(session, now, service=scenario.service, severity=scenario.severity.alert)[:_MOST_CALLS]
    people = {who for call in planned for who in call.people}
    names = identity.names(session, people)
    chosen = chosen_for(session, group, incidenting.settings)
    opened_by = "by nobody: an alert like this opens no incident by itself, people have to declare it"
    if chosen is not None:
        opened_by = f"as {chosen.severity} by {f'the rule {chosen.rule}' if chosen.rule else 'incidents.open_for'}"
    clocks = incidenting.clocks_of(one, now)
    return Report(
        incident=one,
        group=group.id,
        paged=scenario.page,
        opened_by=opened_by,
        calls=tuple(_call(call, names, now) for call in planned),
        clocks=tuple(sorted(_dues(clocks, now), key=lambda due: due.after)),
        problems=tuple(_problems(session, scenario, planned, names)),
    )


def _call(call: Planned, names: dict[str, str], now: Any) -> Call:
    late = "it is not resolved by then" if call.until == "resolved" else f"step {call.number + 1}"
    why = call.skipped or ("the last resort" if call.last_resort else late)
    if call.round and call.skipped is None:
        why = f"{why}, again"
    return Call(call.due_at - now, tuple(names[who] for who in call.people), call.channels, why)


def _dues(clocks: Iterable[IncidentClock], now: Any) -> Iterable[Due]:
    for clock in clocks:
        if clock.kind is ClockKind.UPDATE:
            every = clock.due_at - clock.starts_at
            yield from (Due(every * number, "an update is due") for number in range(1, _REMINDERS + 1))
            continue
        for mark in clock.marks:
            over = "nobody responded: whoever comes next is called"
            said = over if mark.share >= 100 else f"{mark.share} % of the time to respond are over"
            yield Due(mark.at - now, said)


def _problems(session: Session, scenario: Scenario, planned: list[Planned], names: dict[str, str]) -> Iterable[str]:
    if scenario.service is None:
        yield "it names no service: the default policy is used, and nobody knows what to look at"
    elif catalog.service(session, scenario.service) is None:
        yield f"the catalog has no service {scenario.service}"
    if not any(call.people for call in planned):
        yield "nobody would be called"
    if any(call.last_resort for call in planned):
        yield "there is no policy for it, or nobody in it: the last resort would be called"
    for call in planned:
        if call.skipped is not None and call.round == 0:
            yield f"a step calls nobody: {call.skipped}"
    reach = notify.reach(session, names)
    for who in sorted(names, key=lambda each: names[each]):
        if not reach[who].verified:
            yield f"there is no way to {names[who]}: no contact is verified"
