"""The contract tells permissions and problems, and nothing of the pages."""

from typing import Annotated

import pytest

from tests.kernel.web.support import CHANGE, browser, small_app
from watchkeeper.kernel.web.access import Actor, public, requires
from watchkeeper.kernel.web.wire import StrictModel, api_router, page_router

api = api_router("things")
pages = page_router()


class Thing(StrictModel):
    name: str


@api.put("/things/{id}")
async def change(id: str, thing: Thing, who: Annotated[Actor, requires(CHANGE)]) -> Thing:  # noqa: A002
    return thing


@api.get("/open")
async def open_to_all(who: Annotated[Actor | None, public("a test")]) -> str:
    return ""


@pages.get("/things")
async def page(who: Annotated[Actor, requires(CHANGE)]) -> str:
    return ""


@pytest.fixture(scope="module")
def document():
    return browser(small_app(api, pages)).get("/openapi.json").json()


def test_it_is_openapi_3_1_of_the_api_only(document):
    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == {"/api/v1/things/{id}", "/api/v1/open"}


def test_an_operation_says_what_it_needs(document):
    operation = document["paths"]["/api/v1/things/{id}"]["put"]
    assert (operation["x-permission"], operation["x-scope"]) == ("things.change", "write")
    assert operation["security"] == [{"bearer": []}]
    assert {"401", "403", "404", "422"} <= set(operation["responses"])


def test_a_public_operation_says_so(document):
    operation = document["paths"]["/api/v1/open"]["get"]
    assert (operation["x-permission"], operation["security"]) == ("public", [])
    assert "401" not in operation["responses"]


def test_refusals_are_described_as_problems(document):
    refused = document["paths"]["/api/v1/things/{id}"]["put"]["responses"]["422"]["content"]
    assert refused == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    assert {"Problem", "ProblemError"} <= set(document["components"]["schemas"])
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_reference_leads_somewhere(document):
    def references(value):
        if isinstance(value, dict):
            yield from ([value["$ref"]] if "$ref" in value else [])
            for one in value.values():
                yield from references(one)
        if isinstance(value, list):
            for one in value:
                yield from references(one)

    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) <= known


def test_no_documentation_page_calls_a_foreign_server():
    client = browser(small_app(api))
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404
