"""The verbs of the page and its components."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.ids import new_id
from watchkeeper.modules.status import store
from watchkeeper.modules.status.described import COMPONENT, PAGE, THE_PAGE, Described, plain
from watchkeeper.modules.status.errors import ComponentIsManaged, ComponentNotFound, StatusInvalid
from watchkeeper.modules.status.events import ComponentPut, ComponentRemoved, PagePut, PageRemoved
from watchkeeper.modules.status.model import ComponentSaid, PageSaid

NAME = r"[a-z0-9][a-z0-9-]{0,62}"
# The source of what files say.
FILES = "ops"


@dataclass(frozen=True)
class StatusPage:
    """Says what the page is called and what it is made of, on one session."""

    session: Session
    clock: Clock

    def put_page(self, said: PageSaid, *, by: str, source: str) -> Described:
        """The page is called this from now on. Raises StatusInvalid."""
        require_sound_page(said)
        journal.take_turn(self.session)
        before = store.page(self.session)
        after = self._put(PAGE, THE_PAGE, before, plain(said), source)
        if before is None or before.said != after.said:
            fact = PagePut(described=after.id, name=THE_PAGE, before=before.said if before else None, after=after.said)
            journal.append(self.session, fact, by=by, source=source, at=self.clock.now())
        return after

    def remove_page(self, *, by: str, source: str) -> None:
        """Nothing is said of the page any more; harmless when nothing was."""
        found = store.page(self.session)
        if found is not None:
            store.remove_described(self.session, found)
            fact = PageRemoved(described=found.id, name=found.name)
            journal.append(self.session, fact, by=by, source=source, at=self.clock.now())

    def put_component(self, name: str, said: ComponentSaid, *, by: str, source: str) -> Described:
        """A component is described so from now on. Raises StatusInvalid."""
        require_sound_component(name, said)
        # Two who add the same one at the same moment do so one after the other.
        journal.take_turn(self.session)
        before = store.one_described(self.session, COMPONENT, name)
        if before is None and len(store.all_described(self.session, COMPONENT)) >= store.MOST_COMPONENTS:
            raise StatusInvalid(f"A page has at most {store.MOST_COMPONENTS} components.")
        after = self._put(COMPONENT, name, before, plain(said), source)
        if before is None or before.said != after.said:
            fact = ComponentPut(described=after.id, name=name, before=before.said if before else None, after=after.said)
            journal.append(self.session, fact, by=by, source=source, at=self.clock.now())
        return after

    def remove_component(self, name: str, *, reason: str, by: str, source: str) -> None:
        """It is gone, with its history. Raises ComponentNotFound, or ComponentIsManaged for one of the files."""
        found = store.one_described(self.session, COMPONENT, name)
        if found is None:
            raise ComponentNotFound(f"There is no component {name}.")
        if found.from_files is not None and source != FILES:
            raise ComponentIsManaged(f"{name} is described in ops/status.yaml: take it away there and apply.")
        store.remove_described(self.session, found)
        fact = ComponentRemoved(described=found.id, name=name, reason=reason.strip())
        journal.append(self.session, fact, by=by, source=source, at=self.clock.now())

    def _put(self, kind: str, name: str, before: Described | None, said: Mapping[str, Any], source: str) -> Described:
        now = self.clock.now()
        made = before or Described(new_id("cmp" if kind == COMPONENT else "spg"), kind, name, {}, now, now)
        after = replace(made, said=said, updated_at=now if made.said != said else made.updated_at)
        if source == FILES:
            after = replace(after, from_files=said, differs_since=None)
        elif after.from_files is not None:
            after = replace(after, differs_since=None if said == after.from_files else after.differs_since or now)
        if after != before:
            store.put_described(self.session, after)
        return after


def require_sound_page(said: PageSaid) -> None:
    """Raises StatusInvalid."""
    complaints = []
    if not 1 <= len(said.title) <= 100 or _has_controls(said.title):
        complaints.append(Complaint("title", "one to 100 characters on one line"))
    for name, url in (("url", said.url), ("support_url", said.support_url)):
        if url and not _is_web_address(url):
            complaints.append(Complaint(name, "an address that begins with https:// or http://"))
    if complaints:
        raise StatusInvalid("The page can't be called so.", complaints=complaints)


def require_sound_component(name: str, said: ComponentSaid) -> None:
    """Raises StatusInvalid."""
    complaints = []
    if not re.fullmatch(NAME, name):
        complaints.append(Complaint("name", "up to 63 small letters, digits and dashes, such as sign-in"))
    for field, text, most in (("title", said.title, 100), ("group", said.group, 100)):
        if len(text) > most or _has_controls(text):
            complaints.append(Complaint(field, f"at most {most} characters on one line"))
    if len(said.description) > 500:
        complaints.append(Complaint("description", "at most 500 characters"))
    if not -1_000_000 <= said.order <= 1_000_000:
        complaints.append(Complaint("order", "a whole number of at most a million"))
    for field, names in (("services", said.services), ("slos", said.slos)):
        if len(names) > 100 or any(not 1 <= len(one) <= 200 or _has_controls(one) for one in names):
            complaints.append(Complaint(field, "at most 100 names"))
    if complaints:
        raise StatusInvalid("The component can't be described so.", complaints=complaints)


def _has_controls(text: str) -> bool:
    return any(ord(one) < 32 or ord(one) == 127 for one in text)


def _is_web_address(url: str) -> bool:
    try:
        parsed = urlsplit(url)
    except ValueError:
        return False
    return parsed.scheme in ("http", "https") and bool(parsed.hostname) and len(url) <= 500 and not _has_controls(url)
