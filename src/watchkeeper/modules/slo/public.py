"""What other modules may ask of objectives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from watchkeeper.modules.slo import changes, policy, reading, store, store_counts
from watchkeeper.modules.slo.definition import Policy, PolicyAction
from watchkeeper.modules.slo.engine import Engine
from watchkeeper.modules.slo.model import AlertState, Figures, burn_of
from watchkeeper.modules.slo.policy import Standing

__all__ = [
    "AlertState",
    "Engine",
    "Figures",
    "Spent",
    "Verdict",
    "all_names",
    "burning_since",
    "figures_of",
    "names",
    "open_alerts",
    "spent_between",
    "verdict",
]


@dataclass(frozen=True)
class Verdict:
    """What the error-budget policy of a service says now.

    `action` is the strictest that holds, None when deployments may go out. `postmortems_due` names alerts of which one
    took a larger share of a budget than the policy lets go.
    """

    policy: Policy
    action: PolicyAction | None
    may_deploy: bool
    may_deploy_critical: bool
    reasons: tuple[str, ...]
    postmortems_due: tuple[str, ...]


def verdict(session: Session, engine: Engine, service: str, now: datetime) -> Verdict:
    """Of the SLOs of a service that the policy looks at; one without any may deploy."""
    chosen = policy.policy_for(service, store.policies(session))
    figures = [one for one in figures_of(session, engine, service, now) if one.definition.critical]
    standings = []
    for one in figures:
        tracker = engine.tracker(one.definition.name, one.objective.name)
        if tracker is None:
            continue
        with engine.lock:
            counts = tracker.series.window(chosen.burn_window, now.timestamp())
        burn = burn_of(counts, one.objective.target, chosen.burn_window)
        standings.append(
            Standing(one.definition.name, one.objective.name, burn, one.budget.remaining, one.counts.total > 0)
        )
    found = policy.judge(chosen, standings)
    return Verdict(
        chosen,
        found.action,
        found.may_deploy,
        found.may_deploy_critical,
        found.reasons,
        tuple(_postmortems_due(session, engine, chosen, figures, now)),
    )


def figures_of(session: Session, engine: Engine, service: str, now: datetime) -> list[Figures]:
    """Every objective of a service, worst first."""
    return reading.all_figures(session, engine, now, service=service)


@dataclass(frozen=True)
class Spent:
    """What a stretch of time took of the error budget of one objective: `share` of the whole window's budget, of which
    `left` is what remains now."""

    slo: str
    objective: str
    bad: float
    total: float
    share: float
    left: float


def spent_between(
    session: Session, engine: Engine, service: str, since: datetime, until: datetime, now: datetime
) -> list[Spent]:
    """Of every objective of a service that counted anything in [since, until), by whole minutes; the most first."""
    found = []
    for one in figures_of(session, engine, service, now):
        tracker = engine.tracker(one.definition.name, one.objective.name)
        if tracker is None or one.budget.allowed <= 0:
            continue
        with engine.lock:
            counts = tracker.series.between(since.timestamp() // 60 * 60, until.timestamp())
        if counts.total > 0:
            share = counts.bad / one.budget.allowed
            left = one.budget.remaining
            found.append(Spent(one.definition.name, one.objective.name, counts.bad, counts.total, share, left))
    return sorted(found, key=lambda one: (-one.share, one.slo, one.objective))


def open_alerts(session: Session) -> list[AlertState]:
    """Every alert that is open, newest first."""
    return store_counts.episodes(session, open_only=True, limit=10_000)


def burning_since(
    session: Session, engine: Engine, services: Sequence[str], since: datetime, until: datetime
) -> dict[str, datetime]:
    """When the budgets of these services began to burn, of those for which an alert fired in [since, until).

    The end of the first bad minute: counts are by the minute, and what was changed within it may have been the cause.
    """
    found: dict[str, datetime] = {}
    for episode in store_counts.episodes(session, since=since, until=until, limit=1_000):
        if episode.kind != "burn" or episode.service not in services or episode.started_at < since:
            continue
        tracker = engine.tracker(episode.slo, episode.objective)
        if tracker is None:
            continue
        with engine.lock:
            began = changes.burning_since(tracker, episode.started_at) + timedelta(minutes=1)
        found[episode.service] = min(began, found.get(episode.service, began), episode.started_at)
    return found


def names(session: Session, service: str) -> list[str]:
    """The SLOs of a service."""
    return [one.name for one in store.all_definitions(session, service=service)]


def all_names(session: Session) -> list[str]:
    """Every SLO."""
    return [one.name for one in store.all_definitions(session)]


def _postmortems_due(
    session: Session, engine: Engine, chosen: Policy, figures: Sequence[Figures], now: datetime
) -> list[str]:
    """What fired an alert is counted with it."""
    found = []
    for one in figures:
        tracker = engine.tracker(one.definition.name, one.objective.name)
        if tracker is None or one.budget.allowed <= 0:
            continue
        for episode in store_counts.episodes(session, slo=one.definition.name, since=one.since, limit=50):
            if episode.kind != "burn" or episode.objective != one.objective.name:
                continue
            end = episode.resolved_at or now
            with engine.lock:
                start = max(one.since, tracker.harm_since(episode))
                bad = tracker.series.between(start.timestamp(), end.timestamp()).bad
            if bad / one.budget.allowed > chosen.postmortem_from:
                share = bad / one.budget.allowed
                found.append(f"{episode.id}: {share:.0%} of the budget of {one.definition.name}")
    return list(dict.fromkeys(found))
