"""What an SLO would be: when its alerts fire, what its last weeks would have left, what of it changes. Pure but for
`measured_lately`, which asks the telemetry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from watchkeeper.kernel.web.formats import percent
from watchkeeper.modules.slo import checks, suggest
from watchkeeper.modules.slo import pages_words as say
from watchkeeper.modules.slo.definition import AlertRule, Availability, Definition, Latency, Objective
from watchkeeper.modules.slo.model import detection_time, rules_of
from watchkeeper.modules.slo.suggest import Measured
from watchkeeper.modules.telemetry.public import Telemetry
from watchkeeper_client.rules import duration_text

# Shares of errors that people can picture: an outage, one in ten, one in a hundred.
ERRORS = (("total outage", 1.0), ("1 in 10 bad", 0.1), ("1 in 100 bad", 0.01))
_LONGEST_VALUE = 300


@dataclass(frozen=True)
class Alarm:
    """An alert rule: whom it calls, and after how long at each share of errors; "never" where it can't."""

    rule: str
    action: str
    after: tuple[str, ...]


@dataclass(frozen=True)
class Target:
    """An objective: its budget in minutes of a full outage, its alerts, and how the last weeks were."""

    name: str
    goal: str
    minutes: str
    alarms: tuple[Alarm, ...]
    lately: str


@dataclass(frozen=True)
class Preview:
    """An SLO before it is there. `differences` are (field, before, after)."""

    title: str
    window: str
    targets: tuple[Target, ...]
    warnings: tuple[str, ...]
    differences: tuple[tuple[str, str, str], ...]


def preview_of(definition: Definition, lately: Mapping[str, Measured], before: Definition | None = None) -> Preview:
    """`lately` are the last weeks by objective, as far as the telemetry knows them."""
    return Preview(
        title=definition.display_name or definition.name,
        window=say.window(definition.window),
        targets=tuple(_target(definition, one, lately.get(one.name)) for one in definition.objectives),
        warnings=tuple(checks.warnings_about(definition)),
        differences=_differences(before, definition) if before is not None else (),
    )


def measured_lately(store: Telemetry, definition: Definition, now: datetime) -> dict[str, Measured]:
    """Each objective over the last four weeks; nothing for what is no request. Raises QueryTooSlow."""
    indicator = definition.indicator
    if not isinstance(indicator, (Availability, Latency)) or definition.slices is not None:
        return {}
    return suggest.measured(store, indicator, definition.objectives, now)


def _target(definition: Definition, one: Objective, lately: Measured | None) -> Target:
    window = definition.window.length
    within = "good" if one.threshold is None else f"within {duration_text(one.threshold)}"
    return Target(
        name=one.display_name or one.name,
        goal=f"{say.target(one.target)} {within}",
        minutes=say.minutes((1 - one.target) * (window / timedelta(minutes=1))),
        alarms=tuple(_alarm(rule, one.target, window) for rule in rules_of(definition)),
        lately=_lately(lately, one.target) if lately is not None else "",
    )


def _alarm(rule: AlertRule, target: float, window: timedelta) -> Alarm:
    after = []
    for _, share in ERRORS:
        burn = rule.burn_rate(window)
        takes = None if rule.misses is not None else detection_time(share, target, burn, rule.long)
        after.append("by count" if rule.misses is not None else "never" if takes is None else _after(takes))
    return Alarm(say.rule(rule, window), rule.action, tuple(after))


def _after(takes: timedelta) -> str:
    minutes = takes / timedelta(minutes=1)
    return f"{minutes:.1f} min" if minutes < 100 else f"{minutes / 60:.1f} h"


def _lately(found: Measured, target: float) -> str:
    if found.events <= 0:
        return "no such request came in the last four weeks: look whether the service and its routes are spelt right"
    spent = (1 - found.share) / (1 - target)
    left = f"{1 - spent:.0%} of this budget left" if spent <= 1 else f"this budget overspent {spent:.1f} times"
    return (
        f"{percent(found.share)} of {say.events(found.events)} requests in {suggest.lasting(found.days)} were good, "
        f"{percent(found.worst_day)} on the worst day: {left}"
    )


def _differences(before: Definition, after: Definition) -> tuple[tuple[str, str, str], ...]:
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    return tuple((name, _text(old[name]), _text(new[name])) for name in new if old[name] != new[name])


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(_said(value)).decode()
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _said(value: Any) -> Any:
    """Without what nobody said."""
    if isinstance(value, Mapping):
        return {key: _said(one) for key, one in value.items() if one not in (None, [], "", {})}
    return [_said(one) for one in value] if isinstance(value, Sequence) and not isinstance(value, str) else value
