"""The synthetic page: a real alert that comes in by the real door every minute, calls nobody, and has to come through.

It is taken in over HTTP by this server itself, written as a group, called by the lane that pages, sent by the lane of
messages over a loopback in place of a provider, marked as sent, resolved and forgotten. What its row says is the
record; it writes no fact, as nothing happened to anybody.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy.orm import Session

from watchkeeper.kernel import work
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.outbound import Answer, DeliveryFailed
from watchkeeper.kernel.work import Recurring, Task
from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.alerts.public import Alerting, GroupState
from watchkeeper.modules.notify import public as notify
from watchkeeper.modules.notify.public import Notification
from watchkeeper.modules.oncall import store as definitions
from watchkeeper.modules.oncall.paging import store, store_probes
from watchkeeper.modules.oncall.paging.calling import ABOUT, BY
from watchkeeper.modules.oncall.paging.model import Page, Probe
from watchkeeper.modules.oncall.policy import Policy
from watchkeeper.modules.oncall.settings import OncallSettings

INTAKE = "/v2/enqueue"
# After so long all work of a synthetic page has been done, its timers included.
_REMAINS = timedelta(minutes=5)


class Knock(Protocol):
    """How this server is asked from its outside; raises DeliveryFailed when there is no answer."""

    def __call__(self, path: str, body: bytes) -> Answer:
        """POST to a path of its own."""
        ...


@dataclass(frozen=True)
class Prober:
    """The recurring work that sends one. Of several replicas whichever has its lease probes its own door."""

    db: Database
    clock: Clock
    settings: OncallSettings
    alerting: Alerting
    routing_key: str
    knock: Knock

    def recurring(self) -> Recurring:
        """Once a minute, unless something else is set."""
        return Recurring("oncall.probe", timedelta(seconds=self.settings.probe_seconds), self)

    def act(self, task: Task) -> tuple[str, str] | None:  # noqa: ARG002
        """Its id, and why the intake did not take it ('' when it did); None when it is not the time for one."""
        with self.db.begin() as session:
            probe = self._begin(session)
        if probe is None:
            return None
        try:
            answer = self.knock(INTAKE, _event(self.routing_key, probe.id))
        except DeliveryFailed as error:
            return probe.id, f"the intake does not answer: {error}"
        return probe.id, "" if answer.status == 202 else f"the intake answered {answer.status}: {_said(answer)}"

    def finish(self, session: Session, task: Task, result: tuple[str, str] | None) -> None:  # noqa: ARG002
        if result is not None and result[1]:
            store_probes.change(session, result[0], failure=result[1][:200])

    def _begin(self, session: Session) -> Probe | None:
        """The intent is written first. One at a time: an older one that is late has failed."""
        if not self.settings.heartbeat_url and not definitions.all_of(session, Policy):
            return None  # nobody pages here yet
        now = self.clock.now()
        last = next(iter(store_probes.latest(session, limit=1)), None)
        if last is not None and last.sent_at is None and not last.failure:
            if now - last.begun_at < timedelta(seconds=self.settings.late_seconds):
                return None
            self._give_up(session, last, now)
        self._forget_remains(session, now)
        made = Probe(id=new_id("prb"), begun_at=now)
        store_probes.add(session, made)
        return made

    def _give_up(self, session: Session, late: Probe, now: datetime) -> None:
        seen = seen_of(session, late)
        store_probes.change(session, late.id, failure=seen.stays_at)
        group = alerts.synthetic_group(session, late.id)
        if group is not None and group.is_open:
            self.alerting.resolve(session, group.id, by=BY, at=now, source="worker", reason="it took too long")

    def _forget_remains(self, session: Session, now: datetime) -> None:
        before = now - _REMAINS
        ids = alerts.forget_synthetic(session, before=before)
        store.forget_groups(session, ids)
        messages = notify.forget_about(session, ABOUT, ids)
        keys = [f"{kind}:{one}:" for one in ids for kind in ("oncall.changed", "oncall.step")]
        keys += [f"notify:{one}:" for one in messages]
        # By the database's clock, as work is; words to the outside come as often.
        work.forget_done(session, [*keys, "oncall.heartbeat:"], before=self.db.database_now(session) - _REMAINS)


def came_through(
    session: Session, alerting: Alerting, group: GroupState, page: Page, sent: Notification, at: datetime
) -> None:
    """It was sent: write what each stage took, in the transaction that marks it so, and have it be over."""
    tries = notify.attempts_of(session, [sent])[sent.id]
    leased_at = tries[-1].begun_at if tries else at
    store_probes.change(
        session, group.key, accepted_at=group.opened_at, called_at=page.called_at, leased_at=leased_at, sent_at=at
    )
    if group.is_open:
        alerting.resolve(session, group.id, by=BY, at=at, source="worker", reason="it came through")


def seen_of(session: Session, probe: Probe) -> Probe:
    """A synthetic page that has not come through, with how far it is."""
    group = alerts.synthetic_group(session, probe.id)
    pages = store.pages_of(session, group.id) if group is not None else []
    return Probe(
        id=probe.id,
        begun_at=probe.begun_at,
        accepted_at=group.opened_at if group is not None else None,
        called_at=pages[0].called_at if pages else None,
        failure=probe.failure,
    )


def _event(routing_key: str, probe_id: str) -> bytes:
    """As PagerDuty's Events API has it. Its class keeps it out of every other group."""
    payload = {"summary": "Synthetic page", "source": "watchkeeper", "severity": "critical", "class": probe_id}
    event = {"routing_key": routing_key, "event_action": "trigger", "dedup_key": probe_id, "payload": payload}
    return json.dumps(event).encode()


def _said(answer: Answer) -> str:
    """The words of a refusal; they hold no key."""
    try:
        found = json.loads(answer.body)["errors"][0]
    except (ValueError, KeyError, IndexError, TypeError):
        return "nothing that an intake says"
    return str(found)[:100]
