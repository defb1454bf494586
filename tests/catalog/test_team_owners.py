"""Asked as everybody asks, by the API and the pages: others see all of a team's service and change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert
from starlette.requests import HTTPConnection

from tests.catalog.support import Stage
from tests.kernel.web.support import small_app
from watchkeeper.kernel.clock import ManualClock, SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.web.access import Actor, Authenticator, Scope
from watchkeeper.kernel.web.csrf import Csrf
from watchkeeper.kernel.web.etag import etag_of
from watchkeeper.modules.catalog import wiring
from watchkeeper.modules.catalog.model import Description
from watchkeeper.modules.catalog.public import ReadinessChecks
from watchkeeper.modules.catalog.service import version_of
from watchkeeper.modules.identity.tables import teams

URL = "/api/v1/services"
EDGE, MATCHING = "team-edge", "team-matching"
_OPERATOR = Actor("per_x", "person", "X", frozenset({Scope.WRITE}))
CAST = {
    "edge": replace(_OPERATOR, id="per_edge", name="Edda of Edge", teams=frozenset({EDGE})),
    "matching": replace(_OPERATOR, id="per_matching", name="Mats of Matching", teams=frozenset({MATCHING})),
    "both": replace(_OPERATOR, id="per_both", name="Bo of both", teams=frozenset({EDGE, MATCHING})),
    "alone": replace(_OPERATOR, id="per_alone", name="Al of no team", teams=frozenset()),
    "admin": replace(_OPERATOR, id="per_admin", name="Ada", scopes=frozenset({Scope.ADMIN}), teams=None),
    "token": replace(_OPERATOR, id="tok_free", kind="token", name="a token of nobody", teams=None),
}
# Owner of the service → who of the cast may change it.
MAY = {
    EDGE: {"edge", "both", "admin", "token"},
    MATCHING: {"matching", "both", "admin", "token"},
    "Edda herself": set(CAST),
    None: set(CAST),
}


class ByName:
    """Believes a header or a cookie that names somebody of the cast."""

    async def authenticate(self, request: HTTPConnection) -> Actor | None:
        name = request.headers.get("authorization", "").removeprefix("Bearer ")
        if name in CAST:
            return replace(CAST[name], session_id=None)
        who = request.cookies.get("who", "")
        return replace(CAST[who], session_id=f"ses_{who}") if who in CAST else None


class TeamStage(Stage):
    """A catalog whose visitors are in teams."""

    @cached_property
    def app(self) -> FastAPI:
        parts = {
            Database: self.database,
            SystemClock: self.clock,
            ReadinessChecks: self.checks,
            Authenticator: ByName(),
        }
        return small_app(*wiring.ROUTERS, parts=parts, templates=wiring.TEMPLATES, nav=wiring.NAV)

    def ask(self, who: str, method: str, path: str, **request: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {who}", **request.pop("headers", {})}
        answer: httpx.Response = self.client().request(method, path, headers=headers, **request)
        return answer

    def edit(self, who: str, name: str, method: str = "PATCH", **fields: Any) -> httpx.Response:
        etag = self.ask(who, "GET", f"{URL}/{name}").headers["etag"]
        return self.ask(who, method, f"{URL}/{name}", json=fields, headers={"if-match": etag})

    def send(self, who: str, path: str, fields: dict[str, str]) -> httpx.Response:
        """A form as somebody could make it by hand, with their own form token."""
        token = self.app.state.parts[Csrf].token(f"ses_{who}")
        headers = {"Sec-Fetch-Site": "same-origin"}
        answer: httpx.Response = self.page(who).client.post(path, data={**fields, "csrf_token": token}, headers=headers)
        return answer

    def owned_by(self, owner: str | None, name: str = "web") -> None:
        self.verb(lambda c: c.declare(name, Description(owner=owner), by="local", source="cli"))

    def owner(self, name: str = "web") -> str | None:
        found = self.service(name)
        assert found is not None
        return found.about.owner


def _make_team(stage: Stage, name: str) -> None:
    with stage.database.begin() as session:
        row = {"id": new_id("tem"), "name": name, "description": "", "created_at": stage.clock.now()}
        session.execute(insert(teams).values(row))


@pytest.fixture
def stage(database: Database, clock: ManualClock) -> Iterator[TeamStage]:
    with TeamStage.open(database, clock) as opened:
        assert isinstance(opened, TeamStage)
        for name in (EDGE, MATCHING):
            _make_team(opened, name)
        yield opened


@pytest.mark.parametrize("owner", list(MAY), ids=str)
@pytest.mark.parametrize("who", list(CAST))
def test_only_the_team_of_a_service_and_admins_change_it(stage: TeamStage, who: str, owner: str | None) -> None:
    stage.owned_by(owner)
    allowed = who in MAY[owner]
    assert stage.edit(who, "web", title="Door").status_code == (200 if allowed else 403)
    assert stage.edit(who, "web", "PUT", title="Gate", owner=owner).status_code == (200 if allowed else 403)
    assert stage.ask(who, "DELETE", f"{URL}/web").status_code == (204 if allowed else 403)
    if not allowed:
        assert [fact.actor for fact in stage.facts()] == ["local"]


def test_a_refusal_names_the_team_whatever_version_was_sent(stage: TeamStage) -> None:
    stage.owned_by(EDGE)
    for headers in ({}, {"if-match": '"old"'}):
        answer = stage.ask("matching", "PATCH", f"{URL}/web", json={"title": "Door"}, headers=headers)
        said = "This belongs to team-edge, and Mats of Matching is not in that team."
        assert (answer.status_code, answer.json()["detail"]) == (403, said)


@pytest.mark.parametrize("who", list(CAST))
def test_everybody_sees_everything(stage: TeamStage, who: str) -> None:
    stage.owned_by(EDGE)
    stage.owned_by(MATCHING, "match")
    assert [one["name"] for one in stage.ask(who, "GET", URL).json()["items"]] == ["match", "web"]
    assert stage.ask(who, "GET", f"{URL}/web").json()["owner"] == EDGE
    assert "web" in stage.page(who).text("/services")
    assert EDGE in stage.page(who).text("/services/web/about")


def test_a_service_can_be_given_away_to_any_team_and_not_be_taken_back(stage: TeamStage) -> None:
    stage.owned_by(EDGE)
    assert stage.edit("edge", "web", owner=MATCHING).status_code == 200
    assert stage.edit("edge", "web", owner=EDGE).status_code == 403
    assert stage.edit("matching", "web", owner=EDGE).status_code == 200


def test_a_service_of_nobody_can_be_taken(stage: TeamStage) -> None:
    stage.owned_by(None)
    assert stage.edit("edge", "web", owner=EDGE).status_code == 200
    assert stage.edit("matching", "web", owner=MATCHING).status_code == 403


def test_a_new_service_may_be_anybodys(stage: TeamStage) -> None:
    answer = stage.ask("edge", "POST", URL, json={"name": "fresh", "owner": MATCHING})
    assert answer.status_code == 201


def test_an_archived_service_of_a_team_is_not_taken_by_adding_it_anew(stage: TeamStage) -> None:
    stage.owned_by(EDGE)
    assert stage.ask("edge", "DELETE", f"{URL}/web").status_code == 204
    assert stage.ask("matching", "POST", URL, json={"name": "web", "owner": MATCHING}).status_code == 403
    assert stage.ask("edge", "POST", URL, json={"name": "web", "owner": EDGE}).status_code == 201


def test_a_team_that_is_made_later_binds_and_one_that_is_gone_does_not(stage: TeamStage) -> None:
    stage.owned_by("team-new")
    assert stage.edit("matching", "web", title="One").status_code == 200
    _make_team(stage, "team-new")
    assert stage.edit("matching", "web", title="Two").status_code == 403
    with stage.database.begin() as session:
        session.execute(teams.delete().where(teams.c.name == "team-new"))
    assert stage.edit("matching", "web", title="Three").status_code == 200


def test_the_page_offers_the_form_to_the_team_and_says_whose_it_is_to_others(stage: TeamStage) -> None:
    stage.owned_by(EDGE)
    assert "Change what is said of it" in stage.page("edge").text("/services/web/about")
    others = stage.page("matching").text("/services/web/about")
    assert "Change what is said of it" not in others
    assert "Only team-edge and admins change this service" in others


def test_the_forms_of_the_page_ask_the_same_question(stage: TeamStage) -> None:
    stage.owned_by(EDGE)
    service = stage.service("web")
    assert service is not None
    about = {"title": "Door", "owner": EDGE, "version": etag_of(version_of(service))}
    for path, fields in (("about", about), ("archive", {"reason": "no longer needed"})):
        refused = stage.send("matching", f"/services/web/{path}", fields)
        assert (refused.status_code, "is not in that team" in refused.text) == (403, True)
        assert stage.send("edge", f"/services/web/{path}", fields).status_code == 303


@given(steps=st.lists(st.tuples(st.sampled_from(sorted(CAST)), st.sampled_from([EDGE, MATCHING, None])), max_size=12))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_a_service_is_handed_on_only_whose_it_is_hands_it_on(
    stage: TeamStage, steps: list[tuple[str, str | None]]
) -> None:
    name = new_id("svc")
    stage.owned_by(None, name)
    expected: str | None = None
    for who, wanted in steps:
        allowed = who in MAY[expected]
        assert stage.edit(who, name, owner=wanted).status_code == (200 if allowed else 403)
        expected = wanted if allowed else expected
        assert stage.owner(name) == expected
