"""Segments and what stands on them: configuration follows a segment, and what happens at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.subjects.support import PREMIUM, Stage
from watchkeeper.kernel.errors import Refusal
from watchkeeper.modules.config import public as config
from watchkeeper.modules.config import snapshot
from watchkeeper.modules.config.changes import Changes
from watchkeeper.modules.config.hub import Hub
from watchkeeper.modules.config.model import Operation
from watchkeeper.modules.config.service import Config
from watchkeeper.modules.subjects import store, store_segments
from watchkeeper.modules.subjects.errors import SegmentExists, SegmentInUse
from watchkeeper.modules.subjects.model import Definition, Rule
from watchkeeper.modules.subjects.segments import Segments, SegmentUses
from watchkeeper.modules.subjects.service import Subjects, Update
from watchkeeper_client.rules import Definition as Parameter
from watchkeeper_client.rules import compile_snapshot

USES = SegmentUses((config.segment_uses,))
MATCHES = {"key": "MATCHES", "type": "integer", "default": 3, "minimum": 1, "maximum": 10}


def override(session: Any, stage: Stage, segment: str = "premium", value: int | None = 7) -> None:
    operation = Operation("MATCHES", f"segment:{segment}", None if value is None else {"value": value})
    Changes(session, stage.clock).propose("production", [operation], reason="tried", by="per_alice", source="api")


def with_parameter(stage: Stage) -> None:
    with stage.database.begin() as session:
        made = Config(session, stage.clock)
        made.ensure_environment("production")
        made.define(Parameter.of(MATCHES), managed_by="people", by="per_alice", source="api")


def answer(stage: Stage, user: str, **attributes: Any) -> Any:
    document = stage.ask(lambda session: snapshot.build(session, "production"))
    found = compile_snapshot(document, now=stage.clock.now(), environ={}).outcome("MATCHES", user, attributes)
    assert found is not None
    return found.value


def test_an_override_is_for_whoever_is_in_the_segment_now(stage: Stage) -> None:
    with_parameter(stage)
    stage.custom()
    stage.manual("testers", "u1")
    with stage.database.begin() as session:
        override(session, stage)
        override(session, stage, "testers", 9)
    assert answer(stage, "u2", plan="premium") == 7
    assert answer(stage, "u2", plan="free") == 3
    assert answer(stage, "u1", plan="free") == 9
    changed = Definition("custom", rule=Rule(expression='attributes.plan == "free"'))
    stage.segments(lambda segments: segments.change("premium", changed, by="x", source="api", reason="y"))
    assert (answer(stage, "u2", plan="premium"), answer(stage, "u2", plan="free")) == (3, 7)


def test_the_hub_sees_that_a_segment_changed(stage: Stage) -> None:
    with_parameter(stage)
    stage.manual("testers", "u1")
    with stage.database.begin() as session:
        override(session, stage, "testers")
    hub = Hub(stage.database, stage.clock, {})
    hub.look()
    before = hub.current("production").etag
    assert not hub.look()
    stage.segments(lambda segments: segments.change_members("testers", ["u2"], [], by="x", source="api", reason="y"))
    assert hub.look()
    assert hub.current("production").etag != before
    assert hub.current("production").document["segments"] == {"testers": {"members": ["u1", "u2"]}}


def test_a_segment_with_an_override_stays_until_the_override_is_gone(stage: Stage) -> None:
    with_parameter(stage)
    stage.custom()
    with stage.database.begin() as session:
        override(session, stage)
    with pytest.raises(SegmentInUse, match="an override of MATCHES in production"):
        stage.segments(lambda segments: segments.delete("premium", USES, by="x", source="api", reason="y"))
    with stage.database.begin() as session:
        override(session, stage, value=None)
    stage.segments(lambda segments: segments.delete("premium", USES, by="x", source="api", reason="y"))
    assert stage.rules("premium") == {}


def at_once(*verbs: Callable[[], Any]) -> list[Any]:
    """Each verb in a thread of its own; their answers or refusals."""
    together = threading.Barrier(len(verbs))

    def run(verb: Callable[[], Any]) -> Any:
        together.wait(10)
        try:
            return verb()
        except Refusal as refusal:
            return refusal

    with ThreadPoolExecutor(len(verbs)) as threads:
        return list(threads.map(run, verbs))


def test_a_segment_is_never_deleted_from_under_an_override_that_is_made_at_once(stage: Stage) -> None:
    with_parameter(stage)

    def use() -> None:
        with stage.database.begin() as session:
            override(session, stage)

    def delete() -> None:
        stage.segments(lambda segments: segments.delete("premium", USES, by="x", source="api", reason="y"))

    for _ in range(10):
        stage.custom()
        used, deleted = at_once(use, delete)
        assert isinstance(used, Refusal) != isinstance(deleted, Refusal)
        assert (stage.ask(lambda session: config.segment_uses(session, "premium")) == []) == (deleted is None)
        if used is None:
            with stage.database.begin() as session:
                override(session, stage, value=None)
            delete()


def test_one_of_two_makes_a_segment(stage: Stage) -> None:
    definition = Definition("custom", rule=Rule(expression=PREMIUM))

    def make() -> None:
        stage.segments(lambda segments: segments.create("premium", definition, by="x", source="api"))

    found = at_once(*[make] * 4)
    assert [type(one) for one in found if one is not None] == [SegmentExists] * 3
    assert stage.kinds() == ["segment_created"]


def test_batches_with_the_same_subjects_do_not_wait_for_each_other_for_ever(stage: Stage) -> None:
    def send(order: int, country: str) -> Callable[[], None]:
        updates = [Update(f"u{number}", {"country": country}) for number in range(300)][::order]

        def run() -> None:
            with stage.database.begin() as session:
                Subjects(session, stage.clock).take(updates, by="x", source="api")

        return run

    for _ in range(3):
        assert at_once(send(1, "NO"), send(-1, "SE"), send(1, "DK"), send(-1, "FI")) == [None] * 4
    counts = stage.ask(store.counts)
    assert counts.total == 300
    assert len(counts.by_country) == 1


def test_of_a_new_user_everything_is_kept_that_two_programs_say_at_once(stage: Stage) -> None:
    def send(number: int, **given: Any) -> Callable[[], None]:
        def run() -> None:
            with stage.database.begin() as session:
                Subjects(session, stage.clock).take([Update(f"new{number}", given)], by="x", source="api")

        return run

    for number in range(8):
        assert at_once(send(number, country="NO"), send(number, status="paused")) == [None, None]
        found = stage.ask(lambda session, number=number: store.by_ids(session, [f"new{number}"]))[f"new{number}"]
        assert (found.country, found.status) == ("NO", "paused")


def test_two_who_fill_a_list_never_fill_it_beyond_its_size(stage: Stage) -> None:
    stage.manual("testers", *(f"u{number}" for number in range(9_995)))

    def add(prefix: str) -> Callable[[], None]:
        joining = [f"{prefix}{number}" for number in range(4)]
        return lambda: stage.segments(
            lambda segments: segments.change_members("testers", joining, [], by="x", source="api", reason="y")
        )

    refused = [one for one in at_once(add("a"), add("b")) if isinstance(one, Refusal)]
    assert len(refused) == 1
    assert stage.ask(lambda session: store_segments.count_members(session, "testers")) == 9_999


def test_the_version_counts_every_change_also_those_at_once(stage: Stage) -> None:
    def make(name: str) -> Callable[[], None]:
        def run() -> None:
            with stage.database.begin() as session:
                Segments(session, stage.clock).create(name, Definition("manual"), ["u1"], by="x", source="api")

        return run

    assert at_once(*(make(f"s{number}") for number in range(6))) == [None] * 6
    assert stage.version() == 6
