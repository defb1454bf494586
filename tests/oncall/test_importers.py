"""What other tools' exports become, down to who is on call when, and what is said of the rest."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from watchkeeper.kernel.errors import Invalid
from watchkeeper.kernel.ops import read_files
from watchkeeper.modules.oncall.definition import Schedule
from watchkeeper.modules.oncall.importers import SOURCES
from watchkeeper.modules.oncall.importers.files import files_of
from watchkeeper.modules.oncall.importers.result import Imported
from watchkeeper.modules.oncall.model import Roster, on_call
from watchkeeper.modules.oncall.ops import OPS_KINDS

EXPORTS = Path(__file__).parent / "exports"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def imported(source: str) -> Imported:
    return SOURCES[source](json.loads((EXPORTS / f"{source}.json").read_text(encoding="utf-8")), NOW)


def who(schedule: Schedule, said: str) -> str | None:
    found = on_call(Roster(schedule), datetime.fromisoformat(said)).who
    return found.partition("@")[0] if found else None


def test_pagerduty_layers_overrides_and_policies_come_over() -> None:
    found = imported("pagerduty")
    [schedule] = found.schedules
    assert (schedule.name, schedule.title, schedule.time_zone) == ("primary-eu", "Primary (EU)", "Europe/Oslo")
    assert [layer.name for layer in schedule.layers] == ["player2", "player1"]
    assert who(schedule, "2026-01-05T10:00:00+01:00") == "ben"  # working hours win over the week
    assert who(schedule, "2026-01-05T20:00:00+01:00") == "ann"
    assert who(schedule, "2026-07-14T20:00:00+02:00") == "ben"
    assert who(schedule, "2026-03-10T20:00:00+01:00") == "ben"  # the override that is not over
    assert len(schedule.temporary) == 1
    [policy] = found.policies
    assert (policy.name, policy.services, policy.repeat) == ("shop", ("checkout",), 2)
    assert [(step.wait, [one.words for one in step.notify]) for step in policy.steps] == [
        ("10m", ["the schedule primary-eu"]),
        ("30m", ["ann@example.com"]),
    ]
    assert found.people == {"ann@example.com": "Ann Berg", "ben@example.com": "Ben Dahl"}
    assert found.not_mapped == [
        "schedule Primary (EU), layer Week: Gone Long has no e-mail address in the file (add the answer of /users)",
        "policy Shop: it calls Managers, which is not in the file",
    ]


def test_opsgenie_restrictions_over_a_weekend_and_delays_since_the_alert_come_over() -> None:
    found = imported("opsgenie")
    [schedule] = found.schedules
    assert (schedule.name, schedule.team) == ("primary-schedule", "shop")
    assert who(schedule, "2026-01-10T12:00:00-06:00") == "ann"  # Saturday, within Friday 17:00 to Monday 09:00
    assert who(schedule, "2026-01-14T12:00:00-06:00") is None
    assert who(schedule, "2026-01-14T23:00:00-06:00") == "ben"  # the nights
    assert who(schedule, "2026-01-15T06:29:00-06:00") == "ben"
    [policy] = found.policies
    assert [(step.wait, [one.words for one in step.notify]) for step in policy.steps] == [
        ("5m", ["the schedule primary-schedule"]),
        ("20m", ["ben@example.com", "the team shop"]),
    ]
    assert [(one.after, one.notify[0].person) for one in policy.unresolved] == [("60m", "ann@example.com")]
    assert policy.repeat == 3
    assert any("a participant of the type none" in line for line in found.not_mapped)
    assert any("Old: left out: it is not enabled" in line for line in found.not_mapped)
    assert any("notifyType random" in line for line in found.not_mapped)


def test_grafana_oncall_levels_days_and_chains_come_over() -> None:
    found = imported("grafana-oncall")
    [schedule] = found.schedules
    assert [layer.name for layer in schedule.layers] == ["office", "week"]  # the higher level wins
    assert who(schedule, "2026-01-05T20:00:00+00:00") == "ben"  # begins from the second person
    assert who(schedule, "2026-01-06T10:00:00+00:00") == "ann"  # in office hours
    assert who(schedule, "2026-01-10T10:00:00+00:00") == "ben"  # no office on Saturday
    assert who(schedule, "2026-03-20T19:00:00+00:00") == "ben"
    [policy] = found.policies
    assert [(step.wait, [one.words for one in step.notify]) for step in policy.steps] == [
        ("5m", ["the schedule primary"]),
        ("15m", ["ann@example.com"]),
    ]
    assert policy.repeat == 5
    assert found.not_mapped == [
        "schedule Primary, shift Office: several people had it together; here the first of each group has it",
        "schedule Primary: its shift O9 is not in the file",
        "schedule From a calendar: left out: it is a calendar elsewhere; "
        "read that with `watchkeeper oncall import-calendar`",
        "policy Shop: its step notify_if_num_alerts_in_window has nothing like it here",
    ]


def test_goalert_says_whose_turn_it_is_now() -> None:
    found = imported("goalert")
    [schedule] = found.schedules
    assert who(schedule, "2026-03-02T20:00:00-06:00") == "ben"  # active now, until 09:00 on the 3rd
    assert who(schedule, "2026-03-03T20:00:00-06:00") == "ann"
    assert who(schedule, "2026-03-05T10:00:00-06:00") == "ben"  # the override
    [policy] = found.policies
    assert (policy.services, policy.repeat) == (("shop",), 3)
    assert [(step.wait, [one.words for one in step.notify]) for step in policy.steps] == [
        ("5m", ["the schedule primary"]),
        ("15m", ["ben@example.com"]),
    ]
    assert any("only takes somebody away" in line for line in found.not_mapped)
    assert any("the slackChannel #ops" in line for line in found.not_mapped)


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_imported_is_a_directory_that_reads_back(source: str) -> None:
    found = imported(source)
    read = read_files(files_of(found), OPS_KINDS)
    assert [one.value for one in read.objects["schedule"]] == found.schedules
    assert [one.value for one in read.objects["escalation_policy"]] == found.policies


_keys = st.sampled_from(
    ["id", "name", "schedules", "schedule_layers", "users", "rotations", "shifts", "targets", "start", "data", "steps"]
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("source", SOURCES)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(said=st.dictionaries(st.sampled_from(["schedules", "users", "escalation_policies", "services"]), _json))
def test_nonsense_is_refused_or_reported_and_never_a_crash(source: str, said: Any) -> None:
    try:
        found = SOURCES[source](said, NOW)
    except Invalid:
        return
    assert isinstance(found, Imported)
