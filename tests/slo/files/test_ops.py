"""Objectives in plan, apply, export and drift."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
import yaml

from tests.slo.support import Stage, slo
from watchkeeper.kernel.ops import (
    Drifted,
    OpsInvalid,
    Plan,
    PlanOutdated,
    apply_plan,
    export_files,
    make_plan,
    read_files,
)
from watchkeeper.kernel.ops.drift import edits_of
from watchkeeper.kernel.ops.layout import Arranged, arrange
from watchkeeper.modules.slo import store
from watchkeeper.modules.slo.definition import DataSource, Definition, Policy
from watchkeeper.modules.slo.errors import SloInUse
from watchkeeper.modules.slo.files.openslo_export import text_of
from watchkeeper.modules.slo.ops import SloKind
from watchkeeper.modules.slo.service import Slos

KINDS = [SloKind()]
SOURCE = DataSource(name="prom", url="http://127.0.0.1:9090")
POLICY = Policy.model_validate({"name": "default", "steps": [{"burn": 2, "action": "freeze_all"}]})
ASKED = {"query": "sum(increase(x[{{.window}}]))", "data_source": "prom"}
SERVER = slo("server", indicator={"kind": "ratio", "bad": ASKED, "total": ASKED})
JOURNEY = slo("a-journey", indicator={"kind": "composite", "parts": [{"slo": "api"}, {"slo": "server"}]})
WHOLE = slo("b-whole", indicator={"kind": "composite", "parts": [{"slo": "a-journey"}]})
FILES = {"slos/all.yaml": text_of([WHOLE, JOURNEY, SERVER, slo()], [SOURCE], [POLICY])}

REFERRING = """\
# People wrote this.
apiVersion: openslo/v1
kind: SLI
metadata: {name: answers}
spec: {ratioMetric: {rawType: success, raw: {metricSource: {type: watchkeeper, spec: {kind: availability}}}}}
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: api}
spec:
  service: gateway
  indicatorRef: answers
  timeWindow: [{duration: 30d}]
  objectives: [{target: 0.999}]
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: web}
spec:
  service: web
  indicatorRef: answers
  timeWindow: [{duration: 4w}]
  objectives: [{target: 0.99}]
---
apiVersion: watchkeeper/v1
kind: ServiceLevelAgreement
metadata: {name: promised}
spec: {sloRef: web, target: 0.9}
"""


def _plan(stage: Stage, files: Mapping[str, str]) -> Plan:
    with stage.database.read() as session:
        return make_plan(session, read_files(files, KINDS), KINDS)


def _apply(stage: Stage, files: Mapping[str, str], fingerprint: str | None = None) -> Plan:
    with stage.database.begin() as session:
        desired = read_files(files, KINDS)
        return apply_plan(session, desired, KINDS, by="alice", at=stage.clock.now(), fingerprint=fingerprint)


def _export(stage: Stage) -> dict[str, str]:
    with stage.database.read() as session:
        found = export_files(session, KINDS)
    assert found.notices == ()
    return dict(found.files)


def _drift(stage: Stage) -> list[Drifted]:
    with stage.database.read() as session:
        return KINDS[0].drift(session)


def _there(stage: Stage) -> dict[str, Definition]:
    with stage.database.read() as session:
        return {one.name: one.definition for one in store.all_definitions(session)}


def _actions(plan: Plan) -> list[str]:
    return [f"{one.action} {one.name}" for one in plan.changes]


def _complaints(stage: Stage, files: Mapping[str, str]) -> list[str]:
    with pytest.raises(OpsInvalid) as refused:
        _plan(stage, files)
    return [f"{one.where}: {one.expected}" for one in refused.value.complaints]


def test_what_others_are_made_of_comes_first_and_a_second_apply_has_nothing_to_do(stage: Stage) -> None:
    assert _actions(_apply(stage, FILES)) == [
        "create DataSource prom",
        "create ErrorBudgetPolicy default",
        "create api",
        "create server",
        "create a-journey",
        "create b-whole",
    ]
    assert _there(stage) == {one.name: one for one in (slo(), SERVER, JOURNEY, WHOLE)}
    assert stage.kinds().count("defined") == 4
    assert _plan(stage, FILES).is_empty
    facts = len(stage.facts())
    _apply(stage, FILES)
    assert len(stage.facts()) == facts


def test_what_no_file_names_any_more_goes_the_other_way_round(stage: Stage) -> None:
    _apply(stage, FILES)
    assert _actions(_apply(stage, {}))[::-1] == [
        "delete b-whole",
        "delete a-journey",
        "delete server",
        "delete api",
        "delete ErrorBudgetPolicy default",
        "delete DataSource prom",
    ]
    assert (_there(stage), _export(stage)) == ({}, {})


def test_a_plan_of_an_export_is_empty_and_an_apply_of_it_exports_the_same(stage: Stage) -> None:
    _apply(stage, FILES | {"slos/more.yaml": REFERRING.replace("name: api", "name: other")})
    exported = _export(stage)
    assert _plan(stage, exported).is_empty
    _apply(stage, exported)
    assert _export(stage) == exported
    assert "slos/data-sources/prom.yaml" in exported
    assert "kind: ServiceLevelAgreement" in exported["slos/web.yaml"]


def test_an_export_into_another_watchkeeper_makes_the_same_objectives(stage: Stage) -> None:
    stage.put(slo(agreement={"target": 0.99, "tiers": [{"credits": [{"below": 0.99, "credit": 0.1}]}]}))
    exported, before = _export(stage), _there(stage)
    with stage.database.begin() as session:
        Slos(session, stage.clock).remove("api", by="alice", source="api")
    _apply(stage, exported)
    assert _there(stage) == before


def test_what_was_made_in_the_console_is_left_alone_until_a_file_names_it(stage: Stage) -> None:
    stage.put(slo())
    assert _plan(stage, {}).changes == ()
    said = text_of([slo()])
    assert _actions(_plan(stage, {"slos/a.yaml": said})) == ["adopt api"]
    _apply(stage, {"slos/a.yaml": said})
    assert _actions(_plan(stage, {})) == ["delete api"]


def test_a_change_shows_the_fields_that_differ_and_only_them(stage: Stage) -> None:
    _apply(stage, {"slos/a.yaml": text_of([slo()])})
    (change,) = _plan(stage, {"slos/a.yaml": text_of([slo(objectives=[{"target": 0.99}], critical=False)])}).changes
    assert (change.action, dict(change.fields)) == (
        "update",
        {"objectives": ([{"target": 0.999}], [{"target": 0.99}]), "critical": (True, False)},
    )
    assert change.where == "slos/a.yaml:4:9"


def test_a_warning_stands_in_the_plan(stage: Stage) -> None:
    (change,) = _plan(stage, {"slos/a.yaml": text_of([slo(objectives=[{"target": 0.9}])])}).changes
    assert "The alert 14.4x over 1h can never fire at 0.9" in change.note


def test_an_objective_changed_in_the_console_is_drift_with_its_fact_and_apply_sets_it_back(stage: Stage) -> None:
    files = {"slos/a.yaml": text_of([slo()])}
    _apply(stage, files)
    stage.clock.advance(timedelta(minutes=1))
    stage.put(slo(objectives=[{"target": 0.99}]), by="bob")
    (drifted,) = _drift(stage)
    assert dict(drifted.fields) == {"objectives": ([{"target": 0.999}], [{"target": 0.99}])}
    with stage.database.read() as session:
        (edit,) = edits_of(session, drifted)
    assert edit.fact is not None
    assert edit.fact.actor == "bob"
    (change,) = _plan(stage, files).changes
    assert (change.action, change.drift) == ("update", ("objectives",))
    _apply(stage, files)
    assert (_drift(stage), _there(stage)) == ([], {"api": slo()})


def test_data_sources_and_policies_drift_too(stage: Stage) -> None:
    _apply(stage, {"slos/a.yaml": text_of([], [SOURCE], [POLICY])})
    with stage.database.begin() as session:
        slos = Slos(session, stage.clock)
        slos.put_record(SOURCE.model_copy(update={"url": "http://127.0.0.1:9091"}), by="bob", source="api")
        slos.put_record(POLICY.model_copy(update={"postmortem_from": 0.5}), by="bob", source="api")
    assert {one.name: dict(one.fields) for one in _drift(stage)} == {
        "DataSource prom": {"url": ("http://127.0.0.1:9090", "http://127.0.0.1:9091")},
        "ErrorBudgetPolicy default": {"postmortem_from": (0.2, 0.5)},
    }
    with stage.database.read() as session:
        edits = [edit for one in _drift(stage) for edit in edits_of(session, one)]
    assert [edit.fact.actor for edit in edits if edit.fact] == ["bob", "bob"]


def test_files_that_catch_up_with_the_console_end_the_drift(stage: Stage) -> None:
    _apply(stage, {"slos/a.yaml": text_of([slo()])})
    stage.put(slo(critical=False), by="bob")
    files = {"slos/a.yaml": text_of([slo(critical=False)])}
    assert _actions(_plan(stage, files)) == ["adopt api"]
    _apply(stage, files)
    assert _drift(stage) == []


def test_an_objective_that_changed_after_the_plan_is_planned_again(stage: Stage) -> None:
    _apply(stage, {"slos/a.yaml": text_of([slo()])})
    files = {"slos/a.yaml": text_of([slo(critical=False)])}
    fingerprint = _plan(stage, files).fingerprint
    stage.put(slo(objectives=[{"target": 0.99}]))
    with pytest.raises(PlanOutdated):
        _apply(stage, files, fingerprint)
    assert _there(stage)["api"].critical


def test_a_policy_takes_the_place_of_one_that_leaves_the_files(stage: Stage) -> None:
    _apply(stage, {"slos/a.yaml": text_of([], [], [POLICY])})
    other = POLICY.model_copy(update={"name": "of-all"})
    _apply(stage, {"slos/a.yaml": text_of([], [], [other])})
    with stage.database.read() as session:
        assert store.policies(session) == [other]


def test_a_policy_beside_that_of_the_console_is_refused_in_its_line(stage: Stage) -> None:
    with stage.database.begin() as session:
        Slos(session, stage.clock).put_record(POLICY, by="bob", source="api")
    said = text_of([], [], [POLICY.model_copy(update={"name": "of-all"})])
    assert _complaints(stage, {"slos/a.yaml": said}) == [
        "slos/a.yaml:6:3: expected services: default is the policy of all that no policy names"
    ]


def test_what_the_console_still_needs_is_said_in_the_plan_and_refused(stage: Stage) -> None:
    _apply(stage, {"slos/a.yaml": text_of([slo(), SERVER], [SOURCE])})
    stage.put(slo("journey", indicator={"kind": "composite", "parts": [{"slo": "api"}]}))
    (change,) = _plan(stage, {"slos/a.yaml": text_of([SERVER], [SOURCE])}).effective
    assert (change.name, change.note) == ("api", "no file names it any more; used by journey")
    with pytest.raises(SloInUse):
        _apply(stage, {})
    assert set(_there(stage)) == {"api", "server", "journey"}


def test_one_mistake_anywhere_and_nothing_is_changed(stage: Stage) -> None:
    files = FILES | {"slos/wrong.yaml": text_of([slo("new")]).replace("0.999", "99.9")}
    with pytest.raises(OpsInvalid):
        _apply(stage, files)
    assert (_there(stage), stage.facts()) == ({}, [])


def _arranged(stage: Stage, files: Mapping[str, str]) -> Arranged:
    return arrange(files, _export(stage), KINDS)


def test_files_that_refer_to_each_other_stay_as_people_wrote_them(stage: Stage) -> None:
    files = {"slos/all.yaml": REFERRING}
    _apply(stage, files)
    assert _arranged(stage, files) == Arranged({}, {}, (), ("slos/all.yaml",))


def test_what_the_console_changed_is_written_where_it_stood_and_the_rest_stays(stage: Stage) -> None:
    files = {"slos/all.yaml": REFERRING}
    _apply(stage, files)
    changed = _there(stage)["web"].model_copy(update={"critical": False})
    stage.put(changed, slo("new"))
    found = _arranged(stage, files)
    assert (list(found.changed), list(found.new), found.removed) == (["slos/all.yaml"], ["slos/new.yaml"], ())
    documents: list[Any] = list(yaml.safe_load_all(found.changed["slos/all.yaml"]))
    assert [(one["kind"], one["metadata"]["name"]) for one in documents] == [
        ("SLI", "answers"),
        ("SLO", "api"),
        ("SLO", "web"),
        ("ServiceLevelAgreement", "web"),
    ]
    assert documents[1]["spec"]["indicatorRef"] == "answers"
    after = files | dict(found.changed) | dict(found.new)
    assert _plan(stage, after).is_empty
    _apply(stage, after)
    assert _arranged(stage, after) == Arranged({}, {}, (), ("slos/all.yaml", "slos/new.yaml"))


def test_what_the_console_removed_leaves_its_file_with_its_agreement(stage: Stage) -> None:
    files = {"slos/all.yaml": REFERRING}
    _apply(stage, files)
    with stage.database.begin() as session:
        Slos(session, stage.clock).remove("web", by="bob", source="api")
    documents: list[Any] = list(yaml.safe_load_all(_arranged(stage, files).changed["slos/all.yaml"]))
    assert [(one["kind"], one["metadata"]["name"]) for one in documents] == [("SLI", "answers"), ("SLO", "api")]
