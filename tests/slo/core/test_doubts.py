"""What an engine does when it knows little: sources that come and go, looks that fail, clocks that jump."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from tests.slo.core.test_engine import MINUTES, outage_from
from tests.slo.support import SETTINGS, Stage, slo
from watchkeeper.modules.slo.engine import Engine
from watchkeeper.modules.slo.model import Status
from watchkeeper.modules.slo.service import Slos
from watchkeeper.modules.slo.sources import Reading
from watchkeeper.modules.slo.store import Stored


def open_kinds(stage: Stage) -> list[str]:
    return sorted(one.kind for one in stage.alerts(open_only=True))


def silent_between(stage: Stage, *minutes: tuple[int, int], name: str = "api") -> None:
    """Nothing is told from the one minute to the other, counted from now on."""
    start = stage.clock.now().timestamp()
    stage.tape.by_slo[name] = lambda minute: (
        None if any(start + one * 60 <= minute < start + other * 60 for one, other in minutes) else (100.0, 100.0)
    )


def test_a_silence_that_comes_back_soon_ends_too(stage: Stage) -> None:
    stage.put(slo())
    silent_between(stage, (0, 8), (10, 18))
    stage.run(30 * MINUTES)
    assert [one.fired for one in stage.alerts()] == [2]
    assert open_kinds(stage) == []


@pytest.mark.parametrize("problem", [None, "prometheus answered 503"])
def test_a_restart_does_not_call_a_silence_over(stage: Stage, problem: str | None) -> None:
    stage.put(slo())
    stage.steady("api")
    stage.run()
    silent_between(stage, (0, 10_000))
    stage.tape.problem = problem
    stage.run(10 * MINUTES)
    assert open_kinds(stage) == ["source_silent"]
    stage.engine = stage.another_engine()
    stage.run(10 * MINUTES)
    assert open_kinds(stage) == ["source_silent"]
    assert [kind for kind in stage.kinds() if kind.startswith("alert_")] == ["alert_fired"]
    # Nor does one days later, when nobody remembers when it spoke last.
    stage.clock.advance(timedelta(days=5))
    stage.engine = stage.another_engine()
    stage.run(10 * MINUTES)
    assert open_kinds(stage) == ["source_silent"]


@pytest.mark.parametrize("error", [0.02, 0.2])
def test_what_burned_when_its_source_fell_silent_is_not_called_over(stage: Stage, error: float) -> None:
    stage.put(slo())
    stage.steady("api")
    stage.run()
    outage_from(stage, error=error)
    stage.run(60 * MINUTES)
    assert "burn" in open_kinds(stage)
    stage.tape.by_slo["api"] = lambda _minute: None
    stage.run(3 * timedelta(hours=1), every=5 * MINUTES)
    page = next(one for one in stage.alerts() if one.action == "page" and one.kind == "burn")
    assert page.is_open
    # It is when it speaks again and all is well.
    stage.steady("api")
    stage.run(15 * MINUTES)
    assert not next(one for one in stage.alerts() if one.id == page.id).is_open


def test_an_slo_of_which_nothing_is_told_any_more_is_silent_beside_others_that_speak(stage: Stage) -> None:
    """A scrape target that is gone leaves a Prometheus that answers, with nothing."""
    stage.put(slo(), slo("other"))
    stage.steady("api")
    stage.steady("other")
    stage.run(MINUTES)
    stage.tape.by_slo["api"] = lambda _minute: None
    stage.run(8 * MINUTES)
    assert [(one.kind, one.dedup_key) for one in stage.alerts()] == [("source_silent", "slo/source/slo:api")]
    assert stage.figures("api").status is Status.SILENT
    assert stage.figures("other").status is Status.MET
    stage.steady("api")
    stage.run(MINUTES)
    assert open_kinds(stage) == []


class Refusing:
    """A stage's source that fails while it is told to."""

    def __init__(self, stage: Stage) -> None:
        self._tape, self.fails = stage.tape, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tape, name)

    def read(self, wanted: Sequence[Stored], since: int, until: int, now: float) -> Reading:
        if self.fails:
            raise OSError("the disk is not there")
        return self._tape.read(wanted, since, until, now)


def test_a_first_look_that_fails_is_made_up_for(stage: Stage) -> None:
    stage.put(slo())
    stage.steady("api")
    source = Refusing(stage)
    stage.engine = Engine(stage.database, stage.clock, (source,), SETTINGS)
    with pytest.raises(OSError, match="disk"):
        stage.engine.run_once()
    source.fails = False
    stage.run(MINUTES)
    assert stage.figures().counts.measured == pytest.approx(30 * 24 * 3600, rel=0.01)


def test_history_that_a_source_could_not_tell_at_first_is_asked_again(stage: Stage) -> None:
    stage.put(slo())
    stage.steady("api")
    stage.tape.problem = "prometheus answered 503"
    stage.run(MINUTES)
    assert stage.figures().burns[timedelta(hours=6)].covered == 0
    stage.tape.problem = None
    stage.run(MINUTES)
    # Six hours of minutes are looked back upon in these tests.
    assert stage.figures().burns[timedelta(hours=6)].covered == pytest.approx(1, abs=0.01)


def test_an_slo_that_is_removed_leaves_no_alert_behind(stage: Stage) -> None:
    stage.put(slo())
    stage.steady("api")
    stage.run()
    outage_from(stage)
    stage.run(3 * MINUTES)
    assert open_kinds(stage) == ["burn"]
    with stage.database.begin() as session:
        Slos(session, stage.clock).remove("api", by="alice", source="api")
    stage.run(MINUTES)
    assert open_kinds(stage) == []


def test_an_alert_that_is_switched_off_ends_even_if_it_flapped(stage: Stage) -> None:
    stage.put(slo())
    stage.steady("api")
    stage.run()
    outage_from(stage, lasts=2 * MINUTES)
    stage.run(10 * MINUTES)
    outage_from(stage)
    stage.run(2 * MINUTES)
    assert [one.fired for one in stage.alerts(open_only=True)] == [2]
    stage.put(slo(alerting={"enabled": False}))
    stage.run(10 * MINUTES)
    assert open_kinds(stage) == []


def test_replicas_agree_on_what_goes_on_burning(stage: Stage) -> None:
    """One that did not see it fire holds on as long as the one that did."""
    stage.put(slo())
    stage.steady("api")
    other = stage.another_engine()
    stage.run()
    other.run_once()
    start = stage.clock.now().timestamp()

    def tell(minute: int) -> tuple[float, float]:
        # 40x for ten minutes, nothing for ten, then 14.5x: fires at minute 52, and as the first ten minutes leave the
        # long window, it falls a little below 14.4x.
        since = (minute - start) / 60
        return 100 - (4.0 if 0 <= since < 10 else 1.45 if since >= 20 else 0.0), 100.0

    stage.tape.by_slo["api"] = tell
    stage.run(66 * MINUTES, every=MINUTES)
    page = next(one for one in stage.alerts(open_only=True) if one.action == "page")
    assert stage.figures().burns[timedelta(hours=1)].rate < 14.4
    other.run_once()
    assert page.id in [one.id for one in stage.alerts(open_only=True)]


@pytest.mark.parametrize("jump", [timedelta(days=1), timedelta(hours=2), -timedelta(hours=2), -timedelta(days=1)])
def test_a_clock_that_jumps_and_comes_back_neither_pages_nor_stops_the_looks(stage: Stage, jump: timedelta) -> None:
    stage.put(slo())
    start = stage.clock.now().timestamp()
    stage.tape.by_slo["api"] = lambda minute: (100.0, 100.0) if minute < start + 3600 else None
    stage.run(5 * MINUTES)
    stage.clock.jump(stage.clock.now() + jump)
    stage.run()
    stage.clock.jump(stage.clock.now() - jump)
    stage.run(5 * MINUTES)
    assert [one for one in stage.alerts() if one.kind == "burn"] == []
    outage_from(stage)
    stage.run(3 * MINUTES)
    assert "burn" in open_kinds(stage)
    stage.steady("api")
    stage.run(20 * MINUTES)
    assert open_kinds(stage) == []


def test_an_engine_that_slept_through_an_hour_reads_it_and_says_so_once(stage: Stage) -> None:
    stage.put(slo())
    stage.steady("api")
    stage.run()
    outage_from(stage)
    stage.clock.advance(timedelta(minutes=50))
    stage.engine.run_once()
    assert stage.figures().counts.bad == pytest.approx(5_000, rel=0.05)
    stage.clock.advance(timedelta(hours=3))
    stage.engine.run_once()
    assert stage.figures().counts.bad == pytest.approx(23_000, rel=0.05)
    assert len([one for one in stage.alerts() if one.action == "page"]) == 1
