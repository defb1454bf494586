"""The verbs of runs: start, confirm, check, skip, cancel, undo. What leaves this process is taken by runners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Complaint, Forbidden, Refusal
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.journal import Event
from watchkeeper.kernel.web.access import Actor, Scope
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.runbooks import store, store_runs
from watchkeeper.modules.runbooks.actions import Actions, Asking
from watchkeeper.modules.runbooks.blocks import order_of
from watchkeeper.modules.runbooks.errors import (
    ActionFailed,
    InputsInvalid,
    NotApproved,
    RunbookNotFound,
    RunIsOver,
    RunNotFound,
    SecondPersonNeeded,
    StepIsElsewhere,
    StepNotFound,
)
from watchkeeper.modules.runbooks.events import RunFinished, RunStarted, StepFinished, StepStarted
from watchkeeper.modules.runbooks.model import Confirmation, Content, How, Runbook, State, Step, WaitsFor
from watchkeeper.modules.runbooks.permissions import RUN_RUNBOOKS
from watchkeeper.modules.runbooks.reading import content_of
from watchkeeper.modules.runbooks.runs import (
    MOST_STEPS,
    Run,
    RunStep,
    chosen_steps,
    first_wait,
    input_values,
    outcome,
    undoing_step,
)

_LONGEST_DETAIL = 500
_CONFIRMED = {WaitsFor.CONFIRMATION, WaitsFor.SECOND_PERSON}


@dataclass(frozen=True)
class Runs:
    """Runs, on one session. Steps go one after the other; the first that does not end well ends the run."""

    session: Session
    clock: Clock
    actions: Actions

    def run(self, run_id: str, *, lock: bool = False) -> Run:
        """Raises RunNotFound."""
        found = store_runs.run(self.session, run_id, lock=lock)
        if found is None:
            raise RunNotFound("There is no such run.")
        return found

    def start(
        self,
        runbook: str,
        steps: Sequence[str] | None,
        inputs: Mapping[str, Any],
        *,
        by: str,
        source: str,
        about: tuple[str, str] | None = None,
        dry_run: bool = False,
        reason: str = "",
    ) -> Run:
        """Run these steps of a runbook, or all but those that only undo another one; nothing begins unconfirmed.

        A dry run carries nothing out: it shows what would be done with these inputs. Raises RunbookNotFound,
        NotApproved, StepNotFound, InputsInvalid, NothingToRun, and Forbidden for somebody who may not.
        """
        self._require(by)
        held = store.by_name(self.session, runbook)
        if held is None:
            raise RunbookNotFound(f"There is no runbook {runbook[:100]!r}.")
        if not dry_run:
            self._require_approved(held)
        chosen = chosen_steps(held.content, steps)
        values = input_values(held.content, chosen, inputs)
        return self._begin(
            held.content, chosen, values, by=by, source=source, about=about, dry_run=dry_run, reason=reason
        )

    def confirm(self, run_id: str, step: str | int, *, by: str, source: str) -> Run:
        """Let a step begin. It is carried out with the permissions of whoever confirms it.

        Raises StepIsElsewhere, SecondPersonNeeded for who started a run that asks for a second person, and Forbidden.
        """
        actor = self._require(by)
        run, one = self._waiting(run_id, step, *_CONFIRMED)
        if one.waits_for is WaitsFor.SECOND_PERSON and (by == run.started_by or actor.kind != "person"):
            raise SecondPersonNeeded("Somebody else than who started this run has to confirm this step, in person.")
        now = self.clock.now()
        store_runs.save_step(self.session, run_id, one.number, confirmed_by=by, confirmed_at=now)
        self._release(run, replace(one, confirmed_by=by, confirmed_at=now), source=source)
        return self._go_on(run_id, source=source)

    def check(self, run_id: str, step: str | int, *, by: str, source: str, note: str = "") -> Run:
        """Somebody did a step that people do. Raises StepIsElsewhere."""
        self._require(by)
        run, one = self._waiting(run_id, step, WaitsFor.CHECK)
        store_runs.save_step(self.session, run_id, one.number, confirmed_by=by, confirmed_at=self.clock.now())
        self.end_step(run, one, State.SUCCEEDED, by=by, source=source, detail=note)
        return self._go_on(run_id, source=source)

    def skip(self, run_id: str, step: str | int, *, by: str, source: str, reason: str) -> Run:
        """Go on without a step that waits. Raises StepIsElsewhere."""
        self._require(by)
        run, one = self._waiting(run_id, step, WaitsFor.CHECK, *_CONFIRMED)
        store_runs.save_step(self.session, run_id, one.number, confirmed_by=by, confirmed_at=self.clock.now())
        self.end_step(run, one, State.SKIPPED, by=by, source=source, detail=reason)
        return self._go_on(run_id, source=source)

    def cancel(self, run_id: str, *, by: str, source: str) -> Run:
        """Begin nothing more, and have a runner stop what it runs. Raises RunIsOver."""
        self._require(by)
        run = self.run(run_id, lock=True)
        if run.is_over:
            raise RunIsOver("This run is over already.")
        store_runs.save_run(self.session, run_id, cancelled_by=by)
        return self._go_on(run_id, source=source)

    def undo(
        self, run_id: str, step: str | int, *, by: str, source: str, inputs: Mapping[str, Any] | None = None
    ) -> Run:
        """A new run that takes back what a step did: by the step that its file names, or as its action knows.

        It has the inputs of the first run, but for `inputs`. Raises StepIsElsewhere where nothing can take it back.
        """
        self._require(by)
        run = self.run(run_id, lock=True)
        one = self._step(run, step)
        if not one.can_be_undone:
            raise StepIsElsewhere("Nothing is known that takes this step back.")
        content = content_of(run.runbook, run.text)
        again = content.step(one.step.undo) if one.step.undo is not None else None
        if again is None:
            assert one.undo is not None  # noqa: S101 (can be undone)
            again = undoing_step(one.undo, one.step.title)
        values = input_values(content, [again], {**run.inputs, **(inputs or {})})
        return self._begin(
            content,
            [again],
            values,
            by=by,
            source=source,
            about=run.about,
            reason=f"undoes {one.step.title}"[:_LONGEST_DETAIL],
            undoes=(run.id, one.step.key),
        )

    def end_step(
        self,
        run: Run,
        one: RunStep,
        state: State,
        *,
        by: str,
        source: str,
        detail: str = "",
        **columns: Any,
    ) -> None:
        """Note how a step ended, with its fact; the caller goes on with the run."""
        now, detail = self.clock.now(), detail[:_LONGEST_DETAIL]
        columns |= {"state": state.value, "waits_for": "", "finished_at": now, "detail": detail, "lease_until": None}
        store_runs.save_step(self.session, run.id, one.number, **columns)
        fact = StepFinished(
            **_of(run),
            step=one.step.key,
            title=one.step.title,
            state=state.value,
            exit_code=columns.get("exit_code"),
            detail=detail,
        )
        self.tell(fact, by=by, source=source)

    def begin_step(self, run: Run, one: RunStep, *, by: str, source: str, runner: str | None, attempt: int) -> None:
        """Note that a step begins, before it does."""
        fact = StepStarted(
            **_of(run),
            step=one.step.key,
            title=one.step.title,
            attempt=attempt,
            runner=runner,
            confirmed_by=one.confirmed_by,
        )
        self.tell(fact, by=by, source=source)

    def go_on(self, run_id: str, *, source: str) -> Run:
        """What follows after something happened to a step; harmless when nothing does."""
        return self._go_on(run_id, source=source)

    def tell(self, fact: Event, *, by: str, source: str) -> None:
        """Write a fact."""
        journal.append(self.session, fact, by=by, source=source, at=self.clock.now())

    def _begin(
        self,
        content: Content,
        chosen: Sequence[Step],
        values: Mapping[str, Any],
        *,
        by: str,
        source: str,
        about: tuple[str, str] | None,
        reason: str,
        dry_run: bool = False,
        undoes: tuple[str, str] | None = None,
    ) -> Run:
        run = Run(
            id=new_id("run"),
            runbook=content.name,
            title=content.title,
            service=content.service,
            revision=content.revision,
            text=content.text,
            state=State.RUNNING,
            inputs=values,
            dry_run=dry_run,
            about=about,
            started_by=by,
            source=source,
            reason=reason.strip()[:_LONGEST_DETAIL],
            undoes=undoes,
            cancelled_by=None,
            started_at=self.clock.now(),
            finished_at=None,
            steps=tuple(
                RunStep(number=number, step=one, state=State.WAITING, waits_for=WaitsFor.TURN)
                for number, one in enumerate(chosen, start=1)
            ),
        )
        store_runs.add(self.session, run)
        fact = RunStarted(
            **_of(run),
            revision=run.revision,
            steps=tuple(one.key for one in chosen),
            inputs=tuple(values),
            dry_run=dry_run,
            undoes_run=undoes[0] if undoes else None,
            reason=run.reason,
        )
        self.tell(fact, by=by, source=source)
        return self._go_on(run.id, source=source)

    def _go_on(self, run_id: str, *, source: str) -> Run:
        """Give the next step its turn, as long as one ends at once; end the run when there is nothing to go on with."""
        for _ in range(MOST_STEPS + 1):
            run = self.run(run_id, lock=True)
            ended = None if run.is_over else outcome(run.steps, cancelled=run.cancelled_by is not None)
            if ended is not None:
                self._finish(run, ended, source=source)
                return self.run(run_id)
            one = run.current
            if one is None or one.waits_for is not WaitsFor.TURN:
                return run
            self._give_turn(run, one, source=source)
        return self.run(run_id)

    def _give_turn(self, run: Run, one: RunStep, *, source: str) -> None:
        if run.dry_run:
            self._rehearse(run, one, source=source)
            return
        waits_for = first_wait(one.step)
        if waits_for in (WaitsFor.RUNNER, WaitsFor.NOTHING):
            self._release(run, one, source=source)
        else:
            store_runs.save_step(self.session, run.id, one.number, waits_for=waits_for.value)

    def _rehearse(self, run: Run, one: RunStep, *, source: str) -> None:
        """Say what would be done, and do nothing."""
        content = content_of(run.runbook, run.text)
        shown = [f"{part.variable}={run.inputs.get(part.name)}" for part in content.inputs if part.name in run.inputs]
        text = "\n".join([*shown, one.step.body]) if one.step.how is not How.MANUAL else one.step.title
        self.end_step(
            run, one, State.SKIPPED, by=run.started_by, source=source, detail="rehearsed: nothing was done", output=text
        )

    def _release(self, run: Run, one: RunStep, *, source: str) -> None:
        """Everything that was asked for is there: a runner may take it, or Watchkeeper does it now."""
        if one.step.how is How.ACTION:
            self._act(run, one, source=source)
        else:
            store_runs.save_step(self.session, run.id, one.number, waits_for=WaitsFor.RUNNER.value, lease_until=None)

    def _act(self, run: Run, one: RunStep, *, source: str) -> None:
        """In this very transaction: what the action changes and that it was done are true together, or neither is."""
        by = one.confirmed_by or run.started_by
        self.begin_step(run, one, by=by, source=source, runner=None, attempt=1)
        store_runs.save_step(self.session, run.id, one.number, started_at=self.clock.now(), attempts=1)
        try:
            with self.session.begin_nested():
                action = self.actions.find(one.step.action)
                if action is None:
                    raise ActionFailed(f"There is no action {one.step.action!r}.")
                actor = self._actor(by)
                if not actor.may(action.permission):
                    raise Forbidden(f"{actor.name} lacks the scope '{action.permission.scope}'.")
                order = order_of(one.step, run.inputs)
                self._require_fields(action.fields, order)
                two = one.step.confirm is Confirmation.SECOND and one.confirmed_by not in (None, run.started_by)
                why = _reason(run, one)
                asking = Asking(self.session, self.clock, actor, why, run.id, run.service, run.about, two)
                done = action.run(asking, order)
        except Refusal as refusal:
            said = "; ".join([refusal.detail, *(f"{one.where}: expected {one.expected}" for one in refusal.complaints)])
            self.end_step(run, one, State.FAILED, by=by, source=source, detail=said)
        except ValueError as error:
            self.end_step(run, one, State.FAILED, by=by, source=source, detail=f"expected {error}")
        else:
            undo = {"action": done.undo.action, "inputs": dict(done.undo.inputs)} if done.undo else None
            output = done.text if done.href is None else f"{done.text}\n{done.href}"
            self.end_step(run, one, State.SUCCEEDED, by=by, source=source, output=output, undo=undo)

    def _require_fields(self, fields: Mapping[str, str], order: Mapping[str, Any]) -> None:
        known = {name.rstrip("?") for name in fields}
        missing = [name for name in fields if not name.endswith("?") and order.get(name) is None]
        if missing or order.keys() - known:
            unknown = sorted(order.keys() - known)
            complaints = [Complaint(name, fields[name]) for name in missing]
            complaints += [Complaint(name, f"one of {', '.join(sorted(known))}") for name in unknown]
            raise InputsInvalid("The step does not say what its action needs.", complaints=complaints)

    def _finish(self, run: Run, state: State, *, source: str) -> None:
        by = run.cancelled_by or run.started_by
        for one in run.steps:
            if not one.state.is_over:
                why = "the run was stopped" if run.cancelled_by else "a step before it did not end well"
                self.end_step(run, one, State.CANCELLED, by=by, source=source, detail=why)
        store_runs.save_run(self.session, run.id, state=state.value, finished_at=self.clock.now())
        steps = {one.step.key: one.state.value for one in self.run(run.id).steps}
        self.tell(RunFinished(**_of(run), state=state.value, dry_run=run.dry_run, steps=steps), by=by, source=source)

    def _waiting(self, run_id: str, step: str | int, *waits_for: WaitsFor) -> tuple[Run, RunStep]:
        run = self.run(run_id, lock=True)
        one = self._step(run, step)
        if run.is_over or one.state is not State.WAITING or one.waits_for not in waits_for:
            waits = f", and waits for {one.waits_for.replace('_', ' ')}" if one.waits_for else ""
            raise StepIsElsewhere(f"This step is {one.state.replace('_', ' ')}{waits}.")
        return run, one

    def _step(self, run: Run, step: str | int) -> RunStep:
        found = run.step(step)
        if found is None:
            raise StepNotFound(f"This run has no step {step!r}.")
        return found

    def _require(self, by: str) -> Actor:
        actor = self._actor(by)
        if not actor.may(RUN_RUNBOOKS):
            raise Forbidden(f"{actor.name} may not run steps of runbooks.")
        return actor

    def _actor(self, by: str) -> Actor:
        if by.startswith("system:"):
            # Rules that were signed off act by themselves: on steps that were signed off, and ask for no person.
            return Actor(id=by, kind="system", name="Watchkeeper", scopes=frozenset({Scope.WRITE}))
        found = identity.actor_of(self.session, by, self.clock.now())
        if found is None:
            raise Forbidden("Whoever asks for this has no account any more.")
        return found

    def _require_approved(self, held: Runbook) -> None:
        if held.approved is None:
            raise NotApproved(
                f"Nobody signed revision {held.revision[:12]} of {held.name} off: read it, and approve it on its page."
            )


def _reason(run: Run, one: RunStep) -> str:
    words = [f"runbook {run.runbook}, step {one.step.key}"]
    return ": ".join([*words, run.reason] if run.reason else words)[:_LONGEST_DETAIL]


def _of(run: Run) -> dict[str, Any]:
    about = run.about or (None, None)
    return {
        "run": run.id,
        "runbook": run.runbook,
        "service_name": run.service,
        "about_type": about[0],
        "about_id": about[1],
    }
