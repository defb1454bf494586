"""The verbs of runners: take a step, say that it begins, how it goes, how it ended. And what becomes of those that fall
silent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.telemetry.redaction import redact_text
from watchkeeper.modules.runbooks import store_runs
from watchkeeper.modules.runbooks.actions import Actions
from watchkeeper.modules.runbooks.errors import LeaseIsGone
from watchkeeper.modules.runbooks.model import State, WaitsFor
from watchkeeper.modules.runbooks.running import Runs
from watchkeeper.modules.runbooks.runs import Run, RunStep, lost
from watchkeeper.modules.runbooks.settings import RunbookSettings

SOURCE = "runner"


@dataclass(frozen=True, kw_only=True)
class Lease:
    """A step that a runner has for now. It gets the whole file, so that it sees for itself what was signed off."""

    run: str
    number: int
    token: int
    key: str
    runbook: str
    revision: str
    text: str
    inputs: Mapping[str, Any]
    lease_seconds: int
    output_bytes: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """How a step ended, as a runner says. `output` replaces what was sent before; `output_bytes` counts all of it."""

    state: State
    output: str = ""
    output_bytes: int = 0
    exit_code: int | None = None
    detail: str = ""


@dataclass(frozen=True)
class Leases:
    """Steps that runners have, on one session.

    With `database_now` leases go by the database's clock: those of replicas may differ, and one that is ahead must not
    take what another one's runner has for lost.
    """

    session: Session
    clock: Clock
    actions: Actions
    settings: RunbookSettings
    database_now: Callable[[Session], datetime] | None = None

    def claim(self, runner: str, *, by: str) -> Lease | None:
        """The step that waited longest for a runner. Nothing begins yet: a runner that is lost now did nothing."""
        now = self._now()
        self.sweep()
        store_runs.note_runner(self.session, runner, by, now)
        for run_id in store_runs.waiting_for_runner(self.session):
            run = store_runs.run(self.session, run_id, lock=True)
            one = run.current if run is not None else None
            if run is None or one is None or not _is_free(one) or run.cancelled_by is not None:
                continue
            token = one.token + 1
            store_runs.save_step(
                self.session, run.id, one.number, token=token, lease_until=self._until(now), runner=runner
            )
            return Lease(
                run=run.id,
                number=one.number,
                token=token,
                key=one.step.key,
                runbook=run.runbook,
                revision=run.revision,
                text=run.text,
                inputs=run.inputs,
                lease_seconds=self.settings.lease_seconds,
                output_bytes=self.settings.output_kilobytes * 1024,
            )
        return None

    def anything(self) -> bool:
        """Whether a claim would find something, or something to tidy up: for a look that writes nothing."""
        late = store_runs.leased_until(self.session, before=self._now())
        return bool(late) or bool(store_runs.waiting_for_runner(self.session, limit=1))

    def begin(self, run_id: str, number: int, token: int) -> None:
        """The runner begins now: from here on nobody may repeat the step unless its file allows it.

        Harmless when repeated with the same token. Raises LeaseIsGone.
        """
        run, one = self._held(run_id, number, token)
        if one.state is State.RUNNING:
            return
        if one.state is not State.WAITING or one.lease_until is None or run.cancelled_by is not None:
            raise LeaseIsGone("This step is not yours to begin any more.")
        now, attempts = self._now(), one.attempts + 1
        store_runs.save_step(
            self.session,
            run_id,
            number,
            state=State.RUNNING.value,
            waits_for="",
            started_at=now,
            attempts=attempts,
            lease_until=self._until(now),
            output="",
            output_bytes=0,
        )
        by = one.confirmed_by or run.started_by
        Runs(self.session, self.clock, self.actions).begin_step(
            run, one, by=by, source=SOURCE, runner=one.runner, attempt=attempts
        )

    def progress(self, run_id: str, number: int, token: int, *, output: str, output_bytes: int) -> bool:
        """It goes on, and this is what it wrote so far. Answers whether it is to be stopped. Raises LeaseIsGone."""
        run, one = self._held(run_id, number, token)
        if one.state is not State.RUNNING:
            raise LeaseIsGone("This step is over.")
        columns: dict[str, Any] = {"lease_until": self._until(self._now())}
        if output_bytes >= one.output_bytes:
            columns |= {"output": self._kept(output), "output_bytes": output_bytes}
        store_runs.save_step(self.session, run_id, number, **columns)
        return run.cancelled_by is not None

    def finish(self, run_id: str, number: int, token: int, report: Report) -> None:
        """It ended. The same report again changes nothing.

        One that comes after the step was given up as lost is kept beside it, and does not change that nobody knew.
        Raises LeaseIsGone for an older token.
        """
        run, one = self._held(run_id, number, token)
        said: dict[str, Any] = {
            "output": self._kept(report.output),
            "output_bytes": report.output_bytes,
            "exit_code": report.exit_code,
        }
        if one.state is State.UNKNOWN and not one.detail.startswith("later: "):
            late = f"later: its runner says {report.state.replace('_', ' ')}. {report.detail}"
            store_runs.save_step(self.session, run_id, number, detail=late[:500], **said)
        if one.state.is_over:
            return
        if one.state is State.WAITING and report.state is not State.FAILED:
            raise LeaseIsGone("This step never began.")
        state = report.state
        if run.cancelled_by is not None and state in (State.FAILED, State.CANCELLED):
            state = State.CANCELLED
        by = one.confirmed_by or run.started_by
        runs = Runs(self.session, self.clock, self.actions)
        runs.end_step(run, one, state, by=by, source=SOURCE, detail=redact_text(report.detail), **said)
        runs.go_on(run_id, source=SOURCE)

    def sweep(self) -> int:
        """Look at every step whose runner fell silent; answers how many were given up or given back."""
        now = self._now()
        count = 0
        late = store_runs.leased_until(self.session, before=now)
        for run_id in dict.fromkeys([*late, *store_runs.that_run(self.session)]):
            run = store_runs.run(self.session, run_id, lock=True)
            for one in run.steps if run is not None else ():
                becomes = lost(one, now)
                if run is not None and becomes is not None:
                    self._give_up(run, one, becomes)
                    count += 1
        return count

    def _give_up(self, run: Run, one: RunStep, becomes: State) -> None:
        runs = Runs(self.session, self.clock, self.actions)
        if becomes is State.WAITING:
            # The next token: whatever the lost runner says from now on is about an attempt that does not count.
            store_runs.save_step(
                self.session,
                run.id,
                one.number,
                state=State.WAITING.value,
                waits_for=WaitsFor.RUNNER.value,
                lease_until=None,
                token=one.token + 1,
                detail=f"the runner {one.runner} fell silent" if one.attempts else "",
            )
        else:
            why = f"the runner {one.runner} fell silent while it ran"
            runs.end_step(run, one, State.UNKNOWN, by="system:runbooks", source="worker", detail=why)
        runs.go_on(run.id, source="worker")

    def _held(self, run_id: str, number: int, token: int) -> tuple[Run, RunStep]:
        run = store_runs.run(self.session, run_id, lock=True)
        one = run.step(number) if run is not None else None
        if run is None or one is None or one.token != token:
            raise LeaseIsGone("This step is not yours any more.")
        return run, one

    def _now(self) -> datetime:
        return self.database_now(self.session) if self.database_now is not None else self.clock.now()

    def _until(self, now: datetime) -> datetime:
        return now + timedelta(seconds=self.settings.lease_seconds)

    def _kept(self, output: str) -> str:
        # PostgreSQL can't keep a NUL. A runner cuts and masks already; this is for one that does not.
        return redact_text(output.replace("\0", "\ufffd"))[: self.settings.output_kilobytes * 1024]


def _is_free(one: RunStep) -> bool:
    return one.state is State.WAITING and one.waits_for is WaitsFor.RUNNER and one.lease_until is None
