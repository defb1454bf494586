"""Paging dies in ways in which the process lives on: each time the outside notices within five minutes.

The outside is a check with a period and a grace time of one minute each. Deaths of the process, of its database and its
lanes are shown on a real one, in `tests/app/test_deaths_of_the_pager.py`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.oncall.paging.outside import Watched
from tests.oncall.paging.support import Tower
from tests.oncall.support import ID, URL, WEEK
from watchkeeper.modules.alerts import synthetic
from watchkeeper.modules.alerts.matching import parse_matcher
from watchkeeper.modules.alerts.noise import Noise
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.catalog.public import Seen


@pytest.fixture
def watched(tower: Tower) -> Watched:
    """Paging that works: Ann is on call, can be reached, and the outside hears it."""
    tower.reachable("ann")
    tower.stage.make(policy={"name": "shop", "default": True, "steps": [{"notify": [{"schedule": "primary"}]}]})
    found = Watched(tower)
    assert found.is_heard()
    return found


def test_a_revoked_key(watched: Watched) -> None:
    with watched.tower.stage.database.begin() as session:
        synthetic.revoke(session, at=watched.tower.clock.now())
    assert "the intake answered 400: Invalid routing key" in (watched.until_down() or "")


def test_a_channel_whose_host_has_no_address_any_more(watched: Watched) -> None:
    with watched.tower.stage.database.begin() as session:
        session.execute(text('UPDATE notify_channels SET settings = \'{"url": "http://push.invalid"}\''))
    watched.tower.fire()
    assert "the channel to-ann misses" in (watched.until_down() or "")


def test_an_outside_whose_name_has_no_address_any_more(tower: Tower, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., Any] = socket.getaddrinfo
    known = {"outside.example": "127.0.0.1"}

    def resolve(host: Any, *rest: Any, **options: Any) -> Any:
        if str(host).endswith(".example") and host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(known.get(host, host), *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    tower.reachable("ann")
    watched = Watched(tower, host="outside.example")
    assert watched.is_heard()
    known.clear()
    assert watched.until_down() is None, "nothing can be said any more"


def test_a_clock_that_stands_still(watched: Watched) -> None:
    watched.frozen = True
    assert "the clock moved 0 s in" in (watched.until_down() or "")


def in_the_evening_only(watched: Watched, **more: Any) -> None:
    """The only layer of the schedule is for other hours of the day."""
    layer = {**WEEK["layers"][0], "hours": [{"start": "20:00", "end": "22:00"}]}
    api, url = watched.tower.stage.api(), f"{URL}/schedules/primary"
    known = api.get(url).headers["etag"]
    answer = api.put(url, json={**WEEK, "layers": [layer], **more}, headers={"If-Match": known})
    assert answer.is_success, answer.text


def test_hours_in_which_nobody_is_meant_to_be_on_call_are_no_death(watched: Watched) -> None:
    day = {"start": "00:00", "end": "24:00"}
    in_the_evening_only(watched, gaps=[{"reason": "we sleep", "hours": [day]}])
    assert watched.is_heard()


def test_an_empty_schedule(watched: Watched) -> None:
    in_the_evening_only(watched)
    assert watched.until_down() == "the policy shop reaches nobody now: nobody is on call"


def test_nobody_on_call_has_a_verified_contact(watched: Watched) -> None:
    with watched.tower.stage.database.begin() as session:
        session.execute(text(f"UPDATE notify_contacts SET person_id = '{ID['cleo']}'"))
    assert watched.until_down() == "the policy shop reaches nobody now: Ann has no verified contact"


def noise(watched: Watched, verb: Callable[[Noise], Any]) -> Any:
    with watched.tower.stage.database.begin() as session:
        alerting = watched.tower.alerting
        return verb(Noise(session, watched.tower.clock, alerting.settings, alerting.watchers))


def test_everything_is_in_maintenance(watched: Watched) -> None:
    with watched.tower.stage.database.begin() as session:
        catalog.discover(session, watched.tower.clock, [Seen("gateway", "production"), Seen("chat", "production")])
    ends_at = watched.tower.clock.now() + timedelta(days=1)
    options = {"environments": ["production"], "starts_at": None, "ends_at": ends_at, "weekly": None}
    window = noise(
        watched, lambda verbs: verbs.plan(services=[], reason="we move", by="per_x", source="test", **options)
    )
    assert watched.until_down() == f"every critical alert is kept quiet by the maintenance window {window.id}"
    noise(watched, lambda verbs: verbs.end_window(window.id, reason="moved", by="per_x", source="test"))
    assert watched.is_heard()


@pytest.mark.parametrize(
    ("matcher", "is_everything"),
    [("severity=~.+", True), ("title=~.+", True), ("severity=critical", True), ("service=gateway", False)],
)
def test_everything_is_silenced(watched: Watched, matcher: str, is_everything: bool) -> None:
    ends_at = watched.tower.clock.now() + timedelta(days=1)
    said = [parse_matcher(matcher)]
    made = noise(
        watched, lambda verbs: verbs.silence(said, ends_at=ends_at, reason="too loud", by="per_x", source="test")
    )
    if is_everything:
        assert watched.until_down() == f"every critical alert is kept quiet by the silence {made.id}"
    else:
        assert watched.is_heard()


def test_a_queue_that_nobody_works_off(watched: Watched) -> None:
    watched.stopped = ("oncall.step",)
    told = watched.until_down() or ""
    assert "1 oncall.step are due and were not begun within a minute" in told
    assert "the lane that pages has not called" in told


def test_the_queue_of_messages_stands_still(watched: Watched) -> None:
    watched.stopped = ("notify.", "oncall.heartbeat")
    assert watched.until_down() is None, "the word takes the way of a page"
