"""A report for spreadsheets: one row for each thing, its kind in the first column. No cell starts a formula."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from watchkeeper.kernel.clock import rfc3339
from watchkeeper.kernel.web.csv_table import csv_text
from watchkeeper.modules.slo.reports.content import AgreementReport, ObjectiveReport, Report, SloReport

COLUMNS = (
    "kind",
    "slo",
    "objective",
    "service",
    "period",
    "state",
    "since",
    "until",
    "what",
    "target",
    "share",
    "good_events",
    "bad_events",
    "all_events",
    "measured_share",
    "met",
    "budget_spent",
    "budget_left",
    "events_given_back",
    "tier",
    "credit_rate",
    "fee",
    "credit",
    "currency",
    "arithmetic",
)


def report_csv(report: Report) -> str:
    """All of a report; shares are from 0 to 1, times in UTC."""
    rows = (row for slo in report.slos for row in _slo(slo, report.period.label))
    return csv_text(COLUMNS, ([row.get(column) for column in COLUMNS] for row in rows))


def _slo(slo: SloReport, period: str) -> Iterator[dict[str, Any]]:
    same = {"slo": slo.slo, "service": slo.service, "period": period, "state": slo.state}
    for one in slo.objectives:
        for row in _objective(slo, one):
            yield {**same, "objective": one.name, **row}
    for agreement in slo.agreements:
        for row in _agreement(agreement):
            yield {**same, "objective": agreement.objective, **row, "period": agreement.period}
    for again in slo.reopened:
        yield {**same, "kind": "reopening", "since": rfc3339(again.at), "what": "; ".join(again.why)}


def _objective(slo: SloReport, one: ObjectiveReport) -> Iterator[dict[str, Any]]:
    yield {
        "kind": "objective",
        "since": rfc3339(slo.since),
        "until": rfc3339(slo.until),
        "what": one.display_name or slo.display_name,
        "target": one.target,
        "share": one.counts.share,
        "good_events": one.counts.good,
        "bad_events": one.counts.bad,
        "all_events": one.counts.total,
        "measured_share": one.covered,
        "met": _yes(one.met),
        "budget_spent": one.budget.spent,
        "budget_left": one.budget.remaining,
        "events_given_back": one.budget.given_back,
    }
    for month in one.months:
        yield {
            "kind": "month",
            "period": month.period,
            "target": one.target,
            "share": month.counts.share,
            "good_events": month.counts.good,
            "bad_events": month.counts.bad,
            "all_events": month.counts.total,
            "measured_share": month.covered,
            "met": _yes(month.met),
        }
    for alert in one.alerts:
        ended = None if alert.resolved_at is None else rfc3339(alert.resolved_at)
        held = "; ".join(alert.rules) or alert.detail
        yield {"kind": "alert", "since": rfc3339(alert.started_at), "until": ended, "what": f"{alert.action}: {held}"}
    for kind, causes in (("incident", one.incidents), ("release", one.releases), ("route", one.routes)):
        for cause in causes:
            yield {
                "kind": kind,
                "what": cause.name,
                "since": None if cause.since is None else rfc3339(cause.since),
                "until": None if cause.until is None else rfc3339(cause.until),
                "bad_events": cause.bad,
                "all_events": cause.total,
            }
    for change in one.changes:
        yield {"kind": "change", "since": rfc3339(change.at), "what": change.what}
    yield from _records(one)


def _records(one: ObjectiveReport) -> Iterator[dict[str, Any]]:
    """What changed the figures: exclusions, adjustments, late data."""
    for out in one.left_out:
        yield {
            "kind": "exclusion",
            "state": "withdrawn" if out.withdrawn else "left out" if out.out_of_budget else "counted",
            "since": rfc3339(out.since),
            "until": None if out.until is None else rfc3339(out.until),
            "what": f"{out.kind}: {out.reason}",
            "bad_events": out.bad,
            "all_events": out.total,
        }
    for back in one.given_back:
        yield {
            "kind": "adjustment",
            "state": back.state,
            "since": rfc3339(back.at),
            "what": back.reason,
            "events_given_back": back.events,
        }
    for late in one.revised:
        yield {
            "kind": "revision",
            "since": rfc3339(late.first_hour),
            "what": f"{late.hours} hours found late at {rfc3339(late.found_at)}",
            "bad_events": late.after.bad - late.before.bad,
            "all_events": late.after.total - late.before.total,
        }


def _agreement(one: AgreementReport) -> Iterator[dict[str, Any]]:
    same = {
        "state": "provisional" if one.provisional else "final",
        "since": rfc3339(one.since),
        "until": rfc3339(one.until),
        "target": one.target,
        "share": one.counts.share,
        "good_events": one.counts.good,
        "bad_events": one.counts.bad,
        "all_events": one.counts.total,
        "measured_share": one.covered,
        "met": _yes(one.met),
    }
    yield {"kind": "agreement", **same}
    for tier in one.tiers:
        yield {
            "kind": "credit",
            **same,
            "tier": tier.tier,
            "credit_rate": float(tier.rate),
            "fee": tier.fee,
            "credit": tier.amount,
            "currency": tier.currency,
            "arithmetic": "; ".join(tier.steps),
        }


def _yes(met: bool | None) -> str | None:
    return None if met is None else "yes" if met else "no"
