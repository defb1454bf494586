"""Runbooks as files of ops/: plan, apply, export."""

from __future__ import annotations

from tests.runbooks.support import Stage, block, text_of
from watchkeeper.kernel.journal import describe_fact
from watchkeeper.kernel.ops import Plan, apply_plan, export_files, make_plan, read_files
from watchkeeper.kernel.ops.layout import arrange
from watchkeeper.modules.runbooks.ops import OPS_KINDS

TEXT = text_of(block("echo a", "run=shell id=a"))
FILES = {"runbooks/shop.md": TEXT, "runbooks/README.md": "# What these are\n"}


def planned(stage: Stage, files: dict[str, str]) -> Plan:
    with stage.database.read() as session:
        return make_plan(session, read_files(files, OPS_KINDS), OPS_KINDS)


def applied(stage: Stage, files: dict[str, str]) -> Plan:
    with stage.database.begin() as session:
        return apply_plan(session, read_files(files, OPS_KINDS), OPS_KINDS, by="local", at=stage.clock.now())


def actions(plan: Plan) -> list[tuple[str, str, str]]:
    return [(one.action, one.name, one.note) for one in plan.changes]


def test_files_are_applied_once_changed_and_taken_away(stage: Stage) -> None:
    assert actions(planned(stage, FILES)) == [("create", "shop", "")]
    assert not applied(stage, FILES).is_empty
    assert applied(stage, FILES).is_empty
    stage.keep(TEXT)
    changed = {"runbooks/shop.md": TEXT + "More.\n"}
    assert actions(applied(stage, changed)) == [("update", "shop", "its steps wait to be signed off again")]
    assert actions(applied(stage, {})) == [("delete", "shop", "no file holds it any more")]
    assert [describe_fact(one) for one in stage.facts("runbooks.changed")] == [
        "The runbook shop was added.",
        "The runbook shop was changed.",
        "The runbook shop was removed.",
    ]


def test_an_export_is_what_was_applied_to_the_byte(stage: Stage) -> None:
    text = TEXT.replace("\n", "\r\n") + "<b>ø</b>  \t"
    applied(stage, {"runbooks/shop.md": text})
    with stage.database.read() as session:
        exported = dict(export_files(session, OPS_KINDS).files)
    assert exported == {"runbooks/shop.md": text}
    assert planned(stage, exported).is_empty
    arranged = arrange({"runbooks/shop.md": text}, exported, OPS_KINDS)
    assert (arranged.new, arranged.changed, arranged.same) == ({}, {}, ("runbooks/shop.md",))
    assert dict(arrange({"runbooks/shop.md": TEXT}, exported, OPS_KINDS).changed) == exported
