"""The verbs of recovery: what files say, who lets a rule act, and what follows from alerts, runs and time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.journal import Event, FactFilter
from watchkeeper.modules.alerts.public import Alerting
from watchkeeper.modules.incidents.public import Incidenting
from watchkeeper.modules.recovery import record, store, telling
from watchkeeper.modules.recovery.errors import AttemptNotFound, MayNotAct, NotWaiting
from watchkeeper.modules.recovery.events import (
    AttemptBegun,
    AttemptEnded,
    BreakerOpened,
    BreakerReset,
    HeldBack,
    Rehearsed,
)
from watchkeeper.modules.recovery.looking import symptom_of
from watchkeeper.modules.recovery.model import (
    Attempt,
    AttemptState,
    Breaker,
    Guards,
    Mode,
    Rule,
    Symptom,
    after_look,
    after_steps,
    breaker_after,
    fights,
    given_up,
    is_gone,
    judge,
    matches,
)
from watchkeeper.modules.recovery.rules import SOURCE, SYSTEM, Rules
from watchkeeper.modules.recovery.store import Held
from watchkeeper.modules.runbooks import public as runbooks
from watchkeeper.modules.runbooks.public import Run, Running

_ENVIRONMENT = "environment"
_MOST_TOLD = 1_000
_LONGEST_DETAIL = 500


@dataclass(frozen=True)
class Recovery:
    """Rules and attempts, on one session."""

    session: Session
    clock: Clock
    alerting: Alerting
    incidenting: Incidenting
    running: Running

    @property
    def now(self) -> datetime:
        return self.clock.now()

    @property
    def rules(self) -> Rules:
        """The verbs of rules that concern nobody else."""
        return Rules(self.session, self.clock)

    def rule(self, name: str, *, lock: bool = False) -> Held:
        """Raises RuleNotFound."""
        return self.rules.rule(name, lock=lock)

    def reset(self, name: str, *, reason: str, by: str, source: str) -> Held:
        """Close its circuit breaker: somebody looked at why it failed. Raises RuleNotFound."""
        held = self.rule(name, lock=True)
        if held.breaker.is_open:
            self._keep_breaker(name, Breaker())
            self._tell(BreakerReset(rule=name, reason=reason.strip()), by, source)
            telling.breaker_closed(self.session, self.alerting, name, self.now)
        return self.rule(name)

    def consider(self, group_id: str) -> list[Attempt]:
        """Have every rule that is for this alert act, if it may. Harmless when repeated."""
        if not store.all_rules(self.session):
            return []
        journal.take_turn(self.session)
        symptom = symptom_of(self.session, group_id)
        if symptom is None or not symptom.fires:
            return []
        every = store.all_rules(self.session)
        against = fights([one.rule for one in every])
        able = [one for one in every if matches(one.rule.match, symptom)]
        made = [self._consider(one, symptom, against[one.rule.name]) for one in able]
        return [one for one in made if one is not None]

    def look(self) -> None:
        """What time and others brought: ends of runs, symptoms that went or did not, alerts that wait for a rule."""
        if not store.all_rules(self.session) and not store.going_on(self.session):
            return
        journal.take_turn(self.session)
        for one in store.going_on(self.session):
            self._look(one)
        if store.all_rules(self.session):
            for group_id in telling.open_groups(self.session):
                self.consider(group_id)

    def run_changed(self, run_id: str) -> None:
        """A step or all of a run ended."""
        journal.take_turn(self.session)
        one = store.attempt_of_run(self.session, run_id)
        if one is not None and not one.state.is_over:
            self._look(one)
        for held in store.all_rules(self.session):
            if held.rehearsal_run == run_id:
                self._rehearsal_went_on(held, runbooks.run_of(self.session, run_id))

    def approve(self, attempt_id: str, *, by: str, source: str) -> Attempt:
        """Somebody lets it act: with their permissions. Raises AttemptNotFound, NotWaiting or MayNotAct."""
        one, held = self._waiting(attempt_id)
        symptom = symptom_of(self.session, one.group)
        if is_gone(symptom, held.rule.guards):
            raise MayNotAct("What it was to end is over already.")
        if held.breaker.is_open or not held.armed:
            raise MayNotAct("The rule was disarmed, or failed, since it asked.")
        telling.decided(self.session, self.alerting, one, self.now)
        return self._act(held.rule, replace(one, approved_by=by, due_at=None), by=by, source=source)

    def decline(self, attempt_id: str, *, reason: str, by: str, source: str) -> Attempt:
        """Somebody says no. Raises AttemptNotFound or NotWaiting."""
        one, held = self._waiting(attempt_id)
        detail = f"declined: {reason.strip()}"[:500]
        after = replace(one, state=AttemptState.DECLINED, finished_at=self.now, detail=detail)
        self._settle(held, one, after, by=by, source=source)
        return after

    def rehearse(self, name: str, *, by: str, source: str) -> Run:
        """Go through its steps: for real in the environment of its rehearsals where they take one, else without
        carrying anything out. Raises RuleNotFound and what runs refuse."""
        held = self.rule(name, lock=True)
        rule = held.rule
        found = runbooks.runbook(self.session, rule.runbook)
        inputs = dict(rule.inputs)
        has_place = found is not None and any(one.name == _ENVIRONMENT for one in found.content.inputs)
        if has_place:
            inputs[_ENVIRONMENT] = rule.rehearse_in
        run = self.running.on(self.session, self.clock).start(
            rule.runbook,
            rule.steps,
            inputs,
            by=by,
            source=source,
            about=("recovery_rule", name),
            dry_run=not has_place,
            reason=f"rehearsal of the recovery rule {name}",
        )
        store.save(self.session, name, rehearsal_run=run.id)
        self._rehearsal_went_on(self.rule(name), self._confirmed(run.id, by=by))
        return run

    def rehearse_when_due(self, name: str) -> None:
        """By the schedule of its file; harmless when it was rehearsed meanwhile."""
        held = store.rule(self.session, name, lock=True)
        if held is None or held.rule.rehearse_every is None:
            return
        last = held.rehearsed_at
        if last is None or last + held.rule.rehearse_every <= self.now:
            try:
                with self.session.begin_nested():
                    self.rehearse(name, by=SYSTEM, source=SOURCE)
            except Refusal as refusal:
                self._rehearsed(held, "", "refused", _words(refusal))
        self.rules.order_rehearsal(held.rule, self.now)

    # How a rule acts.

    def _consider(self, held: Held, symptom: Symptom, against: dict[str, str]) -> Attempt | None:
        rule = held.rule
        reach = max(rule.guards.window, rule.guards.cooldown)
        going = store.going_on(self.session)
        if any(one.rule == rule.name and one.group == symptom.group for one in going):
            return None
        verdict = judge(
            rule,
            symptom,
            armed=held.armed,
            breaker=held.breaker,
            own=store.since(self.session, rule.name, self.now - reach),
            going_on=going,
            fighting=against.keys(),
            now=self.now,
        )
        if not verdict.may:
            self._held_back(rule, symptom, verdict.why)
            return None
        one = Attempt(
            id=new_id("rcv"),
            rule=rule.name,
            service=symptom.service or "",
            group=symptom.group,
            state=AttemptState.WAITING_APPROVAL if rule.mode is Mode.APPROVAL else AttemptState.RUNNING,
            mode=rule.mode,
            started_at=self.now,
            due_at=self.now + rule.guards.approval_within if rule.mode is Mode.APPROVAL else None,
        )
        if not store.add_attempt(self.session, one):
            return None
        if rule.mode is Mode.APPROVAL:
            self._begun(rule, one)
            telling.asks(self.session, self.alerting, self.incidenting, rule, one, self.now)
            return one
        return self._act(rule, one, by=SYSTEM, source=SOURCE)

    def _act(self, rule: Rule, one: Attempt, *, by: str, source: str) -> Attempt:
        dry = one.mode is Mode.DRY_RUN
        try:
            with self.session.begin_nested():
                run = self.running.on(self.session, self.clock).start(
                    rule.runbook,
                    rule.steps,
                    rule.inputs,
                    by=by,
                    source=source,
                    about=("alert_group", one.group),
                    dry_run=dry,
                    reason=self._reason(rule),
                )
        except Refusal as refusal:
            after = replace(one, state=AttemptState.FAILED, finished_at=self.now, detail=_words(refusal))
            self._settle(self.rule(rule.name), one, after, by=by, source=source)
            return after
        begun = replace(one, state=AttemptState.RUNNING, run=run.id)
        store.save_attempt(self.session, begun)
        self._begun(rule, begun)
        if dry:
            after = replace(
                begun, state=AttemptState.REHEARSED, finished_at=self.now, detail="dry run: nothing was done"
            )
            self._settle(self.rule(rule.name), begun, after, by=by, source=source)
            return after
        telling.note(
            self.session, self.clock, self.incidenting, begun, f"Recovery rule {rule.name} runs {rule.runbook}."
        )
        return self._look(begun)

    def _look(self, one: Attempt) -> Attempt:
        held = store.rule(self.session, one.rule)
        guards = held.rule.guards if held is not None else Guards()
        after = one
        if one.state is AttemptState.RUNNING and one.run is not None:
            after = self._after_run(one, one.run, guards)
        gone = is_gone(symptom_of(self.session, one.group), guards)
        after = after_look(after, gone=gone, now=self.now)
        if after != one:
            self._settle(held, one, after, by=SYSTEM, source=SOURCE)
        return after

    def _after_run(self, one: Attempt, run_id: str, guards: Guards) -> Attempt:
        run = self._confirmed(run_id, by=one.approved_by or SYSTEM)
        if run is None or run.is_over:
            return after_steps(one, run.state.value if run is not None else "unknown", self.now, guards)
        step = run.current
        if step is None or step.waits_for != "runner" or step.lease_until is not None:
            return one
        since = max([run.started_at, *(each.finished_at for each in run.steps if each.finished_at is not None)])
        if self.now - since < guards.begin_within:
            return one
        self.running.on(self.session, self.clock).cancel(run_id, by=SYSTEM, source=SOURCE)
        return given_up(one, step.step.key, self.now)

    def _confirmed(self, run_id: str, *, by: str) -> Run | None:
        """Confirm what waits for one person's word: whoever armed the rule, or approved the attempt, gave it."""
        runs = self.running.on(self.session, self.clock)
        run = runbooks.run_of(self.session, run_id)
        while run is not None and run.current is not None and run.current.waits_for == "confirmation":
            run = runs.confirm(run_id, run.current.number, by=by, source=SOURCE)
        return run

    def _settle(self, held: Held | None, before: Attempt, after: Attempt, *, by: str, source: str) -> None:
        """Write what became of an attempt, with all that follows."""
        store.save_attempt(self.session, after)
        if before.state is AttemptState.WAITING_APPROVAL:
            telling.decided(self.session, self.alerting, after, self.now)
        if not after.state.is_over:
            return
        lasted = int((self.now - after.started_at).total_seconds())
        fact = AttemptEnded(
            **_about(after), state=after.state.value, detail=after.detail, lasted_seconds=max(0, lasted)
        )
        self._tell(fact, by, source)
        word = after.state.value.replace("_", " ")
        text = f"Recovery rule {after.rule}: {word} ({after.detail})."
        telling.note(self.session, self.clock, self.incidenting, after, text)
        breaker = breaker_after(held.breaker if held is not None else Breaker(), after)
        if held is not None and breaker.is_open and not held.breaker.is_open:
            self._keep_breaker(after.rule, breaker)
            self._tell(BreakerOpened(rule=after.rule, attempt=after.id, reason=breaker.reason), SYSTEM, SOURCE)
            telling.failed(self.session, self.alerting, self.incidenting, after, self.now)

    def _keep_breaker(self, name: str, breaker: Breaker) -> None:
        store.save(self.session, name, breaker_opened_at=breaker.opened_at, breaker_reason=breaker.reason[:500])

    def _begun(self, rule: Rule, one: Attempt) -> None:
        fact = AttemptBegun(
            **_about(one),
            mode=one.mode.value,
            runbook=rule.runbook,
            steps=rule.steps,
            run=one.run,
            approved_by=one.approved_by,
        )
        self._tell(fact, one.approved_by or SYSTEM, SOURCE)

    def _held_back(self, rule: Rule, symptom: Symptom, why: str) -> None:
        """Told once for each reason of an alert, and not again each time that somebody looks."""
        services = (symptom.service,) if symptom.service else ()
        wanted = FactFilter(services=services, kinds=(HeldBack.kind,), subjects=(rule.name,))
        told = journal.read_facts(self.session, wanted, limit=_MOST_TOLD)
        if any((one.data["group"], one.data["why"]) == (symptom.group, why) for one in told):
            return
        said = {"rule": rule.name, "service_name": symptom.service or "", "group": symptom.group}
        self._tell(HeldBack(attempt=symptom.group, why=why, **said), SYSTEM, SOURCE)

    def _reason(self, rule: Rule) -> str:
        """Steps that ask for a confirmation are confirmed by having armed it: a run says who did."""
        who = record.armed_by(self.session, self.rule(rule.name))
        return f"recovery rule {rule.name}" + (f", armed by {who}" if who is not None else "")

    # Rehearsals.

    def _rehearsal_went_on(self, held: Held, run: Run | None) -> None:
        if run is None:
            return
        current = run.current
        if current is not None and current.waits_for == "confirmation":
            run = self._confirmed(run.id, by=run.started_by) or run
        if run.is_over:
            bad = next((one for one in run.steps if one.state == run.state and not one.state.is_good), None)
            detail = f"{bad.step.key}: {bad.detail}" if bad is not None and bad.detail else ""
            self._rehearsed(held, run.id, "dry run" if run.dry_run else run.state.value, detail)

    def _rehearsed(self, held: Held, run: str, state: str, detail: str) -> None:
        columns: dict[str, Any] = {"rehearsed_at": self.now, "rehearsed_state": state, "rehearsal_run": None}
        store.save(self.session, held.rule.name, **columns)
        self._tell(Rehearsed(rule=held.rule.name, run=run, state=state, detail=detail), SYSTEM, SOURCE)

    def _waiting(self, attempt_id: str) -> tuple[Attempt, Held]:
        journal.take_turn(self.session)
        one = store.attempt(self.session, attempt_id, lock=True)
        if one is None:
            raise AttemptNotFound("There is no such attempt.")
        if one.state is not AttemptState.WAITING_APPROVAL:
            raise NotWaiting(f"It is {one.state.value.replace('_', ' ')} already.")
        return one, self.rule(one.rule)

    def _tell(self, fact: Event, by: str, source: str) -> None:
        journal.append(self.session, fact, by=by, source=source, at=self.now)


def _about(one: Attempt) -> dict[str, str]:
    return {"attempt": one.id, "rule": one.rule, "service_name": one.service, "group": one.group}


def _words(refusal: Refusal) -> str:
    """All of it, with what was expected where."""
    said = [refusal.detail, *(f"{one.where}: expected {one.expected}" for one in refusal.complaints)]
    return "; ".join(said)[:_LONGEST_DETAIL]
