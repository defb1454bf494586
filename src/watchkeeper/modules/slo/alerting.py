"""Which alerts are due, and writing them: at most one episode is open for each, whatever replicas do at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, Protocol

import structlog
from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.ids import new_id
from watchkeeper.modules.slo import store_counts
from watchkeeper.modules.slo.calendars import length_of, window_of
from watchkeeper.modules.slo.events import AlertFired, AlertResolved
from watchkeeper.modules.slo.model import AlertState, Exclusion, budget_of
from watchkeeper.modules.slo.rules import Now, Seen, Step, after, rule_text, step
from watchkeeper.modules.slo.shaping import touches
from watchkeeper.modules.slo.sources import source_of
from watchkeeper.modules.slo.store import Stored
from watchkeeper.modules.slo.tracker import Tracker

_log = structlog.get_logger("watchkeeper.slo")
Action = Literal["page", "ticket"]
_STARTS_WITHIN = timedelta(minutes=5)  # a server that has just begun has heard nobody yet


class Watched(Protocol):
    """What an engine holds: counts, open and recent alerts, exclusions, and what its sources said."""

    @property
    def trackers(self) -> Mapping[tuple[str, str], Tracker]:
        """By SLO and objective."""
        ...

    @property
    def states(self) -> Mapping[str, AlertState]:
        """By dedup key."""
        ...

    @property
    def exclusions(self) -> Sequence[Exclusion]:
        """Those that were not withdrawn."""
        ...

    @property
    def newest(self) -> Mapping[str, float]:
        """By source, the end of what it told."""
        ...

    @property
    def problems(self) -> Mapping[str, tuple[str, datetime]]:
        """By source, why it does not answer and since when."""
        ...

    @property
    def started_at(self) -> datetime:
        """Since when anybody listens."""
        ...


@dataclass(frozen=True)
class Transition:
    """What is about to happen to an alert: `state` is the episode as it would be, were it new."""

    state: AlertState
    found: Now


def due(engine: Watched, now: datetime) -> list[Transition]:
    """Compare what holds with what is open."""
    found = []
    for tracker in engine.trackers.values():
        seen = tracker.look(now)
        for action in ("page", "ticket"):
            of_action = [one for one in seen if one.rule.action == action]
            state = engine.states.get(dedup_key(tracker, action))
            if of_action or (state is not None and state.is_open):
                found += _of_objective(engine, tracker, action, of_action, state, now)
        tracker.remember(seen, now)
    return found + list(_of_sources(engine, now))


def dedup_key(tracker: Tracker, action: str) -> str:
    """The same for every episode of an objective's pages, or of its tickets."""
    return f"slo/{tracker.stored.name}/{tracker.objective.name}/{action}"


def take(session: Session, transitions: Iterable[Transition], now: datetime) -> None:
    """Write what is still due when the episode is looked at under its lock, with its fact."""
    for one in transitions:
        current = store_counts.newest_episode(session, one.state.dedup_key, lock=True)
        what = step(current, one.found, now)
        if what is Step.FIRE:
            if store_counts.add_alert(session, one.state):
                _tell(session, one.state, what, now)
        elif what is not None and current is not None:
            changed = after(current, what, now, one.state.rules, one.state.burn)
            store_counts.change_alert(session, changed)
            _tell(session, changed, what, now)


def _of_objective(
    engine: Watched,
    tracker: Tracker,
    action: Action,
    seen: Sequence[Seen],
    state: AlertState | None,
    now: datetime,
) -> list[Transition]:
    definition = tracker.stored.definition
    window = definition.window.length
    holding = [one for one in seen if one.holds]
    held = tracker.held.get(action, ())
    found = Now(
        holds=bool(holding),
        known=all(one.known for one in seen if rule_text(one.rule, window) in held),
        suppressed=any(
            one.kind == "maintenance" and touches(one, definition, now.timestamp(), now.timestamp() + 1)
            for one in engine.exclusions
        ),
        clear_since=tracker.clear_since.get(action),
    )
    if step(state, found, now) is None:
        return []
    rules = tuple(rule_text(one.rule, window) for one in holding)
    worst = max(holding, key=lambda one: one.long.rate, default=None)
    burn = worst.long.rate if worst is not None else 0.0
    spent = spent_now(tracker, now)
    return [
        Transition(
            AlertState(
                id=new_id("alr"),
                slo=definition.name,
                objective=tracker.objective.name,
                service=definition.service,
                kind="burn",
                action=action,
                dedup_key=dedup_key(tracker, action),
                started_at=now,
                resolved_at=None,
                last_fired_at=now,
                fired=1,
                rules=rules,
                burn=burn,
                budget_spent=spent,
                detail=_detail(worst, rules, spent),
            ),
            found,
        )
    ]


def spent_now(tracker: Tracker, now: datetime) -> float:
    """The share of the budget that is gone."""
    definition = tracker.stored.definition
    since, _ = window_of(definition.window, now)
    counts = tracker.series.between(since.timestamp(), now.timestamp())
    return budget_of(counts, tracker.objective.target, length_of(definition.window, now)).spent


def _detail(worst: Seen | None, rules: Sequence[str], spent: float) -> str:
    if worst is None:
        return ""
    counts = worst.long.counts
    return (
        f"{counts.bad:,.0f} of {counts.total:,.0f} events were bad, {worst.long.rate:.3g} times what the budget allows "
        f"({'; '.join(rules)}); {spent:.1%} of the budget is spent"
    )


def _of_sources(engine: Watched, now: datetime) -> Iterable[Transition]:
    """A source that says nothing is an alert of its own: no errors are known because nothing is."""
    users: dict[str, list[Tracker]] = {}
    for tracker in engine.trackers.values():
        source = source_of(tracker.stored.definition)
        if source and tracker.stored.definition.alerting.enabled:
            users.setdefault(source, []).append(tracker)
        if f"slo:{tracker.stored.name}" in engine.problems:
            users.setdefault(f"slo:{tracker.stored.name}", []).append(tracker)
    for source, trackers in users.items():
        silent_since = _silent_since(engine, source, now)
        patience = min(one.stored.definition.alerting.silent_after for one in trackers)
        waiting = now - engine.started_at < min(patience, _STARTS_WITHIN)
        holds = silent_since is not None and now - silent_since > patience and not waiting
        state = engine.states.get(f"slo/source/{source}")
        found = Now(holds=holds, suppressed=_all_in_maintenance(engine, trackers, now))
        if step(state, found, now) is not None:
            yield Transition(_silence(source, trackers, engine, silent_since or now, now), found)
    for key, state in engine.states.items():
        if state.kind == "source_silent" and state.is_open and key.removeprefix("slo/source/") not in users:
            yield Transition(replace(state, detail="nothing asks it any more"), Now(holds=False))


def _silent_since(engine: Watched, source: str, now: datetime) -> datetime | None:
    """Since when nothing is known; None while it speaks, and for what was never heard."""
    problem = engine.problems.get(source)
    if problem is not None:
        return problem[1]
    newest = engine.newest.get(source)
    if newest is None or newest >= now.timestamp():
        return None
    return now - timedelta(seconds=now.timestamp() - newest)


def _all_in_maintenance(engine: Watched, trackers: Sequence[Tracker], now: datetime) -> bool:
    at = now.timestamp()
    return all(
        any(
            one.kind == "maintenance" and touches(one, tracker.stored.definition, at, at + 1)
            for one in engine.exclusions
        )
        for tracker in trackers
    )


def _silence(source: str, trackers: Sequence[Tracker], engine: Watched, since: datetime, now: datetime) -> AlertState:
    pages = any(rule.action == "page" for one in trackers for rule in one.rules)
    kind, _, name = source.partition(":")
    what = {"service": f"the service {name}", "data_source": f"the data source {name}"}.get(kind, f"the SLO {name}")
    problem = engine.problems.get(source)
    why = f" ({problem[0]})" if problem is not None else ""
    slos = sorted({one.stored.name for one in trackers})
    listed = ", ".join(slos[:5]) + (f" and {len(slos) - 5} more" if len(slos) > 5 else "")
    minutes = round((now - since) / timedelta(minutes=1))
    return AlertState(
        id=new_id("alr"),
        slo=name if kind == "slo" else "",
        objective="",
        service=trackers[0].stored.definition.service if kind != "data_source" else "",
        kind="source_silent",
        action="page" if pages else "ticket",
        dedup_key=f"slo/source/{source}"[:250],
        started_at=now,
        resolved_at=None,
        last_fired_at=now,
        fired=1,
        rules=(),
        burn=0.0,
        budget_spent=0.0,
        detail=f"{what} has told nothing for {minutes} min{why}; nobody knows how {listed} does",
    )


def _tell(session: Session, state: AlertState, what: Step, now: datetime) -> None:
    _log.warning(
        "alert", step=what.value, alert=state.id, dedup_key=state.dedup_key, action=state.action, detail=state.detail
    )
    said = {
        "slo": state.slo,
        "service_name": state.service,
        "alert": state.id,
        "objective": state.objective,
        "alert_kind": state.kind,
        "action": state.action,
        "dedup_key": state.dedup_key,
        "detail": state.detail,
    }
    if what is Step.RESOLVE:
        lasted = round((now - state.started_at).total_seconds())
        journal.append(session, AlertResolved(**said, lasted_seconds=lasted), by="watchkeeper", source="worker", at=now)
        return
    fired = AlertFired(
        **said,
        rules=list(state.rules),
        burn=state.burn,
        budget_spent=state.budget_spent,
        repeated=what is Step.REOPEN,
    )
    journal.append(session, fired, by="watchkeeper", source="worker", at=now)


def of(stored: Stored, states: Iterable[AlertState]) -> tuple[AlertState, ...]:
    """The open alerts that an SLO has a part in, those of its source included."""
    source = f"slo/source/{source_of(stored.definition)}"
    return tuple(one for one in states if one.is_open and (one.slo == stored.name or one.dedup_key == source))
