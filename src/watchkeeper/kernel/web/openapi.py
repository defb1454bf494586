"""The API's contract: OpenAPI 3.1, with the permission of each operation and the problems it may answer."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import JSONResponse

from watchkeeper.kernel.web.access import Actor, Permission, Public, public, stated_routes
from watchkeeper.kernel.web.problems import PROBLEM_JSON, Problem

_DESCRIPTION = (
    "Bearer tokens carry scopes; `x-permission` of an operation names what it needs. Times are RFC 3339 in UTC. "
    "Lists are `{items, next}`; give `next` back as `cursor`. Refusals are RFC 9457 problems with a stable `code`."
)
_ALWAYS_POSSIBLE = {"400": "Malformed", "422": "Not valid"}
_WITH_PERMISSION = {"401": "Not signed in", "403": "Not allowed"}


router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
async def contract(
    request: Request,
    who: Annotated[Actor | None, public("the contract is in the public documentation too")],  # noqa: ARG001
) -> JSONResponse:
    """The OpenAPI document."""
    return JSONResponse(request.app.openapi())


def describe_api(app: FastAPI) -> None:
    """Serve `/openapi.json` and make `app.openapi()` tell permissions and problems."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
    app.include_router(router)


def route_templates(app: FastAPI) -> dict[int, str]:
    """The full path template of each route object, since a route that was included knows only its own part."""
    return {id(stated.route): stated.path for stated in stated_routes(app)}


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, openapi_version="3.1.0", description=_DESCRIPTION, routes=app.routes
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for ours in ("HTTPValidationError", "ValidationError"):
        schemas.pop(ours, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    components["schemas"] = dict(sorted(schemas.items()))
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "description": "An API token."}}
    for stated in stated_routes(app):
        for method in stated.methods:
            operation = document["paths"].get(stated.path, {}).get(method.lower())
            if operation is not None:
                _complete(operation, stated.path, stated.permission)
    return document


def _complete(operation: dict[str, Any], path: str, permission: Permission | Public | None) -> None:
    possible = dict(_ALWAYS_POSSIBLE)
    if isinstance(permission, Permission):
        operation["x-permission"] = permission.name
        operation["x-scope"] = str(permission.scope)
        operation["security"] = [{"bearer": []}]
        possible |= _WITH_PERMISSION
    else:
        operation["x-permission"] = "public"
        operation["security"] = []
    responses = operation.setdefault("responses", {})
    if "{" in path:
        possible["404"] = "Not found"
    for status, meaning in possible.items():
        responses[status] = _problem_answer(meaning)
    responses["default"] = _problem_answer("Any other refusal")


def _problem_answer(meaning: str) -> dict[str, Any]:
    return {"description": meaning, "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
