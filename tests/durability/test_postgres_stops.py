"""PostgreSQL dies under load: nothing acknowledged is lost, everybody is told to come back, and soon all is well."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import missing
from tests.durability.postgres_stops import stop_under_load
from tests.support.postgres import PostgresMissing


def test_replicas_survive_that_postgresql_is_stopped_without_a_goodbye(tmp_path: Path) -> None:
    try:
        found = stop_under_load(tmp_path, rounds=2, replicas=2, seconds=1.0)
    except PostgresMissing as error:
        missing(str(error))
        return
    assert found.bad == []
    assert found.acknowledged > 10
    assert (found.lost, found.twice, found.unheard) == (0, 0, 0)
    assert found.chain is None
    assert found.work_goes_on
    assert max(found.recoveries) <= 15
