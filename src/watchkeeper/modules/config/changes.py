"""Changes of values: proposed, approved by somebody else where that is asked for, made at once or later, undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal, work
from watchkeeper.kernel.clock import Clock, rfc3339
from watchkeeper.kernel.errors import Complaint, Refusal
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.journal import Event
from watchkeeper.modules.config import store, store_changes
from watchkeeper.modules.config.checks import Check
from watchkeeper.modules.config.errors import (
    CannotBeReverted,
    ChangeInvalid,
    ChangeIsDecided,
    ChangeNotFound,
    ContentDiffers,
    NothingChanges,
    OwnChange,
)
from watchkeeper.modules.config.events import (
    ChangeApproved,
    ChangeCancelled,
    ChangeProposed,
    ChangeRejected,
    ChangeScheduled,
    OfChange,
    ParameterChanged,
    ScheduledChangeFailed,
)
from watchkeeper.modules.config.model import (
    OPEN_STATES,
    VALUE,
    ChangeSet,
    ChangeState,
    Environment,
    Operation,
    Setting,
    Step,
    content_hash,
    differences,
    is_kill,
    shown,
)
from watchkeeper.modules.config.service import Config

APPLY = "config.apply"
MOST_OPERATIONS = 500
LATEST = timedelta(days=366)


@dataclass(frozen=True)
class Changes:
    """The verbs of changes, on one session."""

    session: Session
    clock: Clock

    def change(self, change_id: str, *, lock: bool = False) -> ChangeSet:
        """Raises ChangeNotFound."""
        found = store_changes.by_id(self.session, change_id, lock=lock)
        if found is None:
            raise ChangeNotFound("There is no such change.")
        return found

    def propose(
        self,
        environment: str,
        operations: Sequence[Operation],
        *,
        reason: str,
        by: str,
        source: str,
        due_at: datetime | None = None,
        reverts: str | None = None,
        approved: bool = False,
    ) -> ChangeSet:
        """Make a change at once, put it on the calendar, or have it wait for approval: its `state` says which.

        All operations are made together or none is. Raises EnvironmentNotFound; ChangeInvalid with what is wrong with
        each operation; ChangedMeanwhile where a slot is not of the expected version; NothingChanges. `approved` is for
        files that were reviewed where they are kept.
        """
        where = Config(self.session, self.clock).environment(environment, lock=True)
        self._require_sound(operations, reason, due_at)
        check = Check(self.session, where)
        steps = check.steps(operations)
        now = self.clock.now()
        change = ChangeSet(
            id=new_id("chg"),
            environment=environment,
            state=ChangeState.APPLIED,
            steps=tuple(steps),
            reason=reason,
            content_hash=content_hash(environment, steps, due_at),
            due_at=due_at,
            proposed_by=by,
            proposed_at=now,
            source=source,
            reverts=reverts,
        )
        if not approved and self._needs_approval(where, check, steps):
            change = replace(change, state=ChangeState.WAITING_APPROVAL)
        elif due_at is not None:
            change = replace(change, state=ChangeState.SCHEDULED)
        else:
            change = replace(change, decided_at=now)
        store_changes.add(self.session, change)
        self._begin(change, where, check, by=by, source=source)
        return change

    def _begin(self, change: ChangeSet, where: Environment, check: Check, *, by: str, source: str) -> None:
        if change.state is ChangeState.WAITING_APPROVAL:
            self._tell(_about(change, ChangeProposed, check, content_hash=change.content_hash), by, source)
        elif change.state is ChangeState.SCHEDULED:
            self._schedule(change, check, by=by, source=source)
        else:
            self._make(change, where, check, by=by, source=source)

    def switch(self, environment: str, key: str, *, on: bool) -> Operation:
        """What kills a flag, or lets its rules decide again: they are kept as they are by now, whoever changes them at
        once. Raises EnvironmentNotFound, ParameterNotFound or ChangeInvalid for what is no flag."""
        config = Config(self.session, self.clock)
        config.environment(environment, lock=True)
        if config.parameter(key).definition.type != "flag":
            complaint = Complaint("key", "a flag: only flags can be switched off")
            raise ChangeInvalid("The change is not valid; nothing was changed.", complaints=[complaint])
        held = store.held(self.session, environment, [key]).setting(key, VALUE)
        state = {**(held.value if held is not None else {}), "enabled": on}
        return Operation(key, VALUE, state, held.version if held is not None else 0)

    def approve(self, change_id: str, *, seen: str, by: str, source: str) -> ChangeSet:
        """Let a change that waits be made. `seen` is the content's hash that the approver looked at.

        Raises ChangeIsDecided, OwnChange, ContentDiffers, ChangedMeanwhile where what it replaces is not there any
        more, or ChangeInvalid where it does not fit today's bounds.
        """
        change = self.change(change_id)
        where = Config(self.session, self.clock).environment(change.environment, lock=True)
        change = self._open(change_id, ChangeState.WAITING_APPROVAL)
        if change.proposed_by == by:
            raise OwnChange("Who proposed a change does not approve it; ask somebody else.")
        if seen != change.content_hash:
            raise ContentDiffers("What you approve is not what this change says. Look at it again.")
        now = self.clock.now()
        if change.due_at is not None and change.due_at <= now:
            raise ChangeInvalid("Its time has passed; propose it again.")
        check = Check(self.session, where)
        operations = [Operation(one.key, one.slot, one.after, one.version) for one in change.steps]
        check.steps(operations)
        approved = _about(change, ChangeApproved, check, content_hash=change.content_hash)
        self._tell(approved, by, source)
        if change.due_at is None:
            store_changes.decide(self.session, change_id, ChangeState.APPLIED, by=by, at=now)
            self._make(change, where, check, by=change.proposed_by, source=change.source)
        else:
            store_changes.decide(self.session, change_id, ChangeState.SCHEDULED, by=by, at=now)
            self._schedule(change, check, by=by, source=source)
        return self.change(change_id)

    def reject(self, change_id: str, *, reason: str, by: str, source: str) -> ChangeSet:
        """Say no to a change that waits for approval. Raises ChangeIsDecided."""
        change = self._open(change_id, ChangeState.WAITING_APPROVAL)
        store_changes.decide(self.session, change_id, ChangeState.REJECTED, by=by, at=self.clock.now(), note=reason)
        self._tell(_about(change, ChangeRejected, self._check(change), reason=reason), by, source)
        return self.change(change_id)

    def cancel(self, change_id: str, *, reason: str, by: str, source: str) -> ChangeSet:
        """Take back a change that was not made yet. Raises ChangeIsDecided."""
        change = self._open(change_id, *OPEN_STATES)
        scheduled = change.state is ChangeState.SCHEDULED
        store_changes.decide(self.session, change_id, ChangeState.CANCELLED, by=by, at=self.clock.now(), note=reason)
        if scheduled:
            # Clients carry what is scheduled, and have to learn that it is not any more.
            store.move_on(self.session, change.environment, at=self.clock.now())
        self._tell(_about(change, ChangeCancelled, self._check(change), reason=reason), by, source)
        return self.change(change_id)

    def revert(self, change_id: str, *, reason: str, by: str, source: str) -> ChangeSet:
        """Set back what a change set, if it still holds; checked against today's bounds like any other change.

        Raises CannotBeReverted with what was changed since, or whatever `propose` raises.
        """
        change = self.change(change_id)
        if change.state in OPEN_STATES:
            return self.cancel(change_id, reason=reason, by=by, source=source)
        if change.state is not ChangeState.APPLIED:
            raise CannotBeReverted("This change was never made.")
        Config(self.session, self.clock).environment(change.environment, lock=True)
        undone = store_changes.revert_of(self.session, change_id)
        if undone is not None:
            raise CannotBeReverted(f"It was undone already, by {undone.id}.")
        held = store.held(self.session, change.environment, change.keys)
        operations = []
        for step in change.steps:
            now = held.setting(step.key, step.slot)
            if (now.wire() if now is not None else None) != step.after:
                raise CannotBeReverted(f"{step.key} was changed again since; look at its history and set it by hand.")
            operations.append(replace(step.inverse(), expected_version=now.version if now is not None else 0))
        return self.propose(change.environment, operations, reason=reason, by=by, source=source, reverts=change_id)

    def promote(
        self, source_name: str, target: str, keys: Sequence[str] | None, *, reason: str, by: str, source: str
    ) -> ChangeSet:
        """Give an environment the values and segment overrides of another: of these keys, or of all that differ.

        Raises EnvironmentNotFound, NothingChanges or whatever `propose` raises.
        """
        config = Config(self.session, self.clock)
        config.environment(source_name)
        config.environment(target, lock=True)
        here, there = store.held(self.session, source_name), store.held(self.session, target)
        wanted = None if keys is None else {config.parameter(key).key for key in keys}
        operations = []
        for one in differences(here.settings, there.settings):
            if wanted is None or one.key in wanted:
                now = there.setting(one.key, one.slot)
                operations.append(Operation(one.key, one.slot, one.source, now.version if now is not None else 0))
        if not operations:
            raise NothingChanges(f"{target} has what {source_name} has.")
        return self.propose(target, operations, reason=reason, by=by, source=source)

    def apply_due(self, change_id: str) -> None:
        """Make a scheduled change whose time has come; harmless when repeated.

        It sets what it says, whatever is there by now. One that does not fit any more is marked as failed, with why.
        """
        change = store_changes.by_id(self.session, change_id)
        if change is None:
            return
        where = Config(self.session, self.clock).environment(change.environment, lock=True)
        change = self.change(change_id, lock=True)
        if change.state is not ChangeState.SCHEDULED:
            return
        now = self.clock.now()
        check = Check(self.session, where)
        try:
            steps = check.steps([Operation(one.key, one.slot, one.after) for one in change.steps])
        except NothingChanges:
            steps = []
        except Refusal as refusal:
            store_changes.decide(self.session, change_id, ChangeState.FAILED, by=None, at=now, note=refusal.detail)
            store.move_on(self.session, change.environment, at=now)
            self._tell(_about(change, ScheduledChangeFailed, check, reason=refusal.detail), "system:config", "worker")
            return
        made = replace(change, steps=tuple(steps))
        store_changes.decide(self.session, change_id, ChangeState.APPLIED, by=None, at=now, steps=steps)
        self._make(made, where, check, by=change.proposed_by, source="worker")

    def _needs_approval(self, where: Environment, check: Check, steps: Sequence[Step]) -> bool:
        definitions = [check.parameters[step.key].definition for step in steps]
        if all(is_kill(definition, step) for definition, step in zip(definitions, steps, strict=True)):
            return False
        return where.needs_approval or any(one.needs_approval for one in definitions)

    def _make(self, change: ChangeSet, where: Environment, check: Check, *, by: str, source: str) -> None:
        """Write every step and its fact, as one version of the environment."""
        now = self.clock.now()
        version = store.move_on(self.session, where.name, at=now)
        for step in change.steps:
            if step.after is None:
                store.empty_slot(self.session, where.name, step.key, step.slot)
            else:
                of_segment = step.slot.startswith("segment:")
                value, priority = (step.after["value"], step.after["priority"]) if of_segment else (step.after, 0)
                setting = Setting(step.key, step.slot, value, priority, version, now, by, change.id)
                store.put_setting(self.session, where.name, setting)
            self._tell(_changed(change, step, check), by, source)

    def _schedule(self, change: ChangeSet, check: Check, *, by: str, source: str) -> None:
        assert change.due_at is not None  # noqa: S101 (scheduled)
        payload = {"change_id": change.id}
        work.enqueue(self.session, kind=APPLY, key=f"{APPLY}:{change.id}", due_at=change.due_at, payload=payload)
        store.move_on(self.session, change.environment, at=self.clock.now())
        self._tell(_about(change, ChangeScheduled, check, due_at=rfc3339(change.due_at)), by, source)

    def _open(self, change_id: str, *states: ChangeState) -> ChangeSet:
        change = self.change(change_id, lock=True)
        if change.state not in states:
            raise ChangeIsDecided(f"This change is {change.state.replace('_', ' ')} already.")
        return change

    def _check(self, change: ChangeSet) -> Check:
        where = Config(self.session, self.clock).environment(change.environment)
        return Check(self.session, where, change.keys)

    def _require_sound(self, operations: Sequence[Operation], reason: str, due_at: datetime | None) -> None:
        complaints = []
        if not reason.strip() or len(reason) > 500:
            complaints.append(Complaint("reason", "why, in 1 to 500 characters; it is kept on the timeline"))
        if not 0 < len(operations) <= MOST_OPERATIONS:
            complaints.append(Complaint("operations", f"1 to {MOST_OPERATIONS} operations"))
        if due_at is not None and not self.clock.now() < due_at <= self.clock.now() + LATEST:
            complaints.append(Complaint("at", "an instant in the future, at most a year ahead"))
        if complaints:
            raise ChangeInvalid("The change is not valid; nothing was changed.", complaints=complaints)

    def _tell(self, event: Event, by: str, source: str) -> None:
        journal.append(self.session, event, by=by, source=source, at=self.clock.now())


def _about(change: ChangeSet, kind: type[OfChange], check: Check, **fields: Any) -> Event:
    said: dict[str, Any] = {"reason": change.reason, **fields}
    services = check.services(change.keys)
    return kind(
        change_id=change.id,
        environment=change.environment,
        keys=change.keys,
        service_name=services[0] if services else None,
        **said,
    )


def _changed(change: ChangeSet, step: Step, check: Check) -> ParameterChanged:
    definition = check.parameters[step.key].definition
    old, new = shown(definition, step.before), shown(definition, step.after)
    return ParameterChanged(
        key=step.key,
        service_name=definition.service,
        environment=change.environment,
        slot=step.slot,
        before={step.key: step.before},
        after={step.key: step.after},
        summary=f"{old} → {new}",
        reason=change.reason,
        change_id=change.id,
        reverts=change.reverts,
        default=definition.default if step.slot == "value" else None,
        services=tuple(dict.fromkeys([*([definition.service] if definition.service else []), *definition.used_by])),
    )
