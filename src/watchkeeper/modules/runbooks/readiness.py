"""The scorecard's line about runbooks: is there one for whoever is woken, and is it clean?"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.modules.catalog.public import Finding, Outcome, Service
from watchkeeper.modules.runbooks import public
from watchkeeper.modules.runbooks.lint import Problem
from watchkeeper.modules.runbooks.model import Runbook
from watchkeeper.modules.runbooks.public import Linting

_TITLE = "Has a clean runbook"


@dataclass(frozen=True)
class HasRunbook:
    """Whether a service has a runbook in which lint finds nothing."""

    db: Database
    clock: Clock
    linting: Linting
    key: str = "runbooks.runbook"

    async def check(self, service: Service) -> Finding:
        today = self.clock.now().date()

        def read(session: Session) -> tuple[Runbook | None, list[Problem]]:
            found = public.for_service(session, service.name)
            return found, self.linting.of_service(session, service.name, today) if found is not None else []

        found, problems = await self.db.ask(read)
        if found is None:
            return Finding(
                self.key,
                _TITLE,
                Outcome.MISSING,
                "Nobody wrote down what to do at night.",
                f"Begin one: `watchkeeper runbook new --service {service.name}`.",
                "/runbooks",
            )
        href = f"/runbooks/{quote(found.name)}"
        if problems:
            count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}: {problems[0].text}"
            return Finding(self.key, _TITLE, Outcome.MISSING, count, "Mend what lint says of it.", href)
        reviewed = f", reviewed on {found.reviewed_at}" if found.reviewed_at else ""
        return Finding(self.key, _TITLE, Outcome.OK, f"{found.title}{reviewed}.", "", href)
