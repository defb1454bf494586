"""What is wrong with a schedule or a policy before it is saved, and what its author should know. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import orjson
from pydantic import BaseModel

from watchkeeper.kernel.errors import Complaint
from watchkeeper.modules.oncall import definition, policy
from watchkeeper.modules.oncall.definition import Layer, Path, Schedule
from watchkeeper.modules.oncall.escalation import Staff, reached
from watchkeeper.modules.oncall.model import Cover, Roster, Span, spans
from watchkeeper.modules.oncall.policy import Policy, Step, Target
from watchkeeper.modules.oncall.words import SEVERITIES

LOOK_AHEAD = timedelta(days=14)
LONGEST_WAY = timedelta(days=7)
# A fact holds what was and what is, in 64 KB.
MOST_BYTES = 28_000
_MOST_NAMED = 5


@dataclass(frozen=True)
class Known:
    """What schedules and policies may name, and who else has what."""

    staff: Staff = field(default_factory=Staff)
    rosters: Mapping[str, Roster] = field(default_factory=dict)
    policies: tuple[Policy, ...] = ()
    # Schedules that come with what is looked at.
    coming: frozenset[str] = frozenset()
    # Policies that files describe.
    of_files: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Wrong:
    """A complaint with the path to where it stands."""

    path: Path
    expected: str

    def complaint(self) -> Complaint:
        """As the API says it: `layers[0].people[1]`."""
        said = ""
        for part in self.path:
            said += f"[{part}]" if isinstance(part, int) else f".{part}" if said else str(part)
        return Complaint(said, self.expected)


def wrong_with_schedule(schedule: Schedule, known: Known) -> list[Wrong]:
    """Why it can't be saved."""
    return [*_too_large(schedule), *_unknown_people(definition.people_of(schedule), known.staff)]


def advice_on_schedule(roster: Roster, known: Known, at: datetime) -> list[str]:
    """What its author should know: nothing of it keeps it from being saved."""
    schedule = roster.schedule
    found = [*_team_advice(schedule.team, known.staff)]
    found += _people_advice((who for _, who in definition.people_of(schedule)), known.staff)
    if any(one.until is not None and one.until <= at for one in schedule.layers):
        ended = [one.name for one in schedule.layers if one.until is not None and one.until <= at]
        found.append(f"{_and(ended)} ended already.")
    hidden = _hidden(schedule.layers)
    if hidden:
        found.append(f"{_and(hidden)} can never have anybody: a layer above is there all day and never ends.")
    found += [f"Nobody is on call {said}." for said in _gaps_in_words(roster, at)]
    return found


def wrong_with_policy(one: Policy, known: Known) -> list[Wrong]:
    """Why it can't be saved."""
    found = [*_too_large(one), *_unknown_people(policy.people_of(one), known.staff)]
    for path, target in policy.targets_of(one):
        if target.schedule is not None and target.schedule not in {*known.rosters, *known.coming}:
            found.append(Wrong((*path, "schedule"), f"the name of a schedule, found {target.schedule!r}"))
        if target.team is not None and target.team not in known.staff.teams:
            found.append(Wrong((*path, "team"), f"the name of a team, found {target.team!r}"))
    found += [*_never_run(one), *_taken(one, known.policies)]
    if one.longest > LONGEST_WAY:
        found.append(Wrong(("repeat",), "an end within 7 days: shorter waits or fewer repetitions"))
    return found


def _never_run(one: Policy) -> Iterator[Wrong]:
    """Steps that nothing leads to."""
    taken: set[str] = set()
    for number, route in enumerate(one.routes):
        for severity in route.severities:
            if severity in taken:
                yield Wrong(("routes", number, "severities"), f"each severity once; {severity} never comes this far")
            taken.add(severity)
    if taken >= set(SEVERITIES) and one.steps:
        yield Wrong(("steps",), "no steps: the routes take every severity, so these can never run")
    if not one.steps and taken < set(SEVERITIES):
        missing = [severity for severity in SEVERITIES if severity not in taken]
        yield Wrong(("steps",), f"at least one step: nothing is said of {_and(missing)}")


def _taken(one: Policy, others: Iterable[Policy]) -> Iterator[Wrong]:
    for other in others:
        if other.name == one.name:
            continue
        if one.default and other.default:
            yield Wrong(("default",), f"one default policy; {other.name} is it already")
        for number, service in enumerate(one.services):
            if service in other.services:
                yield Wrong(("services", number), f"a service of no other policy; {service} is one of {other.name}")
    for number, service in enumerate(one.services):
        if service in one.services[:number]:
            yield Wrong(("services", number), f"each service once, found {service!r} again")


def advice_on_policy(one: Policy, known: Known, at: datetime) -> list[str]:
    """What its author should know: nothing of it keeps it from being saved."""
    found = [*_team_advice(one.team, known.staff)]
    if not one.services and not one.default:
        found.append("It is no service's policy and not the default: it is used only where something names it.")
    ways: list[tuple[str, tuple[Step, ...]]] = [("Step", one.steps)] if one.steps else []
    ways += [(f"For {_and(route.severities)}, step", route.steps) for route in one.routes]
    for called, steps in ways:
        found += _steps_advice(called, steps, known, at)
    for late in one.unresolved:
        if not reached(late.notify, known.rosters, known.staff, at)[0]:
            found.append(f"Nobody would be called after {late.after}.")
    named = {target.schedule for _, target in policy.targets_of(one) if target.schedule is not None}
    for name in sorted(named & set(known.rosters)):
        gaps = _gaps_in_words(known.rosters[name], at)
        found += [f"The schedule {name} has nobody on call {said}." for said in gaps]
    called_by_name = {who for _, who in policy.people_of(one)}
    for _, target in policy.targets_of(one):
        called_by_name |= set(_everybody_of(target, known))
    return [*found, *_people_advice(sorted(called_by_name), known.staff)]


def _steps_advice(called: str, steps: tuple[Step, ...], known: Known, at: datetime) -> Iterator[str]:
    people = [reached(step.notify, known.rosters, known.staff, at)[0] for step in steps]
    for number, (step, found) in enumerate(zip(steps, people, strict=True), start=1):
        if not step.notify:
            yield f"{called} {number} has no targets: it is skipped at once."
        elif not found:
            yield f"{called} {number} would call nobody now: it would be skipped at once."
        elif number > 1 and step.notify == steps[number - 2].notify:
            yield f"{called} {number} calls the same as the step before it."
    if not any(people):
        yield f"{called}s as they are would call nobody now: the admins would be called instead."


def _everybody_of(target: Target, known: Known) -> Iterator[str]:
    """Everybody whom a target may ever call, by what it names."""
    if target.team is not None:
        yield from known.staff.teams.get(target.team, ())
    elif target.everyone:
        yield from known.staff.everyone()
    elif target.schedule is not None and target.schedule in known.rosters:
        yield from (who for _, who in definition.people_of(known.rosters[target.schedule].schedule))


def gaps_ahead(roster: Roster, at: datetime) -> list[Span]:
    """Where nobody is on call in the next 14 days and nobody said that this is meant."""
    return [one for one in spans(roster, at, at + LOOK_AHEAD) if one.duty.cover is Cover.GAP]


def _gaps_in_words(roster: Roster, at: datetime) -> list[str]:
    found = gaps_ahead(roster, at)
    zone = ZoneInfo(roster.schedule.time_zone)
    said = [f"from {_when(one.since, zone)} to {_when(one.until, zone)}" for one in found[:_MOST_NAMED]]
    if len(found) > _MOST_NAMED:
        said.append(f"at {len(found) - _MOST_NAMED} more times in the next 14 days")
    return said


def _when(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%a %d %b %H:%M %Z")


def _too_large(said: BaseModel) -> Iterator[Wrong]:
    if len(orjson.dumps(said.model_dump(mode="json"))) > MOST_BYTES:
        yield Wrong((), f"at most {MOST_BYTES // 1000} KB in all; move what is long past out of it")


def _unknown_people(named: Iterable[tuple[Path, str]], staff: Staff) -> Iterator[Wrong]:
    for path, who in named:
        if who not in staff.people:
            yield Wrong(path, f"somebody with an account, by e-mail address or id; nobody has {who[:80]!r}")


def _people_advice(named: Iterable[str], staff: Staff) -> Iterator[str]:
    known = [staff.people[one] for one in dict.fromkeys(named) if one in staff.people]
    away = [one.name for one in known if not one.active]
    mute = [one.name for one in known if one.active and not one.reachable]
    idle = [one.name for one in known if one.active and not one.responds]
    if away:
        yield f"{_and(away)} can't sign in any more: nobody is called instead."
    if mute:
        yield f"{_and(mute)} {'has' if len(mute) == 1 else 'have'} no verified contact."
    if idle:
        yield f"{_and(idle)} may only look: an acknowledgement needs the role responder."


def _team_advice(team: str | None, staff: Staff) -> Iterator[str]:
    if team is not None and team not in staff.teams:
        yield f"There is no team {team}: anybody who may edit schedules may change this."


def _hidden(layers: tuple[Layer, ...]) -> list[str]:
    for number, layer in enumerate(layers):
        if not layer.hours and layer.until is None:
            return [one.name for one in layers[number + 1 :] if one.start >= layer.start]
    return []


def _and(names: Iterable[str]) -> str:
    listed = [str(one) for one in names]
    return " and ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)
