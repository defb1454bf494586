"""Paging tells the outside that it works, by the way of a page; and says nothing when it does not."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from tests.notify.support import LOOPBACK
from tests.oncall.paging.support import Tower
from watchkeeper.kernel.work import Task
from watchkeeper.kernel.work import store as work_store
from watchkeeper.modules.oncall.paging import store
from watchkeeper.modules.oncall.paging.auditor import HEARTBEAT, Auditor, Heartbeat, findings
from watchkeeper.modules.oncall.settings import OncallSettings


def settings(tower: Tower) -> OncallSettings:
    return OncallSettings.model_validate({"heartbeat_url": f"{tower.provider.url}/ping/7e57"})


def audit(tower: Tower) -> None:
    auditor = Auditor(tower.stage.database, tower.clock, settings(tower))
    task = Task("wrk_1", "recurring.oncall.audit", "k", {}, 1, int(tower.clock.monotonic()))
    found = looked(tower)
    with tower.stage.database.begin() as session:
        auditor.finish(session, task, found)


def beat(tower: Tower) -> list[str]:
    """Send what waits to be sent outside; answers the paths that were asked."""
    heart = Heartbeat(tower.clock, settings(tower), LOOPBACK)
    before = len(tower.provider.asked)
    with tower.stage.database.begin() as session:
        tasks = work_store.lease(session, [HEARTBEAT], now=tower.clock.now(), length=timedelta(seconds=10), most=10)
    for task in tasks:
        result = heart.act(task)
        with tower.stage.database.begin() as session:
            work_store.mark_done(session, task, now=tower.clock.now())
            heart.finish(session, task, result)
    return [one.path for one in tower.provider.asked[before:]]


def looked(tower: Tower) -> tuple[str, ...]:
    with tower.stage.database.read() as session:
        return findings(session, tower.clock.now(), tower.clock.now())


def test_while_all_is_well_the_outside_hears_it(tower: Tower) -> None:
    tower.reachable("ann")
    tower.policy()
    audit(tower)
    assert beat(tower) == ["/ping/7e57"]
    with tower.stage.database.read() as session:
        watch = store.watch(session)
    assert watch is not None
    assert (watch.findings, watch.heartbeat_at) == ((), tower.clock.now())


def test_a_page_that_nobody_begins_is_found_within_a_minute_and_the_word_stops(tower: Tower) -> None:
    tower.reachable("ann")
    tower.policy()
    tower.fire()
    assert looked(tower) == ()
    tower.clock.advance(timedelta(seconds=61))
    assert any("were not begun within a minute" in one for one in looked(tower))
    audit(tower)
    audit(tower)
    assert beat(tower) == []
    assert tower.kinds().count("audit_failed") == 1, "said once, not at each look"
    tower.run()
    audit(tower)
    assert tower.kinds()[-1] == "audit_passed"
    assert beat(tower) == ["/ping/7e57"]


def test_a_group_whose_work_vanished_is_found(tower: Tower) -> None:
    tower.reachable("ann")
    tower.policy()
    tower.fire()
    with tower.stage.database.begin() as session:
        session.execute(text("DELETE FROM work WHERE kind = 'oncall.changed'"))
    tower.clock.advance(timedelta(seconds=61))
    assert any(one.startswith("nobody is called for ") for one in looked(tower))


def test_a_channel_that_misses_and_people_without_contacts_are_found(tower: Tower) -> None:
    tower.policy()
    assert looked(tower) == ("nobody who may respond has a verified contact",)
    tower.reachable("ann")
    tower.provider.answer = lambda _asked: (500, {})
    for number in range(3):
        tower.fire(f"disk-{number}", title=f"Disk {'x' * number} full")
        tower.run()
    assert "the channel to-ann misses" in looked(tower)


def test_a_word_that_is_late_is_not_sent(tower: Tower) -> None:
    tower.reachable("ann")
    tower.policy()
    audit(tower)
    tower.clock.advance(timedelta(minutes=3))
    assert beat(tower) == []
