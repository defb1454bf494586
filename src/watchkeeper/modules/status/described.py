"""What people and files say of the page and its components, and the mark of what files describe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from watchkeeper.kernel.clock import parse_rfc3339, rfc3339
from watchkeeper.modules.status.model import Component, ComponentSaid, PageSaid

COMPONENT, PAGE = "component", "page"
# There is one page; the name is what files call it by.
THE_PAGE = "public"
_FILES = "files"


@dataclass(frozen=True)
class Described:
    """A row: the page or a component. `from_files` is what files said last, `differs_since` when it was changed."""

    id: str
    kind: str
    name: str
    said: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    from_files: Mapping[str, Any] | None = None
    differs_since: datetime | None = None

    def content(self) -> dict[str, Any]:
        """For the row."""
        if self.from_files is None:
            return dict(self.said)
        since = rfc3339(self.differs_since) if self.differs_since else None
        return {**self.said, _FILES: {"said": dict(self.from_files), "differs_since": since}}

    def component(self) -> Component:
        return Component(
            id=self.id,
            name=self.name,
            said=component_said(self.said),
            created_at=self.created_at,
            updated_at=self.updated_at,
        )


def from_row(row: Any) -> Described:
    """The row as it was written."""
    said = dict(row.content)
    mark = said.pop(_FILES, None)
    since = mark["differs_since"] if mark else None
    return Described(
        row.id,
        row.kind,
        row.name,
        said,
        row.created_at,
        row.updated_at,
        mark["said"] if mark else None,
        parse_rfc3339(since) if since else None,
    )


def component_said(content: Mapping[str, Any]) -> ComponentSaid:
    lists = {name: tuple(content[name]) for name in ("services", "slos")}
    return ComponentSaid(**{**content, **lists})


def plain(said: ComponentSaid | PageSaid) -> dict[str, Any]:
    """As a row holds it and as facts tell it."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(said).items()}
