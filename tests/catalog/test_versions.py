"""Versions that telemetry names: another one than before is a deployment, told once."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.catalog.support import Stage
from tests.catalog.test_suspicion import ONSET
from watchkeeper.kernel.journal import Effect, FactFilter, describe_fact, effect_of, read_facts
from watchkeeper.modules.catalog import public
from watchkeeper.modules.catalog.model import MOST_VERSIONS_TOLD, VERSION_GONE_AFTER, Running, Seen, replaced_by


def see(stage: Stage, *versions: str, service: str = "web", environment: str = "production") -> None:
    with stage.database.begin() as session:
        public.discover(session, stage.clock, [Seen(service, environment, one) for one in versions])


def told(stage: Stage) -> list[tuple[str, str]]:
    with stage.database.read() as session:
        facts = read_facts(session, FactFilter(kinds=("catalog.version_seen",)), limit=1_000, newest_first=False)
    return [(one.data["replaced"], one.data["release"]) for one in facts]


def test_another_version_of_a_service_is_a_deployment_on_its_timeline(stage: Stage) -> None:
    see(stage, "1.0")
    stage.clock.advance(timedelta(hours=1))
    see(stage, "1.1")
    assert told(stage) == [("1.0", "1.1")]
    with stage.database.read() as session:
        (fact,) = read_facts(session, FactFilter(kinds=("catalog.version_seen",)))
    assert (fact.service, fact.actor, fact.source) == ("web", "system:telemetry", "telemetry")
    assert fact.data["environment"] == "production"
    assert effect_of(fact) is Effect.CODE
    assert describe_fact(fact) == "web runs version 1.1 in production, after 1.0."


def test_the_first_version_of_a_place_and_one_that_runs_on_are_no_news(stage: Stage) -> None:
    for _ in range(5):
        see(stage, "1.0")
        see(stage, "1.0", environment="staging")
        see(stage, "", "x" * 101, "line\nbreak", "\ud800")
        stage.clock.advance(timedelta(minutes=3))
    assert told(stage) == []


def test_two_versions_side_by_side_are_told_once_however_long_the_roll_out_takes(stage: Stage) -> None:
    see(stage, "1.0")
    for _ in range(40):
        stage.clock.advance(timedelta(minutes=2))
        see(stage, "1.0", "1.1")
    assert told(stage) == [("1.0", "1.1")]


def test_a_version_that_is_put_back_is_told(stage: Stage) -> None:
    see(stage, "1.0")
    for version in ("1.1", "1.0"):
        for _ in range(12):
            stage.clock.advance(timedelta(minutes=1))
            see(stage, version)
    assert told(stage) == [("1.0", "1.1"), ("1.1", "1.0")]


def test_a_service_that_names_itself_anew_each_time_does_not_fill_the_journal(stage: Stage) -> None:
    for number in range(150):
        see(stage, f"build-{number}")
    assert len(told(stage)) <= MOST_VERSIONS_TOLD
    stage.clock.advance(timedelta(hours=2))
    see(stage, "2.0")
    assert told(stage)[-1][1] == "2.0"


def test_while_no_version_is_new_nothing_is_written_within_a_minute(stage: Stage) -> None:
    see(stage, "1.0")
    stage.clock.advance(timedelta(seconds=5))
    before = len(stage.facts())
    for _ in range(20):
        see(stage, "1.0")
    assert len(stage.facts()) == before


runs = st.lists(st.tuples(st.sampled_from(["1", "2", "3"]), st.integers(1, 40)), max_size=12)


@given(runs)
def test_a_version_takes_the_place_of_another_only_when_new_or_back_after_a_while(runs: list[tuple[str, int]]) -> None:
    now, known = ONSET, dict[str, Running]()
    for version, minutes in runs:
        now += timedelta(minutes=minutes)
        before = replaced_by(version, list(known.values()), now)
        if before is not None:
            assert before != version
            assert version not in known or now - known[version].last_seen >= VERSION_GONE_AFTER
        elif known:
            assert version in known
        known[version] = Running(version, now)
        assert replaced_by(version, list(known.values()), now) is None
