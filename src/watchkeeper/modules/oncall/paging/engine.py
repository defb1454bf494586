"""The engine: what a change of a group, a due step or a lost person means for the calls. Everything is due work.

Each verb looks at what is so now, never at what was so when its work was ordered: work that comes twice, late or out of
order is harmless. A run's generation ends what was ordered before somebody acknowledged, or anything else paused it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import work
from watchkeeper.kernel.clock import Clock, rfc3339
from watchkeeper.kernel.work import Task, Transactional
from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.alerts.public import Alerting, GroupState
from watchkeeper.modules.notify import public as notify
from watchkeeper.modules.notify.public import Order
from watchkeeper.modules.oncall import reading
from watchkeeper.modules.oncall import store as definitions
from watchkeeper.modules.oncall.escalation import Staff
from watchkeeper.modules.oncall.paging import store
from watchkeeper.modules.oncall.paging.calling import ABOUT, BY, message_of, page_of, place, tell
from watchkeeper.modules.oncall.paging.events import CallsBegun, CallsExhausted, CallsPaused, PersonMissed, StepSkipped
from watchkeeper.modules.oncall.paging.flow import (
    LOOK_AGAIN,
    PAST_ALL,
    Move,
    acknowledgement_ends,
    attempts,
    begun,
    first_turn,
    is_due,
    last_resort,
    late_calls,
    late_dues,
    move,
    stopped,
    why_quiet,
)
from watchkeeper.modules.oncall.paging.model import Call, Page, Run, RunState, Turn, following
from watchkeeper.modules.oncall.policy import Policy
from watchkeeper.modules.oncall.service import staff_of
from watchkeeper.modules.oncall.words import span_of

CHANGED, STEP, LATE_STEP, ACK_OVER = "oncall.changed", "oncall.step", "oncall.late", "oncall.ack_over"


@dataclass(frozen=True)
class Engine:
    """The handlers of the lane `paging`."""

    clock: Clock
    alerting: Alerting
    base_url: str

    def handlers(self) -> Mapping[str, Any]:
        """By kind of work."""
        verbs = {CHANGED: self._changed, STEP: self._step, LATE_STEP: self._late, ACK_OVER: self._ack_over}
        return {kind: Transactional(verb) for kind, verb in verbs.items()}

    def look(self, session: Session, group_id: str) -> None:
        """Have the calls for a group be what they have to be now."""
        group = alerts.group(session, group_id)
        if group is None:
            return
        now = self.clock.now()
        run = store.run(session, group_id, lock=True)
        quiet = why_quiet_now(group, now)
        wanted = move(
            run,
            is_open=group.is_open,
            quiet=quiet,
            severity=group.severity.value,
            policy=lambda: self._policy(session, group),
        )
        if wanted is Move.BEGIN:
            self._begin(session, run, group, now)
        elif wanted is Move.PAUSE and run is not None and quiet is not None:
            self._pause(session, run, group, quiet, now)
        elif wanted is Move.END and run is not None:
            self._end(session, run, group, now)
        if group.is_open:
            # Also of one that somebody took over from somebody else, or that was quiet before.
            self._watch_acknowledgement(session, group)

    def _changed(self, session: Session, task: Task) -> None:
        self.look(session, str(task.payload["group"]))

    def _begin(self, session: Session, before: Run | None, group: GroupState, now: datetime) -> None:
        policy = self._policy(session, group)
        run = begun(before, group.id, policy=policy, severity=group.severity.value, opened_at=group.opened_at, at=now)
        if group.is_synthetic:
            run = replace(run, round=-1)
        store.put_run(session, run)
        self._end_pages(session, group, now, "called anew")
        if group.is_synthetic:
            # Its step is due work as that of an acknowledgement that ran out is: the lane has to come to it.
            self._order(session, run, Turn(), now)
            return
        tell(
            session,
            CallsBegun(group=group.id, service_name=group.service, policy=run.policy, generation=run.generation),
            now,
        )
        # The first step stands or falls with the run.
        first = first_turn(policy, run.severity, escalated=alerts.escalated(session, group))
        self._call(session, run, group, policy, first, now)
        for number, due_at in late_dues(policy, run) if policy is not None else ():
            work.enqueue(
                session,
                kind=LATE_STEP,
                key=f"{LATE_STEP}:{group.id}:{rfc3339(run.opened_at)}:{number}",
                due_at=due_at,
                payload={"group": group.id, "opened_at": rfc3339(run.opened_at), "number": number},
            )

    def _pause(self, session: Session, run: Run, group: GroupState, because: str, now: datetime) -> None:
        store.put_run(session, stopped(run, RunState.PAUSED, now))
        others = self._end_pages(session, group, now, because, only="acknowledged")
        tell(session, CallsPaused(group=group.id, service_name=group.service, because=because), now)
        if group.status == "acknowledged":
            self._update(session, group, others, "Somebody has it", now)

    def _end(self, session: Session, run: Run, group: GroupState, now: datetime) -> None:
        store.put_run(session, stopped(run, RunState.OVER, now))
        self._end_pages(session, group, now, "resolved")
        notify.drop(session, ABOUT, group.id, at=now, reason="resolved")
        if not group.is_synthetic:
            told = [one for one in store.pages_of(session, group.id) if one.messages]
            self._update(session, group, told, "Resolved", now)

    def _step(self, session: Session, task: Task) -> None:
        said = task.payload
        run = store.run(session, str(said["group"]), lock=True)
        group = alerts.group(session, str(said["group"]))
        now = self.clock.now()
        turn = Turn(int(said["round"]), int(said["number"]))
        # A lost person's step is gone on from once: what waits for it later finds that the run has moved on.
        if run is None or group is None or not is_due(run, said["generation"], turn):
            return
        if not group.is_open or why_quiet_now(group, now) is not None:
            self.look(session, group.id)
            return
        self._call(session, run, group, self._policy(session, group), turn, now)

    def _call(
        self, session: Session, run: Run, group: GroupState, policy: Policy | None, turn: Turn | None, now: datetime
    ) -> None:
        """Call a step; one that reaches nobody is not waited for, and the one after it is called."""
        if group.is_synthetic:
            call = Call(Turn(), "acknowledged", (), (notify.LOOPBACK.name,), {})
            place(session, run, group, call, self.base_url, now)
            store.put_run(session, replace(run, round=0, next_at=None, updated_at=now))
            return
        staff = staff_of(session)
        if policy is None:
            everyone = staff.everyone()
            self._last_resort(session, run, group, staff, everyone or staff.last_resort(), "there is no policy", now)
            return
        rosters = definitions.rosters(session, since=now, until=now)
        for one in attempts(policy, run.severity, turn, rosters, staff, now):
            if place(session, run, group, one.call, self.base_url, now):
                turn = one.call.turn
                moved = replace(run, round=turn.round, number=turn.number, next_at=one.due_at, updated_at=now)
                store.put_run(session, moved)
                self._order(session, run, one.then, one.due_at)
                return
            self._skipped(session, group, policy, one.call.turn, bool(one.call.people), now)
        # A whole round in which nobody was reached, or all rounds: going on would change nothing.
        tell(session, CallsExhausted(group=group.id, service_name=group.service, policy=policy.name), now)
        self._last_resort(session, run, group, staff, staff.last_resort(), "every step was called", now)

    def _skipped(
        self, session: Session, group: GroupState, policy: Policy, turn: Turn, has_people: bool, now: datetime
    ) -> None:
        why = "there is no way to anybody it calls" if has_people else "nobody is there to be called"
        fact = StepSkipped(
            group=group.id, service_name=group.service, policy=policy.name, step=turn.number + 1, why=why
        )
        tell(session, fact, now)

    def _last_resort(
        self,
        session: Session,
        run: Run,
        group: GroupState,
        staff: Staff,
        people: tuple[str, ...],
        why: str,
        now: datetime,
    ) -> None:
        for call in last_resort(staff, people, why):
            if place(session, run, group, call, self.base_url, now):
                break
        store.put_run(session, replace(run, round=PAST_ALL, number=0, next_at=None, updated_at=now))

    def _order(self, session: Session, run: Run, turn: Turn, due_at: datetime) -> None:
        payload = {
            "group": run.group_id,
            "generation": run.generation,
            "round": turn.round,
            "number": turn.number,
        }
        key = f"{STEP}:{run.group_id}:{run.generation}:{turn.round}:{turn.number}"
        work.enqueue(session, kind=STEP, key=key, due_at=due_at, payload=payload)

    def wait_for(self, session: Session, run: Run, group: GroupState, now: datetime) -> None:
        """Begin the policy unless whoever was called by hand takes it in time."""
        policy = self._policy(session, group)
        steps = policy.steps_for(run.severity) if policy is not None else ()
        due = now + (span_of(steps[0].wait) if steps else LOOK_AGAIN)
        store.put_run(session, replace(run, next_at=due))
        self._order(session, run, Turn(), due)

    def lost(self, session: Session, page_id: str, now: datetime) -> None:
        """Every way to a person failed. When that is so of everybody of the step, the next one is called at once."""
        page = store.page(session, page_id)
        group = alerts.group(session, page.group_id) if page is not None else None
        if page is None or group is None or page.person_id is None:
            return
        run = store.run(session, page.group_id, lock=True)
        store.set_missed(session, page_id, now)
        fact = PersonMissed(group=group.id, service_name=group.service, page=page_id, person=page.person_id)
        tell(session, fact, now)
        turn = Turn(page.round, page.number)
        if run is None or run.generation != page.generation or run.state is not RunState.CALLING or turn.round < 0:
            return
        if any(
            one.messages and one.missed_at is None and one.id != page_id for one in self._of_step(session, run, turn)
        ):
            return
        policy = self._policy(session, group)
        if policy is not None and (run.round, run.number) == (turn.round, turn.number):
            self._call(session, run, group, policy, following(policy, run.severity, turn), now)

    def _of_step(self, session: Session, run: Run, turn: Turn) -> list[Page]:
        return store.of_step(session, run.group_id, run.generation, turn)

    def _late(self, session: Session, task: Task) -> None:
        """It is not resolved so long after it began: others are called besides, whoever acknowledged it."""
        said = task.payload
        run = store.run(session, str(said["group"]), lock=True)
        group = alerts.group(session, str(said["group"]))
        if run is None or group is None or not group.is_open or rfc3339(run.opened_at) != said["opened_at"]:
            return
        policy, now = self._policy(session, group), self.clock.now()
        if group.suppressed is not None:
            again = {**said, "looked_at": rfc3339(now)}
            work.enqueue(session, kind=LATE_STEP, key=f"{task.id}:again", due_at=now + LOOK_AGAIN, payload=again)
            return
        rosters, staff = definitions.rosters(session, since=now, until=now), staff_of(session)
        for call in late_calls(policy, group.severity.value, int(said["number"]), rosters, staff, now):
            if place(session, run, group, call, self.base_url, now):
                break

    def _watch_acknowledgement(self, session: Session, group: GroupState) -> None:
        if group.status != "acknowledged" or group.acknowledged_at is None:
            return
        ends = acknowledgement_ends(self._policy(session, group), group.acknowledged_at, group.acknowledged_until)
        if ends is not None:
            work.enqueue(
                session,
                kind=ACK_OVER,
                key=f"{ACK_OVER}:{group.id}:{rfc3339(group.acknowledged_at)}",
                due_at=ends,
                payload={"group": group.id, "acknowledged_at": rfc3339(group.acknowledged_at)},
            )

    def _ack_over(self, session: Session, task: Task) -> None:
        group = alerts.group(session, str(task.payload["group"]))
        if group is None or group.status != "acknowledged" or group.acknowledged_at is None:
            return
        if rfc3339(group.acknowledged_at) == task.payload["acknowledged_at"]:
            reason = "acknowledged, and not resolved in time"
            self.alerting.unacknowledge(session, group.id, by=BY, at=self.clock.now(), source="worker", reason=reason)

    def _end_pages(
        self, session: Session, group: GroupState, now: datetime, because: str, *, only: str | None = None
    ) -> list[Page]:
        found = [one for one in store.pages_of(session, group.id, open_only=True) if only is None or one.until == only]
        store.end_pages(session, [one.id for one in found], at=now, because=because)
        return found

    def _update(self, session: Session, group: GroupState, pages: list[Page], text: str, now: datetime) -> None:
        """Tell those who were called what became of it; without hurry, and never whoever did it."""
        people = {one.person_id for one in pages if one.person_id is not None and one.messages}
        people -= {group.acknowledged_by if group.is_open else group.resolved_by}
        step = f"{text}:{group.version}"
        for person in sorted(one for one in people if one is not None):
            notify.notify(session, self._update_order(group, f"{step}:{person}", text), person, at=now)
        for channel in sorted({one.channel for one in pages if one.channel is not None}):
            notify.notify_channel(session, self._update_order(group, f"{step}:{channel}", text), channel, at=now)

    def _update_order(self, group: GroupState, step: str, text: str) -> Order:
        return Order(
            call=f"update:{group.id}:{step}"[:160],
            about_type=ABOUT,
            about_id=group.id,
            urgency="low",
            kind="update",
            message=message_of(group, text, self.base_url),
            service=group.service,
        )

    def _policy(self, session: Session, group: GroupState) -> Policy | None:
        if group.is_synthetic:
            return None
        return reading.policy_of(session, named=group.policy, service=group.service)


@dataclass(frozen=True)
class Watcher:
    """A GroupWatcher: the intent to call is written in the transaction that changed the group."""

    def changed(self, session: Session, group: GroupState, what: str, at: datetime) -> None:  # noqa: ARG002
        work.enqueue(
            session,
            kind=CHANGED,
            key=f"{CHANGED}:{group.id}:{group.version}",
            due_at=at,
            payload={"group": group.id},
        )


def why_quiet_now(group: GroupState, now: datetime) -> str | None:
    """Why nobody is to be called for a group at an instant."""
    return why_quiet(
        acknowledged=group.status == "acknowledged",
        suppressed=group.suppressed.value if group.suppressed is not None else None,
        snoozed=group.snoozed_until is not None and group.snoozed_until > now,
    )


def page_id_of(call: str) -> str | None:
    """The page that a message belongs to; None for updates."""
    return page_of(call) if call.startswith("page:") else None
