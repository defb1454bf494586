"""What alerts make of facts from below: objectives that burn, sources that fall silent, work that was given up."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

from sqlalchemy.orm import Session

from watchkeeper.kernel.journal import Fact
from watchkeeper.kernel.journal.listeners import Listener
from watchkeeper.kernel.work import WorkFailed
from watchkeeper.modules.alerts.public import Alerting, OwnAlert
from watchkeeper.modules.slo.events import AlertFired, AlertResolved

# Nobody says when given-up work is well again; a day later it is no news.
_WORK_FORGOTTEN = timedelta(days=1)
_OWN_SERVICE = "watchkeeper"


def listeners(alerting: Alerting) -> tuple[Listener, ...]:
    """Watchkeeper's own sources. What is told twice is one alert."""

    def of_objective(session: Session, fact: Fact) -> None:
        alert = _of_slo(fact)
        if fact.kind == AlertFired.kind:
            alerting.raise_own(session, alert, at=fact.at)
        else:
            alerting.resolve_own(session, alert, at=fact.at)

    def of_work(session: Session, fact: Fact) -> None:
        alerting.raise_own(session, _of_work(fact), at=fact.at)

    return (
        Listener("alerts.slo", (AlertFired.kind, AlertResolved.kind), of_objective),
        Listener("alerts.work", (WorkFailed.kind,), of_work),
    )


def _of_slo(fact: Fact) -> OwnAlert:
    said = fact.data
    slo = str(said["slo"])
    silent = said["alert_kind"] == "source_silent"
    title = f"Nothing is measured: {said['detail']}" if silent else f"{slo} burns its error budget: {said['detail']}"
    details = {name: said[name] for name in ("objective", "rules", "burn", "budget_spent", "detail") if said.get(name)}
    return OwnAlert(
        source="slo",
        key=str(said["dedup_key"]),
        title=title,
        severity="critical" if said["action"] == "page" else "warning",
        service=fact.service,
        family="source silent" if silent else f"slo {slo}",
        slo=slo or None,
        labels={"slo": slo, "alert_kind": str(said["alert_kind"])},
        details=details,
        links=((f"The objective {slo}", f"/slos/{quote(slo)}"),) if slo else (),
        starts_at=fact.at if fact.kind == AlertFired.kind else None,
    )


def _of_work(fact: Fact) -> OwnAlert:
    kind = str(fact.data["work_kind"])
    return OwnAlert(
        source="work",
        key=kind,
        title=f"Gave up on {kind} after {fact.data['attempts']} attempts: {fact.data['error']}",
        severity="error",
        service=_OWN_SERVICE,
        family=f"work {kind}",
        details=dict(fact.data),
        auto_resolve=_WORK_FORGOTTEN,
    )
