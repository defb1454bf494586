"""A link opens a confirmation of one page, and nothing else; opening it does nothing."""

from __future__ import annotations

import pytest

from tests.oncall.paging.support import Tower
from tests.oncall.support import ID
from watchkeeper.kernel.telemetry.redaction import redact_text
from watchkeeper.modules.oncall.paging.errors import LinkUnknown


def link(tower: Tower) -> str:
    """The one that the last page brought."""
    url: str = [one for one in tower.provider.asked if one.json["actions"]][-1].json["actions"][0]["url"]
    return url.removeprefix("https://watch.example/ack/")


def test_whoever_holds_the_link_acknowledges_in_the_name_of_who_was_paged(tower: Tower) -> None:
    tower.reachable("ann", "ben")
    tower.policy()
    tower.fire()
    tower.run()
    secret = link(tower)
    with tower.stage.database.read() as session:
        found = tower.paging.linked(session, secret)
    assert (found.name, found.group.status) == ("Ann", "triggered"), "looking acknowledges nothing"
    for _ in range(2):
        with tower.stage.database.begin() as session:
            done = tower.paging.acknowledge_link(session, secret)
    assert (done.group.status, done.group.acknowledged_by) == ("acknowledged", ID["ann"])


def test_any_other_link_opens_nothing(tower: Tower) -> None:
    tower.reachable("ann", "ben")
    tower.policy()
    tower.fire()
    tower.run()
    right = link(tower)
    wrong = [right[:-1], right[:-1] + ("A" if right[-1] != "A" else "B"), "wka_x-y", "", right.replace("wka_", "wkb_")]
    with tower.stage.database.read() as session:
        for secret in wrong:
            with pytest.raises(LinkUnknown):
                tower.paging.linked(session, secret)


def test_logs_hide_links_and_nothing_stores_them(tower: Tower) -> None:
    from sqlalchemy import text

    tower.reachable("ann", "ben")
    tower.policy()
    tower.fire()
    tower.run()
    secret = link(tower)
    assert secret not in redact_text(f"GET /ack/{secret}")
    with tower.stage.database.engine.connect() as connection:
        for table in ("journal", "work", "notify_notifications", "notify_attempts", "oncall_pages"):
            assert secret not in str(connection.execute(text(f"SELECT * FROM {table}")).all())
