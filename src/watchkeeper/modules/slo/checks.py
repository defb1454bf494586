"""What is wrong with a definition that fits its shape, and what its author should know. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from urllib.parse import urlsplit

from watchkeeper.kernel.errors import Complaint
from watchkeeper.modules.slo.definition import (
    Composite,
    DataSource,
    Definition,
    Freshness,
    Latency,
    Policy,
    Ratio,
    Responses,
)
from watchkeeper.modules.slo.model import can_fire, rules_of
from watchkeeper_client.rules import duration_text

_LONGEST_RULE = timedelta(days=3, hours=6)
_LONGEST_SLICE = timedelta(hours=1)


@dataclass(frozen=True)
class Known:
    """What a definition may refer to. `slos` holds the definition itself too, or not."""

    slos: Mapping[str, Definition] = field(default_factory=dict)
    data_sources: frozenset[str] = frozenset()
    policies: Sequence[Policy] = ()
    longest_window: timedelta = timedelta(days=366)


def complaints_about(definition: Definition, known: Known) -> list[Complaint]:
    """Every reason why it can't be an SLO; paths are those of its canonical form."""
    return [
        *_of_objectives(definition),
        *_of_window(definition, known),
        *_of_rules(definition),
        *_of_data_sources(definition, known),
        *_of_parts(definition, known),
        *_of_agreement(definition),
    ]


def warnings_about(definition: Definition) -> list[str]:
    """What is allowed, and probably not meant."""
    window = definition.window.length
    found = []
    for objective in definition.objectives:
        for rule in rules_of(definition):
            over = duration_text(rule.long)
            burn = rule.burn_rate(window)
            if not can_fire(rule, objective.target, window):
                found.append(
                    f"The alert {burn:.4g}x over {over} can never fire at {objective.target:.6g}: a total outage burns "
                    f"{1 / (1 - objective.target):.4g}x."
                )
            elif rule.misses is None and burn < 1:
                found.append(
                    f"The alert {burn:.4g}x over {over} also fires while the objective is met: a burn below 1x never "
                    "spends the whole budget."
                )
            elif rule.misses is None and burn * rule.long >= window:
                found.append(f"When the alert {burn:.4g}x over {over} fires, the whole budget is gone.")
        found += _single_wide(definition, objective.target)
    return list(dict.fromkeys(found))


def complaints_about_data_source(source: DataSource) -> list[Complaint]:
    """Whether its address is one."""
    parts = urlsplit(source.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return [Complaint("url", "an address such as https://prometheus.example:9090")]
    if parts.username or parts.password or parts.query or parts.fragment:
        return [Complaint("url", "an address without user name, password or query; a token stands in token_env")]
    return []


def complaints_about_policy(policy: Policy, others: Sequence[Policy]) -> list[Complaint]:
    """Whether it is clear what holds for a service beside the other policies."""
    complaints = []
    for number, step in enumerate(policy.steps):
        if step in policy.steps[:number]:
            complaints.append(Complaint(f"steps[{number}]", "a step that is not there already"))
    for other in others:
        if not policy.services and not other.services:
            complaints.append(
                Complaint("services", f"services: {other.name} is the policy of all that no policy names")
            )
        shared = sorted(set(policy.services) & set(other.services))
        complaints += [
            Complaint("services", f"services of no other policy; {name} is one of {other.name}") for name in shared
        ]
    return complaints


def _single_wide(definition: Definition, target: float) -> list[str]:
    """Between rules there must be none that no error rate reaches before the budget is gone."""
    rules = [one for one in rules_of(definition) if one.misses is None]
    if not rules:
        return []
    window = definition.window.length
    least = min(one.burn_rate(window) for one in rules)
    if least > 1 and can_fire(min(rules, key=lambda one: one.burn_rate(window)), target, window):
        hours = window / timedelta(hours=1) / least
        return [f"Nothing alerts below {least:.4g}x: such a burn spends the whole budget in {hours:.4g} h, unnoticed."]
    return []


def _of_objectives(definition: Definition) -> list[Complaint]:
    found = []
    names = Counter(one.name for one in definition.objectives)
    needs = isinstance(definition.indicator, (Latency, Responses, Freshness))
    for number, one in enumerate(definition.objectives):
        where = f"objectives[{number}]"
        if names[one.name] > 1:
            found.append(Complaint(f"{where}.name", f"a name of its own; {one.name} is there twice"))
        if needs and (one.threshold is None or one.threshold <= timedelta(0)):
            found.append(Complaint(f"{where}.threshold", f"a duration above 0: {definition.indicator.kind} needs one"))
        if not needs and one.threshold is not None:
            found.append(Complaint(f"{where}.threshold", f"nothing: {definition.indicator.kind} has no threshold"))
    return found


def _of_window(definition: Definition, known: Known) -> list[Complaint]:
    found = []
    if definition.window.length > known.longest_window:
        found.append(
            Complaint("window", f"a window of at most {duration_text(known.longest_window)}: older counts are not kept")
        )
    slices = definition.slices
    if slices is not None:
        seconds = slices.length.total_seconds()
        if not timedelta(minutes=1) <= slices.length <= _LONGEST_SLICE or seconds % 60 or 3600 % seconds:
            found.append(Complaint("slices.length", "whole minutes that divide an hour, such as 1m, 5m or 15m"))
    return found


def _of_rules(definition: Definition) -> list[Complaint]:
    found = []
    for number, rule in enumerate(definition.alerting.rules or ()):
        where = f"alerting.rules[{number}]"
        if rule.long > _LONGEST_RULE:
            found.append(Complaint(f"{where}.long", f"a window of at most {duration_text(_LONGEST_RULE)}"))
        if rule.long > definition.window.length:
            found.append(Complaint(f"{where}.long", "a window no longer than the SLO's own"))
        if rule.short is not None and rule.short < timedelta(minutes=1):
            found.append(Complaint(f"{where}.short", "a window of at least 1m"))
    if not timedelta(minutes=1) <= definition.alerting.silent_after <= timedelta(days=2):
        found.append(Complaint("alerting.silent_after", "a duration between 1m and 2d"))
    return found


def _of_data_sources(definition: Definition, known: Known) -> list[Complaint]:
    if not isinstance(definition.indicator, Ratio):
        return []
    found = []
    indicator = definition.indicator
    for name, counted in (("good", indicator.good), ("bad", indicator.bad), ("total", indicator.total)):
        if counted is not None and counted.data_source not in (None, *known.data_sources):
            found.append(
                Complaint(
                    f"indicator.{name}.data_source", f"a data source that is there; {counted.data_source} is none"
                )
            )
        if counted is not None and counted.counter_value and "{{" in (counted.query or ""):
            found.append(
                Complaint(
                    f"indicator.{name}.query",
                    "the counter itself, such as sum(x); a query over [{{.window}}] answers no counter's value",
                )
            )
    sources = {one.data_source for one in (indicator.good, indicator.bad, indicator.total) if one is not None}
    if len(sources) > 1:
        found.append(Complaint("indicator", "both counts from one source: others do not tell of the same moment"))
    return found


def _of_parts(definition: Definition, known: Known) -> list[Complaint]:
    if not isinstance(definition.indicator, Composite):
        return []
    found = []
    for number, part in enumerate(definition.indicator.parts):
        where = f"indicator.parts[{number}]"
        of = definition if part.slo == definition.name else known.slos.get(part.slo)
        if of is None:
            found.append(Complaint(f"{where}.slo", f"an SLO that is there; {part.slo} is none"))
        elif part.objective is not None and part.objective not in [one.name for one in of.objectives]:
            found.append(Complaint(f"{where}.objective", f"an objective of {part.slo}; {part.objective} is none"))
        elif _reaches(part.slo, definition.name, {**known.slos, definition.name: definition}):
            found.append(Complaint(f"{where}.slo", f"an SLO that is not made of this one; {part.slo} is"))
    return found


def _reaches(start: str, goal: str, slos: Mapping[str, Definition]) -> bool:
    waiting, seen = [start], set()
    while waiting:
        name = waiting.pop()
        if name == goal:
            return True
        if name in seen or name not in slos:
            continue
        seen.add(name)
        indicator = slos[name].indicator
        if isinstance(indicator, Composite):
            waiting += [one.slo for one in indicator.parts]
    return False


def _of_agreement(definition: Definition) -> list[Complaint]:
    agreement = definition.agreement
    if agreement is None:
        return []
    found = []
    if agreement.objective is not None and agreement.objective not in [one.name for one in definition.objectives]:
        found.append(Complaint("agreement.objective", f"an objective of this SLO; {agreement.objective} is none"))
    names = Counter(one.name for one in agreement.tiers)
    for number, tier in enumerate(agreement.tiers):
        where = f"agreement.tiers[{number}]"
        if names[tier.name] > 1:
            found.append(Complaint(f"{where}.name", f"a name of its own; {tier.name} is there twice"))
        steps = sorted(tier.credits, key=lambda one: -one.below)
        if steps[0].below > agreement.target:
            found.append(Complaint(f"{where}.credits", "credits from the agreement's target down, none above it"))
        if any(lower.credit < higher.credit or lower.below == higher.below for higher, lower in pairwise(steps)):
            found.append(Complaint(f"{where}.credits", "credits that grow as the share falls, each share once"))
    return found
