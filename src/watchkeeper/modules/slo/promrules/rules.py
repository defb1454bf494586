"""Recording and alerting rules of one objective after another. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import Any

from watchkeeper.modules.slo.definition import AlertRule, Definition, Objective
from watchkeeper.modules.slo.model import can_fire, rules_of
from watchkeeper.modules.slo.promrules.events import (
    BAD,
    TOTAL,
    Events,
    NotExpressible,
    Setting,
    duration,
    events_of,
    number,
    selector,
)
from watchkeeper.modules.slo.rules import HYSTERESIS, rule_text

BURNS = "SloBudgetBurns"
NOT_MEASURED = "SloNotMeasured"
_BURN = "watchkeeper:slo_burn_rate"
_HEARD = timedelta(days=1)
_LADDER = 4  # times the short window, where that holds too few events
_NEARLY = 0.001  # of an event: sums of rates are not whole


@dataclass(frozen=True)
class Rules:
    """Groups as Prometheus reads them, and what they leave out or rest on, in words."""

    groups: Sequence[Mapping[str, Any]]
    notes: Sequence[str]


def rules_for(definitions: Iterable[Definition], setting: Setting) -> Rules:
    """A group for each SLO; composites come after what they are made of."""
    groups, notes = [], []
    for definition in definitions:
        try:
            found = [(one, events_of(definition, one, setting)) for one in definition.objectives]
        except NotExpressible as why:
            notes.append(f"{definition.name} is left out: {why}.")
            continue
        rules = list(chain.from_iterable(_rules(definition, one, events) for one, events in found))
        interval = max(events.interval for _, events in found)
        groups.append({"name": f"watchkeeper-slo-{definition.name}", "interval": duration(interval), "rules": rules})
        notes += dict.fromkeys(f"{definition.name}: {note}." for _, events in found for note in events.notes)
        for one in definition.objectives:
            notes += _never(definition, one)
    return Rules(groups, notes)


def _never(definition: Definition, objective: Objective) -> list[str]:
    window = definition.window.length
    return [
        f"{definition.name}: the alert {rule_text(rule, window)} is left out: it never fires at {objective.target:.6g}."
        for rule in rules_of(definition)
        if not can_fire(rule, objective.target, window)
    ]


def _rules(definition: Definition, objective: Objective, events: Events) -> Iterator[dict[str, Any]]:
    labels = {"service": definition.service, "slo": definition.name, "objective": objective.name}
    yield {"record": TOTAL, "expr": events.total, "labels": labels}
    yield {"record": BAD, "expr": events.bad, "labels": labels}
    of = _Of(definition, objective, events.interval)
    alerts = [one for action in ("page", "ticket") if (one := of.alert(action)) is not None]
    for window in sorted(of.windows):
        yield {"record": f"{_BURN}:{duration(window)}", "expr": of.burn_of(window), "labels": labels}
    yield from alerts
    if definition.alerting.enabled:
        yield of.not_measured()


class _Of:
    """Writes the expressions of one objective; `windows` are those whose burn rate they ask for."""

    def __init__(self, definition: Definition, objective: Objective, interval: int) -> None:
        self.definition = definition
        self.objective = objective
        self.interval = interval
        self.windows: set[timedelta] = set()

    def burn_of(self, window: timedelta) -> str:
        """Event-weighted: the sums of a window are divided, and what was not measured spent nothing."""
        bad, total = self._series(BAD, window), self._series(TOTAL, window)
        covered = f"count_over_time({total}) * {self.interval} / {number(window.total_seconds())}"
        return (
            f"sum_over_time({bad})\n/ sum_over_time({total})\n/ {number(1 - self.objective.target)}\n"
            f"* clamp_max({covered}, 1)"
        )

    def alert(self, action: str) -> dict[str, Any] | None:
        """The alert of an action; any of its rules makes it."""
        window = self.definition.window.length
        rules = [
            one
            for one in rules_of(self.definition)
            if one.action == action and can_fire(one, self.objective.target, window)
        ]
        if not rules:
            return None
        slo, objective = self.definition.name, self.objective.name
        name = self.definition.display_name or slo
        said = "; ".join(rule_text(one, window) for one in rules)
        return {
            "alert": BURNS,
            "expr": "\nor\n".join(self._rule(one, action) for one in rules),
            "labels": {**self._labels(), "severity": action, "dedup_key": f"slo/{slo}/{objective}/{action}"},
            "annotations": {
                "summary": f"{_plain(name)} spends its error budget too fast",
                "description": f"Bad events come at {{{{ $value | humanize }}}} times the rate that "
                f"{self.objective.target:.6g} allows ({said}).",
            },
        }

    def not_measured(self) -> dict[str, Any]:
        """It was measured once, and is not any more: no errors are known because nothing is."""
        patience = max(self.definition.alerting.silent_after, timedelta(seconds=2 * self.interval))
        page = any(one.action == "page" for one in rules_of(self.definition))
        return {
            "alert": NOT_MEASURED,
            "expr": f"present_over_time({self._series(TOTAL, _HEARD)})\n"
            f"unless present_over_time({self._series(TOTAL, patience)})",
            "labels": {**self._labels(), "severity": "page" if page else "ticket"},
            "annotations": {
                "summary": f"Nobody knows how {_plain(self.definition.display_name or self.definition.name)} does",
                "description": f"Nothing was measured for {duration(patience)}.",
            },
        }

    def _rule(self, rule: AlertRule, action: str) -> str:
        bad = f"sum_over_time({self._series(BAD, rule.long)}) * {self.interval}"
        if rule.misses is not None:
            return f"{bad} >= {number(rule.misses - _NEARLY)}"
        needed = rule.burn_rate(self.definition.window.length)
        burn = self._burn(rule.long)
        firing = (
            f'ALERTS{{alertname="{BURNS}",alertstate="firing",severity="{action}",slo="{self.definition.name}",'
            f'objective="{self.objective.name}"}}'
        )
        # What fires goes on until the long window is clearly below.
        held = f"{burn} >= {number(needed * HYSTERESIS)} and on (slo, objective) {firing}"
        least = number(self.definition.alerting.minimum_bad_events - _NEARLY)
        return (
            f"(\n  ({burn} >= {number(needed)}\n    or {held})\n  and ({self._short(rule, needed)})\n"
            f"  and {bad} >= {least}\n)"
        )

    def _short(self, rule: AlertRule, needed: float) -> str:
        """Of few events a longer window speaks: a short one without any would sleep through an outage."""
        least = self.definition.alerting.minimum_bad_events
        span = rule.short_window()
        said, few = [], ""
        while span < rule.long:
            said.append(f"{few}{self._burn(span)} >= {number(needed)}")
            few = f"sum_over_time({self._series(TOTAL, span)}) * {self.interval} < {number(least - _NEARLY)} and "
            span *= _LADDER
        if not said:
            return f"{self._burn(rule.long)} >= {number(needed)}"
        return "\n    or ".join([*said, few.removesuffix(" and ")])

    def _burn(self, window: timedelta) -> str:
        self.windows.add(window)
        return selector(f"{_BURN}:{duration(window)}", self.definition.name, self.objective.name)

    def _series(self, name: str, window: timedelta) -> str:
        return f"{selector(name, self.definition.name, self.objective.name)}[{duration(window)}]"

    def _labels(self) -> dict[str, str]:
        labels = {"service": self.definition.service, "slo": self.definition.name, "objective": self.objective.name}
        return {name: _plain(text) for name, text in labels.items()}


def _plain(text: str) -> str:
    """Text where two braces begin a template."""
    return text.replace("{{", '{{"{{"}}')
