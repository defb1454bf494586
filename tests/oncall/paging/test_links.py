"""A link opens a confirmation of one page, and nothing else; opening it does nothing."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from tests.oncall.paging.support import Tower
from tests.oncall.support import ID, Cast
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.telemetry.redaction import redact_text
from watchkeeper.kernel.web.access import Authenticator
from watchkeeper.kernel.web.app_factory import create_app
from watchkeeper.modules.alerts import wiring as alerts
from watchkeeper.modules.alerts.public import Alerting
from watchkeeper.modules.oncall import wiring as oncall
from watchkeeper.modules.oncall.paging.errors import LinkUnknown
from watchkeeper.modules.oncall.paging.verbs import Paging
from watchkeeper.modules.oncall.settings import OncallSettings


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


def test_the_page_of_an_alert_and_the_log_of_pages_show_each_try_with_the_providers_answer(tower: Tower) -> None:
    tower.reachable("ann", "ben")
    tower.policy()
    tower.provider.answer = lambda asked: (503 if asked.json["topic"] == "topic-ann" else 200, {})
    tower.fire()
    tower.run()
    parts = {
        Authenticator: Cast(),
        Database: tower.stage.database,
        SystemClock: tower.clock,
        Alerting: tower.alerting,
        Paging: tower.paging,
        OncallSettings: OncallSettings.model_validate({}),
    }
    app = create_app(
        parts=parts,
        routers=(*alerts.ROUTERS, *oncall.ROUTERS),
        templates={**alerts.TEMPLATES, **oncall.TEMPLATES},
        static={**alerts.STATIC, **oncall.STATIC},
    )
    client = TestClient(app, cookies={"who": "ann"}, headers={"accept": "text/html"})
    shown = client.get(f"/alerts/{tower.group().id}").text
    assert "A page over to-ann was not taken: answered 503 Service Unavailable; tried again in 15 s." in shown
    assert "A page went out over to-ben: answered 200 OK." in shown
    log = client.get(f"/oncall/pages?person={ID['ann']}").text
    assert "1. try" in log
    assert "answered 503 Service Unavailable" in log
