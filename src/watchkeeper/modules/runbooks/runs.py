"""What a run is, and what follows for its steps: no I/O, no clock."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from watchkeeper.kernel.errors import Complaint
from watchkeeper.modules.runbooks.actions import Undoing
from watchkeeper.modules.runbooks.errors import InputsInvalid, NothingToRun, StepNotFound
from watchkeeper.modules.runbooks.model import (
    MOST_ATTEMPTS,
    Confirmation,
    Content,
    How,
    State,
    Step,
    WaitsFor,
)
from watchkeeper.modules.runbooks.reading import value_of

MOST_STEPS = 100
# A runner that renews its lease for ever, and never ends its step, is ill itself.
_GRACE = timedelta(minutes=2)


@dataclass(frozen=True, kw_only=True)
class RunStep:
    """A step of a run: a copy of what the file said, and how far it came. `token` fences a lost runner off."""

    number: int
    step: Step
    state: State
    waits_for: WaitsFor
    confirmed_by: str | None = None
    confirmed_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    output: str = ""
    output_bytes: int = 0
    exit_code: int | None = None
    detail: str = ""
    attempts: int = 0
    token: int = 0
    lease_until: datetime | None = None
    runner: str | None = None
    undo: Undoing | None = None

    @property
    def can_be_undone(self) -> bool:
        """Whether something is known that takes it back, and there is something to take back."""
        begun = self.state.is_over and self.state not in (State.SKIPPED, State.CANCELLED)
        return begun and (self.step.undo is not None or self.undo is not None)


@dataclass(frozen=True, kw_only=True)
class Run:
    """Steps of one revision of a runbook that somebody runs, one after the other."""

    id: str
    runbook: str
    title: str
    service: str | None
    revision: str
    text: str
    state: State
    inputs: Mapping[str, Any]
    dry_run: bool
    about: tuple[str, str] | None
    started_by: str
    source: str
    reason: str
    undoes: tuple[str, str] | None
    cancelled_by: str | None
    started_at: datetime
    finished_at: datetime | None
    steps: tuple[RunStep, ...]

    @property
    def is_over(self) -> bool:
        return self.state.is_over

    @property
    def current(self) -> RunStep | None:
        """The step that the run is at; None when it is over."""
        return None if self.is_over else next((one for one in self.steps if not one.state.is_over), None)

    def step(self, key_or_number: str | int) -> RunStep | None:
        """By its key, or by its number from 1."""
        return next((one for one in self.steps if key_or_number in (one.step.key, one.number)), None)


def first_wait(step: Step) -> WaitsFor:
    """What a step whose turn has come waits for; nothing when it may begin at once."""
    if step.how is How.MANUAL:
        return WaitsFor.CHECK
    if step.confirm is Confirmation.CONFIRM:
        return WaitsFor.CONFIRMATION
    if step.confirm is Confirmation.SECOND:
        return WaitsFor.SECOND_PERSON
    return WaitsFor.RUNNER if step.how in (How.SHELL, How.HTTP) else WaitsFor.NOTHING


def outcome(steps: Sequence[RunStep], *, cancelled: bool) -> State | None:
    """How a run ended; None while it goes on. What is running is always waited for: it can't be called back."""
    if any(one.state is State.RUNNING for one in steps):
        return None
    bad = next((one.state for one in steps if one.state.is_over and not one.state.is_good), None)
    if bad is not None:
        return bad
    if cancelled:
        return State.CANCELLED
    return State.SUCCEEDED if all(one.state.is_over for one in steps) else None


def lost(one: RunStep, now: datetime) -> State | None:
    """What becomes of a step whose runner says nothing any more: None while there is no reason to give it up.

    One that never began may be given to another runner. One that began is begun again only where its file says that
    this does no harm; else nobody can say what it did.
    """
    if one.lease_until is None:
        return None
    if one.state is State.WAITING:
        return State.WAITING if one.lease_until < now else None
    if one.state is not State.RUNNING:
        return None
    overdue = one.started_at is not None and one.started_at + timedelta(seconds=one.step.timeout) + _GRACE < now
    if one.lease_until >= now and not overdue:
        return None
    return State.WAITING if one.step.repeatable and one.attempts < MOST_ATTEMPTS else State.UNKNOWN


def inputs_of(content: Content, steps: Sequence[Step]) -> list[str]:
    """Names of the inputs that these steps use."""
    bodies = "\n".join(one.body for one in steps if one.how is not How.MANUAL)
    return [
        one.name
        for one in content.inputs
        if re.search(rf"\b{re.escape(one.variable)}\b|\$\{{{re.escape(one.name)}\}}", bodies)
    ]


def undoing_step(undoing: Undoing, title: str) -> Step:
    """A step that takes back what an action did. JSON is YAML, so its inputs read back as they are."""
    return Step(
        key=f"undo-{undoing.action}"[:60],
        title=f"Undo: {title}"[:200],
        how=How.ACTION,
        section="",
        line=0,
        action=undoing.action,
        body=json.dumps(dict(undoing.inputs), ensure_ascii=False),
        confirm=Confirmation.CONFIRM,
    )


def chosen_steps(content: Content, keys: Sequence[str] | None) -> list[Step]:
    """The steps of these keys, or every one that is no undoing. Raises StepNotFound or NothingToRun."""
    if keys is None:
        found = [step for steps in content.procedures().values() for step in steps]
    else:
        found = []
        for key in keys:
            step = content.step(key)
            if step is None:
                raise StepNotFound(f"{content.name} has no step {key[:60]!r}.")
            found.append(step)
    if not found or len(found) > MOST_STEPS:
        raise NothingToRun(f"A run has 1 to {MOST_STEPS} steps, found {len(found)}.")
    return found


def input_values(content: Content, chosen: Sequence[Step], said: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs that these steps use, as their types. Raises InputsInvalid."""
    needed = set(inputs_of(content, chosen))
    known = {one.name for one in content.inputs}
    complaints = [Complaint(name[:60], f"one of {', '.join(sorted(known))}") for name in said if name not in known]
    values: dict[str, Any] = {}
    for one in content.inputs:
        if one.name not in needed:
            continue
        try:
            values[one.name] = value_of(said, one)
        except ValueError as error:
            complaints.append(Complaint(one.name, str(error)))
    if complaints:
        raise InputsInvalid("The inputs are not valid; nothing was started.", complaints=complaints)
    return values
