"""The synthetic page takes every step of a real one, and nobody sees it but who looks for it."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select, text

from tests.oncall.paging.outside import Watched
from tests.oncall.paging.support import Tower
from watchkeeper.kernel import journal
from watchkeeper.kernel.work.tables import work
from watchkeeper.modules.alerts import store as alert_store
from watchkeeper.modules.alerts import store_integrations, synthetic
from watchkeeper.modules.alerts.public import GroupFilter, groups, open_counts
from watchkeeper.modules.notify.tables import attempts, notifications
from watchkeeper.modules.oncall.paging import store, store_probes
from watchkeeper.modules.oncall.paging.tables import pages, probes, runs

MINUTE = timedelta(minutes=1)


def rows(tower: Tower) -> dict[str, int]:
    with tower.stage.database.read() as session:
        return {
            one.name: session.execute(select(func.count()).select_from(one)).scalar_one()
            for one in (work, notifications, attempts, pages, runs, probes, alert_store.groups, alert_store.alerts)
        }


def test_it_comes_in_by_the_intake_is_called_sent_and_over(tower: Tower) -> None:
    watched = Watched(tower)
    watched.probe()
    (probe,) = watched.probes()
    assert (probe.sent_at, probe.failure) == (None, "")
    tower.clock.advance(timedelta(seconds=1))
    watched.work()
    (probe,) = watched.probes()
    assert probe.sent_at == tower.clock.now()
    assert [name for name, _ in probe.stages] == ["accept", "call", "lease", "send"]
    assert sum((took for _, took in probe.stages), timedelta()) == timedelta(seconds=1)
    with tower.stage.database.read() as session:
        group = synthetic.group_of(session, probe.id)
    assert group is not None
    assert not group.is_open


def test_nothing_shows_it(tower: Tower) -> None:
    tower.reachable("ann")
    tower.policy()
    watched = Watched(tower)
    with tower.stage.database.read() as session:
        before = journal.head(session)
    watched.probe()
    with tower.stage.database.read() as session:
        assert synthetic.group_of(session, watched.probes()[0].id) is not None, "it is there"
        assert groups(session, GroupFilter()) == []
        assert sum(open_counts(session).values()) == 0
    watched.work()
    with tower.stage.database.read() as session:
        assert journal.head(session) == before, "no fact"
        assert groups(session, GroupFilter()) == []
        assert store.latest(session) == []
        assert store_integrations.all_integrations(session) == []
    assert tower.provider.asked == [], "nobody is called"


def test_however_long_they_come_they_leave_as_much(tower: Tower) -> None:
    watched = Watched(tower)
    tower.policy()
    watched.live(7 * MINUTE)
    first = rows(tower)
    watched.live(5 * MINUTE)
    later = rows(tower)
    assert later.pop("oncall_probes") <= store_probes.KEPT
    assert later == {name: first[name] for name in later}


def test_silence_of_one_service_and_of_all_but_one_does_not_keep_it_quiet(tower: Tower) -> None:
    watched = Watched(tower)
    with tower.stage.database.begin() as session:
        session.execute(
            text(
                "INSERT INTO alert_silences (id, matchers, starts_at, ends_at, reason, created_by, created_at) "
                "VALUES ('sil_1', :matchers, :since, :until, '', 'x', :since)"
            ),
            {
                "matchers": '[["service", "!=", "gateway"]]',
                "since": "2026-03-01T00:00:00.000000Z",
                "until": "2026-03-05T00:00:00.000000Z",
            },
        )
    watched.probe()
    watched.work()
    assert watched.probes()[0].sent_at is not None


def test_without_a_policy_and_an_outside_nothing_is_probed(tower: Tower) -> None:
    watched = Watched(tower)
    watched.settings.__dict__["heartbeat_url"] = None
    watched.probe()
    assert watched.probes() == []
    tower.policy()
    watched.probe()
    assert len(watched.probes()) == 1


def test_one_that_is_on_its_way_is_waited_for_and_then_given_up(tower: Tower) -> None:
    watched = Watched(tower, stopped=("notify.",))
    tower.policy()
    watched.probe()
    watched.work()
    tower.clock.advance(timedelta(seconds=30))
    watched.probe()
    assert len(watched.probes()) == 1
    tower.clock.advance(timedelta(seconds=31))
    watched.probe()
    newest, older = watched.probes()
    assert older.failure == "the lane of messages has not sent it"
    assert newest.failure == ""
    watched.stopped = ()
    watched.work()
    newest, older = watched.probes()
    assert (older.sent_at, newest.sent_at) == (None, tower.clock.now()), "what was given up does not count"
