"""Which alerts are due: what holds now, compared with what is open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from watchkeeper.kernel.ids import new_id
from watchkeeper.modules.slo import silence
from watchkeeper.modules.slo.calendars import length_of, window_of
from watchkeeper.modules.slo.episodes import Transition, Watched
from watchkeeper.modules.slo.model import AlertState, budget_of
from watchkeeper.modules.slo.rules import SETTLES_IN, Now, Seen, rule_text, step
from watchkeeper.modules.slo.shaping import touches
from watchkeeper.modules.slo.sources import source_of
from watchkeeper.modules.slo.store import Stored
from watchkeeper.modules.slo.tracker import Tracker

Action = Literal["page", "ticket"]
_ACTIONS: tuple[Action, ...] = ("page", "ticket")


def due(engine: Watched, now: datetime) -> list[Transition]:
    """Compare what holds with what is open."""
    found = []
    for tracker in engine.trackers.values():
        states = {action: engine.states.get(dedup_key(tracker, action)) for action in _ACTIONS}
        for action, state in states.items():
            if state is not None and state.is_open:
                tracker.hold(action, state.rules)
        seen = tracker.look(now)
        for action, state in states.items():
            of_action = [one for one in seen if one.rule.action == action]
            if of_action or (state is not None and state.is_open):
                found += _of_objective(engine, tracker, action, of_action, state, now)
        tracker.remember(seen, now)
    return [*found, *silence.of_sources(engine, now), *_orphans(engine, now)]


def dedup_key(tracker: Tracker, action: str) -> str:
    """The same for every episode of an objective's pages, or of its tickets."""
    return f"slo/{tracker.stored.name}/{tracker.objective.name}/{action}"


def _orphans(engine: Watched, now: datetime) -> Iterable[Transition]:
    """Alerts of what is not watched any more end at once."""
    names = {tracker.stored.name for tracker in engine.trackers.values()}
    asked = {
        source_of(one.stored.definition) for one in engine.trackers.values() if one.stored.definition.alerting.enabled
    }
    gone = Now(holds=False, clear_since=now - SETTLES_IN)
    for key, state in engine.states.items():
        source = key.removeprefix(silence.KEY)
        if not state.is_open:
            continue
        if state.kind == "burn" and (state.slo, state.objective) not in engine.trackers:
            yield Transition(state, gone)
        elif state.kind == "source_silent" and source not in asked and source.removeprefix("slo:") not in names:
            yield Transition(replace(state, detail="nothing asks it any more"), gone)


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


def of(stored: Stored, states: Iterable[AlertState]) -> tuple[AlertState, ...]:
    """The open alerts that an SLO has a part in, those of its source included."""
    source = f"{silence.KEY}{source_of(stored.definition)}"
    return tuple(one for one in states if one.is_open and (one.slo == stored.name or one.dedup_key == source))
