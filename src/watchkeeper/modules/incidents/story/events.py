"""The facts of stories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from watchkeeper.modules.incidents.events import OfIncident


@dataclass(frozen=True, kw_only=True)
class Undone(OfIncident):
    """Somebody undid something from an incident's story, or tried to. `result`: what came of it, an id."""

    kind: ClassVar[str] = "incidents.undone"

    undo: str
    target: str
    outcome: str
    result: str = ""

    @classmethod
    def describe(cls, data: Mapping[str, Any]) -> str:
        what = {
            "revert_change": f"undoing the change {data['target']}",
            "end_silence": f"ending the silence {data['target']}",
            "run_runbook": f"rolling back by the runbook {data['target']}",
        }.get(data["undo"], f"undoing {data['target']}")
        said = (
            "was refused" if data["outcome"] == "refused" else "was begun" if data["outcome"] == "begun" else "was done"
        )
        return f"{data['title']}: {what} {said}."
