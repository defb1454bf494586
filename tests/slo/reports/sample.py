"""A report with something of everything in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from watchkeeper.modules.slo.definition import Agreement
from watchkeeper.modules.slo.model import AlertState, Cause, Counts, budget_of
from watchkeeper.modules.slo.reports.content import (
    AgreementReport,
    Change,
    GivenBack,
    LeftOut,
    ObjectiveReport,
    Reopening,
    Report,
    Revised,
    SloReport,
)
from watchkeeper.modules.slo.reports.credits import credits_for
from watchkeeper.modules.slo.reports.period import Period

OCTOBER = Period(2026, 10)
SINCE, UNTIL = OCTOBER.bounds("Europe/Oslo")
NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)
MONTH = UNTIL - SINCE
AGREEMENT = Agreement.model_validate(
    {
        "target": 0.999,
        "time_zone": "Europe/Oslo",
        "excludes": ["maintenance"],
        "tiers": [
            {
                "name": "gold",
                "fee": 1234.56,
                "credits": [{"below": 0.999, "credit": 0.1}, {"below": 0.99, "credit": 0.25}],
            },
            {"name": "basic", "credits": [{"below": 0.995, "credit": 0.05}]},
        ],
    }
)


def alert(at: datetime, **changes: object) -> AlertState:
    ended = at + timedelta(minutes=42)
    state = AlertState(
        "alr_1", "api", "main", "gateway", "burn", "page", "slo:api:main:page", at, ended, at, 1,
        ("14.4x over 1h and 5m",), 38.2, 0.31,
    )  # fmt: skip
    return replace(state, **changes)  # type: ignore[arg-type]


def objective(good: float = 998_600, total: float = 1_000_000, **changes: object) -> ObjectiveReport:
    counts = Counts(good, total, MONTH.total_seconds() * 0.98)
    began = SINCE + timedelta(days=12, hours=9)
    said = ObjectiveReport(
        name="main",
        display_name="",
        target=0.999,
        threshold=None,
        counts=counts,
        covered=0.98,
        budget=budget_of(counts, 0.999, timedelta(seconds=counts.measured), given_back=100),
        met=counts.bad - 100 <= 0.001 * total,
        alerts=(alert(began),),
        incidents=(Cause("alr_1", 900, 42_000, 900 / counts.bad, since=began, until=began + timedelta(hours=1)),),
        routes=(
            Cause("POST /api/orders", 1_100, 90_000, 0.785, "/services/gateway"),
            Cause("GET /api/items", 300, 400_000, 0.215),
        ),
        releases=(Cause("v2", 1_050, 500_000, 0.75, since=began, until=UNTIL),),
        changes=(Change(began - timedelta(minutes=12), "orders.retries in production: 3 became 0.", "/timeline"),),
        left_out=(
            LeftOut(
                "exc_1", "maintenance", began, began + timedelta(hours=2), "Database moves", 8_000, 7_500, True, True
            ),
        ),
        given_back=(GivenBack("adj_1", began, 100, "approved", "Load test of ours", "alr_1"),),
        revised=(
            Revised(began, began + timedelta(hours=2), 3, UNTIL, Counts(900, 1_000, 3_600), Counts(880, 1_000, 3_600)),
        ),
    )  # fmt: skip
    return replace(said, **changes)  # type: ignore[arg-type]


def slo_report(name: str = "api", **changes: object) -> SloReport:
    counts = Counts(998_600, 1_000_000, MONTH.total_seconds())
    agreement = AgreementReport(
        "main", "2026-10", SINCE, UNTIL, "Europe/Oslo", 0.999, counts, 1.0, False,
        objective().left_out, credits_for(AGREEMENT, counts), False,
    )  # fmt: skip
    said = SloReport(
        slo=name,
        display_name="Orders can be placed",
        service="gateway",
        indicator="availability",
        since=SINCE,
        until=UNTIL,
        time_zone="Europe/Oslo",
        objectives=(objective(),),
        agreements=(agreement,),
        state="reopened",
        version=2,
        made_at=NOW,
        reopened=(Reopening(NOW, 2, ("main: 1,380 bad of 1,000,000 events became 1,400 bad of 1,000,000 events",)),),
    )
    return replace(said, **changes)  # type: ignore[arg-type]


def quiet(name: str) -> SloReport:
    """One that has nothing to tell."""
    counts = Counts(999_990, 1_000_000, MONTH.total_seconds())
    plain = ObjectiveReport("main", "", 0.999, None, counts, 1.0, budget_of(counts, 0.999, MONTH), True)
    return slo_report(name, display_name="", objectives=(plain,), agreements=(), state="closed", version=1, reopened=())


def report(*slos: SloReport) -> Report:
    return Report(OCTOBER, NOW, slos or (slo_report(), quiet("search"), quiet("checkout")))
