"""JSON of runs, and of what runners say."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.runbooks.model import State
from watchkeeper.modules.runbooks.runs import Run, RunStep


class Approve(StrictModel):
    """Sign off what was read."""

    revision: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the file that was read.")


class About(StrictModel):
    """What a run is for, such as an incident or an alert."""

    type: str = Field(min_length=1, max_length=40)
    id: str = Field(min_length=1, max_length=100)


class NewRun(StrictModel):
    """Run steps of a runbook."""

    steps: list[str] | None = Field(None, max_length=100, description="Their ids; unset: all but those that only undo.")
    inputs: dict[str, str | int | float | bool | None] = Field(default_factory=dict, max_length=30)
    about: About | None = None
    dry_run: bool = Field(False, description="Show what would be done, and do nothing.")
    reason: str = Field("", max_length=500)


class Confirm(StrictModel):
    """Say something about a step."""

    note: str = Field("", max_length=500)


class UndoOrder(StrictModel):
    """Take a step back."""

    inputs: dict[str, str | int | float | bool | None] = Field(default_factory=dict, max_length=30)


class RunStepView(BaseModel):
    """A step of a run."""

    number: int
    key: str
    title: str
    how: str
    action: str
    confirm: str
    state: State
    waits_for: str
    confirmed_by: str | None
    started_at: datetime | None
    finished_at: datetime | None
    runner: str | None
    attempts: int
    exit_code: int | None
    detail: str
    output: str
    output_bytes: int = Field(description="All that was written; `output` may hold less.")
    can_be_undone: bool

    @classmethod
    def of(cls, one: RunStep) -> RunStepView:
        same = ("number", "state", "waits_for", "confirmed_by", "started_at", "finished_at", "runner", "attempts")
        values: dict[str, Any] = {name: getattr(one, name) for name in (*same, "exit_code", "detail")}
        return cls(
            **values,
            key=one.step.key,
            title=one.step.title,
            how=one.step.how.value,
            action=one.step.action,
            confirm=one.step.confirm.value,
            output=one.output,
            output_bytes=one.output_bytes,
            can_be_undone=one.can_be_undone,
        )


class RunView(BaseModel):
    """A run."""

    id: str
    runbook: str
    title: str
    service: str | None
    revision: str
    state: State
    dry_run: bool
    inputs: dict[str, Any]
    about: About | None
    started_by: str
    reason: str
    undoes_run: str | None
    started_at: datetime
    finished_at: datetime | None
    steps: list[RunStepView]

    @classmethod
    def of(cls, run: Run) -> RunView:
        same = ("id", "runbook", "title", "service", "revision", "state", "dry_run", "started_by", "reason")
        values: dict[str, Any] = {name: getattr(run, name) for name in (*same, "started_at", "finished_at")}
        return cls(
            **values,
            inputs=dict(run.inputs),
            about=About(type=run.about[0], id=run.about[1]) if run.about else None,
            undoes_run=run.undoes[0] if run.undoes else None,
            steps=[RunStepView.of(one) for one in run.steps],
        )


class ClaimOrder(StrictModel):
    """A runner asks for a step."""

    runner: str = Field(min_length=1, max_length=100, description="What this runner is called.")
    wait_seconds: int = Field(0, ge=0, le=25, description="How long to wait for one.")


class LeaseView(BaseModel):
    """A step that a runner has for now, and the whole file that it is in."""

    run: str
    number: int
    token: int
    key: str
    runbook: str
    revision: str
    text: str
    inputs: dict[str, Any]
    lease_seconds: int
    output_bytes: int


class Claimed(BaseModel):
    """A step, or nothing for now."""

    lease: LeaseView | None


class Begin(StrictModel):
    """The runner begins."""

    token: int = Field(ge=1)


class Progress(Begin):
    """How it goes."""

    model_config = ConfigDict(str_strip_whitespace=False)

    output: str = Field("", max_length=5_000_000)
    output_bytes: int = Field(0, ge=0)


class Stop(BaseModel):
    """Whether the step is to be stopped."""

    stop: bool


class Finish(Progress):
    """How it ended."""

    state: State
    exit_code: int | None = None
    detail: str = Field("", max_length=2_000)
