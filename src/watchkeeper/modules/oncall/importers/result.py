"""What an import comes to, and what the readers of exports share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ValidationError

from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.zones import zone_named
from watchkeeper.modules.oncall.definition import MOST_TEMPORARY, Hours, Schedule
from watchkeeper.modules.oncall.errors import ImportInvalid
from watchkeeper.modules.oncall.policy import Policy
from watchkeeper.modules.oncall.words import WEEKDAYS

_DAY = timedelta(days=1)
_A_MONDAY = date(2024, 1, 1)
_LISTS = ("data", "results", "nodes", "items")


@dataclass
class Imported:
    """Schedules and policies with people as e-mail addresses, everybody they name, and what could not be mapped."""

    schedules: list[Schedule] = field(default_factory=list)
    policies: list[Policy] = field(default_factory=list)
    people: dict[str, str] = field(default_factory=dict)
    not_mapped: list[str] = field(default_factory=list)

    def say(self, about: str, text: str) -> None:
        """Note what is not, or not quite, as it was."""
        line = f"{about}: {text}"
        if line not in self.not_mapped:
            self.not_mapped.append(line)


def collected(data: Any, name: str) -> list[Mapping[str, Any]]:
    """Every object of this kind, in whatever way the API's answers were put together: `{"schedules": [...]}`, several
    of them in a list, `{"schedule": {...}}`, pages under `data`, `results` or `nodes`. Raises ImportInvalid."""
    found: dict[str, Mapping[str, Any]] = {}
    for one in _within(data, name):
        if not isinstance(one, Mapping):
            raise ImportInvalid(
                "The file is not such an export.", complaints=[Complaint(name, f"objects, found {type(one).__name__}")]
            )
        key = str(one.get("id") or len(found))
        # A list names what an answer about one object tells in full.
        if key not in found or len(one) > len(found[key]):
            found[key] = one
    return list(found.values())


def _within(data: Any, name: str) -> Iterator[Any]:
    singular = "escalation_policy" if name == "escalation_policies" else name.removesuffix("s")
    for answer in data if isinstance(data, list) else [data]:
        if not isinstance(answer, Mapping):
            continue
        if name in answer:
            yield from _items(answer[name])
        if isinstance(answer.get(singular), Mapping):
            yield answer[singular]
        if isinstance(answer.get("data"), Mapping):
            yield from _within(answer["data"], name)


def _items(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        yield from value
    elif isinstance(value, Mapping):
        for name in _LISTS:
            if isinstance(value.get(name), list):
                yield from value[name]


def text(one: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """A field that has to be text. Raises ImportInvalid."""
    value = one.get(name, default)
    if not isinstance(value, str):
        raise ImportInvalid("The file is not such an export.", complaints=[Complaint(name, "text")])
    return value


def listed(one: Mapping[str, Any], name: str) -> list[Any]:
    """A field that has to be a list, or nothing. Raises ImportInvalid."""
    value = one.get(name) or []
    if not isinstance(value, list):
        raise ImportInvalid("The file is not such an export.", complaints=[Complaint(name, "a list")])
    return value


def instant(value: Any, zone: ZoneInfo | None = None) -> datetime:
    """An instant as APIs write it; without an offset in `zone`. Raises ImportInvalid."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        complaint = Complaint("time", f"such as 2026-01-05T09:00:00Z, found {str(value)[:40]!r}")
        raise ImportInvalid("A time can't be read.", complaints=[complaint]) from None
    return (found if found.tzinfo is not None else found.replace(tzinfo=zone or UTC)).astimezone(UTC)


def zone_of(value: Any, about: str, result: Imported) -> ZoneInfo:
    """A time zone by name; UTC, with a word in the report, for one that nobody knows."""
    try:
        return zone_named(str(value))
    except ValueError:
        result.say(about, f"the time zone {str(value)[:60]!r} is unknown; UTC was taken")
        return ZoneInfo("UTC")


class Names:
    """Names such as ours allow them, each once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def of(self, said: str) -> str:
        """`On-Call (EU)` as `on-call-eu`."""
        plain = re.sub(r"[^a-z0-9]+", "-", said.lower()).strip("-")[:55].strip("-") or "imported"
        name, number = plain, 2
        while name in self._taken:
            name, number = f"{plain}-{number}", number + 1
        self._taken.add(name)
        return name


def shift_of(seconds: int, about: str, result: Imported) -> str:
    """A turn's length: whole weeks, days or hours; rounded, with a word, where it is none."""
    for size, unit in ((604_800, "w"), (86_400, "d"), (3_600, "h")):
        if seconds > 0 and seconds % size == 0:
            return f"{seconds // size}{unit}"
    hours = max(1, round(seconds / 3_600))
    result.say(about, f"turns of {seconds} seconds became {hours} hours")
    return f"{hours}h"


def hours_of(weekday: int | None, start: time, length: timedelta) -> list[Hours]:
    """Local hours that begin on a weekday (0 is Monday; None: every day), cut at midnights where they are longer."""
    if length >= _DAY * (7 if weekday is not None else 1):
        return []
    begins = datetime.combine(_A_MONDAY, start) + (weekday or 0) * _DAY
    ends = begins + length
    if weekday is None or length < _DAY:
        days = WEEKDAYS if weekday is None else (WEEKDAYS[weekday],)
        return [Hours(days=days, start=clock(begins.time()), end=clock(ends.time(), end=True))]
    found = []
    while begins < ends:
        midnight = datetime.combine(begins.date() + _DAY, time(0))
        until = min(ends, midnight)
        day = WEEKDAYS[begins.weekday()]
        found.append(Hours(days=(day,), start=clock(begins.time()), end=clock(until.time(), end=True)))
        begins = until
    return found


def clock(at: time, *, end: bool = False) -> str:
    """`09:00`; a midnight that ends is `24:00`."""
    said = f"{at.hour:02}:{at.minute:02}"
    return "24:00" if end and said == "00:00" else said


def stand_ins(
    stretches: Iterable[tuple[str, datetime, datetime]], at: datetime, about: str, result: Imported
) -> list[dict[str, Any]]:
    """Overrides that are not over, each as a temporary schedule of one shift."""
    ahead = sorted((one for one in stretches if one[2] > at and one[1] < one[2]), key=lambda one: one[1])
    if len(ahead) > MOST_TEMPORARY:
        result.say(about, f"{len(ahead) - MOST_TEMPORARY} of its overrides were left out")
    return [
        {
            "name": f"override-{number}",
            "since": since,
            "until": until,
            "shifts": [{"who": who, "since": since, "until": until}],
        }
        for number, (who, since, until) in enumerate(ahead[:MOST_TEMPORARY], start=1)
    ]


def add(result: Imported, model: type[Schedule] | type[Policy], said: dict[str, Any], about: str) -> bool:
    """Keep a schedule or policy, if ours can hold it; else say why not."""
    try:
        made: BaseModel = model.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        result.say(about, f"left out: {where} {first['msg'].removeprefix('Value error, ')}")
        return False
    if isinstance(made, Schedule):
        result.schedules.append(made)
    elif isinstance(made, Policy):
        result.policies.append(made)
    return True


def wait(minutes: float) -> str:
    """Minutes as ours writes them; at least one."""
    return f"{min(10_080, max(1, round(minutes)))}m"


__all__ = [
    "Imported",
    "Names",
    "add",
    "clock",
    "collected",
    "hours_of",
    "instant",
    "listed",
    "shift_of",
    "stand_ins",
    "text",
    "wait",
    "zone_of",
]
