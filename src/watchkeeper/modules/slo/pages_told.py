"""What the page of an SLO says of an objective: every percentage with the counts that it is made of. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import yaml

from watchkeeper.kernel.web.formats import percent
from watchkeeper.modules.slo import pages_words as say
from watchkeeper.modules.slo.definition import Definition
from watchkeeper.modules.slo.model import Burn, Figures
from watchkeeper_client.rules import duration_text

_TIMES, _MINUS = "\N{MULTIPLICATION SIGN}", "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Step:
    """One line of arithmetic: what it is, how it is computed of the counts, and what comes out."""

    what: str
    how: str
    result: str


@dataclass(frozen=True)
class Told:
    """An objective in words, with its arithmetic. `meaning` says what the status means."""

    figures: Figures
    href: str
    kind: str
    word: str
    meaning: str
    name: str
    goal: str
    left: str
    measured: str
    burns: tuple[tuple[str, str, str, str, str], ...]
    steps: tuple[Step, ...]
    forecast: str


def told(one: Figures) -> Told:
    """Everything that the page says of it."""
    kind, word, meaning = say.STATUS[one.status]
    threshold = one.objective.threshold
    within = "good" if threshold is None else f"within {duration_text(threshold)}"
    return Told(
        figures=one,
        href=say.address(one.definition.name, one.objective.name),
        kind=kind,
        word=word,
        meaning=meaning,
        name=one.objective.display_name or one.objective.name,
        goal=f"{say.target(one.objective.target)} {within}",
        left=say.left(one),
        measured=say.span(one.counts.measured),
        burns=tuple(burn_row(window, burn) for window, burn in one.burns.items()),
        steps=tuple(arithmetic(one)),
        forecast=forecast_kind(one),
    )


def burn_row(window: timedelta, burn: Burn) -> tuple[str, str, str, str, str]:
    """(over, rate, bad, all, measured) of a line that people can compute again."""
    return (
        duration_text(window),
        say.rate(burn.rate),
        say.events(burn.counts.bad),
        say.events(burn.counts.total),
        percent(burn.covered),
    )


def arithmetic(one: Figures) -> list[Step]:
    """From the counts to what is left, so that anybody can compute it again."""
    counts, budget, target = one.counts, one.budget, one.objective.target
    if counts.total <= 0:
        return []
    events, share_bad = say.events, f"(1 {_MINUS} {target:.10g})"
    expected = round(budget.expected)
    steps = [Step("Share of good events", f"{events(counts.good)} / {events(counts.total)}", percent(one.share))]
    if expected > round(counts.total):
        whole = counts.measured * budget.expected / counts.total
        how = f"{events(counts.total)} {_TIMES} {whole:,.0f} s / {counts.measured:,.0f} s measured"
        steps.append(Step("Events of the whole window, at this traffic", how, events(expected)))
    steps.append(Step("Of these may be bad", f"{share_bad} {_TIMES} {events(expected)}", f"{budget.allowed:,.1f}"))
    bad = f"{events(budget.bad)} bad"
    if budget.given_back > 0:
        bad = f"({events(budget.bad)} bad {_MINUS} {events(budget.given_back)} given back)"
    steps.append(Step("Spent of the budget", f"{bad} / {budget.allowed:,.1f}", percent(budget.spent)))
    return steps


def forecast_kind(one: Figures) -> str:
    """Which sentence tells the forecast."""
    if one.counts.total <= 0:
        return "none"
    if one.budget.remaining <= 0:
        return "gone"
    return "lasts" if one.forecast.exhausted_at is None else "ends"


def in_yaml(definition: Definition) -> str:
    """The definition as people write it, without what is as usual."""
    said: dict[str, Any] = definition.model_dump(mode="json", exclude_defaults=True)
    said["indicator"] = {"kind": definition.indicator.kind, **said.get("indicator", {})}
    return yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=120)
