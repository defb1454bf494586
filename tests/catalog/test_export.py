"""Services as files: whatever is in the catalog, a plan of its export has nothing to change."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from tests.catalog.support import Stage
from tests.conftest import NOON
from watchkeeper.kernel.ops import Export, apply_plan, export_files, json_schema, make_plan, read_files
from watchkeeper.modules.catalog import store
from watchkeeper.modules.catalog.model import Description, Link, Seen
from watchkeeper.modules.catalog.ops import OPS_KINDS, ServiceKind, file_of
from watchkeeper.modules.catalog.service import Catalog

LINE = "# yaml-language-server: $schema=../.schemas/service.schema.json\n"


class RollBack(Exception):
    pass


def _export(stage: Stage) -> Export:
    with stage.database.read() as session:
        return export_files(session, OPS_KINDS)


def test_what_people_made_is_exported_and_what_telemetry_alone_knows_is_not(stage: Stage) -> None:
    stage.discover(("seen", "production"), ("web", "production"))
    about = Description(owner="no", tier=2, links=(Link("Docs", "https://x.example"),), dependencies=("chat",))
    stage.verb(lambda c: c.change("web", about, by="per_bob", source="console"))
    found = _export(stage)
    assert found.files == {
        "services/web.yaml": f'{LINE}name: web\nowner: "no"\ntier: 2\nlinks:\n  - title: Docs\n'
        "    url: https://x.example\ndependencies:\n  - chat\n"
    }


def test_an_archived_service_is_in_no_file(stage: Stage) -> None:
    stage.verb(lambda c: c.declare("web", Description(owner="us"), by="per_bob", source="api"))
    stage.verb(lambda c: c.archive("web", by="per_bob", source="api"))
    assert _export(stage).files == {}


def test_a_name_from_telemetry_that_nobody_can_write_is_named_and_left_out(stage: Stage) -> None:
    stage.discover((" web ", ""), ("line\nbreak", ""))
    for name in (" web ", "line\nbreak"):
        stage.verb(lambda c, name=name: c.change(name, Description(owner="us"), by="x", source="api"))
    found = _export(stage)
    assert found.files == {}
    assert found.notices == (
        "service ' web ': left out, no file can hold it",
        "service 'line\\nbreak': left out, no file can hold it",
    )


def test_applying_an_export_hands_the_services_to_the_files_and_changes_nothing_said(stage: Stage) -> None:
    stage.verb(lambda c: c.declare("web", Description(owner="us"), by="per_bob", source="api"))
    files = _export(stage).files
    with stage.database.begin() as session:
        plan = apply_plan(session, read_files(files, OPS_KINDS), OPS_KINDS, by="per_alice", at=NOON)
    assert (plan.is_empty, [one.name for one in plan.adopted]) == (True, ["web"])
    service = stage.service("web")
    assert service is not None
    assert (service.managed_by, service.about, service.applied) == ("ops", Description(owner="us"), service.about)
    assert stage.kinds() == ["service_declared", "service_changed"]
    assert [fact.data["adopted"] for fact in stage.facts("ops.applied")] == [1]


def test_a_file_is_named_by_the_service_alone_and_never_shared() -> None:
    assert file_of("duet-chat.v2") == "services/duet-chat.v2.yaml"
    odd = [
        "Web",
        "web/",
        "web ",
        "WEB",
        ".web",
        "web.",
        "..",
        "é",
        "a" * 200,
        "my service",
        "my_service?",
        "a/b",
        "a\\b",
    ]
    files = [file_of(name) for name in odd]
    assert len({file.lower() for file in files}) == len(odd)
    assert all(re.fullmatch(r"services/[a-z0-9][a-z0-9._-]{0,90}\.yaml", file) for file in files)


def test_the_example_makes_a_service_once_its_fields_are_uncommented(stage: Stage) -> None:
    (text,) = ServiceKind().examples.values()
    assert read_files({"services/example.yaml": text}, OPS_KINDS).objects["service"] == []
    live = re.sub(r"^#(?=\S)", "", text, flags=re.MULTILINE)
    (one,) = read_files({"services/example.yaml": live}, OPS_KINDS).objects["service"]
    assert set(one.document.value) == set(json_schema(ServiceKind())["properties"])


lines = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12) | st.sampled_from(
    ["no", "1_000", "12:30", "~", "a: b", "# a", "- a", "2026-03-29", "'", '"', "<<", "null", "é\u00a0", "x" * 150]
)
names = st.sampled_from(["web", "chat", "Chat", "my service", "team/api", " odd ", "no", "1_000", "🌍", "a\tb"]) | lines
abouts = st.builds(
    Description,
    title=st.none() | lines.map(str.strip).filter(str.isprintable).filter(bool),
    description=st.none()
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
    .map(str.strip)
    .map(lambda text: text or None),
    owner=st.none() | st.sampled_from(["Team A", "no", "12:30"]),
    tier=st.none() | st.integers(1, 4),
    repository=st.none() | st.just("https://git.example/x#y"),
    links=st.lists(st.just(Link("Docs: all", "https://x.example/?a=b#c")), max_size=2).map(tuple),
    dependencies=st.lists(st.sampled_from(["a b", "off", "c"]), unique=True, max_size=3).map(tuple),
    environments=st.lists(st.sampled_from(["production", "on"]), unique=True, max_size=2).map(tuple),
)
acts = st.lists(st.tuples(st.sampled_from(["discover", "people", "ops", "archive"]), names, abouts), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@example([("ops", "web", Description(owner="a")), ("people", "web", Description(owner="b"))])
@given(acts)
def test_whatever_is_in_the_catalog_a_plan_of_its_export_is_empty_and_exports_do_not_move(
    stage: Stage, steps: list[tuple[str, str, Description]]
) -> None:
    try:
        with stage.database.begin() as session:
            for what, name, about in steps:
                _act(session, stage, what, name, about)
            before = _said(session)
            first = export_files(session, OPS_KINDS)
            desired = read_files(first.files, OPS_KINDS)
            assert make_plan(session, desired, OPS_KINDS).is_empty
            apply_plan(session, desired, OPS_KINDS, by="per_alice", at=NOON)
            assert export_files(session, OPS_KINDS) == first
            assert _said(session) == before
            assert ServiceKind().drift(session) == []
            again = make_plan(session, desired, OPS_KINDS)
            assert not again.effective
            assert not again.adopted
            raise RollBack
    except RollBack:
        pass


def _said(session: Session) -> dict[str, Any]:
    return {one.name: store.said(one.about) for one in store.all_services(session)}


def _act(session: Session, stage: Stage, what: str, name: str, about: Description) -> None:
    catalog = Catalog(session, stage.clock)
    existing = store.by_name(session, name)
    live = existing is not None and not existing.archived
    # What files said came through the door of files.
    writable = name == name.strip() and name.isprintable()
    if what == "discover":
        catalog.discover([Seen(name, "production")])
    elif what == "archive":
        if live and existing is not None and existing.managed_by != "ops" and not existing.seen:
            catalog.archive(name, by="per_bob", source="api")
    elif name in about.dependencies:
        return
    elif what == "ops" and writable:
        catalog.put(name, about, by="per_alice")
    elif live:
        catalog.change(name, about, by="per_bob", source="console")
    elif writable:
        catalog.declare(name, about, by="per_bob", source="console")
