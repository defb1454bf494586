"""Snapshots in a process: new as soon as something is committed, and the same on every replica."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.config.support import COACH, MATCHES, RADIUS, VIDEO, Stage
from watchkeeper.kernel.errors import Unavailable
from watchkeeper.modules.config.errors import EnvironmentNotFound, NothingChanges
from watchkeeper.modules.config.hub import Hub
from watchkeeper_client.rules import apply_delta


@pytest.fixture(autouse=True)
def defined(stage: Stage) -> None:
    stage.define(MATCHES, RADIUS, VIDEO, COACH)


def test_two_replicas_give_one_document_one_etag(stage: Stage) -> None:
    other = Hub(stage.database, stage.clock, {})
    stage.set("MATCHES_PER_DAY", 5)
    stage.clock.advance(timedelta(hours=1))
    stage.hub.look()
    other.look()
    assert stage.hub.current("production").etag == other.current("production").etag
    assert stage.hub.current("production").body == other.current("production").body


def test_a_look_reads_only_what_moved(stage: Stage) -> None:
    assert stage.hub.look() is False
    stage.set("MATCHES_PER_DAY", 5)
    assert stage.hub.look() is True
    assert stage.hub.look() is False


def test_each_version_says_how_to_get_there_from_the_one_before(stage: Stage) -> None:
    document: Any = stage.hub.current("production").document
    for value in (5, 6, None):
        stage.set("MATCHES_PER_DAY", value)
        stage.hub.look()
        held = stage.hub.current("production")
        assert held.previous == document["etag"]
        document = apply_delta(document, orjson.loads(held.delta))
        assert document == held.document


def test_whoever_waits_is_told_of_a_change(stage: Stage) -> None:
    asyncio.run(_wait_and_see(stage))


async def _wait_and_see(stage: Stage) -> None:
    etag = stage.hub.current("production").etag
    waiting = asyncio.create_task(stage.hub.moved("production", etag, seconds=20))
    await asyncio.sleep(0.05)
    await asyncio.to_thread(stage.set, "MATCHES_PER_DAY", 5)
    await stage.hub.catch_up()
    held = await waiting
    assert held is not None
    assert held.document["parameters"]["MATCHES_PER_DAY"]["value"] == 5
    assert await stage.hub.moved("production", held.etag, seconds=0.05) is None


def test_a_scheduled_change_acts_at_its_time_even_while_the_database_is_away(stage: Stage) -> None:
    stage.set("MATCHES_PER_DAY", 8, due_at=stage.clock.now() + timedelta(minutes=5))
    stage.hub.look()
    entry = stage.hub.current("production").program.outcome("MATCHES_PER_DAY")
    assert entry is not None
    assert entry.value == 3
    stage.clock.advance(timedelta(minutes=5))
    stage.hub.act_on_time()
    entry = stage.hub.current("production").program.outcome("MATCHES_PER_DAY")
    assert entry is not None
    assert entry.value == 8


def test_an_unknown_environment_is_refused_and_an_unread_configuration_is_not_empty(stage: Stage) -> None:
    with pytest.raises(EnvironmentNotFound, match="there are: production"):
        stage.hub.current("prodction")
    with pytest.raises(Unavailable):
        Hub(stage.database, stage.clock, {}).current("production")


def test_what_is_evaluated_here_is_counted_once(stage: Stage) -> None:
    for _ in range(3):
        found = stage.hub.current("production").program.outcome("ENABLE_VIDEO", "u1")
        assert found is not None
        found.count += 1
    stage.set("MATCHES_PER_DAY", 5)
    stage.hub.look()
    found = stage.hub.current("production").program.outcome("ENABLE_VIDEO", "u1")
    assert found is not None
    found.count += 1
    assert stage.hub.drain() == {"production": [("ENABLE_VIDEO", "off", 4)]}
    assert stage.hub.drain() in ({}, {"production": []})


operations = st.lists(
    st.tuples(
        st.sampled_from(["MATCHES_PER_DAY", "RADIUS_KM"]),
        st.sampled_from(["value", "user:u1", "user:u2"]),
        st.none() | st.integers(1, 10),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations)
def test_the_version_grows_with_every_change_and_never_without_one(stage: Stage, made: list[Any]) -> None:
    for key, slot, value in made:
        before = stage.document()
        try:
            stage.set(key, value, slot)
        except NothingChanges:
            assert stage.document() == before
            continue
        after = stage.document()
        assert after["version"] == before["version"] + 1
        assert after["etag"] != before["etag"]
