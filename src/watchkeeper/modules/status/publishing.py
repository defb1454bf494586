"""From a word inside to a word for everybody: drafts, their review, publication, edits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal, work
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.journal import Event
from watchkeeper.modules.status import events, store, store_revisions
from watchkeeper.modules.status.errors import (
    IncidentNotFound,
    NothingToWithdraw,
    StatusInvalid,
    UpdateChanged,
    UpdateDiscarded,
    UpdateNotFound,
    UpdatePublished,
    UpdateWithdrawn,
)
from watchkeeper.modules.status.model import PublicIncident, Review, Stage, State, Update
from watchkeeper.modules.status.sending import FAN_OUT

LONGEST_BODY = 10_000
LONGEST_TITLE = 200
LONGEST_REASON = 500


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What somebody wants to say. `source` names what it was made from: the same source makes one draft."""

    stage: Stage
    body: str
    components: Mapping[str, State]
    happened_at: datetime
    source: str | None = None


@dataclass(frozen=True, kw_only=True)
class Edit:
    """What is changed of an update; None stays."""

    body: str | None = None
    stage: Stage | None = None
    components: Mapping[str, State] | None = None


@dataclass(frozen=True)
class Publishing:
    """The verbs of updates, on one session."""

    session: Session
    clock: Clock

    def open(self, title: str, *, started_at: datetime, about: str | None = None) -> PublicIncident:
        """An incident of the page, of which nothing is public yet; the one that is there for `about` already.

        Raises StatusInvalid.
        """
        title = title.strip()
        if not 1 <= len(title) <= LONGEST_TITLE or any(ord(one) < 32 for one in title):
            complaint = Complaint("title", f"one to {LONGEST_TITLE} characters on one line")
            raise StatusInvalid("The incident can't be called so.", complaints=[complaint])
        made = PublicIncident(
            id=new_id("pin"), title=title, incident=about, started_at=started_at, created_at=self.clock.now()
        )
        return store.add_incident(self.session, made)

    def draft(self, incident_id: str, said: Draft, *, by: str, source: str) -> Update:
        """It waits for review. Harmless when its source has a draft already. Raises IncidentNotFound, StatusInvalid."""
        incident = self._incident(incident_id)
        self._require_sound(said.body, said.components)
        made = Update(
            id=new_id("pup"),
            incident=incident.id,
            review=Review.DRAFT,
            stage=said.stage,
            body=said.body.strip(),
            components=dict(said.components),
            happened_at=said.happened_at,
            drafted_at=self.clock.now(),
            drafted_by=by,
            source=said.source,
        )
        if not store.add_update(self.session, made):
            return store.update_from(self.session, said.source or "") or made
        self._tell(events.UpdateDrafted(**_of(made, incident)), by, source)
        return made

    def publish(self, update_id: str, *, by: str, source: str, version: int | None = None) -> Update:
        """Everybody sees it, and subscribers are told, once: publishing it again changes nothing.

        Raises UpdateNotFound, UpdateDiscarded, UpdateWithdrawn, or UpdateChanged when it is not the `version` that was
        reviewed.
        """
        journal.take_turn(self.session)
        found = self._update(update_id)
        if found.review is Review.PUBLISHED:
            return found
        _require_standing(found)
        _require_version(found, version)
        now = self.clock.now()
        # The page tells of nothing before it happened, whatever a draft says.
        happened_at = min(found.happened_at, now)
        published = replace(
            found,
            review=Review.PUBLISHED,
            happened_at=happened_at,
            published_at=now,
            published_by=by,
            version=found.version + 1,
        )
        store.put_update(self.session, published)
        incident = self._recount(published.incident, now)
        fact = events.UpdatePublished(**_of(published, incident), components=_states(published))
        self._tell(fact, by, source)
        work.enqueue(
            self.session,
            kind=FAN_OUT,
            key=f"{FAN_OUT}:{published.id}",
            due_at=now,
            payload={"update": published.id},
        )
        return published

    def edit(self, update_id: str, said: Edit, *, by: str, source: str, version: int | None = None) -> Update:
        """Change a draft, or what is public: that is shown as edited, its old words are kept, nobody is told again.

        Raises UpdateNotFound, UpdateDiscarded, UpdateWithdrawn, UpdateChanged, StatusInvalid.
        """
        journal.take_turn(self.session)
        found = self._update(update_id)
        _require_standing(found)
        _require_version(found, version)
        changed = replace(
            found,
            body=found.body if said.body is None else said.body.strip(),
            stage=said.stage or found.stage,
            components=found.components if said.components is None else dict(said.components),
        )
        if changed == found:
            return found
        # A component that was removed since stays in what is said already.
        fresh = {one: state for one, state in changed.components.items() if found.components.get(one) != state}
        self._require_sound(changed.body, fresh)
        public = found.review is Review.PUBLISHED
        now = self.clock.now()
        changed = replace(changed, edited_at=now if public else None, version=found.version + 1)
        store.put_update(self.session, changed)
        if public:
            store_revisions.keep(self.session, found, until=now, changed_by=by)
        incident = self._recount(changed.incident, now) if public else self._incident(changed.incident)
        fields = [name for name in ("body", "stage", "components") if getattr(found, name) != getattr(changed, name)]
        fact = events.UpdateEdited(
            **_of(changed, incident),
            public=public,
            fields=fields,
            before=_states(found),
            after=_states(changed),
            was=hashlib.sha256(found.body.encode()).hexdigest(),
        )
        self._tell(fact, by, source)
        return changed

    def discard(self, update_id: str, *, reason: str, by: str, source: str) -> Update:
        """Nobody will see it; harmless when repeated. Raises UpdateNotFound, UpdatePublished."""
        journal.take_turn(self.session)
        found = self._update(update_id)
        if found.review is Review.DISCARDED:
            return found
        if found.review is not Review.DRAFT:
            raise UpdatePublished("What everybody has seen can be edited or withdrawn, not discarded.")
        gone = replace(found, review=Review.DISCARDED, version=found.version + 1)
        store.put_update(self.session, gone)
        fact = events.UpdateDiscarded(**_of(gone, self._incident(gone.incident)), reason=reason.strip())
        self._tell(fact, by, source)
        return gone

    def withdraw(self, incident_id: str, *, reason: str, by: str, source: str) -> list[Update]:
        """All that is public of an incident is not any more, and subscribers are told so, once.

        What is published of it later is public again. Raises IncidentNotFound, NothingToWithdraw, StatusInvalid.
        """
        journal.take_turn(self.session)
        incident = self._incident(incident_id)
        public = store.updates_of(self.session, [incident.id])
        if not public:
            raise NothingToWithdraw("Nothing of this incident is on the status page.")
        return self._withdraw(public, reason=reason, by=by, source=source)

    def withdraw_update(self, update_id: str, *, reason: str, by: str, source: str) -> Update:
        """One update is not public any more, and subscribers are told so, once; harmless when repeated.

        Raises UpdateNotFound, NothingToWithdraw, StatusInvalid.
        """
        journal.take_turn(self.session)
        found = self._update(update_id)
        if found.review is Review.WITHDRAWN:
            return found
        if found.review is not Review.PUBLISHED:
            raise NothingToWithdraw("This update is not on the status page.")
        return self._withdraw([found], reason=reason, by=by, source=source)[0]

    def _withdraw(self, public: Sequence[Update], *, reason: str, by: str, source: str) -> list[Update]:
        """`public`: of one incident, the newest first."""
        reason = " ".join(reason.split())
        if not 1 <= len(reason) <= LONGEST_REASON:
            complaint = Complaint("reason", f"why it is withdrawn, in one to {LONGEST_REASON} characters")
            raise StatusInvalid("Say why it is withdrawn: the record keeps that.", complaints=[complaint])
        now = self.clock.now()
        gone = [replace(one, review=Review.WITHDRAWN, version=one.version + 1) for one in public]
        for one in gone:
            store.put_update(self.session, one)
        newest = gone[0]
        incident = self._recount(newest.incident, now)
        whole = incident.published_at is None
        ids = [one.id for one in gone]
        fact = events.UpdateWithdrawn(**_of(newest, incident), reason=reason, updates=ids, whole=whole)
        self._tell(fact, by, source)
        # Whoever was told of any of them is told: an update of no component went to everybody.
        everybody = any(not one.components for one in gone)
        heard = [] if everybody else sorted({component for one in gone for component in one.components})
        work.enqueue(
            self.session,
            kind=FAN_OUT,
            key=f"{FAN_OUT}:{newest.id}:withdrawn",
            due_at=now,
            payload={"update": newest.id, "withdrawn": True, "components": heard},
        )
        return gone

    def _recount(self, incident_id: str, now: datetime) -> PublicIncident:
        """What the row of an incident says of its published updates, whatever order they came in."""
        incident = self._incident(incident_id)
        newest_first = store.updates_of(self.session, [incident_id])
        if not newest_first:
            nothing = replace(incident, published_at=None, resolved_at=None, updated_at=now, stage=None)
            store.put_incident(self.session, nothing)
            return nothing
        last = newest_first[0]
        counted = replace(
            incident,
            published_at=min(one.published_at or now for one in newest_first),
            started_at=min(incident.started_at, *(one.happened_at for one in newest_first), now),
            resolved_at=last.happened_at if last.stage is Stage.RESOLVED else None,
            updated_at=now,
            stage=last.stage,
        )
        store.put_incident(self.session, counted)
        return counted

    def _incident(self, incident_id: str) -> PublicIncident:
        found = store.incident(self.session, incident_id)
        if found is None:
            raise IncidentNotFound(f"The status page has no incident {incident_id}.")
        return found

    def _update(self, update_id: str) -> Update:
        found = store.one_update(self.session, update_id, lock=True)
        if found is None:
            raise UpdateNotFound(f"The status page has no update {update_id}.")
        return found

    def _require_sound(self, body: str, components: Mapping[str, State]) -> None:
        complaints = []
        if not 1 <= len(body.strip()) <= LONGEST_BODY:
            complaints.append(Complaint("body", f"one to {LONGEST_BODY:,} characters"))
        known = {one.id for one in store.components(self.session)}
        complaints += [
            Complaint(f"components.{one}", "a component of the page") for one in components if one not in known
        ]
        complaints += [
            Complaint(f"components.{one}", "operational, degraded_performance, partial_outage or major_outage")
            for one, state in components.items()
            if state is State.MAINTENANCE
        ]
        if complaints:
            raise StatusInvalid("The update can't be shown so.", complaints=complaints)

    def _tell(self, fact: Event, by: str, source: str) -> None:
        journal.append(self.session, fact, by=by, source=source, at=self.clock.now())


def _require_standing(found: Update) -> None:
    if found.review is Review.DISCARDED:
        raise UpdateDiscarded("This draft was discarded. Write another.")
    if found.review is Review.WITHDRAWN:
        raise UpdateWithdrawn("This update was withdrawn. Write another.")


def _require_version(found: Update, version: int | None) -> None:
    if version is not None and version != found.version:
        raise UpdateChanged(f"It is version {found.version} by now, and you looked at version {version}. Look again.")


def _of(one: Update, incident: PublicIncident) -> dict[str, Any]:
    return {
        "update": one.id,
        "incident": incident.id,
        "title": incident.title,
        "stage": one.stage.value,
        "about": incident.incident,
    }


def _states(one: Update) -> dict[str, str]:
    return {name: state.value for name, state in one.components.items()}
