"""PagerDuty's REST API v2: the answers of `/users`, `/schedules/{id}`, `/schedules/{id}/overrides`,
`/escalation_policies` and `/services`."""

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
    shift_of,
    stand_ins,
    text,
    wait,
    zone_of,
)
from watchkeeper.modules.oncall.policy import Policy


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
        """The address of a user or of a reference to one."""
        user = self.users.get(str(said.get("id")), said)
        name = str(user.get("name") or user.get("summary") or user.get("id"))
        email = user.get("email")
        if not isinstance(email, str) or "@" not in email:
            self.result.say(about, f"{name} has no e-mail address in the file (add the answer of /users)")
            return None
        self.result.people[email] = name
        return email

    def schedule(self, one: Mapping[str, Any]) -> None:
        name = text(one, "name", str(one.get("summary", "schedule")))
        about = f"schedule {name}"
        zone = zone_of(one.get("time_zone", "UTC"), about, self.result)
        # The API lists the layer that wins first, as ours does.
        layers = [made for layer in listed(one, "schedule_layers") if (made := self.layer(layer, zone, about))]
        if not layers:
            self.result.say(about, "left out: it has no layer with people (is it the answer of /schedules/{id}?)")
            return
        stretches = []
        for override in listed(one, "overrides"):
            who = self.who(override.get("user") or {}, about)
            if who is not None:
                stretches.append((who, instant(override.get("start"), zone), instant(override.get("end"), zone)))
        said: dict[str, Any] = {
            "name": self.names.of(name),
            "title": name[:200],
            "description": str(one.get("description") or "")[:1000],
            "time_zone": zone.key,
            "layers": layers,
            "temporary": stand_ins(stretches, self.at, about, self.result),
        }
        if add(self.result, Schedule, said, about):
            self.schedules[str(one.get("id"))] = said["name"]

    def layer(self, one: Mapping[str, Any], zone: ZoneInfo, about: str) -> dict[str, Any] | None:
        name = text(one, "name", "layer")
        about = f"{about}, layer {name}"
        until = instant(one["end"], zone) if one.get("end") else None
        if until is not None and until <= self.at:
            return None
        people = [who for user in listed(one, "users") if (who := self.who(user.get("user") or {}, about)) is not None]
        if not people:
            self.result.say(about, "left out: nobody is in it")
            return None
        begins = instant(one.get("rotation_virtual_start") or one.get("start"), zone).astimezone(zone)
        shift = shift_of(int(one.get("rotation_turn_length_seconds") or 604_800), about, self.result)
        if one.get("start") and instant(one["start"], zone) > self.at:
            self.result.say(about, f"it begins {one['start']}; here it counts from its first turn on")
        return {
            "name": Names().of(str(one.get("id") or name)),
            "people": people,
            "shift": shift,
            "hand_over": clock(begins.time()),
            "start": begins.date(),
            "until": until,
            "hours": [hours for said in listed(one, "restrictions") for hours in self.hours(said)],
        }

    def hours(self, said: Mapping[str, Any]) -> list[Any]:
        start = time.fromisoformat(str(said.get("start_time_of_day", "00:00:00")))
        length = timedelta(seconds=int(said.get("duration_seconds") or 86_400))
        day = int(said["start_day_of_week"]) - 1 if said.get("type") == "weekly_restriction" else None
        return hours_of(day, start, length)

    def policy(self, one: Mapping[str, Any], services: Mapping[str, list[str]]) -> None:
        name = text(one, "name", str(one.get("summary", "policy")))
        about = f"policy {name}"
        steps = [
            {"notify": self.targets(rule, about), "wait": wait(float(rule.get("escalation_delay_in_minutes") or 30))}
            for rule in listed(one, "escalation_rules")
        ]
        said = {
            "name": self.names.of(name),
            "title": name[:200],
            "description": str(one.get("description") or "")[:1000],
            "services": services.get(str(one.get("id")), []),
            "steps": steps,
            "repeat": min(20, int(one.get("num_loops") or 0)),
        }
        add(self.result, Policy, said, about)

    def targets(self, rule: Mapping[str, Any], about: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = []
        for target in listed(rule, "targets"):
            kind = str(target.get("type", "")).removesuffix("_reference")
            if kind == "schedule" and str(target.get("id")) in self.schedules:
                found.append({"schedule": self.schedules[str(target.get("id"))]})
            elif kind == "user" and (who := self.who(target, about)) is not None:
                found.append({"person": who})
            elif kind != "user":
                self.result.say(
                    about, f"it calls {target.get('summary') or target.get('id')}, which is not in the file"
                )
        return found


def read(data: Any, at: datetime) -> Imported:
    """Everything in the export; what is over at `at` is left out. Raises ImportInvalid."""
    reader = _Reader(data, at)
    for one in collected(data, "schedules"):
        reader.schedule(one)
    services: dict[str, list[str]] = {}
    for one in collected(data, "services"):
        policy = str((one.get("escalation_policy") or {}).get("id"))
        services.setdefault(policy, []).append(text(one, "name", str(one.get("summary", "service"))))
    for one in collected(data, "escalation_policies"):
        reader.policy(one, services)
    return reader.result
