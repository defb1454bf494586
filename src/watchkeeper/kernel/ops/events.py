"""The fact that files were applied; each object's own fact stands beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from watchkeeper.kernel.journal import Event


@dataclass(frozen=True, kw_only=True)
class FilesApplied(Event):
    kind: ClassVar[str] = "ops.applied"

    created: int
    changed: int
    deleted: int
    fingerprint: str
    # Objects that were as the files say already, and belong to them since.
    adopted: int = 0

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        counts = [f"{data[what]} {what}" for what in ("created", "changed", "deleted", "adopted") if data.get(what)]
        return f"Applied ops/: {', '.join(counts) or 'nothing to do'}."
