"""What configuration does when something happens elsewhere."""

from __future__ import annotations

import pytest

from tests.config.support import MATCHES, RADIUS, Stage
from watchkeeper.kernel import journal
from watchkeeper.kernel.journal.listeners import Dispatcher
from watchkeeper.modules.config.listeners import listeners
from watchkeeper.modules.subjects.events import SubjectErased


@pytest.fixture(autouse=True)
def defined(stage: Stage) -> None:
    stage.define(MATCHES, RADIUS)


def erase(stage: Stage, subject: str) -> None:
    with stage.database.begin() as session:
        fact = SubjectErased(subject_id=subject, segments=0)
        journal.append(session, fact, by="per_alice", source="api", at=stage.clock.now())
    Dispatcher(stage.database, stage.clock, listeners(stage.clock)).run_once()


def test_an_erased_user_has_no_override_left_and_everybody_else_keeps_theirs(stage: Stage) -> None:
    stage.set("MATCHES_PER_DAY", 9, "user:u1")
    stage.set("RADIUS_KM", 9, "user:u1")
    stage.set("MATCHES_PER_DAY", 8, "user:u2")
    erase(stage, "u1")
    assert [stage.get("MATCHES_PER_DAY", user) for user in ("u1", "u2")] == [3, 8]
    assert stage.get("RADIUS_KM", "u1") == 50.0
    assert '"u1"' not in str(stage.document()).replace("'", '"')


def test_hearing_of_it_twice_is_harmless(stage: Stage) -> None:
    stage.set("MATCHES_PER_DAY", 9, "user:u1")
    erase(stage, "u1")
    facts = len(stage.facts())
    erase(stage, "u1")
    assert len(stage.facts()) == facts


def test_erasing_waits_for_nobodys_approval(stage: Stage) -> None:
    stage.set("MATCHES_PER_DAY", 9, "user:u1")
    stage.config(lambda c: c.set_needs_approval("production", True, reason="care", by="alice", source="api"))
    erase(stage, "u1")
    assert stage.get("MATCHES_PER_DAY", "u1") == 3
