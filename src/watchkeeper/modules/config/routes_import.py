"""The API of importing and documenting parameters; `GET /api/v1/ops/export` exports them with everything else."""

# Annotations are kept as objects for FastAPI.
import asyncio
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.kernel.clock import rfc3339
from watchkeeper.kernel.ops import Change
from watchkeeper.kernel.web.idempotency import Answer, Once, once
from watchkeeper.kernel.web.wire import StrictModel, api_router
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.config import ops_import, store
from watchkeeper.modules.config.documentation import Documented, changed_by, parameters_page
from watchkeeper.modules.config.model import ChangeSet, is_own
from watchkeeper.modules.config.ops_import import Import, ImportOutdated
from watchkeeper.modules.config.routes import Changer, Db, Now, TheHub, Viewer, require_redefining
from watchkeeper.modules.config.wire import ChangeView, Reason
from watchkeeper.modules.identity import public as identity

router = api_router("config")


class ImportOrder(StrictModel):
    """A file to import."""

    # The text keeps its line ends and spaces, which the positions of complaints count.
    model_config = ConfigDict(str_strip_whitespace=False)

    text: Annotated[str, StringConstraints(max_length=1_000_000)] = Field(
        description="YAML or JSON as `parameters.yaml` has it."
    )
    reason: Reason = Field(description="Why; kept on the timeline.")
    dry_run: bool = Field(False, description="Only say what would change.")
    fingerprint: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        None, description="Of the dry run that was looked at; if it would do something else by now, nothing is done."
    )


class ImportedView(BaseModel):
    """What happens to one parameter."""

    action: str = Field(description="`create`, `update` or `unchanged`.")
    key: str
    fields: dict[str, tuple[Any, Any]] = Field(description="What differs, as it is and as the file says.")
    where: str

    @classmethod
    def of(cls, one: Change) -> "ImportedView":
        return cls(action=one.action, key=one.name, fields=dict(one.fields), where=one.where)


class ImportView(BaseModel):
    """What an import does, or would do."""

    parameters: list[ImportedView]
    changes: list[ChangeView] = Field(description="The changes of values that were made, or wait for approval.")
    fingerprint: str


@router.post("/config/import", status_code=201, response_model=ImportView, responses={200: {"model": ImportView}})
async def import_parameters(
    who: Changer, order: ImportOrder, db: Db, clock: Now, hub: TheHub, once: Annotated[Once, once()]
) -> Response:
    """Define and set what a file says, all or nothing; what it does not name stays as it is."""
    desired = await asyncio.to_thread(ops_import.read, order.text)
    if order.dry_run:
        return Answer(await db.ask(lambda session: _view(ops_import.plan(session, desired), [])), 200).response()

    def make(session: Session) -> Answer:
        store.lock_environments(session)
        found = ops_import.plan(session, desired)
        if order.fingerprint not in (None, found.fingerprint):
            raise ImportOutdated("Something changed since you looked; nothing was done. Look again.")
        for owner in sorted(_owners(found)):
            catalog.require_own(session, who, owner)
        for key, one in found.wanted.items():
            before = found.look.parameters.get(key)
            if before is not None and before.definition != one.definition:
                require_redefining(session, who, before, one.definition)
        made = ops_import.carry_out(found, clock, reason=order.reason, by=who.id, source="api")
        return Answer(_view(found, made))

    answer = await db.write(lambda session: once.run(session, lambda: make(session)))
    await hub.catch_up()
    return answer.response()


class Documentation(BaseModel):
    """The page that documents the parameters."""

    text: str = Field(description="Markdown: a table for each group.")


@router.get("/config/documentation")
async def documentation(who: Viewer, db: Db) -> Documentation:
    """The registry as a page, with when and by whom each entry was changed last."""

    def read(session: Session) -> str:
        found = [one for one in store.all_parameters(session) if not is_own(one.key)]
        names = identity.names(session, {one.updated_by for one in found})
        return parameters_page(
            Documented(
                one.definition, changed=changed_by(rfc3339(one.updated_at), names.get(one.updated_by, one.updated_by))
            )
            for one in found
        )

    return Documentation(text=await db.ask(read))


def _view(found: Import, made: list[ChangeSet]) -> dict[str, Any]:
    return ImportView(
        parameters=[ImportedView.of(one) for one in found.changes],
        changes=[ChangeView.of(one) for one in made],
        fingerprint=found.fingerprint,
    ).model_dump(mode="json")


def _owners(found: Import) -> set[str]:
    """Whoever owns what changes, before and after."""
    changed = [one.name for one in found.changes if one.action != "unchanged"]
    after = {found.wanted[key].definition.owner for key in changed}
    before = {found.look.parameters[key].definition.owner for key in changed if key in found.look.parameters}
    return {owner for owner in before | after if owner}
