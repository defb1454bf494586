"""The verbs of integrations: ways in, and their keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.journal import Event
from watchkeeper.modules.alerts import store_integrations as store
from watchkeeper.modules.alerts.errors import (
    IntegrationExists,
    IntegrationInvalid,
    IntegrationNotFound,
    KeyNotFound,
)
from watchkeeper.modules.alerts.events_noise import (
    IntegrationKeyMade,
    IntegrationKeyRevoked,
    IntegrationPut,
    IntegrationRemoved,
)
from watchkeeper.modules.alerts.from_files import FromFiles
from watchkeeper.modules.alerts.keys import Key, digest_of, new_key
from watchkeeper.modules.alerts.model import Integration, Kind
from watchkeeper.modules.alerts.store_integrations import StoredIntegration
from watchkeeper.modules.alerts.wire_generic import FIELDS, complaints_about

NAME = re.compile(r"^[a-z0-9][a-z0-9._-]{0,62}$")
OVERLAP = timedelta(days=7)
MOST_VALID = 2
_LABEL = re.compile(r"^[A-Za-z_][\w.:-]{0,199}$")


@dataclass(frozen=True)
class Integrations:
    """Ways in, on one session."""

    session: Session
    clock: Clock

    def get(self, name: str) -> StoredIntegration:
        """By id or name. Raises IntegrationNotFound."""
        found = store.integration(self.session, name)
        if found is None:
            raise IntegrationNotFound(f"There is no integration {name!r}.")
        return found

    def add(self, order: Integration, *, by: str, source: str) -> tuple[StoredIntegration, str]:
        """A new way in with its first key, which is shown now and never again. Raises IntegrationExists or -Invalid."""
        made = self._make(order, by=by, source=source)
        secret = self._add_key(made, None, by=by, source=source)
        return self.get(made.id), secret

    def describe(self, order: Integration, *, by: str) -> StoredIntegration:
        """Have it be as files say. A new one has no key: whoever sets up the sender makes one, and sees it then."""
        files = FromFiles(store.said_of(order))
        if store.integration(self.session, order.name) is None:
            return self.get(self._make(order, by=by, source="ops", files=files).id)
        return self.change(order.name, order, by=by, source="ops", files=files)

    def _make(self, order: Integration, *, by: str, source: str, files: FromFiles | None = None) -> Integration:
        require_sound(order)
        if store.integration(self.session, order.name) is not None:
            raise IntegrationExists(f"There is an integration {order.name!r} already.")
        made = replace(order, id=new_id("int"))
        store.put(self.session, made, by=by, at=self.clock.now(), fresh=True, files=files)
        self._tell(
            IntegrationPut(
                integration=made.id,
                name=made.name,
                service_name=made.service,
                before=None,
                after=store.content_of(made) | {"kind": made.kind.value},
            ),
            by,
            source,
        )
        return made

    def change(
        self, name: str, order: Integration, *, by: str, source: str, files: FromFiles | None = None
    ) -> StoredIntegration:
        """What is said of it; its kind and its keys stay. `files`: they say so from now on."""
        before = self.get(name)
        require_sound(order)
        held = before.integration
        if order.name != held.name and store.integration(self.session, order.name) is not None:
            raise IntegrationExists(f"There is an integration {order.name!r} already.")
        if order.kind is not held.kind:
            complaint = Complaint("kind", f"{held.kind.value}, as it was made")
            raise IntegrationInvalid("An integration keeps its format: add another one.", complaints=[complaint])
        changed, now = replace(order, id=held.id), self.clock.now()
        if files is None and before.files is not None:
            files = before.files.after(store.said_of(changed), now)
        if changed == held and files == before.files:
            return before
        store.put(self.session, changed, by=by, at=now, fresh=False, files=files)
        if changed == held:
            return self.get(held.id)
        old, new = store.content_of(held) | {"name": held.name}, store.content_of(changed) | {"name": changed.name}
        differing = [key for key in new if old[key] != new[key]]
        self._tell(
            IntegrationPut(
                integration=held.id,
                name=changed.name,
                service_name=changed.service,
                before={key: old[key] for key in differing},
                after={key: new[key] for key in differing},
            ),
            by,
            source,
        )
        return self.get(held.id)

    def remove(self, name: str, *, reason: str, by: str, source: str) -> None:
        """Its keys open nothing any more; its alerts stay until they are resolved."""
        held = self.get(name).integration
        store.remove(self.session, held.id)
        self._tell(
            IntegrationRemoved(integration=held.id, name=held.name, service_name=held.service, reason=reason),
            by,
            source,
        )

    def rotate(self, name: str, *, by: str, source: str) -> tuple[StoredIntegration, str]:
        """A second key: both open until the older one is revoked or has run out, seven days from now."""
        stored = self.get(name)
        now = self.clock.now()
        valid = sorted((one for one in stored.keys if one.opens(now)), key=lambda one: one.created_at)
        for old in valid[: max(0, len(valid) - MOST_VALID + 1)]:
            self._revoke(stored.integration, old, by=by, source=source)
        for old in valid[max(0, len(valid) - MOST_VALID + 1) :]:
            store.change_key(self.session, old.id, expires_at=now + OVERLAP)
        secret = self._add_key(stored.integration, now + OVERLAP if valid else None, by=by, source=source)
        return self.get(stored.integration.id), secret

    def revoke_key(self, name: str, key_id: str, *, by: str, source: str) -> StoredIntegration:
        """It opens nothing from now on (elsewhere within a second). Raises KeyNotFound."""
        stored = self.get(name)
        key = next((one for one in stored.keys if one.id == key_id), None)
        if key is None:
            raise KeyNotFound(f"The integration {stored.integration.name} has no key {key_id}.")
        if key.revoked_at is None:
            self._revoke(stored.integration, key, by=by, source=source)
        return self.get(stored.integration.id)

    def _revoke(self, held: Integration, key: Key, *, by: str, source: str) -> None:
        store.change_key(self.session, key.id, revoked_at=self.clock.now())
        fact = IntegrationKeyRevoked(integration=held.id, name=held.name, service_name=held.service, key_id=key.id)
        self._tell(fact, by, source)

    def _add_key(self, held: Integration, old_until: datetime | None, *, by: str, source: str) -> str:
        secret, now = new_key(), self.clock.now()
        key = Key(new_id("key"), held.id, secret[-4:], now, by, None, None)
        store.add_key(self.session, key, digest_of(secret))
        fact = IntegrationKeyMade(
            integration=held.id, name=held.name, service_name=held.service, key_id=key.id, old_keys_until=old_until
        )
        self._tell(fact, by, source)
        return secret

    def _tell(self, fact: Event, by: str, source: str) -> None:
        journal.append(self.session, fact, by=by, source=source, at=self.clock.now())


def require_sound(one: Integration) -> None:
    """Raises IntegrationInvalid with all that is wrong."""
    complaints = []
    if not NAME.match(one.name):
        complaints.append(Complaint("name", "small letters, digits, dots and dashes, at most 63"))
    if one.kind is Kind.OWN:
        complaints.append(Complaint("kind", "pagerduty, alertmanager, grafana or generic"))
    if not 1 <= len(one.grouping.by) <= 10 or any(not _LABEL.match(label) for label in one.grouping.by):
        complaints.append(Complaint("group_by", "one to ten of service, environment, family, severity or labels"))
    if not timedelta(minutes=1) <= one.grouping.window <= timedelta(days=30):
        complaints.append(Complaint("group_minutes", "from one minute to 30 days"))
    if len(one.severity_map) > 100 or any(word != word.casefold().strip() for word in one.severity_map):
        complaints.append(Complaint("severity_map", "at most 100 words in small letters"))
    if not 1 <= one.rate_per_minute <= 1_000_000:
        complaints.append(Complaint("rate_per_minute", "from 1 to 1,000,000"))
    if one.auto_resolve is not None and not timedelta(minutes=1) <= one.auto_resolve <= timedelta(days=30):
        complaints.append(Complaint("auto_resolve_minutes", "from one minute to 30 days"))
    complaints += _complaints_about_mapping(one.kind, one.mapping)
    if complaints:
        raise IntegrationInvalid("The integration is not valid.", complaints=complaints)


def _complaints_about_mapping(kind: Kind, mapping: Mapping[str, str]) -> list[Complaint]:
    if kind is not Kind.GENERIC:
        return [Complaint("mapping", "nothing: this format is known")] if mapping else []
    found = [Complaint(f"mapping.{name}", text) for name, text in complaints_about(mapping)]
    if "title" not in mapping:
        found.append(Complaint("mapping.title", f"where the title is; known are {', '.join(FIELDS)}"))
    return found
