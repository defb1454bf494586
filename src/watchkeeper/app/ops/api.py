"""The API of operations as code."""

# Annotations are kept as objects for FastAPI.
import asyncio
from typing import Annotated, Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.app.ops.kinds import KINDS
from watchkeeper.app.ops.permissions import APPLY_OPS, EXPORT_OPS, PLAN_OPS
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import NotFound
from watchkeeper.kernel.ops import (
    Change,
    Plan,
    PlanOutdated,
    apply_plan,
    export_files,
    json_schema,
    make_plan,
    read_files,
)
from watchkeeper.kernel.ops.directory import MOST_FILES
from watchkeeper.kernel.ops.schema import editor_pattern, schema_file
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.paging import Page
from watchkeeper.kernel.web.parts import clock_part, database_part
from watchkeeper.kernel.web.problems import PROBLEM_JSON, Problem, problem_of
from watchkeeper.kernel.web.wire import StrictModel, api_router

LARGEST_BODY = 10_000_000

router = api_router("ops")
Db = Annotated[Database, database_part()]
Now = Annotated[Clock, clock_part()]


class KindNotFound(NotFound):
    code = "ops.kind_not_found"


class Files(StrictModel):
    """The files of an `ops/` directory: path below it, and text."""

    # The text keeps its line ends and spaces, which the positions of complaints count.
    model_config = ConfigDict(str_strip_whitespace=False)

    files: dict[str, str] = Field(max_length=MOST_FILES)

    @model_validator(mode="before")
    @classmethod
    def _no_nul(cls, value: Any) -> Any:
        # The reader of the files names the line.
        return value


class FilesToApply(Files):
    """The files, and the plan that was looked at."""

    fingerprint: str | None = Field(
        None, max_length=64, description="Of the plan that was looked at; if it is another by now, nothing is done."
    )


class ChangeView(BaseModel):
    """What happens to one object."""

    action: str = Field(
        description="`create`, `update`, `delete`, `unchanged`, or `adopt`: as the files say, and theirs from now on."
    )
    kind: str
    name: str
    fields: dict[str, tuple[Any, Any]] = Field(description="Fields that differ, as (before, after).")
    where: str = Field(description="file:line:column of the object; empty for a deletion.")
    note: str
    drift: list[str] = Field(description="Fields changed elsewhere since the last apply, which this one sets back.")

    @classmethod
    def of(cls, change: Change) -> "ChangeView":
        return cls.model_validate({**vars(change), "drift": list(change.drift)})


class PlanView(BaseModel):
    """What applying the files does, or did."""

    changes: list[ChangeView]
    notices: list[str]
    fingerprint: str = Field(description="Give it to apply, so that what is applied is what was looked at.")

    @classmethod
    def of(cls, plan: Plan) -> "PlanView":
        changes = [ChangeView.of(change) for change in plan.changes]
        return cls(changes=changes, notices=list(plan.notices), fingerprint=plan.fingerprint)


class ExportView(BaseModel):
    """Everything that people or files made, as files of an `ops/` directory."""

    files: dict[str, str] = Field(description="Path below `ops/` to text.")
    notices: list[str] = Field(description="What could not be put into any file, and why.")


class SchemaView(BaseModel):
    """A kind of object that files describe."""

    kind: str
    pattern: str = Field(description="Which files below `ops/` hold it, in the way of editors: `services/**/*.yaml`.")
    file: str = Field(description="What its schema is called in `ops/.schemas/`.")
    href: str


class OutdatedPlan(Problem):
    """The plan is another one by now; this is it."""

    plan: PlanView | None = None


@router.post("/ops/plan")
async def plan(who: Annotated[Actor, requires(PLAN_OPS)], order: Files, db: Db) -> PlanView:
    """What applying these files would do. Nothing is changed; a wrong file is named by line and column."""
    desired = await asyncio.to_thread(read_files, order.files, KINDS)
    return PlanView.of(await db.ask(lambda session: make_plan(session, desired, KINDS)))


def _problem_with_plan() -> dict[str, Any]:
    schema = OutdatedPlan.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs")  # each of them is used elsewhere in the contract too
    return {"description": "Another plan by now", "content": {PROBLEM_JSON: {"schema": schema}}}


@router.post("/ops/apply", response_model=PlanView, responses={409: _problem_with_plan()})
async def apply(who: Annotated[Actor, requires(APPLY_OPS)], order: FilesToApply, db: Db, clock: Now) -> Any:
    """Make everything as the files say, all or nothing. Applying the same files again changes nothing."""
    desired = await asyncio.to_thread(read_files, order.files, KINDS)

    def run(session: Session) -> Plan:
        return apply_plan(session, desired, KINDS, by=who.id, at=clock.now(), fingerprint=order.fingerprint)

    try:
        return PlanView.of(await db.write(run))
    except PlanOutdated as refusal:
        # Somebody may have come between plan and change: then the plan has to be made anew.
        fresh = refusal.plan
        if fresh is None:
            fresh = await db.ask(lambda session: make_plan(session, desired, KINDS))
        return _outdated(refusal, fresh)


@router.get("/ops/export")
async def export(who: Annotated[Actor, requires(EXPORT_OPS)], db: Db) -> ExportView:
    """What was made in the console or by files, as files; a plan of them changes nothing."""
    found = await db.ask(lambda session: export_files(session, KINDS))
    return ExportView(files=dict(found.files), notices=list(found.notices))


@router.get("/ops/schemas")
async def schemas(who: Annotated[Actor, requires(PLAN_OPS)]) -> Page[SchemaView]:
    """Every kind of file and where its JSON Schema is."""
    items = [
        SchemaView(
            kind=kind.name,
            pattern=editor_pattern(kind),
            file=schema_file(kind),
            href=f"/api/v1/ops/schemas/{kind.name}",
        )
        for kind in KINDS
    ]
    return Page(items=items, next=None)


@router.get("/ops/schemas/{kind}", response_class=JSONResponse)
async def schema(who: Annotated[Actor, requires(PLAN_OPS)], kind: str) -> dict[str, Any]:
    """The JSON Schema of one document of a kind's files, for editors."""
    found = next((one for one in KINDS if one.name == kind), None)
    if found is None:
        raise KindNotFound(f"There is no kind {kind!r}. Known: {', '.join(one.name for one in KINDS)}.")
    return json_schema(found, KINDS)


def _outdated(refusal: PlanOutdated, fresh: Plan) -> Response:
    body = OutdatedPlan(**problem_of(refusal).model_dump(), plan=PlanView.of(fresh))
    return JSONResponse(body.model_dump(mode="json"), status_code=refusal.status, media_type=PROBLEM_JSON)
