"""What people do about pages: acknowledge by a link, give it to somebody else, call somebody in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Complaint
from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.alerts.public import Alerting, GroupState
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.oncall.paging import store
from watchkeeper.modules.oncall.paging.calling import place, tell
from watchkeeper.modules.oncall.paging.engine import Engine
from watchkeeper.modules.oncall.paging.errors import LinkUnknown, PagingInvalid
from watchkeeper.modules.oncall.paging.events import Reassigned, ResponderAdded
from watchkeeper.modules.oncall.paging.flow import handed, not_begun
from watchkeeper.modules.oncall.paging.links import Links
from watchkeeper.modules.oncall.paging.model import ADDED, Call, Page, Run, Turn


@dataclass(frozen=True)
class Linked:
    """What a link is about."""

    page: Page
    group: GroupState
    name: str


@dataclass(frozen=True)
class Paging:
    """Verbs; each takes the session of whoever owns the transaction."""

    clock: Clock
    alerting: Alerting
    engine: Engine
    links: Links

    def linked(self, session: Session, secret: str) -> Linked:
        """What a link acknowledges. Raises LinkUnknown, for a wrong one as for one that is over."""
        page_id = self.links.page_of(secret[:200])
        page = store.page(session, page_id) if page_id is not None else None
        group = alerts.group(session, page.group_id) if page is not None else None
        if page is None or group is None or page.person_id is None:
            raise LinkUnknown("This link opens nothing. Sign in, and look at your open pages.")
        return Linked(page, group, identity.names(session, [page.person_id])[page.person_id])

    def acknowledge_link(self, session: Session, secret: str) -> Linked:
        """The person who was paged has it. Of what is resolved, or had already, nothing changes."""
        found = self.linked(session, secret)
        person, group = found.page.person_id, found.group
        if person is not None and group.status == "triggered":
            now = self.clock.now()
            group = self.alerting.acknowledge(session, group.id, by=person, at=now, source="link")
        return replace(found, group=group)

    def add_responder(self, session: Session, group_id: str, person: str, *, by: str, source: str) -> None:
        """Call somebody in, whoever has it. Raises PagingInvalid or GroupNotFound."""
        group = self._open(session, group_id)
        self._require_person(session, person)
        run = self._run(session, group)
        now = self.clock.now()
        number = len([one for one in store.pages_of(session, group_id) if one.round == ADDED])
        call = Call(Turn(ADDED, number), "resolved", (person,), (), {person: "called in besides"})
        if not place(session, run, group, call, self.engine.base_url, now):
            raise PagingInvalid("There is no way to them: no contact of theirs is verified.")
        tell(
            session,
            ResponderAdded(group=group.id, service_name=group.service, person=person),
            now,
            by=by,
            source=source,
        )

    def reassign(self, session: Session, group_id: str, person: str, *, by: str, source: str) -> None:
        """Give it to somebody else, who is called now; unless they take it, the policy begins anew.

        Raises PagingInvalid or GroupNotFound.
        """
        group = self._open(session, group_id)
        self._require_person(session, person)
        run = self._run(session, group)
        now = self.clock.now()
        run = handed(run, now)
        store.put_run(session, run)
        ended = [one.id for one in store.pages_of(session, group_id, open_only=True) if one.until == "acknowledged"]
        store.end_pages(session, ended, at=now, because="given to somebody else")
        call = Call(Turn(ADDED, 0), "acknowledged", (person,), (), {person: "it was given to you"})
        if not place(session, run, group, call, self.engine.base_url, now):
            raise PagingInvalid("There is no way to them: no contact of theirs is verified.")
        self.engine.wait_for(session, run, group, now)
        if group.status == "acknowledged":
            self.alerting.unacknowledge(
                session, group.id, by=by, at=now, source=source, reason="given to somebody else"
            )
        fact = Reassigned(group=group.id, service_name=group.service, person=person)
        tell(session, fact, now, by=by, source=source)

    def _open(self, session: Session, group_id: str) -> GroupState:
        group = alerts.group(session, group_id)
        if group is None or not group.is_open:
            raise PagingInvalid("It is resolved, or there is no such alert group.")
        return group

    def _require_person(self, session: Session, person: str) -> None:
        if not any(one.id == person and one.active for one in identity.staff(session)):
            expected = "the id of a person with an account that is not disabled"
            raise PagingInvalid("The person is not valid.", complaints=[Complaint("person", expected)])

    def _run(self, session: Session, group: GroupState) -> Run:
        found = store.run(session, group.id, lock=True)
        if found is None:
            self.engine.look(session, group.id)
            found = store.run(session, group.id, lock=True)
        if found is not None:
            return found
        made = not_begun(group.id, severity=group.severity.value, opened_at=group.opened_at, at=self.clock.now())
        store.put_run(session, made)
        return made
