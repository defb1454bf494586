"""What a recovery rule is, when it may act, and what follows from each event: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

# What senders call one process of a service: OpenTelemetry, Prometheus, Kubernetes and older ones.
_INSTANCE = ("service.instance.id", "service_instance_id", "instance", "pod", "host", "hostname")


class Mode(StrEnum):
    """What a rule does when its alert comes: only says what it would do, asks the on-call first, or acts."""

    DRY_RUN = "dry_run"
    APPROVAL = "approval"
    AUTOMATIC = "automatic"


class AttemptState(StrEnum):
    """How far an attempt is. `verifying`: the steps are done, and the symptom has to go within its time."""

    WAITING_APPROVAL = "waiting_approval"
    RUNNING = "running"
    VERIFYING = "verifying"
    RECOVERED = "recovered"
    FAILED = "failed"
    REHEARSED = "rehearsed"
    DECLINED = "declined"

    @property
    def is_over(self) -> bool:
        return self not in (AttemptState.WAITING_APPROVAL, AttemptState.RUNNING, AttemptState.VERIFYING)


@dataclass(frozen=True)
class Match:
    """Which alert groups a rule is for; an empty field asks for all. `severities` are those of alerts."""

    service: str | None = None
    slo: str | None = None
    environment: str | None = None
    severities: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def says_nothing(self) -> bool:
        return not (self.service or self.slo or self.labels)


@dataclass(frozen=True)
class Guards:
    """What keeps a rule from doing harm.

    At most `most_runs` within `window`, `cooldown` between two, `most_affected` services of it at once. With
    `most_instances` only alerts that name instances, and no more than so many. A runner has to begin a step
    `begin_within` its turn, and the symptom has to be gone `verify_within` after the steps. `only_while_burning`: only
    while an objective of the service burns.
    """

    most_runs: int = 3
    window: timedelta = timedelta(hours=1)
    cooldown: timedelta = timedelta(minutes=10)
    most_affected: int = 1
    most_instances: int | None = None
    begin_within: timedelta = timedelta(minutes=2)
    verify_within: timedelta = timedelta(minutes=10)
    approval_within: timedelta = timedelta(minutes=15)
    only_while_burning: bool = True


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule as files say it.

    `touches` are the things that its steps touch, and what they do to them, in words; they are of the services that it
    is for. `sets` and `does` are the same by what its steps themselves say: parameters, which are the same for
    everybody, and steps.
    """

    name: str
    match: Match
    runbook: str
    steps: tuple[str, ...]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    guards: Guards = Guards()
    mode: Mode = Mode.DRY_RUN
    touches: Mapping[str, str] = field(default_factory=dict)
    sets: Mapping[str, str] = field(default_factory=dict)
    does: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    rehearse_every: timedelta | None = None
    rehearse_in: str = "staging"


@dataclass(frozen=True)
class Breaker:
    """Open after a failure: then the rule does nothing until a person resets it."""

    opened_at: datetime | None = None
    reason: str = ""

    @property
    def is_open(self) -> bool:
        return self.opened_at is not None


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One time that a rule acted, or would have."""

    id: str
    rule: str
    service: str
    group: str
    state: AttemptState
    mode: Mode
    started_at: datetime
    run: str | None = None
    acted_at: datetime | None = None
    due_at: datetime | None = None
    finished_at: datetime | None = None
    detail: str = ""
    approved_by: str | None = None


@dataclass(frozen=True)
class Symptom:
    """An alert group as rules look at it. `labels` of each of its alerts that fires."""

    group: str
    service: str | None
    environment: str | None
    severity: str
    slo: str | None
    fires: bool
    burning: bool
    labels: tuple[Mapping[str, str], ...] = ()
    quiet: bool = False

    @property
    def instances(self) -> frozenset[str]:
        """The instances that its alerts name, each by the first of their labels that is usual for that."""
        named = (next((one[name] for name in _INSTANCE if one.get(name)), None) for one in self.labels)
        return frozenset(one for one in named if one is not None)


@dataclass(frozen=True)
class Verdict:
    """Whether a rule may act now, and why not."""

    may: bool
    why: str = ""


def matches(match: Match, symptom: Symptom) -> bool:
    """Whether a rule is for this alert: everything that it asks for is so, labels on one and the same alert."""
    return (
        (match.service is None or match.service == symptom.service)
        and (match.slo is None or match.slo == symptom.slo)
        and (match.environment is None or match.environment == symptom.environment)
        and (not match.severities or symptom.severity in match.severities)
        and (not match.labels or any(match.labels.items() <= one.items() for one in symptom.labels))
    )


def judge(
    rule: Rule,
    symptom: Symptom,
    *,
    armed: bool,
    breaker: Breaker,
    own: Sequence[Attempt],
    going_on: Collection[Attempt],
    fighting: Collection[str],
    now: datetime,
) -> Verdict:
    """Whether a rule may act on this alert now.

    `own` are its attempts of late, `going_on` those of every rule that are not over, `fighting` the names of rules that
    would work against it. Dry runs count like real ones: what is shown is what would have been done.
    """
    if not symptom.fires:
        return Verdict(False, "the alert is over")
    if symptom.service is None:
        return Verdict(False, "the alert belongs to no service")
    if symptom.quiet:
        return Verdict(False, "the alert is kept quiet")
    if not armed:
        return Verdict(False, "the rule is disarmed")
    if breaker.is_open:
        return Verdict(False, "its circuit breaker is open")
    if rule.guards.only_while_burning and not symptom.burning:
        return Verdict(False, "no objective of the service burns")
    return (
        _few_enough(rule, symptom)
        or _free(rule, symptom.service, going_on, fighting)
        or _within_budget(rule, own, now)
        or Verdict(True)
    )


def _few_enough(rule: Rule, symptom: Symptom) -> Verdict | None:
    most, affected = rule.guards.most_instances, len(symptom.instances)
    if most is None:
        return None
    if affected == 0:
        return Verdict(False, "its alert names no instance")
    if affected > most:
        return Verdict(False, f"more than {most} instances are affected")
    return None


def _free(rule: Rule, service: str, going_on: Collection[Attempt], fighting: Collection[str]) -> Verdict | None:
    if any(one.service == service for one in going_on):
        return Verdict(False, "another recovery of this service goes on")
    if any(one.rule in fighting for one in going_on):
        return Verdict(False, "a rule that works against this one is at work")
    if len({one.service for one in going_on if one.rule == rule.name}) >= rule.guards.most_affected:
        return Verdict(False, f"it works on {rule.guards.most_affected} already")
    return None


def _within_budget(rule: Rule, own: Sequence[Attempt], now: datetime) -> Verdict | None:
    guards = rule.guards
    begun = [one.started_at for one in own if one.state is not AttemptState.DECLINED]
    if sum(now - at < guards.window for at in begun) >= guards.most_runs:
        return Verdict(False, f"it acted {guards.most_runs} times within its window")
    ended = [one.finished_at or one.started_at for one in own]
    if any(now - at < guards.cooldown for at in ended):
        return Verdict(False, "it acted a moment ago")
    return None


def opposed(one: Rule, other: Rule) -> str | None:
    """Why two rules would fight each other; None when they do not.

    They do when both are for the same alerts, or when they do different things to the same parameter or release.
    """
    if one.name == other.name:
        return None
    thing = opposite(one, other)
    if thing is not None:
        return f"they do opposite things to {thing}"
    return "both are for the same alerts" if _overlap(one.match, other.match) else None


def opposite(one: Rule, other: Rule) -> str | None:
    """To what two rules do different things; None where they may both be armed."""
    if one.name == other.name:
        return None
    pairs = [(one.sets, other.sets)]
    if _may_meet(one.match, other.match):
        pairs += [(one.touches, other.touches), (one.does, other.does)]
    differ = (thing for mine, theirs in pairs for thing, effect in mine.items() if theirs.get(thing, effect) != effect)
    return next(differ, None)


def fights(rules: Sequence[Rule]) -> dict[str, dict[str, str]]:
    """For each rule the rules that it would fight, and why."""
    found: dict[str, dict[str, str]] = {one.name: {} for one in rules}
    for number, one in enumerate(rules):
        for other in rules[number + 1 :]:
            why = opposed(one, other)
            if why is not None:
                found[one.name][other.name] = why
                found[other.name][one.name] = why
    return found


def _may_meet(one: Match, other: Match) -> bool:
    return one.service is None or other.service is None or one.service == other.service


def _overlap(one: Match, other: Match) -> bool:
    """Whether some alert could match both."""
    pairs = ((one.service, other.service), (one.slo, other.slo), (one.environment, other.environment))
    if any(mine is not None and theirs is not None and mine != theirs for mine, theirs in pairs):
        return False
    if one.severities and other.severities and not set(one.severities) & set(other.severities):
        return False
    return all(other.labels.get(name, value) == value for name, value in one.labels.items())


def after_steps(attempt: Attempt, state: str, now: datetime, guards: Guards) -> Attempt:
    """The run of its steps ended: now the symptom has to go, or it failed."""
    if attempt.state is not AttemptState.RUNNING:
        return attempt
    if state in ("succeeded", "skipped"):
        return replace(attempt, state=AttemptState.VERIFYING, acted_at=now, due_at=now + guards.verify_within)
    words = state.replace("_", " ")
    return replace(attempt, state=AttemptState.FAILED, finished_at=now, detail=f"its steps ended {words}")


def given_up(attempt: Attempt, step: str, now: datetime) -> Attempt:
    """No runner began a step of it in time: somebody has to look, and not only at the symptom."""
    return replace(attempt, state=AttemptState.FAILED, finished_at=now, detail=f"no runner began the step {step}")


def is_gone(symptom: Symptom | None, guards: Guards) -> bool:
    """Whether what a rule was to end has ended; an alert that is not kept any more is over."""
    return symptom is None or not (symptom.fires or (guards.only_while_burning and symptom.burning))


def after_look(attempt: Attempt, *, gone: bool, now: datetime) -> Attempt:
    """A look at what was to go: it went, it still may, or its time is over."""
    if attempt.state is AttemptState.WAITING_APPROVAL and attempt.due_at is not None and now >= attempt.due_at:
        return replace(attempt, state=AttemptState.DECLINED, finished_at=now, detail="nobody approved it in time")
    if attempt.state is not AttemptState.VERIFYING:
        return attempt
    if gone:
        return replace(attempt, state=AttemptState.RECOVERED, finished_at=now, detail="the symptom went")
    if attempt.due_at is not None and now >= attempt.due_at:
        return replace(attempt, state=AttemptState.FAILED, finished_at=now, detail="the symptom did not go in time")
    return attempt


def breaker_after(breaker: Breaker, attempt: Attempt) -> Breaker:
    """One failure opens it."""
    if attempt.state is AttemptState.FAILED and not breaker.is_open:
        return Breaker(attempt.finished_at, attempt.detail)
    return breaker
