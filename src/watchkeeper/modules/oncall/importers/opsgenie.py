"""Opsgenie's API v2: `{"users": …, "schedules": …, "escalations": …}`, each the answer of its list, schedules with
`expand=rotation`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from watchkeeper.modules.oncall.definition import Schedule
from watchkeeper.modules.oncall.importers.result import (
    Imported,
    Names,
    add,
    clock,
    collected,
    hours_of,
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
_MINUTES = {"minutes": 1, "hours": 60, "days": 1440}
_LAST_WAIT = 10


@dataclass
class _Reader:
    data: Any
    at: datetime
    result: Imported = field(default_factory=Imported)
    names: Names = field(default_factory=Names)
    schedules: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.users = {str(one.get("id")): one for one in collected(self.data, "users")}

    def who(self, said: Mapping[str, Any], about: str) -> str | None:
        """A participant's or recipient's address: Opsgenie's user names are addresses."""
        user = self.users.get(str(said.get("id")), said)
        email = user.get("username") or said.get("username")
        if not isinstance(email, str) or "@" not in email:
            self.result.say(about, f"the user {said.get('id') or email} has no address in the file")
            return None
        self.result.people[email] = str(user.get("fullName") or email)
        return email

    def schedule(self, one: Mapping[str, Any]) -> None:
        name = text(one, "name")
        about = f"schedule {name}"
        if one.get("enabled") is False:
            self.result.say(about, "left out: it is not enabled")
            return
        zone = zone_of(one.get("timezone", "UTC"), about, self.result)
        layers = [made for said in listed(one, "rotations") if (made := self.rotation(said, zone, about))]
        if not layers:
            self.result.say(about, "left out: no rotation of it has people (was it asked for with expand=rotation?)")
            return
        if len(layers) > 1:
            self.result.say(about, "where rotations overlap, Opsgenie calls all of them; here the first one wins")
        stretches = []
        for override in listed(one, "overrides"):
            who = self.who(override.get("user") or {}, about)
            if who is not None:
                stretches.append((who, instant(override.get("startDate")), instant(override.get("endDate"))))
        said: dict[str, Any] = {
            "name": self.names.of(name),
            "title": name[:200],
            "description": str(one.get("description") or "")[:1000],
            "team": str((one.get("ownerTeam") or {}).get("name") or "") or None,
            "time_zone": zone.key,
            "layers": layers,
            "temporary": stand_ins(stretches, self.at, about, self.result),
        }
        if add(self.result, Schedule, said, about):
            self.schedules[str(one.get("id"))] = self.schedules[name] = said["name"]

    def rotation(self, one: Mapping[str, Any], zone: ZoneInfo, about: str) -> dict[str, Any] | None:
        about = f"{about}, rotation {one.get('name') or one.get('id')}"
        until = instant(one["endDate"]) if one.get("endDate") else None
        if until is not None and until <= self.at:
            return None
        people = []
        for said in listed(one, "participants"):
            if said.get("type") == "user":
                people.append(self.who(said, about))
            else:
                self.result.say(about, f"a participant of the type {said.get('type')} was left out of the turns")
        known = [who for who in people if who is not None]
        if not known:
            return None
        begins = instant(one.get("startDate")).astimezone(zone)
        return {
            "name": Names().of(str(one.get("name") or one.get("id"))),
            "people": known,
            "shift": f"{int(one.get('length') or 1)}{_UNITS.get(str(one.get('type')), 'w')}",
            "hand_over": clock(begins.time()),
            "start": begins.date(),
            "until": until,
            "hours": _hours(one.get("timeRestriction") or {}),
        }

    def escalation(self, one: Mapping[str, Any]) -> None:
        name = text(one, "name")
        about = f"policy {name}"
        # Opsgenie's delays count from the alert on; ours are waits between steps.
        rules = sorted(((_delay(rule), rule) for rule in listed(one, "rules")), key=lambda pair: pair[0])
        repeat = one.get("repeat") or {}
        steps: list[dict[str, Any]] = []
        unresolved = []
        asked = [(after, rule) for after, rule in rules if rule.get("condition") != "if-not-closed"]
        for number, (after, rule) in enumerate(asked):
            following = asked[number + 1][0] if number + 1 < len(asked) else after + (
                int(repeat.get("waitInterval") or 0) or _LAST_WAIT
            )  # fmt: skip
            steps.append({"notify": self.targets(rule, about), "wait": wait(following - after), "until": following})
        for after, rule in rules:
            if rule.get("condition") == "if-not-closed" and (targets := self.targets(rule, about)):
                unresolved.append({"after": wait(after), "notify": targets})
        if asked and asked[0][0] > 0:
            self.result.say(about, f"its first step waits {asked[0][0]} minutes; here it is called at once")
        said = {
            "name": self.names.of(name),
            "title": name[:200],
            "description": str(one.get("description") or "")[:1000],
            "team": str((one.get("ownerTeam") or {}).get("name") or "") or None,
            "steps": _joined(steps),
            "unresolved": unresolved,
            "repeat": min(20, int(repeat.get("count") or 0)),
        }
        add(self.result, Policy, said, about)

    def targets(self, rule: Mapping[str, Any], about: str) -> list[dict[str, str]]:
        recipient = rule.get("recipient") or {}
        kind = recipient.get("type")
        if rule.get("notifyType") not in (None, "default", "all"):
            self.result.say(about, f"notifyType {rule.get('notifyType')} became everybody that the step names")
        if kind == "user" and (who := self.who(recipient, about)) is not None:
            return [{"person": who}]
        if kind == "team" and recipient.get("name"):
            return [{"team": str(recipient["name"])}]
        schedule = self.schedules.get(str(recipient.get("id"))) or self.schedules.get(str(recipient.get("name")))
        if kind == "schedule" and schedule is not None:
            return [{"schedule": schedule}]
        if kind != "user":
            called = recipient.get("name") or recipient.get("id")
            self.result.say(about, f"it calls the {kind} {called}, which is not in the file")
        return []


def _joined(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Steps that are due at the same time as one."""
    found: list[dict[str, Any]] = []
    due = 0.0
    for step in steps:
        until = step.pop("until")
        if found and due == found[-1].get("from"):
            found[-1]["notify"] += step["notify"]
            found[-1]["wait"] = step["wait"]
        else:
            found.append({**step, "from": due})
        due = until
    return [{name: value for name, value in one.items() if name != "from"} for one in found]


def _delay(rule: Mapping[str, Any]) -> float:
    said = rule.get("delay") or {}
    return float(said.get("timeAmount") or 0) * _MINUTES.get(str(said.get("timeUnit") or "minutes"), 1)


def _hours(said: Mapping[str, Any]) -> list[Any]:
    found = []
    if said.get("type") == "time-of-day":
        daily = said.get("restriction") or {}
        start, end = _clock(daily, "start"), _clock(daily, "end")
        found += hours_of(None, start, _length(0, start, 0, end, within=1_440))
    for one in listed(said, "restrictions"):
        first, last = (WEEKDAYS.index(str(one.get(name, "monday")).lower()) for name in ("startDay", "endDay"))
        start, end = _clock(one, "start"), _clock(one, "end")
        found += hours_of(first, start, _length(first, start, last, end, within=10_080))
    return found


def _clock(said: Mapping[str, Any], edge: str) -> time:
    return time(int(said.get(f"{edge}Hour") or 0) % 24, int(said.get(f"{edge}Min") or 0))


def _length(first: int, start: time, last: int, end: time, *, within: int) -> timedelta:
    """From one local time to the next other one, within so many minutes; the same one again is all of them."""
    minutes = (last - first) * 1_440 + (end.hour - start.hour) * 60 + end.minute - start.minute
    return timedelta(minutes=minutes % within or within)


def read(data: Any, at: datetime) -> Imported:
    """Everything in the export; what is over at `at` is left out. Raises ImportInvalid."""
    reader = _Reader(data, at)
    for one in collected(data, "schedules"):
        reader.schedule(one)
    for one in collected(data, "escalations"):
        reader.escalation(one)
    return reader.result
