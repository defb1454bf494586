"""A process may die before any statement of accept, page and acknowledge: nothing is lost, and nothing is called twice
that was not sent."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from tests.oncall.paging.support import LEASE, Tower


class Killed(BaseException):
    """The process is gone: nobody below catches it."""


@contextmanager
def killed_before(tower: Tower, statement: int) -> Iterator[list[int]]:
    """The process dies before its so-many-th statement that writes."""
    count = itertools.count(1)
    seen = [0]

    def before(_connection: Any, _cursor: Any, text: str, *_rest: Any) -> None:
        if text.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE")):
            seen[0] = next(count)
            if seen[0] == statement:
                raise Killed

    engine = tower.stage.database.engine
    event.listen(engine, "before_cursor_execute", before)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", before)


def alive(tower: Tower) -> None:
    """A process that goes on where another died: what was leased is free after its lease."""
    tower.clock.advance(LEASE + timedelta(seconds=1))
    tower.run()


def test_a_kill_before_any_statement_loses_no_page(tower: Tower) -> None:
    tower.reachable("ann", "ben")
    tower.policy()
    for number in itertools.count(1):
        key = f"disk-{number}"
        sent_before = len(tower.provider.asked)
        accepted = False
        try:
            with killed_before(tower, number) as seen:
                tower.fire(key, title=f"Disk {'x' * number} full")
                accepted = True
                tower.run()
        except Killed:
            pass
        else:
            assert seen[0] < number
            break
        if not accepted:
            continue  # nobody was told that it was taken: the sender sends it again
        alive(tower)
        sent = tower.provider.asked[sent_before:]
        assert {one.json["topic"] for one in sent} == {"topic-ann"}, f"killed before statement {number}"
        assert len(sent) <= 2, "at most one more"
        with tower.stage.database.begin() as session:
            from watchkeeper.modules.alerts.public import GroupFilter, groups

            for group in groups(session, GroupFilter()):
                if group.is_open:
                    tower.alerting.resolve(
                        session, group.id, by="per_x", at=tower.clock.now(), source="test", reason="next"
                    )
        tower.run()
    assert number > 15, "the path has that many statements"


def test_a_kill_while_acknowledging_either_did_it_or_not(tower: Tower) -> None:
    tower.reachable("ann", "ben")
    tower.policy()
    tower.fire()
    tower.run()
    for number in itertools.count(1):
        try:
            with killed_before(tower, number):
                tower.acknowledge()
                tower.run()
        except Killed:
            alive(tower)
            continue
        break
    assert tower.group().status == "acknowledged"
    before = len(tower.provider.asked)
    tower.after(10)
    assert tower.told(before) == []


@pytest.mark.parametrize("sent_twice", [1, 2])
def test_work_that_two_replicas_do_is_done_once(tower: Tower, sent_twice: int) -> None:
    tower.reachable("ann", "ben")
    tower.policy()
    tower.fire()
    first = tower.lease(1)
    tower.clock.advance(LEASE + timedelta(seconds=1))
    for _ in range(sent_twice):
        tower.run()
    from watchkeeper.kernel.work import store as work_store

    with tower.stage.database.begin() as session:
        assert not work_store.mark_done(session, first[0], now=tower.clock.now()), "the late one may record nothing"
    assert tower.told() == ["ann"]
