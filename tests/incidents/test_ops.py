"""`ops/incidents.yaml`: the rules by which alerts open incidents, as code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.incidents.support import Stage
from watchkeeper.app.ops.kinds import KINDS
from watchkeeper.kernel.ops import OpsInvalid, Plan, apply_plan, export_files, make_plan, read_files
from watchkeeper.modules.incidents.model import Severity
from watchkeeper.modules.incidents.ops import OPS_KINDS
from watchkeeper.modules.incidents.rules import all_rules

FILE = """\
rules:
  - {name: critical, severities: [critical], open: SEV-1}
  - {name: not-in-staging, environments: [staging], open: nothing, priority: 1}
"""


def apply(stage: Stage, text: str) -> Plan:
    with stage.database.begin() as session:
        files = read_files({"incidents.yaml": text}, OPS_KINDS)
        return apply_plan(session, files, OPS_KINDS, by="per_ops", at=stage.clock.now())


def actions(plan: Plan) -> list[tuple[str, str]]:
    return [(change.action, change.name) for change in plan.changes]


def test_rules_are_said_in_files_and_say_it_again_in_an_export(stage: Stage) -> None:
    assert actions(apply(stage, FILE)) == [("create", "critical"), ("create", "not-in-staging")]
    assert [one.name for one in stage.ask(all_rules)] == ["not-in-staging", "critical"]
    assert {action for action, _ in actions(apply(stage, FILE))} <= {"unchanged"}
    exported = stage.ask(lambda session: export_files(session, OPS_KINDS))
    again = make_plan_of(stage, dict(exported.files))
    assert {action for action, _ in actions(again)} <= {"unchanged"}
    stage.fire("a", environment="staging")
    stage.fire("b")
    assert stage.only().severity is Severity.SEV1


def make_plan_of(stage: Stage, files: dict[str, str]) -> Plan:
    found: Plan = stage.ask(lambda session: make_plan(session, read_files(files, OPS_KINDS), OPS_KINDS))
    return found


def test_what_leaves_the_file_is_gone_and_each_change_is_a_fact(stage: Stage) -> None:
    apply(stage, FILE)
    changed = "rules:\n  - {name: critical, severities: [critical], open: SEV-2}\n"
    assert actions(apply(stage, changed)) == [("update", "critical"), ("delete", "not-in-staging")]
    assert [one.open for one in stage.ask(all_rules)] == [Severity.SEV2]
    assert [fact.data["name"] for fact in stage.facts("rule_changed")][2:] == ["critical", "not-in-staging"]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("rules:\n  - {name: a, open: SEV-9}\n", "incidents.yaml:2"),
        ("rules:\n  - {name: a, open: SEV-1, severities: [bad]}\n", "incidents.yaml:2"),
        ("rules:\n  - {name: A B, open: SEV-1}\n", "incidents.yaml:2"),
        ("rules:\n  - {name: a}\n", "incidents.yaml:2"),
        ("rules:\n  - {name: a, open: SEV-1, oops: 1}\n", "incidents.yaml:2"),
    ],
)
def test_a_wrong_rule_is_told_with_its_place_and_changes_nothing(stage: Stage, text: str, where: str) -> None:
    with pytest.raises(OpsInvalid) as refusal:
        apply(stage, text)
    assert where in str([complaint.where for complaint in refusal.value.complaints])
    assert stage.ask(all_rules) == []


def test_duet_opens_what_its_severities_say(stage: Stage) -> None:
    """Critical alerts are SEV-1, errors SEV-2, in production; everything else waits for people."""
    apply(stage, (Path(__file__).parents[2] / "examples/duet/ops/incidents.yaml").read_text(encoding="utf-8"))
    stage.fire("a", service="a", severity="critical", environment="production")
    stage.fire("b", service="b", severity="error")
    stage.fire("c", service="c", severity="warning")
    stage.fire("d", service="d", severity="critical", environment="staging")
    assert {one.title: one.severity for one in stage.all()} == {"a is bad": Severity.SEV1, "b is bad": Severity.SEV2}


def test_rules_are_among_all_that_files_describe() -> None:
    assert "incident_rule" in {kind.name for kind in KINDS}
