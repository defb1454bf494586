"""The laws of schedules over very many of them: every zone, every change of clocks from 2024 to 2037.

    .venv/bin/python -m bench.oncall_schedules --examples 100000 --seed 1

Each example is a schedule with layers, hours, temporary parts, gaps and overrides, near a change of clocks half of the
time, and is held to every law that `tests/oncall/laws.py` states. Each zone has its share of the examples, and the
zones that are known for surprises ten times that. Prints what was done; ends with 1 at a broken law.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from datetime import datetime
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.oncall import laws
from tests.oncall.rosters import NAMED, ZONES, overrides, rosters, transitions
from watchkeeper.modules.oncall.model import Roster

_MORE = 10
_NEAR_SECONDS = 2 * 86_400


def main() -> None:
    """Run and print."""
    wanted = argparse.ArgumentParser()
    wanted.add_argument("--examples", type=int, default=10_000)
    wanted.add_argument("--seed", type=int, default=1)
    asked = wanted.parse_args()
    shares = {zone: _MORE if zone in NAMED else 1 for zone in ZONES}
    unit = asked.examples / sum(shares.values())
    done: Counter[str] = Counter()
    near: Counter[str] = Counter()
    touched: set[tuple[str, datetime]] = set()
    began, owed = time.perf_counter(), 0.0
    for number, (zone, share) in enumerate(shares.items()):
        owed += unit * share
        count = int(owed)
        owed -= count
        if count:
            _hold(zone, count, asked.seed * 1_000 + number, done, near, touched)
    took = time.perf_counter() - began
    changes = sum(len(transitions(zone)) for zone in ZONES)
    print(f"{sum(done.values()):,} schedules in {len(done)} of {len(ZONES)} zones, {took:,.0f} s: every law held")
    print(f"{sum(near.values()):,} of them within two days of a change of clocks;")
    print(f"{len(touched):,} of the {changes:,} changes from 2024 to 2037 were met")
    for zone in NAMED:
        print(f"  {zone}: {done[zone]:,}, {near[zone]:,} near a change of clocks")


def _hold(
    zone: str,
    examples: int,
    number: int,
    done: Counter[str],
    near: Counter[str],
    touched: set[tuple[str, datetime]],
) -> None:
    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(rosters((zone,)), st.data())
    def hold(drawn: tuple[Roster, datetime], data: Any) -> None:
        roster, at = drawn
        laws.spans_partition_time(roster, at)
        laws.on_call_agrees_with_spans(roster, at)
        laws.as_the_wall_clock_says(roster, at, minutes=2)
        laws.an_override_changes_nothing_outside_it(roster, at, data.draw(overrides(at, 99)))
        for layer in roster.schedule.layers:
            laws.a_rotation_repeats(layer, zone, at)
        close = [change for change in transitions(zone) if abs((change - at).total_seconds()) < _NEAR_SECONDS]
        done[zone] += 1
        near[zone] += bool(close)
        touched.update((zone, change) for change in close)

    hold()


if __name__ == "__main__":
    main()
