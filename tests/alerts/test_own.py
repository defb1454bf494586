"""What Watchkeeper notices itself becomes alerts, however often it is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.alerts.support import Stage
from watchkeeper.kernel import journal
from watchkeeper.kernel.journal.listeners import Dispatcher
from watchkeeper.kernel.work import WorkFailed
from watchkeeper.modules.alerts.listeners import listeners
from watchkeeper.modules.alerts.model import Severity, Status
from watchkeeper.modules.slo.events import AlertFired, AlertResolved

BURN: dict[str, Any] = {
    "slo": "checkout",
    "service_name": "shop",
    "alert": "sla_1",
    "objective": "99.9",
    "alert_kind": "burn",
    "action": "page",
    "dedup_key": "slo/checkout/99.9/page",
    "detail": "14.4x over 1 h",
}


def hear(stage: Stage, *facts: journal.Event) -> None:
    with stage.database.begin() as session:
        for fact in facts:
            journal.append(session, fact, by="system:slo", source="worker", at=stage.clock.now())
    Dispatcher(stage.database, stage.clock, listeners(stage.alerting)).run_once()


def test_a_burning_objective_is_an_alert_until_it_is_over(stage: Stage) -> None:
    hear(stage, AlertFired(**BURN, burn=14.4))
    group = stage.group()
    assert (group.slo, group.service, group.severity) == ("checkout", "shop", Severity.CRITICAL)
    hear(stage, AlertFired(**BURN, repeated=True))
    assert stage.group().event_count == 2
    stage.clock.advance(timedelta(minutes=1))
    hear(stage, AlertResolved(**BURN))
    assert stage.group().status is Status.RESOLVED


def test_a_ticket_is_a_warning_and_a_silent_source_says_so(stage: Stage) -> None:
    ticket = {**BURN, "action": "ticket", "dedup_key": "slo/checkout/99.9/ticket"}
    silent = {**BURN, "slo": "", "alert_kind": "source_silent", "dedup_key": "source/prom", "detail": "prom is away"}
    hear(stage, AlertFired(**ticket), AlertFired(**silent))
    worst, other = stage.groups()
    assert (worst.title, worst.slo) == ("Nothing is measured: prom is away", None)
    assert other.severity is Severity.WARNING


def test_work_that_was_given_up_is_one_alert_a_kind(stage: Stage) -> None:
    failed = [WorkFailed(work_id=f"w{one}", work_kind="backup.make", attempts=10, error="OSError") for one in range(3)]
    hear(stage, *failed)
    group = stage.group()
    assert (group.service, group.event_count, group.alert_count) == ("watchkeeper", 3, 1)
    stage.pass_time(timedelta(days=1))
    assert stage.group().status is Status.RESOLVED
