"""`ops/parameters.yaml`: from files to the registry and to values, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from tests.config.support import Stage
from tests.conftest import NOON
from watchkeeper.kernel.ops import OpsInvalid, Plan, apply_plan, export_files, make_plan, read_files
from watchkeeper.kernel.ops.drift import edits_of
from watchkeeper.modules.config import store
from watchkeeper.modules.config.ops import OPS_KINDS, ParameterKind
from watchkeeper.modules.config.own import Own, OwnParameter
from watchkeeper_client.rules import Definition

MATCHES = """\
parameters:
- key: MATCHES_PER_DAY
  type: integer
  default: 3
  min: 1
  max: 10
  unit: matches
  group: matching/daily
  values: {production: 4}
"""
VIDEO = """\
parameters:
- key: ENABLE_VIDEO
  type: flag
  default: off
  salt: fixed
  state:
    production:
      rules:
      - name: Norway
        when: {attribute: country, op: equals, value: NO}
        serve: {variant: on}
"""


class Files:
    """Files beside a stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def plan(self, **files: str) -> Plan:
        with self.stage.database.read() as session:
            return make_plan(session, read_files(_named(files), OPS_KINDS), OPS_KINDS)

    def apply(self, **files: str) -> Plan:
        with self.stage.database.begin() as session:
            desired = read_files(_named(files), OPS_KINDS)
            return apply_plan(session, desired, OPS_KINDS, by="per_alice", at=self.stage.clock.now())

    def export(self) -> Mapping[str, str]:
        with self.stage.database.read() as session:
            return export_files(session, OPS_KINDS).files

    def complaints(self, **files: str) -> list[str]:
        with pytest.raises(OpsInvalid) as refused:
            self.plan(**files)
        return [f"{one.where}: {one.expected}" for one in refused.value.complaints]


def _named(files: Mapping[str, str]) -> dict[str, str]:
    return {f"{name.replace('__', '/')}.yaml": text for name, text in files.items()}


@pytest.fixture
def files(stage: Stage) -> Files:
    return Files(stage)


def _done(plan: Plan) -> list[tuple[str, str]]:
    return [(one.action, one.name) for one in plan.changes]


def test_files_define_parameters_and_set_them(files: Files, stage: Stage) -> None:
    assert _done(files.apply(parameters=MATCHES)) == [("create", "MATCHES_PER_DAY")]
    assert stage.get("MATCHES_PER_DAY") == 4
    assert stage.kinds() == ["parameter_defined", "changed"]
    assert {(one.source, one.actor) for one in stage.facts()} == {("ops", "per_alice")}


def test_a_second_apply_writes_nothing(files: Files, stage: Stage) -> None:
    files.apply(parameters=MATCHES, parameters__video=VIDEO)
    version = stage.version()
    again = files.apply(parameters=MATCHES, parameters__video=VIDEO)
    assert again.is_empty
    assert not again.adopted
    assert stage.version() == version


def test_a_plan_says_each_field_and_each_value(files: Files) -> None:
    files.apply(parameters=MATCHES)
    (change,) = files.plan(parameters=MATCHES.replace("max: 10", "max: 12").replace(": 4}", ": 5}")).changes
    assert (change.action, dict(change.fields)) == (
        "update",
        {"maximum": (10, 12), "values.production": (4, 5)},
    )
    assert change.where == "parameters.yaml:2:3"


@pytest.mark.parametrize(("low", "high", "value"), [(1, 4, 2), (10, 40, 20), (5, 5, 5)])
def test_bounds_and_the_value_that_needs_them_move_together(
    files: Files, stage: Stage, low: int, high: int, value: int
) -> None:
    files.apply(parameters=MATCHES)
    moved = MATCHES.replace("min: 1", f"min: {low}").replace("max: 10", f"max: {high}")
    moved = moved.replace("default: 3", f"default: {value}").replace(": 4}", f": {value}}}")
    files.apply(parameters=moved)
    assert stage.get("MATCHES_PER_DAY") == value


def test_what_files_do_not_set_is_left_to_the_console(files: Files, stage: Stage) -> None:
    files.apply(parameters=MATCHES)
    without = MATCHES.replace("  values: {production: 4}\n", "")
    assert files.apply(parameters=without).is_empty
    stage.set("MATCHES_PER_DAY", 7)
    assert files.apply(parameters=without).is_empty
    assert stage.get("MATCHES_PER_DAY") == 7


def test_null_sets_nothing(files: Files, stage: Stage) -> None:
    files.apply(parameters=MATCHES)
    files.apply(parameters=MATCHES.replace(": 4}", ": null}"))
    assert stage.get("MATCHES_PER_DAY") == 3
    assert files.apply(parameters=MATCHES.replace(": 4}", ": null}")).is_empty


def test_files_pass_the_approval_that_the_console_asks_for(files: Files, stage: Stage) -> None:
    # They were looked at where they are kept.
    stage.config(lambda config: config.set_needs_approval("production", True, reason="care", by="alice", source="api"))
    files.apply(parameters=MATCHES)
    assert stage.get("MATCHES_PER_DAY") == 4


def test_environments_are_added_by_files_and_stay(files: Files, stage: Stage) -> None:
    text = "environments:\n- production\n- name: staging\n  needs_approval: true\n"
    first = files.apply(parameters=text + MATCHES.replace("production", "staging"))
    assert _done(first) == [
        ("unchanged", "production"),
        ("create", "staging"),
        ("create", "MATCHES_PER_DAY"),
    ]
    assert (stage.get("MATCHES_PER_DAY", environment="staging"), stage.get("MATCHES_PER_DAY")) == (4, 3)
    assert [one.name for one in files.plan(parameters=MATCHES).changes if one.kind == "environment"] == []
    again = files.apply(parameters=text.replace("true", "false") + MATCHES)
    assert again.changes[1].fields == {"needs_approval": (True, False)}


def test_a_secret_is_a_reference_however_it_is_said(files: Files, stage: Stage) -> None:
    text = 'parameters:\n- {key: "API_KEY", type: "string", default: null, group: "llm", secret: true}\n'
    files.apply(parameters=text + "  # where it lies\n")
    said = stage.document()["parameters"]["API_KEY"]
    assert said["type"] == "secret"
    files.apply(parameters=text.replace("}", ", values: {production: {env: DUET_API_KEY}}}"))
    assert stage.document()["parameters"]["API_KEY"]["value"] == {"env": "DUET_API_KEY"}
    assert "hunter2" not in str(stage.facts())
    (complaint,) = files.complaints(parameters=text.replace("}", ", values: {production: hunter2}}"))
    assert complaint.startswith("parameters.yaml:2:100: expected where the secret is: env:NAME or file:/path")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("default: 3", "default: 30"), "4:12: expected a whole number that is from 1 to 10, for default"),
        (("type: integer", "type: int"), "3:9: expected 'string', 'integer'"),
        (("min: 1", "min: one"), "5:8: expected a whole number, for min"),
        (("max: 10", "maximum: 10"), "6:3: expected one of choices, default"),
        (("MATCHES_PER_DAY", "MATCHES/DAY"), "2:8: expected letters, digits, _ . and -"),
        (("MATCHES_PER_DAY", "M\u0410TCHES"), "2:8: expected letters, digits, _ . and -"),
        ((": 4}", ": 11}"), "9:24: expected a whole number that is from 1 to 10"),
        ((": 4}", ": .nan}"), "9:24: expected a whole number"),
        ((": 4}", ": '4'}"), "9:24: expected a whole number"),
        (("{production", "{produktion"), "9:12: expected an environment, one of production, found 'produktion'"),
        (("unit: matches", "secret: true"), "2:3: expected the type string or secret where secret is true"),
        (("values:", "state:"), "2:3: expected values by environment: only a flag has a state"),
    ],
)
def test_a_mistake_is_told_where_it_stands_and_changes_nothing(
    files: Files, stage: Stage, change: tuple[str, str], complaint: str
) -> None:
    (found,) = files.complaints(parameters=MATCHES.replace(*change, 1))
    assert found.startswith(f"parameters.yaml:{complaint}")
    assert stage.document()["parameters"] == {}


def test_every_mistake_of_152_parameters_is_told_at_once(files: Files) -> None:
    lines = [f"- {{key: K{n}, type: integer, default: {n if n % 50 else 'x'}}}" for n in range(1, 153)]
    found = files.complaints(parameters="parameters:\n" + "\n".join(lines) + "\n")
    assert [one.split(" ")[0] for one in found] == [
        "parameters.yaml:51:38:",
        "parameters.yaml:101:39:",
        "parameters.yaml:151:39:",
    ]


def test_a_definition_that_something_set_would_not_fit_is_refused(files: Files, stage: Stage) -> None:
    files.apply(parameters=MATCHES)
    stage.set("MATCHES_PER_DAY", 9, "user:u1")
    (found,) = files.complaints(parameters=MATCHES.replace("max: 10", "max: 8"))
    assert found == (
        "parameters.yaml:2:3: expected a definition that fits 9, which is an override of the user u1 in production"
    )


def test_flags_carry_their_rules_in_files(files: Files, stage: Stage) -> None:
    files.apply(parameters=VIDEO)
    assert (stage.get("ENABLE_VIDEO", "u1", country="NO"), stage.get("ENABLE_VIDEO", "u1")) == (True, False)
    files.apply(parameters=VIDEO[: VIDEO.index("    production")] + "    production: on\n")
    assert stage.get("ENABLE_VIDEO", "u1") is True


def test_a_rule_in_a_file_is_checked_as_everywhere(files: Files) -> None:
    (found,) = files.complaints(parameters=VIDEO.replace("{variant: on}", "{percent: 101, variants: {on: 1}}"))
    assert found == "parameters.yaml:11:26: expected a number from 0 to 100"
    (found,) = files.complaints(
        parameters=VIDEO.replace("{attribute: country, op: equals, value: NO}", "{segment: nobody}")
    )
    assert found == "parameters.yaml:8:7: expected a segment that exists, found 'nobody'"


def _flag(key: str, other: str) -> str:
    return (
        f"- key: {key}\n  type: flag\n  state: "
        f"{{production: {{prerequisites: [{{key: {other}, variants: [on]}}], serve: {{variant: on}}}}}}\n"
    )


def test_prerequisites_are_made_before_the_flags_that_ask_for_them(files: Files, stage: Stage) -> None:
    text = "parameters:\n" + _flag("A", "B") + _flag("B", "C") + "- {key: C, type: flag, state: {production: on}}\n"
    assert [name for _, name in _done(files.apply(parameters=text))] == ["C", "B", "A"]
    assert stage.get("A") is True
    assert [name for _, name in _done(files.apply(parameters="parameters: []\n"))] == ["C", "B", "A"]
    assert stage.document()["parameters"] == {}


def test_prerequisites_in_a_circle_or_nowhere_are_refused(files: Files) -> None:
    text = "parameters:\n" + _flag("A", "B") + _flag("B", "A")
    assert files.complaints(parameters=text) == [
        "parameters.yaml:4:23: expected prerequisites without a circle, found A → B → A"
    ]
    (found,) = files.complaints(parameters="parameters:\n" + _flag("A", "GONE"))
    assert found.endswith("expected a prerequisite that is a flag, found 'GONE'")


def test_what_leaves_the_files_leaves_with_the_value_that_they_gave_it(files: Files, stage: Stage) -> None:
    files.apply(parameters=MATCHES)
    (change,) = files.apply(parameters="").changes
    assert (change.action, change.fields["values.production"]) == ("delete", (4, None))
    assert stage.document()["parameters"] == {}


def test_what_leaves_the_files_stays_while_something_overrides_it(files: Files, stage: Stage) -> None:
    files.apply(parameters=MATCHES)
    stage.set("MATCHES_PER_DAY", 9, "user:u1")
    assert files.complaints(parameters="") == [
        "parameters.yaml:1:1: expected the parameter MATCHES_PER_DAY, which is still held by "
        "an override of the user u1 in production"
    ]
    stage.set("MATCHES_PER_DAY", None, "user:u1")
    stage.set("MATCHES_PER_DAY", 5)
    (found,) = files.complaints(parameters="")
    assert found.endswith("still held by a value in production")
    assert stage.get("MATCHES_PER_DAY") == 5


def test_what_people_defined_is_taken_over_and_only_then_the_files(files: Files, stage: Stage) -> None:
    stage.define({"key": "RADIUS", "type": "float", "default": 5})
    assert files.plan(parameters="parameters: []\n").changes == ()
    (change,) = files.apply(parameters="parameters:\n- {key: RADIUS, type: float, default: 5}\n").changes
    assert change.action == "adopt"
    assert _done(files.apply(parameters="parameters: []\n")) == [("delete", "RADIUS")]


def test_settings_of_watchkeeper_are_not_for_files(files: Files, stage: Stage) -> None:
    definition = Definition.of({"key": "watchkeeper.raw_days", "type": "integer", "default": 3})
    own = Own([OwnParameter(definition, True, "RAW_DAYS", 3, "")], "production", lambda _values: None)
    stage.config(lambda config: own.register(config.session, config.clock))
    (found,) = files.complaints(parameters="parameters:\n- {key: watchkeeper.raw_days, type: integer, default: 5}\n")
    assert found.endswith("expected another key: watchkeeper.raw_days is a setting of Watchkeeper itself")
    assert files.export() == {}


def test_what_the_console_changed_since_is_drift_with_who_did_it(files: Files, stage: Stage) -> None:
    files.apply(parameters=MATCHES)
    stage.clock.advance(timedelta(hours=1))
    stage.set("MATCHES_PER_DAY", 6, by="bob")
    stage.set("MATCHES_PER_DAY", 9, "user:u1", by="carol")
    with stage.database.read() as session:
        (drifted,) = ParameterKind().drift(session)
        (edit,) = edits_of(session, drifted)
    assert dict(drifted.fields) == {"values.production": (4, 6)}
    assert drifted.since == NOON + timedelta(hours=1)
    assert edit.fact is not None
    assert (edit.said, edit.now, edit.fact.actor) == ("4", "6", "bob")
    (change,) = files.plan(parameters=MATCHES).changes
    assert change.drift == ("values.production",)
    assert files.plan(parameters=MATCHES.replace(": 4}", ": 6}")).changes[0].action == "adopt"
    files.apply(parameters=MATCHES.replace(": 4}", ": 6}"))
    with stage.database.read() as session:
        assert ParameterKind().drift(session) == []


def test_a_definition_that_people_edit_stays_the_files_and_drifts(files: Files, stage: Stage) -> None:
    files.apply(parameters=MATCHES)
    with stage.database.read() as session:
        found = store.parameter(session, "MATCHES_PER_DAY")
    assert found is not None
    stage.define({**found.definition.said(), "maximum": 20})
    with stage.database.read() as session:
        (drifted,) = ParameterKind().drift(session)
    assert dict(drifted.fields) == {"maximum": (10, 20)}
    assert files.apply(parameters=MATCHES).changes[0].drift == ("maximum",)


ODD: tuple[dict[str, Any], ...] = (
    {"key": "S", "type": "string", "default": "no", "pattern": "[a-z:]+", "description": "a\nb", "used_by": ["x", "y"]},
    {"key": "D", "type": "duration", "default": "1d12h", "minimum": "1h", "owner": "team-a"},
    {"key": "T", "type": "time_of_day", "default": "09:00", "unit": "o'clock", "deprecated_since": "2026-01-02"},
    {"key": "E", "type": "enum", "default": "on", "choices": ["on", "off", "1.5"]},
    {"key": "J", "type": "json", "default": {"a": [1, None, {"b": True}]}, "schema": {"type": "object"}},
    {"key": "X", "type": "secret", "default": {"file": "/run/secrets/x"}, "needs_approval": True},
    {"key": "F", "type": "flag", "variants": {"red": "#f00", "blue": "#00f"}, "default": "red", "off": "blue"},
    {"key": "G", "type": "flag", "default": "on", "off": "on", "expires_on": "2027-01-01", "salt": "s"},
    {"key": "N", "type": "integer", "default": None, "minimum": -5},
)  # fmt: skip


def test_an_export_plans_to_nothing_and_an_apply_of_it_changes_no_export(files: Files, stage: Stage) -> None:
    stage.define(*ODD)
    stage.config(
        lambda config: config.add_environment(
            "staging", copy_from=None, needs_approval=False, reason="", by="alice", source="api"
        )
    )
    for key, value in (("S", "yes:"), ("D", "2h"), ("J", {"n": 1.5}), ("F", "blue"), ("G", False), ("N", -5)):
        stage.set(key, value)
        stage.set(key, value, environment="staging")
    stage.set("S", "mine", "user:u1")
    exported = files.export()
    assert list(exported) == ["parameters.yaml"]
    text = exported["parameters.yaml"]
    assert files.plan(parameters=text).is_empty
    files.apply(parameters=text)
    assert files.export() == exported
    assert not files.plan(parameters=text).adopted
    assert stage.get("S", "u1") == "mine"


def test_an_export_makes_the_same_parameters_elsewhere(files: Files, stage: Stage) -> None:
    stage.define(*ODD)
    text = files.export()["parameters.yaml"]
    before = stage.document()["parameters"]
    files.apply(parameters=text)
    files.apply(parameters="")
    assert stage.document()["parameters"] == {}
    files.apply(parameters=text)
    assert stage.document()["parameters"] == before
