"""What time does to an incident reaches people, over a channel that is a real server, and over any death."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from tests.incidents.calling import Watch
from tests.notify.support import Provider
from tests.oncall.paging.support import LEASE
from tests.oncall.paging.test_deaths import Killed, killed_before
from tests.oncall.support import ID, Stage
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.modules.incidents.drill import Scenario, play
from watchkeeper.modules.incidents.model import Role, Severity

MINUTE = timedelta(minutes=1)
DOWN = "SEV-1: Nobody can pay"
LATE = f"page: Nobody responded in time to {DOWN}"


@pytest.fixture
def watch(database: Database, clock: ManualClock) -> Iterator[Watch]:
    """Ann is called first, then Ben after half an hour: later than a SEV-1 may wait."""
    provider = Provider()
    with Stage.open(database, clock) as stage:
        made = Watch(stage, provider)
        made.reachable("ann", "ben", "cleo")
        steps = [{"notify": [{"person": f"{who}@example.com"}], "wait": "30m"} for who in ("ann", "ben", "cleo")]
        made.policy(steps=steps)
        yield made
    provider.close()


def pass_time(watch: Watch, *minutes: float) -> list[tuple[str, str]]:
    """What reached phones while so many minutes went by, looked at after each of them."""
    before = len(watch.provider.asked)
    for each in minutes:
        watch.clock.advance(each * MINUTE)
        watch.run()
    return watch.words(before)


def test_a_response_that_is_missing_warns_whoever_is_called_first_and_then_calls_the_next(watch: Watch) -> None:
    watch.open(severity=Severity.SEV1)
    assert pass_time(watch, 0) == [("ann", f"page: {DOWN}")]
    half, most = pass_time(watch, 2.5), pass_time(watch, 1.5)
    assert [half, most] == [
        [("ann", f"{DOWN} | {share} % of the time to respond to it are over, and nobody has.")] for share in (50, 80)
    ]
    assert pass_time(watch, 1) == [("ben", LATE)]
    # Once: the clock calls nobody again. Its alert goes on up the policy as every alert does.
    assert [one for one in pass_time(watch, 2, 5, 5) if one[1].startswith("page")] == []
    assert ("cleo", LATE) in pass_time(watch, 18)


def test_whoever_takes_the_page_about_a_missing_response_ends_all_calls(watch: Watch) -> None:
    one = watch.open(severity=Severity.SEV1)
    pass_time(watch, 5)
    late = next(group for group in [watch.group()] if "Nobody responded" in group.title)
    with watch.stage.database.begin() as session:
        watch.alerting.acknowledge(session, late.id, by=ID["ben"], at=watch.clock.now(), source="test")
    watch.run()
    assert watch.incident(one.id).responded_at == watch.clock.now()
    assert [words for words in pass_time(watch, 31, 31) if words[1].startswith("page")] == []


def test_what_can_wait_until_tomorrow_wakes_nobody_before_its_time_is_over(watch: Watch) -> None:
    """The phone shows low priority at half and at four fifths of 48 hours, and a page at their end."""
    watch.open(severity=Severity.SEV3)
    pass_time(watch, 0)
    before = len(watch.provider.asked)
    pass_time(watch, 24 * 60, 14.4 * 60)
    warned = [one.json["priority"] for one in watch.provider.asked[before:] if "% of the time" in one.json["message"]]
    assert len(warned) == 2
    assert max(warned) <= 3
    assert ("ben", "page: Nobody responded in time to SEV-3: Nobody can pay") in pass_time(watch, 9.6 * 60)


def test_an_update_is_asked_for_every_quarter_of_an_hour_of_whoever_writes_them(watch: Watch) -> None:
    one = watch.open(severity=Severity.SEV2, who="ann")
    watch.act("assign", one.id, Role.COMMUNICATOR, ID["cleo"])
    pass_time(watch, 1)
    asked = ("cleo", "SEV-2: Nobody can pay | An update is due: say how it is, even if nothing is new.")
    assert pass_time(watch, 14) == [asked]
    assert [one for one in pass_time(watch, 15) if one[0] == "cleo"] == [asked]
    watch.act("post_update", one.id, "We roll back", who="cleo")
    assert [one for one in pass_time(watch, 14) if one[0] == "cleo"] == []
    assert asked in pass_time(watch, 1)
    watch.act("resolve", one.id)
    assert asked not in pass_time(watch, 15, 15)


def test_a_warning_that_a_provider_did_not_take_in_time_is_no_news_any_more(watch: Watch) -> None:
    one = watch.open(severity=Severity.SEV1)
    pass_time(watch, 0)
    watch.provider.answer = lambda _asked: (503, {})
    pass_time(watch, 2.5)
    watch.act("acknowledge", one.id, alerts_too=True)
    watch.provider.answer = lambda _asked: (200, {})
    assert [words for words in pass_time(watch, 0.5, 1, 5) if "% of the time" in words[1]] == []


def test_two_replicas_that_look_at_once_tell_it_once(watch: Watch) -> None:
    one = watch.open(severity=Severity.SEV1)
    pass_time(watch, 0)
    watch.clock.advance(5 * MINUTE)
    before, together = len(watch.provider.asked), Barrier(4)

    def look(_number: int) -> None:
        together.wait()
        with watch.stage.database.begin() as session:
            watch.ticking.look(session, one.id)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(look, range(4)))
    watch.run()
    assert watch.incident_facts("clock_breached") == ["clock_breached"]
    assert watch.words(before) == [("ben", LATE)]


def test_a_kill_before_any_statement_loses_no_call_for_a_missing_response(watch: Watch) -> None:
    # Every seventh statement on each engine, others on the one than on the other.
    first = 1 if watch.stage.database.engine.dialect.name == "sqlite" else 4
    for round_, number in enumerate(itertools.count(first, 7), start=1):
        one = watch.open(f"Down {number}", severity=Severity.SEV1)
        watch.run()
        watch.clock.advance(5 * MINUTE)
        before = len(watch.provider.asked)
        try:
            with killed_before(watch, number) as seen:
                watch.run()
        except Killed:
            watch.clock.advance(LEASE + timedelta(seconds=1))
            watch.run()
        called = [who for who, words in watch.words(before) if words.startswith("page: Nobody responded")]
        assert set(called) == {"ben"}, f"killed before statement {number}"
        assert len(called) <= 2, "at most one more"
        assert len(watch.incident_facts("clock_breached")) == round_
        watch.act("resolve", one.id)
        watch.run()
        if seen[0] < number:
            break
    assert number > 30, "the path has that many statements"


def test_a_drill_that_really_calls_says_so_in_each_word_of_it_and_calls_nobody_up_the_path(watch: Watch) -> None:
    with watch.stage.database.begin() as session:
        scenario = Scenario("Nobody can pay", Severity.SEV1, "gateway", page=True)
        play(session, watch.clock, watch.incidenting, scenario, by="tok_ci", source="test")
    told = pass_time(watch, 0, 2.5, 1.5, 1, 5)
    assert {who for who, _ in told} == {"ann"}
    assert len(told) == 3, "a page, and two warnings"
    assert all("Drill: Nobody can pay" in words for _, words in told)
