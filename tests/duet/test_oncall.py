"""Duet's on-call, as its files and its team say it: the facts of its operations, and nobody is ever left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from watchkeeper.app.demo_people import staff_of
from watchkeeper.app.ops.kinds import KINDS
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.ops import Plan, apply_plan, read_directory, read_files
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.identity.settings import IdentitySettings
from watchkeeper.modules.oncall import reading, store
from watchkeeper.modules.oncall.model import Cover, spans
from watchkeeper.modules.oncall.words import Severity

DUET = Path(__file__).parents[2] / "examples" / "duet"
MONDAY = datetime(2026, 3, 2, 12, tzinfo=UTC)


def apply(database: Database, clock: ManualClock) -> Plan:
    """The people, and the files as they are."""
    files = {path: text for path, text in read_directory(DUET / "ops").items() if path.startswith("oncall/")}
    with database.begin() as session:
        for one in staff_of(DUET):
            settings = IdentitySettings.model_validate({})
            identity.ensure_sample_person(session, clock, settings, name=one.name, email=one.email, role=one.role)
        return apply_plan(session, read_files(files, KINDS), KINDS, by="per_ops", at=clock.now())


def called(database: Database, severity: Severity) -> list[tuple[int, str, list[str]]]:
    """(minutes after the alert, what ends it, who) on a Monday at noon, in the first round."""
    with database.read() as session:
        policy = reading.policy_of(session, service="duet-chat")
        found = reading.plan_of(session, policy, severity, MONDAY)
        names = {one.id: one.name.split()[0] for one in identity.people(session)}
    return [
        (int((one.due_at - MONDAY).total_seconds() // 60), one.until, sorted(names[who] for who in one.people))
        for one in found
        if one.round == 0
    ]


def test_the_files_say_all_of_it_and_a_second_apply_changes_nothing(database: Database, clock: ManualClock) -> None:
    made = apply(database, clock)
    assert {change.action for change in made.changes} == {"create"}
    assert {change.kind for change in made.changes} == {"schedule", "escalation_policy", "integration", "heartbeat"}
    assert {change.action for change in apply(database, clock).changes} == {"unchanged"}


def test_a_sev_1_calls_the_engineer_then_everybody_and_the_founder_after_an_hour(
    database: Database, clock: ManualClock
) -> None:
    apply(database, clock)
    assert called(database, "critical") == [
        (0, "acknowledged", ["Ann"]),
        (5, "acknowledged", ["Ann", "Ben", "Cleo", "Fay"]),
        (60, "resolved", ["Fay"]),
    ]


def test_what_is_less_than_sev_1_never_calls_the_founder(database: Database, clock: ManualClock) -> None:
    apply(database, clock)
    assert called(database, "error") == [(0, "acknowledged", ["Ann"]), (5, "acknowledged", ["Ann", "Cleo"])]


@pytest.mark.parametrize("name", ["primary", "safety"])
def test_somebody_is_on_call_at_every_hour_of_the_year(database: Database, clock: ManualClock, name: str) -> None:
    apply(database, clock)
    with database.read() as session:
        roster = store.rosters(session)[name]
        names = {one.id: one.name for one in identity.people(session)}
    found = spans(roster, MONDAY, MONDAY + timedelta(days=366))
    assert {one.duty.cover for one in found} == {Cover.ONE}
    assert {names[str(one.who)] for one in found} == {"Ann Aas", "Ben Bakke", "Cleo Costa"}
