"""A report as a document of headings, sentences, bars and tables. Every form of it is made of this one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal
from urllib.parse import quote
from zoneinfo import ZoneInfo

from watchkeeper.modules.slo.model import Cause
from watchkeeper.modules.slo.reports.blocks import Bar, Block, Heading, Sheet, Steps, Tone, Words
from watchkeeper.modules.slo.reports.content import (
    AgreementReport,
    LeftOut,
    ObjectiveReport,
    Report,
    SloReport,
)
from watchkeeper.modules.slo.reports.credits import shown_events, shown_money, shown_share, shown_target
from watchkeeper.modules.slo.reports.period import Period

_LOW = 0.25  # of the budget
_MOST_ROWS = 40  # of a table in a short report


def report_path(period: Period, service: str | None, ending: str = "") -> str:
    """Where a report is looked at, or downloaded from with an ending such as `.pdf`."""
    return f"/slos/reports/{period.label}{ending}" + (f"?service={quote(service, safe='')}" if service else "")


def short(report: Report) -> list[Block]:
    """What was promised, kept and is owed, without the reasons."""
    found: list[Block] = []
    for block in _head(report):
        if isinstance(block, Sheet) and len(block.rows) > _MOST_ROWS:
            found += [replace(block, rows=block.rows[:_MOST_ROWS]), Words(f"And {len(block.rows) - _MOST_ROWS} more.")]
        else:
            found.append(block)
    return [*found, Words("Alerts, causes and arithmetic of each objective are in the whole report.")]


def document(report: Report) -> list[Block]:
    """All of a report, worst first."""
    blocks = _head(report)
    for slo in report.slos:
        blocks += of_slo(slo)
    return [*blocks, Heading("How to read this", 2, "reading"), *(Words(one) for one in _READING)]


def _head(report: Report) -> list[Block]:
    blocks: list[Block] = [Heading(_capital(report.title), 1), *_notes(report)]
    if not report.slos:
        return [*blocks, Words("There is no SLO to report of.")]
    blocks += [Heading("Overview", 2, "overview"), _overview(report)]
    owed = _owed(report)
    if owed is not None:
        blocks += [Heading("Credits", 2, "credits"), owed]
    return blocks


_READING = (
    "Each percentage is good events of all events counted in the period, never a mean of percentages; the counts stand "
    "beside it. It is cut, not rounded.",
    "Time that was not measured counts neither as good nor as bad. The measured share of the period stands beside the "
    "counts.",
    "Counts are kept by the hour (UTC); an hour belongs to the period that it begins in.",
    "An agreement counts every event but those in the exclusions that it names. What was given back to an error budget "
    "is not taken off there.",
)


def of_slo(slo: SloReport) -> list[Block]:
    """One SLO: its objectives, then its agreement."""
    zone = slo.time_zone
    blocks: list[Block] = [
        Heading(name_of(slo), 2, slo.slo),
        Words(
            f"{slo.indicator.capitalize()} of {slo.service}, {_date(slo.since, zone)} to {_date(slo.until, zone)} "
            f"({zone}). {_state(slo)}"
        ),
    ]
    blocks += [
        Words(
            f"Changed after it was closed, version {one.version} of {_time(one.at, zone)}: {'; '.join(one.why)}.",
            "warning",
        )
        for one in slo.reopened
    ]
    for one in slo.objectives:
        blocks += _objective(slo, one)
    for agreement in slo.agreements:
        blocks += _agreement(agreement)
    return blocks


def name_of(slo: SloReport) -> str:
    """What people call it."""
    return slo.display_name or slo.slo


def verdict(met: bool | None, *, runs: bool) -> str:
    """In one word or two."""
    if met is None:
        return "not measured"
    if runs:
        return "met so far" if met else "missed so far"
    return "met" if met else "missed"


def tone_of(one: ObjectiveReport) -> Tone:
    """How bad it is."""
    if one.met is None:
        return "muted"
    if not one.met:
        return "danger"
    return "warning" if one.budget.remaining < _LOW else "ok"


def budget_left(one: ObjectiveReport) -> str:
    """`72.2 %`, or how far beyond it went."""
    if one.met is None:
        return "not measured"
    if one.budget.overspent > 0:
        return f"0 %, overspent by {one.budget.overspent:.1%}".replace("%", " %").replace("  ", " ")
    return f"{int(one.budget.remaining * 1000) / 10:.1f} %"


def _notes(report: Report) -> Iterable[Block]:
    yield Words(f"Made at {_time(report.made_at, 'UTC')} UTC.")
    if report.is_provisional:
        runs = any(slo.made_at < slo.until for slo in report.slos if slo.state == "provisional")
        why = "the period runs" if runs else "not all of it is closed yet"
        yield Words(f"Provisional, since {why}: numbers may change.", "warning")
    changed = [slo.slo for slo in report.slos if slo.state == "reopened"]
    if changed:
        yield Words(
            f"Changed after the period was closed: {', '.join(changed)}. The reasons stand with each.", "warning"
        )


def _overview(report: Report) -> Sheet:
    rows, links = [], []
    for slo, one in report.objectives:
        title = name_of(slo) if len(slo.objectives) == 1 else f"{name_of(slo)}: {one.display_name or one.name}"
        rows.append(
            (
                title,
                shown_target(one.target),
                shown_share(one.counts),
                verdict(one.met, runs=slo.made_at < slo.until),
                budget_left(one),
                shown_events(one.counts.bad),
                shown_events(one.counts.total),
                _share(one.covered),
            )
        )
        links.append(f"#{slo.slo}")
    header = ("Objective", "Target", "Actual", "Verdict", "Budget left", "Bad events", "All events", "Measured")
    return Sheet(header, tuple(rows), frozenset({1, 2, 4, 5, 6, 7}), tuple(links))


def _owed(report: Report) -> Sheet | None:
    rows = []
    for slo in report.slos:
        for agreement in slo.agreements:
            for tier in agreement.tiers:
                owed = shown_target(tier.rate) if tier.amount is None else shown_money(tier.amount, tier.currency)
                state = "provisional" if agreement.provisional else "final" if slo.state == "closed" else slo.state
                rows.append(
                    (
                        name_of(slo),
                        agreement.period,
                        tier.tier,
                        shown_share(agreement.counts),
                        shown_target(tier.rate),
                        f"{owed} of the fee" if tier.amount is None else owed,
                        state,
                    )
                )
    if not rows:
        return None
    header = ("Agreement", "Period", "Customers", "Actual", "Credit", "Owed to each", "State")
    return Sheet(header, tuple(rows), frozenset({3, 4, 5}))


def _objective(slo: SloReport, one: ObjectiveReport) -> list[Block]:
    name = one.display_name or ("Objective" if len(slo.objectives) == 1 else one.name)
    within = f" within {one.threshold}" if one.threshold else ""
    blocks: list[Block] = [
        Heading(f"{name}: {shown_target(one.target)}{within}", 3),
        Words(
            f"Actual {shown_share(one.counts)}: {shown_events(one.counts.good)} good of "
            f"{shown_events(one.counts.total)} events, {shown_events(one.counts.bad)} bad. "
            f"{_share(one.covered)} of the time was measured."
        ),
        Bar(one.budget.remaining, _budget(one), tone_of(one)),
    ]
    zone = slo.time_zone
    months = [
        (each.period, shown_share(each.counts), verdict(each.met, runs=False), shown_events(each.counts.bad),
         shown_events(each.counts.total), _share(each.covered))
        for each in one.months
    ]  # fmt: skip
    header = ("Month", "Actual", "Verdict", "Bad events", "All events", "Measured")
    blocks += _titled("Month by month", header, months, {1, 3, 4, 5})
    blocks += _titled("Alerts", ("Began", "Lasted", "Kind", "Burn rate", "What held"), _alerts(one, slo), {3})
    # Named by when it burned: the id of an alert tells people nothing.
    blocks += _titled(
        "Who spent it: incidents", _SPENT, _causes([replace(each, name="") for each in one.incidents], zone), {1, 2, 3}
    )
    blocks += _titled("Who spent it: releases", _SPENT, _causes(one.releases, zone), {1, 2, 3})
    blocks += _titled("Who spent it: routes", _SPENT, _causes(one.routes, zone), {1, 2, 3})
    changes = [(_time(each.at, zone), each.what) for each in one.changes]
    blocks += _titled("Changes while it burned", ("At", "Change"), changes, links=[each.href for each in one.changes])
    blocks += _titled("Exclusions", _EXCLUDED, [_exclusion(each, zone, "budget") for each in one.left_out], {3, 4})
    back = [
        (_time(each.at, zone), shown_events(each.events), each.state, each.incident or "", each.reason)
        for each in one.given_back
    ]
    blocks += _titled("Given back to the budget", ("For", "Events", "State", "Incident", "Reason"), back, {1})
    revised = [
        (
            _time(each.found_at, zone),
            f"{each.hours} from {_time(each.first_hour, zone)}",
            f"{shown_events(each.before.bad)} of {shown_events(each.before.total)}",
            f"{shown_events(each.after.bad)} of {shown_events(each.after.total)}",
        )
        for each in one.revised
    ]
    blocks += _titled("Late data", ("Found", "Hours", "Bad events before", "Bad events now"), revised, {2, 3})
    return blocks


_SPENT = ("Cause", "Bad events", "All events", "Of all bad ones")
_EXCLUDED = ("Exclusion", "From", "Until", "Bad events", "All events", "Left out", "Reason")


def _agreement(one: AgreementReport) -> list[Block]:
    zone = one.time_zone
    blocks: list[Block] = [
        Heading(f"Agreement with customers, {one.period}: {shown_target(one.target)}", 3),
        Words(
            f"{_date(one.since, zone)} to {_date(one.until, zone)} ({zone}): {shown_share(one.counts)}, "
            f"{verdict(one.met, runs=one.provisional)}. {shown_events(one.counts.good)} good of "
            f"{shown_events(one.counts.total)} events. {_share(one.covered)} of the time was measured."
        ),
    ]
    blocks += _titled(
        "Left out of it", _EXCLUDED, [_exclusion(each, zone, "agreement") for each in one.left_out], {3, 4}
    )
    for tier in one.tiers:
        blocks += [
            Words(f"Credit of tier {tier.tier}{' (provisional)' if one.provisional else ''}:"),
            Steps(tier.steps),
        ]
    return blocks


def _titled(
    title: str,
    header: tuple[str, ...],
    rows: Iterable[tuple[str, ...]],
    right: Iterable[int] = (),
    links: Sequence[str] = (),
) -> list[Block]:
    found = tuple(rows)
    return [Words(f"{title}:"), Sheet(header, found, frozenset(right), tuple(links))] if found else []


def _budget(one: ObjectiveReport) -> str:
    if one.met is None:
        return "Nothing was measured."
    back = f", {shown_events(one.budget.given_back)} given back" if one.budget.given_back else ""
    return (
        f"Budget left: {budget_left(one)}. {shown_events(one.counts.bad)} bad events{back}, of "
        f"{shown_events(round(one.budget.allowed, 3))} that it allows."
    )


def _alerts(one: ObjectiveReport, slo: SloReport) -> list[tuple[str, ...]]:
    return [
        (
            _time(each.started_at, slo.time_zone),
            "goes on" if each.resolved_at is None else _span(each.started_at, each.resolved_at),
            "no data" if each.kind == "source_silent" else each.action,
            f"{each.burn:.1f}x" if each.kind == "burn" else "",
            "; ".join(each.rules) or each.detail,
        )
        for each in one.alerts
    ]


def _causes(causes: Iterable[Cause], zone: str) -> list[tuple[str, ...]]:
    return [
        (_cause(each, zone), shown_events(each.bad), shown_events(each.total), _share(each.share)) for each in causes
    ]


def _cause(each: Cause, zone: str) -> str:
    if each.since is None or each.until is None:
        return each.name
    stretch = f"{_time(each.since, zone)} to {_time(each.until, zone)}"
    return f"{each.name}, {stretch}" if each.name else stretch


def _exclusion(each: LeftOut, zone: str, of: Literal["budget", "agreement"]) -> tuple[str, ...]:
    out = each.out_of_budget if of == "budget" else each.out_of_agreement
    return (
        each.kind.replace("_", " "),
        _time(each.since, zone),
        _time(each.until, zone) if each.until is not None else "open",
        shown_events(each.bad),
        shown_events(each.total),
        "withdrawn" if each.withdrawn else "yes" if out else "no",
        each.reason,
    )


def _state(slo: SloReport) -> str:
    at = f"{_time(slo.made_at, slo.time_zone)}"
    if slo.state == "closed":
        return f"Closed at {at}."
    return f"Reopened at {at}." if slo.state == "reopened" else f"Provisional, as of {at}."


def _share(share: float) -> str:
    return f"{int(share * 1000 + 1e-9) / 10:.1f} %"


def _date(at: datetime, zone: str) -> str:
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%Y-%m-%d}" if (local.hour, local.minute) == (0, 0) else f"{local:%Y-%m-%d %H:%M}"


def _time(at: datetime, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def _span(since: datetime, until: datetime) -> str:
    minutes = max(1, round((until - since).total_seconds() / 60))
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = ((days, "d"), (hours, "h"), (rest, "min"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
