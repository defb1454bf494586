"""What was changed at services and at those that they call, and which of it may be to blame for what broke.

The one reading of the journal that objectives, alerts and incidents share: what counts as a change, what of it belongs
together, and how suspicious it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import parse_rfc3339
from watchkeeper.kernel.journal import (
    Difference,
    Effect,
    Fact,
    FactFilter,
    describe_fact,
    differences,
    effect_of,
    event_kinds,
    reach_of,
    undo_href,
)
from watchkeeper.modules.catalog import store
from watchkeeper.modules.catalog.events import VersionSeen
from watchkeeper.modules.catalog.suspicion import Clue, Ground, Suspicion, magnitude, suspicion, together

BEFORE_IT_BROKE = timedelta(minutes=30)
_FACTS_READ = 1_000
# Somebody says "deployed", and a while later its telemetry names the version: one deployment.
_ARRIVES_WITHIN = timedelta(minutes=15)
_SAID_LATE = timedelta(minutes=2)
_TOLD_AT_MOST_LATER = timedelta(days=1)
_ORDER = (Effect.NONE, Effect.WORDS, Effect.BEHAVIOUR, Effect.CODE)


@dataclass(frozen=True)
class Change:
    """Facts that were one change; `fact` stands for them, the rest came with it.

    `seen_at` is when telemetry first named what was deployed, `undone_at` when somebody put back what was before.
    """

    at: datetime
    fact: Fact
    services: tuple[str, ...]
    effect: Effect
    size: float
    rest: tuple[Fact, ...] = ()
    environment: str | None = None
    seen_at: datetime | None = None
    undone_at: datetime | None = None
    puts_back: bool = False

    @property
    def facts(self) -> tuple[Fact, ...]:
        return self.fact, *self.rest

    @property
    def service(self) -> str:
        """Where it was made; "" when it belongs to none."""
        return self.fact.service or (self.services[0] if self.services else "")

    @property
    def undo(self) -> str | None:
        """The page that can undo it; None where nothing can."""
        return undo_href(self.fact)

    @property
    def words(self) -> str:
        """The sentence, with what came at the same moment."""
        more = f" And {len(self.rest)} more at the same moment." if self.rest else ""
        return describe_fact(self.fact) + more

    @property
    def differences(self) -> list[Difference]:
        """What was before and what came after."""
        return [one for fact in self.facts for one in differences(fact.data, as_given=fact.subject_type == "parameter")]


@dataclass(frozen=True)
class Suspect:
    """A change and how suspicious it is."""

    change: Change
    suspicion: Suspicion


def changes_of(
    session: Session, services: Sequence[str], since: datetime, until: datetime, *, leaving_out: tuple[Effect, ...] = ()
) -> list[Change]:
    """What was changed at these services in [since, until), newest first; of a shared parameter, whoever uses it.

    Facts of one act are one change: an apply of a hundred files, a deployment and the first sight of its version.
    """
    wanted = [effect for effect in Effect if effect is not Effect.NONE and effect not in leaving_out]
    window = FactFilter(kinds=_kinds(*wanted), since=since, until=until)
    if not services or not window.kinds:
        return []
    own = journal.read_facts(session, replace(window, services=tuple(services)), limit=_FACTS_READ)
    # A parameter belongs to one service and may be used by others; that is in its data, which no filter reads.
    shared = journal.read_facts(session, replace(window, kinds=_kinds(Effect.BEHAVIOUR)), limit=_FACTS_READ)
    here = set(services)
    facts = {fact.seq: fact for fact in (*own, *(one for one in shared if here.intersection(_users(one))))}
    found = _by_act(facts[seq] for seq in sorted(facts, reverse=True))
    return sorted(_with_undone(_with_arrivals(found)), key=lambda one: (one.at, one.fact.seq), reverse=True)


def suspects_among(
    changes: Iterable[Change], ground: Ground, onset: datetime, *, environment: str | None = None
) -> list[Suspect]:
    """The most suspicious first; of two that are equally so, what came last. All of them: see `is_suspect`."""
    found = [Suspect(one, suspicion(_clue(one, ground, environment), onset)) for one in changes]
    return sorted(found, key=lambda one: (-one.suspicion.score, -one.change.at.timestamp(), -one.change.fact.seq))


def calls(session: Session) -> dict[str, tuple[str, ...]]:
    """Whom each live service calls, as people or files say."""
    return {one.name: one.about.dependencies for one in store.all_services(session)}


def _clue(change: Change, ground: Ground, environment: str | None) -> Clue:
    """Of the services that it touches, the one that is nearest to where it broke."""
    steps = min((ground.steps[one] for one in change.services if one in ground.steps), default=None)
    return Clue(
        at=change.at,
        effect=change.effect,
        steps=steps,
        above=steps is None and any(one in ground.above for one in change.services),
        size=change.size,
        elsewhere=bool(environment and change.environment and change.environment != environment),
        undone_at=change.undone_at,
        puts_back=change.puts_back,
    )


def _by_act(facts: Iterable[Fact]) -> list[Change]:
    acts: dict[tuple[Any, ...], list[Fact]] = defaultdict(list)
    for fact in facts:
        acts[fact.at, fact.actor, fact.data.get("environment")].append(fact)
    return [_change(together_) for together_ in acts.values()]


def _change(facts: Sequence[Fact]) -> Change:
    """What changed most stands for the rest, and of that what can be undone."""
    effect = max((effect_of(one) for one in facts), key=_ORDER.index)
    able = [one for one in facts if effect_of(one) is effect]
    shown = next((one for one in able if undo_href(one)), able[0])
    users = dict.fromkeys(user for one in able for user in _users(one))
    return Change(
        at=_moment(shown),
        fact=shown,
        services=tuple(users),
        effect=effect,
        size=together(_size(one) for one in able),
        rest=tuple(one for one in facts if one is not shown),
        environment=shown.data.get("environment") or None,
        puts_back=bool(shown.data.get("reverts")),
    )


def _users(fact: Fact) -> list[str]:
    shared = fact.data.get("services")
    named = [one for one in shared if isinstance(one, str)] if isinstance(shared, list) else []
    return [fact.service, *named] if fact.service else named


def _size(fact: Fact) -> float:
    if effect_of(fact) is not Effect.BEHAVIOUR:
        return reach_of(fact)
    before, after = fact.data.get("before"), fact.data.get("after")
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return reach_of(fact)
    # A value that is set for the first time replaces what held without it.
    default = fact.data.get("default")
    sizes = (magnitude(_held(before, key, default), _held(after, key, default)) for key in {*before, *after})
    return reach_of(fact) * together(sizes)


def _held(values: Mapping[str, Any], key: str, default: Any) -> Any:
    found = values.get(key)
    return default if found is None else found


def _moment(fact: Fact) -> datetime:
    """When it happened; whoever tells of it from outside may do so later."""
    told = fact.data.get("happened_at")
    try:
        happened = parse_rfc3339(told) if isinstance(told, str) else fact.at
    except ValueError:
        return fact.at
    return happened if fact.at - _TOLD_AT_MOST_LATER <= happened <= fact.at else fact.at


def _with_arrivals(changes: Sequence[Change]) -> list[Change]:
    """The first sight of a version belongs to the deployment that somebody told of."""
    told = [one for one in changes if one.effect is Effect.CODE and _version(one, "release") is None]
    found = {id(one): one for one in changes}
    for seen in (one for one in changes if _version(one, "release") is not None):
        near = [
            one
            for one in told
            if one.service == seen.service and -_SAID_LATE <= seen.at - one.at <= _ARRIVES_WITHIN and id(one) in found
        ]
        if not near:
            continue
        first = min(near, key=lambda one: abs(seen.at - one.at))
        known = found[id(first)]
        if known.seen_at is None:
            at = min(known.at, seen.at)
            found[id(first)] = replace(
                known, at=at, seen_at=seen.at, rest=(*known.rest, seen.fact), environment=seen.environment
            )
            del found[id(seen)]
    return list(found.values())


def _with_undone(changes: Sequence[Change]) -> list[Change]:
    """A later change that puts back what was before undoes an earlier one."""
    found = []
    for one in changes:
        undoing = [other.at for other in changes if other.at > one.at and _undoes(other, one)]
        puts_back = one.puts_back or any(other.at < one.at and _undoes(one, other) for other in changes)
        found.append(replace(one, undone_at=min(undoing, default=None), puts_back=puts_back))
    return found


def _undoes(later: Change, earlier: Change) -> bool:
    change_id = earlier.fact.data.get("change_id")
    if change_id is not None and later.fact.data.get("reverts") == change_id:
        return True
    was, now = _version(earlier, "replaced"), _version(later, "release")
    return (
        was is not None and was == now and (later.service, later.environment) == (earlier.service, earlier.environment)
    )


def _version(change: Change, field: str) -> str | None:
    """What telemetry named, by the fact that it was seen."""
    said = next((one.data.get(field) for one in change.facts if one.kind == VersionSeen.kind), None)
    return str(said) if said is not None else None


def _kinds(*effects: Effect) -> tuple[str, ...]:
    return tuple(sorted(kind for kind, event in event_kinds().items() if event.effect in effects))
