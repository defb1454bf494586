"""The verbs of heartbeats: what has to be heard of regularly, and what happens when it is not."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.journal import Event
from watchkeeper.modules.alerts import store_heartbeats as store
from watchkeeper.modules.alerts import timing
from watchkeeper.modules.alerts.beats import (
    Beat,
    BeatState,
    Heartbeat,
    PingKind,
    Plan,
    after_ping,
    at_time,
    next_edge,
    with_edges,
)
from watchkeeper.modules.alerts.errors import HeartbeatExists, HeartbeatInvalid, HeartbeatNotFound
from watchkeeper.modules.alerts.events_noise import HeartbeatPut, HeartbeatRemoved, HeartbeatStateChanged
from watchkeeper.modules.alerts.from_files import FromFiles
from watchkeeper.modules.alerts.integrations import NAME
from watchkeeper.modules.alerts.model import Severity
from watchkeeper.modules.alerts.public import Alerting, OwnAlert
from watchkeeper.modules.alerts.store_heartbeats import Ping

SYSTEM = "system:heartbeats"
_TRIMMED_EVERY = 20


@dataclass(frozen=True, kw_only=True)
class Order:
    """What people say of a heartbeat."""

    name: str
    plan: Plan
    description: str = ""
    service: str | None = None
    environment: str | None = None
    policy: str | None = None
    severity: Severity = Severity.ERROR


@dataclass(frozen=True)
class Heartbeats:
    """Heartbeats, on one session."""

    session: Session
    clock: Clock
    alerting: Alerting

    def get(self, name: str) -> Heartbeat:
        """By id or name. Raises HeartbeatNotFound."""
        found = store.by_name(self.session, name)
        if found is None:
            raise HeartbeatNotFound(f"There is no heartbeat {name!r}.")
        return found

    def describe(self, order: Order, said: Mapping[str, Any], *, by: str) -> Heartbeat:
        """Have it be as files say; `said` are their words, but for the name."""
        files = FromFiles(said)
        if store.by_name(self.session, order.name) is None:
            return self.add(order, by=by, source="ops", files=files)
        return self.change(order.name, order, by=by, source="ops", files=files)

    def add(self, order: Order, *, by: str, source: str, files: FromFiles | None = None) -> Heartbeat:
        """A new one: nothing is expected of it before its first ping. Raises HeartbeatExists or HeartbeatInvalid."""
        require_sound(order)
        if store.by_name(self.session, order.name) is not None:
            raise HeartbeatExists(f"There is a heartbeat {order.name!r} already.")
        now = self.clock.now()
        made = Heartbeat(
            id=new_id("hbt"),
            ping_key=str(uuid.uuid4()),
            beat=Beat(),
            ping_count=0,
            version=1,
            created_at=now,
            created_by=by,
            updated_at=now,
            files=files,
            **vars(order),
        )
        store.add(self.session, made)
        self._tell(_put(made, None, store.content_of(made)), by, source)
        return made

    def change(self, name: str, order: Order, *, by: str, source: str, files: FromFiles | None = None) -> Heartbeat:
        """What is said of it; its address and its state stay. `files`: they say so from now on."""
        require_sound(order)
        held = self._locked(name)
        if order.name != held.name and store.by_name(self.session, order.name) is not None:
            raise HeartbeatExists(f"There is a heartbeat {order.name!r} already.")
        changed = replace(held, **vars(order))
        if files is None and held.files is not None:
            files = held.files.after(store.content_of(changed), self.clock.now())
        if changed == held:
            if files != held.files:
                store.write(self.session, replace(held, files=files))
            return self.get(held.id)
        changed = replace(changed, files=files, version=held.version + 1, updated_at=self.clock.now())
        changed = replace(changed, beat=with_edges(changed.beat, changed.plan))
        store.write(self.session, changed)
        old = store.content_of(held) | {"name": held.name}
        new = store.content_of(changed) | {"name": changed.name}
        differing = [key for key in new if new[key] != old[key]]
        self._tell(
            _put(changed, {key: old[key] for key in differing}, {key: new[key] for key in differing}), by, source
        )
        self._look_at(changed, self.clock.now())
        return self.get(held.id)

    def remove(self, name: str, *, reason: str, by: str, source: str) -> None:
        """Nothing is expected of it any more; an alert of it is over."""
        held = self._locked(name)
        self.alerting.resolve_own(self.session, _alert(held, ""), at=self.clock.now())
        store.remove(self.session, held.id)
        fact = HeartbeatRemoved(heartbeat=held.id, name=held.name, service_name=held.service, reason=reason)
        self._tell(fact, by, source)

    def pause(self, name: str, *, by: str, source: str) -> Heartbeat:
        """Nothing is expected until its next ping."""
        held = self._locked(name)
        if held.beat.state is BeatState.PAUSED:
            return held
        beat = replace(held.beat, state=BeatState.PAUSED, started_at=None, late_at=None, down_at=None)
        return self._becomes(held, beat, "nothing is expected until its next ping", by=by, source=source)

    def resume(self, name: str, *, by: str, source: str) -> Heartbeat:
        """Expected again, from its next ping on."""
        held = self._locked(name)
        if held.beat.state is not BeatState.PAUSED:
            return held
        return self._becomes(held, Beat(), "its next ping is the first that counts", by=by, source=source)

    def ping(self, key: str, kind: PingKind, *, body: str = "", exit_status: int | None = None) -> Heartbeat | None:
        """Somebody pinged; None when nobody has this address."""
        known = store.by_ping_key(self.session, key)
        if known is None:
            return None
        # The turn first: what is done with an alert below takes it, too.
        journal.take_turn(self.session)
        held = store.lock(self.session, known.id)
        if held is None:
            return None
        now = self.clock.now()
        beat = after_ping(held.beat, held.plan, kind, now)
        ended = kind in (PingKind.SUCCESS, PingKind.FAIL)
        ping = Ping(now, kind, exit_status, beat.last_duration if ended else None, body)
        store.add_ping(self.session, held.id, ping)
        held = replace(held, ping_count=held.ping_count + 1)
        if held.ping_count % _TRIMMED_EVERY == 0:
            store.trim_pings(self.session, held.id)
        detail = _words_of(ping) if beat.state is BeatState.DOWN else "it was heard of"
        return self._becomes(held, beat, detail, by=SYSTEM, source="intake", said=body)

    def time_has_come(self, heartbeat_id: str, at: datetime) -> None:
        """Look whether silence has changed it. Harmless when repeated."""
        journal.take_turn(self.session)
        held = store.lock(self.session, heartbeat_id)
        if held is not None:
            self._look_at(held, max(at, self.clock.now()))

    def look_at_all(self) -> None:
        """What no row of due work looked at, such as after a restore of an older copy."""
        now = self.clock.now()
        for one in store.overdue(self.session, now):
            self.time_has_come(one.id, now)

    def _look_at(self, held: Heartbeat, now: datetime) -> None:
        beat = at_time(held.beat, now)
        detail = "it is late"
        if beat.state is BeatState.DOWN and held.beat.state is not BeatState.DOWN:
            detail = _silence_of(held)
        self._becomes(held, beat, detail, by=SYSTEM, source="worker", now=now)

    def _becomes(
        self,
        held: Heartbeat,
        beat: Beat,
        detail: str,
        *,
        by: str,
        source: str,
        said: str = "",
        now: datetime | None = None,
    ) -> Heartbeat:
        now = now or self.clock.now()
        after = replace(held, beat=beat)
        store.write(self.session, after)
        before = held.beat.state
        if beat.state is BeatState.DOWN and before is not BeatState.DOWN:
            self._tell(_changed(after, before, detail), by, source)
            self.alerting.raise_own(self.session, _alert(after, detail, said), at=now)
        elif beat.state is not BeatState.DOWN and before is BeatState.DOWN:
            self._tell(_changed(after, before, detail), by, source)
            self.alerting.resolve_own(self.session, _alert(after, detail), at=now)
        elif BeatState.PAUSED in (before, beat.state) and before is not beat.state:
            self._tell(_changed(after, before, detail), by, source)
        edge = next_edge(beat, now)
        moved = (beat.late_at, beat.down_at, beat.state) != (held.beat.late_at, held.beat.down_at, before)
        if edge is not None and moved:
            timing.enqueue(self.session, "heartbeat", held.id, edge)
        return after

    def _locked(self, name: str) -> Heartbeat:
        journal.take_turn(self.session)
        held = store.lock(self.session, self.get(name).id)
        if held is None:
            raise HeartbeatNotFound(f"There is no heartbeat {name!r}.")
        return held

    def _tell(self, fact: Event, by: str, source: str) -> None:
        journal.append(self.session, fact, by=by, source=source, at=self.clock.now())


def require_sound(order: Order) -> None:
    """Raises HeartbeatInvalid with all that is wrong."""
    complaints = list(order.plan.complaints())
    if not NAME.match(order.name):
        complaints.append(Complaint("name", "small letters, digits, dots and dashes, at most 63"))
    if complaints:
        raise HeartbeatInvalid("The heartbeat is not valid.", complaints=complaints)


def _put(one: Heartbeat, before: dict[str, object] | None, after: dict[str, object]) -> HeartbeatPut:
    return HeartbeatPut(heartbeat=one.id, name=one.name, service_name=one.service, before=before, after=after)


def _changed(one: Heartbeat, before: BeatState, detail: str) -> HeartbeatStateChanged:
    return HeartbeatStateChanged(
        heartbeat=one.id,
        name=one.name,
        service_name=one.service,
        before=before.value,
        after=one.beat.state.value,
        detail=detail,
    )


def _alert(one: Heartbeat, detail: str, said: str = "") -> OwnAlert:
    details: dict[str, object] = {"detail": detail, "description": one.description, "output": said[-4_000:]}
    return OwnAlert(
        source="heartbeat",
        key=one.id,
        title=f"{one.name}: {detail}" if detail else one.name,
        severity=one.severity.value,
        service=one.service,
        environment=one.environment,
        family=f"heartbeat {one.name}",
        policy=one.policy,
        labels={"heartbeat": one.name},
        details={name: value for name, value in details.items() if value},
        links=(),
    )


def _words_of(ping: Ping) -> str:
    return f"it failed with exit status {ping.exit_status}" if ping.exit_status else "it said that it failed"


def _silence_of(held: Heartbeat) -> str:
    beat = held.beat
    if beat.started_at is not None and (beat.late_at is None or beat.started_at <= beat.late_at):
        return f"it started and did not end within {_words(held.plan.grace)}"
    if beat.last_ping_at is None:
        return "it was not heard of"
    return f"it was not heard of since {beat.last_ping_at:%Y-%m-%d %H:%M:%S} UTC"


def _words(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    for unit, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit or (seconds % unit == 0 and seconds >= unit):
            return f"{seconds // unit} {name}"
    return f"{seconds} seconds"
