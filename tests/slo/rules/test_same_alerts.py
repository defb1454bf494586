"""Our engine and Prometheus, with the rules that we write, alert at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.slo.rules.support import PROMTOOL, Counters, Piece, Stream, ratio_of, run_rules, source_of_step, written
from tests.slo.support import SETTINGS, Stage
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.modules.slo.definition import Definition
from watchkeeper.modules.slo.engine import Engine
from watchkeeper.modules.slo.service import Slos
from watchkeeper.modules.slo.sources_prometheus import Prometheus

# Ten hours of looks every fifteen seconds, twice, on a machine that may be busy.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(autouse=True)
def _promtool() -> None:
    if PROMTOOL is None:
        missing("promtool is not installed: on Debian it comes with the package prometheus")


START = datetime(2026, 3, 2, tzinfo=UTC)
DAY = {"rolling": "1d"}
MINUTE = timedelta(minutes=1)
Firing = tuple[timedelta, timedelta | None]


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def watched(
    stage: Stage, definitions: Sequence[Definition], streams: Sequence[Stream], since: timedelta, until: timedelta
) -> dict[tuple[str, str], Firing]:
    """When our engine fires and resolves first, by SLO and action; it looks at every step of [since, until]."""
    step = streams[0].step
    clock = ManualClock(START + since)
    asked = Counters(streams=streams, start=int(START.timestamp()))
    source = source_of_step(step)
    held: list[Engine] = []
    prometheus = Prometheus(lambda: held[0].data_sources, asked, {})
    settings = SETTINGS.model_copy(update={"look_back_days": 4.0})
    held.append(Engine(stage.database, clock, (prometheus,), settings))
    with stage.database.begin() as session:
        slos = Slos(session, clock)
        slos.put_record(source, by="alice", source="api")
        for one in definitions:
            slos.put(one, by="alice", source="api")
    while clock.now() <= START + until:
        held[0].run_once()
        clock.advance(timedelta(seconds=step))
    found: dict[tuple[str, str], Firing] = {}
    for fact in [one for one in stage.facts() if one.kind in ("slo.alert_fired", "slo.alert_resolved")]:
        key, at = (fact.data["slo"], fact.data["action"]), fact.at - START
        if fact.kind == "slo.alert_fired":
            found.setdefault(key, (at, None))
        elif found[key][1] is None:
            found[key] = (found[key][0], at)
    return found


def firing(slo: str, action: str) -> str:
    return f'count(ALERTS{{alertname="SloBudgetBurns",alertstate="firing",slo="{slo}",severity="{action}"}})'


def expected_of(
    key: tuple[str, str], times: Firing, step: timedelta, until: timedelta
) -> list[tuple[timedelta, str, float | None]]:
    """Within one evaluation of when our engine did it."""
    fired, resolved = times
    found: list[tuple[timedelta, str, float | None]] = [
        (fired - 2 * step, firing(*key), None),
        (fired + step, firing(*key), 1.0),
    ]
    if key[0] == "few-events":
        # A window four times as long speaks for a short one with too few events: such an alert ends later.
        return found
    if resolved is None:
        return [*found, (until, firing(*key), 1.0)]
    return [*found, (resolved - 2 * step, firing(*key), 1.0), (resolved + step, firing(*key), None)]


def quiet(slo: str, action: str, until: timedelta) -> list[tuple[timedelta, str, float | None]]:
    """It never fires: seen all along the way."""
    return [(at, firing(slo, action), None) for at in (until * part / 20 for part in range(1, 21))]


BEFORE = Piece(minutes(180))  # more than the longest window of a day's pairs
SCENES: dict[str, tuple[Definition, Sequence[Piece]]] = {}


def scene(name: str, *pieces: Piece, **changes: object) -> None:
    SCENES[name] = ratio_of(name, 15, window=DAY, **changes), pieces


scene("outage", BEFORE, Piece(minutes(6), error=1.0), Piece(minutes(90)))
scene("tenth", BEFORE, Piece(minutes(6), error=0.1), Piece(minutes(90)))
scene("one-percent", BEFORE, Piece(minutes(20), error=0.01), Piece(minutes(76)))
scene("slow", BEFORE, Piece(minutes(96), error=0.004))
scene("within", BEFORE, Piece(minutes(96), error=0.0008))
scene("less-traffic", BEFORE, Piece(minutes(10), events=120, error=0.2), Piece(minutes(86)))
scene("fading", BEFORE, Piece(minutes(2), error=0.5), *(Piece(minutes(4), error=0.02 / n) for n in range(1, 13)))
scene("from-nothing", Piece(minutes(30), error=0.03), Piece(minutes(100)))
scene("few-events", Piece(minutes(180), events=0.5), Piece(minutes(40), events=0.5, error=1.0), Piece(minutes(60), 0.5))
scene(
    "own-pairs",
    BEFORE,
    Piece(minutes(20), error=0.05),
    Piece(minutes(70)),
    alerting={
        "rules": [
            {"budget": 0.05, "per": "1h", "long": "30m", "short": "5m"},
            {"misses": 500, "long": "1h", "action": "ticket"},
        ]
    },
)
scene(
    "many-bad",
    BEFORE,
    Piece(minutes(20), error=0.02),
    Piece(minutes(70)),
    alerting={"minimum_bad_events": 100},
)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_days_budget_burns_at_the_same_times(stage: Stage, tmp_path: Path) -> None:
    streams = [Stream(name.replace("-", "_"), pieces, 15) for name, (_, pieces) in SCENES.items()]
    definitions = [one for one, _ in SCENES.values()]
    until = max(one.length for one in streams)
    found = watched(stage, definitions, streams, minutes(0), until)
    assert {slo for slo, _ in found} == set(SCENES) - {"within"}
    step = timedelta(seconds=15)
    expected = []
    for name, (_, pieces) in SCENES.items():
        ends = sum((piece.lasts for piece in pieces), timedelta(0))
        for action in ("page", "ticket"):
            key = (name, action)
            expected += expected_of(key, found[key], step, ends) if key in found else quiet(*key, ends)
    series = {name: values for one in streams for name, values in one.series().items()}
    run_rules(tmp_path, written(definitions), series, 15, expected)


# Of each the time before it, which is that of its long window: what is older says nothing.
WORKBOOK = [("page", 0.1, 8.64, 90), ("page", 0.01, 216.0, 390), ("ticket", 0.005, 864.0, 1_470)]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("action", "error", "after", "before"), WORKBOOK)
def test_a_months_budget_burns_at_the_same_times(
    stage: Stage, tmp_path: Path, action: str, error: float, after: float, before: int
) -> None:
    """The Workbook's pairs at full length, scraped every minute; the traffic doubles when the errors begin."""
    history = minutes(before)
    stream = Stream("api", [Piece(history, events=600), Piece(minutes(after * 1.1 + 5), error=error)], 60)
    slo = ratio_of("api", 60)
    found = watched(stage, [slo], [stream], history + minutes(after * 0.45), stream.length)
    fired, resolved = found["api", action]
    assert resolved is None
    assert minutes(after * 0.45) < fired - history < minutes(after + 3)
    run_rules(
        tmp_path,
        written([slo], 60),
        stream.series(),
        60,
        expected_of(("api", action), (fired, None), MINUTE, stream.length),
    )
