"""Segments and values: priority, ties, what is carried to clients, and that a segment in use stays."""

from __future__ import annotations

from typing import Any

import pytest

from tests.config.support import MATCHES, VIDEO, Stage
from watchkeeper.modules.config import public as config
from watchkeeper.modules.config.errors import ChangeInvalid
from watchkeeper.modules.subjects.errors import SegmentInUse
from watchkeeper.modules.subjects.model import Definition, Rule
from watchkeeper.modules.subjects.segments import Segments, SegmentUses
from watchkeeper_client.rules import explain

USES = SegmentUses((config.segment_uses,))


@pytest.fixture(autouse=True)
def defined(stage: Stage) -> None:
    stage.define(MATCHES, VIDEO)


def segments(stage: Stage, call: Any) -> Any:
    with stage.database.begin() as session:
        return call(Segments(session, stage.clock))


def make(stage: Stage, name: str, *members: str, expression: str | None = None) -> None:
    definition = (
        Definition("custom", "", Rule(expression=expression), True)
        if expression
        else Definition("manual", "", Rule(), True)
    )
    segments(stage, lambda s: s.create(name, definition, members, by="alice", source="api"))


def override(stage: Stage, segment: str, value: int, priority: int = 0) -> None:
    stage.set("MATCHES_PER_DAY", {"value": value, "priority": priority}, f"segment:{segment}")


def test_the_higher_priority_wins_then_the_newer_and_ties_are_said(stage: Stage) -> None:
    for name in ("one", "two", "three"):
        make(stage, name, "u1")
    override(stage, "one", 5, priority=1)
    override(stage, "two", 6, priority=1)
    override(stage, "three", 7, priority=0)
    assert stage.get("MATCHES_PER_DAY", "u1") == 6
    override(stage, "one", 8, priority=1)
    assert stage.get("MATCHES_PER_DAY", "u1") == 8, "changed last, so the newest"
    layers = explain(stage.document(), "MATCHES_PER_DAY", now=stage.clock.now(), environ={}, user="u1")
    said = {one.name: (one.won, one.why) for one in layers if one.layer == "segment"}
    assert said["one"] == (True, "priority 1, as two: the newest goes first")
    assert said["two"][0] is False
    assert "goes first" in said["three"][1]


def test_built_in_segments_are_there_for_every_country(stage: Stage) -> None:
    override(stage, "country_NO", 9)
    assert stage.get("MATCHES_PER_DAY", "u1", country="NO") == 9
    assert stage.get("MATCHES_PER_DAY", "u1", country="SE") == 3
    for name in ("country_XX", "country_no", "ghosts"):
        with pytest.raises(ChangeInvalid):
            override(stage, name, 9)


def test_an_expression_decides_in_the_client_as_it_does_on_the_server(stage: Stage) -> None:
    make(stage, "nordic_premium", expression='attributes.plan == "premium" && country in ["NO", "SE"]')
    override(stage, "nordic_premium", 9)
    assert stage.get("MATCHES_PER_DAY", "u1", country="NO", plan="premium") == 9
    assert stage.get("MATCHES_PER_DAY", "u1", country="DK", plan="premium") == 3
    assert stage.get("MATCHES_PER_DAY", "u1", country="NO") == 3


def test_a_segment_that_something_uses_is_not_deleted(stage: Stage) -> None:
    for name in ("overriding", "targeted", "idle"):
        make(stage, name, "u1")
    override(stage, "overriding", 5)
    rule = {"when": {"segment": "targeted"}, "serve": {"variant": "on"}}
    stage.set("ENABLE_VIDEO", {"rules": [rule], "serve": {"variant": "off"}})
    for name, use in (("overriding", "an override of MATCHES_PER_DAY"), ("targeted", "a rule of ENABLE_VIDEO")):
        with pytest.raises(SegmentInUse, match=use):
            segments(stage, lambda s, name=name: s.delete(name, USES, by="alice", source="api", reason="tidy"))
    segments(stage, lambda s: s.delete("idle", USES, by="alice", source="api", reason="tidy"))


def test_a_change_of_a_segment_is_a_new_snapshot(stage: Stage) -> None:
    make(stage, "friends", "u1")
    override(stage, "friends", 5)
    stage.hub.look()
    before = stage.hub.current("production")
    segments(
        stage,
        lambda s: s.change_members("friends", add=["u2"], remove=["u1"], by="alice", source="api", reason="moved"),
    )
    assert stage.hub.look() is True
    after = stage.hub.current("production")
    assert after.version > before.version
    assert [stage.get("MATCHES_PER_DAY", user) for user in ("u1", "u2")] == [3, 5]
    found = after.program.outcome("MATCHES_PER_DAY", "u2")
    assert found is not None
    assert found.value == 5


def test_only_segments_that_something_asks_for_are_carried(stage: Stage) -> None:
    make(stage, "asked", "u1")
    make(stage, "not_asked", "u2")
    override(stage, "asked", 5)
    assert set(stage.document()["segments"]) == {"asked"}
