"""What is written on an incident: notes, decisions, files and updates."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from watchkeeper.kernel.ids import new_id
from watchkeeper.modules.incidents import files, store_records
from watchkeeper.modules.incidents.checking import invalid, text_of
from watchkeeper.modules.incidents.desk import Desk, about_it
from watchkeeper.modules.incidents.errors import EntryNotFound
from watchkeeper.modules.incidents.events import EntryPinned, UpdatePosted
from watchkeeper.modules.incidents.model import Entry, EntryKind, Incident, Status, Update

# The same words again within it are the same update, sent twice; later they are news: still so.
_TWICE = timedelta(minutes=5)


def note(desk: Desk, incident_id: str, text: str, *, pinned: bool = False, decision: bool = False) -> Entry:
    """As `Incidents.note` and `decide`."""
    one = desk.load(incident_id)
    kind = EntryKind.DECISION if decision else EntryKind.NOTE
    made = desk.enter(one, kind, text_of(text, "text"), pinned=pinned)
    _worked_on(desk, one, f"wrote a {kind}")
    return made


def pin(desk: Desk, incident_id: str, entry_id: str, pinned: bool) -> Entry:
    """As `Incidents.pin`."""
    one = desk.load(incident_id)
    found = store_records.entry(desk.session, one.id, entry_id)
    if found is None:
        raise EntryNotFound("This incident has no such entry.")
    if found.pinned is not pinned:
        store_records.set_pinned(desk.session, found.id, pinned)
        desk.tell(EntryPinned(**about_it(one), entry=found.id, pinned=pinned))
    return replace(found, pinned=pinned)


def attach(desk: Desk, incident_id: str, file_name: str, content: bytes, text: str) -> Entry:
    """As `Incidents.attach`."""
    one = desk.load(incident_id)
    name, media_type = files.taken(file_name, content, largest=desk.settings.attachment_bytes)
    held = [entry for entry in store_records.entries_of(desk.session, one.id) if entry.kind is EntryKind.ATTACHMENT]
    if len(held) >= files.MOST:
        raise invalid("file", f"at most {files.MOST} files of one incident")
    said = text_of(text, "text", needed=False)
    made = desk.enter(
        one,
        EntryKind.ATTACHMENT,
        said,
        content=content,
        file_name=name,
        media_type=media_type,
        size=len(content),
    )
    _worked_on(desk, one, "added a file")
    return made


def posted_already(
    desk: Desk, incident_id: str, text: str, *, public: bool, status: Status | None, key: str | None
) -> Update | None:
    """The update that this one repeats: of the same key, or the newest if it says the same and is minutes old."""
    one = desk.load(incident_id)
    if key is not None:
        return store_records.update_of_key(desk.session, one.id, _key(key))
    newest = store_records.updates_of(desk.session, one.id, limit=1)
    said = text_of(text, "text")
    same = [before for before in newest if before.text == said and before.public is public]
    return next(
        (
            before
            for before in same
            if desk.now - before.at <= _TWICE and (status is None or before.status is status) and before.by == desk.by
        ),
        None,
    )


def post_update(desk: Desk, incident_id: str, text: str, *, public: bool, key: str | None) -> Update:
    """As `Incidents.post_update`; its status and severity are those that the incident has."""
    one = desk.load(incident_id)
    made = Update(
        id=new_id("upd"),
        incident_id=one.id,
        text=text_of(text, "text"),
        status=one.status,
        severity=one.severity,
        public=public,
        at=desk.now,
        by=desk.by,
    )
    store_records.add_update(desk.session, made, _key(key) if key is not None else made.id)
    after = desk.joined(replace(one, last_update_at=desk.now), "posted an update")
    fact = UpdatePosted(**about_it(after), update=made.id, public=public, status=one.status.value)
    desk.save(after, fact)
    return made


def _key(said: str) -> str:
    if not 1 <= len(said) <= 100 or not said.isprintable():
        raise invalid("key", "1 to 100 characters that can be printed")
    return f"said:{said}"


def _worked_on(desk: Desk, one: Incident, how: str) -> None:
    after = desk.joined(one, how)
    # Nothing else of the incident changes by a line on its record: its version stays, so that nobody is refused.
    if one.is_open and after.responded_at != one.responded_at:
        desk.save(after)
