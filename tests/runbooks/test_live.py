"""What the page of a runbook says of objectives now."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.slo.support import Stage, slo
from watchkeeper.app.runbook_lending import LiveValues
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.modules.catalog.model import Description
from watchkeeper.modules.catalog.service import Catalog
from watchkeeper.modules.runbooks.public import Metric, Value


@pytest.fixture
def stage(database: Database, clock: ManualClock) -> Stage:
    stage = Stage(database, clock)
    with database.begin() as session:
        Catalog(session, clock).declare("gateway", Description(), by="alice", source="test")
    return stage


def values(stage: Stage, *names: str) -> list[Value]:
    no_requests: Any = None
    live = LiveValues(stage.database, stage.clock, no_requests, stage.engine)
    return asyncio.run(live.values(None, [Metric(f"slo:{one}") for one in names]))


def test_an_objective_says_its_share_its_window_what_is_left_and_how_old_that_is(stage: Stage) -> None:
    stage.put(slo(window={"rolling": "12h"}), slo("other", window={"calendar": "month", "time_zone": "UTC"}))
    stage.steady("api", good=999.5, total=1000)
    stage.steady("other", good=0)
    stage.run()
    good, bad, none = values(stage, "api", "other", "unknown")
    assert good.text == "99.950% over 12 h, 50% of the budget left"
    assert good.at is not None
    assert stage.clock.now() >= good.at
    assert (bad.kind, bad.text) == ("danger", "0.000% this month, 0% of the budget left")
    assert (none.kind, none.text, none.at) == ("muted", "nothing measured", None)


@pytest.mark.parametrize("best_first", [True, False])
@pytest.mark.parametrize("good", [95, 20])
def test_of_several_targets_the_one_is_told_that_has_the_least_left(stage: Stage, good: int, best_first: bool) -> None:
    targets = [{"name": "bearable", "target": 0.5}, {"name": "strict", "target": 0.99}]
    stage.put(slo(objectives=targets if best_first else targets[::-1]))
    stage.steady("api", good=good)
    stage.run()
    (told,) = values(stage, "api")
    assert told.text.startswith(f"strict: {good}.000% over 30 d, 0%")
