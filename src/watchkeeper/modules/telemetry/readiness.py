"""Scorecard lines about telemetry: does a service send metrics, logs and traces?"""

from __future__ import annotations

from dataclasses import dataclass

from watchkeeper.kernel.clock import Clock, to_unix_nano
from watchkeeper.modules.catalog.public import Finding, Outcome, Service
from watchkeeper.modules.telemetry.model import DAY, Dataset
from watchkeeper.modules.telemetry.query import Telemetry
from watchkeeper.modules.telemetry.ranges import Range

_TITLES = {Dataset.SPANS: "traces", Dataset.LOGS: "logs", Dataset.METRICS: "metrics"}


@dataclass(frozen=True)
class Sends:
    """Whether anything of a kind came from the service within a day."""

    telemetry: Telemetry
    clock: Clock
    dataset: Dataset

    @property
    def key(self) -> str:
        return f"telemetry.{_TITLES[self.dataset]}"

    async def check(self, service: Service) -> Finding:
        now = to_unix_nano(self.clock.now())
        found = await self.telemetry.run(lambda t: self._newest(t, service.name, Range(now - DAY, now + DAY)))
        what = _TITLES[self.dataset]
        if found is None:
            return Finding(
                key=self.key,
                title=f"Sends {what}",
                outcome=Outcome.MISSING,
                detail=f"No {what} in the last 24 h.",
                how_to_fix=f"Start it with OpenTelemetry and OTEL_{what.upper()}_EXPORTER=otlp.",
            )
        seconds = max(0, (now - found) // 10**9)
        return Finding(self.key, f"Sends {what}", Outcome.OK, f"The newest is {_age(seconds)} old.")

    def _newest(self, telemetry: Telemetry, service: str, span: Range) -> int | None:
        rows = telemetry.newest_first(self.dataset, span, self._columns(), limit=1, service=service)
        return rows[0]["time"] if rows else None

    def _columns(self) -> tuple[str, ...]:
        return ("time", "span_id") if self.dataset is Dataset.SPANS else ("time", "hash(attributes) // 2 AS hash")


def _age(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"
