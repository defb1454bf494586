"""How pages say what was computed: words of a status, counts, rates, targets, rows of a list. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from urllib.parse import quote

from watchkeeper.kernel.web.formats import NOTHING, duration, percent
from watchkeeper.modules.slo.definition import AlertRule, Definition, ExclusionKind, Objective, PolicyAction, Window
from watchkeeper.modules.slo.model import Counts, Figures, Status
from watchkeeper_client.rules import duration_text

# Kind of badge, word, and what it means; worst first.
STATUS: Mapping[Status, tuple[str, str, str]] = MappingProxyType(
    {
        Status.EXHAUSTED: ("danger", "budget gone", "more went wrong in this window than the objective allows"),
        Status.BURNING: ("danger", "burning", "a burn-rate alert is open"),
        Status.SILENT: ("warning", "silent", "its source does not answer, so nobody knows how it does"),
        Status.AT_RISK: ("warning", "at risk", "three quarters of the budget are gone, or it lasts no whole window"),
        Status.NO_DATA: ("muted", "no data", "nothing was counted in this window"),
        Status.MET: ("ok", "met", "the budget lasts"),
    }
)
NEEDS_ATTENTION = (Status.EXHAUSTED, Status.BURNING, Status.SILENT, Status.AT_RISK)
EXCLUSION_WORDS: Mapping[ExclusionKind, str] = MappingProxyType(
    {"maintenance": "maintenance", "third_party_outage": "outage of a third party", "other": "other"}
)
POLICY_WORDS: Mapping[PolicyAction, str] = MappingProxyType(
    {
        "freeze_non_critical": "freeze deployments that are not critical",
        "freeze_all": "freeze all deployments",
        "emergency": "emergency: freeze all, call people",
    }
)
CALENDAR = {"day": "day", "week": "week", "month": "month", "quarter": "quarter", "year": "year"}


def address(name: str, objective: str | None = None) -> str:
    """Of the page of an SLO."""
    return f"/slos/{quote(name, safe='')}" + (f"?objective={quote(objective, safe='')}" if objective else "")


def events(value: float) -> str:
    """Exact, so that people can compute with it: `1,234,567`, `12.5`."""
    if abs(value) >= 1_000 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.2f}".rstrip("0").rstrip(".")


def target(value: float) -> str:
    """With as many digits as were said: `99.9 %`, `99.95 %`."""
    return f"{value * 100:.10g} %"


def rate(value: float) -> str:
    """`14.4x`; more than 100 without a fraction, and what is next to nothing as `< 0.01x`."""
    if 0 < value < 0.01:
        return "< 0.01x"
    return f"{value:,.0f}x" if value >= 100 else f"{value:.3g}x"


def span(seconds: float) -> str:
    """How long something was measured, in two units at most: `93 s`, `3 h 10 min`."""
    return duration(timedelta(seconds=round(seconds)))


def good_of(counts: Counts) -> str:
    """The counts behind a percentage."""
    return f"{events(counts.good)} of {events(counts.total)} good" if counts.total > 0 else "nothing counted"


def window(said: Window) -> str:
    """`30 days`, `a calendar month (Europe/Oslo)`."""
    if said.rolling is not None:
        days = said.rolling / timedelta(days=1)
        return (
            f"{days:g} day{'s' if days != 1 else ''}, rolling"
            if days >= 1
            else f"{duration_text(said.rolling)}, rolling"
        )
    zone = "" if said.time_zone == "UTC" else f", {said.time_zone}"
    return f"a calendar {CALENDAR[said.calendar or 'month']}{zone}"


def rule(said: AlertRule, of: timedelta) -> str:
    """`14.4x over 1h and 5m`."""
    over = f"over {duration_text(said.long)} and {duration_text(said.short_window())}"
    if said.misses is not None:
        return f"{said.misses} bad events {over}"
    return f"{rate(said.burn_rate(of))} {over}"


def minutes(value: float) -> str:
    """Of a full outage: `43.2 min`, `7 h 12 min`."""
    if value < 100:
        return f"{value:.1f} min"
    hours, rest = divmod(round(value), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def title(definition: Definition, objective: Objective) -> str:
    """What people call it."""
    name = definition.display_name or definition.name
    if len(definition.objectives) == 1 and objective.name == "main":
        return name
    return f"{name} · {objective.display_name or objective.name}"


@dataclass(frozen=True, slots=True)
class Row:
    """An objective in a list, ready to be written: a list of a thousand is made of nothing but text."""

    href: str
    title: str
    service: str
    kind: str
    word: str
    target: str
    share: str
    counts: str
    left: str
    left_minutes: str
    bar: float
    burn: str
    burn_kind: str
    status: str
    note: str

    @classmethod
    def of(cls, one: Figures) -> Row:
        kind, word, _ = STATUS[one.status]
        budget, known = one.budget, one.counts.total > 0
        several = len(one.definition.objectives) > 1
        return cls(
            href=address(one.definition.name, one.objective.name if several else None),
            title=title(one.definition, one.objective),
            service=one.definition.service,
            kind=kind,
            word=word,
            target=target(one.objective.target),
            share=percent(one.share),
            counts=good_of(one.counts),
            left=left(one),
            left_minutes=f"{minutes(budget.minutes_left)} of {minutes(budget.minutes)}" if known else "",
            bar=round(100 * budget.remaining, 1) if known else 0.0,
            burn=rate(one.burn) if known else NOTHING,
            burn_kind="danger" if one.burn >= 6 else "warning" if one.burn > 1 else "",
            status=one.status.value,
            note=one.problem or "",
        )


def left(one: Figures) -> str:
    """Of the budget: `72.2 %`, or how far beyond: `-35 %`."""
    if one.counts.total <= 0:
        return NOTHING
    if one.budget.overspent > 0:
        return f"\N{MINUS SIGN}{one.budget.overspent * 100:,.{0 if one.budget.overspent >= 1 else 1}f} %"
    return f"{one.budget.remaining * 100:.1f} %"
