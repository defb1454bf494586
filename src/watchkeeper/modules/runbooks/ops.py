"""`ops/runbooks/*.md`: runbooks as code. They are written in files and nowhere else, so they never differ from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.ops import Change, Complaints, Drifted, Located, PlanOutdated
from watchkeeper.modules.runbooks import store
from watchkeeper.modules.runbooks.reading import content_of, read_text
from watchkeeper.modules.runbooks.service import Runbooks
from watchkeeper.modules.runbooks.wire import RunbookFile

_README = """\
# Runbooks

Markdown with front matter: one file a service, one an alert that needs more than a section. Each is shown beside its
service and its alerts, and blocks that say so can be run from there once somebody signed the file off.

```
watchkeeper runbook new --service shop        begins one from the template
watchkeeper runbook lint ops/runbooks         sections, links, names, commands, reviews
```

A step is a block with braces: `sh {run=shell id=restart confirm=second timeout=2m}`. An item `- [ ] …` is a step that
a person does. An input `release` of the front matter is the variable `$WK_RELEASE` of a script.
"""


@dataclass(frozen=True)
class RunbookKind:
    """Runbooks in plan and apply."""

    name: str = "runbook"
    pattern: str = "runbooks/*.md"
    model: type[BaseModel] = RunbookFile
    examples: Mapping[str, str] = field(default_factory=lambda: {"runbooks/README.md": _README})

    def read_text(self, file: str, text: str, complaints: Complaints) -> Iterable[Located[Any]]:
        """The runbook of a file."""
        found = read_text(file, text, complaints)
        return [found[0]] if found is not None else []

    def write_text(self, document: Mapping[str, Any]) -> str:
        """The file as it was given."""
        return str(document["text"])

    def plan(
        self,
        session: Session,
        desired: Sequence[Located[Any]],
        complaints: Complaints,  # noqa: ARG002 (what fits its shape fits)
    ) -> list[Change]:
        """Created, changed, unchanged, and those that no file names any more."""
        existing = {one.name: one for one in store.all_runbooks(session)}
        changes = []
        for one in desired:
            content, where = content_of(one.value.name, one.value.text), str(one.document.at)
            held = existing.pop(one.value.name, None)
            if held is None:
                fields: dict[str, tuple[Any, Any]] = {
                    "title": (None, content.title),
                    "revision": (None, content.revision),
                }
                changes.append(Change("create", self.name, content.name, fields, where))
            elif held.revision == content.revision:
                changes.append(Change("unchanged", self.name, content.name, where=where))
            else:
                note = "its steps wait to be signed off again" if held.approved and content.steps else ""
                fields = {"revision": (held.revision, content.revision)}
                if held.title != content.title:
                    fields["title"] = (held.title, content.title)
                changes.append(Change("update", self.name, content.name, fields, where, note))
        for held in existing.values():
            gone = {"title": (held.title, None), "revision": (held.revision, None)}
            changes.append(Change("delete", self.name, held.name, gone, note="no file holds it any more"))
        return sorted(changes, key=lambda change: change.name)

    def apply(self, session: Session, change: Change, desired: Any | None, *, by: str, at: datetime) -> None:
        """One change, if the runbook still is what the plan saw."""
        if store.revision(session, change.name, lock=True) != change.fields["revision"][0]:
            raise PlanOutdated(f"{change.name} was changed by somebody else just now. Plan again.")
        runbooks = Runbooks(session, ManualClock(at))
        if desired is None:
            runbooks.remove(change.name, by=by, source="ops")
        else:
            runbooks.put(content_of(desired.name, desired.text), by=by, source="ops")

    def export(self, session: Session) -> list[tuple[str, dict[str, Any]]]:
        """Each file as it was given."""
        return [
            (f"runbooks/{one.name}.md", {"name": one.name, "text": one.content.text})
            for one in store.all_runbooks(session)
        ]

    def drift(self, session: Session) -> list[Drifted]:  # noqa: ARG002 (nothing but files changes a runbook)
        """None: nothing but files changes a runbook."""
        return []


OPS_KINDS = (RunbookKind(),)
