"""Paging tells the outside that it works, by the way of a page, once that is proven; else what is wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.oncall.paging.outside import Watched
from tests.oncall.paging.support import Tower
from watchkeeper.modules.alerts.model import Action
from watchkeeper.modules.alerts.public import OwnAlert
from watchkeeper.modules.alerts.service import own_signal
from watchkeeper.modules.oncall.paging import store
from watchkeeper.modules.oncall.paging.auditor import failed_at
from watchkeeper.modules.oncall.paging.findings import findings


@pytest.fixture
def watched(tower: Tower) -> Watched:
    """Ann can be reached, and a synthetic page has come through."""
    tower.reachable("ann")
    tower.policy()
    found = Watched(tower)
    found.probe()
    found.work()
    return found


def heard(watched: Watched) -> list[str]:
    """Paths that the outside was asked at, once an audit was made and what it ordered was sent."""
    watched.audit()
    watched.send_words()
    return [path for path, _ in watched.pings()]


def looked(tower: Tower) -> tuple[str, ...]:
    with tower.stage.database.read() as session:
        return findings(session, tower.clock.now(), tower.clock.now())


def test_while_all_is_well_the_outside_hears_it(watched: Watched) -> None:
    assert heard(watched) == ["/ping/7e57"]
    with watched.tower.stage.database.read() as session:
        watch = store.watch(session)
    assert watch is not None
    assert (watch.findings, watch.heartbeat_at, watch.heartbeat_failure) == ((), watched.tower.clock.now(), "")


def test_nothing_is_said_before_a_synthetic_page_came_through(tower: Tower) -> None:
    tower.reachable("ann")
    watched = Watched(tower)
    assert heard(watched) == []
    watched.probe()
    assert heard(watched) == []
    watched.work()
    assert heard(watched) == ["/ping/7e57"]


def test_what_came_through_proves_something_for_five_minutes(watched: Watched) -> None:
    watched.tower.clock.advance(timedelta(minutes=4))
    watched.work()
    assert heard(watched) == ["/ping/7e57"]
    watched.tower.clock.advance(timedelta(minutes=2))
    assert heard(watched) == []


def test_a_page_that_nobody_begins_is_found_within_a_minute_and_told(watched: Watched) -> None:
    tower = watched.tower
    tower.fire()
    assert looked(tower) == ()
    tower.clock.advance(timedelta(seconds=61))
    assert any("were not begun within a minute" in one for one in looked(tower))
    assert heard(watched) == heard(watched) == ["/ping/7e57/fail"]
    assert tower.kinds().count("audit_failed") == 1, "said once, not at each look"
    watched.work()
    assert heard(watched) == ["/ping/7e57"]
    assert tower.kinds()[-1] == "audit_passed"


def test_what_came_due_while_nothing_ran_is_no_failure_of_a_server_that_starts(watched: Watched) -> None:
    watched.tower.fire()
    watched.tower.clock.advance(timedelta(hours=1))
    watched.auditor = replace(watched.auditor, since=watched.tower.clock.monotonic())
    assert heard(watched) == []
    watched.tower.clock.advance(timedelta(minutes=1))
    assert heard(watched) == ["/ping/7e57/fail"]


def test_an_outside_that_does_not_take_the_word_is_remembered(watched: Watched) -> None:
    watched.tower.provider.answer = lambda _asked: (404, {})
    heard(watched)
    with watched.tower.stage.database.read() as session:
        watch = store.watch(session)
    assert watch is not None
    assert (watch.heartbeat_at, watch.heartbeat_failure) == (None, "127.0.0.1 answered 404")


@pytest.mark.parametrize(
    ("url", "told_at"),
    [
        ("https://hc-ping.com/7e57", "https://hc-ping.com/7e57/fail"),
        ("https://hc-ping.com/7e57/?create=1", "https://hc-ping.com/7e57/fail?create=1"),
    ],
)
def test_a_failure_is_told_where_healthchecks_is_told_of_it(url: str, told_at: str) -> None:
    assert failed_at(url) == told_at


def test_a_group_whose_work_vanished_is_found(tower: Tower) -> None:
    tower.reachable("ann")
    tower.policy()
    tower.fire()
    with tower.stage.database.begin() as session:
        session.execute(text("DELETE FROM work WHERE kind = 'oncall.changed'"))
    tower.clock.advance(timedelta(seconds=61))
    assert any(one.startswith("nobody is called for ") for one in looked(tower))


def test_however_many_groups_wait_for_a_call_each_is_counted(tower: Tower) -> None:
    tower.reachable("ann")
    tower.policy()
    own = [
        OwnAlert(source="test", key=f"d{one}", title="Disk full", severity="critical", family=f"d{one}")
        for one in range(1_020)
    ]
    with tower.stage.database.begin() as session:
        verbs = tower.alerting.on(session, tower.clock)
        verbs.take([own_signal(one, Action.TRIGGER, tower.clock.now()) for one in own])
    tower.clock.advance(timedelta(seconds=61))
    found = [one for one in looked(tower) if one.startswith("nobody is called for ")]
    assert len(found) == 21
    assert found[-1] == "nobody is called for 1000 more"


def test_a_channel_that_misses_and_people_without_contacts_are_found(tower: Tower) -> None:
    tower.policy()
    assert looked(tower) == ("nobody who may respond has a verified contact",)
    tower.reachable("ann")
    tower.provider.answer = lambda _asked: (500, {})
    for number in range(3):
        tower.fire(f"disk-{number}", title=f"Disk {'x' * number} full")
        tower.run()
    assert "the channel to-ann misses" in looked(tower)


def test_a_word_that_is_late_is_not_sent(watched: Watched) -> None:
    watched.audit()
    watched.tower.clock.advance(timedelta(minutes=3))
    watched.send_words()
    assert watched.pings() == []
