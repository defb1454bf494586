"""The page of operations as code: the last apply, and everything that differs from it."""

# Annotations are kept as objects for FastAPI.
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.app.ops.api import Db
from watchkeeper.app.ops.kinds import KINDS
from watchkeeper.app.ops.permissions import PLAN_OPS
from watchkeeper.app.ops.watch import PAGE, DriftWatch
from watchkeeper.app.timeline.marks import mark_of
from watchkeeper.app.timeline.tail import Told, read_told
from watchkeeper.kernel.journal import FactFilter
from watchkeeper.kernel.ops import Drifted, OpsKind, kind_file
from watchkeeper.kernel.ops.drift import Edit, edits_of
from watchkeeper.kernel.ops.kind import name_in
from watchkeeper.kernel.web.access import Actor, requires
from watchkeeper.kernel.web.pages import NavItem, render
from watchkeeper.kernel.web.parts import part
from watchkeeper.kernel.web.wire import page_router
from watchkeeper.modules.identity import public as identity

pages = page_router()
NAV = (NavItem("Operations as code", PAGE, "code", order=890, permission=PLAN_OPS),)
_MOST_SHOWN = 100


@dataclass(frozen=True)
class Difference:
    """An object that differs, with the file that an export would write."""

    drifted: Drifted
    edits: tuple[Edit, ...]
    file: str
    text: str


@pages.get(PAGE)
async def operations_as_code(
    who: Annotated[Actor, requires(PLAN_OPS)],
    request: Request,
    db: Db,
    watch: Annotated[DriftWatch, part(DriftWatch)],
) -> Response:
    """What was applied last, by whom, and what was changed elsewhere since."""

    def read(session: Session) -> tuple[list[Told], list[Drifted], list[Difference], dict[str, str]]:
        applied = read_told(session, FactFilter(kinds=("ops.applied",)), limit=1, newest_first=True)
        drifted = watch.look(session)
        found = differences_of(session, drifted[:_MOST_SHOWN])
        actors = {edit.fact.actor for one in found for edit in one.edits if edit.fact}
        return applied, drifted, found, dict(identity.names(session, actors))

    applied, drifted, found, names = await db.ask(read)
    return render(
        request,
        "app/ops.html",
        applied=applied[0] if applied else None,
        count=len(drifted),
        differences=found,
        names=names,
        kinds=KINDS,
        mark_of=mark_of,
    )


def differences_of(session: Session, drifted: list[Drifted]) -> list[Difference]:
    """The objects with who changed what, and as files."""
    if not drifted:
        return []
    documents: dict[tuple[str, str], tuple[OpsKind, str, list[dict[str, Any]]]] = {}
    for kind in KINDS:
        for file, document in kind.export(session):
            documents.setdefault((kind.name, name_in(kind, document)), (kind, file, []))[2].append(document)
    found = []
    for one in drifted:
        kind, file, said = documents[one.kind, one.name]
        found.append(Difference(one, tuple(edits_of(session, one)), file, kind_file(kind, file, said)))
    return found
