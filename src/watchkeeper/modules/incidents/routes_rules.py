"""The API of rules by which alerts open incidents. It only reads: rules are said in `ops/incidents.yaml`."""

# Annotations are kept as objects for FastAPI.
from pydantic import BaseModel, Field

from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.incidents.routes import Db, TheIncidenting, Viewer
from watchkeeper.modules.incidents.rules import Rule, all_rules

router = api_router("incidents")


class RulesView(BaseModel):
    """Which alerts open an incident by themselves."""

    items: list[Rule] = Field(description="In the order in which they are looked at: the first one that fits holds.")
    otherwise: str = Field(description="The setting `incidents.open_for`, by which alerts go that no rule fits.")


@router.get("/incidents/rules")
async def list_rules(who: Viewer, db: Db, incidenting: TheIncidenting) -> RulesView:
    """Which alerts open an incident by themselves."""
    return RulesView(items=await db.ask(all_rules), otherwise=incidenting.settings.open_for)
