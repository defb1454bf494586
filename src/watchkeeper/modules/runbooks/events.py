"""The facts of runbooks and of runs of their steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from watchkeeper.kernel.journal import Event, Subject


@dataclass(frozen=True, kw_only=True)
class _OfRunbook(Event):
    runbook: str
    title: str
    service_name: str | None = None

    def subject(self) -> Subject:
        return Subject("runbook", self.runbook)

    def service(self) -> str | None:
        return self.service_name


@dataclass(frozen=True, kw_only=True)
class RunbookChanged(_OfRunbook):
    """`before` and `after` are revisions; None: it was not there, or is not any more."""

    kind: ClassVar[str] = "runbooks.changed"

    before: str | None
    after: str | None

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        if data["after"] is None:
            return f"The runbook {data['runbook']} was removed."
        return f"The runbook {data['runbook']} was {'changed' if data['before'] else 'added'}."


@dataclass(frozen=True, kw_only=True)
class RunbookApproved(_OfRunbook):
    kind: ClassVar[str] = "runbooks.approved"

    revision: str
    steps: int

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        return f"Revision {data['revision'][:12]} of the runbook {data['runbook']} was signed off: its steps may run."


@dataclass(frozen=True, kw_only=True)
class _OfRun(Event):
    run: str
    runbook: str
    service_name: str | None = None
    about_type: str | None = None
    about_id: str | None = None

    def subject(self) -> Subject:
        return Subject("runbook_run", self.run)

    def service(self) -> str | None:
        return self.service_name


@dataclass(frozen=True, kw_only=True)
class RunStarted(_OfRun):
    """The values of inputs are on the run and in no fact: they may be about a person."""

    kind: ClassVar[str] = "runbooks.run_started"

    revision: str
    steps: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    dry_run: bool = False
    undoes_run: str | None = None
    reason: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        what = "Rehearses" if data["dry_run"] else "Undoes a step by" if data.get("undoes_run") else "Runs"
        count = len(data["steps"])
        return f"{what} {count} step{'s' if count != 1 else ''} of the runbook {data['runbook']}."


@dataclass(frozen=True, kw_only=True)
class StepStarted(_OfRun):
    kind: ClassVar[str] = "runbooks.step_started"

    step: str
    title: str
    attempt: int = 1
    runner: str | None = None
    confirmed_by: str | None = None

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        again = f", attempt {data['attempt']}" if data["attempt"] != 1 else ""
        where = f" on {data['runner']}" if data["runner"] else ""
        return f"The step {data['title']} of the runbook {data['runbook']} begins{where}{again}."


_SAID = {
    "succeeded": "succeeded",
    "failed": "failed",
    "timed_out": "ran out of time and was stopped",
    "unknown": "was lost with its runner: nobody can say how far it came",
    "skipped": "was skipped",
    "cancelled": "was not carried out",
}


@dataclass(frozen=True, kw_only=True)
class StepFinished(_OfRun):
    kind: ClassVar[str] = "runbooks.step_finished"

    step: str
    title: str
    state: str
    exit_code: int | None = None
    detail: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        why = f": {data['detail']}" if data["detail"] and data["state"] not in ("succeeded", "skipped") else ""
        return (
            f"The step {data['title']} of the runbook {data['runbook']} {_SAID.get(data['state'], data['state'])}{why}."
        )


_RUN_SAID = {**_SAID, "unknown": "ended without anybody knowing how", "cancelled": "was stopped"}


@dataclass(frozen=True, kw_only=True)
class RunFinished(_OfRun):
    kind: ClassVar[str] = "runbooks.run_finished"

    state: str
    dry_run: bool = False
    steps: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        what = "rehearsal" if data["dry_run"] else "run"
        return f"The {what} of the runbook {data['runbook']} {_RUN_SAID.get(data['state'], data['state'])}."
