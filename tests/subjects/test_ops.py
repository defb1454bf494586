"""`ops/segments.yaml`: what a plan says, what apply does, what an export writes, and drift."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.subjects.support import PREMIUM, Stage
from watchkeeper.kernel.ops import OpsInvalid, Plan, PlanOutdated, apply_plan, export_files, make_plan, read_files
from watchkeeper.modules.subjects import store_segments
from watchkeeper.modules.subjects.errors import SegmentInUse
from watchkeeper.modules.subjects.model import Definition, Rule, Segment
from watchkeeper.modules.subjects.ops import FILE, SegmentKind
from watchkeeper.modules.subjects.segments import Segments

TEXT = f"""\
name: premium
type: custom
description: Who pays.
expression: {PREMIUM}
---
name: nordics
type: auto_country
countries: [NO, SE]
"""


def kinds(stage: Stage) -> tuple[SegmentKind, ...]:
    return (SegmentKind(stage.uses, stage.clock),)


def desired(stage: Stage, text: str) -> Any:
    return read_files({FILE: text} if text else {}, kinds(stage))


def plan(stage: Stage, text: str) -> Plan:
    found: Plan = stage.ask(lambda session: make_plan(session, desired(stage, text), kinds(stage)))
    return found


def apply(stage: Stage, text: str, fingerprint: str | None = None) -> Plan:
    with stage.database.begin() as session:
        at = stage.clock.now()
        files = desired(stage, text)
        return apply_plan(session, files, kinds(stage), by="per_alice", at=at, fingerprint=fingerprint)


def actions(plan: Plan) -> list[str]:
    return [f"{change.action} {change.name}" for change in plan.changes]


def segment(stage: Stage, name: str) -> Segment:
    found = stage.ask(lambda session: store_segments.by_name(session, name))
    assert found is not None
    return found  # type: ignore[no-any-return]


def change(stage: Stage, name: str, definition: Definition) -> None:
    stage.segments(lambda segments: segments.change(name, definition, by="per_bob", source="console", reason="tried"))


def test_a_file_makes_segments_and_applying_twice_is_applying_once(stage: Stage) -> None:
    stage.people(9)
    assert actions(apply(stage, TEXT)) == ["create nordics", "create premium"]
    made = segment(stage, "premium")
    assert (made.managed_by, made.definition.description) == ("ops", "Who pays.")
    assert stage.count("premium") == 3
    assert actions(apply(stage, TEXT)) == ["unchanged nordics", "unchanged premium"]
    assert stage.kinds() == ["taken", "segment_created", "segment_created"]


def test_before_any_subject_was_sent_files_may_be_applied_and_the_plan_says_that_nobody_is_in(stage: Stage) -> None:
    found = apply(stage, TEXT)
    assert {change.note for change in found.changes} == {"nobody is in it: no subjects were sent yet"}


def test_once_there_are_subjects_a_segment_of_nobody_is_a_mistake_in_the_file(stage: Stage) -> None:
    stage.people(9)
    text = "name: gone\ntype: auto_country\ncountries: [DE]\n"
    with pytest.raises(OpsInvalid) as caught:
        plan(stage, text)
    assert caught.value.complaints[0].where == "segments.yaml:1:1"
    assert actions(apply(stage, text + "allow_empty: true\n")) == ["create gone"]


@pytest.mark.parametrize(
    ("text", "where", "expected"),
    [
        ("name: Premium\ntype: manual\n", "segments.yaml:1:7", "small letter"),
        ("name: all_users\ntype: manual\n", "segments.yaml:1:7", "not all_users"),
        ("name: a\ntype: magic\n", "segments.yaml:2:7", "manual"),
        ("name: a\ntype: auto_country\ncountries: [NO, xx]\n", "segments.yaml:3:12", "ISO 3166"),
        ("name: a\ntype: auto_age\nfrom_age: old\n", "segments.yaml:3:11", "whole number"),
        ("name: a\ntype: custom\nexpression: plan == 1\n", "segments.yaml:3:13", "(line 1, column 1 of it)"),
        ("name: a\ntype: manual\nexpression: 'true'\n", "segments.yaml:3:13", "list of members"),
        ("name: a\ntype: manual\nmembers: [u1]\n", "segments.yaml:3:1", "found 'members'"),
        ("name: a\ntype: manual\n---\nname: a\ntype: manual\n", "segments.yaml:4:7", "each name once"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_column(stage: Stage, text: str, where: str, expected: str) -> None:
    with pytest.raises(OpsInvalid) as caught:
        plan(stage, text)
    assert any(one.where == where and expected in one.expected for one in caught.value.complaints), (
        caught.value.complaints
    )


def test_what_leaves_the_files_is_deleted_and_only_that(stage: Stage) -> None:
    stage.custom("ours")
    apply(stage, TEXT)
    assert actions(apply(stage, "")) == ["delete nordics", "delete premium"]
    assert segment(stage, "ours").managed_by == "people"
    assert stage.facts("subjects.segment_deleted")[-1].data["reason"] == "no longer in ops/segments.yaml"


def test_what_something_uses_is_not_deleted_and_the_plan_says_by_what(stage: Stage) -> None:
    apply(stage, TEXT)
    stage.used["premium"] = ["an override of MATCHES in production", "another"]
    notes = {one.name: one.note for one in plan(stage, "").changes}
    assert "used by an override of MATCHES in production and 1 more" in notes["premium"]
    with pytest.raises(SegmentInUse):
        apply(stage, "")
    assert segment(stage, "nordics")


def test_a_segment_of_people_is_taken_over_with_its_members(stage: Stage) -> None:
    stage.manual("testers", "u1")
    found = apply(stage, "name: testers\ntype: manual\ndescription: First.\n")
    assert (actions(found), found.changes[0].note) == (
        ["update testers"],
        "known already; from now on described in ops/",
    )
    assert stage.rules("testers") == {"testers": {"members": ["u1"]}}


def test_an_edit_in_the_console_is_drift_until_files_or_people_give_way(stage: Stage) -> None:
    apply(stage, TEXT)
    change(stage, "nordics", Definition("auto_country", rule=Rule(countries=("NO", "DK"))))
    (drifted,) = stage.ask(kinds(stage)[0].drift)
    assert (drifted.name, dict(drifted.fields)) == ("nordics", {"countries": (["NO", "SE"], ["NO", "DK"])})
    (update,) = [one for one in plan(stage, TEXT).changes if one.action == "update"]
    assert update.drift == ("countries",)
    caught_up = TEXT.replace("[NO, SE]", "[NO, DK]")
    assert plan(stage, caught_up).is_empty
    apply(stage, caught_up)
    assert stage.kinds()[-1] == "segment_ops_caught_up"
    assert stage.ask(kinds(stage)[0].drift) == []


def test_an_apply_that_is_bound_to_another_plan_changes_nothing(stage: Stage) -> None:
    seen = plan(stage, TEXT).fingerprint
    stage.custom("premium")
    with pytest.raises(PlanOutdated):
        apply(stage, TEXT, seen)


def test_a_type_is_not_changed_by_files_either(stage: Stage) -> None:
    stage.custom("premium")
    with pytest.raises(OpsInvalid, match="mistake"):
        plan(stage, "name: premium\ntype: manual\n")


def test_the_example_is_all_comments_and_means_what_it_says(stage: Stage) -> None:
    (text,) = SegmentKind().examples.values()
    assert desired(stage, text).objects["segment"] == []
    live = "\n".join(
        line[1:] if line.startswith("#") and not line.startswith("# ") else line for line in text.split("\n")
    )
    assert len(desired(stage, live).objects["segment"]) == 5
    assert not plan(stage, live).is_empty


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Co", "Cn", "Zl", "Zp")), max_size=30)
definitions = st.one_of(
    st.builds(
        lambda about, some: Definition("auto_country", about.strip(), Rule(countries=tuple(some))),
        words,
        st.lists(st.sampled_from(["NO", "SE", "DE", "NA"]), min_size=1, max_size=4, unique=True),
    ),
    st.builds(
        lambda low, more: Definition("auto_age", rule=Rule(from_age=low, to_age=low + more)),
        st.integers(0, 60),
        st.integers(0, 60),
    ),
    st.sampled_from(["active", "inactive"]).map(
        lambda activity: Definition("auto_activity", rule=Rule(activity=activity, within="30d"))
    ),
    words.filter(lambda text: text.isprintable() and not set(text) & set("\"'\\") and len(text) > 0).map(
        lambda text: Definition("custom", rule=Rule(expression=f'attributes.a == "{text}"'), allow_empty=True)
    ),
    words.map(lambda about: Definition("manual", about.strip())),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=st.dictionaries(st.from_regex(r"a[a-z0-9_]{0,6}", fullmatch=True), definitions, max_size=4))
def test_a_plan_of_an_export_is_empty_and_builds_the_same_elsewhere(stage: Stage, made: dict[str, Definition]) -> None:
    class RollBackError(Exception):
        pass

    with pytest.raises(RollBackError), stage.database.begin() as session:
        for name, definition in made.items():
            Segments(session, stage.clock).create(name, definition, by="per_bob", source="api")
        first = export_files(session, kinds(stage))
        assert set(first.files) <= {FILE}
        files = read_files(first.files, kinds(stage))
        assert make_plan(session, files, kinds(stage)).is_empty
        apply_plan(session, files, kinds(stage), by="per_alice", at=stage.clock.now())
        assert export_files(session, kinds(stage)) == first
        raise RollBackError


def test_an_export_has_no_members_and_reads_as_yaml(stage: Stage) -> None:
    stage.manual("testers", "u1")
    (text,) = stage.ask(lambda session: export_files(session, kinds(stage))).files.values()
    assert yaml.safe_load(text) == {"name": "testers", "type": "manual"}
