"""A policy tried on the alerts of the past says what the engine did, or would have done."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from tests.oncall.paging.support import LEASE, Tower
from tests.oncall.support import ID, URL, WEEK
from watchkeeper.kernel.work import store as work_store
from watchkeeper.modules.alerts import jobs
from watchkeeper.modules.alerts.matching import Matcher
from watchkeeper.modules.alerts.model import Severity, Status
from watchkeeper.modules.alerts.noise import Noise
from watchkeeper.modules.alerts.public import GroupFilter, GroupState, groups
from watchkeeper.modules.oncall.paging import store
from watchkeeper.modules.oncall.paging.model import ADDED

REPLAY = f"{URL}/policies/replay"
FIRST = {"name": "shop", "default": True, "steps": [{"notify": [{"person": "ann@example.com"}], "wait": "5m"}]}
LADDER = {
    **FIRST,
    "steps": [
        {"notify": [{"schedule": "primary"}], "wait": "5m"},
        {"notify": [{"person": "cleo@example.com"}], "wait": "3m"},
        {"notify": [{"team": "shop"}, {"person": "ben@example.com"}], "wait": "10m"},
    ],
    "routes": [{"severities": ["critical"], "steps": [{"notify": [{"everyone": True}], "wait": "7m"}]}],
    "unresolved": [{"after": "20m", "notify": [{"person": "ada@example.com"}]}],
    "repeat": 1,
    "acknowledged_for": "30m",
}


def replayed(tower: Tower, policy: Mapping[str, Any], **options: Any) -> Any:
    answer = tower.stage.api("read").post(REPLAY, json={"policy": policy, **options})
    assert answer.status_code == 200, answer.text
    return answer.json()


def called(group: Any) -> list[tuple[str, str]]:
    """When (to the minute) who would have been paged."""
    return [
        (call["at"][11:16], who["name"])
        for call in group["calls"]
        for who in sorted(call["people"], key=lambda one: one["name"])
        if who["reached"]
    ]


def all_groups(tower: Tower) -> list[GroupState]:
    with tower.stage.database.read() as session:
        return groups(session, GroupFilter(statuses=tuple(Status)))


def really_paged(tower: Tower) -> list[tuple[str, str, str]]:
    """(group, when, whom) of every page that a policy ordered and that somebody could get."""
    with tower.stage.database.read() as session:
        found = store.pages_of_all(session, [one.id for one in all_groups(tower)])
    return sorted(
        (group, one.called_at.isoformat(), str(one.person_id))
        for group, pages in found.items()
        for one in pages
        if one.person_id is not None and one.messages and one.round != ADDED
    )


def would_be_paged(answer: Any) -> list[tuple[str, str, str]]:
    return sorted(
        (group["id"], call["at"].replace("Z", "+00:00"), who["id"])
        for group in answer["groups"]
        for call in group["calls"]
        for who in call["people"]
        if who["reached"]
    )


def run(tower: Tower) -> None:
    """All that is due for calls and of time, but no message leaves: whoever has a contact counts as reached.

    Of what is due at one instant, the calls come first: lanes of work have no order among them, a replay has this one.
    """
    calls, times = tower.engine.handlers(), jobs.handlers(tower.clock, tower.alerting)
    while _do(tower, calls) or _do(tower, times):
        pass


def _do(tower: Tower, handlers: Mapping[str, Any]) -> int:
    now = tower.clock.now()
    with tower.stage.database.begin() as session:
        tasks = work_store.lease(session, tuple(handlers), now=now, length=LEASE, most=50)
    for task in tasks:
        handler = handlers[task.kind]
        result = handler.act(task)
        with tower.stage.database.begin() as session:
            assert work_store.mark_done(session, task, now=now)
            handler.finish(session, task, result)
    return len(tasks)


def live_through(tower: Tower, chance: Random, minutes: int) -> None:
    """Alerts fire, become worse and end; people acknowledge, snooze, let go, hand over: whatever chance says."""
    for _ in range(minutes):
        tower.clock.advance(timedelta(minutes=1))
        run(tower)
        # Two changes of one group at the very same instant happen to a clock that stands still, and to no other.
        still = all(one.updated_at < tower.clock.now() for one in all_groups(tower))
        if still and chance.random() < 0.3:
            _something_happens(tower, chance)
            run(tower)


def _something_happens(tower: Tower, chance: Random) -> None:
    now, key = tower.clock.now(), chance.choice(["disk", "memory", "queue"])
    opened = [one for one in all_groups(tower) if one.is_open]
    if not opened or chance.random() < 0.35:
        tower.fire(key, severity=chance.choice([Severity.WARNING, Severity.ERROR, Severity.CRITICAL]), title=key)
        return
    one, who = chance.choice(opened), ID[chance.choice(["ann", "ben"])]
    act = chance.choice(["acknowledge", "for_a_while", "let_go", "snooze", "silence", "settle", "resolve", "reassign"])
    if act == "settle":
        tower.settle(key)
        return
    said: dict[str, Any] = {"by": who, "source": "test"}
    with tower.stage.database.begin() as session:
        if act == "acknowledge":
            tower.alerting.acknowledge(session, one.id, at=now, **said)
        elif act == "for_a_while":
            tower.alerting.acknowledge(session, one.id, at=now, until=now + timedelta(minutes=12), **said)
        elif act == "let_go":
            tower.alerting.unacknowledge(session, one.id, at=now, reason="going home", **said)
        elif act == "snooze":
            tower.alerting.snooze(session, one.id, at=now, until=now + timedelta(minutes=9), **said)
        elif act == "silence":
            noise = Noise(session, tower.clock, tower.alerting.settings, tower.alerting.watchers)
            matcher = Matcher("title", "=", one.title)
            noise.silence([matcher], ends_at=now + timedelta(minutes=14), reason="known", **said)
        elif act == "resolve":
            tower.alerting.resolve(session, one.id, at=now, reason="fixed", **said)
        else:
            tower.paging.reassign(session, one.id, who, **said)


@pytest.mark.parametrize("seed", [1, 3])
def test_a_replay_of_the_policy_in_force_says_whom_the_engine_paged_and_when(tower: Tower, seed: int) -> None:
    tower.reachable("ann", "ben", "ada")
    tower.stage.team("shop", "ann", "vic")
    tower.stage.make(policy=LADDER)
    live_through(tower, Random(seed), minutes=150)
    answer = replayed(tower, LADDER)
    assert would_be_paged(answer) == really_paged(tower)
    assert answer["pages"] == answer["sent"] == len(really_paged(tower))
    assert answer["sent"] > 20, "a law about little"


def incident(tower: Tower, minutes: float = 7, who: str = "ben", **options: Any) -> None:
    """Something fires, and somebody has it so many minutes later."""
    tower.fire(**options)
    run(tower)
    tower.clock.advance(timedelta(minutes=minutes))
    run(tower)
    tower.acknowledge(who)
    run(tower)


def test_a_draft_says_who_would_have_been_called_when_and_what_stopped_it(tower: Tower) -> None:
    tower.reachable("ann", "ben", "cleo")
    tower.policy()
    incident(tower)
    steps = [{"notify": [{"person": f"{who}@example.com"}], "wait": "3m"} for who in ("cleo", "ben", "ann")]
    answer = replayed(tower, {**FIRST, "steps": steps})
    (group,) = answer["groups"]
    assert called(group) == [("12:00", "Cleo"), ("12:03", "Ben"), ("12:06", "Ann")]
    assert (group["outcome"], group["answered"]["by"]["name"]) == ("acknowledged", "Ben")
    assert not group["answered_by_somebody_else"]
    assert [one["person"]["name"] for one in group["sent"]] == ["Ann", "Ben"]
    tally = {one["person"]["name"]: (one["pages"], one["sent"]) for one in answer["people"]}
    assert tally == {"Ann": (1, 1), "Ben": (1, 1), "Cleo": (1, 0)}


def test_an_answer_by_somebody_whom_the_draft_calls_later_is_marked(tower: Tower) -> None:
    tower.reachable("ann", "ben")
    tower.policy()
    incident(tower)
    (group,) = replayed(tower, {**FIRST, "steps": [{"notify": [{"person": "ann@example.com"}], "wait": "1h"}]})[
        "groups"
    ]
    assert group["answered_by_somebody_else"], "Ben had it, and nobody would have called him"


def test_what_nobody_has_and_what_nobody_would_be_paged_for_are_told_apart(tower: Tower) -> None:
    tower.reachable("ann")
    tower.policy()
    tower.fire("disk")
    with tower.stage.database.begin() as session:
        noise = Noise(session, tower.clock, tower.alerting.settings, tower.alerting.watchers)
        ends = tower.clock.now() + timedelta(hours=1)
        noise.silence([Matcher("title", "=", "memory")], ends_at=ends, reason="known", by="x", source="test")
    tower.fire("memory", title="memory")
    tower.fire("queue", title="queue")
    run(tower)
    tower.clock.advance(timedelta(minutes=1))
    tower.settle("queue")
    run(tower)
    answer = replayed(tower, FIRST)
    outcomes = {one["title"]: one["outcome"] for one in answer["groups"]}
    assert outcomes == {"Disk full": "unanswered", "memory": "nobody", "queue": "resolved"}
    (quiet,) = [one["quiet"] for one in answer["groups"] if one["outcome"] == "nobody"]
    assert quiet == "kept quiet by silence"


def test_what_the_old_policy_took_back_is_said_anew_by_the_draft(tower: Tower) -> None:
    tower.reachable("ann")
    tower.policy(acknowledged_for="10m", repeat=0)
    incident(tower, minutes=1, who="ann")
    tower.clock.advance(timedelta(minutes=30))
    run(tower)
    (kept,) = replayed(tower, {**FIRST, "repeat": 0})["groups"]
    assert called(kept) == [("12:00", "Ann")], "without a limit the acknowledgement holds"
    (anew,) = replayed(tower, {**FIRST, "repeat": 0, "acknowledged_for": "20m"})["groups"]
    assert called(anew)[:2] == [("12:00", "Ann"), ("12:21", "Ann")]


def test_schedules_are_those_of_that_day_and_nights_those_of_their_zone(tower: Tower) -> None:
    tower.reachable("ann", "ben")
    by_schedule = {**FIRST, "steps": [{"notify": [{"schedule": "primary"}]}]}
    tower.stage.make(policy=by_schedule)
    tower.clock.jump(tower.clock.now().replace(hour=21, minute=30))  # 22:30 in Oslo
    incident(tower, minutes=1, who="ann")
    layer = {**WEEK["layers"][0], "people": ["ben@example.com"]}
    api, where = tower.stage.api(), f"{URL}/schedules/primary"
    tag = {"If-Match": api.get(where).headers["etag"]}
    changed = api.put(where, json={**WEEK, "layers": [layer]}, headers=tag)
    assert changed.status_code == 200, changed.text
    answer = replayed(tower, by_schedule)
    assert called(answer["groups"][0]) == [("21:30", "Ann")]
    (tally,) = answer["people"]
    assert (tally["time_zone"], tally["at_night"], tally["sent_at_night"]) == ("Europe/Oslo", 1, 1)


def test_it_looks_at_what_would_go_by_the_draft_or_at_everything(tower: Tower) -> None:
    tower.reachable("ann")
    tower.policy()
    incident(tower, who="ann")
    other = {**FIRST, "name": "other", "default": False, "services": ["billing"]}
    assert replayed(tower, other)["groups"] == []
    assert replayed(tower, other)["elsewhere"] == 1
    assert len(replayed(tower, other, every=True)["groups"]) == 1
    assert len(replayed(tower, {**other, "services": ["gateway"]})["groups"]) == 1


def test_only_groups_that_opened_in_the_stretch_are_looked_at(tower: Tower) -> None:
    tower.reachable("ann")
    tower.policy()
    incident(tower, who="ann")
    now = tower.clock.now()
    early = replayed(tower, FIRST, until=(now - timedelta(hours=1)).isoformat())
    assert early["groups"] == []
    assert len(replayed(tower, FIRST, since=(now - timedelta(hours=1)).isoformat())["groups"]) == 1


def test_a_replay_saves_nothing_and_calls_nobody(tower: Tower) -> None:
    tower.reachable("ann", "ben")
    tower.policy()
    incident(tower)
    before, pages = tower.facts(), tower.pages()
    replayed(tower, {**FIRST, "name": "draft"})
    assert (tower.facts(), tower.pages()) == (before, pages)


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ({"until": "2999-01-01T00:00:00Z"}, "until"),
        ({"since": "2025-01-01T00:00:00Z"}, "since"),
        ({"since": "2026-03-02T09:00:00Z", "until": "2026-03-02T08:00:00Z"}, "since"),
        ({"since": "yesterday"}, "body.since"),
        ({"policy": {**FIRST, "steps": [{"notify": [{"person": "eve@example.com"}]}]}}, "steps[0].notify[0].person"),
        ({"policy": {**FIRST, "steps": [{"notify": [{"schedule": "no"}]}]}}, "steps[0].notify[0].schedule"),
        ({"policy": {**FIRST, "step": []}}, "body.policy.step"),
    ],
)
def test_what_can_not_be_replayed_is_refused_with_the_place(tower: Tower, said: dict[str, Any], where: str) -> None:
    answer = tower.stage.api("read").post(REPLAY, json={"policy": FIRST, **said})
    assert answer.status_code == 422, answer.text
    assert where in [one["where"] for one in answer.json()["errors"]]


def test_the_editor_replays_last_month_beside_its_picture(tower: Tower) -> None:
    tower.reachable("ann", "ben")
    tower.policy()
    incident(tower)
    path = "/oncall/policies/shop/edit"
    text = "name: shop\ndefault: true\nsteps:\n  - notify: [{person: cleo@example.com}]\n"
    page = tower.stage.page().submit(path, {"text": text, "replay": "1", "version": "1"}, page=path)
    assert page.status_code == 200, page.text
    assert "Last month, replayed" in page.text
    assert "Ann, Ben, Cleo (no verified contact); last resort" in page.text, "nobody reaches Cleo, so all are called"
    assert "2 pages, where 2 were sent" in page.text
    assert "Checked, not saved" in page.text


def test_an_acknowledgement_that_somebody_took_over_ends_by_time_too(tower: Tower) -> None:
    tower.reachable("ann", "ben")
    tower.policy(acknowledged_for="10m")
    incident(tower, minutes=1, who="ann")
    tower.clock.advance(timedelta(minutes=5))
    tower.acknowledge("ben")
    run(tower)
    tower.clock.advance(timedelta(minutes=9))
    run(tower)
    assert tower.group().status == "acknowledged", "Ben took it anew"
    tower.clock.advance(timedelta(minutes=2))
    run(tower)
    assert tower.group().status == "triggered"
