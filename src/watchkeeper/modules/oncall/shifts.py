"""The verbs of standing in: overrides, and swaps that two people agree on. None commits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock, rfc3339
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.ids import is_id, new_id
from watchkeeper.kernel.journal import Event
from watchkeeper.kernel.web.access import Actor
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.oncall import store
from watchkeeper.modules.oncall.definition import Schedule
from watchkeeper.modules.oncall.errors import (
    NotYourShift,
    OverrideInvalid,
    OverrideNotFound,
    SwapDecided,
    SwapInvalid,
    SwapNotFound,
)
from watchkeeper.modules.oncall.events import OverrideEnded, OverrideMade, SwapChanged
from watchkeeper.modules.oncall.model import Roster, spans
from watchkeeper.modules.oncall.permissions import CHANGE_ONCALL
from watchkeeper.modules.oncall.service import Definitions, staff_of
from watchkeeper.modules.oncall.store import KeptOverride, Stored, Swap, SwapState

LONGEST = timedelta(days=366)
MOST_OPEN = 500
# What is over is over: who was on call then stays as it was told.
_LATE = timedelta(minutes=5)


@dataclass(frozen=True)
class Stretch:
    """From an instant to another."""

    since: datetime
    until: datetime


@dataclass(frozen=True)
class Shifts:
    """Overrides and swaps, on one session. `source` is where the act came from."""

    session: Session
    clock: Clock
    source: str

    def override(
        self,
        schedule: str,
        *,
        who: str,
        stretch: Stretch,
        by: Actor,
        instead_of: str | None = None,
        reason: str = "",
    ) -> KeptOverride:
        """Let somebody stand in. For oneself a responder may; for others whoever may edit this schedule.

        Raises ScheduleNotFound, OverrideInvalid or NotYourShift.
        """
        stored = Definitions(self.session, self.clock).schedule(schedule, lock=True)
        self._require_may_say(stored, by, who)
        self._require_people(who, instead_of)
        stretch = self._require_ahead(stretch)
        return self._make(stored, who, instead_of, stretch, reason, by=by.id, swap=None)

    def end_override(self, override_id: str, *, by: Actor) -> None:
        """From now on it does not hold; one that has not begun never will. Ending it again changes nothing.

        Raises OverrideNotFound or NotYourShift.
        """
        found = store.override(self.session, override_id, lock=True) if is_id(override_id, "ovr") else None
        stored = store.schedule_by_id(self.session, found.schedule_id) if found is not None else None
        if found is None or stored is None:
            raise OverrideNotFound("There is no such override.")
        if by.id != found.created_by:
            self._require_may_say(stored, by, found.who)
        now = self.clock.now().replace(microsecond=0)
        if found.withdrawn_at is not None or found.until <= now:
            return
        began = found.since < now
        store.end_override(self.session, found.id, until=now if began else None, withdrawn_at=None if began else now)
        self._tell(OverrideEnded(schedule=stored.name, override=found.id, began=began), by.id)

    def ask_swap(
        self, schedule: str, *, other: str, gives: Stretch, takes: Stretch | None, by: Actor, reason: str = ""
    ) -> Swap:
        """Ask somebody to take a stretch of one's own shifts, and offer to take one of theirs.

        Raises ScheduleNotFound or SwapInvalid.
        """
        stored = Definitions(self.session, self.clock).schedule(schedule, lock=True)
        if other == by.id:
            raise SwapInvalid("A swap is with somebody else.", complaints=[Complaint("other", "somebody else")])
        self._require_people(other, by.id)
        gives = self._require_ahead(gives)
        takes = self._require_ahead(takes) if takes is not None else None
        self._require_owner(stored, by.id, gives, "gives")
        if takes is not None:
            self._require_owner(stored, other, takes, "takes")
        made = Swap(
            id=new_id("swp"),
            schedule_id=stored.id,
            asker=by.id,
            other=other,
            gives_since=gives.since,
            gives_until=gives.until,
            takes_since=takes.since if takes else None,
            takes_until=takes.until if takes else None,
            reason=reason,
            state="asked",
            asked_at=self.clock.now(),
        )
        store.add_swap(self.session, made)
        self._tell_swap(stored, made, "asked", by.id, reason)
        return made

    def accept_swap(self, swap_id: str, *, by: Actor) -> Swap:
        """The asked one agrees: from here on both overrides hold. Raises SwapNotFound, SwapDecided, SwapInvalid when
        the shifts are not theirs any more, or NotYourShift."""
        swap, stored = self._open_swap(swap_id)
        if by.id != swap.other:
            raise NotYourShift("Only the one who was asked can accept.")
        gives = self._require_ahead(Stretch(swap.gives_since, swap.gives_until))
        self._require_people(swap.other, swap.asker)
        self._require_owner(stored, swap.asker, gives, "gives")
        self._make(stored, swap.other, swap.asker, gives, swap.reason, by=by.id, swap=swap.id)
        if swap.takes_since is not None and swap.takes_until is not None:
            takes = self._require_ahead(Stretch(swap.takes_since, swap.takes_until))
            self._require_owner(stored, swap.other, takes, "takes")
            self._make(stored, swap.asker, swap.other, takes, swap.reason, by=by.id, swap=swap.id)
        return self._decide(stored, swap, "accepted", by.id)

    def decline_swap(self, swap_id: str, *, by: Actor) -> Swap:
        """The asked one says no, or the asker takes the question back. Raises SwapNotFound, SwapDecided or
        NotYourShift."""
        swap, stored = self._open_swap(swap_id)
        if by.id not in (swap.other, swap.asker):
            raise NotYourShift("This is between the two of them.")
        return self._decide(stored, swap, "declined" if by.id == swap.other else "withdrawn", by.id)

    def _open_swap(self, swap_id: str) -> tuple[Swap, Stored[Schedule]]:
        swap = store.swap(self.session, swap_id) if is_id(swap_id, "swp") else None
        stored = store.schedule_by_id(self.session, swap.schedule_id) if swap is not None else None
        if swap is None or stored is None:
            raise SwapNotFound("There is no such swap.")
        # The schedule first, as everywhere: two who hold one each would wait for each other.
        Definitions(self.session, self.clock).schedule(stored.name, lock=True)
        swap = store.swap(self.session, swap_id, lock=True)
        if swap is None or swap.state != "asked":
            raise SwapDecided("It was accepted, declined or withdrawn before.")
        return swap, stored

    def _decide(self, stored: Stored[Schedule], swap: Swap, state: SwapState, by: str) -> Swap:
        now = self.clock.now()
        store.decide_swap(self.session, swap.id, state, now)
        self._tell_swap(stored, swap, state, by, "")
        return replace(swap, state=state, decided_at=now)

    def _make(
        self,
        stored: Stored[Schedule],
        who: str,
        instead_of: str | None,
        stretch: Stretch,
        reason: str,
        *,
        by: str,
        swap: str | None,
    ) -> KeptOverride:
        now = self.clock.now()
        if len(store.kept_overrides(self.session, schedule_id=stored.id, since=now)) >= MOST_OPEN:
            raise OverrideInvalid(f"{stored.name} has {MOST_OPEN} overrides ahead; make a temporary schedule of them.")
        made = KeptOverride(
            id=new_id("ovr"),
            schedule_id=stored.id,
            number=store.next_number(self.session, stored.id),
            who=who,
            instead_of=instead_of,
            since=stretch.since,
            until=stretch.until,
            reason=reason,
            swap_id=swap,
            created_by=by,
            created_at=now,
        )
        store.add_override(self.session, made)
        fact = OverrideMade(
            schedule=stored.name,
            override=made.id,
            who=who,
            instead_of=instead_of,
            since=rfc3339(made.since),
            until=rfc3339(made.until),
            swap=swap,
        )
        self._tell(fact, by, reason)
        return made

    def _require_may_say(self, stored: Stored[Schedule], by: Actor, who: str) -> None:
        if by.id == who:
            return
        if not by.may(CHANGE_ONCALL):
            raise NotYourShift("A responder stands in for others; to give away a shift of yours, ask for a swap.")
        catalog.require_own(self.session, by, stored.content.team)

    def _require_people(self, who: str, instead_of: str | None) -> None:
        people = staff_of(self.session).people
        complaints = []
        if who not in people or not people[who].active:
            complaints.append(Complaint("who", "somebody with an account who can sign in, by e-mail address or id"))
        if instead_of is not None and instead_of not in people:
            complaints.append(Complaint("instead_of", "somebody with an account, by e-mail address or id"))
        if instead_of == who:
            complaints.append(Complaint("instead_of", "somebody else than who stands in"))
        if complaints:
            raise OverrideInvalid("The override is not valid.", complaints=complaints)

    def _require_ahead(self, stretch: Stretch) -> Stretch:
        """What began a moment ago begins now."""
        now = self.clock.now().replace(microsecond=0)
        complaints = []
        if stretch.since < now - _LATE:
            complaints.append(Complaint("since", "now or later: what is over stays as it was"))
        since = max(stretch.since, now)
        if stretch.until <= since:
            complaints.append(Complaint("until", "an instant after `since` and after now"))
        if stretch.until > since + LONGEST:
            complaints.append(Complaint("until", "at most a year after `since`"))
        if complaints:
            raise OverrideInvalid("The time is not valid.", complaints=complaints)
        return Stretch(since, stretch.until)

    def _require_owner(self, stored: Stored[Schedule], who: str, stretch: Stretch, said: str) -> None:
        """Somewhere in the stretch the schedule has them: else there is nothing to give."""
        kept = store.kept_overrides(self.session, schedule_id=stored.id, since=stretch.since, until=stretch.until)
        roster = Roster(stored.content, tuple(one.meaning for one in kept))
        if not any(span.who == who for span in spans(roster, stretch.since, stretch.until)):
            whose = "you are" if said == "gives" else "they are"
            raise SwapInvalid(
                "There is no such shift.", complaints=[Complaint(said, f"a time in which {whose} on call")]
            )

    def _tell_swap(self, stored: Stored[Schedule], swap: Swap, state: SwapState, by: str, reason: str) -> None:
        fact = SwapChanged(schedule=stored.name, swap=swap.id, state=state, asker=swap.asker, other=swap.other)
        self._tell(fact, by, reason)

    def _tell(self, event: Event, by: str, reason: str = "") -> None:
        private = {"reason": reason} if reason else None
        journal.append(self.session, event, by=by, source=self.source, at=self.clock.now(), private=private)
