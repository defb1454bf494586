"""Service accounts: programs with a name, whose tokens live and die with them. None of the verbs commits."""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as Database

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.ids import is_id, new_id
from watchkeeper.kernel.web.access import Actor
from watchkeeper.modules.identity import events_people as events
from watchkeeper.modules.identity import store_people
from watchkeeper.modules.identity.errors import AccountNotFound, AccountRefused
from watchkeeper.modules.identity.model import LONGEST_NAME, clean_name
from watchkeeper.modules.identity.people import SOURCES
from watchkeeper.modules.identity.store_people import ServiceAccount
from watchkeeper.modules.identity.teams import LONGEST_DESCRIPTION


class ServiceAccounts:
    """Verbs on service accounts, within one transaction."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._now = clock.now()

    def get(self, account_id: str, *, lock: bool = False) -> ServiceAccount:
        """Raises AccountNotFound."""
        found = store_people.account(self._db, account_id, lock=lock) if is_id(account_id, "sva") else None
        if found is None:
            raise AccountNotFound(f"There is no service account {account_id}.")
        return found

    def create(self, name: str, description: str, *, reason: str, by: Actor) -> ServiceAccount:
        """Raises AccountRefused for a name that is taken or empty."""
        name, description = _sound(name, description)
        made = ServiceAccount(new_id("sva"), name, description, by.id, self._now, None)
        try:
            store_people.add_account(self._db, made)
        except IntegrityError:
            raise _taken(name) from None
        self._tell(events.AccountMade(account=made.id), by, reason)
        return made

    def describe(self, account_id: str, name: str, description: str, *, reason: str, by: Actor) -> ServiceAccount:
        """Call it otherwise. Raises AccountNotFound or AccountRefused."""
        found = self.get(account_id, lock=True)
        name, description = _sound(name, description)
        if (found.name, found.description) == (name, description):
            return found
        try:
            store_people.describe_account(self._db, found.id, name, description)
        except IntegrityError:
            raise _taken(name) from None
        self._tell(events.AccountDescribed(account=found.id), by, reason)
        return self.get(account_id)

    def switch(self, account_id: str, *, enabled: bool, reason: str, by: Actor) -> ServiceAccount:
        """Enable or disable it; its tokens work, or don't, with it. Raises AccountNotFound."""
        found = self.get(account_id, lock=True)
        if (found.disabled_at is None) != enabled:
            store_people.set_account_disabled(self._db, found.id, None if enabled else self._now)
            self._tell(events.AccountSwitched(account=found.id, enabled=enabled), by, reason)
        return self.get(account_id)

    def _tell(self, event: journal.Event, by: Actor, reason: str) -> None:
        source = SOURCES.get(by.kind, "api")
        journal.append(self._db, event, by=by.id, source=source, at=self._now, private={"reason": reason})


def _sound(name: str, description: str) -> tuple[str, str]:
    name, description = clean_name(name), clean_name(description)
    complaints = []
    if not 1 <= len(name) <= LONGEST_NAME:
        complaints.append(Complaint("name", f"1 to {LONGEST_NAME} visible characters"))
    if len(description) > LONGEST_DESCRIPTION:
        complaints.append(Complaint("description", f"at most {LONGEST_DESCRIPTION:,} characters"))
    if complaints:
        raise AccountRefused("The service account can't be like this.", complaints=complaints)
    return name, description


def _taken(name: str) -> AccountRefused:
    complaint = Complaint("name", "a name that no service account has yet")
    return AccountRefused(f"There is a service account {name} already.", complaints=[complaint])
