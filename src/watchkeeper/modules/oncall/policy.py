"""What people say of an escalation policy: who is called, in which order, and how long each is waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Annotated, Literal, final

from pydantic import Field, model_validator

from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.oncall.definition import Path
from watchkeeper.modules.oncall.words import (
    Name,
    ServiceName,
    Severity,
    Some,
    TeamName,
    Text,
    Title,
    Wait,
    Who,
    span_of,
)

MOST_TARGETS = 20
MOST_STEPS = 20
MOST_PATHS = 4
MOST_REPEATS = 20
MOST_SERVICES = 200


class Target(StrictModel):
    """Whom a step calls; one of these."""

    schedule: Name | None = Field(default=None, description="Who is on call there when the step is due.")
    person: Who | None = Field(default=None, description="An e-mail address or an id.")
    team: TeamName | None = Field(default=None, description="Everybody in the team.")
    everyone: Literal[True] | None = Field(default=None, description="Everybody who may respond.")
    channel: Name | None = Field(default=None, description="A channel that goes to one place is told, besides people.")

    @model_validator(mode="after")
    def _one(self) -> Target:
        if len(self.model_fields_set & {key for key in type(self).model_fields if getattr(self, key) is not None}) != 1:
            raise ValueError("exactly one of schedule, person, team, everyone or channel was expected")
        return self

    @property
    def words(self) -> str:
        """`the schedule primary`."""
        if self.everyone:
            return "everybody who may respond"
        kind, value = next((key, said) for key, said in self if said is not None)
        return f"the {kind} {value}" if kind != "person" else str(value)


Targets = Annotated[tuple[Target, ...], Field(max_length=MOST_TARGETS)]


class Step(StrictModel):
    """Calls its targets, then waits for somebody to acknowledge before the next one is called."""

    notify: Targets = Field(description="All are called at the same time.")
    wait: Wait = Field(default="5m", description="How long until the next step; a step that reaches nobody waits not.")


class Route(StrictModel):
    """Steps for some severities, in the place of the policy's own."""

    severities: Annotated[tuple[Severity, ...], Field(max_length=4), Some]
    steps: Annotated[tuple[Step, ...], Field(max_length=MOST_STEPS), Some]


class Unresolved(StrictModel):
    """Called when it is not resolved so long after it began, even if somebody acknowledged it."""

    after: Wait = Field(description="Since it began, such as 1h.")
    notify: Annotated[tuple[Target, ...], Field(max_length=MOST_TARGETS), Some]
    severities: Annotated[tuple[Severity, ...], Field(max_length=4)] = Field(
        default=(), description="Only for these; unset: for all."
    )


@final
class Policy(StrictModel):
    """Who is called for an alert, step by step, until somebody acknowledges."""

    name: Name
    title: Title = ""
    description: Text = ""
    team: TeamName | None = Field(default=None, description="Whose it is: only its members may change it.")
    services: Annotated[tuple[ServiceName, ...], Field(max_length=MOST_SERVICES)] = Field(
        default=(), description="The services whose alerts it is for."
    )
    default: bool = Field(default=False, description="Whether it is for everything that no other policy is for.")
    steps: Annotated[tuple[Step, ...], Field(max_length=MOST_STEPS)] = ()
    routes: Annotated[tuple[Route, ...], Field(max_length=MOST_PATHS)] = Field(
        default=(), description="Other steps for some severities; the first that names a severity holds."
    )
    unresolved: Annotated[tuple[Unresolved, ...], Field(max_length=MOST_STEPS)] = Field(
        default=(), description="Who is called besides when it goes on too long."
    )
    repeat: int = Field(default=2, ge=0, le=MOST_REPEATS, description="How often the steps are gone through again.")
    acknowledged_for: Wait | None = Field(
        default=None,
        description="How long an acknowledgement holds; if it is not resolved by then, the steps begin anew. "
        "Unset: for good.",
    )

    def steps_for(self, severity: Severity) -> tuple[Step, ...]:
        """The steps that an alert of this severity goes through."""
        return next((one.steps for one in self.routes if severity in one.severities), self.steps)

    def unresolved_for(self, severity: Severity) -> tuple[Unresolved, ...]:
        """Who is called for it besides, the earliest first."""
        wanted = [one for one in self.unresolved if not one.severities or severity in one.severities]
        return tuple(sorted(wanted, key=lambda one: span_of(one.after)))

    @property
    def longest(self) -> timedelta:
        """How long its longest way takes, all repetitions included."""
        ways = (self.steps, *(one.steps for one in self.routes))
        return max(sum((span_of(step.wait) for step in way), timedelta(0)) for way in ways) * (self.repeat + 1)


def targets_of(policy: Policy) -> Iterator[tuple[Path, Target]]:
    """Every target with the path to where it is named."""
    for number, step in enumerate(policy.steps):
        yield from ((("steps", number, "notify", place), one) for place, one in enumerate(step.notify))
    for row, route in enumerate(policy.routes):
        for number, step in enumerate(route.steps):
            at = ("routes", row, "steps", number, "notify")
            yield from (((*at, place), one) for place, one in enumerate(step.notify))
    for number, late in enumerate(policy.unresolved):
        yield from ((("unresolved", number, "notify", place), one) for place, one in enumerate(late.notify))


def people_of(policy: Policy) -> Iterator[tuple[Path, str]]:
    """Everybody whom a policy names, each with the path to where."""
    yield from (((*path, "person"), one.person) for path, one in targets_of(policy) if one.person is not None)


def with_people(policy: Policy, call: Callable[[str], str]) -> Policy:
    """The same with everybody called otherwise."""

    def renamed(one: Target) -> Target:
        return one if one.person is None else one.model_copy(update={"person": call(one.person)})

    def stepped(steps: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple(one.model_copy(update={"notify": tuple(map(renamed, one.notify))}) for one in steps)

    routes = tuple(one.model_copy(update={"steps": stepped(one.steps)}) for one in policy.routes)
    late = tuple(one.model_copy(update={"notify": tuple(map(renamed, one.notify))}) for one in policy.unresolved)
    return policy.model_copy(update={"steps": stepped(policy.steps), "routes": routes, "unresolved": late})
