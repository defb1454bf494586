"""The list of objectives for spreadsheets: numbers as they are computed, not as pages round them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from watchkeeper.kernel.clock import rfc3339
from watchkeeper.kernel.web.csv_table import csv_text
from watchkeeper.modules.slo.model import Figures
from watchkeeper.modules.slo.pages_words import title, window

_HEADER = (
    *("slo", "title", "objective", "service", "status", "target", "window", "since", "good", "total", "share good"),
    *("share measured", "budget spent", "budget left", "bad events left", "minutes left", "burn over 1 h"),
    *("open alerts", "newest data"),
)


def as_csv(found: Iterable[Figures]) -> str:
    """One row an objective; empty cells where nothing was counted."""
    return csv_text(_HEADER, (_row(one) for one in found))


def _row(one: Figures) -> list[Any]:
    said, counts, budget = one.definition, one.counts, one.budget
    row: list[Any] = [said.name, title(said, one.objective), one.objective.name, said.service, one.status.value]
    row += [one.objective.target, window(said.window), rfc3339(one.since), counts.good, counts.total, one.share]
    row.append(one.covered)
    known = [budget.spent, 1 - budget.spent, budget.events_left, budget.minutes_left, one.burn]
    row += known if counts.total > 0 else [None] * len(known)
    return [*row, "; ".join(alert.action for alert in one.alerts), rfc3339(one.newest) if one.newest else None]
