"""What recovery makes of facts; told twice, they are harmless the second time."""

from __future__ import annotations

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.journal import Fact
from watchkeeper.kernel.journal.listeners import Listener
from watchkeeper.modules.alerts import events as alerts
from watchkeeper.modules.recovery.public import Recovering
from watchkeeper.modules.runbooks import events as runs
from watchkeeper.modules.slo import events as slo

_FIRES = (
    alerts.GroupOpened.kind,
    alerts.GroupReopened.kind,
    alerts.GroupEscalatedSeverity.kind,
    alerts.GroupUnsuppressed.kind,
)
_GOES_ON = (alerts.GroupResolved.kind, slo.AlertFired.kind, slo.AlertResolved.kind)


def listeners(recovering: Recovering, clock: Clock) -> tuple[Listener, ...]:
    """Who hears of alerts, of budgets that burn or no longer do, and of runs."""

    def fires(session: Session, fact: Fact) -> None:
        recovering.on(session, clock).consider(str(fact.data["group"]))

    def goes_on(session: Session, _fact: Fact) -> None:
        recovering.on(session, clock).look()

    def ran(session: Session, fact: Fact) -> None:
        recovering.on(session, clock).run_changed(str(fact.data["run"]))

    return (
        Listener("recovery.alerts", _FIRES, fires),
        Listener("recovery.symptoms", _GOES_ON, goes_on),
        Listener("recovery.runs", (runs.StepFinished.kind, runs.RunFinished.kind), ran),
    )
