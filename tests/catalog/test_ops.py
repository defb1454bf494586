"""Services as code: what a plan says, what apply does, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from tests.catalog.support import Stage
from tests.conftest import NOON
from watchkeeper.kernel.journal import FactFilter, read_facts
from watchkeeper.kernel.ops import OpsInvalid, Plan, PlanOutdated, apply_plan, make_plan, read_files
from watchkeeper.modules.catalog import store
from watchkeeper.modules.catalog.model import Description
from watchkeeper.modules.catalog.ops import OPS_KINDS, ServiceKind
from watchkeeper.modules.catalog.service import Catalog

WEB = "name: web\nowner: Team Web\ntier: 2\ndependencies: [chat]\n"


class RollBack(Exception):
    pass


def _plan(stage: Stage, text: str | None) -> Plan:
    with stage.database.read() as session:
        return make_plan(session, _desired(text), OPS_KINDS)


def _apply(stage: Stage, text: str | None, fingerprint: str | None = None) -> Plan:
    with stage.database.begin() as session:
        at = stage.clock.now()
        return apply_plan(session, _desired(text), OPS_KINDS, by="per_alice", at=at, fingerprint=fingerprint)


def _desired(text: str | None) -> Any:
    return read_files({} if text is None else {"services/all.yaml": text}, OPS_KINDS)


def _actions(plan: Plan) -> list[str]:
    return [f"{change.action} {change.name}" for change in plan.changes]


def test_a_file_makes_services_that_belong_to_the_files(stage: Stage) -> None:
    assert _actions(_apply(stage, WEB + "---\nname: chat\n")) == ["create chat", "create web"]
    service = stage.service("web")
    assert service is not None
    assert (service.managed_by, service.about.owner, service.about.dependencies) == ("ops", "Team Web", ("chat",))
    assert [(fact.kind, fact.actor, fact.source) for fact in stage.facts("catalog.")] == [
        ("catalog.service_declared", "per_alice", "ops"),
        ("catalog.service_declared", "per_alice", "ops"),
    ]


def test_applying_twice_is_applying_once(stage: Stage) -> None:
    _apply(stage, WEB)
    before = stage.facts(""), stage.service("web")
    assert _actions(_apply(stage, WEB)) == ["unchanged web"]
    assert (stage.facts(""), stage.service("web")) == before


def test_a_plan_shows_each_field_before_and_after_and_changes_nothing(stage: Stage) -> None:
    _apply(stage, WEB)
    (change,) = _plan(stage, "name: web\nowner: Team Edge\ntier: 2\n").changes
    assert dict(change.fields) == {"owner": ("Team Web", "Team Edge"), "dependencies": (["chat"], [])}
    assert change.where == "services/all.yaml:1:1"
    assert _plan(stage, WEB).is_empty


def test_what_leaves_the_files_is_archived_and_only_that(stage: Stage) -> None:
    stage.discover(("seen", "production"))
    stage.verb(lambda c: c.declare("ours", Description(owner="us"), by="per_bob", source="console"))
    _apply(stage, WEB)
    assert _actions(_apply(stage, None)) == ["delete web"]
    assert [service.name for service in stage.services()] == ["ours", "seen"]
    assert stage.facts()[-1].data["reason"] == "no longer in ops/services"
    assert _plan(stage, None).is_empty


def test_a_service_that_left_the_files_but_sends_telemetry_is_back_without_their_words(stage: Stage) -> None:
    _apply(stage, WEB)
    _apply(stage, None)
    stage.discover(("web", "production"))
    service = stage.service("web")
    assert service is not None
    assert (service.archived, service.managed_by, service.about) == (False, "discovery", Description())


def test_a_service_that_is_known_already_is_taken_over_and_says_so(stage: Stage) -> None:
    stage.discover(("web", "production"))
    stage.verb(lambda c: c.declare("chat", Description(), by="per_bob", source="api"))
    plan = _plan(stage, "name: chat\n---\n" + WEB)
    assert [change.action for change in plan.changes] == ["adopt", "update"]
    assert plan.changes[0].fields == {"managed_by": ("people", "ops")}
    assert plan.changes[1].fields["managed_by"] == ("discovery", "ops")
    _apply(stage, "name: chat\n---\n" + WEB)
    assert {service.managed_by for service in stage.services()} == {"ops"}
    assert _plan(stage, "name: chat\n---\n" + WEB).is_empty


def test_what_was_changed_in_the_console_is_drift_in_the_next_plan(stage: Stage) -> None:
    _apply(stage, WEB)
    stage.verb(lambda c: c.change("web", Description(owner="Somebody", tier=3), by="per_bob", source="console"))
    (change,) = _plan(stage, WEB.replace("tier: 2", "tier: 4")).changes
    assert change.drift == ("owner", "tier", "dependencies")
    assert change.fields["owner"] == ("Somebody", "Team Web")
    _apply(stage, WEB)
    service = stage.service("web")
    assert service is not None
    assert (service.about.owner, service.drift, service.differs_since) == ("Team Web", (), None)


def test_an_edit_that_the_files_catch_up_with_is_no_drift(stage: Stage) -> None:
    _apply(stage, WEB)
    stage.verb(
        lambda c: c.change(
            "web", Description(owner="Team Edge", tier=2, dependencies=("chat",)), by="per_bob", source="console"
        )
    )
    caught_up = WEB.replace("Team Web", "Team Edge")
    assert _plan(stage, caught_up).is_empty
    _apply(stage, caught_up)
    service = stage.service("web")
    assert service is not None
    assert (service.drift, service.differs_since) == ((), None)
    assert stage.kinds()[-1] == "ops_caught_up"
    assert _actions(_plan(stage, caught_up)) == ["unchanged web"]


def test_an_archived_service_that_is_in_the_files_comes_back(stage: Stage) -> None:
    stage.verb(lambda c: c.declare("web", Description(owner="us"), by="per_bob", source="api"))
    stage.verb(lambda c: c.archive("web", by="per_bob", source="api"))
    plan = _apply(stage, "name: web\ntier: 1\n")
    assert (_actions(plan), plan.changes[0].note) == (["create web"], "it was archived and comes back")
    service = stage.service("web")
    assert service is not None
    assert (service.archived, service.about) == (False, Description(tier=1))


def test_an_apply_bound_to_a_plan_that_is_outdated_changes_nothing(stage: Stage) -> None:
    seen = _plan(stage, WEB).fingerprint
    stage.verb(lambda c: c.declare("web", Description(owner="Bob"), by="per_bob", source="api"))
    with pytest.raises(PlanOutdated) as refused:
        _apply(stage, WEB, seen)
    assert refused.value.plan is not None
    service = stage.service("web")
    assert service is not None
    assert service.about.owner == "Bob"
    _apply(stage, WEB, refused.value.plan.fingerprint)


def test_a_change_made_between_plan_and_apply_is_noticed_by_the_change_itself(stage: Stage) -> None:
    _apply(stage, WEB)
    (change,) = _plan(stage, WEB.replace("Team Web", "Team Edge")).changes
    stage.verb(lambda c: c.change("web", Description(owner="Bob"), by="per_bob", source="api"))
    desired = ServiceKind().model.model_validate({"name": "web"})
    with pytest.raises(PlanOutdated), stage.database.begin() as session:
        ServiceKind().apply(session, change, desired, by="per_alice", at=NOON)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name: web\ndependencies: [chat, web]\n", "2:22: expected another service than 'web' itself"),
        ("name: web\ndependencies:\n- a\n- a\n", "4:3: expected each name once, found 'a' again"),
        ("name: web\ntier: 5\n", "2:7: expected 1, 2, 3 or 4 for tier, found 5"),
        ("name: web\nrepository: javascript:alert(1)\n", "2:13: expected an address that starts with http:// or"),
        ("name: 'a\\u0007b'\n".replace("'", '"'), "1:7: expected one line of printable characters for name"),
        (f"name: {'x' * 201}\n", "1:7: expected text that should have at most 200 characters for name"),
        ("owner: Team\n", "1:1: expected the field name"),
        ("name: web\nlinks:\n- {title: Docs, uri: x}\n", "3:3: expected the field links.0.url"),
    ],
)
def test_a_wrong_service_is_refused_with_its_place(stage: Stage, text: str, complaint: str) -> None:
    with pytest.raises(OpsInvalid) as refused:
        _plan(stage, text)
    told = [f"{one.where}: {one.expected}".removeprefix("services/all.yaml:") for one in refused.value.complaints]
    assert any(one.startswith(complaint) for one in told), told


names = st.sampled_from(["web", "chat", "match", "my service", "team/api"])
files = st.dictionaries(
    names,
    st.fixed_dictionaries(
        {},
        optional={
            "owner": st.sampled_from(["Team A", "no", "12:30"]),
            "tier": st.integers(1, 4),
            "title": st.text(alphabet="abc é:#'\"", min_size=1, max_size=8).filter(str.strip),
        },
    ),
    max_size=4,
)


def _text(described: dict[str, dict[str, Any]]) -> str:
    return yaml.safe_dump_all([{"name": name, **fields} for name, fields in described.items()], allow_unicode=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(st.lists(st.tuples(files, st.lists(st.tuples(names, st.sampled_from(["x", "y"])))), max_size=4))
def test_whatever_happened_before_a_plan_after_apply_is_empty(
    stage: Stage, steps: list[tuple[dict[str, dict[str, Any]], list[tuple[str, str]]]]
) -> None:
    try:
        with stage.database.begin() as session:
            for described, edits in steps:
                desired = read_files({"services/all.yaml": _text(described)}, OPS_KINDS)
                apply_plan(session, desired, OPS_KINDS, by="per_alice", at=NOON)
                assert make_plan(session, desired, OPS_KINDS).is_empty
                facts = _count(session)
                apply_plan(session, desired, OPS_KINDS, by="per_alice", at=NOON)
                assert _count(session) == facts
                managed = {one.name for one in store.all_services(session) if one.managed_by == "ops"}
                assert managed == set(described)
                _edit(session, stage, edits)
            raise RollBack
    except RollBack:
        pass


def _count(session: Session) -> int:
    return len(read_facts(session, FactFilter(), limit=1000))


def _edit(session: Session, stage: Stage, edits: list[tuple[str, str]]) -> None:
    catalog = Catalog(session, stage.clock)
    for name, owner in edits:
        existing = store.by_name(session, name)
        if existing is None or existing.archived:
            catalog.declare(name, Description(owner=owner), by="per_bob", source="console")
        else:
            catalog.change(name, Description(owner=owner), by="per_bob", source="console")
