"""What files said last of an integration or a heartbeat, and since when it is otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from watchkeeper.kernel.clock import parse_rfc3339, rfc3339

# In the content of a row, beside what people say.
FIELD = "files"


@dataclass(frozen=True)
class FromFiles:
    """The mark of what is described in files."""

    said: Mapping[str, Any]
    differs_since: datetime | None = None

    @classmethod
    def within(cls, content: Mapping[str, Any]) -> FromFiles | None:
        """The mark in the content of a row; None for what files never described."""
        kept = content.get(FIELD)
        if kept is None:
            return None
        since = kept["differs_since"]
        return cls(kept["said"], parse_rfc3339(since) if since is not None else None)

    def into(self) -> dict[str, Any]:
        """For the content of a row."""
        since = rfc3339(self.differs_since) if self.differs_since is not None else None
        return {FIELD: {"said": dict(self.said), "differs_since": since}}

    def after(self, said: Mapping[str, Any], at: datetime) -> FromFiles:
        """The mark once somebody said this elsewhere."""
        return FromFiles(self.said, None if said == self.said else self.differs_since or at)


def into(mark: FromFiles | None) -> dict[str, Any]:
    """For the content of a row."""
    return mark.into() if mark is not None else {}
