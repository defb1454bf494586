"""Objectives as rules of Prometheus, through the API."""

# Annotations are kept as objects for FastAPI.
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from watchkeeper.kernel.web.wire import api_router
from watchkeeper.modules.slo import store
from watchkeeper.modules.slo.definition import Composite, Definition
from watchkeeper.modules.slo.promrules.events import LABEL, Setting
from watchkeeper.modules.slo.promrules.text import rules_text
from watchkeeper.modules.slo.routes import Db, OfService, Viewer

router = api_router("slo")


class RulesView(BaseModel):
    """A file of rules."""

    text: str = Field(description="YAML, as `rule_files` of Prometheus takes it.")
    notes: list[str] = Field(description="What the rules leave out or rest on; its head says it too.")


@router.get("/slo/rules")
async def rules(
    who: Viewer,
    db: Db,
    format: Annotated[Literal["prometheus"], Query(description="Who reads them.")] = "prometheus",  # noqa: A002
    service: OfService = None,
    service_label: Annotated[str, Query(pattern=LABEL, description="Names a service in its metrics.")] = "job",
    scrape_seconds: Annotated[int, Query(ge=1, le=300, description="How often requests' metrics are scraped.")] = 15,
) -> RulesView:
    """Recording and alerting rules that fire when ours do; what rules can't say is left out by name."""

    def read(session: Session) -> tuple[list[Definition], Setting]:
        definitions = [one.definition for one in store.all_definitions(session)]
        sources = {one.name: one for one in store.data_sources(session)}
        slos = {one.name: one for one in definitions}
        return definitions, Setting(sources, slos, service_label, timedelta(seconds=scrape_seconds))

    found, setting = await db.ask(read)
    chosen = [one for one in found if service is None or one.service == service]
    text, notes = rules_text(sorted(chosen, key=lambda one: isinstance(one.indicator, Composite)), setting)
    return RulesView(text=text, notes=list(notes))
