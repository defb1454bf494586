"""Where counts come from: what every source promises. The embedded telemetry is in `sources_embedded`,
Prometheus-compatible servers in `sources_prometheus`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from watchkeeper.modules.slo.definition import Availability, Definition, Freshness, Latency, Ratio, Responses
from watchkeeper.modules.slo.model import Counts
from watchkeeper.modules.slo.store import Stored

Minutes = dict[int, Counts]
Key = tuple[str, str]


@dataclass
class Reading:
    """Counts by objective and minute. `newest` is by source (`service:…` or `data_source:…`) the end of the last minute
    in which it said anything; `problems` why one did not answer."""

    counts: dict[Key, Minutes] = field(default_factory=dict)
    newest: dict[str, float] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def take(self, other: Reading) -> None:
        """Add what another source said."""
        self.counts |= other.counts
        self.newest |= other.newest
        self.problems |= other.problems


class Source(Protocol):
    """Answers for the SLOs that are its own."""

    def owns(self, definition: Definition) -> bool:
        """Whether it answers for this SLO."""
        ...

    def read(self, wanted: Sequence[Stored], since: int, until: int, now: float) -> Reading:
        """Counts of whole minutes in [since, until), Unix seconds; the one that holds `now` is told so far.

        Never raises for a source that does not answer: that is a problem of the reading.
        """
        ...

    def hours(self, wanted: Sequence[Stored], since: int, until: int) -> dict[Key, dict[int, Counts]]:
        """History by whole hours, of which no minutes are asked any more; what it can't tell is left out."""
        ...

    def forget(self, before: int) -> None:
        """Drop what is remembered of the time before an instant."""
        ...


def source_of(definition: Definition) -> str:
    """What has to answer for an SLO, as a name: `service:gateway` or `data_source:prometheus`."""
    indicator = definition.indicator
    if isinstance(indicator, Ratio):
        if indicator.total.data_source is not None:
            return f"data_source:{indicator.total.data_source}"
        return f"service:{indicator.total.service}"
    if isinstance(indicator, (Availability, Latency, Responses, Freshness)):
        return f"service:{indicator.service}"
    return ""
