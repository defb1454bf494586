"""Which faults are found in traffic with blips, slow burns, outages and daily cycles: see `bench/slo_detection.py`."""

from __future__ import annotations

from bench.slo_detection import RULES, alarms, make_trace, scores

TRACES = range(1, 41)


def test_burn_rates_find_what_matters_and_little_else_and_a_plain_threshold_can_not() -> None:
    found = scores(TRACES)
    ours, *plain = found.values()
    assert ours.true >= 10
    assert ours.recall >= 0.95
    assert ours.precision >= 0.95
    assert all(one.precision < 0.75 or one.recall < 0.8 for one in plain)


def test_a_trace_is_the_same_of_the_same_seed_and_another_of_another() -> None:
    one, same, other = make_trace(7), make_trace(7), make_trace(8)
    assert one == same
    assert one.minutes != other.minutes


def test_a_trace_without_faults_raises_no_alarm_by_budget() -> None:
    quiet = next(trace for trace in map(make_trace, TRACES) if not trace.faults)
    assert alarms(quiet, [next(iter(RULES.values()))()]) == [[]]
