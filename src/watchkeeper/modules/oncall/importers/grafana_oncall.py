"""Grafana OnCall's API v1: `{"users": …, "schedules": …, "on_call_shifts": …, "escalation_chains": …,
"escalation_policies": …}`, each the answer of its list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from watchkeeper.modules.oncall.definition import Hours, Schedule
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

_UNITS = {"hourly": "h", "daily": "d", "weekly": "w"}
_PERIODS = {"hourly": timedelta(hours=1), "daily": timedelta(days=1), "weekly": timedelta(days=7)}
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_REPEATS = 5  # what Grafana's "repeat escalation" does at most


@dataclass
class _Reader:
    data: Any
    at: datetime
    result: Imported = field(default_factory=Imported)
    names: Names = field(default_factory=Names)
    schedules: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.users = {str(one.get("id")): one for one in collected(self.data, "users")}
        self.shifts = {str(one.get("id")): one for one in collected(self.data, "on_call_shifts")}

    def who(self, user_id: Any, about: str) -> str | None:
        user = self.users.get(str(user_id), {})
        email = user.get("email")
        if not isinstance(email, str) or "@" not in email:
            self.result.say(about, f"the user {user_id} has no address in the file")
            return None
        self.result.people[email] = str(user.get("name") or user.get("username") or email)
        return email

    def schedule(self, one: Mapping[str, Any]) -> None:
        name = text(one, "name")
        about = f"schedule {name}"
        if one.get("type") == "ical":
            self.result.say(
                about, "left out: it is a calendar elsewhere; read that with `watchkeeper oncall import-calendar`"
            )
            return
        zone = zone_of(one.get("time_zone") or "UTC", about, self.result)
        layers: list[tuple[int, dict[str, Any]]] = []
        stretches = []
        for shift_id in listed(one, "shifts"):
            shift = self.shifts.get(str(shift_id))
            if shift is None:
                self.result.say(about, f"its shift {shift_id} is not in the file")
            elif shift.get("type") in ("single_event", "override"):
                stretches += self.single(shift, zone, about)
            elif (layer := self.layer(shift, zone, about)) is not None:
                layers.append((int(shift.get("level") or 0), layer))
        if not layers:
            self.result.say(about, "left out: it has no rotation with people")
            return
        # The higher level wins there; here the first layer does.
        layers.sort(key=lambda pair: -pair[0])
        said: dict[str, Any] = {
            "name": self.names.of(name),
            "title": name[:200],
            "time_zone": zone.key,
            "layers": [layer for _, layer in layers],
            "temporary": stand_ins(stretches, self.at, about, self.result),
        }
        if add(self.result, Schedule, said, about):
            self.schedules[str(one.get("id"))] = said["name"]

    def single(self, shift: Mapping[str, Any], zone: ZoneInfo, about: str) -> list[tuple[str, datetime, datetime]]:
        where = self.zone_of(shift, zone, about)
        since = instant(shift.get("start"), where)
        until = since + timedelta(seconds=int(shift.get("duration") or 0))
        people = [who for one in listed(shift, "users") if (who := self.who(one, about)) is not None]
        return [(people[0], since, until)] if people else []

    def zone_of(self, shift: Mapping[str, Any], zone: ZoneInfo, about: str) -> ZoneInfo:
        return zone_of(shift["time_zone"], about, self.result) if shift.get("time_zone") else zone

    def layer(self, shift: Mapping[str, Any], zone: ZoneInfo, about: str) -> dict[str, Any] | None:
        about = f"{about}, shift {shift.get('name') or shift.get('id')}"
        unit, period = _UNITS.get(str(shift.get("frequency"))), _PERIODS.get(str(shift.get("frequency")))
        if unit is None or period is None:
            self.result.say(about, f"left out: it repeats {shift.get('frequency')}")
            return None
        groups = listed(shift, "rolling_users") or [listed(shift, "users")]
        groups = [
            one if isinstance(one, list) else list(one.values()) if isinstance(one, dict) else [one] for one in groups
        ]
        if any(len(one) > 1 for one in groups):
            self.result.say(about, "several people had it together; here the first of each group has it")
        first = int(shift.get("start_rotation_from_user_index") or 0) % max(1, len(groups))
        people = [
            who for one in groups[first:] + groups[:first] if one and (who := self.who(one[0], about)) is not None
        ]
        until = instant(shift["until"], zone) if shift.get("until") else None
        if not people or (until is not None and until <= self.at):
            return None
        begins = instant(shift.get("start"), self.zone_of(shift, zone, about)).astimezone(zone)
        return {
            "name": Names().of(str(shift.get("name") or shift.get("id"))),
            "people": people,
            "shift": f"{int(shift.get('interval') or 1)}{unit}",
            "hand_over": clock(begins.time()),
            "start": begins.date(),
            "until": until,
            "hours": self.hours(shift, begins, period, about),
        }

    def hours(self, shift: Mapping[str, Any], begins: datetime, period: timedelta, about: str) -> list[Hours]:
        length = timedelta(seconds=int(shift.get("duration") or period.total_seconds()))
        named = [str(one).upper() for one in listed(shift, "by_day")]
        if shift.get("by_month") or shift.get("by_monthday"):
            self.result.say(about, "its months or days of months were left out")
        if named:
            days = tuple(WEEKDAYS[_DAYS.index(one)] for one in named if one in _DAYS)
            ends = (begins.replace(tzinfo=None) + min(length, timedelta(days=1))).time()
            return [Hours(days=days, start=clock(begins.time()), end=clock(ends, end=True))] if days else []
        if length >= period or period < timedelta(days=1):
            return []
        return hours_of(begins.weekday() if period == timedelta(days=7) else None, begins.time(), length)

    def chain(self, one: Mapping[str, Any], policies: list[Mapping[str, Any]]) -> None:
        name = text(one, "name")
        about = f"policy {name}"
        steps: list[dict[str, Any]] = []
        targets: list[dict[str, Any]] = []
        repeat = 0
        for said in sorted(policies, key=lambda policy: int(policy.get("position") or 0)):
            kind = said.get("type")
            if kind == "wait":
                if targets:
                    steps.append({"notify": targets, "wait": wait(float(said.get("duration") or 300) / 60)})
                    targets = []
                elif not steps:
                    self.result.say(about, "it waits before its first step; here that is called at once")
            elif kind == "repeat_escalation":
                repeat = _REPEATS
            else:
                targets += self.targets(said, about)
        if targets:
            steps.append({"notify": targets})
        said_all = {"name": self.names.of(name), "title": name[:200], "steps": steps, "repeat": repeat}
        add(self.result, Policy, said_all, about)

    def targets(self, said: Mapping[str, Any], about: str) -> list[dict[str, Any]]:
        kind = str(said.get("type"))
        if kind in ("notify_persons", "notify_person_next_each_time"):
            if kind != "notify_persons":
                self.result.say(about, "it calls the next of some people each time; here all of them")
            named = listed(said, "persons_to_notify") or listed(said, "persons_to_notify_next_each_time")
            return [{"person": who} for one in named if (who := self.who(one, about)) is not None]
        schedule = self.schedules.get(str(said.get("notify_on_call_from_schedule")))
        if kind == "notify_on_call_from_schedule" and schedule is not None:
            return [{"schedule": schedule}]
        if kind == "notify_whole_channel":
            self.result.say(about, "it calls everybody in a channel; here everybody who may respond")
            return [{"everyone": True}]
        self.result.say(about, f"its step {kind} has nothing like it here")
        return []


def read(data: Any, at: datetime) -> Imported:
    """Everything in the export; what is over at `at` is left out. Raises ImportInvalid."""
    reader = _Reader(data, at)
    for one in collected(data, "schedules"):
        reader.schedule(one)
    policies = collected(data, "escalation_policies")
    for one in collected(data, "escalation_chains"):
        reader.chain(one, [said for said in policies if said.get("escalation_chain_id") == one.get("id")])
    return reader.result
