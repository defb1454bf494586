"""GoAlert's GraphQL: an answer with `users`, `rotations`, `schedules` (with `targets` and their `rules`),
`userOverrides`, `escalationPolicies` (with `steps`) and `services`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from watchkeeper.modules.oncall.definition import Schedule
from watchkeeper.modules.oncall.importers.result import (
    Imported,
    Names,
    add,
    clock,
    collected,
    instant,
    listed,
    stand_ins,
    text,
    wait,
    zone_of,
)
from watchkeeper.modules.oncall.policy import Policy
from watchkeeper.modules.oncall.words import WEEKDAYS

_UNITS = {"weekly": "w", "daily": "d", "hourly": "h"}
_SUNDAY_FIRST = (WEEKDAYS[-1], *WEEKDAYS[:-1])


@dataclass
class _Reader:
    data: Any
    at: datetime
    result: Imported = field(default_factory=Imported)
    names: Names = field(default_factory=Names)
    schedules: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.users = {str(one.get("id")): one for one in collected(self.data, "users")}
        self.rotations = {str(one.get("id")): one for one in collected(self.data, "rotations")}
        self.overrides = collected(self.data, "userOverrides")

    def who(self, user_id: Any, about: str) -> str | None:
        user = self.users.get(str(user_id), {})
        email = user.get("email")
        if not isinstance(email, str) or "@" not in email:
            self.result.say(about, f"the user {user.get('name') or user_id} has no address in the file")
            return None
        self.result.people[email] = str(user.get("name") or email)
        return email

    def schedule(self, one: Mapping[str, Any]) -> None:
        name = text(one, "name")
        about = f"schedule {name}"
        zone = zone_of(one.get("timeZone", "UTC"), about, self.result)
        names = Names()
        layers = [made for said in listed(one, "targets") if (made := self.target(said, zone, names, about))]
        if not layers:
            self.result.say(about, "left out: it has no rotation or person with rules")
            return
        if len(layers) > 1:
            self.result.say(about, "where its assignments overlap, GoAlert calls all of them; here the first one wins")
        said: dict[str, Any] = {
            "name": self.names.of(name),
            "title": name[:200],
            "description": str(one.get("description") or "")[:1000],
            "time_zone": zone.key,
            "layers": layers,
            "temporary": stand_ins(self.stretches(one, about), self.at, about, self.result),
        }
        if add(self.result, Schedule, said, about):
            self.schedules[str(one.get("id"))] = said["name"]

    def stretches(self, schedule: Mapping[str, Any], about: str) -> list[tuple[str, datetime, datetime]]:
        found = []
        for one in self.overrides:
            if str((one.get("target") or {}).get("id")) != str(schedule.get("id")):
                continue
            added = (one.get("addUser") or {}).get("id")
            if added is None:
                self.result.say(
                    about, f"an override that only takes somebody away, from {one.get('start')}, was left out"
                )
            elif (who := self.who(added, about)) is not None:
                found.append((who, instant(one.get("start")), instant(one.get("end"))))
        return found

    def target(self, said: Mapping[str, Any], zone: ZoneInfo, names: Names, about: str) -> dict[str, Any] | None:
        target = said.get("target") or {}
        kind, target_id = target.get("type"), str(target.get("id"))
        hours = [made for rule in listed(said, "rules") if (made := _hours(rule)) is not None]
        if not listed(said, "rules"):
            return None
        all_day = any(one == {} for one in hours)
        if kind == "user":
            who = self.who(target_id, about)
            turns: dict[str, Any] | None = {"people": [who], "start": "2020-01-06"} if who is not None else None
        else:
            turns = self.turns(target_id, zone, about)
        if turns is None:
            return None
        name = names.of(str(target.get("name") or target_id))
        return {"name": name, **turns, "hours": [] if all_day else hours}

    def turns(self, rotation_id: str, zone: ZoneInfo, about: str) -> dict[str, Any] | None:
        rotation = self.rotations.get(rotation_id)
        if rotation is None or rotation.get("type") not in _UNITS:
            kind = "not in the file" if rotation is None else f"{rotation.get('type')}, which has nothing like it here"
            self.result.say(about, f"its rotation {rotation_id} is {kind}")
            return None
        about = f"{about}, rotation {rotation.get('name')}"
        ids = listed(rotation, "userIDs") or [one.get("id") for one in listed(rotation, "users")]
        people = [self.who(one, about) for one in ids]
        length = int(rotation.get("shiftLength") or 1)
        begins = instant(rotation.get("start")).astimezone(zone)
        upcoming = listed(rotation, "nextHandoffTimes")
        if upcoming and people:
            # Whose turn it is, is kept there and does not follow from the start: counted back from the next hand-over.
            begins = instant(upcoming[0]).astimezone(zone)
            active = int(rotation.get("activeUserIndex") or 0)
            people = people[active + 1 :] + people[: active + 1]
            begins = begins.replace(tzinfo=None) - _turn(rotation, length) * len(people)
        elif rotation.get("activeUserIndex"):
            self.result.say(about, "whose turn it is can't be told without nextHandoffTimes: look at the preview")
        known = [who for who in people if who is not None]
        if not known:
            return None
        return {
            "people": known,
            "shift": f"{length}{_UNITS[str(rotation.get('type'))]}",
            "hand_over": clock(begins.time()),
            "start": begins.date(),
        }

    def policy(self, one: Mapping[str, Any], services: Mapping[str, list[str]]) -> None:
        name = text(one, "name")
        about = f"policy {name}"
        ordered = sorted(listed(one, "steps"), key=lambda step: int(step.get("stepNumber") or 0))
        steps = [
            {"notify": self.targets(step, about), "wait": wait(float(step.get("delayMinutes") or 15))}
            for step in ordered
        ]
        said = {
            "name": self.names.of(name),
            "title": name[:200],
            "description": str(one.get("description") or "")[:1000],
            "services": services.get(str(one.get("id")), []),
            "steps": steps,
            "repeat": min(20, int(one.get("repeat") or 0)),
        }
        add(self.result, Policy, said, about)

    def targets(self, step: Mapping[str, Any], about: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = []
        for target in listed(step, "targets"):
            kind, target_id = target.get("type"), str(target.get("id"))
            if kind == "schedule" and target_id in self.schedules:
                found.append({"schedule": self.schedules[target_id]})
            elif kind == "user" and (who := self.who(target_id, about)) is not None:
                found.append({"person": who})
            elif kind == "chanWebhook":
                host = urlsplit(target_id).hostname or "an address"
                self.result.say(about, f"it calls a webhook at {host}: add a channel for it, and name that in the step")
            elif kind != "user":
                self.result.say(about, f"it calls the {kind} {target.get('name') or target_id}, which was not mapped")
        return found


def _turn(rotation: Mapping[str, Any], length: int) -> timedelta:
    return length * {"weekly": timedelta(days=7), "daily": timedelta(days=1)}.get(
        str(rotation.get("type")), timedelta(hours=1)
    )


def _hours(rule: Mapping[str, Any]) -> dict[str, Any] | None:
    """Nothing for a rule that is never, {} for one that is always."""
    days = [day for day, on in zip(_SUNDAY_FIRST, listed(rule, "weekdayFilter") or [True] * 7, strict=False) if on]
    start, end = (time.fromisoformat(str(rule.get(name) or "00:00")) for name in ("start", "end"))
    if not days:
        return None
    if len(days) == len(WEEKDAYS) and start == end:
        return {}
    return {"days": days, "start": clock(start), "end": clock(end, end=True)}


def read(data: Any, at: datetime) -> Imported:
    """Everything in the export; what is over at `at` is left out. Raises ImportInvalid."""
    reader = _Reader(data, at)
    for one in collected(data, "schedules"):
        reader.schedule(one)
    services: dict[str, list[str]] = {}
    for one in collected(data, "services"):
        services.setdefault(str(one.get("escalationPolicyID")), []).append(text(one, "name"))
    for one in collected(data, "escalationPolicies"):
        reader.policy(one, services)
    return reader.result
