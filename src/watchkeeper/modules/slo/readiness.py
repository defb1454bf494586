"""The scorecard's line about objectives: does anybody say how good a service has to be?"""

from __future__ import annotations

from dataclasses import dataclass

from watchkeeper.kernel.db.database import Database
from watchkeeper.modules.catalog.public import Finding, Outcome, Service
from watchkeeper.modules.slo import store


@dataclass(frozen=True)
class HasObjectives:
    """Whether a service has an SLO that alerts."""

    db: Database
    key: str = "slo.objectives"

    async def check(self, service: Service) -> Finding:
        found = await self.db.ask(lambda session: store.all_definitions(session, service=service.name))
        alerting = [one for one in found if one.definition.alerting.enabled]
        if alerting:
            names = ", ".join(one.name for one in alerting[:3])
            return Finding(
                key=self.key,
                title="Has objectives",
                outcome=Outcome.OK,
                detail=f"{len(alerting)} with alerts: {names}" + ("…" if len(alerting) > 3 else ""),
            )
        return Finding(
            key=self.key,
            title="Has objectives",
            outcome=Outcome.MISSING,
            detail="No SLO of it alerts." if found else "Nobody says how good it has to be.",
            how_to_fix="Define an SLO: `watchkeeper slo suggest` proposes one from its traffic.",
        )
