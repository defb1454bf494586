"""What was changed around a service: what counts, what belongs together, and what is named first."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.catalog.support import Stage
from watchkeeper.kernel import journal
from watchkeeper.kernel.journal import Event
from watchkeeper.modules.alerts.events import ChangeRecorded
from watchkeeper.modules.catalog.events import ServiceChanged, ServiceDiscovered, VersionSeen
from watchkeeper.modules.catalog.public import Change, Suspect, changes_of, ground_of, suspects_among
from watchkeeper.modules.config.events import ParameterChanged

HOUR = timedelta(hours=1)


def happens(stage: Stage, *events: Event, by: str = "per_alice", after: timedelta = timedelta(0)) -> datetime:
    stage.clock.advance(after)
    with stage.database.begin() as session:
        for event in events:
            journal.append(session, event, by=by, source="test", at=stage.clock.now())
    return stage.clock.now()


def parameter(key: str = "WORKERS", service: str | None = "web", **said: Any) -> ParameterChanged:
    given: dict[str, Any] = {"environment": "production", "slot": "base", "change_id": "chg_1"}
    given |= {"before": {key: 8}, "after": {key: 1}}
    return ParameterChanged(key=key, service_name=service, summary="8 → 1", reason="", **{**given, **said})


def deployed(service: str = "web", **said: Any) -> ChangeRecorded:
    return ChangeRecorded(integration="ci", service_name=service, summary="Deployed 42", origin="ci", **said)


def version(before: str, after: str, service: str = "web") -> VersionSeen:
    return VersionSeen(service_name=service, environment="production", release=after, replaced=before)


def changes(stage: Stage, *services: str) -> list[Change]:
    now = stage.clock.now()
    with stage.database.read() as session:
        return changes_of(session, services or ("web",), now - 24 * HOUR, now + HOUR)


def suspects(stage: Stage, onset: datetime, environment: str | None = None) -> list[Suspect]:
    ground = ground_of(["web"], (), {"web": ("db",)})
    return suspects_among(changes(stage, *ground.services), ground, onset, environment=environment)


def test_facts_of_one_act_are_one_change_and_what_can_be_undone_stands_for_them(stage: Stage) -> None:
    happens(stage, parameter(), parameter("POOL"), ServiceDiscovered(service_name="web"))
    (found,) = changes(stage)
    assert len(found.facts) == 2
    assert found.undo == "/config/changes/chg_1#undo"
    assert {(one.field, one.before, one.after) for one in found.differences} == {
        ("WORKERS", "8", "1"),
        ("POOL", "8", "1"),
    }
    assert "And 1 more at the same moment." in found.words


def test_a_deployment_and_the_first_sight_of_its_version_are_one(stage: Stage) -> None:
    told = happens(stage, deployed(), after=HOUR)
    seen = happens(stage, version("41", "42"), by="system:telemetry", after=timedelta(minutes=4))
    happens(stage, deployed("db"), after=timedelta(seconds=1))
    (other, found) = changes(stage, "web", "db")
    assert other.service == "db"
    assert (found.at, found.seen_at) == (told, seen)
    assert [one.after for one in found.differences] == ["42"]


def test_a_version_that_nobody_told_of_is_a_deployment_of_its_own(stage: Stage) -> None:
    happens(stage, deployed(), after=HOUR)
    happens(stage, version("41", "42"), after=HOUR)
    assert len(changes(stage)) == 2


def test_a_change_that_was_told_late_happened_when_it_happened(stage: Stage) -> None:
    now = stage.clock.now()
    happens(stage, deployed(happened_at=now - timedelta(minutes=9)))
    happens(stage, deployed(happened_at=now + HOUR), after=timedelta(minutes=1))
    assert [one.at for one in changes(stage)] == [now + timedelta(minutes=1), now - timedelta(minutes=9)]


def test_a_shared_parameter_is_a_change_of_whoever_uses_it(stage: Stage) -> None:
    happens(stage, parameter(service=None, services=("mail", "web")))
    assert len(changes(stage)) == 1
    assert changes(stage, "db") == []
    (suspect,) = suspects(stage, stage.clock.now())
    assert suspect.suspicion.is_suspect


def test_what_was_put_back_before_it_began_is_no_suspect_and_neither_is_putting_it_back(stage: Stage) -> None:
    happens(stage, parameter(), after=HOUR)
    back = parameter(before={"WORKERS": 1}, after={"WORKERS": 8}, change_id="chg_2", reverts="chg_1")
    undone = happens(stage, back, after=timedelta(minutes=2))
    found = suspects(stage, stage.clock.now() + timedelta(minutes=3))
    assert [one.suspicion.is_suspect for one in found] == [False, False]
    first = min((one.change for one in found), key=lambda one: one.at)
    assert first.undone_at == undone


def test_a_version_that_was_rolled_back_before_it_began_is_no_suspect(stage: Stage) -> None:
    happens(stage, version("1", "2"), after=HOUR)
    happens(stage, version("2", "1"), after=timedelta(minutes=8))
    found = suspects(stage, stage.clock.now() + timedelta(minutes=15))
    assert [one.suspicion.is_suspect for one in found] == [False, False]


def test_a_large_change_of_the_service_is_before_a_newer_small_one_and_one_elsewhere(stage: Stage) -> None:
    happens(stage, parameter("TIMEOUT", before={"TIMEOUT": 800}, after={"TIMEOUT": 20}), after=HOUR)
    small = parameter("BATCH", before={"BATCH": 100}, after={"BATCH": 105}, change_id="chg_2")
    happens(stage, small, after=timedelta(minutes=3))
    happens(stage, parameter(environment="staging", change_id="chg_3"), after=timedelta(minutes=1))
    happens(stage, parameter("ONE", slot="user:usr_1", change_id="chg_4"), after=timedelta(seconds=5))
    happens(stage, ServiceChanged(service_name="web", before={}, after={"tier": 1}), after=timedelta(seconds=5))
    found = suspects(stage, stage.clock.now() + timedelta(minutes=1), "production")
    assert found[0].change.fact.subject_id == "TIMEOUT"
    assert [one.suspicion.is_suspect for one in found] == [True, False, False, False, False]


def test_a_value_that_is_set_for_the_first_time_is_as_large_as_its_step_from_the_default(stage: Stage) -> None:
    for key, value in (("LARGE", 2), ("SMALL", 105)):
        happens(stage, parameter(key, before={key: None}, after={key: value}, default=100), after=HOUR)
    small, large = changes(stage)
    assert small.size < 0.2 < 0.9 < large.size


def test_what_came_after_it_began_stands_last(stage: Stage) -> None:
    began = happens(stage, parameter(slot="user:usr_1"), after=HOUR)
    happens(stage, deployed(), after=timedelta(seconds=1))
    assert suspects(stage, began)[-1].change.fact.kind == "alerts.change_recorded"


def test_facts_whose_values_are_of_another_shape_are_changes_all_the_same(stage: Stage) -> None:
    happens(stage, parameter(before=[], after="x", services="all"), after=HOUR)
    happens(stage, version("1", "2"), deployed(details={"before": "yesterday"}), after=HOUR)
    assert len(changes(stage)) == 2
