"""The verbs of calendar links: secrets by which calendar programs read schedules in a person's name. None commits."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.ids import is_id, new_id, new_secret
from watchkeeper.kernel.journal import Event
from watchkeeper.kernel.web.access import Actor, Permission, Scope
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.oncall import store
from watchkeeper.modules.oncall.errors import CalendarInvalid, CalendarLinkNotFound, NotYourShift
from watchkeeper.modules.oncall.events import CalendarLinkMade, CalendarLinkRevoked
from watchkeeper.modules.oncall.store import CalendarLink

PREFIX = "wkcal"
MOST_LINKS = 20
_LONGEST_SECRET = 200
_REVOKE_OTHERS = Permission("oncall.revoke_calendar_links", Scope.ADMIN)


def digest(secret: str) -> str:
    """What is stored of a secret; it is 256 random bits, so no salt is needed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def reader(session: Session, secret: str | None) -> str | None:
    """Whose calendar asks with this secret; None for one that does not work, or whose person was disabled."""
    if not secret or len(secret) > _LONGEST_SECRET:
        return None
    found = store.link_by_digest(session, digest(secret))
    if found is None or found.revoked_at is not None:
        return None
    active = {one.id for one in identity.staff(session) if one.active}
    return found.person if found.person in active else None


@dataclass(frozen=True)
class CalendarLinks:
    """Links, on one session."""

    session: Session
    clock: Clock
    source: str

    def make(self, name: str, *, by: Actor) -> tuple[CalendarLink, str]:
        """A new link of a person and its secret, which is shown now and never again."""
        if by.kind != "person":
            raise NotYourShift("A calendar link belongs to a person: sign in to make one.")
        if len(store.links_of(self.session, by.id)) >= MOST_LINKS:
            raise CalendarInvalid(f"{MOST_LINKS} links are enough: revoke one first.")
        secret = new_secret(PREFIX)
        made = CalendarLink(new_id("cal"), by.id, name, self.clock.now())
        store.add_link(self.session, made, digest(secret))
        self._tell(CalendarLinkMade(link=made.id, person=by.id), by)
        return made, secret

    def revoke(self, link_id: str, *, by: Actor) -> None:
        """From now on it reads nothing; again changes nothing. Raises CalendarLinkNotFound."""
        found = store.link(self.session, link_id) if is_id(link_id, "cal") else None
        if found is None or (found.person != by.id and not by.may(_REVOKE_OTHERS)):
            raise CalendarLinkNotFound("There is no such link of yours.")
        if found.revoked_at is None:
            store.revoke_link(self.session, found.id, self.clock.now())
            self._tell(CalendarLinkRevoked(link=found.id, person=found.person), by)

    def _tell(self, event: Event, by: Actor) -> None:
        journal.append(self.session, event, by=by.id, source=self.source, at=self.clock.now())
