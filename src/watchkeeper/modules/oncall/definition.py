"""What people say of a schedule: the canonical form that files, the API and the console share.

People are named by their ids; at the doors an e-mail address stands for one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Annotated, Any, final

from pydantic import Field, model_validator

from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.oncall.words import (
    WEEKDAYS,
    Instant,
    LocalTime,
    Name,
    Reason,
    ShiftLength,
    Some,
    TeamName,
    Text,
    TimeZone,
    Title,
    Weekday,
    Who,
    parts_of,
    span_of,
)

MOST_LAYERS = 20
MOST_PEOPLE = 100
MOST_HOURS = 20
MOST_TEMPORARY = 50
MOST_SHIFTS = 200
MOST_GAPS = 100

Path = tuple[Any, ...]


class Hours(StrictModel):
    """Local hours of some weekdays; an end that is not after the start is on the next day."""

    days: Annotated[tuple[Weekday, ...], Field(max_length=7), Some] = Field(
        default=WEEKDAYS, description="The days on which they begin; unset: every day."
    )
    start: LocalTime = Field(description="Local time, such as 09:00.")
    end: LocalTime = Field(description="Local time; at or before `start`, it is the next day's. 24:00 is midnight.")


class Layer(StrictModel):
    """People who take turns. Turns go on while a layer's hours leave it out."""

    name: Name
    people: Annotated[tuple[Who, ...], Field(max_length=MOST_PEOPLE), Some] = Field(
        description="In the order of their turns; e-mail addresses or ids."
    )
    shift: ShiftLength = Field(
        default="1w",
        description="How long a turn is: days (1d) and weeks (1w) of the calendar, hours (12h) as they elapse.",
    )
    hand_over: LocalTime = Field(default="09:00", description="Local time at which turns change.")
    weekday: Weekday | None = Field(
        default=None, description="Of shifts in weeks, the day on which turns change; unset: that of `start`."
    )
    start: date = Field(description="The day on which the first turn begins.")
    until: Instant | None = Field(default=None, description="When the layer ends; unset: never.")
    hours: Annotated[tuple[Hours, ...], Field(max_length=MOST_HOURS)] = Field(
        default=(), description="Only in these local hours; unset: all day."
    )

    @model_validator(mode="after")
    def _weeks_have_weekdays(self) -> Layer:
        if self.weekday is not None and parts_of(self.shift)[1] != "w":
            raise ValueError("a weekday only with a shift in weeks was expected")
        if not 1970 <= self.start.year < 3000:
            raise ValueError("a start between the years 1970 and 2999 was expected")
        return self


class Shift(StrictModel):
    """Who is on call from an instant to another."""

    who: Who
    since: Instant
    until: Instant

    @model_validator(mode="after")
    def _forward(self) -> Shift:
        _require_forward(self.since, self.until)
        return self


class Temporary(StrictModel):
    """Stands in the place of the layers for a time: holidays, a launch, a moved office."""

    name: Name
    since: Instant
    until: Instant
    layers: Annotated[tuple[Layer, ...], Field(max_length=MOST_LAYERS)] = ()
    shifts: Annotated[tuple[Shift, ...], Field(max_length=MOST_SHIFTS)] = Field(
        default=(), description="Who is on call when; goes before the layers here."
    )

    @model_validator(mode="after")
    def _says_who(self) -> Temporary:
        if not self.layers and not self.shifts:
            raise ValueError("layers or shifts, or both, were expected")
        _require_forward(self.since, self.until)
        return self


class DeclaredGap(StrictModel):
    """When nobody has to be on call. It takes nobody away: it says that a hole there is meant."""

    reason: Reason = ""
    since: Instant | None = None
    until: Instant | None = None
    hours: Annotated[tuple[Hours, ...], Field(max_length=MOST_HOURS)] = Field(
        default=(), description="Every week in these local hours; with `since` and `until`, between those."
    )

    @model_validator(mode="after")
    def _says_when(self) -> DeclaredGap:
        if not self.hours and (self.since is None or self.until is None):
            raise ValueError("hours, or since and until, were expected")
        if self.since is not None and self.until is not None:
            _require_forward(self.since, self.until)
        return self


@final
class Schedule(StrictModel):
    """Who is on call when. Where several layers have somebody, the first one wins."""

    name: Name
    title: Title = ""
    description: Text = ""
    team: TeamName | None = Field(default=None, description="Whose it is: only its members may change it.")
    time_zone: TimeZone = Field(default="UTC", description="In which hand-overs and hours are meant.")
    layers: Annotated[tuple[Layer, ...], Field(max_length=MOST_LAYERS), Some]
    temporary: Annotated[tuple[Temporary, ...], Field(max_length=MOST_TEMPORARY)] = Field(
        default=(), description="In the place of the layers for a time; the first that holds wins."
    )
    gaps: Annotated[tuple[DeclaredGap, ...], Field(max_length=MOST_GAPS)] = Field(
        default=(), description="Holes that are meant."
    )

    @model_validator(mode="after")
    def _names_once(self) -> Schedule:
        every = [[one.name for one in self.layers], [one.name for one in self.temporary]]
        every += [[layer.name for layer in one.layers] for one in self.temporary]
        for found in every:
            if len(set(found)) < len(found):
                double = next(one for one in found if found.count(one) > 1)
                raise ValueError(f"each name once was expected, found {double!r} again")
        return self

    @property
    def longest_shift(self) -> timedelta:
        """The longest turn of any layer."""
        layers = (*self.layers, *(layer for one in self.temporary for layer in one.layers))
        return max(span_of(layer.shift) for layer in layers)


def people_of(schedule: Schedule) -> Iterator[tuple[Path, str]]:
    """Everybody whom a schedule names, each with the path to where."""
    yield from _of_layers((), schedule.layers)
    for number, one in enumerate(schedule.temporary):
        at: Path = ("temporary", number)
        yield from _of_layers(at, one.layers)
        for place, shift in enumerate(one.shifts):
            yield (*at, "shifts", place, "who"), shift.who


def with_people(schedule: Schedule, call: Callable[[str], str]) -> Schedule:
    """The same with everybody called otherwise."""
    temporary = tuple(
        one.model_copy(
            update={
                "layers": _renamed(one.layers, call),
                "shifts": tuple(shift.model_copy(update={"who": call(shift.who)}) for shift in one.shifts),
            }
        )
        for one in schedule.temporary
    )
    return schedule.model_copy(update={"layers": _renamed(schedule.layers, call), "temporary": temporary})


def _of_layers(at: Path, layers: tuple[Layer, ...]) -> Iterator[tuple[Path, str]]:
    for number, layer in enumerate(layers):
        for place, who in enumerate(layer.people):
            yield (*at, "layers", number, "people", place), who


def _renamed(layers: tuple[Layer, ...], call: Callable[[str], str]) -> tuple[Layer, ...]:
    return tuple(layer.model_copy(update={"people": tuple(map(call, layer.people))}) for layer in layers)


def _require_forward(since: datetime, until: datetime) -> None:
    if since >= until:
        raise ValueError("an `until` after `since` was expected")
