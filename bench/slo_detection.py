"""Which faults the alerts of an SLO find, and which they are wrong about, beside plain threshold rules.

`python -m bench.slo_detection [--traces 1000] [--seed 1]`

Each trace is two days of a service at 99.9 % over 30 days: traffic with a daily cycle (10 to 1,000 events a minute on
the mean), 0.01 % of errors all the time, and faults: blips of some minutes, slow burns of hours, outages, or none.
Counts are drawn at random.

A fault is *true* if it spends at least 2 % of the 30 days' budget within an hour, or at least 10 % in all: what the SRE
Workbook (chapter 5) wants somebody to know of. One that spends less than 1 % is a *blip*. Between them either answer
is right, and neither counts. A true fault is found when something fires between its beginning and a quarter of an hour
after its end (or did already, when it began). An alarm is right when it begins so near a true fault, and false when it
begins near none but blips; an alarm that flaps within 15 minutes is one.

precision = right alarms / (right + false ones); recall = true faults found / true faults.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from watchkeeper.modules.slo.definition import Alerting
from watchkeeper.modules.slo.model import Counts, workbook_rules
from watchkeeper.modules.slo.rules import REOPENS_WITHIN, look, rule_text
from watchkeeper.modules.slo.series import HOUR, MINUTE, Series

TARGET = 0.999
MONTH = timedelta(days=30)
START = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp())
MINUTES = 2 * 24 * 60
HISTORY_HOURS = 3 * 24 + 1
BACKGROUND = 0.0001
_EVERY = 2  # minutes between two looks
_NEAR = REOPENS_WITHIN
Rule = Callable[[Series, datetime], bool]


@dataclass(frozen=True)
class Fault:
    """Errors at this share in the minutes [first, last) of a trace."""

    kind: str
    first: int
    last: int
    share: float
    spends: float
    worst_hour: float

    @property
    def is_true(self) -> bool:
        return self.worst_hour >= 0.02 or self.spends >= 0.1

    @property
    def is_blip(self) -> bool:
        return not self.is_true and self.spends < 0.01


@dataclass
class Trace:
    """A service's minutes: (total, bad), with the faults that are in them."""

    minutes: list[tuple[int, int]]
    rate: float
    faults: list[Fault]


@dataclass
class Score:
    """How a rule did over many traces."""

    right: int = 0
    false: int = 0
    found: int = 0
    true: int = 0
    took: list[float] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.false) if self.right + self.false else 1.0

    @property
    def recall(self) -> float:
        return self.found / self.true if self.true else 1.0


def traffic(rate: float, minute: int) -> float:
    """Events expected in a minute: five times as many in the evening as at night."""
    return rate * (1 + 2 / 3 * math.sin(2 * math.pi * (minute / 1_440 - 0.5)))


def drawn(rnd: random.Random, mean: float) -> int:
    """A Poisson number."""
    if mean > 50:
        return max(0, round(rnd.gauss(mean, math.sqrt(mean))))
    limit, found, product = math.exp(-mean), 0, rnd.random()
    while product > limit:
        found += 1
        product *= rnd.random()
    return found


def make_trace(seed: int) -> Trace:
    """Always the same of a seed."""
    rnd = random.Random(seed)
    rate = 10 ** rnd.uniform(1, 3)
    planned: list[tuple[str, int, int, float]] = []
    for kind in rnd.choices([(), ("blip", "blip"), ("slow",), ("outage",), ("blip", "outage"), ("slow", "blip")])[0]:
        length, share = {
            "blip": (rnd.randint(1, 3), rnd.uniform(0.01, 0.1)),
            "slow": (rnd.randint(180, 2_000), 10 ** rnd.uniform(-2.7, -1.8)),
            "outage": (rnd.randint(3, 60), rnd.uniform(0.1, 1)),
        }[kind]
        first = rnd.randint(0, MINUTES - length)
        # Faults that touch would be one fault.
        if all(first + length + 90 < other[1] or other[2] + 90 < first for other in planned):
            planned.append((kind, first, first + length, share))
    minutes = []
    for minute in range(MINUTES):
        share = next((one[3] for one in planned if one[1] <= minute < one[2]), 0.0)
        total = drawn(rnd, traffic(rate, minute))
        minutes.append((total, min(total, drawn(rnd, total * (share + BACKGROUND)))))
    return Trace(minutes, rate, [_fault(rate, *one) for one in planned])


def _fault(rate: float, kind: str, first: int, last: int, share: float) -> Fault:
    budget = (1 - TARGET) * rate * (MONTH / timedelta(minutes=1))
    bad = [share * traffic(rate, minute) / budget for minute in range(first, last)]
    worst = max(sum(bad[at : at + 60]) for at in range(0, len(bad), 10))
    return Fault(kind, first, last, share, sum(bad), worst)


def by_budget() -> Rule:
    """Our alerts: any pair of windows, with hysteresis."""
    rules = workbook_rules(MONTH)
    held: set[str] = set()

    def holds(series: Series, now: datetime) -> bool:
        seen = look(rules, series, TARGET, MONTH, Alerting(), now, held=held)
        held.clear()
        held.update(rule_text(one.rule, MONTH) for one in seen if one.holds)
        return bool(held)

    return holds


def above(threshold: float) -> Callable[[], Rule]:
    """The plain rule: more than this share of five minutes' events is bad."""

    def holds(series: Series, now: datetime) -> bool:
        counts = series.window(timedelta(minutes=5), now.timestamp())
        return counts.total > 0 and counts.bad / counts.total > threshold

    return lambda: holds


RULES: dict[str, Callable[[], Rule]] = {
    "burn rates, four pairs of windows": by_budget,
    "errors of 5 min above 0.1 %": above(0.001),
    "errors of 5 min above 1 %": above(0.01),
    "errors of 5 min above 5 %": above(0.05),
}


def alarms(trace: Trace, rules: Sequence[Rule]) -> list[list[tuple[int, int]]]:
    """By rule, (first, last) minute of each alarm; what comes back within a quarter of an hour is the same."""
    series = Series(MONTH)
    for hour in range(-HISTORY_HOURS, 0):
        counts = [_history(trace.rate, hour * 60 + minute) for minute in range(60)]
        series.put_hour(START + hour * HOUR, counts, recent=hour > -8)
    found: list[list[tuple[int, int]]] = [[] for _ in rules]
    for minute, (total, bad) in enumerate(trace.minutes):
        series.put(START + minute * MINUTE, Counts(total - bad, total, 60.0))
        if minute % _EVERY:
            continue
        now = datetime.fromtimestamp(START + (minute + 1) * MINUTE, UTC)
        for holds, told in zip(rules, found, strict=True):
            if holds(series, now):
                if told and minute - told[-1][1] <= _NEAR / timedelta(minutes=1):
                    told[-1] = (told[-1][0], minute)
                else:
                    told.append((minute, minute))
    return found


def _history(rate: float, minute: int) -> Counts:
    total = traffic(rate, minute)
    return Counts(total * (1 - BACKGROUND), total, 60.0)


def add(score: Score, trace: Trace, told: Sequence[tuple[int, int]]) -> None:
    """Count a trace's faults and alarms."""
    near = int(_NEAR / timedelta(minutes=1))
    for fault in (one for one in trace.faults if one.is_true):
        score.true += 1
        heard = [max(first, fault.first) for first, last in told if first <= fault.last + near and last >= fault.first]
        if heard:
            score.found += 1
            score.took.append(min(heard) - fault.first + 1)
    for first, _ in told:
        beside = [one for one in trace.faults if one.first <= first <= one.last + near]
        if any(one.is_true for one in beside):
            score.right += 1
        elif all(one.is_blip for one in beside):
            score.false += 1


def scores(seeds: Sequence[int]) -> dict[str, Score]:
    """Each rule's score over the traces of these seeds."""
    found = {name: Score() for name in RULES}
    for seed in seeds:
        trace = make_trace(seed)
        told = alarms(trace, [make() for make in RULES.values()])
        for score, one in zip(found.values(), told, strict=True):
            add(score, trace, one)
    return found


def main() -> None:
    """Print a table."""
    from bench.support import headline

    parser = argparse.ArgumentParser()
    parser.add_argument("--traces", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    headline(f"Faults found in {options.traces:,} traces of two days, 99.9 % over 30 days")
    found = scores(range(options.seed, options.seed + options.traces))
    print(f"  {'rule':36} precision  recall  alarms  false  true faults  median min to find")
    for name, one in found.items():
        middle = statistics.median(one.took) if one.took else math.nan
        print(
            f"  {name:36} {one.precision:9.3f} {one.recall:7.3f} {one.right + one.false:7} {one.false:6} {one.true:12} "
            f"{middle:19.0f}"
        )


if __name__ == "__main__":
    main()
